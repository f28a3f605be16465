#!/usr/bin/env bash
# Backups by the clock: written whole, as many as asked for, told when they fail, and as good as snapshots by hand.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 1 || exit 1
basic | apply 1 >/dev/null
backups=$dir/backups
mkdir "$backups"
settings() { node_stop 1; cp "$dir/gwd.yaml" "${data[1]}/gwd.yaml"; echo "backup: $1" >>"${data[1]}/gwd.yaml"; node_start 1; wait_until 15 node_is_up 1; }
cp "${data[1]}/gwd.yaml" "$dir/gwd.yaml"

# What does not stand up is told at the start.
refused() { # NAME BACKUP PATTERN
    cp "$dir/gwd.yaml" "$dir/bad.yaml"
    echo "backup: $2" >>"$dir/bad.yaml"
    expect 8 "$1" timeout 10 "$GW_BIN/gwd" --data-dir "${data[1]}" --config "$dir/bad.yaml"
    says "$1: and says so" "$3"
}
node_stop 1
refused "every without dir" '{every: 1h}' 'both every and dir'
refused "a time too short" "{every: 10ms, dir: $backups}" 'every'
refused "none to keep" "{every: 1h, dir: $backups, keep: 0}" 'keep'
node_start 1
wait_until 15 node_is_up 1

# Somebody else's files in the same place, and one of ours that is old.
touch "$backups/notes.txt" "$backups/us-1-20200101T000000Z-r1.gwsnap" "$backups/eu-1-extra-20200101T000000Z-r1.gwsnap"
: >"$backups/eu-1-20200101T000000Z-r1.gwsnap"
ours() { ls "$backups" | grep -cE '^eu-1-20[0-9]{6}T[0-9]{6}Z-r[0-9]+\.gwsnap$'; }
settings "{every: 1s, dir: $backups, keep: 3}"
done_four() { [ "0$(metric 1 'gw_backups_total{result="ok"}')" -ge 4 ]; }
check "backups are written" wait_until 30 done_four
check "as many are kept as asked for" [ "$(ours)" = 3 ]
check "the old one went" [ ! -e "$backups/eu-1-20200101T000000Z-r1.gwsnap" ]
check "what is not this node's stays" [ "$(ls "$backups" | grep -vcE '^eu-1-20')" = 3 ]
check "when it last worked is a metric" [ "0$(metric 1 gw_backup_last_success_timestamp_seconds)" -gt "$(($(date +%s) - 60))" ]
newest() { ls "$backups"/eu-1-20*.gwsnap | tail -n 1; }
check "they are for their owner alone" [ "$(stat -c %a "$(newest)")" = 600 ]
expect 0 "the newest is whole" "$GW_BIN/gwctl" snapshot inspect "$(newest)" -o json
check "and holds the configuration" is_true '.objects.route == 1 and .node == "eu-1"' "$dir/out"

# The directory goes away and comes back: told, counted, and mended by itself.
mv "$backups" "$dir/away"
failed() { [ "0$(metric 1 'gw_backups_total{result="failed"}')" -ge 1 ]; }
check "a failure is counted" wait_until 20 failed
check "and logged, with its reason" grep -q 'backup failed.*No such file' "${data[1]}.log"
check "the directory is not made" [ ! -e "$backups" ]
check "traffic goes on" serves 1 /hello
mv "$dir/away" "$backups"
before=$(metric 1 'gw_backups_total{result="ok"}')
again() { [ "0$(metric 1 'gw_backups_total{result="ok"}')" -gt "0$before" ]; }
check "it goes on by itself" wait_until 20 again

# A start does not make one before its time, and one after a long while does.
settings "{every: 1h, dir: $backups, keep: 3}"
check "a fresh one is not made again at a start" [ "$(metric 1 'gw_backups_total{result="ok"}')" = 0 ]
rm -f "$backups"/eu-1-20*.gwsnap
settings "{every: 1h, dir: $backups, keep: 3}"
one() { [ "$(ours)" = 1 ]; }
check "where there is none, one is made at once" wait_until 10 one

# It restores.
node_kill 1
expect 0 "it is restored" "$GW_BIN/gwctl" snapshot restore "$(newest)" --data-dir "$dir/restored" --listener "http=127.0.0.1:${proxy[1]}" --health "127.0.0.1:${health[1]}"
data[1]=$dir/restored
node_start 1
check "and serves" wait_until 15 serves 1 /hello
tap_end

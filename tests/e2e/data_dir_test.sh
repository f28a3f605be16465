#!/usr/bin/env bash
# What is wrong with a data directory, a port or the settings is one clear line and an exit code; nothing is damaged.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 1 || exit 1
basic | apply 1 >/dev/null
route zz-marker-route /marker | apply 1 >/dev/null && wait_until 5 all_serve /marker || not_ok "the configuration is served"

# start_at DIR: gwd there, for at most 10 s.
start_at() { timeout -k 1 10 "$GW_BIN/gwd" --data-dir "$1"; }
contents() { (cd "$1" && sha256sum -- data.mdb identity gwd.yaml cluster.key node.key node.pem ca.pem); }
one_clear_line() { # NAME PATTERN: on stderr, with what to do
    says "$1" "$2"
    check "$1: one line, and at most one of what is next" [ "$(grep -cvE '^(next:|\{|$)' "$dir/err")" -le 1 ]
}
refuses() { # NAME DIRECTORY PATTERN
    local before
    before=$(contents "$2")
    expect 11 "$1: exit 11" start_at "$2"
    one_clear_line "$1" "$3"
    check "$1: nothing is changed" [ "$(contents "$2")" = "$before" ]
}

# While it runs.
expect 11 "a second gwd on one directory: exit 11" start_at "${data[1]}"
one_clear_line "a second gwd" '(in use|locked|another gwd|already)'
check "the first one goes on" serves 1 /hello
cp -a "${data[1]}" "$dir/twin"
expect 1 "a port in use: exit 1" start_at "$dir/twin"
one_clear_line "a port in use" "127\.0\.0\.1:(${peer[1]}|${admin[1]}|${health[1]}|${proxy[1]}).*in use"
check "the first one goes on" serves 1 /hello
expect 2 "an unknown option: exit 2" "$GW_BIN/gwd" --data-dri "$dir"
says "and says which" "'--data-dri'" '^next: '
expect 2 "no option: exit 2" "$GW_BIN/gwd"
expect 0 "--help: exit 0" "$GW_BIN/gwd" --help

# Settings.
node_kill 1
good=$dir/good
cp -a "${data[1]}" "$good"
printf 'workesr: 2\n' >>"${data[1]}/gwd.yaml"
expect 8 "an unknown field in gwd.yaml: exit 8" start_at "${data[1]}"
says "with its place and a suggestion" "gwd\.yaml:$(wc -l <"${data[1]}/gwd.yaml"):1: error: .*'workesr'.*\(did you mean 'workers'\?\)"
expect 8 "--config of a file that is not there: exit 8" "$GW_BIN/gwd" --data-dir "$good" --config "$dir/nothing.yaml"
says "names it" 'nothing\.yaml'
sed 's/^\( *name:\).*/\1 eu-9/; s/\(node: *{ *name: *\)[a-z0-9-]*/\1eu-9/' "$good/gwd.yaml" >"${data[1]}/gwd.yaml"
expect 8 "settings that contradict the identity: exit 8" start_at "${data[1]}"
says "names both" 'eu-9' 'eu-1'
cp "$good/gwd.yaml" "${data[1]}/gwd.yaml"

# Damage, each to a copy of its own.
damaged() { rm -rf "$dir/damaged"; cp -a "$good" "$dir/damaged"; }
flip() { # FILE OFFSET…: one bit each
    local file=$1 at byte
    shift
    for at in "$@"; do
        byte=$(xxd -p -s "$at" -l 1 "$file")
        printf "\\x$(printf %02x $((0x$byte ^ 4)))" | dd of="$file" bs=1 seek="$at" conv=notrunc status=none
    done
}
mapfile -t places < <(grep -abo zz-marker-route "$good/data.mdb" | cut -d: -f1)
note "the marked route stands at ${#places[@]} places of data.mdb"
damaged
flip "$dir/damaged/data.mdb" "${places[@]}"
refuses "a bit flipped in log and record" "$dir/damaged" '(damaged|checksum)'
# One by one: a place is the log, the record, its history, or a page that is free and matters to nobody.
hits=0
for place in "${places[@]}"; do
    damaged
    flip "$dir/damaged/data.mdb" "$place"
    "$GW_BIN/gwd" --data-dir "$dir/damaged" >"$dir/out" 2>"$dir/err" &
    pid[9]=$! health[9]=${health[1]} data[9]=$dir/damaged
    up_or_gone() { node_is_up 9 || ! kill -0 "${pid[9]}" 2>/dev/null; }
    wait_until 10 up_or_gone
    if kill -0 "${pid[9]}" 2>/dev/null; then
        node_kill 9
        note "offset $place: starts"
    else
        wait "${pid[9]}"
        status=$?
        pid[9]=
        note "offset $place: exit $status: $(grep -v '^{' "$dir/err" | head -n 1)"
        [ $status != 11 ] || hits=$((hits + 1))
        [ $status = 11 ] || not_ok "a flipped bit at $place: exit 11"
    fi
done
unset 'pid[9]' 'data[9]'
check "a bit in the log and a bit in the record are each seen" [ "$hits" -ge 2 ]

damaged
flip "$dir/damaged/data.mdb" 16
refuses "a bit flipped in the magic of a meta page" "$dir/damaged" '(damaged|not an? |no )'
damaged
flip "$dir/damaged/data.mdb" 128 4224
refuses "a bit flipped in the roots of both meta pages" "$dir/damaged" '(damaged|checksum)'
size=$(stat -c %s "$good/data.mdb")
# Pages from the end to the front are in use somewhere before the first 16.
for keep in $((size / 2)) 65536 12288 5000 0; do
    damaged
    truncate -s "$keep" "$dir/damaged/data.mdb"
    refuses "data.mdb cut to $keep of $size bytes" "$dir/damaged" '(damaged|shorter|truncated|empty|cut)'
done
damaged
rm "$dir/damaged/identity"
expect 11 "no identity: exit 11" start_at "$dir/damaged"
expect 11 "no directory: exit 11" start_at "$dir/nowhere"

# Another cluster's.
node_plan 2
mapfile -t options < <(node_options 2)
"$GW_BIN/gwctl" cluster init "${options[@]}" --cluster other >"$dir/init.log" 2>&1 || not_ok "another cluster is founded"
damaged
cp "${data[2]}/data.mdb" "$dir/damaged/data.mdb"
refuses "the data of another cluster" "$dir/damaged" '(another cluster|cluster .* not|belongs)'

# After all this the original is as good as before.
node_start 1
check "the undamaged directory serves" wait_until 10 serves 1 /marker
# Keys and certificates that are missing, or of somebody else.
"$GW_BIN/gwctl" cluster init -q --data-dir "$dir/foreign" --name zz-1 --region eu --peer "127.0.0.1:$(ports 1)" >/dev/null ||
    not_ok "another cluster is founded"
for file in node.pem node.key ca.pem cluster.key data.mdb; do
    damaged
    rm "$dir/damaged/$file"
    expect 11 "no $file: exit 11" start_at "$dir/damaged"
    one_clear_line "no $file" '(missing|no data|no cluster key)'
done
damaged
rm "$dir/damaged/gwd.yaml"
expect 8 "no gwd.yaml: exit 8" start_at "$dir/damaged"
one_clear_line "no gwd.yaml" 'gwd\.yaml.* is not there'
damaged
cp "$dir/foreign/node.pem" "$dir/foreign/node.key" "$dir/foreign/ca.pem" "$dir/damaged/"
refuses "the certificate of another cluster" "$dir/damaged" 'node\.pem.* is of node 1 of cluster'
damaged
cp "$dir/foreign/node.key" "$dir/damaged/"
refuses "the key of another certificate" "$dir/damaged" 'node\.key.* is not the key'
damaged
cp "$dir/foreign/cluster.key" "$dir/damaged/"
refuses "the cluster key of another cluster" "$dir/damaged" "cluster\.key.* is not this cluster's key"
tap_end

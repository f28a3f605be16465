#!/usr/bin/env bash
# A snapshot is saved, inspected and restored into a new cluster; a damaged one, and a directory in use, are refused.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 3 || exit 1
basic | apply 1 >/dev/null
for i in $(seq 1 20); do route "r$i" "/r$i"; echo ---; done | apply 1 >/dev/null || not_ok "the configuration is applied"
old_cluster=$(gw 1 cluster status -o json | jq -r .clusterId)
snapshot=$dir/a.gwsnap

# Save, from any node.
revision=$(gw 1 cluster status -o json | jq -r .revision)
for i in 1 2 3; do
    expect 0 "a snapshot is saved from node $i" gw "$i" snapshot save "$dir/from-$i"
    says "and says what of" "revision $revision of cluster $old_cluster"
done
expect 0 "and over an older one" gw 1 snapshot save "$dir/from-1"
says "which it says" 'replaces the file that was there'
check "for its owner alone" [ "$(stat -c %a "$dir/from-1")" = 600 ]
check "nothing half is left beside it" [ -z "$(ls "$dir"/from-*.part* 2>/dev/null)" ]
route late /late | apply "$(follower)" >/dev/null
f=$(follower)
expect 0 "a snapshot holds what was acknowledged before it was asked for" gw "$f" snapshot save "$snapshot"
expect 0 "it can be inspected" "$GW_BIN/gwctl" snapshot inspect "$snapshot" -o json
check "with its cluster, its node and what is in it" is_true --arg id "$old_cluster" --arg node "${name[$f]}" \
    '.clusterId == $id and .node == $node and .objects.route == 22 and .objects.service == 1 and (.members | length) == 3
     and (.revision | tonumber) > 0 and (.index | tonumber) >= (.revision | tonumber)' "$dir/out"
old_revision=$(jq -r .revision "$dir/out")
expect 0 "also for people" "$GW_BIN/gwctl" snapshot inspect "$snapshot"
says "line by line" "^cluster +$old_cluster" '^taken ' '^objects .*route 22' '^members .*eu-1' 'whole$'
expect 1 "a file that cannot be made is one error" gw 1 snapshot save "$dir/nowhere/x"

# Without a quorum: stale, and says so; linearizable is refused.
l=$(leader)
for i in $(others "$l"); do node_pause "$i"; done
expect 6 "without a quorum a linearizable snapshot is refused" gw "$l" --timeout 10s snapshot save "$dir/no"
check "and leaves no file" [ ! -e "$dir/no" ]
expect 0 "a stale one is not" gw "$l" --stale snapshot save "$dir/stale"
for i in $(others "$l"); do node_resume "$i"; done

# Damage: each is seen, by inspect and by restore, which touches nothing.
refused() { # NAME FILE EXIT PATTERN
    expect "$3" "$1: inspect refuses it" "$GW_BIN/gwctl" snapshot inspect "$2"
    says "$1: and says why" "$4" '^next: '
    expect "$3" "$1: restore refuses it" "$GW_BIN/gwctl" snapshot restore "$2" --data-dir "$dir/never"
    says "$1: and says why" "$4" '^next: '
    check "$1: nothing is made" [ ! -e "$dir/never" ]
}
size=$(stat -c %s "$snapshot")
for keep in $((size - 1)) $((size / 2)) 100 12 0; do
    head -c "$keep" "$snapshot" >"$dir/cut"
    [ "$keep" -ge 8 ] || { refused "cut to $keep bytes" "$dir/cut" 1 'cut short'; continue; }
    refused "cut to $keep bytes" "$dir/cut" 1 'cut short'
done
for at in 30 $((size / 3)) $((size - 5)); do
    cp "$snapshot" "$dir/flipped"
    byte=$(xxd -p -s "$at" -l 1 "$snapshot")
    printf "\\x$(printf %02x $((0x$byte ^ 16)))" | dd of="$dir/flipped" bs=1 seek="$at" conv=notrunc status=none
    refused "a bit flipped at $at" "$dir/flipped" 1 'damaged'
done
{ cat "$snapshot"; echo more; } >"$dir/longer"
refused "bytes behind its end" "$dir/longer" 1 'damaged'
refused "what is no snapshot" "$GW_ROOT/README.md" 8 'no snapshot'
refused "what is not there" "$dir/nothing" 4 'No such file'

# A directory in use.
before=$(cd "${data[1]}" && sha256sum identity ca.pem node.pem cluster.key gwd.yaml)
expect 5 "a restore into a node's directory is refused" "$GW_BIN/gwctl" snapshot restore "$snapshot" --data-dir "${data[1]}"
says "naming what is in it" 'not empty' '^next: '
mkdir "$dir/some" && touch "$dir/some/thing"
expect 5 "into any directory that is not empty" "$GW_BIN/gwctl" snapshot restore "$snapshot" --data-dir "$dir/some"
check "the node's directory is as it was" [ "$(cd "${data[1]}" && sha256sum identity ca.pem node.pem cluster.key gwd.yaml)" = "$before" ]
check "and it goes on" wait_until 20 healthy 1

# The restore: while the old cluster lives, on ports of its own.
old_admin=$dir/old-admin.yaml
cp "${data[1]}/admin.yaml" "$old_admin"
node_plan 4
mapfile -t options < <(node_options 4)
expect 0 "it is restored as a new cluster" "$GW_BIN/gwctl" snapshot restore "$snapshot" "${options[@]}" --token-out "$dir/token" -o json
new_cluster=$(jq -r .clusterId "$dir/out")
new_revision=$(jq -r .revision "$dir/out")
check "of another id" [ "$new_cluster" != "$old_cluster" ]
check "whose revision is far beyond the old" [ "$new_revision" -gt "$((old_revision + 999999))" ]
node_start 4
check "it starts and serves" wait_until 15 serves 4 /hello
check "also what was applied last" serves 4 /late
expect 0 "alone it is healthy" gw 4 cluster wait --healthy --voters 1 --timeout 20s
content() { gw "$1" get all -o json | jq -S '[.items[] | {kind, name: .metadata.name, spec}]'; }
check "its objects are the same" [ "$(content 4)" = "$(content 1)" ]
check "it has one member" [ "$(gw 4 cluster members -o json | jq '.members | length')" = 1 ]
check "tokens of the old cluster are gone" [ "$(gw 4 cluster token list -o json | jq '.items | length')" = 1 ]
expect 5 "a precondition of the old cluster is refused" gw 4 apply -f <(route r1 /other) --if-revision "$old_revision"
expect 0 "it takes writes" gw 4 apply -f <(route fresh /fresh)
check "beyond that revision" [ "$(gw 4 cluster status -o json | jq -r .revision)" -gt "$new_revision" ]
expect 0 "once more, it is yet another cluster" "$GW_BIN/gwctl" snapshot restore "$snapshot" --data-dir "$dir/second" -o json
check "beyond all that the first has written, so that what was said of it never fits" is_true \
    --arg now "$(gw 4 cluster status -o json | jq -r .revision)" '(.revision | tonumber) > ($now | tonumber) + 1000' "$dir/out"
check "and far below what a JSON number can say" is_true '(.revision | tonumber) < 9007199254740992 / 1000' "$dir/out"
node_join 5 && node_start 5
check "others join it" wait_until 20 serves 5 /fresh
node_kill 4
node_start 4
check "it starts again" wait_until 15 serves 4 /fresh

# Credentials of the one are nothing to the other.
XDG_CONFIG_HOME=$dir/config "$GW_BIN/gwctl" context import "$old_admin" --name old >/dev/null
XDG_CONFIG_HOME=$dir/config "$GW_BIN/gwctl" context import "${data[4]}/admin.yaml" --name new >/dev/null
expect 0 "the new admin is known to the new cluster" env XDG_CONFIG_HOME="$dir/config" "$GW_BIN/gwctl" --context new cluster leader
XDG_CONFIG_HOME=$dir/config "$GW_BIN/gwctl" --context old -e "https://127.0.0.1:${admin[4]}" cluster leader >"$dir/out" 2>"$dir/err"
check "the old admin is not" [ $? = 7 ]

# Everything as the snapshot says, but in a directory of its own: a restore after the loss of all.
for i in 1 2 3 4 5; do [ -z "${pid[$i]}" ] || node_kill "$i"; done
mv "${data[1]}" "$dir/lost"
cp "${data[$f]}/gwd.yaml" "$dir/f.yaml"
mv "${data[$f]}" "$dir/lost-$f" 2>/dev/null
expect 0 "without any option it is the node that took it" "$GW_BIN/gwctl" snapshot restore "$snapshot" --data-dir "$dir/again"
check "with its name, region and peer address" [ "$(grep -cE "name: \"${name[$f]}\", region: \"${region[$f]}\"|advertise: \"127.0.0.1:${peer[$f]}\"" "$dir/again/gwd.yaml")" = 2 ]
tap_end

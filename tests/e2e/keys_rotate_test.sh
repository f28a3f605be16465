#!/usr/bin/env bash
# The cluster key is rotated: on every node, in nothing in clear, over a change of leader, and not past a node that is down.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 3 || exit 1
basic | apply 1 --wait all >/dev/null
(umask 077 && echo 'correct horse battery' >"$dir/passphrase")
pass=(--passphrase-file "$dir/passphrase")

key() { tr -d '\n' <"${data[$1]}/cluster.key"; }
all_have() { # KEY: every node, and nothing beside it
    local i
    for i in 1 2 3; do
        [ "$(key "$i")" = "$1" ] && [ ! -e "${data[$i]}/cluster.key.next" ] && [ ! -e "${data[$i]}/cluster.key.old" ] || return 1
    done
}
told() { gw 1 cluster certs list -o json | is_true '[.items[] | select(.kind == "node") | .status == "current"] | length == '"$1"' and all'; }
seal_key() { gw "$1" cluster status -o json | jq -r .sealKey; }

check "every node has told what it has" wait_until 10 told 3
old=$(key 1)
old_seal=$(seal_key 1)
gw 1 cluster keys export "$dir/export-old" "${pass[@]}" >/dev/null
gw 1 snapshot save "$dir/snapshot-old" >/dev/null
load_start 1 a
expect 0 "the key is rotated" gw "$(follower)" cluster keys rotate
says "and it is said what exports are good for" 'exports made before'
new=$(key 1)
check "it is another one" [ "$old" != "$new" ]
check "every node has it, and no other" wait_until 10 all_have "$new"
check "for its owner alone" [ "$(stat -c %a "${data[1]}/cluster.key" "${data[2]}/cluster.key" "${data[3]}/cluster.key" | sort -u)" = 600 ]
check "the public key follows" [ "$(seal_key 1)" != "$old_seal" ]
check "alike on every node" [ "$(seal_key 1)" = "$(seal_key 2)" ]
check "neither is in a log" sh -c "! grep -lE '$old|$new' $dir/*.log"
gw 1 snapshot save "$dir/snapshot-new" >/dev/null
hex() { printf '%s' "$1" | sed 's/../\\x&/g'; }
check "nor in a snapshot" sh -c "! grep -qaP '$(hex "$old")|$(hex "$new")' '$dir/snapshot-old' '$dir/snapshot-new'"
check "nor in the store" sh -c "! grep -qaP '$(hex "$old")|$(hex "$new")' '${data[2]}/data.mdb'"
check "the authority signs with it" gw 2 cluster certs rotate -q
gw 1 cluster token create >"$dir/token"
node_join 4 && node_start 4
check "a joiner gets it" [ "$(key 4)" = "$new" ]
load_stop a >"$dir/load"
sed 's/^/# /' "$dir/load"
check "no request failed" is_true '.failures == 0 and .requests > 100' "$dir/load"

# What was made before opens by what was exported before.
node_plan 5
mapfile -t options < <(node_options 5)
expect 1 "a snapshot made after does not open by the old export" "$GW_BIN/gwctl" snapshot restore "$dir/snapshot-new" "${options[@]}" --keys "$dir/export-old" "${pass[@]}"
expect 0 "one made before does" "$GW_BIN/gwctl" snapshot restore "$dir/snapshot-old" "${options[@]}" --keys "$dir/export-old" "${pass[@]}"

# A node that is down holds it up, the leader changes, the node comes back.
check "all four have told" wait_until 10 told 4
d=4
node_kill "$d"
l=$(leader)
expect 9 "a node that is down holds it up" gw "$l" cluster keys rotate
says "and is named" "${name[$d]} is not reached" '^next: .*gwctl cluster remove'
check "the key in force is the old one" [ "$(key "$l")" = "$new" ]
node_kill "$l"
nodes=3
check "a new leader is found" wait_until 15 has_leader
node_start "$l"
check "all three are back" wait_until 20 node_is_up "$l"
node_start "$d"
changed() { [ "$(key "$1")" != "$new" ] && all_have "$(key "$1")" && [ "$(key 4)" = "$(key "$1")" ] && [ ! -e "${data[4]}/cluster.key.old" ]; }
check "with the node back the rotation ends by itself" wait_until 30 changed "$l"
check "the authority signs still" wait_until 10 gw "$l" cluster certs rotate -q

# The same key after a restart of all.
third=$(key 1)
nodes_kill 1 2 3 4
for i in 1 2 3 4; do node_start $i; done
nodes=4
check "all start on it" wait_until 30 healthy 1
check "and have it still" all_have "$third"

# Cut off between the copy of the old one and the new one in its place.
node_stop 2
cp "${data[2]}/cluster.key" "${data[2]}/cluster.key.old"
node_start 2
check "a copy that was left is cleared away" wait_until 15 all_have "$third"
tap_end

#!/usr/bin/env bash
# From the version before to this one: one node at a time, both versions in one cluster, then for good.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello

# The cluster as the version before makes it: its programs, by their names.
old=$dir/old
mkdir "$old"
ln -s "$GW_BIN/../tests/lib/gwd-previous" "$old/gwd"
ln -s "$GW_BIN/../tests/lib/gwctl-previous" "$old/gwctl"
new=$GW_BIN
tool() { "$new/../tests/lib/$1" "${@:2}"; }
with() { # BIN COMMAND…
    local GW_BIN=$1
    shift
    "$@"
}
upgrade() { gw "$1" cluster upgrade -o json; }
stored() { upgrade "$1" | jq .storedFormat; }
format_is() { [ "$(stored "$1")" = "$2" ]; }
all_are() { # FORMAT: every node stores it
    local i
    for i in 1 2 3; do format_is "$i" "$1" || return 1; done
}
said() { [ "$(upgrade 1 | jq -c '[.members[].format]')" = "$1" ]; }

nodes=3
with "$old" node_init 1
with "$old" node_start 1
wait_until 15 node_is_up 1
for i in 2 3; do
    with "$old" node_join "$i"
    with "$old" node_start "$i"
done
expect 0 "a cluster of the version before stands" gw 1 cluster wait --healthy --voters 3 --timeout 60s
healthy 1 || exit 1
basic | apply 1 --wait all >/dev/null
check "it stores format 1" all_are 1

# One node after the other.
load_start 2 a
node_stop 1
with "$new" node_start 1
check "a node of this version takes part" wait_until 20 healthy 1
expect 0 "who is where is told" gw 1 cluster upgrade status
says "with what waits" '^stored format +1$' '^finalize +to format 2: messages in the history' '^not yet +.*of an older version: us-1, ap-1' '^us-1 +(leader|follower) +[0-9.]+ +2 +1$'
upgrade 1 >"$dir/status"
check "as JSON, every key there" is_true 'keys == ["brings","changed","finalized","members","revision","stale","storedFormat","targetFormat","why"]' "$dir/status"
check "of members too" is_true '[.members[] | keys] | unique == [["format","id","name","protocol","state","version"]]' "$dir/status"
expect 5 "finalize is refused while a member is older" gw 1 cluster upgrade finalize --yes
says "and says which" 'us-1, ap-1' '^next: '
route mixed /hello/mixed >"$dir/mixed.yaml"
expect 0 "writes go on in the mixed cluster" gw 1 apply -f "$dir/mixed.yaml" -m "a reason" --wait all
says "but for what is new" 'message is not kept'
expect 0 "whoever they go by" gw 2 apply -f "$dir/mixed.yaml" --wait all
check "and arrive everywhere" wait_until 10 in_sync 1 2 3
gw 1 cluster transfer "${name[1]}" >/dev/null
check "also when the newer one leads" wait_until 10 leads 1
route mixed /hello/mixed2 >"$dir/mixed.yaml"
expect 0 "writes go on" gw 3 apply -f "$dir/mixed.yaml" --wait all
check "and arrive everywhere" wait_until 10 in_sync 1 2 3
expect 5 "what needs the new format is refused" gw 1 cluster certs rotate
says "and says what it needs" 'needs stored format 2' '^next: gwctl cluster upgrade finalize'
check "certificates are listed all the same" gw 1 cluster certs list
expect 0 "the key is exported, though nothing remembers it" gw 1 cluster keys export "$dir/keys" --passphrase-file <(echo correct horse battery)

node_stop 2
with "$new" node_start 2
check "the second takes part" wait_until 20 healthy 1
expect 5 "finalize is refused still" gw 1 cluster upgrade finalize --yes
says "because of the third" 'of an older version: ap-1'
node_stop 3
expect 5 "also while a member is away" gw 1 cluster upgrade finalize --yes
says "whose name is said" 'not reached: ap-1'
with "$new" node_start 3
check "the third takes part" wait_until 20 healthy 1
check "all say what they read" wait_until 10 said '[2,2,2]'
gw 1 cluster upgrade >"$dir/out"
says "finalize is ready" '^ready +every member reads it'
expect 2 "it asks first" gw 1 cluster upgrade finalize </dev/null
says "and says that there is no way back" 'for good'
check "nothing changed by that" all_are 1
expect 0 "the stored format rises" gw 2 cluster upgrade finalize --yes
says "and says to what" '^stored format 2$'
check "everywhere" wait_until 10 all_are 2
expect 0 "asked for again it is so already" gw 3 cluster upgrade finalize
says "and says so" '^stored format 2 already$'
route later /hello/later >"$dir/later.yaml"
expect 0 "messages are kept now" gw 1 apply -f "$dir/later.yaml" -m "a reason" --wait all
gw 1 history -o json >"$dir/history"
check "and found again" grep -q 'a reason' "$dir/history"
rotated() { gw 1 cluster certs rotate -q >/dev/null 2>&1; }
check "certificates rotate now" wait_until 10 rotated
check "all agree" wait_until 10 in_sync 1 2 3
load_stop a >"$dir/load"
sed 's/^/# /' "$dir/load"
check "requests were served in between" is_true ".requests > 1000" "$dir/load"

# No way back.
node_stop 3
expect 11 "the version before does not start on this data" timeout 20 "$old/gwd" --data-dir "${data[3]}"
says "and says why" 'format 2.* knows up to 1.*newer program'
with "$new" node_start 3
check "this one does" wait_until 20 healthy 1
with "$old" node_join 4 --wait 1s
check "the version before does not join" [ $? = 5 ]
tail -n 3 "${data[4]}.log" >"$dir/out"
says "and says why" 'reads formats up to 1, the cluster stores format 2'

# A new cluster begins with the newest.
node_plan 5
mapfile -t options < <(node_options 5)
"$new/gwctl" cluster init "${options[@]}" >/dev/null
node_start 5
check "a new cluster stores the newest from the start" wait_until 15 format_is 5 2
tap_end

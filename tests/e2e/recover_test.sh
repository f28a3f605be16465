#!/usr/bin/env bash
# A quorum is gone for good: one survivor is made the only voter, the others join again in the places they had. Who was
# left behind is refused, and so is a second recovery of the same epoch.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 3 || exit 1
basic | apply 1 >/dev/null
recover() { "$GW_BIN/gwctl" cluster recover --data-dir "$@"; }
inspect() { recover "$1" --inspect -o json; }
log_says() { grep -qE -- "$2" "${data[$1]}.log"; }
replace() { # I: joins again, in the directory it had
    "$GW_BIN/gwctl" cluster join --replace --token-file "$dir/token" --data-dir "${data[$1]}" --wait 30s
}

# Two nodes agree on something that the third has not seen.
behind=$(follower)
ahead=$(others "$behind" | head -n 1)
node_kill "$behind"
kept=0
for i in 1 2 3; do route "r$i" "/r$i" | apply "$ahead" >/dev/null && kept=$((kept + 1)); done
check "writes are acknowledged" [ "$kept" = 3 ]
for i in $(others "$behind"); do node_kill "$i"; done

# While it runs, nothing is recovered.
node_start 1
wait_until 15 node_is_up 1
expect 1 "a node that runs is not recovered" recover "${data[1]}" --yes
says "and says what to do" 'in use' '^next: '
node_kill 1

# Which is the furthest?
for i in 1 2 3; do
    expect 0 "node $i can be inspected" inspect "${data[$i]}"
    last[i]=$(jq -r .lastIndex "$dir/out")
    check "its term, its log and the others are told" is_true --arg name "${name[$i]}" \
        '.name == $name and .epoch == "1" and (.term | tonumber) > 0 and (.others | length) == 2 and all(.others[]; .voter)' "$dir/out"
done
note "last index: ${last[1]} ${last[2]} ${last[3]}; node $behind was away"
check "the one that was away is behind" [ "${last[$behind]}" -lt "${last[$ahead]}" ]
expect 0 "also for people" recover "${data[$ahead]}" --inspect
says "term and last index" '^term ' "^last +index ${last[$ahead]}" '^next: '
expect 0 "inspecting changes nothing" inspect "${data[$ahead]}"

expect 2 "without --yes nothing is done" recover "${data[$ahead]}" </dev/null
says "but the consequence is printed" 'only voter' 'lost' '--yes'
expect 0 "the furthest is recovered" recover "${data[$ahead]}" --yes
says "and what may be lost is said" 'epoch 2' "kept: all up to index ${last[$ahead]}" 'may be lost' 'join --replace'
node_start "$ahead"
check "it serves" wait_until 15 serves "$ahead" /hello
expect 0 "alone it is healthy" gw "$ahead" cluster wait --healthy --voters 1 --timeout 20s
check "with all that was acknowledged" [ "$(gw "$ahead" get route -o json | jq '.items | length')" = 4 ]
expect 0 "it takes writes" gw "$ahead" apply -f <(route after /after)

# The old epoch, on contact.
node_start "$behind"
check "who was left behind is refused, and is told so" wait_until 20 log_says "$behind" 'the cluster was recovered without this node'
check "as is who refuses" wait_until 20 log_says "$ahead" 'the cluster was recovered without it'
says_on_contact=$(grep -c 'recovered without' "${data[$behind]}.log")
check "once, not at every try" [ "$says_on_contact" -le 4 ]
check "its configuration is served all the same" wait_until 10 serves "$behind" /hello
check "it has no part in the cluster" [ "$(gw "$ahead" cluster members -o json | jq '.members | length')" = 1 ]
expect 1 "while it runs it is not replaced" replace "$behind"
says "and says what to do" 'in use'
node_kill "$behind"

# A second recovery of the same epoch.
expect 0 "it is recovered, too" recover "${data[$behind]}" --yes
node_start "$behind"
check "they refuse each other" wait_until 25 log_says "$behind" 'were recovered apart'
check "both of them" wait_until 25 log_says "$ahead" 'were recovered apart'
check "neither joined the other" [ "$(gw "$behind" cluster members -o json | jq '.members | length')" = 1 ]
check "the first goes on" healthy "$ahead"
node_kill "$behind"

# Back into the places they had.
gw "$ahead" cluster token create --uses 8 >"$dir/token"
for i in $(others "$ahead"); do
    expect 0 "node $i joins again" replace "$i"
    check "its old data is put aside" [ -f "$(echo "${data[$i]}"/replaced-*/data.mdb)" ]
    node_start "$i"
done
expect 0 "three voters again" gw "$ahead" cluster wait --healthy --voters 3 --timeout 60s
for i in 1 2 3; do check "node $i serves what was written since" wait_until 15 serves "$i" /after; done
check "their state is the same" wait_until 15 in_sync 1 2 3
check "with addresses as before" [ "$(gw "$ahead" cluster members -o json | jq -r '.members[].peer' | sort)" = "$(printf '127.0.0.1:%s\n' "${peer[1]}" "${peer[2]}" "${peer[3]}" | sort)" ]
l=$(leader)
[ "$l" = "$ahead" ] && node_kill "$ahead" && check "they do without the one that was recovered" wait_until 15 has_leader
node_start "$ahead" 2>/dev/null
wait_until 20 healthy "$behind"

# A node whose disk is lost comes back under its name, and never under its id.
gone=$(follower)
ids() { gw "$(leader)" cluster members -o json | jq -r --arg n "${name[$gone]}" '.members[] | select(.name == $n) | .id'; }
old_id=$(ids)
gw "$(leader)" cluster token create --uses 8 >"$dir/token"
mapfile -t options < <(node_options "$gone")
expect 5 "a node that is up is not replaced" "$GW_BIN/gwctl" cluster join --replace --token-file "$dir/token" "${options[@]:2}" --data-dir "$dir/thief"
says "and says so" 'is up'
node_kill "$gone"
rm -rf "${data[$gone]}"
not_connected() { gw "$(leader)" cluster members -o json | is_true --arg n "${name[$gone]}" '.members[] | select(.name == $n) | .state == "unreachable"'; }
wait_until 15 not_connected
expect 5 "without --replace its name is taken" "$GW_BIN/gwctl" cluster join --token-file "$dir/token" "${options[@]}"
expect 0 "with it, it joins" "$GW_BIN/gwctl" cluster join --replace --token-file "$dir/token" "${options[@]}"
node_start "$gone"
expect 0 "and is a voter in the end" gw "$(leader)" cluster wait --healthy --voters 3 --timeout 60s
check "under another id" [ "$(ids)" != "$old_id" ]
check "of which there is one" [ "$(ids | wc -l)" = 1 ]
tap_end

#!/usr/bin/env bash
# The shape is kept by itself: a dead voter is replaced, one by one, and a dozen nodes beside the voters change nothing.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 5 || exit 1
address+=(127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1)
name+=(ap-2 eu-3 us-3 ap-3 eu-4 us-4 ap-4 eu-5) region+=(ap eu us ap eu us ap eu)
shape() { # VOTERS: the Cluster with so many, an unseen voter replaced after 2 s
    printf 'apiVersion: gw/v1\nkind: Cluster\nmetadata: {name: story}\nspec: {raft: {voters: %s, replaceAfter: 2s}}\n' "$1"
}
members() { gw "$1" cluster members -o json; }
role_of() { members "$1" | jq -r --arg n "${name[$2]}" '.members[] | select(.name == $n) | .role'; }
has_role() { [ "$(role_of "$1" "$2")" = "$3" ]; }
voters() { members "$1" | jq '[.members[] | select(.role != "standby")] | length'; }
has_voters() { [ "$(voters "$1")" = "$2" ]; }
regions() { members "$1" | jq -r '[.members[] | select(.role != "standby") | .region] | sort | join(" ")'; }
has_regions() { [ "$(regions "$1")" = "$2" ]; }

check "five nodes are five voters" has_voters 1 5
{ basic; echo ---; shape 3; } | apply 1 >/dev/null || not_ok "the shape is changed to three"
check "three are asked for, and three there are" wait_until 20 has_voters 1 3
check "one in each region" wait_until 40 has_regions 1 "ap eu us"
check "all serve" wait_until 10 all_serve /hello

# A voter that does not lead dies. A stand-by takes its vote.
lead=$(leader)
for ((i = 1; i <= 5; i++)); do
    [ "$i" != "$lead" ] && has_role "$lead" "$i" voter && dead=$i
done
note "node $dead (${name[$dead]}) is killed, node $lead leads"
node_kill "$dead"
killed=$(now_ms)
check "the dead voter is replaced" wait_until 40 has_role "$lead" "$dead" standby
note "after $(($(now_ms) - killed)) ms (a new leader's stand-bys have to be caught up for 10 s first)"
check "three votes are given" has_voters "$lead" 3
expect 0 "writes go on" gw "$lead" apply -f <(route one /one)

# Now the leader dies: two of three are enough, since the first was replaced.
node_kill "$lead"
mapfile -t left < <(others "$lead" | grep -v "^$dead$")
expect 0 "another one leads, and takes a write" gw "${left[0]}" apply -f <(route two /two) --timeout 20s
check "that one is replaced, too" wait_until 60 has_role "${left[0]}" "$lead" standby
check "and three vote" has_voters "${left[0]}" 3
check "all of them alive" is_true '[.members[] | select(.role == "voter" and .state == "unreachable")] | length == 0' < <(members "${left[0]}")

# Both come back: they stand by, and nobody has to change.
node_start "$dead"
node_start "$lead"
check "the dead come back" wait_until 30 healthy "${left[0]}"
check "as stand-bys" has_role "${left[0]}" "$dead" standby
check "and hold what they missed" wait_until 20 in_sync 1 2 3 4 5

# Ten nodes that do not vote beside three that do.
gw "${left[0]}" cluster token create --uses 8 --role auto >"$dir/token" || not_ok "a token is made"
nodes=13
for ((i = 6; i <= 13; i++)); do
    node_join "$i" || not_ok "node $i joins"
    node_start "$i"
done
thirteen() { members "${left[0]}" | is_true '(.members | length == 13) and all(.members[]; .state == "leader" or .state == "follower")'; }
check "thirteen nodes are there" wait_until 90 thirteen
check "three of them vote" has_voters "${left[0]}" 3
term=$(gw "${left[0]}" cluster status -o json | jq .term)
route all /all | apply "${left[0]}" --wait all --timeout 60s >/dev/null
check "a write is served by all of them" wait_until 60 all_serve /all
counted() { curl -s --max-time 2 "http://127.0.0.1:${health[${left[0]}]}/metrics" | awk '/^gw_members{/ { n[$1] = $2 } END { exit !(n["gw_members{role=\"standby\",state=\"follower\"}"] == 10 && n["gw_members{role=\"voter\",state=\"leader\"}"] == 1 && n["gw_members{role=\"voter\",state=\"follower\"}"] == 2) }'; }
check "the metric counts them" wait_until 10 counted
all_in_sync() { in_sync 1 2 3 4 5 6 7 8 9 10 11 12 13; }
check "all hold the same" wait_until 60 all_in_sync
check "no election was needed for it" [ "$(gw "${left[0]}" cluster status -o json | jq .term)" = "$term" ]
tap_end

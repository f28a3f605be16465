#!/usr/bin/env bash
# The only voter of two nodes is removed by force: the cluster outlives it, or it is refused, and never is nobody left.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 2 || exit 1
basic | apply 1 >/dev/null || not_ok "the configuration is applied"
has_roles() { gw 1 cluster members -o json | is_true '[.members[].role] | sort == ["standby", "voter"]'; }
check "one of two votes" wait_until 10 has_roles

node_kill 2
unseen() { gw 1 cluster members -o json | is_true 'any(.members[]; .name == "us-1" and .state == "unreachable")'; }
check "the stand-by is gone" wait_until 10 unseen
expect 5 "the only voter is not removed, not by force" gw 1 cluster remove eu-1 --yes --force
says "since nobody could take its vote" 'no quorum|would vote' '^next: '
check "nor does it offer to" eval '! grep -q -- "--force does it" "$dir/err"'
expect 0 "writes go on" gw 1 apply -f <(route one /one)

node_start 2
seen() { gw 1 cluster members -o json | is_true 'all(.members[]; .state != "unreachable")'; }
check "the stand-by is back" wait_until 15 seen
expect 0 "now its vote has somewhere to go" gw 2 cluster remove eu-1 --yes --force --timeout 30s
alone() { gw 2 cluster members -o json | is_true '.members | length == 1 and .[0].name == "us-1" and .[0].role == "voter"'; }
check "the other one votes, and leads" wait_until 10 alone
expect 0 "and takes writes" gw 2 apply -f <(route two /two)
expect 5 "the last node stays" gw 2 cluster remove us-1 --yes --force
tap_end

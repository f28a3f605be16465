#!/usr/bin/env bash
# The leader is killed under load at the other two: their clients notice nothing, and the cluster goes on.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 3 || exit 1
basic | apply 1 >/dev/null && wait_until 5 all_serve /hello || not_ok "the configuration is served"

old=$(leader)
mapfile -t left < <(others "$old")
load_start "${left[0]}" a
load_start "${left[1]}" b
check "clients are served before" wait_until 5 serves "${left[0]}" /hello
term=$(gw "${left[0]}" cluster status -o json | jq .term)
note "killing ${name[$old]}, the leader of term $term"

killed=$(now_ms)
node_kill "$old"
wait_until 10 has_leader
within "a new leader after kill -9" 2000 $(($(now_ms) - killed)) ms
until route after /after | apply "${left[1]}" --timeout 2s >>"$dir/write.log" 2>&1 || [ $(($(now_ms) - killed)) -gt 20000 ]; do :; done
within "writes work again after kill -9" 3000 $(($(now_ms) - killed)) ms
check "the write is served" wait_until 5 serves "${left[0]}" /after
expect 3 "status says that one is missing" gw "${left[0]}" cluster status
says "by name" "${name[$old]} .*unreachable"

for which in a b; do
    answer=$(load_stop $which)
    note "load $which: $answer"
    check "no request failed at the node with load $which" is_true '.failures == 0 and .requests > 100' <<<"$answer"
done

# It comes back and catches up.
started=$(now_ms)
node_start "$old"
check "the killed node is healthy again" wait_until 20 healthy "${left[0]}"
check "the killed node is in sync" wait_until 10 in_sync 1 2 3
note "in sync $(($(now_ms) - started)) ms after its start"
check "and serves what it missed" wait_until 5 serves "$old" /after
tap_end

#!/usr/bin/env bash
# The disk under the leader fails: that member halts and hands its office on, its proxy goes on, and so does the cluster.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 3 || exit 1
basic | apply 1 >/dev/null && wait_until 5 all_serve /hello || not_ok "the configuration is served"

sick=$(leader)
mapfile -t left < <(others "$sick")
calls=fsync,fdatasync,msync,pwrite64,pwritev,pwritev2,ftruncate,sync_file_range
trace_start "$sick" "a failing disk" $calls error=EIO || { tap_end; exit; }
note "every write to the disk of ${name[$sick]}, the leader, fails from now on"
load_start "$sick" sick
load_start "${left[0]}" well

started=$(now_ms)
route after /after | apply "$sick" --timeout 2s >"$dir/out" 2>&1
note "a write through it: exit $?"
is_halted() { [ "$(metric "$sick" gw_member_halted)" = 1 ]; }
check "the member halts: gw_member_halted is 1" wait_until 10 is_halted
another_leads() { leads "${left[0]}" || leads "${left[1]}"; }
check "another leads" wait_until 10 another_leads
note "another leads $(($(now_ms) - started)) ms after the first failed write"
route after /after | apply "${left[1]}" >>"$dir/out" 2>&1 || not_ok "the cluster takes writes"
check "what was written is served by the others" wait_until 5 serves "${left[0]}" /after
check "the sick node goes on serving" serves "$sick" /hello
check "its process is alive" kill -0 "${pid[$sick]}"
expect 3 "status exits 3" gw "${left[0]}" cluster status
says "and names it" "${name[$sick]} .*(halted|unreachable)"
expect 3 "its own status says halted" gw "$sick" cluster status
says "and names it" "${name[$sick]} .*halted"

for which in sick well; do
    answer=$(load_stop $which)
    note "load at the $which node: $answer"
    check "no request failed at the $which node" is_true '.failures == 0 and .requests > 50' <<<"$answer"
done

# The disk is well again: a restart brings the member back.
trace_stop
node_kill "$sick"
node_start "$sick"
check "after a restart it is healthy again" wait_until 20 healthy "${left[0]}"
check "and in sync" wait_until 10 in_sync 1 2 3
tap_end

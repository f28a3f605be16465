#!/usr/bin/env bash
# The leader's disk stops to answer, without an error: it hands over, and serves on; with its disk back it follows.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
[ -z "${GW_SANITIZED:-}" ] || { skip "a stalled disk" "a sanitizer and a tracer do not go together"; exit 0; }
cluster_open
upstream_start hello
cluster_start 3 || exit 1
basic | apply 1 >/dev/null && wait_until 5 all_serve /hello || not_ok "the configuration is served"

sick=$(leader)
other=$(others "$sick" | head -n 1)
trace_start "$sick" "a stalled disk" fdatasync,fsync,msync delay_enter=20000000 || { tap_end; exit; }
stalled=$(now_ms)
route first /first | apply "$other" --timeout 1s >"$dir/first.log" 2>&1
another_leads() { local i; for i in $(others "$sick"); do leads "$i" && return 0; done; return 1; }
check "a leader whose disk stalls hands over" wait_until 15 another_leads
within "it leads with a stalled disk for" 8000 $(($(now_ms) - stalled)) ms
expect 0 "writes go on" gw "$other" apply -f <(route stall /stall) --timeout 20s
check "they are served by the others" wait_until 5 serves "$other" /stall
check "the sick one serves what it had" serves "$sick" /hello
check "and says why it handed over" grep -q 'its disk stalls' "${data[$sick]}.log"
trace_stop
check "with its disk back it catches up" wait_until 30 in_sync 1 2 3
check "and all is well" wait_until 20 healthy "$other"
check "it does not lead again soon" another_leads
tap_end

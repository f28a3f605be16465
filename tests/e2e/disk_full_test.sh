#!/usr/bin/env bash
# The leader's disk runs low, then full: it hands over, then halts, and serves; with room again it is back by itself.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
small_disk 2 "a full disk" 96M || exit 0
cluster_start 1 || exit 1
for i in 2 3; do
    node_join "$i" || not_ok "node $i joins"
    [ "$i" = 3 ] || printf 'store: {minFree: 32MiB}\n' >>"${data[$i]}/gwd.yaml"
    node_start "$i"
done
nodes=3
gw 1 cluster wait --healthy --voters 3 --timeout 60s >/dev/null || not_ok "the cluster becomes healthy"
basic | apply 1 >/dev/null && wait_until 10 all_serve /hello || not_ok "the configuration is served"
sick=2
process=${pid[$sick]}
gw 1 cluster transfer "${name[$sick]}" >/dev/null
check "the node with the small disk leads" wait_until 10 leads $sick
load_start $sick sick
load_start 1 well

# Low: it does not lead, and follows.
disk_leave $sick 16384
started=$(now_ms)
another_leads() { leads 1 || leads 3; }
check "with a low disk it hands over" wait_until 15 another_leads
note "another leads after $(($(now_ms) - started)) ms"
is_low() { [ "$(metric $sick gw_disk_low)" = 1 ] && [ "$(metric $sick gw_disk_free_bytes)" -lt $((32 << 20)) ]; }
check "the gauges say so" is_low
check "and its log" grep -q '"the disk is low"' "${data[$sick]}.log"
expect 3 "status exits 3" gw 1 cluster status
check "degraded" eval 'gw 3 cluster status -o json | is_true ".health == \"degraded\" and .quorum.have == 3"'
expect 0 "a write through it is taken" gw $sick apply -f <(route low /low)
check "and served by all" wait_until 5 all_serve /low
check "it holds what the others hold" wait_until 10 in_sync 1 2 3
expect 0 "asked to lead" gw 1 cluster transfer "${name[$sick]}" --timeout 10s
check "it gives it away again" wait_until 15 another_leads

# Full: the log finds no room.
disk_leave $sick 0
padding=$(head -c 4000 /dev/zero | tr '\0' x)
large() { # NUMBER: ten routes that take some 40 KiB
    local k
    for k in 0 1 2 3 4 5 6 7 8 9; do
        echo ---
        route "large-$1-$k" "/large-$1-$k" | sed "s/^metadata: {\(.*\)}\$/metadata: {\1, annotations: {why: $padding}}/"
    done
}
is_halted() { [ "$(metric $sick gw_member_halted)" = 1 ]; }
for n in $(seq 1 200); do
    large "$n" | apply 1 >"$dir/out" 2>&1 || { not_ok "the cluster takes writes"; cat "$dir/out"; break; }
    is_halted && break
done
check "with a full disk the member halts" wait_until 10 is_halted
note "after $n writes of 40 KiB"
check "the process is the same" kill -0 "$process"
check "the log says that it comes back" grep -q 'comes back by itself' "${data[$sick]}.log"
expect 0 "the others take writes" gw 3 apply -f <(route full /full)
check "and serve them" eval 'wait_until 5 serves 1 /full && serves 3 /full'
check "it serves what it had" serves $sick /low
expect 6 "a write at it is refused" gw $sick apply -f <(route no /no)
says "with what is to be done" 'room on its disk' 'next: '
halted() { gw $sick cluster status -o json 2>/dev/null | is_true --arg n "${name[$sick]}" 'any(.members[]; .name == $n and .state == "halted")'; }
check "its own status says halted" halted

# Room again.
disk_free $sick
started=$(now_ms)
is_back() { [ "$(metric $sick gw_member_halted)" = 0 ]; }
check "with room again the member is back by itself" wait_until 30 is_back
check "it follows, and votes" wait_until 20 eval 'gw 1 cluster members -o json | is_true --arg n "${name[$sick]}" "any(.members[]; .name == \$n and .state == \"follower\" and .role == \"voter\")"'
check "it holds what the others hold" wait_until 20 in_sync 1 2 3
note "in sync $(($(now_ms) - started)) ms after the disk had room"
check "by the same process" [ "$(metric $sick gw_member_returns_total)" = 1 ]
check "all is well" wait_until 20 healthy 1
check "it serves what came meanwhile" wait_until 5 serves $sick /full
expect 0 "writes through it are taken" gw $sick apply -f <(route back /back)
expect 0 "it may lead again" gw 1 cluster transfer "${name[$sick]}" --timeout 20s
check "and does" leads $sick
expect 0 "and takes writes" gw 3 apply -f <(route led /led)
check "which all serve" wait_until 5 all_serve /led
for which in sick well; do
    answer=$(load_stop $which)
    note "load at the $which node: $answer"
    check "no request failed at the $which node" is_true '.failures == 0 and .requests > 100' <<<"$answer"
done
tap_end

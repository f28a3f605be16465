#!/usr/bin/env bash
# A node alone with a low disk: it serves, answers reads, refuses writes and says what to do; a start needs no room.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
small_disk 1 "a low disk" 64M || exit 0
node_init 1 || not_ok "found a cluster"
printf 'store: {minFree: 24MiB}\n' >>"${data[1]}/gwd.yaml"
node_start 1
nodes=1
check "it starts" wait_until 15 node_is_up 1
expect 0 "it takes writes" gw 1 apply -f <(basic)
check "and serves" wait_until 5 all_serve /hello

disk_leave 1 8192
low() { [ "$(metric 1 gw_disk_low)" = "$1" ]; }
check "its disk is low" wait_until 10 low 1
expect 1 "a write is refused" gw 1 apply -f <(route more /more)
says "with the figures, and what to do" "the disk of 'eu-1', which leads, has [0-9]+ MiB left and 24 MiB are needed" '^next: df -h '
expect 1 "as JSON" gw 1 apply -f <(route more /more) -o json
check "the problem is 503 disk_low" is_true '.status == 503 and .code == "disk_low"' "$dir/err"
expect 1 "a token is refused too" gw 1 cluster token create
says "for the same" 'the disk of'
expect 0 "what changes nothing is no write" gw 1 apply -f <(basic)
expect 0 "a read works" gw 1 get route hello
expect 3 "status exits 3" gw 1 cluster status
check "degraded" eval 'gw 1 cluster status -o json | is_true ".health == \"degraded\""'
expect 0 "it is ready" gw 1 ready
check "and serves" serves 1 /hello
check "refusals are counted" [ "$(metric 1 gw_disk_low_refused_total)" -ge 3 ]

disk_leave 1 0
node_kill 1
node_start 1
check "it starts on a full disk" wait_until 15 node_is_up 1
check "and serves" wait_until 5 serves 1 /hello
expect 0 "and answers" gw 1 --stale get route hello

disk_free 1
check "with room again it is well" wait_until 20 low 0
check "and leads" wait_until 20 leads 1
expect 0 "and takes writes" gw 1 apply -f <(route more /more)
check "which it serves" wait_until 5 all_serve /more
check "healthy" wait_until 5 healthy 1
tap_end

#!/usr/bin/env bash
# One node alone, its peers gone, serves its last configuration at once; writes are refused in time; peers come back.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 3 || exit 1
basic | apply 1 >/dev/null && wait_until 5 all_serve /hello || not_ok "the configuration is served"
revision=$(gw 1 cluster status -o json | jq -r .revision)
nodes_kill 1 2 3

started=$(now_ms)
node_start 2
until serves 2 /hello || [ $(($(now_ms) - started)) -gt 10000 ]; do :; done
within "a lone node serves its last configuration" 1000 $(($(now_ms) - started)) ms
load_start 2 alone

is_without_leader() { gw 2 cluster status -o json 2>/dev/null | is_true '.health == "no-quorum" and .stale == true and .leader == null' >/dev/null; }
check "it knows that it is alone" wait_until 10 is_without_leader
started=$(now_ms)
expect 6 "a write exits 6" gw 2 apply -f <(route late /late)
within "the refusal comes" 3000 $(($(now_ms) - started)) ms
says "and says of whom there are too few, what goes on, and what next" 'no quorum: 1 of 3 voters' "revision $revision" '^next: |next: gwctl'
expect 6 "as JSON too" gw 2 apply -f <(route late /late) -o json
check "the problem is 503 no_quorum" is_true '.status == 503 and .code == "no_quorum"' "$dir/err"
code=$(curl -s --max-time 5 --unix-socket "${data[2]}/admin.sock" -o "$dir/out" -w '%{http_code} %{content_type}' \
    -H 'content-type: application/json' -d '{"objects":[]}' http://gwd/v1/apply)
expect 6 "a delete exits 6" gw 2 delete route hello
note "POST /v1/apply: $code"

expect 6 "a linearizable read exits 6" gw 2 get route hello
expect 0 "a stale read works" gw 2 --stale get route hello
says "and says that it is stale, and of when" '^stale: revision [0-9]+, age '
expect 3 "status exits 3" gw 2 cluster status
says "and says that it is stale" "^stale: revision $revision, age " 'no-quorum' 'unreachable'
expect 3 "members exits 3" gw 2 cluster members
says "and says that it is stale" '^stale: revision '
expect 6 "leader exits 6" gw 2 cluster leader
expect 0 "explain works" gw 2 explain GET http://demo.example/hello
expect 0 "it stays ready without a leader" gw 2 ready
check "readyz?leader fails" [ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:${health[2]}/readyz?leader")" = 503 ]

node_start 1
node_start 3
check "with its peers back the cluster is healthy" wait_until 20 healthy 2
expect 0 "and takes writes" gw 2 apply -f <(route late /late)
check "which are served by all" wait_until 5 all_serve /late
answer=$(load_stop alone)
note "load: $answer"
check "no request failed at the lone node" is_true '.failures == 0 and .requests > 100' <<<"$answer"
tap_end

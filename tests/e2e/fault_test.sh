#!/usr/bin/env bash
# Fault points: a leader cut off from its peers, a store that is slow, an upstream that never answers; each ends by
# itself, on the node's own clock, and nothing is armed that was there before a start.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 3 || exit 1
basic | apply 1 >/dev/null && wait_until 5 all_serve /hello || not_ok "the configuration is served"

api() { # I METHOD PATH [curl options]: prints the answer, then its status in a line of its own
    local i=$1 method=$2 path=$3
    shift 3
    curl -s --max-time 10 --unix-socket "${data[$i]}/admin.sock" -X "$method" -w '\n%{http_code}\n' "$@" "http://x/v1/cluster/faults$path"
}
fault() { api "$1" POST '' -d "$2" >"$dir/answer"; tail -n 1 "$dir/answer"; }
answered() { head -n 1 "$dir/answer" | jq -r "$1"; }
armed() { metric "$1" "gw_faults_armed{kind=\"$2\"}"; }
is_armed() { [ "$(armed "$1" "$2")" = "${3:-1}" ]; }
listed() { api "$1" GET '' | head -n 1 | jq '.items | length'; }
none_listed() { [ "$(listed "$1")" = 0 ]; }

# Bad wishes.
for wish in '{"kind":"flood","for":"5s"}' '{"kind":"link","node":"eu-1"}' '{"kind":"link","for":"5s"}' \
    '{"kind":"link","node":"eu-1","for":"11m"}' '{"kind":"store","node":"eu-1","for":"5s"}' \
    '{"kind":"store","node":"eu-1","for":"5s","delay":"11s"}' '{"kind":"upstream","for":"5s"}' \
    '{"kind":"upstream","service":"helo","for":"5s"}' '{"kind":"upstream","service":"hello","endpoint":"x","for":"5s"}' \
    '{"kind":"link","node":"eu-1","peer":"eu-1","for":"5s"}' '{"kind":"link","node":"eu-1","for":"5s","dealy":"1s"}' \
    '{"kind":"upstream","service":"hello","endpoint":["hello-1"],"for":"5s"}' '[]' \
    '{"kind":"link","node":"eu-1","peer":["us-1"],"for":"5s"}' '{"kind":"link","node":"eu-1","direction":{},"for":"5s"}'; do
    check "refused: $wish" [ "$(fault 1 "$wish")" = 422 ]
done
check "a node that is not there" [ "$(fault 1 '{"kind":"link","node":"eu-9","for":"5s"}')" = 404 ]
check "no JSON" [ "$(fault 1 '{')" = 400 ]
check "nothing came of it" none_listed 1

# Asked for in one moment, at three nodes, they are as many faults.
asked=()
for i in 1 2 3 1 2 3 1 2; do
    api "$i" POST '' -d '{"kind":"store","node":"ap-1","delay":"1ms","for":"9m"}' >"$dir/asked.${#asked[@]}" &
    asked+=($!)
done
wait "${asked[@]}"
check "each is a fault of its own" [ "$(cat "$dir"/asked.* | grep -cx 201)" = 8 ]
check "with an id of its own" [ "$(sed -n 1p -s "$dir"/asked.* | jq -r .id | sort -u | wc -l)" = 8 ]
for id in $(sed -n 1p -s "$dir"/asked.* | jq -r .id); do api 1 DELETE "/$id" >/dev/null; done
check "they are revoked" none_listed 1

# The leader cannot be heard, nor hears. It is asked itself: an answer that another node forwards may be cut off with it.
lead=$(leader)
mapfile -t rest < <(others "$lead")
load_start "${rest[0]}" cut
begun=$(now_ms)
check "the leader's links are cut for 5 s" [ "$(fault "$lead" '{"kind":"link","node":"'"${name[$lead]}"'","for":"5s","reason":"a drill"}')" = 201 ]
check "it is armed there" wait_until 3 is_armed "$lead" link
check "and nowhere else" is_armed "${rest[0]}" link 0
another_leads() { leads "${rest[0]}" || leads "${rest[1]}"; }
check "another node leads" wait_until 10 another_leads
check "it leads no more" wait_until 5 eval '! leads "$lead"'
expect 0 "writes go on" apply "${rest[1]}" --timeout 10s < <(route cut /cut)
check "the node that is cut off serves" serves "$lead" /hello
check "the fault ends by itself" wait_until 15 is_armed "$lead" link 0
note "over after $(($(now_ms) - begun)) ms"
check "not before its time" [ $(($(now_ms) - begun)) -ge 4900 ]
check "the node comes back by itself" wait_until 20 healthy "$lead"
check "with what it missed" wait_until 10 serves "$lead" /cut
answer=$(load_stop cut)
check "nothing failed elsewhere" is_true '.failures == 0 and .requests > 10' <<<"$answer"
check "its record is removed" wait_until 20 none_listed "${rest[0]}"
check "who did it stands in the log" grep -q '"fault armed".*"by":"socket","reason":"a drill"' "${data[$lead]}.log"

# A slow store: leadership leaves, by the same rule as with a stalled disk.
lead=$(leader)
mapfile -t rest < <(others "$lead")
check "the leader's store waits 4 s for each batch" [ "$(fault "$lead" '{"kind":"store","node":"'"${name[$lead]}"'","delay":"4s","for":"20s"}')" = 201 ]
id=$(answered .id)
check "it is armed" wait_until 3 is_armed "$lead" store
(route slow /slow | apply "$lead" --timeout 20s >/dev/null 2>&1) &
check "leadership leaves" wait_until 15 another_leads
check "the list says what there is" is_true '.items[0] | .kind == "store" and .delay == "4s" and .by == "socket"' < <(api "${rest[0]}" GET '' | head -n 1)
api "${rest[0]}" DELETE "/$id" >"$dir/answer"
check "it is revoked by hand" [ "$(tail -n 1 "$dir/answer")" = 200 ]
check "which ends it" wait_until 15 is_armed "$lead" store 0
check "there is none of that name now" [ "$(api "${rest[0]}" DELETE "/$id" | tail -n 1)" = 404 ]
check "all are well" wait_until 20 healthy "$lead"

# An endpoint takes calls and never answers.
cat >"$dir/quick.yaml" <<YAML
apiVersion: gw/v1
kind: Route
metadata: {name: quick}
spec: {match: {hosts: [demo.example], path: {prefix: /quick}}, service: hello, timeout: 300ms}
YAML
gw 1 -q apply -f "$dir/quick.yaml" --wait all
check "it answers before" [ "$(status_of 2 /quick)" = 200 ]
check "all endpoints of a service never answer, at us-1" [ "$(fault 1 '{"kind":"upstream","node":"us-1","service":"hello","for":"4s"}')" = 201 ]
check "it is armed there" wait_until 3 is_armed 2 upstream
check "calls run out of time" [ "$(status_of 2 /quick)" = 504 ]
check "with the word for it" grep -qi '^gw-reason: upstream_timeout' < <(fetch 2 /quick -o /dev/null -D -)
check "other nodes are not touched" [ "$(status_of 1 /quick)" = 200 ]
check "afterwards it answers again" wait_until 15 eval '[ "$(status_of 2 /quick)" = 200 ]'
check "nothing is armed" wait_until 3 is_armed 2 upstream 0

# One endpoint by name, on all nodes; and what was armed before a start is not armed after it.
check "an endpoint by name, on all nodes" [ "$(fault 1 '{"kind":"upstream","service":"hello","endpoint":"hello-1","for":"60s"}')" = 201 ]
id=$(answered .id)
for i in 1 2 3; do check "it is armed at node $i" wait_until 3 is_armed "$i" upstream; done
node_kill 3
node_start 3
wait_until 15 node_is_up 3
check "a node that was started again does not arm it" wait_until 10 serves 3 /hello
check "nor says so" is_armed 3 upstream 0
check "the others have it" is_armed 1 upstream
api 1 DELETE "/$id" >/dev/null
check "revoked, they answer" wait_until 10 all_serve /quick

# There is an end to how many; one that is over counts until the leader has taken its record away.
check "those before are gone" wait_until 10 none_listed 1
for ((i = 0; i < 16; i++)); do fault 1 '{"kind":"store","node":"ap-1","delay":"1ms","for":"9m"}' >/dev/null; done
check "there may be 16" [ "$(listed 1)" = 16 ]
check "and no more" [ "$(fault 1 '{"kind":"store","node":"ap-1","delay":"1ms","for":"9m"}')" = 409 ]
for id in $(api 1 GET '' | head -n 1 | jq -r '.items[].id'); do api 1 DELETE "/$id" >/dev/null; done
check "until they go" none_listed 1
check "which ends them" wait_until 10 is_armed 3 store 0
check "all have the same" wait_until 20 in_sync 1 2 3
tap_end

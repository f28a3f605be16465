#!/usr/bin/env bash
# Who gets a call and what a route does when nobody can, from YAML to the wire: keys, cookies, canaries, bulkheads,
# a service that is gone, a route that is closed, copies, other origins.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
cd "$dir" || exit 1
for name_of in a b c; do upstream_start $name_of; done
cluster_start 1 || exit 1

# configure MORE: the objects, with more lines in the Route.
configure() {
    cat >all.yaml <<YAML
apiVersion: gw/v1
kind: Listener
metadata: {name: http}
spec: {bind: "127.0.0.1:8080", protocols: [http/1.1]}
---
apiVersion: gw/v1
kind: Service
metadata: {name: main}
spec:
  endpoints:
    - {name: a, address: "127.0.0.1:${upstream_port[a]}", weight: ${weight:-1}}
    - {name: b, address: "127.0.0.1:${upstream_port[b]}", weight: ${weight:-1}}
  balance: hash
  hash: {by: header, name: x-user}
  sticky: {cookie: seat, ttl: 1h}
  slowStart: {for: 10s, from: "20%"}
  bulkhead: {inFlight: 8, queue: 4, wait: 100ms}
---
apiVersion: gw/v1
kind: Service
metadata: {name: spare}
spec: {endpoints: [{name: c, address: "127.0.0.1:${upstream_port[c]}"}]}
---
apiVersion: gw/v1
kind: Route
metadata: {name: all}
spec:
  split: [{service: main, weight: 1}, {service: spare, weight: 0, when: {header: x-canary}}]
  splitBy: client-ip
  fallback: {service: spare}
  bulkhead: {inFlight: 16}
  cors: {origins: ["https://shop.example"]}
  compress: {minBytes: 0B}
$1
YAML
    gw 1 apply -f all.yaml >apply.log 2>&1
}
configure "" || { not_ok "the configuration is applied"; cat apply.log; exit 1; }
check "nothing is without effect" test "$(grep -c 'no effect' apply.log)" = 0
check "the configuration is served" wait_until 5 serves 1 /
url=http://127.0.0.1:${proxy[1]}

who() { curl -s --max-time 5 "$@" "$url/who" | jq -r .name; } # [curl options]: who answered
same() {
    check "$1" test "$2" = "$3"
    [ "$2" = "$3" ] || note "wanted '$2', got '$3'"
}

for user in 1 2 3 4 5 6 7 8; do
    for _ in 1 2 3; do who -H "x-user: $user"; done | sort -u | tr -d '\n'
    echo
done >users
same "each key stays at one endpoint, and both have some" "a b" "$(sort -u users | tr '\n' ' ' | sed 's/ $//')"
seat=$(curl -s -D - -o /dev/null "$url/" | sed -n 's/^set-cookie: \(seat=[0-9a-f]*\);.*/\1/p')
for _ in 1 2 3 4 5 6; do who -H "cookie: $seat"; done | sort -u >seats
same "a seat is kept" 1 "$(wc -l <seats)"
same "a canary is sent on" c "$(who -H 'x-canary: 1')"
same "another origin is let in" https://shop.example \
    "$(curl -s -D - -o /dev/null -H 'origin: https://shop.example' "$url/" | sed -n 's/^access-control-allow-origin: \(.*\)\r$/\1/p')"

same "an answer comes compressed" c \
    "$(curl -s --max-time 5 -H 'accept-encoding: gzip' -H 'x-canary: 1' "$url/who" | gunzip | jq -r .name)"

weight=0
configure ""
went_to() { [ "$(who)" = "$1" ]; }
check "with nobody left the fallback serves" wait_until 5 went_to c
weight=1
configure "  maintenance: {enabled: true, retryAfter: 5m}"
closed() { [ "$(curl -s -o /dev/null -D head -w '%{http_code}' "$url/")" = 503 ] && grep -qi '^gw-reason: maintenance' head; }
check "a closed route says so" wait_until 5 closed
same "and when to come back" 300 "$(sed -n 's/^retry-after: \(.*\)\r$/\1/p' head)"

configure "  mirror: {service: spare}"
check "the route is open again" wait_until 5 serves 1 /
copies=gw_upstream_requests_total'{service="spare",endpoint="c",region="",outcome="success"}'
before=$(metric 1 "$copies")
copied() { [ "$(metric 1 "$copies")" -gt "$before" ]; }
fetch 1 /copied >/dev/null
check "a copy reaches the mirror" wait_until 5 copied
tap_end

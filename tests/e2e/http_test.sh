#!/usr/bin/env bash
# What a client sees of the proxy: HTTP/1.1 on both sides, routes, header changes, retries and the answers of its own.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
cd "$dir" || exit 1
upstream_start hello
upstream_start next
cluster_start 1 || exit 1
mapfile -t spare < <(ports 2)
dead=${spare[0]} trusted=${spare[1]}

cat >all.yaml <<YAML
apiVersion: gw/v1
kind: Listener
metadata: {name: http}
spec:
  bind: "127.0.0.1:8080"
  protocols: [http/1.1]
  limits: {headerBytes: 8KiB, targetBytes: 2KiB, bodyBytes: 64MiB}
---
apiVersion: gw/v1
kind: Listener
metadata: {name: trusted}
spec: {bind: "127.0.0.1:$trusted", protocols: [http/1.1], trustedProxies: [127.0.0.0/8]}
---
apiVersion: gw/v1
kind: Policy
metadata: {name: careful}
spec:
  timeout: 2s
  retry: {max: 2, when: [connect-failure, reset, 503], perTry: 500ms}
  headers:
    request: {set: {x-node: "\${node}", x-in-region: "\${region}"}, remove: [x-secret]}
    response: {set: {x-served-by: "\${node}", x-route: "\${route}"}, add: {x-added: one}, remove: [content-type]}
---
apiVersion: gw/v1
kind: Service
metadata: {name: hello}
spec: {endpoints: [{name: hello-1, address: "127.0.0.1:${upstream_port[hello]}"}]}
---
apiVersion: gw/v1
kind: Service
metadata: {name: next}
spec: {endpoints: [{name: next-1, address: "127.0.0.1:${upstream_port[next]}"}]}
---
apiVersion: gw/v1
kind: Service
metadata: {name: half-dead}
spec:
  endpoints:
    - {name: dead, address: "127.0.0.1:$dead"}
    - {name: alive, address: "127.0.0.1:${upstream_port[hello]}"}
---
apiVersion: gw/v1
kind: Service
metadata: {name: dead}
spec: {endpoints: [{name: dead, address: "127.0.0.1:$dead"}]}
---
apiVersion: gw/v1
kind: Service
metadata: {name: empty}
spec: {endpoints: [{name: none, address: "127.0.0.1:$dead", weight: 0}]}
---
apiVersion: gw/v1
kind: Service
metadata: {name: no-http} # the peer port speaks TLS alone
spec: {endpoints: [{name: peer, address: "127.0.0.1:${peer[1]}"}]}
---
apiVersion: gw/v1
kind: Route
metadata: {name: no-http}
spec: {match: {hosts: [demo.example], path: {prefix: /no-http}}, service: no-http, retry: {max: 0}}
---
apiVersion: gw/v1
kind: Route
metadata: {name: hello}
spec:
  match: {hosts: [demo.example], path: {prefix: /hello}, methods: [GET, HEAD, POST]}
  split:
    - {service: hello, weight: 95}
    - {service: next, weight: 5, when: {header: x-canary, exact: "1"}}
  policies: [careful]
---
apiVersion: gw/v1
kind: Route
metadata: {name: plain}
spec: {match: {hosts: [demo.example], path: {prefix: /plain}}, service: hello}
---
apiVersion: gw/v1
kind: Route
metadata: {name: small}
spec: {match: {hosts: [demo.example], path: {prefix: /small}}, service: hello, bodyBytes: 1KiB}
---
apiVersion: gw/v1
kind: Route
metadata: {name: half-dead}
spec: {match: {hosts: [demo.example], path: {prefix: /half}}, service: half-dead, policies: [careful]}
---
apiVersion: gw/v1
kind: Route
metadata: {name: dead}
spec: {match: {hosts: [demo.example], path: {prefix: /dead}}, service: dead, retry: {max: 0}}
---
apiVersion: gw/v1
kind: Route
metadata: {name: empty}
spec: {match: {hosts: [demo.example], path: {prefix: /empty}}, service: empty}
---
apiVersion: gw/v1
kind: Route
metadata: {name: slow}
spec: {match: {hosts: [demo.example], path: {prefix: /slow}}, service: hello, timeout: 300ms, retry: {max: 0}}
---
apiVersion: gw/v1
kind: Route
metadata: {name: rewritten}
spec:
  match: {hosts: [demo.example], path: {prefix: /old/api}}
  service: hello
  rewrite: {prefix: /new, host: inner.example}
---
apiVersion: gw/v1
kind: Route
metadata: {name: by-regex}
spec:
  match: {hosts: [demo.example], path: {regex: "^/item/([0-9]+)\$"}}
  service: hello
  rewrite: {regex: "^/item/([0-9]+)\$", path: "/things/\${capture.1}"}
---
apiVersion: gw/v1
kind: Route
metadata: {name: wild}
spec: {match: {hosts: ["*.wild.example"]}, service: next}
---
apiVersion: gw/v1
kind: Route
metadata: {name: exact-host}
spec: {match: {hosts: [one.wild.example]}, respond: {status: 203, body: {inline: "exact"}}}
---
apiVersion: gw/v1
kind: Route
metadata: {name: moved}
spec: {match: {hosts: [demo.example], path: {exact: /moved}}, redirect: {scheme: https, host: www.example, path: "/at\${path}"}}
---
apiVersion: gw/v1
kind: Route
metadata: {name: teapot}
spec:
  match: {hosts: [demo.example], path: {prefix: /teapot}, headers: [{name: x-tea, exact: "yes"}]}
  respond: {status: 418, headers: {x-node: "\${node}"}, body: {inline: "short and stout"}}
---
apiVersion: gw/v1
kind: Route
metadata: {name: tea-less}
spec: {match: {hosts: [demo.example], path: {prefix: /teapot}}, respond: {status: 204}}
---
apiVersion: gw/v1
kind: Route
metadata: {name: preferred}
spec: {match: {hosts: [demo.example], path: {prefix: /hello/preferred}}, respond: {status: 207}}
YAML
gw 1 apply -f all.yaml >apply.log 2>&1 || { not_ok "the configuration is applied"; cat apply.log; exit 1; }
check "the configuration is served" wait_until 5 serves 1 /hello
url=http://127.0.0.1:${proxy[1]}

# get NAME PATH [curl options]: head in $dir/head, body in $dir/body, status in $code.
get() {
    local path=$1
    shift
    code=$(curl -s --max-time 5 -H "host: ${host:-demo.example}" -D head -o body -w '%{http_code}' "$@" "$url$path")
}
# same NAME WANTED GOT
same() {
    check "$1" test "$2" = "$3"
    [ "$2" = "$3" ] || note "wanted '$2', got '$3'"
}
header() { grep -i "^$1:" head | sed 's/^[^:]*: *//; s/\r$//'; }
seen() { jq -r --arg name "$1" '.headers[$name] // empty' body; } # what the upstream was sent
raw() { printf "$1" | tool raw "127.0.0.1:${proxy[1]}" >out; }

# Header changes and what goes upstream.
get /hello/world?a=1 -H 'x-secret: 1' -H 'x-forwarded-for: 6.6.6.6' -H 'x-forwarded-proto: https' -H 'forwarded: for=6.6.6.6' \
    -H 'x-request-id: mine' -H 'connection: x-hop' -H 'x-hop: 1' -H 'te: gzip' -H 'keep-alive: 1'
same "a request is served" 200 "$code"
same "with path and query as they came" '/hello/world?a=1' "$(jq -r .path body)"
same "response headers are set from variables" "eu-1 hello one" "$(header x-served-by) $(header x-route) $(header x-added)"
check "response headers are removed" [ -z "$(header content-type)" ]
same "request headers are set from variables" "eu-1 eu" "$(seen x-node) $(seen x-in-region)"
check "request headers are removed" [ -z "$(seen x-secret)" ]
same "X-Forwarded-* of nobody we trust is replaced" "127.0.0.1 http " "$(seen x-forwarded-for) $(seen x-forwarded-proto) $(seen forwarded)"
same "the client's host goes on" demo.example "$(seen host)"
check "hop-by-hop headers end here" [ -z "$(seen x-hop)$(seen te)$(seen keep-alive)" ]
check "a request id of nobody we trust is replaced by ours, which names the node" \
    [ "$(seen x-request-id | grep -c '^eu-1-')$(header x-request-id)" = "1$(seen x-request-id)" ]
curl -s -H 'host: demo.example' -H 'x-forwarded-for: 6.6.6.6' -H 'x-request-id: mine' -D head -o body "http://127.0.0.1:$trusted/plain"
same "a trusted proxy's are kept" "6.6.6.6, 127.0.0.1 mine mine" "$(seen x-forwarded-for) $(seen x-request-id) $(header x-request-id)"

# Methods, HEAD, split, precedence.
get /plain --head
same "HEAD has the head alone" "200 hello $(stat -c %s head)" "$code $(header x-upstream) $(stat -c %s body 2>/dev/null || echo 0)"
get /hello -X DELETE
same "another method: 405, reason and allow" "405 method_not_allowed GET, HEAD, POST" "$code $(header gw-reason) $(header allow)"
get /hello -H 'x-canary: 1'
same "split by a header takes the other service" next "$(header x-upstream)"
get /nowhere
same "no route: 404 no_route" "404 no_route" "$code $(header gw-reason)"
check "as a problem with reason and request id" is_true --arg id "$(header x-request-id)" \
    '.status == 404 and .reason == "no_route" and .requestId == $id and has("type") and has("title")' body
same "of its media type" application/problem+json "$(header content-type)"
get /hello/preferred; same "the longer prefix wins" 207 "$code"
get /helloworld; same "a prefix ends at a slash" 404 "$code"
get /teapot -H 'x-tea: yes'
same "a header match wins, and respond answers with headers" "418 eu-1 short and stout" "$code $(header x-node) $(cat body)"
get /teapot; same "without the header the other route answers" 204 "$code"
get /moved
same "redirect" "308 https://www.example/at/moved" "$code $(header location)"
get /old/api/users?x=1
same "rewrite replaces the prefix and the host" "/new/users?x=1 inner.example" "$(jq -r .path body) $(seen host)"
get /item/42; same "a regex route with captures" /things/42 "$(jq -r .path body)"
get /item/4x; same "a regex that does not match" 404 "$code"
host=two.wild.example get /
same "a wildcard host" next "$(header x-upstream)"
host=ONE.wild.example:80 get /
same "an exact host wins over a wildcard, in any case, with a port" "203 exact" "$code $(cat body)"
get /plain/a/../b//c%2e --path-as-is
same "a path is normalised once" "/plain/b/c." "$(jq -r .path body)"
get /plain/../../etc --path-as-is
check "nothing climbs above the root" [ "$code" != 200 ]

# Bodies.
head -c 5000000 /dev/urandom >big
get /plain?echo=1 --data-binary @big -H 'expect:'
check "5 MB with a length, there and back" cmp -s big body
get /plain?echo=1 --data-binary @big -H 'transfer-encoding: chunked' -H 'expect:'
check "5 MB in chunks there, with a length back" cmp -s big body
get '/plain?echo=1&chunked=1' --data-binary @big -H 'transfer-encoding: chunked' -H 'expect:'
check "5 MB in chunks both ways" cmp -s big body
same "of which the answer's head tells" "200 chunked" "$code $(header transfer-encoding)"
get '/plain?size=30000000&chunked=1' --limit-rate 60M
same "30 MB to a slow reader in chunks" "200 30000000" "$code $(stat -c %s body)"
get /plain?echo=1 --data-binary @big -H 'expect: 100-continue'
check "Expect: 100-continue" cmp -s big body
get '/plain?close=1'; same "an upstream that closes after its answer" 200 "$code"
count=$(curl -s -H 'host: demo.example' -o body -w '%{num_connects} ' "$url/plain" -o body "$url/plain" -o body "$url/nowhere" -o body "$url/plain")
same "a connection is kept over answers, ours too" 1 "$(awk '{ for (i = 1; i <= NF; i++) n += $i; print n }' <<<"$count")"

# Raw: pipelining and what RFC 9112 calls invalid.
raw 'GET /plain/1?latency=100 HTTP/1.1\r\nhost: demo.example\r\n\r\nGET /plain/2 HTTP/1.1\r\nhost: demo.example\r\n\r\nGET /nowhere HTTP/1.1\r\nhost: demo.example\r\n\r\nGET /plain/3 HTTP/1.1\r\nhost: demo.example\r\nconnection: close\r\n\r\n'
same "pipelined requests are answered in order" '"path":"/plain/1 "path":"/plain/2 no_route" "path":"/plain/3 ' "$(grep -aoE '"path":"[^"?]*|no_route"' out | tr '\n' ' ')"
refused() { # NAME STATUS REASON BYTES
    raw "$4"
    local closed=$?
    same "$1: $2 $3, and the connection is closed" "0 $2 $3" "$closed $(head -n 1 out | cut -d' ' -f2) $(grep -ai '^gw-reason' out | tr -d '\r' | cut -d' ' -f2)"
}
refused "no host" 400 bad_request 'GET /plain HTTP/1.1\r\n\r\n'
raw 'OPTIONS * HTTP/1.1\r\nhost: demo.example\r\nconnection: close\r\n\r\n'
same "OPTIONS * is answered by the gateway" "204 GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS" "$(head -n 1 out | cut -d' ' -f2) $(grep -ai '^allow' out | tr -d '\r' | cut -d' ' -f2-)"
raw 'POST /plain?echo=1 HTTP/1.1\r\nhost: demo.example\r\ncontent-length: 5\r\nexpect: tea\r\nconnection: close\r\n\r\nhello'
same "an unknown expectation: 417" 417 "$(head -n 1 out | cut -d' ' -f2)"
refused "CONNECT" 405 method_not_allowed 'CONNECT demo.example:80 HTTP/1.1\r\nhost: demo.example:80\r\n\r\n'
refused "a segment of parameters alone" 400 bad_request 'GET /plain/;a/x HTTP/1.1\r\nhost: demo.example\r\n\r\n'
refused "two hosts" 400 bad_request 'GET /plain HTTP/1.1\r\nhost: demo.example\r\nhost: a\r\n\r\n'
refused "length and chunks" 400 bad_request 'POST /plain HTTP/1.1\r\nhost: demo.example\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'
refused "two lengths" 400 bad_request 'POST /plain HTTP/1.1\r\nhost: demo.example\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!'
refused "space before the colon" 400 bad_request 'GET /plain HTTP/1.1\r\nhost: demo.example\r\nx-a : 1\r\n\r\n'
refused "a folded header" 400 bad_request 'GET /plain HTTP/1.1\r\nhost: demo.example\r\nx-a: 1\r\n 2\r\n\r\n'
refused "a bad chunk size" 400 bad_request 'POST /plain HTTP/1.1\r\nhost: demo.example\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n'
refused "a bare CR" 400 bad_request 'GET /plain HTTP/1.1\r\nhost: demo.example\r\nx-a: 1\r2\r\n\r\n'
refused "no HTTP at all" 400 bad_request 'hello there\r\n\r\n'
refused "a target over the limit" 414 target_too_long "GET /plain/$(printf 'a%.0s' {1..3000}) HTTP/1.1\r\nhost: demo.example\r\n\r\n"
refused "a head over the limit" 431 header_too_large "GET /plain HTTP/1.1\r\nhost: demo.example\r\nx-a: $(printf 'a%.0s' {1..9000})\r\n\r\n"
get /small -d "$(printf 'a%.0s' {1..2000})"
same "a body over the limit: 413" "413 body_too_large" "$code $(header gw-reason)"
get /small -d "$(printf 'a%.0s' {1..2000})" -H 'transfer-encoding: chunked'
same "the same in chunks" "413 body_too_large" "$code $(header gw-reason)"

# Upstreams in trouble.
failures=0
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do get /half; [ "$code" = 200 ] || failures=$((failures + 1)); done
check "a dead endpoint is tried once and another takes the request" [ $failures = 0 ]
check "which is counted" [ -n "$(curl -s "http://127.0.0.1:${health[1]}/metrics" | grep '^gw_retries_total{.*half-dead')" ]
get /dead; same "nobody to connect to: 502" "502 upstream_connect" "$code $(header gw-reason)"
get '/dead' -d x; same "and for a POST" "502 upstream_connect" "$code $(header gw-reason)"
get '/plain?reset=1' -d x; same "a reset: 502" "502 upstream_reset" "$code $(header gw-reason)"
get /no-http
check "an upstream that speaks no HTTP: 502" grep -qE '^502 upstream_(invalid|reset)$' <<<"$code $(header gw-reason)"
get /empty; same "no endpoint of weight: 503" "503 no_endpoint" "$code $(header gw-reason)"
started=$(now_ms)
get '/slow?hang=1'
same "no answer in time: 504" 504 "$code"
note "504 by $(header gw-reason) after $(($(now_ms) - started)) ms of 300"
check "with a reason of that kind" grep -qiE '^gw-reason: (upstream_timeout|request_timeout)' head
get '/plain?status=503'; same "an upstream's own 503 is passed on without a reason" "503 " "$code $(header gw-reason)"

# The access log: on standard output where nothing else is said.
logged() { grep -a '^{"ts"' "${data[1]}.log" | jq -c "select($1)" | head -n 1; }
is_logged() { [ -n "$(logged "$1")" ]; }
get /plain/logged?a=1 -A 'a "client"'
check "a request has a line of JSON" wait_until 5 is_logged '.path == "/plain/logged?a=1" and .status == 200'
same "that tells who asked what, and who answered" 'eu-1 127.0.0.1 GET demo.example a "client" plain hello hello-1 1' \
    "$(logged '.path == "/plain/logged?a=1"' | jq -r '"\(.node) \(.client_ip) \(.method) \(.host) \(.user_agent) \(.route) \(.service) \(.endpoint) \(.attempts)"')"
same "under the id that the client got" "$(header x-request-id)" "$(logged '.path == "/plain/logged?a=1"' | jq -r .request_id)"
get /nowhere/logged
check "a refusal has one with its reason" wait_until 5 is_logged '.path == "/nowhere/logged" and .reason == "no_route" and .status == 404'
cat >log.yaml <<YAML
apiVersion: gw/v1
kind: Cluster
metadata: {name: story}
spec: {telemetry: {accessLog: {to: file, file: "$dir/access.log", redact: [query.token]}}}
YAML
expect 0 "the log is sent to a file" gw 1 apply -f log.yaml --wait all
get '/plain/filed?token=secret'
in_file() { grep -qs '"path":"/plain/filed?token=\*\*\*"' access.log; }
check "where its lines go from then on, values hidden" wait_until 5 in_file
check "and no secret is in it" [ "$(grep -c secret access.log)" = 0 ]

# What was counted.
metrics=$(curl -s "http://127.0.0.1:${health[1]}/metrics")
check "requests are counted by route, method and code" grep -qE '^gw_http_requests_total\{.*route="plain".*\} [1-9]' <<<"$metrics"
check "errors by reason" grep -qE '^gw_http_errors_total\{.*reason="upstream_connect".*\} [1-9]' <<<"$metrics"
check "upstream outcomes by endpoint" grep -qE '^gw_upstream_requests_total\{.*endpoint="hello-1".*\} [1-9]' <<<"$metrics"
check "durations" grep -qE '^gw_http_request_duration_seconds_bucket\{.*le="\+Inf"' <<<"$metrics"
same "the revision" "$(gw 1 cluster status -o json | jq -r .revision)" "$(metric 1 gw_config_revision)"
tap_end

#!/usr/bin/env bash
# gwctl as scripts meet it: JSON shapes, other outputs, exit codes, next steps, TLS with a context.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 1 || exit 1
basic | apply 1 >/dev/null && wait_until 5 all_serve /hello || not_ok "the configuration is served"
cd "$dir" || exit 1
export XDG_CONFIG_HOME=$dir/config
shape() { # NAME JQ-CONDITION over out
    check "$1" is_true "$2" out
}

# Shapes.
expect 0 "status exits 0" gw 1 cluster status -o json
shape "status has its keys" 'has("clusterId") and has("revision") and has("term") and has("leader") and has("sealKey")
    and .health == "ok" and (.quorum | keys) == ["have","of","tolerates"] and (.revision | type) == "string" and (.members | length) == 1'
shape "a member has its keys" '.members[0] | (has("id") and has("name") and has("region") and has("zone") and has("role")
    and has("revision") and has("lag") and has("lastSeenMs") and has("peer") and has("admin") and has("version"))
    and .state == "leader" and .role == "voter" and (.id | type) == "string"'
expect 0 "members" gw 1 cluster members -o json
shape "members have their own noun" 'has("revision") and has("stale") and (.members | type) == "array" and (has("items") | not)'
expect 0 "leader" gw 1 cluster leader
says "says who" '^eu-1$'
expect 0 "apply" gw 1 apply -f <(route more /more) -o json
shape "apply has its keys" '(.revision | type) == "string" and .dryRun == false and .changed == true and
    .objects == [{"kind":"Route","name":"more","action":"created"}] and (.nodes[0] | has("name") and has("revision")) and .warnings == []'
expect 0 "apply --dry-run" gw 1 apply -f <(route more /elsewhere) -o json --dry-run
shape "says that it was dry" '.dryRun == true and .changed == true and .objects[0].action == "changed"'
check "and changes nothing" serves 1 /more
expect 0 "get of a kind" gw 1 get routes -o json
shape "a list has its keys" 'has("revision") and has("stale") and (.items | length) == 2'
expect 0 "get of one, the kind in any case" gw 1 get ROUTE hello -o json
shape "an object has what it was given and what the server knows" '.apiVersion == "gw/v1" and .kind == "Route" and .metadata.name == "hello"
    and .spec.service == "hello" and (.metadata | has("revision") and has("createdAt") and has("updatedAt") and has("updatedBy"))'
expect 0 "explain" gw 1 explain GET http://demo.example/hello/you -o json
shape "explain has its keys" '(keys - ["path","upstream","stale"]) == ["endpoint","listener","policies","result","revision","route","service","skipped"]
    and .route == "hello" and .service == "hello" and .endpoint == "hello-1" and .listener == "http"'
expect 0 "explain of what has no route" gw 1 explain GET http://demo.example/nothing -o json
shape "says so, and why the others were skipped" '.route == null and (.result | test("no_route"))'
expect 4 "get of what is not there" gw 1 get route nothing -o json
check "a problem has its keys" is_true '(keys) == ["changed","code","detail","errors","revision","status","title","type"] and .status == 404 and .code == "not_found"' err
expect 4 "as text" gw 1 get route nothing
says "with the next step" "nothing" '^next: gwctl '

# Other outputs.
expect 0 "-o yaml" gw 1 get route hello -o yaml
sed '/^status:/,$d' out >back.yaml
expect 0 "parses back: applied, it is" gw 1 apply -f back.yaml -o json
shape "no change" '.changed == false'
expect 0 "get all as names" gw 1 get all -o name
check "kind/name, a line each" [ "$(sort out | tr '\n' ' ')" = "listener/http route/hello route/more service/hello " ] ||
    note "$(sort out | tr '\n' ' ')"
expect 0 "get all as a table" gw 1 get all
says "with headings" '^KIND +NAME +REVISION' '^Route +hello '
expect 0 "-o wide" gw 1 get all -o wide
expect 0 "describe" gw 1 describe route hello
says "tells when, by whom, and the spec" '^Route hello$' '^revision [0-9]+, changed .* by ' 'prefix: /hello'
expect 0 "get --effective" gw 1 get route hello --effective -o json
expect 0 "GWCTL_OUTPUT" env GWCTL_OUTPUT=json "$GW_BIN/gwctl" -e "unix:${data[1]}/admin.sock" get routes
shape "is heeded" '.items | length == 2'
expect 0 "GWCTL_ENDPOINTS" env GWCTL_ENDPOINTS="unix:${data[1]}/admin.sock" "$GW_BIN/gwctl" cluster leader
expect 0 "a selector" gw 1 get routes -l team=apps -o json
shape "selects" '.items == []'
expect 0 "export --dir" gw 1 export --dir "$dir/exported"
check "writes a file per object" [ -s "$dir/exported/route-hello.yaml" ]
expect 0 "which diff finds the same" gw 1 diff -f "$dir/exported"
route labelled /labelled | sed 's/{name: labelled}/{name: labelled, labels: {team: apps}}/' | apply 1 >/dev/null
expect 0 "--prune -l" gw 1 apply -f <(route kept /kept | sed 's/{name: kept}/{name: kept, labels: {team: apps}}/') --prune -l team=apps -o json
shape "deletes what the selector matches and the file lacks" '[.objects[] | .name + " " + .action] | sort == ["kept created","labelled deleted"]'
expect 2 "--prune without a selector" gw 1 apply -f <(route kept /kept) --prune
expect 8 "deleting what is referred to" gw 1 delete service hello
says "names who refers" 'hello' 'Route'

# Usage.
next_is() { # TYPED NEXT
    local words
    read -ra words <<<"$1"
    expect 2 "'$1' exits 2" "$GW_BIN/gwctl" "${words[@]}"
    says "and leads to '$2'" "^next: gwctl $2"
}
next_is "move-leader" "cluster transfer"
next_is "list-peers" "cluster members"
next_is "rollout undo" "rollback"
next_is "cluster move-leader" "cluster transfer"
next_is "cluster list-peers" "cluster members"
next_is "aply" "apply"
next_is "cluster" "cluster --help"
says "beside its commands" 'cluster status +Quorum' 'cluster token create'
next_is "cluster keys" "cluster keys --help"
says "beside its commands alone" 'cluster keys export FILE' 'cluster keys rotate'
check "of others nothing" [ -z "$(grep 'cluster certs' err)" ]
expect 0 "cluster token --help" "$GW_BIN/gwctl" cluster token --help
says "lists what there is" 'cluster token revoke ID'
expect 2 "a group, as JSON" "$GW_BIN/gwctl" snapshot -o json
check "is a problem document alone" is_true '.code == "usage"' err
expect 4 "no token of that id" gw 1 cluster token revoke nope
says "leads to those there are" '^next: gwctl cluster token list$'
expect 4 "a rollback to a revision to come" gw 1 rollback --to 99999999
says "leads to the revisions" '^next: gwctl history$'
expect 4 "a watch from a revision to come" gw 1 watch routes --since 99999999
says "likewise" '^next: gwctl history$'
expect 2 "a snapshot to standard output" gw 1 snapshot save -
says "has to be a file" 'goes to a file' '^next: gwctl snapshot save FILE$'
next_is "cluster statsu" "cluster status"
next_is "get route hello --ouput json" "get --help"
expect 2 "an unknown kind" gw 1 get rout
says "with a suggestion" "did you mean '[rR]oute'"
expect 2 "an argument too few" gw 1 describe route
expect 0 "--help" "$GW_BIN/gwctl" --help
says "lists commands and exit codes" 'cluster init' 'apply' '^Exit codes'
expect 0 "apply --help" "$GW_BIN/gwctl" apply --help
says "lists options" '--if-revision R'
expect 0 "version" gw 1 version
says "of both" '^gwctl [0-9]' '^gwd +[0-9]'
expect 0 "schema" "$GW_BIN/gwctl" schema Route.match
says "explains fields" 'hosts' 'path'
for shell in bash zsh fish; do expect 0 "completion $shell" "$GW_BIN/gwctl" completion $shell; done
"$GW_BIN/gwctl" completion bash >completion.bash
check "the one for bash is bash" bash -n completion.bash
complete_words() { # WORDS…: what bash would offer
    bash -c '. ./completion.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
        $(complete -p gwctl | sed "s/.*-F \([^ ]*\).*/\1/"); printf "%s " "${COMPREPLY[@]}"' - "$@"
}
check "and completes commands" [ "$(complete_words gwctl cluster st | tr -d ' ')" = status ]
expect 6 "no gwd there" "$GW_BIN/gwctl" -e "unix:$dir/none.sock" cluster status
says "says what to check" 'next: '
# Whoever failed, -o json tells it in one shape.
is_problem() { is_true 'keys == ["changed","code","detail","errors","revision","status","title","type"] and .code == "'$1'"' err; }
expect 6 "no gwd there, as JSON" "$GW_BIN/gwctl" -e "unix:$dir/none.sock" -o json cluster status
check "a problem document" is_problem unreachable
expect 2 "bad usage, as JSON" gw 1 get route hello --ouput json -o json
check "a problem document" is_problem usage
check "with the next step" is_true '.detail | contains("next: gwctl get --help")' err
expect 8 "a bad file, as JSON" gw 1 apply -f <(route bad /bad | sed s/service:/servce:/) -o json
check "a problem document with the place" is_true '.errors[0].line > 0 and .errors[0].column > 0 and .revision == null' err
expect 8 "what only the server can refuse, as JSON" gw 1 apply -f <(route bad /bad | sed 's/service: [a-z]*/service: nobody/') -o json
check "has its place too" is_true '.errors[0].line > 0' err

# A home: who only looks leaves nothing there.
mkdir "$dir/home"
at_home() { env -u XDG_CONFIG_HOME HOME="$dir/home" "$GW_BIN/gwctl" "$@"; }
is_bare() { [ -z "$(ls -A "$dir/home")" ]; }
expect 0 "a read with no contexts at home" at_home -e "unix:${data[1]}/admin.sock" get routes
expect 0 "a list of them" at_home context list
expect 4 "a context that is not there" at_home --context none get routes
expect 4 "one to use" at_home context use none
expect 4 "one to remove" at_home context rm none
expect 8 "what is no context" at_home context import "${data[1]}/gwd.yaml"
check "leave nothing there" is_bare
expect 0 "a context that is imported" at_home context import "${data[1]}/admin.yaml" --name one
check "is there, for its owner alone" [ "$(find "$dir/home" -mindepth 1 -printf '%P %m\n' | sort | tr '\n' ' ')" = \
    ".config 700 .config/gwctl 700 .config/gwctl/current 600 .config/gwctl/one.yaml 600 " ] || note "$(find "$dir/home")"

# TLS.
expect 7 "https without a context" "$GW_BIN/gwctl" -e "https://127.0.0.1:${admin[1]}" cluster leader
says "leads to the import" '^next: gwctl context import'
expect 0 "context import" "$GW_BIN/gwctl" context import "${data[1]}/admin.yaml"
expect 0 "then gwctl works over TLS" "$GW_BIN/gwctl" cluster leader
says "and says who leads" '^eu-1$'
expect 0 "and with the endpoint named" "$GW_BIN/gwctl" -e "https://127.0.0.1:${admin[1]}" get routes
expect 0 "import with endpoints of its own" "$GW_BIN/gwctl" -e "https://localhost:${admin[1]},https://127.0.0.1:${admin[2]}" context import "${data[1]}/admin.yaml" --name elsewhere
check "which are the context's then" grep -q "https://localhost:${admin[1]}" "$XDG_CONFIG_HOME/gwctl/elsewhere.yaml"
expect 0 "and work" "$GW_BIN/gwctl" --context elsewhere cluster leader
expect 2 "a socket is no endpoint of a context" "$GW_BIN/gwctl" -e "unix:${data[1]}/admin.sock" context import "${data[1]}/admin.yaml" --name elsewhere
check "the context is for its owner alone" [ "$(find "$XDG_CONFIG_HOME/gwctl" -name '*.yaml' -perm /077 | wc -l)" = 0 ]
code=$(curl -sk --max-time 5 -o out -w '%{http_code}' "https://127.0.0.1:${admin[1]}/v1/cluster/status")
note "curl without a certificate: '$code'"
check "curl without a certificate is refused" [ "$code" = 000 -o "$code" = 401 ]
# The admin's certificate, for curl.
for part in ca certificate key; do
    awk -v part="$part" '$0 ~ "^" part ":" { on = 1; next } /^[^ ]/ { on = 0 } on { sub(/^ +/, ""); print }' "${data[1]}/admin.yaml" >$part.pem
done
code=$(curl -sk --max-time 5 --cert certificate.pem --key key.pem -o out -w '%{http_code}' "https://127.0.0.1:${admin[1]}/v1/cluster/status")
check "with the admin's it is served" [ "$code" = 200 ]

# The API's own manners.
api() { curl -s --max-time 5 --unix-socket "${data[1]}/admin.sock" -D head -o out -w '%{http_code}' -H 'content-type: application/json' "$@"; }
check "GET has an ETag" [ "$(api http://gwd/v1/resources/route/hello)" = 200 ]
etag=$(grep -i '^etag:' head | sed 's/^[^:]*: *//; s/\r$//')
check "and the revision" grep -qi '^gw-revision: [0-9]' head
check "If-Match of another: 412" [ "$(api -X DELETE -H 'if-match: "1"' http://gwd/v1/resources/route/hello)" = 412 ]
check "If-None-Match: * of what is there: 412" [ "$(jq '{apiVersion, kind, metadata: {name: .metadata.name}, spec}' out >/dev/null 2>&1; api -X PUT -H 'if-none-match: *' \
    -d '{"apiVersion":"gw/v1","kind":"Route","metadata":{"name":"hello"},"spec":{"service":"hello"}}' http://gwd/v1/resources/route/hello)" = 412 ]
check "PATCH merges" [ "$(api -X PATCH -H "if-match: $etag" -d '{"spec":{"priority":7}}' http://gwd/v1/resources/route/hello)" = 200 ]
check "what was patched is there, the rest too" is_true '.spec.priority == 7 and .spec.service == "hello"' <<<"$(gw 1 get route hello -o json)"
body='{"objects":[{"apiVersion":"gw/v1","kind":"Route","metadata":{"name":"once"},"spec":{"match":{"hosts":["once.example"]},"service":"hello"}}]}'
first=$(api -H 'idempotency-key: 42' -d "$body" http://gwd/v1/apply; jq -r .revision out)
gw 1 delete route once >/dev/null
again=$(api -H 'idempotency-key: 42' -d "$body" http://gwd/v1/apply; jq -r .revision out)
check "the same Idempotency-Key is carried out once" [ "$first" = "$again" ]
expect 4 "so what was deleted since stays deleted" gw 1 get route once
check "DELETE" [ "$(api -X DELETE http://gwd/v1/resources/route/more)" = 200 ]
check "an unknown kind: 404" [ "$(api http://gwd/v1/resources/rout)" = 404 ]
check "an unknown path: 404" [ "$(api http://gwd/v1/nothing)" = 404 ]
check "another method: 405" [ "$(api -X PUT -d '{}' http://gwd/v1/apply)" = 405 ]
check "no JSON: 400" [ "$(api -d '{' http://gwd/v1/apply)" = 400 ]
check "as a problem" grep -qi '^content-type: application/problem+json' head
tap_end

#!/usr/bin/env bash
# What was, when, by whom and why: history, get --revision, and rollback, which makes it the present again.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 3 || exit 1
follower=$(follower)
revision() { gw 1 cluster status -o json | jq -r .revision; }
curl_admin() { curl -s --max-time 5 --unix-socket "${data[$1]}/admin.sock" "${@:2}"; }

# Five changes.
gw "$follower" apply -f <(basic) -m "the beginning" >/dev/null || not_ok "the first change"
first=$(revision)
gw "$follower" apply -f <(route a /a) -m "a route for Ann" >/dev/null
second=$(revision)
gw "$follower" apply -f <(route a /else) -f <(route b /b) >/dev/null
third=$(revision)
gw "$follower" delete route a -m "no more" >/dev/null
fourth=$(revision)

expect 0 "history" gw "$follower" history
says "has a line per revision, with who, what and why" '^REVISION +AT +BY +CHANGES +MESSAGE' \
    "^$first +20..-.* socket +.*Route/hello created.*the beginning" "^$second .*Route/a created +a route for Ann" \
    "^$third .*Route/a changed, Route/b created" "^$fourth .*Route/a deleted +no more"
expect 0 "history as JSON" gw 1 history -o json
check "newest first, every key there" is_true --arg r "$fourth" '.revision == $r and .stale == false and .oldest == "0" and .before == null
    and [.items[].revision] == ([.items[].revision] | sort_by(tonumber) | reverse) and (.items | length) == 4
    and (.items[0] | keys) == ["at","by","changeCount","changes","message","revision"]
    and .items[0].changes == [{"kind":"Route","name":"a","action":"deleted"}]' "$dir/out"
expect 0 "history of one object" gw 1 history route a -o json
check "has its changes alone" is_true '[.items[] | .changes[] | .action] == ["deleted","changed","created"] and (.items[1].changeCount == 2)' "$dir/out"
expect 0 "history of a kind" gw 1 history services -o name
check "is of that" [ "$(cat "$dir/out")" = "$first" ]
expect 0 "the newest only" gw 1 history --limit 1 -o json
check "and where to go on" is_true --arg r "$third" '(.items | length) == 1 and (.before | tonumber) > ($r | tonumber)' "$dir/out"
expect 2 "history of no kind" gw 1 history nonsense

# As it was.
expect 0 "an object as of a revision" gw "$follower" get route a --revision "$second" -o json
check "is as it was then" is_true --arg r "$second" '.spec.match.path.prefix == "/a" and .metadata.revision == $r and .metadata.createRevision == $r' "$dir/out"
expect 0 "after a change of it" gw 1 get route a --revision "$third" -o json
check "is the changed one, made when it was made" is_true --arg r "$third" --arg c "$second" '.spec.match.path.prefix == "/else"
    and .metadata.revision == $r and .metadata.createRevision == $c' "$dir/out"
expect 4 "before it was made" gw 1 get route a --revision "$first"
expect 4 "after it was deleted" gw 1 get route a --revision "$fourth"
expect 0 "a list as of a revision" gw 1 get routes --revision "$third" -o name
check "has what was there" [ "$(tr '\n' ' ' <"$dir/out")" = "route/a route/b route/hello " ]
expect 0 "everything as of a revision" gw 1 get all --revision "$first" -o json
check "says of when" is_true --arg r "$first" '.revision == $r and (.items | length) == 3' "$dir/out"
expect 4 "a revision that is not there yet" gw 1 get routes --revision 99999
says "says which is the newest" "$fourth" '^next: '
expect 8 "no revision at all" gw 1 get routes --revision soon

# Undo.
expect 0 "rollback undoes the last change" gw "$follower" rollback --wait all
says "line by line" '^route/a created$' '^revision [0-9]+, on 3 of 3 nodes'
check "the route is back" all_serve /else
expect 0 "its history says so" gw 1 history route a --limit 1 -o json
check "in a message" is_true --arg r "$third" '.items[0].message == "rollback to revision " + $r' "$dir/out"
expect 0 "rollback again undoes the rollback" gw 1 rollback -m "no, gone" --wait all
check "the route is gone again" all_serve /else 404
expect 0 "rollback of one object" gw 1 rollback route a --to "$second" --wait all
check "brings it alone" all_serve /a
check "and leaves the others" all_serve /b
expect 0 "rollback --dry-run" gw 1 rollback --to "$first" --dry-run
says "says what it would do" '^route/a deleted \(dry run\)$' '^route/b deleted \(dry run\)$' 'nothing applied'
check "and does nothing" all_serve /b
expect 0 "rollback to a revision" gw "$follower" rollback --to "$first" --wait all -o json
check "undoes all since" is_true '.changed and ([.objects[] | .name + " " + .action] | sort) == ["a deleted","b deleted"]' "$dir/out"
check "on every node" all_serve /b 404
check "what was there stays" all_serve /hello
same=$(revision)
expect 0 "rollback to what is" gw 1 rollback --to "$same" -o json
check "changes nothing" is_true '.changed == false and .objects == []' "$dir/out"
check "and makes no revision" [ "$(revision)" = "$same" ]
expect 0 "members are no part of it" gw 1 cluster members -o json
check "all three are there" is_true '.members | length == 3' "$dir/out"

# What cannot be.
expect 8 "a rollback that would break a reference" gw 1 rollback service hello
says "names who refers" 'Route.hello|hello.*Route' '^next: '
expect 4 "a revision to come" gw 1 rollback --to 99999
expect 4 "an object that never was" gw 1 rollback route never
expect 2 "a kind without a name" gw 1 rollback route
expect 2 "--to of no number" gw 1 rollback --to yesterday
check "an unknown field" [ "$(curl_admin 1 -o /dev/null -w '%{http_code}' -d '{"revision": 3}' http://gw/v1/rollback)" = 400 ]
check "a body that is a list" [ "$(curl_admin 1 -o /dev/null -w '%{http_code}' -d '[]' http://gw/v1/rollback)" = 400 ]
for body in '{"kind":["route"],"name":["hello"]}' '{"to":[3]}' '{"kind":"route","name":{}}' '{"message":true}'; do
    check "a field of another kind: $body" [ "$(curl_admin 1 -o /dev/null -w '%{http_code}' -d "$body" http://gw/v1/rollback)" = 400 ]
done
check "nothing came of it" [ "$(revision)" = "$same" ]
check "a message without end" [ "$(head -c 2000 /dev/zero | tr '\0' x | jq -Rs '{to: "0", message: .}' |
    curl_admin 1 -o /dev/null -w '%{http_code}' --data-binary @- http://gw/v1/rollback)" = 422 ]

# Preconditions over several resources, touched or not.
modified() { gw 1 get "$1" "$2" -o json | jq -r .metadata.revision; }
post() { curl_admin "$follower" -o "$dir/out" -w '%{http_code}' --data-binary @- http://gw/v1/apply; }
body() { # PRECONDITIONS: puts route c
    jq -n --argjson pre "$1" '{objects: [{apiVersion: "gw/v1", kind: "Route", metadata: {name: "c"},
        spec: {match: {path: {prefix: "/c"}}, service: "hello"}}], preconditions: $pre}'
}
good=$(jq -n --arg r "$(modified route hello)" --arg s "$(modified service hello)" \
    '[{kind: "Route", name: "hello", revision: $r}, {kind: "service", name: "hello", revision: $s}, {kind: "Route", name: "nothing", revision: 0}]')
bad=$(jq '.[1].revision = "3" | .[2].name = "hello"' <<<"$good")
check "a change with a precondition that fails" [ "$(body "$bad" | post)" = 412 ]
check "names every one that failed" is_true '.changed == ["service/hello","route/hello"] and .code == "precondition_failed"' "$dir/out"
check "and changes nothing" [ "$(gw 1 get route c -o name 2>/dev/null)" = "" ]
check "with those that hold" [ "$(body "$good" | post)" = 200 ]
check "it is made" [ "$(gw 1 get route c -o name)" = route/c ]
check "one that names no kind" [ "$(body '[{"name": "x", "revision": 1}]' | post)" = 400 ]
check "the three hold the same" wait_until 5 in_sync 1 2 3

# What fell out of the history is gone for good: 410, exit 4.
for i in $(seq 1005); do
    [ "$i" = 1 ] || echo next
    printf 'url = "http://gw/v1/resources/route/c"\nunix-socket = "%s/admin.sock"\nrequest = PATCH\noutput = /dev/null\ndata = "{\\"metadata\\": {\\"labels\\": {\\"n\\": \\"%s\\"}}}"\n' "${data[1]}" "$i"
done >"$dir/patches"
curl -s -K "$dir/patches"
expect 4 "get of a revision before the history" gw 1 get routes --revision "$second"
says "says where it begins" 'older than the history, which begins at [0-9]+' '^next: '
expect 4 "rollback to one" gw 1 rollback --to "$second"
check "is 410" [ "$(curl_admin 1 -o /dev/null -w '%{http_code}' "http://gw/v1/resources/route?revision=$second")" = 410 ]
expect 4 "undo of an object's change that fell out" gw 1 rollback route hello
expect 0 "the history" gw 1 history -o json --limit 1000
check "holds a thousand" is_true '(.items | length) == 1000 and (.oldest | tonumber) > 0' "$dir/out"
tap_end

#!/usr/bin/env bash
# One object changed where it is: set, patch, edit, with the flags of apply.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 1 || exit 1
basic | apply 1 >/dev/null || not_ok "the configuration"
route a /a | apply 1 >/dev/null
object() { gw 1 get "$1" "$2" -o json; }
spec_is() { object "$1" "$2" | is_true "$3"; }
export TMPDIR=$dir

# set
expect 0 "set" gw 1 set route a timeout=2s match.path.prefix=/b metadata.labels.team=apps -m "slower"
says "says what apply says" '^route/a changed$' '^revision [0-9]+, on 1 of 1 nodes'
check "sets every field" spec_is route a '.spec.timeout == "2s" and .spec.match.path.prefix == "/b" and .metadata.labels.team == "apps"'
check "in one revision, with its message" [ "$(gw 1 history route a -o json | jq -r '.items[0].message')" = slower ]
check "it is served" wait_until 5 serves 1 /b
expect 0 "the same again" gw 1 set routes a timeout=2s -o json
check "changes nothing" is_true '.changed == false' "$dir/out"
expect 0 "set of an element by its name" gw 1 set service hello 'endpoints[hello-1].weight=7'
check "sets it" spec_is service hello '.spec.endpoints[0].weight == 7 and .spec.endpoints[0].name == "hello-1"'
expect 0 "a new element" gw 1 set service hello 'endpoints[+]={name: hello-2, address: "127.0.0.1:1"}'
expect 0 "taken away" gw 1 set service hello 'endpoints[hello-2]=null'
check "is gone" spec_is service hello '.spec.endpoints | length == 1'
expect 0 "null takes a field away" gw 1 set route a timeout=null --dry-run
says "a dry run does nothing" 'dry run'
check "it is there" spec_is route a '.spec.timeout == "2s"'
expect 8 "a field that is none" gw 1 set route a timeot=2s
says "with what may be meant" "did you mean 'timeout'" '^next: '
expect 2 "no assignment" gw 1 set route a timeout
says "says how" 'FIELD=VALUE' '^next: '
expect 4 "an element that is not there" gw 1 set service hello 'endpoints[hello-9].weight=7'
says "says which" 'hello-9' '^next: '
expect 4 "set of what is not there" gw 1 set route nothing timeout=2s
expect 5 "--if-revision" gw 1 set route a timeout=3s --if-revision 1
# Two at once: fields of both are there.
for i in 1 2 3 4 5 6; do gw 1 set route a "metadata.labels.l$i=x" >/dev/null & sets[i]=$!; done
failed=0
for i in 1 2 3 4 5 6; do wait "${sets[$i]}" || failed=$((failed + 1)); done
check "six at once all succeed" [ "$failed" = 0 ]
check "and nothing is lost" spec_is route a '[.metadata.labels | keys[] | select(startswith("l"))] | length == 6'

# patch
expect 0 "patch" gw 1 patch route a -p '{"spec": {"timeout": null, "priority": 3}}' -m "by patch"
check "merges" spec_is route a '(.spec | has("timeout") | not) and .spec.priority == 3 and .metadata.labels.team == "apps"'
check "its message is kept" [ "$(gw 1 history route a -o json | jq -r '.items[0].message')" = "by patch" ]
expect 2 "patch without -p" gw 1 patch route a
expect 2 "of no JSON" gw 1 patch route a -p '{timeout'
says "shows one" '^next: gwctl patch'
expect 2 "of a list" gw 1 patch route a -p '[]'
expect 8 "of an unknown field" gw 1 patch route a -p '{"spec": {"timeot": "1s"}}'
expect 4 "of what is not there" gw 1 patch route nothing -p '{}'

# edit
edit() { EDITOR="$1" gw 1 edit "${@:2}"; }
expect 0 "edit" edit "sed -i s,/b,/c," route a -m "by hand"
says "says what apply says" '^route/a changed$'
check "changes it" spec_is route a '.spec.match.path.prefix == "/c"'
expect 0 "an editor that changes nothing" edit "true" route a
says "says so" '^route/a unchanged$'
expect 1 "an editor that fails" edit "false" route a
says "changes nothing and says so" 'nothing is changed' '^next: '
expect 8 "a mistake" edit "sed -i s,service:,servize:," route a
says "has its line, and the file is kept" ":[0-9]+:[0-9]+: error: .*servize.*did you mean 'service'" "kept: gwctl apply -f $dir/"
expect 8 "another name" edit "sed -i s,name:.*,name:\ other," route a
says "is no edit" 'keeps the kind and the name'
expect 8 "a reference to nothing" edit "sed -i s,service:.hello,service:\ hallo," route a
says "is the server's word at the file's line" ":[0-9]+:[0-9]+: error: .*hallo"
cat >"$dir/race" <<SH
#!/bin/sh
"$GW_BIN/gwctl" -e "unix:${data[1]}/admin.sock" set route a priority=9 >/dev/null
sed -i s,/c,/d, "\$1"
SH
chmod +x "$dir/race"
expect 5 "an object that changed while it was edited" edit "$dir/race" route a
says "keeps what was written" 'route/a' "kept: gwctl apply -f $dir/"
check "and changes nothing" spec_is route a '.spec.match.path.prefix == "/c" and .spec.priority == 9'
expect 4 "edit of what is not there" edit true route nothing
check "no file is left but those that were kept" [ "$(find "$dir" -name 'gwctl-route-*' | wc -l)" = 4 ]

# They are in the help and in the completion.
for verb in set patch edit history rollback; do
    expect 0 "$verb has help" gw 1 "$verb" --help
    says "of its own" "usage: gwctl $verb "
done
check "completion has them" [ "$("$GW_BIN/gwctl" completion bash | grep -c "'set'\|'patch'\|'edit'\|'history'\|'rollback'")" -ge 5 ]
tap_end

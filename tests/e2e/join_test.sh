#!/usr/bin/env bash
# Who may join: tokens used up, expired, altered, revoked or of another cluster; roles; regions; members.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 1 || exit 1

# join I TOKEN [options]
join() {
    local i=$1 token=$2 options
    shift 2
    [ -n "${data[$i]:-}" ] || node_plan "$i"
    mapfile -t options < <(node_options "$i")
    "$GW_BIN/gwctl" cluster join "$token" "${options[@]}" "$@"
}
token() { gw 1 cluster token create "$@"; }
members() { gw 1 cluster members -o json | jq '.members | length'; }

expect 0 "a token is made" gw 1 cluster token create --uses 1
check "it stands alone on stdout" [ "$(wc -lw <"$dir/out" | tr -s ' ')" = " 1 1" ]
one=$(cat "$dir/out")
check "and looks like one" [ "${one:0:5}" = gwj1. ]

expect 0 "a node joins by it" join 2 "$one"
node_start 2
expect 7 "the same token again is refused" join 3 "$one"
says "and says why" '(used|uses)' 'next: '
expect 7 "and again" join 3 "$one"
costs_no_entry() { # others may be written meanwhile, as node 2 gets its vote, but not each time
    local index
    index=$(metric 1 gw_raft_last_index)
    join 3 "$one" >/dev/null 2>&1
    [ "$(metric 1 gw_raft_last_index)" = "$index" ]
}
check "who is refused costs no log entry" wait_until 20 costs_no_entry
check "and is counted" [ "$(($(metric 1 gw_joins_refused_total) + $(metric 2 gw_joins_refused_total)))" -ge 2 ]

short=$(token --ttl 1s)
id=$(gw 1 cluster token list -o json | jq -r '.items | max_by(.expires) | .id')
is_over() { [ "$(date +%s%3N)" -gt "$over" ]; }
over=$(($(date +%s%3N) + 1100))
wait_until 5 is_over
expect 7 "an expired token is refused" join 3 "$short"
says "and says so" 'expired' 'next: '

good=$(token --uses 3 --ttl 1h)
character=${good:60:1}
altered=${good:0:60}$([ "$character" = A ] && echo B || echo A)${good:61}
expect 8 "an altered token is refused" join 3 "$altered"
says "and says what to do" '(token|copied|checksum)' 'next: '
expect 8 "what is no token is refused" join 3 nonsense

gw 1 cluster token create --uses 5 -o json >"$dir/revoked.json"
id=$(jq -r .id "$dir/revoked.json")
expect 0 "tokens are listed" gw 1 cluster token list -o json
check "with id and uses, without a secret" is_true --arg id "$id" '.items[] | select(.id == $id) | has("expires") and (has("token") or has("secret") | not)' "$dir/out"
expect 0 "a token is revoked" gw 1 cluster token revoke "$id"
expect 7 "a revoked token is refused" join 3 "$(jq -r .token "$dir/revoked.json")"

# A token of another cluster that once lived at this address: its CA is not this one's.
mapfile -t free < <(ports 2)
"$GW_BIN/gwctl" cluster init --data-dir "$dir/other" --name other-1 --region eu --cluster other --peer "127.0.0.1:${peer[1]}" \
    --admin "127.0.0.1:${free[0]}" --health "127.0.0.1:${free[1]}" --token-out "$dir/other-token" >"$dir/other.log" 2>&1 ||
    not_ok "another cluster is founded"
expect 7 "a token of another cluster is refused" join 3 "$(cat "$dir/other-token")"
says "and says why" '(another cluster|CA|certificate|pin)' 'next: '
check "the token file is for its owner alone" [ "$(stat -c %a "$dir/other-token")" = 600 ]
check "nobody joined by all this" [ "$(members)" = 2 ]

# What failed leaves the directory free for the next try.
expect 0 "the good token works after all" join 3 "$good"
node_start 3
expect 0 "joining with --if-needed again is done at once" join 3 "$good" --if-needed
expect 0 "and again" join 3 "$good" --if-needed
check "it used up nothing" [ "$(members)" = 3 ]
join 3 "$good" >"$dir/out" 2>"$dir/err"
check "joining again without it is refused" [ $? != 0 ]
says "and says what to do" "(already|--if-needed)"
expect 0 "init with --if-needed on node 1's directory is done at once" "$GW_BIN/gwctl" cluster init --data-dir "${data[1]}" \
    --name "${name[1]}" --region eu --cluster story --if-needed
"$GW_BIN/gwctl" cluster init --data-dir "${data[1]}" --name another --region eu --if-needed >"$dir/out" 2>"$dir/err"
check "as another node it is refused" [ $? != 0 ]
says "naming who lives there" "${name[1]}"

expect 0 "three become three voters" gw 1 cluster wait --voters 3 --healthy --timeout 30s
expect 0 "a fourth joins" join 4 "$good"
node_start 4
four() { gw 1 cluster members -o json | is_true '.members | length == 4 and all(.[]; .state == "leader" or .state == "follower")' >/dev/null; }
check "and is reached" wait_until 15 four
basic | apply 1 >/dev/null
check "it serves" wait_until 10 serves 4 /hello
roles() { gw 1 cluster members -o json | jq -r '.members | map(.role) | group_by(.) | map("\(length) \(.[0])") | join(", ")'; }
note "roles: $(roles)"
check "it stays a stand-by beside three voters" [ "$(roles)" = "1 standby, 3 voter" ]
expect 0 "members lists them" gw 1 cluster members
says "a line each" '^NODE +REGION +ROLE +STATE' '^eu-1 +eu +voter' '^us-1 +us ' '^ap-1 +ap ' '^eu-2 +eu +standby'
gw 1 cluster members -o name >"$dir/out"
check "names alone" [ "$(sort "$dir/out" | tr '\n' ' ')" = "ap-1 eu-1 eu-2 us-1 " ]
gw 1 cluster members -o json >"$dir/out"
check "as JSON every key is there" is_true 'has("revision") and has("stale") and all(.members[]; (keys - ["connections","digest"]) ==
    ["admin","id","lag","lastSeenMs","name","peer","region","revision","role","state","version","zone"] and (.id | type) == "string")' "$dir/out"

# Regions.
regions() { for region in "$@"; do printf 'apiVersion: gw/v1\nkind: Region\nmetadata: {name: %s}\nspec: {}\n---\n' "$region"; done; }
expect 8 "Regions that leave a member's undefined are refused" gw 1 apply -f <(regions eu us)
says "naming the node" 'ap-1' "'ap'"
expect 0 "with all of them they are taken" gw 1 apply -f <(regions eu us ap; basic | sed 's/name: hello-1,/name: hello-1, region: eu,/')
region[5]=zz
expect 8 "a node of a region that is not defined is refused" join 5 "$good"
says "naming the region" "'zz'"
region[5]=us
expect 0 "of one that is, it joins" join 5 "$good"
tap_end

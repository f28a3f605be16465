#!/usr/bin/env bash
# Roles, leadership and removal by hand: what is asked for happens, twice asked is once done, and no quorum is lost.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 4 || exit 1
basic | apply 1 >/dev/null && wait_until 10 all_serve /hello || not_ok "the configuration is served"

members() { gw "${1:-1}" cluster members -o json; }
role_of() { members "${2:-1}" | jq -r --arg n "$1" '.members[] | select(.name == $n) | .role'; }
has_role() { [ "$(role_of "$1" "${3:-1}")" = "$2" ]; }
voters() { members "${1:-1}" | jq '[.members[] | select(.role != "standby")] | length'; }
has_voters() { [ "$(voters "${2:-1}")" = "$1" ]; }
number_of() { local i; for i in "${!name[@]}"; do [ "${name[$i]}" = "$1" ] && echo "$i"; done; }
leader_name() { gw "${1:-1}" cluster leader; }
is_leader() { [ "$(leader_name "${2:-1}")" = "$1" ]; }

# Leadership.
old=$(leader_name)
expect 0 "leadership is handed to whoever is best" gw 1 cluster transfer
says "naming who leads now" 'leads$'
check "which is another" [ "$(leader_name)" != "$old" ]
expect 0 "and to whom it shall go" gw 1 cluster transfer "$old"
says "by name" "^$old leads$"
expect 0 "asked again nothing is done" gw 2 cluster transfer "$old"
says "and said so" "$old leads already"
standby=$(members | jq -r '.members[] | select(.role == "standby") | .name')
expect 5 "a stand-by cannot lead" gw 1 cluster transfer "$standby"
says "and what to do" '^gwctl: .*no vote' "^next: gwctl cluster promote $standby"
expect 4 "nor who is not there" gw 1 cluster transfer eu-9
says "did you mean" "did you mean '(eu-1|eu-2)'" '^next: '

# Roles.
expect 2 "an unknown role is bad usage" gw 1 cluster role us-1 wittness
says "did you mean" "did you mean 'witness'" '^next: '
expect 4 "a role for nobody" gw 1 cluster role nobody voter
expect 2 "a role of nobody" gw 1 cluster role us-1
expect 0 "the stand-by is promoted" gw 1 cluster promote "$standby" --timeout 20s
check "and has a vote" wait_until 30 has_role "$standby" voter
check "there are still three" wait_until 10 has_voters 3
expect 0 "promoted again" gw 1 cluster promote "$standby"
says "it is already" 'role voter already, now voter'
expect 0 "and demoted" gw 1 cluster demote "$standby" --timeout 20s
check "it has no vote any more" wait_until 20 has_role "$standby" standby
check "somebody else has taken it" wait_until 30 has_voters 3
expect 0 "demoted again" gw 1 cluster demote "$standby"
says "it is already" 'role standby already, now standby'
expect 0 "as JSON" gw 1 cluster role "$standby" auto -o json
check "every key is there" is_true '(keys == ["changed","done","id","name","role","wanted","why"]) and .done and .changed and .wanted == "auto"' "$dir/out"

# The leader itself gives up its vote: it hands over first.
old=$(leader_name)
me=$(number_of "$old")
other=$(others "$me" | head -n 1)
expect 0 "the leader is demoted" gw "$other" cluster demote "$old" --timeout 20s
check "it leads no more" wait_until 10 has_role "$old" standby "$other"
check "three votes are there" wait_until 30 has_voters 3 "$other"
expect 0 "writes go on" gw "$other" apply -f <(route after /after)
expect 0 "it may vote again" gw "$other" cluster role "$old" auto

# A witness votes, stores, and serves nobody.
expect 0 "a node becomes a witness" gw 1 cluster role ap-1 witness --timeout 20s
check "and votes" wait_until 30 has_role ap-1 witness
closed() { ! curl -s -o /dev/null --max-time 1 "http://127.0.0.1:${proxy[3]}/"; }
check "its Listener is closed" wait_until 10 closed
check "it is ready all the same" wait_until 5 gw 3 ready
route seen /seen | apply 1 >/dev/null
check "it stores what is agreed" wait_until 10 in_sync 1 3
witness_counted() { curl -s --max-time 2 "http://127.0.0.1:${health[1]}/metrics" | awk '/^gw_members{role="witness"/ { n += $2 } END { exit n != 1 }'; }
check "the metric counts it" witness_counted
expect 0 "and back" gw 1 cluster role ap-1 auto
check "its Listener is open again" wait_until 10 serves 3 /hello

# What the API says to nonsense.
raw() { curl -s -o "$dir/out" --max-time 5 --unix-socket "${data[1]}/admin.sock" -w '%{http_code}' "$@"; }
check "a role that is none: 422" [ "$(raw -X PATCH -d '{"role":"king"}' http://x/v1/cluster/members/us-1)" = 422 ]
says "naming the roles" 'auto, voter, standby or witness'
check "a body that is no JSON: 400 or 422" grep -qE '^4(00|22)$' <<<"$(raw -X PATCH -d '{role' http://x/v1/cluster/members/us-1)"
check "no body at all, too" grep -qE '^4(00|22)$' <<<"$(raw -X PATCH http://x/v1/cluster/members/us-1)"
check "a transfer to a number: 404 or 4xx" grep -qE '^4' <<<"$(raw -X POST -d '{"to":["a"]}' http://x/v1/cluster/transfer)"
check "a transfer by a list: 400" [ "$(raw -X POST -d '[]' http://x/v1/cluster/transfer)" = 400 ]

for body in '{"role":["standby"]}' '{"rol":"standby"}' '{"uses":[3]}' '{"ttl":5}' '[]'; do
    check "a token of nobody knows what, $body: 422" [ "$(raw -X POST -d "$body" http://x/v1/cluster/tokens)" = 422 ]
done
check "a role by another name: 422" [ "$(raw -X PATCH -d '{"role":"auto","rol":"standby"}' http://x/v1/cluster/members/us-1)" = 422 ]
says "naming it" "unknown field 'rol'"
check "a transfer by another name: 400" [ "$(raw -X POST -d '{"too":"us-1"}' http://x/v1/cluster/transfer)" = 400 ]
check "a rotation of the authority by a list: 422" [ "$(raw -X POST -d '{"ca":[true]}' http://x/v1/cluster/certs/rotate)" = 422 ]
check "a key to export to that is none: 422" [ "$(raw -X POST -d '{"publicKey":["a"]}' http://x/v1/cluster/keys/export)" = 422 ]

# Removal.
expect 4 "who is not there cannot be removed" gw 1 cluster remove ap-7 --yes
says "did you mean" "did you mean 'ap-1'" '^next: '
gone=$(leader_name)
me=$(number_of "$gone")
mapfile -t left < <(others "$me")
one=${left[0]}
expect 2 "removing asks for --yes off a terminal" gw "$one" cluster remove "$gone"
says "and says what it means" 'cut off' '^next: .*--yes'
revision=$(gw "$one" get route hello -o json | jq -r .metadata.revision)
expect 0 "the leader is removed" gw "$one" cluster remove "$gone" --yes --timeout 20s
says "and said so" "^$gone removed$"
three() { members "$one" | is_true --arg n "$gone" '(.members | length == 3) and all(.members[]; .name != $n)'; }
check "it is no member any more" wait_until 5 three
check "three others vote" wait_until 30 has_voters 3 "$one"
expect 0 "removed again" gw "$one" cluster remove "$gone" --yes
says "it was" 'was removed before'
knows() { curl -s --max-time 1 "http://127.0.0.1:${health[$me]}/readyz" | grep -q 'removed from the cluster'; }
check "it knows, and says that it is not ready" wait_until 10 knows
expect 0 "writes go on" gw "$one" apply -f <(route later /later)
check "they do not reach it any more" [ "$(gw "$me" --stale get route later 2>/dev/null)" = "" ]

# It never comes back under its old id; anew it does, under the same name.
node_kill "$me"
node_start "$me"
check "started again it still knows" wait_until 20 knows
still() { ! curl -sf --max-time 1 "http://127.0.0.1:${health[$me]}/readyz?leader" >/dev/null && members "$one" | is_true '.members | length == 3'; }
check "and is no member" still
node_kill "$me"
old_id=$(awk '/^id:/ { print $2 }' "${data[$me]}/identity")
rm -rf "${data[$me]}"
node_join "$me" || not_ok "it joins anew"
node_start "$me"
back() { members "$one" | is_true --arg n "$gone" --arg id "${old_id:-0}" 'any(.members[]; .name == $n and .id != $id and .state == "follower")'; }
check "wiped and joined anew it is back, under another id" wait_until 20 back
check "and serves" wait_until 10 serves "$me" /later

# Below a quorum nothing is taken away.
mapfile -t voting < <(members "$one" | jq -r '.members[] | select(.role == "voter") | .name')
for n in $(members "$one" | jq -r '.members[] | select(.role == "standby") | .name'); do
    gw "$one" cluster remove "$n" --yes >/dev/null 2>&1 || not_ok "$n is removed"
    node_kill "$(number_of "$n")"
done
lead=$(leader_name "$one")
for n in "${voting[@]}"; do [ "$n" = "$lead" ] || { dead=$n; break; }; done
for n in "${voting[@]}"; do [ "$n" = "$lead" ] || [ "$n" = "$dead" ] || alive=$n; done
at=$(number_of "$lead")
node_kill "$(number_of "$dead")"
unseen() { members "$at" | is_true --arg n "$dead" 'any(.members[]; .name == $n and .state == "unreachable")'; }
check "one of three is gone" wait_until 10 unseen
expect 5 "the other follower is not removed" gw "$at" cluster remove "$alive" --yes
says "since no quorum would be left" 'no quorum' '^next: '
expect 5 "nor demoted" gw "$at" cluster demote "$alive"
check "it still votes" has_role "$alive" voter "$at"
expect 0 "the dead one is removed" gw "$at" cluster remove "$dead" --yes --timeout 20s
two() { members "$at" | is_true '.members | length == 2'; }
check "two are left" wait_until 5 two
expect 0 "and take writes" gw "$at" apply -f <(route last /last)
node_kill "$(number_of "$alive")"
expect 6 "without a quorum nobody is promoted" gw "$at" cluster promote "$alive"
says "and says why" 'no quorum' '^next: '
expect 6 "nor leadership handed over" gw "$at" cluster transfer
tap_end

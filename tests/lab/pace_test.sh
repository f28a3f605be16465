#!/usr/bin/env bash
# Time of agreement over a long way: 150 ms between regions. Profile lan stretches by itself and elects nobody twice;
# profile wan goes by the round trip.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
. "$GW_ROOT/tests/lab/cluster.sh"
lab_open 1,1,1
upstream_port[hello]=9000
cluster_start 3 || exit 1
basic | apply 1 >/dev/null && wait_until 10 all_serve /hello || not_ok "all three serve"
term() { gw "$1" --stale cluster status -o json | jq .term; }
past() { [ "$(now_ms)" -ge "$1" ]; }
pause() { local end=$(($(now_ms) + $1 * 1000)); wait_until $(($1 + 5)) past "$end"; }
says_log() { grep -hqE "$2" "${data[$1]}.log"; }

lab wan all delay 75ms || not_ok "the way is long"
# What is known of the way is the least round trip of a link: links made anew know the long one.
for i in 1 2 3; do node_stop "$i"; node_start "$i"; done
check "a cluster on profile lan finds together" wait_until 30 healthy 1
stretched() { says_log "$1" '"election_ms":9[0-9][0-9],"round_trip_ms":15[0-9]'; }
for i in 1 2 3; do check "node $i stretches its elections, and says so" wait_until 20 stretched "$i"; done
before=$(term 1)
pause 10
check "then nobody is elected any more" [ "$(term 1)" = "$before" ]
expect 0 "profile wan is applied" gw 1 apply --timeout 20s -f <(printf 'apiVersion: gw/v1\nkind: Cluster\nmetadata: {name: story}\nspec: {raft: {profile: wan}}\n')
wide() { says_log "$1" '"heartbeat_ms":15[0-9],"election_ms":2[23][0-9][0-9],"round_trip_ms":15[0-9]'; }
for i in 1 2 3; do check "node $i goes by the round trip at once" wait_until 20 wide "$i"; done
before=$(term 1)
pause 10
check "and nobody is elected" [ "$(term 1)" = "$before" ]
expect 0 "writes go on" gw 1 apply --timeout 20s -f <(route far /far)
killed=$(now_ms)
old=$(leader)
node_kill "$old"
another_leads() { local i; for i in $(others "$old"); do leads "$i" && return 0; done; return 1; }
check "a dead leader is replaced" wait_until 30 another_leads
note "after $(($(now_ms) - killed)) ms"
tap_end

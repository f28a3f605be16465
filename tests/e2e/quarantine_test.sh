#!/usr/bin/env bash
# A node whose state is not that of the others finds out, and serves on what it had: it takes no writes and does not
# lead, and says so, until it has been replaced. The others are not disturbed.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 3 || exit 1
for i in 1 2 3; do gw 1 cluster role "${name[$i]}" voter >/dev/null; done # and so they stay, when one is replaced
{ basic; echo ---; route a /aaa; } | apply 1 --wait all >/dev/null || not_ok "the configuration is applied"
quarantined() { [ "$(metric "$1" gw_member_quarantined)" = "${2:-1}" ]; }
degraded() { is_true --arg h "$2" '.health == $h' <<<"$(gw "$1" cluster status -o json 2>/dev/null)"; }

# In peace nobody is: a minute of writes and traffic, and a change of leader.
before=$(for i in 1 2 3; do metric "$i" gw_raft_applied_index; done | sort -n | head -1)
for i in 1 2 3; do load_start "$i" "peace$i"; done
until=$(($(date +%s) + 60)) n=0 worst=0
while [ "$(date +%s)" -lt "$until" ]; do
    for n in $(seq 1 100); do
        [ "$n" = 1 ] || echo next
        printf 'url = "http://gw/v1/resources/route/a"\nunix-socket = "%s/admin.sock"\nrequest = PATCH\noutput = /dev/null\ndata = "{\\"metadata\\": {\\"labels\\": {\\"n\\": \\"%s\\"}}}"\n' "${data[$((RANDOM % 3 + 1))]}" "$n"
    done >"$dir/patches"
    curl -s -K "$dir/patches"
    [ $((RANDOM % 4)) != 0 ] || gw 1 cluster transfer >/dev/null 2>&1
    for i in 1 2 3; do quarantined "$i" 0 || worst=$i; done
done
after=$(metric 1 gw_raft_applied_index)
note "$((after - before)) entries applied"
check "there was something to compare" [ "$((after - before))" -gt 500 ]
check "nobody was quarantined in a minute of load" [ "$worst" = 0 ]
for i in 1 2 3; do check "no state is split at node $i, none lags" [ "$(metric "$i" gw_state_split)$(metric "$i" gw_apply_lagging)" = 00 ]; done
for i in 1 2 3; do load_stop "peace$i" >"$dir/load"; check "no request failed at node $i" is_true '.failures == 0 and .requests > 100' "$dir/load"; done

# One record of one node becomes another.
gw 1 cluster wait --healthy --timeout 30s >/dev/null || not_ok "the cluster is healthy"
l=$(leader)
bad=$(others "$l" | tail -1)
good=$(others "$bad" | tail -1)
node_stop "$bad"
load_start "$l" leader
load_start "$good" good
expect 0 "a record is changed on its disk" tool diverge "${data[$bad]}" route/a /aaa /zzz
node_start "$bad"
check "the node starts" wait_until 15 node_is_up "$bad"
check "it is quarantined" wait_until 20 quarantined "$bad"
check "its log says so, and what to do" grep -q '"event":"quarantined".*join --replace' "${data[$bad]}.log"
check "and the others are not" [ "$(metric "$l" gw_member_quarantined)$(metric "$good" gw_member_quarantined)" = 00 ]
for i in 1 2 3; do check "status is degraded at node $i" wait_until 5 degraded "$i" degraded; done
expect 3 "cluster members" gw "$good" cluster members
says "names it" "quarantined: ${name[$bad]}: " '^next: .*join --replace'
expect 3 "as JSON it has its fixed shape" gw "$good" cluster members -o json
check "and states of the fixed set" is_true '[.members[].state] | sort == ["follower","follower","leader"]' "$dir/out"
expect 1 "a write at it is refused" gw "$bad" set route a metadata.labels.x=y
says "with what to do" 'is quarantined' '^next: .*join --replace'
check "as 503 quarantined" [ "$(curl -s --max-time 5 --unix-socket "${data[$bad]}/admin.sock" -o "$dir/out" -w '%{http_code}' -X DELETE http://gw/v1/resources/route/a)" = 503 ]
check "by that word" is_true '.code == "quarantined"' "$dir/out"
check "and counted" [ "$(metric "$bad" gw_admin_quarantined_total)" -ge 2 ]
expect 1 "a linearizable read too" gw "$bad" get route a
expect 0 "not a stale one" gw "$bad" --stale get route a
"$GW_BIN/gwctl" -e "unix:${data[$bad]}/admin.sock,unix:${data[$good]}/admin.sock" watch routes -o name >"$dir/watch" 2>/dev/null &
watch_pid=$!
check "a watch goes elsewhere" wait_until 5 test "$(metric "$bad" gw_watches)" = 0
watches() { [ "$(metric "$1" gw_watches)" = 1 ]; }
check "to a node that is right" wait_until 5 watches "$good"
route b /bbb | apply "$good" >/dev/null || not_ok "a write elsewhere is made"
check "it is served elsewhere" wait_until 5 serves "$good" /bbb
check "and told" wait_until 5 grep -qx route/b "$dir/watch"
kill "$watch_pid"
check "the quarantined one serves what it had" serves "$bad" /hello
check "and nothing newer" [ "$(status_of "$bad" /bbb)" = 404 ]

# It does not lead, not for long.
gw "$good" cluster transfer "${name[$bad]}" >/dev/null 2>&1
leads_else() { local now; now=$(leader) && [ "$now" != "$bad" ]; }
check "leadership does not stay with it" wait_until 20 leads_else
route c /ccc | gw "$good" apply -f - --timeout 20s >/dev/null || not_ok "writes go on"
check "it gave it away itself" grep -q "its state is wrong" "${data[$bad]}.log"
check "it is still quarantined" quarantined "$bad"

# A new copy of the state mends it.
node_stop "$bad"
gw "$good" cluster token create >"$dir/token2"
mapfile -t options < <(node_options "$bad")
expect 0 "it is replaced" "$GW_BIN/gwctl" cluster join --replace --token-file "$dir/token2" "${options[@]}" --wait 30s --yes
node_start "$bad"
check "the node starts" wait_until 20 node_is_up "$bad"
check "the cluster is healthy again" wait_until 60 degraded "$good" ok
check "it serves all there is" wait_until 10 serves "$bad" /bbb
check "all hold the same" wait_until 10 in_sync 1 2 3
check "nobody is quarantined" [ "$(for i in 1 2 3; do metric "$i" gw_member_quarantined; done | tr -d '\n')" = 000 ]
for w in leader good; do load_stop "$w" >"$dir/load"; check "no request failed meanwhile ($w)" is_true '.failures == 0 and .requests > 100' "$dir/load"; done
tap_end

#!/usr/bin/env bash
# Time of agreement: a dead leader is replaced soon, a living one is left alone, one that is cut off falls silent.
# GW_IDLE_SECONDS, GW_LOAD_SECONDS, GW_FAILOVERS make the run longer.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 3 || exit 1
basic | apply 1 >/dev/null && wait_until 5 all_serve /hello || not_ok "the configuration is served"
idle=${GW_IDLE_SECONDS:-10} busy=${GW_LOAD_SECONDS:-10} rounds=${GW_FAILOVERS:-7}
term() { gw "$1" cluster status -o json | jq .term; }
sync_all() { wait_until 20 in_sync 1 2 3; }
past() { [ "$(now_ms)" -ge "$1" ]; }

# Nothing happens: nothing happens.
first=$(term 1)
end=$(($(now_ms) + idle * 1000))
wait_until $((idle + 5)) past "$end"
check "no election in $idle idle seconds" [ "$(term 1)" = "$first" ]

# All nodes proxy as fast as they can.
for i in 1 2 3; do load_start "$i" "busy$i" 0; done
end=$(($(now_ms) + busy * 1000))
wait_until $((busy + 5)) past "$end"
for i in 1 2 3; do
    answer=$(load_stop "busy$i")
    note "load at node $i: $answer"
    check "no request failed at node $i" is_true '.failures == 0 and .requests > 100' <<<"$answer"
done
check "no election in $busy seconds of full load" [ "$(term 1)" = "$first" ]

# A follower is stopped for longer than any timeout, and goes on: it disturbs nobody.
lead=$(leader)
mapfile -t rest < <(others "$lead")
node_pause "${rest[0]}"
missing() { ! healthy "$lead"; }
wait_until 10 missing
node_resume "${rest[0]}"
check "a follower that was stopped is back" wait_until 20 healthy "$lead"
check "and has called no election" [ "$(term "$lead")" = "$first" ]
check "the leader leads on" leads "$lead"

# The leader is cut off: both followers are stopped. Nothing it is asked from now on is answered well.
get() { curl -s -o /dev/null --max-time "$1" --unix-socket "${data[$lead]}/admin.sock" -w '%{http_code}' "http://x/v1/resources/route/hello"; }
node_pause "${rest[0]}"
node_pause "${rest[1]}"
cut=$(now_ms)
silent() { ! leads "$lead"; }
wait_until 10 silent
note "it says it leads for $(($(now_ms) - cut)) ms more (two election timeouts are 600 ms, one look takes some)"
within "a leader that is cut off stops leading" 900 $(($(now_ms) - cut)) ms
asked=$(now_ms)
check "a linearizable read is refused" [ "$(get 5)" = 503 ]
within "the refusal of a read takes" 3000 $(($(now_ms) - asked)) ms
expect 6 "so is a write" gw "$lead" apply -f <(route cut /cut) --timeout 5s
check "traffic is served all the while" serves "$lead" /hello
node_resume "${rest[0]}"
node_resume "${rest[1]}"
check "it comes back by itself" wait_until 20 healthy "$lead"
expect 0 "and takes writes" apply "$lead" < <(route after-cut /after-cut)
sync_all || not_ok "all are in sync again"

# kill -9 of the leader, again and again.
: >"$dir/leaders"
: >"$dir/writes"
for ((round = 1; round <= rounds; round++)); do
    old=$(leader)
    other=$(others "$old" | head -n 1)
    killed=$(now_ms)
    kill -9 "${pid[$old]}"
    one_leads() { local i; for i in $(others "$old"); do leads "$i" && return 0; done; return 1; }
    until one_leads || past $((killed + 20000)); do :; done
    echo $(($(now_ms) - killed)) >>"$dir/leaders"
    until route "round-$round" "/round-$round" | apply "$other" --timeout 5s >>"$dir/write.log" 2>&1 || past $((killed + 20000)); do :; done
    echo $(($(now_ms) - killed)) >>"$dir/writes"
    wait "${pid[$old]}" 2>/dev/null
    node_start "$old"
    wait_until 20 healthy "$other" && sync_all || not_ok "round $round: the killed node is back in sync"
done
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
largest() { sort -n "$1" | tail -n 1; }
note "a new leader after kill -9, ms: $(sort -n "$dir/leaders" | tr '\n' ' ')"
note "a write after kill -9, ms: $(sort -n "$dir/writes" | tr '\n' ' ')"
within "a new leader after kill -9, p50 of $rounds" 700 "$(median "$dir/leaders")" ms
within "a write after kill -9, p50 of $rounds" 1500 "$(median "$dir/writes")" ms
within "a new leader after kill -9, at most" 3000 "$(largest "$dir/leaders")" ms
check "nothing acknowledged is missing" [ "$(gw 1 get route -o json | jq '[.items[] | select(.metadata.name | startswith("round-"))] | length')" = "$rounds" ]
tap_end

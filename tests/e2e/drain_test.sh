#!/usr/bin/env bash
# TERM drains: no request fails until the node closes, leadership is handed over. HUP reads the settings again.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 3 || exit 1
basic | apply 1 >/dev/null && wait_until 5 all_serve /hello || not_ok "the configuration is served"
ready_code() { curl -s -o /dev/null --max-time 1 -w '%{http_code}' "http://127.0.0.1:${health[$1]}/readyz"; }
not_ready() { [ "$(ready_code "$1")" = 503 ]; }

# HUP: a listener moves to another port; a bad file changes nothing.
moved=$(ports 1)
other=$(follower)
old=${proxy[$other]}
cp "${data[$other]}/gwd.yaml" "$dir/gwd.yaml"
sed -i "s/127\.0\.0\.1:$old/127.0.0.1:$moved/" "${data[$other]}/gwd.yaml"
kill -HUP "${pid[$other]}"
proxy[$other]=$moved
check "after HUP the listener is where gwd.yaml says" wait_until 5 serves "$other" /hello
gone() { ! curl -s -o /dev/null --max-time 1 "http://127.0.0.1:$old/"; }
check "and no longer where it was" wait_until 5 gone
echo 'workesr: 2' >>"${data[$other]}/gwd.yaml"
lines=$(wc -l <"${data[$other]}.log")
kill -HUP "${pid[$other]}"
complained() { tail -n +$((lines + 1)) "${data[$other]}.log" | grep -q workesr; }
check "HUP with a bad file is said in the log" wait_until 5 complained
check "and changes nothing" serves "$other" /hello

# TERM at the leader, under load. The client honours Connection: close, as a balancer that asks /readyz would.
old=$(leader)
term=$(gw "$old" cluster status -o json | jq .term)
load_start "$old" draining
load_start "$(others "$old" | head -n 1)" other
draining_since=$(now_ms)
kill -TERM "${pid[$old]}"
check "readiness fails at once" wait_until 2 not_ready "$old"
note "readyz fails after $(($(now_ms) - draining_since)) ms"
fetch "$old" /hello -D "$dir/head" -o /dev/null
check "new connections are still served, and told to close" grep -qi '^connection: close' "$dir/head"
another_leads() { local i; for i in $(others "$old"); do leads "$i" && return 0; done; return 1; }
check "leadership is handed over" wait_until 5 another_leads
took=$(($(now_ms) - draining_since))
note "another leads $took ms after TERM"
# The delay is 5 s; the load ends well within it, as a balancer's traffic does.
passed() { [ $(($(now_ms) - draining_since)) -ge 3000 ]; }
wait_until 5 passed
answer=$(load_stop draining)
note "load at the draining node: $answer"
check "no request failed there" is_true '.failures == 0 and .requests > 100' <<<"$answer"
draining=${pid[$old]}
pid[$old]=
is_over() { ! kill -0 "$draining" 2>/dev/null; }
check "it ends by itself" wait_until 20 is_over
wait "$draining"
status=$?
note "gwd ended $(($(now_ms) - draining_since)) ms after TERM with $status"
check "and exits 0" [ $status = 0 ]
answer=$(load_stop other)
note "load at another node: $answer"
check "no request failed at another node" is_true '.failures == 0 and .requests > 100' <<<"$answer"
new=$(leader)
check "no vote had to be called twice for it" [ "$(($(gw "$new" cluster status -o json | jq .term) - term))" -le 1 ]
expect 0 "writes go on" gw "$new" apply -f <(route after /after)
node_start "$old"
check "started again, it is in sync" wait_until 20 in_sync 1 2 3
tap_end

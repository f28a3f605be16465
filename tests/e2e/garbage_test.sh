#!/usr/bin/env bash
# Rude visitors at the peer port: their links are closed and counted, and nothing else happens.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 3 || exit 1
basic | apply 1 >/dev/null && wait_until 5 all_serve /hello || not_ok "the configuration is served"
status() { gw 1 cluster status -o json | jq -cS '{term, leader, health}'; }
before=$(status)
load_start 1 calm

counted() { # links closed for what was said, refused, or come to join
    curl -s "http://127.0.0.1:${health[1]}/metrics" |
        awk '$1 ~ /^gw_link_(malformed|refused)_total|^gw_link_joins_total/ { sum += $2 } END { print sum + 0 }'
}
counts_more() { [ "$(counted)" -gt "$1" ]; }
# Silence takes 10 s to tell, so those who fall silent do it together, beside the others.
for how in half join-junk join-half; do
    tool poke "127.0.0.1:${peer[2]}" $how "${data[3]}" 15000 >"$dir/$how" 2>&1 &
    silent+=($!)
done
for how in random no-certificate foreign old no-alpn oversized unknown junk; do
    seen=$(counted)
    if closed=$(tool poke "127.0.0.1:${peer[1]}" $how "${data[2]}" 2>&1); then
        ok "$how: the link is closed"
        note "$how: closed after $closed ms"
    else
        not_ok "$how: the link is closed"
        note "$how: $closed"
    fi
    check "$how: it is counted" wait_until 2 counts_more "$seen"
done

index=0
for how in half join-junk join-half; do
    check "$how: the link is closed" wait "${silent[$index]}"
    note "$how: closed after $(cat "$dir/$how") ms"
    index=$((index + 1))
done
refused_at_2() { [ "$(metric 2 gw_link_refused_total)" -ge 3 ]; }
check "those who fall silent are counted" wait_until 2 refused_at_2

# Many at once.
for i in 1 2 3 4 5 6 7 8; do
    for how in random foreign oversized junk; do tool poke "127.0.0.1:${peer[1]}" $how "${data[2]}" >/dev/null 2>&1 & pokes+=($!); done
done
wait "${pokes[@]}"
unset pokes
check "the leader is the same, of the same term" [ "$(status)" = "$before" ]
expect 0 "writes go on" gw 1 apply -f <(route after /after)
check "and are served by all" wait_until 5 all_serve /after
answer=$(load_stop calm)
note "load: $answer"
check "no request failed" is_true '.failures == 0 and .requests > 100' <<<"$answer"
check "the visited node lives" kill -0 "${pid[1]}"
tap_end

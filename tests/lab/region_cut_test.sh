#!/usr/bin/env bash
# A region is cut off from the other two: those go on with writes, the lost one refuses them and says so, both serve
# traffic; joined again, it catches up by itself.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
. "$GW_ROOT/tests/lab/cluster.sh"
lab_open 2,2,1
upstream_port[hello]=9000
lab wan all delay 10ms jitter 1ms
cluster_start 5 || exit 1
basic | apply 1 >/dev/null && wait_until 10 all_serve /hello || not_ok "all five serve over links of 20 ms"

# A bare connect: a TLS handshake with a stranger ends in a refusal, of which curl times nothing.
connect_ms() {
    at 1 bash -c 'begun=${EPOCHREALTIME/[.,]/}; exec 3<>"/dev/tcp/$0/7000" && echo $(((${EPOCHREALTIME/[.,]/} - begun) / 1000))' "${address[$1]}"
}
median_ms() { for _ in 1 2 3 4 5; do connect_ms "$1"; done | sort -n | sed -n 3p; } # one may be cut short by chance
took=$(median_ms 3)
note "connected to another region in $took ms"
check "a link between regions is as slow as asked" [ "$took" -ge 18 ]
check "one inside of a region is not" [ "$(connect_ms 2)" -lt 18 ]

# The leader's region is the one that is lost: the harder case, since the others must elect first.
leads_in_a_pair() { lost=$(leader) && [ "$lost" != 5 ]; }
has_moved() { gw 1 cluster transfer --yes >/dev/null 2>&1; wait_until 2 leads_in_a_pair; }
leads_in_a_pair || wait_until 20 has_moved || { lost=1; note "node 5 keeps the office; node 1's region is cut off instead"; }
if [ "$lost" -le 2 ]; then lost=1 other=2 kept=3; else lost=3 other=4 kept=1; fi
load_start $lost lost
load_start $kept kept

region=$((lost == 1 ? 1 : 2))
lab partition "r$region" rest || not_ok "the region is cut off"
started=$(now_ms)
route after /after >"$dir/after.yaml"
takes_writes() { gw "$kept" --timeout 3s apply -f "$dir/after.yaml" >"$dir/out" 2>&1; }
check "the two other regions take a write" wait_until 15 takes_writes
within "they take it soon" 5000 $(($(now_ms) - started)) ms

started=$(now_ms)
route never /never >"$dir/never.yaml"
expect 6 "a write in the lost region is refused" gw $lost apply -f "$dir/never.yaml"
within "the refusal comes within 3 s" 3000 $(($(now_ms) - started)) ms
says "and says who is missing" 'no quorum: [0-9] of [0-9] voters reachable'
expect 6 "so it is at the other node there" gw $other --timeout 5s apply -f "$dir/never.yaml"
expect 6 "a read there is refused rather than stale" gw $lost get route hello
expect 0 "a stale read is answered" gw $lost --stale get route hello
expect 3 "its status is degraded, or worse" gw $lost cluster status

check "the others serve the new route" wait_until 5 serves $kept /after
check "the lost region serves what it had" serves $lost /hello
check "and nothing newer" [ "$(status_of $lost /after)" = 404 ]

lab heal || not_ok "the regions are joined again"
started=$(now_ms)
check "the lost region serves the new route" wait_until 20 serves $lost /after
note "$(($(now_ms) - started)) ms after the regions were joined again"
for which in lost kept; do
    answer=$(load_stop $which)
    note "load in the $which region: $answer"
    check "no request failed in the $which region" is_true '.failures == 0 and .requests > 50' <<<"$answer"
done
check "the refused write was never made" [ "$(status_of $kept /never)" = 404 ]
check "all five hold the same" wait_until 20 in_sync 1 2 3 4 5
check "the cluster is healthy" wait_until 20 healthy $lost
tap_end

#!/usr/bin/env bash
# A follower that missed 100,000 objects gets the whole state by pieces, while nobody asks for an election.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 3 || exit 1
basic | apply 1 >/dev/null && wait_until 5 all_serve /hello || not_ok "the configuration is served"

lead=$(leader)
late=$(others "$lead" | head -n 1)
other=$(others "$lead" | tail -n 1)
node_kill "$late"

# Four transactions, each close to what one may hold; together more than the log keeps. A sanitizer gets fewer objects,
# which are larger.
each=25000 padding=200
[ -z "${GW_SANITIZED:-}" ] || each=2000 padding=3500
policies() { # FIRST LAST
    awk -v first="$1" -v last="$2" -v size="$padding" 'BEGIN {
        while (length(pad) < size) pad = pad "0123456789"
        for (i = first; i <= last; i++)
            printf "---\napiVersion: gw/v1\nkind: Policy\nmetadata: {name: p-%d, annotations: {why: %d %s}}\nspec: {importance: low}\n", i, i, pad
    }'
}
started=$(now_ms)
for batch in 0 1 2 3; do
    policies $((batch * each + 1)) $(((batch + 1) * each)) >"$dir/many.yaml"
    gw "$lead" --timeout 60s -q apply -f "$dir/many.yaml" >"$dir/out" 2>&1 ||
        { not_ok "$each policies are applied"; tail -n 3 "$dir/out"; }
done
note "$((4 * each)) objects written in $(($(now_ms) - started)) ms"
check "the log was cut by its bytes" [ "$(metric "$lead" gw_raft_compacted_by_bytes_total)" -ge 1 ]
within "the log is as long as" 24 $(($(metric "$lead" gw_raft_log_bytes) >> 20)) MiB

state() { gw "$lead" cluster status -o json | jq -c '[.term, .leader]'; }
campaigns() { for i in "$lead" "$other"; do metric "$i" gw_raft_elections_total; done | paste -sd' '; }
memory_kb() { awk '/^RssAnon/ { print $2 }' "/proc/${pid[$1]}/status"; }
same_state() { [ -n "$(digest_of "$late")" ] && [ "$(digest_of "$late")" = "$(digest_of "$lead")" ]; }
before=$(state) asked=$(campaigns) memory=$(memory_kb "$lead")
load_start "$other" beside
started=$(now_ms)
node_start "$late"
check "the late follower gets all of it" wait_until 60 same_state
took=$(($(now_ms) - started))
installed() { [ "$(metric "$late" gw_raft_dumps_installed_total)" = 1 ]; } # told once a second
check "by a dump, and one is enough" wait_until 5 installed
note "$(metric "$late" gw_raft_dump_bytes_received_total) bytes in $(metric "$late" gw_raft_dump_pieces_received_total) pieces, $took ms after its start"
answer=$(load_stop beside)
note "load meanwhile: $answer; the leader's memory went from $memory to $(memory_kb "$lead") kB"
check "which came in many pieces" [ "$(metric "$late" gw_raft_dump_pieces_received_total)" -ge 40 ]
check "no election came of it" [ "$(state)" = "$before" ]
check "nobody even asked for one" [ "$(campaigns)" = "$asked" ]
check "no request failed meanwhile" is_true '.failures == 0' <<<"$answer"
route after /after | apply "$late" >/dev/null
check "and it goes on with the others" wait_until 10 all_serve /after
check "with the same state" wait_until 10 same_state
check "all is well" wait_until 10 healthy "$lead"
tap_end

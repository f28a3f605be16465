#!/usr/bin/env bash
# A follower is stopped under as many writes as go: the leader's memory stays bounded, and the follower comes back.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 3 || exit 1
basic | apply 1 >/dev/null && wait_until 5 all_serve /hello || not_ok "the configuration is served"

lead=$(leader)
stopped=$(others "$lead" | head -n 1)
other=$(others "$lead" | tail -n 1)
# A sanitizer's build is asked for what it can do: at its limit writes run out of time, which says nothing of memory.
rate=10000 connections=64
[ -z "${GW_SANITIZED:-}" ] || rate=100 connections=8
memory_kb() { awk '/^RssAnon/ { print $2 }' "/proc/${pid[$lead]}/status"; }
writes() { # BYTES SECONDS: values of so many bytes, to 1,000 keys
    tool ../bench/writes gw "unix:${data[$lead]}/admin.sock" --connections "$connections" --rate "$rate" --keys 1000 \
        --bytes "$1" --warm 0 --seconds "$2"
}
state() { gw "$lead" cluster status -o json | jq -c '[.term, .leader]'; }
same_state() { [ -n "$(digest_of "$stopped")" ] && [ "$(digest_of "$stopped")" = "$(digest_of "$lead")" ]; }

# What the writes themselves take, keys and history, is there before anything is measured.
for bytes in 1024 4096; do
    note "before, $bytes bytes: $(writes $bytes 5)"
done
before=$(state)
for bytes in 1024 4096; do
    check "all three are even" wait_until 20 same_state
    node_pause "$stopped"
    from=$(memory_kb) most=$from
    writes $bytes 10 >"$dir/answer" &
    writer=$!
    while kill -0 $writer 2>/dev/null; do
        now=$(memory_kb)
        [ "$now" -le "$most" ] || most=$now
        sleep 0.1
    done
    wait $writer
    answer=$(cat "$dir/answer")
    note "one stopped, $bytes bytes: $answer"
    note "$(jq --argjson bytes $bytes '.writes * $bytes / 1048576 | floor' <<<"$answer") MiB written; the log has $(metric "$lead" gw_raft_log_bytes) bytes"
    check "no write failed" is_true '.failures == 0' <<<"$answer"
    within "the leader's memory grows, with $bytes bytes a write, by" 64 $(((most - from) / 1024)) MiB
    node_resume "$stopped"
done
check "the stopped one comes back" wait_until 60 same_state
check "no election came of it" [ "$(state)" = "$before" ]
check "all is well" wait_until 10 healthy "$other"
tap_end

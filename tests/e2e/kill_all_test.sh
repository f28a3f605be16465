#!/usr/bin/env bash
# All three are killed at once, ten times, while writes go on: what was acknowledged is there.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 3 || exit 1
basic | apply 1 >/dev/null

# Writes one route after the other through nodes drawn by chance; only what gwctl said 0 to is written down.
writer() { # ROUND
    local number=0 node
    while [ ! -e "$dir/stop" ]; do
        number=$((number + 1))
        node=$((RANDOM % 3 + 1))
        if route "w-$1-$number" "/w-$1-$number" | apply "$node" -q --timeout 2s >/dev/null 2>&1; then
            echo "w-$1-$number" >>"$dir/acknowledged"
        fi
    done
}
acknowledged() { wc -l <"$dir/acknowledged"; }
has_acknowledged() { [ "$(acknowledged)" -ge "$1" ]; }

: >"$dir/acknowledged"
worst=0
for round in 1 2 3 4 5 6 7 8 9 10; do
    rm -f "$dir/stop"
    writer $round &
    writing=$!
    wait_until 15 has_acknowledged $(($(acknowledged) + RANDOM % 15 + 3)) || { not_ok "writes go on in round $round"; break; }
    nodes_kill 1 2 3
    touch "$dir/stop"
    wait $writing
    started=$(now_ms)
    for i in 1 2 3; do node_start $i; done
    wait_until 15 has_leader || { not_ok "a leader after killing all, round $round"; break; }
    took=$(($(now_ms) - started))
    [ $took -le $worst ] || worst=$took
done
note "killed all $round times; longest time from start to a leader: $worst ms"
check "the cluster is healthy" wait_until 20 healthy 1
gw 1 get route -o name | sed 's,^route/,,' | sort >"$dir/there"
lost=$(sort "$dir/acknowledged" | comm -23 - "$dir/there" | tr '\n' ' ')
note "acknowledged $(acknowledged), there $(grep -c '^w-' "$dir/there"), lost: ${lost:-none}"
check "every acknowledged write is there" [ -z "$lost" ]
check "there were enough of them" has_acknowledged 30
check "digests are equal" wait_until 10 in_sync 1 2 3
check "the last one is served" wait_until 5 all_serve "/$(tail -n 1 "$dir/acknowledged")"
tap_end

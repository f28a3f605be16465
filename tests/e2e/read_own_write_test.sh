#!/bin/bash
# Whoever has the answer to a write reads it back, from any node, and may go on from its ETag. Answers go out when the
# change has been applied on the leader and not yet been written there, so a read has to wait for that.
set -u
# shellcheck source=tests/lib/tap.sh
. "$GW_ROOT/tests/lib/tap.sh"
# shellcheck source=tests/lib/cluster.sh
. "$GW_ROOT/tests/lib/cluster.sh"

api() { # NODE METHOD PATH [curl arguments]
    local node=$1 method=$2 path=$3
    shift 3
    curl -s --max-time 10 --unix-socket "${data[$node]}/admin.sock" -X "$method" "http://gw/v1/$path" -D "$dir/head" \
        -o "$dir/body" -w '%{http_code}' "$@"
}
etag() { sed -n 's/^etag: *"\([0-9]*\)".*/\1/pI' "$dir/head"; }
policy() { # VALUE
    printf '{"apiVersion":"gw/v1","kind":"Policy","metadata":{"name":"own"},"spec":{"headers":{"response":{"set":{"x-own":"%s"}}}}}' "$1"
}

cluster_open
cluster_start 3 || { not_ok "a cluster of three starts"; exit 1; }
ok "a cluster of three starts"

writes=0 stale=0 refused=0 lost=0 last=
for round in $(seq 1 40); do
    node=$((round % 3 + 1))
    if [ -z "$last" ]; then
        code=$(api "$node" PUT resources/policy/own -H 'content-type: application/json' --data-binary "$(policy "v$round")")
    else # by the ETag that came with the write before, at another node
        code=$(api "$node" PUT resources/policy/own -H 'content-type: application/json' -H "If-Match: \"$last\"" \
            --data-binary "$(policy "v$round")")
    fi
    if [ "$code" != 200 ]; then
        refused=$((refused + 1)) && note "round $round, write at node $node: $code $(head -c 300 "$dir/body")"
        last=
        continue
    fi
    last=$(etag)
    writes=$((writes + 1))
    for reader in 1 2 3; do
        code=$(api "$reader" GET resources/policy/own)
        if [ "$code" != 200 ]; then
            lost=$((lost + 1)) && note "round $round, read at node $reader: $code $(head -c 300 "$dir/body")"
        elif [ "$(etag)" != "$last" ] || ! grep -q "\"v$round\"" "$dir/body"; then
            stale=$((stale + 1)) && note "round $round: node $reader reads $(etag), the write was $last"
        fi
    done
done
note "$writes writes, each read at three nodes"
check "every write is taken, each by the ETag of the one before" [ "$refused-$writes" = 0-40 ]
check "every read is answered" [ "$lost" = 0 ]
check "no read is older than the write that was answered before it" [ "$stale" = 0 ]

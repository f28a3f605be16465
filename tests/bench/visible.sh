#!/bin/bash
# visible.sh: how long after its answer a write is visible, and served, on every node; `./run bench visible` calls it.
#
#     GW_BIN=DIR tests/bench/visible.sh [MS…]
#
# Without MS three nodes on loopback; then three regions with MS of round trip between each two (40 100 150), in the lab's
# network namespaces, where the machine has them. Each at 1, 50 and 500 writes a second. 50 of them a second at most are
# probes (visible.c), the others change other objects. `visible`: the node's own reads show it. `served`: its proxy does
# by it. Counted from the answer at the leader, which comes when a majority has the write on disk. Nothing is judged.
# GW_SECONDS (10) says how long at each rate.
set -u
here=$(cd "$(dirname "$0")" && pwd)
export GW_BIN=${GW_BIN:?GW_BIN names the directory of gwd and gwctl} GW_ROOT=${here%/tests/bench}
# shellcheck source=tests/lib/tap.sh
. "$here/../lib/tap.sh"
seconds=${GW_SECONDS:-10}
bench() { "$GW_BIN/../tests/bench/$1" "${@:2}"; }

listener='{"apiVersion":"gw/v1","kind":"Listener","metadata":{"name":"http"},"spec":{"bind":"127.0.0.1:8080"}}'
targets() { # prints the arguments of visible.c
    local i
    for ((i = 1; i <= nodes; i++)); do
        echo "${data[i]}/admin.sock,127.0.0.1:${proxy[i]}${1:+,/run/netns/$1-n$i}"
    done
}
probe_served() { [ "$(at "$1" curl -s -o /dev/null -w '%{http_code}' --max-time 1 "http://127.0.0.1:${proxy[$1]}/probe")" = 308 ]; }

measure() { # WAY [LAB]
    local rate probes other line first i
    mapfile -t where < <(targets "${2:-}")
    gw 1 apply --timeout 20s -f - >/dev/null <<<"$listener" || exit 1
    gw 1 apply --timeout 20s -f - >/dev/null <<<'{"apiVersion":"gw/v1","kind":"Route","metadata":{"name":"probe"},"spec":{"match":{"path":{"prefix":"/probe"}},"redirect":{"path":"/at-0."}}}' || exit 1
    for ((i = 1; i <= nodes; i++)); do
        wait_until 20 probe_served "$i" || { echo "node $i does not serve the probe" >&2; exit 1; }
    done
    first=$(leader)
    for rate in 1 50 500; do
        probes=$((rate > 50 ? 50 : rate)) other=
        if [ "$rate" -gt 50 ]; then
            bench writes gw "unix:${data[$first]}/admin.sock" --connections 64 --rate $((rate - 50)) --seconds "$seconds" \
                --warm 1 >"$dir/others" 2>&1 &
            other=$!
            disown "$other"
        fi
        bench visible "${data[$first]}/admin.sock" --rate "$probes" --seconds "$seconds" -- "${where[@]}" >"$dir/visible" ||
            { cat "$dir/visible" >&2; continue; }
        [ -z "$other" ] || wait_until 30 test -s "$dir/others"
        while read -r line; do
            i=$(jq -r .node <<<"$line")
            [ "$i" = all ] || i=$([ "$i" = "127.0.0.1:${proxy[$first]}" ] && [ -z "${2:-}" ] && echo leader || echo node)
            jq -r --arg way "$1" --arg rate "$rate" --arg who "$i" \
                '[$way, $rate, $who, .probes, .visibleP50Ms, .visibleP99Ms, .servedP50Ms, .servedP99Ms] | @tsv' <<<"$line"
        done <"$dir/visible" | awk '{ printf "%-9s %8s %-7s %7s %13s %13s %12s %12s\n", $1, $2, $3, $4, $5, $6, $7, $8 }'
        rm -f "$dir/others"
    done
}

loopback() (
    # shellcheck source=tests/lib/cluster.sh
    . "$here/../lib/cluster.sh"
    cluster_open
    trap 'exec 2>/dev/null; cluster_close' EXIT # bash tells of every process it lost
    cluster_start 3 || exit 1
    measure loopback
)

far() ( # MS
    # shellcheck source=tests/lib/cluster.sh
    . "$here/../lib/cluster.sh"
    # shellcheck source=tests/lab/cluster.sh
    . "$here/../lab/cluster.sh"
    why=$(lab can) || { echo "$1 ms: skipped: $why"; exit 0; }
    lab_open 1,1,1
    trap 'exec 2>/dev/null; lab_close' EXIT
    cluster_start 3 || exit 1
    gw 1 apply --timeout 20s -f - >/dev/null 2>&1 \
        <<<'{"apiVersion":"gw/v1","kind":"Cluster","metadata":{"name":"story"},"spec":{"raft":{"profile":"wan"}}}' || exit 1
    lab wan all delay "$(($1 / 2))ms" || exit 1
    # What is known of the way is the least round trip of a link: links made anew know the long one.
    for i in 1 2 3; do node_stop "$i"; node_start "$i"; done
    wait_until 30 healthy 1 || { echo "the cluster does not come together over $1 ms" >&2; exit 1; }
    measure "$1-ms" "$lab_name"
)

printf '%-9s %8s %-7s %7s %13s %13s %12s %12s\n' way writes/s who probes 'visible p50' 'visible p99' 'served p50' 'served p99'
if [ $# -eq 0 ]; then
    loopback
    set -- 40 100 150
fi
for ms in "$@"; do far "$ms"; done

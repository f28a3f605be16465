#!/bin/bash
# consensus.sh: what agreement costs, beside etcd; `./run bench consensus` calls it.
#
#     GW_BIN=DIR tests/bench/consensus.sh [writes]…
#
# writes   three members each, on the same disk, of loopback; one client (writes.c) puts one value of 100 bytes (etcd's
#          JSON gateway) or one Policy whose spec has 100 bytes (our admin API) at a time, over keep-alive connections
#          to the leader: plain HTTP to both, over TCP to etcd, over the UNIX socket to us. 1,000 keys. Writes a second
#          and latency at 1, 16 and 256 connections: the median over rounds, and rounds of both alternate, so that
#          what else the machine does falls on both.
#
# Both run as they come: every write is on the disks of a majority before it is answered. Figures are printed, nothing
# is judged. GW_ROUNDS (5) and GW_SECONDS (3) say how long. Ends with lines `RATIO WORKLOAD etcd X.XX`.
set -u
here=$(cd "$(dirname "$0")" && pwd)
GW_BIN=${GW_BIN:?GW_BIN names the directory of gwd and gwctl}
# shellcheck source=tests/lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=tests/lib/cluster.sh
. "$here/../lib/cluster.sh"
# shellcheck source=tests/bench/etcd.sh
. "$here/etcd.sh"
rounds=${GW_ROUNDS:-5} seconds=${GW_SECONDS:-3}
bench() { "$GW_BIN/../tests/bench/$1" "${@:2}"; }

# The median of the numbers on stdin, one a line.
median() { sort -g | awk '{ v[NR] = $1 } END { print NR == 0 ? 0 : NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", (b > 0 ? a / b : 0) }'; }

# Both clusters, once, for all parts. Either may be missing: then the other is measured alone.
start_clusters() {
    [ -z "${dir:-}" ] || return 0
    cluster_open
    trap 'exec 2>/dev/null; cluster_close' EXIT # bash tells of every process it lost
    has_etcd=
    if command -v etcd >/dev/null && command -v jq >/dev/null; then
        etcd_start || exit 1
        has_etcd=yes
    else
        echo "etcd is not installed: left out"
    fi
    cluster_start 3 || exit 1
    # What a synced write costs here, for comparing figures of different machines.
    dd if=/dev/zero of="$dir/sync" bs=4k count=200 oflag=dsync 2>&1 |
        awk -v cores="$(nproc)" '/copied/ { for (i = 1; i < NF; i++) if ($(i + 1) ~ /^s,?$/) printf "machine: %s cores, a synced write of 4 KiB takes %.2f ms\n", cores, $i * 5 }'
}
# Where the client writes to: leaders may have moved.
target_of() {
    if [ "$1" = gw ]; then echo "unix:${data[$(leader)]}/admin.sock"; else echo "${etcd_client[$(etcd_leader)]}"; fi
}

part_writes() {
    local connections round who names='gw etcd'
    start_clusters
    [ -n "$has_etcd" ] || names=gw
    : >"$dir/writes"
    for connections in 1 16 256; do
        for ((round = 1; round <= rounds; round++)); do
            for who in $names; do
                bench writes "$who" "$(target_of "$who")" --connections "$connections" --seconds "$seconds" >"$dir/out" ||
                    echo "writes: $who at $connections: $(cat "$dir/out")" >&2
                jq -r --arg who "$who" --arg c "$connections" '[$who, $c, .perSecond, .p50Ms, .p99Ms, .failures] | @tsv' \
                    "$dir/out" >>"$dir/writes"
            done
        done
    done
    printf '%-7s %12s %12s %10s %10s %10s\n' writes connections writes/s 'p50 ms' 'p99 ms' failures
    for connections in 1 16 256; do
        for who in $names; do
            printf '%-7s %12s %12.0f %10.2f %10.2f %10.0f\n' "$who" "$connections" "$(column "$who" "$connections" 3)" \
                "$(column "$who" "$connections" 4)" "$(column "$who" "$connections" 5)" "$(column "$who" "$connections" 6)"
        done
    done
    [ -n "$has_etcd" ] || return 0
    for connections in 1 16 256; do
        say_ratio "consensus-writes-$connections" "$(column gw "$connections" 3)" "$(column etcd "$connections" 3)"
        say_ratio "consensus-p99-$connections" "$(column gw "$connections" 5)" "$(column etcd "$connections" 5)"
    done
}
column() { awk -v who="$1" -v c="$2" -v n="$3" '$1 == who && $2 == c { print $n }' "$dir/writes" | median; }
# Kept for the end: the last lines are the ratios.
ratios=()
say_ratio() { ratios+=("RATIO $1 etcd $(ratio "$2" "$3")"); }

[ $# -gt 0 ] || set -- writes
for part in "$@"; do
    case $part in
    writes) "part_$part" ;;
    *) echo "consensus.sh: unknown part '$part'; parts: writes" >&2; exit 2 ;;
    esac
done
printf '%s\n' ${ratios[@]+"${ratios[@]}"}

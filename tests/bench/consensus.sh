#!/bin/bash
# consensus.sh: what agreement costs, beside etcd; `./run bench consensus` calls it.
#
#     GW_BIN=DIR tests/bench/consensus.sh [writes|inside|keys]…
#
# writes   three members each, on the same disk, of loopback; one client (writes.c) puts one value of 100 bytes (etcd's
#          JSON gateway) or one Policy whose spec has 100 bytes (our admin API) at a time, over keep-alive connections
#          to the leader: plain HTTP to both, over TCP to etcd, over the UNIX socket to us. 1,000 keys. Writes a second
#          and latency at 1, 16 and 256 connections: the median over rounds, and rounds of both alternate, so that
#          what else the machine does falls on both.
#
# inside   ours without HTTP, TLS and the checks of the admin API: three replicas in one process (inside.c), each with its
#          store and its flushes.
# keys     100,000 keys put one by one at 256 connections; then memory, what is on the disk, a dump, and how long a
#          follower takes from its start after kill -9 until it answers reads by itself. Our snapshot is compact, etcd's is a
#          copy of its file.
#
# Both run as they come: every write is on the disks of a majority before it is answered. Figures are printed, nothing
# is judged. GW_ROUNDS (5) and GW_SECONDS (3) say how long, GW_KEYS (100000) how many. Under 5 minutes on two cores. Ends
# with lines `RATIO WORKLOAD etcd X.XX`.
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

part_inside() {
    local connections round place
    start_clusters
    printf '%-7s %12s %12s %10s %10s %10s\n' inside 'under way' writes/s 'p50 ms' 'p99 ms' failures
    for connections in 1 16 256; do
        for ((round = 1; round <= rounds; round++)); do
            place=$(mktemp -d "$dir/inside.XXXXXX")
            bench inside "$place" "$connections" 2 >"$dir/out" || echo "inside: at $connections: $(cat "$dir/out")" >&2
            jq -r --arg c "$connections" '["inside", $c, .perSecond, .p50Ms, .p99Ms, .failures] | @tsv' "$dir/out" >>"$dir/writes"
            rm -rf "$place"
        done
        printf '%-7s %12s %12.0f %10.2f %10.2f %10.0f\n' '' "$connections" "$(column inside "$connections" 3)" \
            "$(column inside "$connections" 4)" "$(column inside "$connections" 5)" "$(column inside "$connections" 6)"
    done
}

rss_kb() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }
disk_bytes() { du -s --block-size=1 "$1" | cut -f1; }
gw_reads() { curl -sf -o /dev/null --max-time 1 --unix-socket "${data[$1]}/admin.sock" 'http://gw/v1/resources/policy/bench-1?consistency=stale'; }
etcd_reads() { curl -sf --max-time 1 "http://${etcd_client[$1]}/v3/kv/range" -d '{"key":"YmVuY2gtMQ==","serializable":true}' | grep -q value; }
etcd_dump() { curl -sf -o "$dir/dump" --max-time 60 "http://${etcd_client[$1]}/v3/maintenance/snapshot" -d '{}'; }
# READS MEMBER: ms from now until it reads.
restart_ms() {
    local begun
    begun=$(now_ms)
    until "$1" "$2"; do
        [ $(($(now_ms) - begun)) -lt 60000 ] || return 1
        sleep 0.01
    done
    echo $(($(now_ms) - begun))
}
part_keys() {
    local keys=${GW_KEYS:-100000} who lead follow process other dir_of took dump size disk back names='gw etcd'
    start_clusters
    [ -n "$has_etcd" ] || names=gw
    printf '%-7s %12s %12s %10s %12s %12s %10s %10s\n' keys writes/s 'leader MB' 'other MB' 'disk MB' 'dump MB' 'dump ms' 'restart ms'
    for who in $names; do
        bench writes "$who" "$(target_of "$who")" --connections 256 --first 1 --count "$keys" >"$dir/out" ||
            echo "keys: $who: $(cat "$dir/out")" >&2
        if [ "$who" = gw ]; then
            lead=$(leader) follow=$((lead % 3 + 1))
            process=${pid[$lead]} other=${pid[$follow]} dir_of=${data[$follow]}
        else
            lead=$(etcd_leader) follow=$((lead % 3 + 1))
            process=${etcd_pid[$lead]} other=${etcd_pid[$follow]} dir_of=${etcd_data[$follow]}
        fi
        process=$(rss_kb "$process") size=$(rss_kb "$other") took=$(now_ms)
        if [ "$who" = gw ]; then
            gw "$follow" snapshot save "$dir/dump" >/dev/null 2>&1 || echo "keys: no snapshot" >&2
        else
            etcd_dump "$follow" || echo "keys: no snapshot of etcd" >&2
        fi
        took=$(($(now_ms) - took)) dump=$(stat -c %s "$dir/dump")
        [ "$who" = gw ] || dump=$(etcd_status "$follow" | jq -r .dbSize) # it came in base64
        disk=$(disk_bytes "$dir_of")
        kill -9 "$other" && wait "$other" 2>/dev/null
        if [ "$who" = gw ]; then
            node_start "$follow"
            back=$(restart_ms gw_reads "$follow")
        else
            etcd_member_start "$follow"
            back=$(restart_ms etcd_reads "$follow")
        fi
        awk -v who="$who" -v rate="$(jq .perSecond "$dir/out")" -v lead="$process" -v other="$size" -v disk="$disk" \
            -v dump="$dump" -v took="$took" -v back="$back" 'BEGIN {
            printf "%-7s %12.0f %12.0f %10.0f %12.1f %12.1f %10d %10d\n", who, rate, lead / 1024, other / 1024,
                disk / 1048576, dump / 1048576, took, back }'
    done
}

# Kept for the end: the last lines are the ratios.
ratios=()
say_ratio() { ratios+=("RATIO $1 etcd $(ratio "$2" "$3")"); }

[ $# -gt 0 ] || set -- writes inside keys
for part in "$@"; do
    case $part in
    writes | inside | keys) "part_$part" ;;
    *) echo "consensus.sh: unknown part '$part'; parts: writes, inside, keys" >&2; exit 2 ;;
    esac
done
[ ${#ratios[@]} -eq 0 ] || printf '%s\n' "${ratios[@]}"

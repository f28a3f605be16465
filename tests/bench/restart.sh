#!/bin/bash
# restart.sh: how long after its start a node serves again, by how many routes it has; `./run bench restart` calls it.
#
#     GW_BIN=DIR tests/bench/restart.sh [ROUTES…]
#
# A cluster of one, so that nobody helps. It is killed (-9) and started GW_ROUNDS (5) times; counted from the start of
# the process until its proxy answers by the last route. Nothing is judged.
set -u
here=$(cd "$(dirname "$0")" && pwd)
export GW_BIN=${GW_BIN:?GW_BIN names the directory of gwd and gwctl} GW_ROOT=${here%/tests/bench}
# shellcheck source=tests/lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=tests/lib/cluster.sh
. "$here/../lib/cluster.sh"
[ $# -gt 0 ] || set -- 1000 10000 100000
rounds=${GW_ROUNDS:-5} at_once=10000

cluster_open
trap 'exec 2>/dev/null; cluster_close' EXIT
cluster_start 1 || exit 1
upstream_start hello
basic | apply 1 >/dev/null || exit 1
routes() { # FROM TO
    local number
    for ((number = $1; number <= $2; number++)); do
        printf -- '---\napiVersion: gw/v1\nkind: Route\nmetadata: {name: r-%d}\nspec: {match: {hosts: [demo.example], path: {prefix: /r/%d}}, service: hello}\n' $number $number
    done
}
is_gone() { ! kill -0 "${pid[1]}" 2>/dev/null; }
again() { # prints milliseconds
    local answer
    kill -9 "${pid[1]}" && wait_until 20 is_gone # no child of ours, from the second time on
    answer=$(tool until -l 60000 demo.example "/r/$1" 200 "127.0.0.1:${proxy[1]}" -- \
        sh -c '"$1" --data-dir "$2" >>"$2.log" 2>&1 & echo $! >"$3"' sh "$GW_BIN/gwd" "${data[1]}" "$dir/pid" 2>/dev/null)
    pid[1]=$(<"$dir/pid")
    jq '.ms | floor' <<<"$answer"
}

printf '%-8s %10s %10s %10s %12s\n' routes 'median ms' 'least ms' 'most ms' 'resident MB'
have=0
for count in "$@"; do
    for ((from = have + 1; from <= count; from += at_once)); do
        to=$((from + at_once - 1 < count ? from + at_once - 1 : count))
        routes "$from" "$to" | apply 1 -q --timeout 60s >/dev/null || exit 1
    done
    have=$count
    wait_until 60 serves 1 "/r/$count" || exit 1
    disown -a
    mapfile -t ms < <(for ((round = 0; round < rounds; round++)); do again "$count"; done | sort -n)
    pid[1]=$(<"$dir/pid")
    memory=$(awk '/^VmRSS/ { print int($2 / 1024) }' "/proc/${pid[1]}/status")
    printf '%-8s %10s %10s %10s %12s\n' "$count" "${ms[rounds / 2]}" "${ms[0]}" "${ms[-1]}" "$memory"
done

#!/bin/bash
# run.sh: the benchmarks, by workload; `./run bench` calls it.
#
#     GW_BIN=DIR tests/bench/run.sh [W1|consensus|consensus-PART|visible|visible-MS|restart|restart-ROUTES…]
#
# W1 to W11 start one node with one worker (gwd of GW_BIN, a cluster of one) and hand it
# to the workload's script; `consensus` and `visible` start three nodes, `restart` one (see the scripts of those names).
# Workloads that have no script yet are named and skipped. Ends with lines `RATIO WORKLOAD PEER X.XX`: ours divided by theirs.
set -u
here=$(cd "$(dirname "$0")" && pwd)
bin=${GW_BIN:?GW_BIN names the directory of gwd, gwctl and upstream}
[ $# -gt 0 ] || set -- W1 consensus
dir=$(mktemp -d) node=
end_all() {
    [ -z "$node" ] || { kill -INT "$node" 2>/dev/null; wait "$node" 2>/dev/null; }
    rm -rf "$dir"
}
trap end_all EXIT
trap 'exit 130' INT TERM
port=${GW_BENCH_PORT:-18180} up=${UP_PORT:-18191}

start_node() {
    local data=$dir/node
    "$bin/gwctl" cluster init --data-dir "$data" --name bench-1 --region eu --peer 127.0.0.1:18170 \
        --admin 127.0.0.1:18171 --health 127.0.0.1:18172 >"$dir/init.log" 2>&1 ||
        { cat "$dir/init.log" >&2; return 1; }
    printf 'workers: 1\n' >>"$data/gwd.yaml"
    taskset -c "${PROXY_CPU:-0}" "$bin/gwd" --data-dir "$data" >"$dir/gwd.log" 2>&1 &
    node=$!
    cat >"$dir/gw.yaml" <<EOF
apiVersion: gw/v1
kind: Listener
metadata: {name: http}
spec: {bind: "127.0.0.1:$port", protocols: [http/1.1]}
---
apiVersion: gw/v1
kind: Service
metadata: {name: hello}
spec: {health: {type: none}, endpoints: [{name: hello-1, address: "127.0.0.1:$up", region: eu}]}
---
apiVersion: gw/v1
kind: Route
metadata: {name: hello}
spec: {match: {path: {prefix: /}}, service: hello}
EOF
    local try
    for try in $(seq 100); do
        if "$bin/gwctl" -e "unix:$data/admin.sock" apply -f "$dir/gw.yaml" >"$dir/apply.log" 2>&1; then
            for try in $(seq 100); do
                (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return 0
                sleep 0.1
            done
        fi
        kill -0 "$node" 2>/dev/null || break
        sleep 0.1
    done
    cat "$dir/apply.log" "$dir/gwd.log" >&2
    echo "bench: the node did not start serving" >&2
    return 1
}

status=0
for workload in "$@"; do
    case $workload in
    W1)
        [ -n "$node" ] || start_node || exit 1
        GW_URL=http://127.0.0.1:$port/ GW_PID=$node UP_PORT=$up "$here/w1.sh" "${bin%/bin}" "${GW_ROUNDS:-7}" "${GW_SECONDS:-2}" || status=1
        ;;
    consensus) "$here/consensus.sh" || status=1 ;;
    consensus-*) "$here/consensus.sh" "${workload#consensus-}" || status=1 ;;
    visible) "$here/visible.sh" || status=1 ;;
    visible-*) "$here/visible.sh" "${workload#visible-}" || status=1 ;;
    restart) "$here/restart.sh" || status=1 ;;
    restart-*) "$here/restart.sh" "${workload#restart-}" || status=1 ;;
    W[2-9] | W1[01] | W5r | W8t) echo "$workload: not built yet, skipped" ;;
    *)
        echo "bench: unknown workload '$workload'" >&2
        exit 2
        ;;
    esac
done
exit $status

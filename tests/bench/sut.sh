#!/bin/bash
# sut.sh: the product as a system under test of a benchmark harness that knows nothing of it.
#
#     GW_BIN=DIR sut.sh prepare    makes a cluster of one and its configuration in $BENCH_DIR
#     GW_BIN=DIR sut.sh run        becomes gwd, with one worker; the configuration is applied beside it
#
# The harness gives BENCH_DIR (scratch), BENCH_PORT (where to listen) and BENCH_ORIGIN_PORT (the
# backend; everything goes there). Plain HTTP/1.1, everything a user would have on.
set -eu
bin=${GW_BIN:?GW_BIN names the directory of gwd and gwctl}
dir=${BENCH_DIR:?} port=${BENCH_PORT:?} origin=${BENCH_ORIGIN_PORT:?}
data=$dir/node

case ${1:-} in
prepare)
    rm -rf "$data"
    base=$((port + 1000))
    "$bin/gwctl" cluster init --data-dir "$data" --cluster bench --name bench-1 --region eu --peer "127.0.0.1:$base" \
        --admin "127.0.0.1:$((base + 1))" --health "127.0.0.1:$((base + 2))" >"$dir/init.log" 2>&1
    printf 'workers: 1\n' >>"$data/gwd.yaml"
    cat >"$dir/gw.yaml" <<YAML
apiVersion: gw/v1
kind: Cluster # the access log is on where nothing is said, and off beside proxies that write none
metadata: {name: bench}
spec: {telemetry: {accessLog: {enabled: false}}}
---
apiVersion: gw/v1
kind: Listener
metadata: {name: http}
spec: {bind: "127.0.0.1:$port", protocols: [http/1.1]}
---
apiVersion: gw/v1
kind: Service
metadata: {name: origin}
spec: {health: {type: none}, endpoints: [{name: origin-1, address: "127.0.0.1:$origin", region: eu}]}
---
apiVersion: gw/v1
kind: Route
metadata: {name: all}
spec: {match: {path: {prefix: /}}, service: origin}
YAML
    ;;
run)
    (
        for _ in $(seq 100); do
            "$bin/gwctl" -e "unix:$data/admin.sock" apply -q -f "$dir/gw.yaml" >"$dir/apply.log" 2>&1 && break
            sleep 0.05
        done
    ) &
    exec "$bin/gwd" --data-dir "$data"
    ;;
*)
    echo "usage: GW_BIN=DIR sut.sh prepare|run" >&2
    exit 2
    ;;
esac

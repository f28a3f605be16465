#!/bin/bash
# w1.sh: what a small keep-alive request costs, beside nginx and HAProxy.
#
#     tests/bench/w1.sh BUILD_DIR [rounds] [seconds]
#
# One worker each, pinned to PROXY_CPU (0); wrk and the sample upstream on
# LOAD_CPU (1). Rounds alternate and rotate, so that what else the machine does
# falls on all alike. Prints CPU microseconds per request (scheduler run time of
# all threads of the proxy) and our ratio to each peer, the median over rounds of
# the ratio within a round: `RATIO W1 nginx X.XX`; lower is better.
#
# The product is `gwd` when GW_URL names its listener and GW_PID its process;
# otherwise one worker by itself (worker_only). Peers not installed are left out by
# name. Everything runs on loopback, on ports above 18100, and is ended by pid.
set -u
build=${1:?usage: w1.sh BUILD_DIR [rounds] [seconds]}
rounds=${2:-7} seconds=${3:-2}
proxy_cpu=${PROXY_CPU:-0} load_cpu=${LOAD_CPU:-1} connections=${CONNS:-64}
size=${SIZE:-1024}
dir=$(mktemp -d) pids=()
end_all() {
    for pid in ${pids[@]+"${pids[@]}"}; do kill "$pid" 2>/dev/null; done
    wait 2>/dev/null
    rm -rf "$dir"
}
trap end_all EXIT
trap 'exit 130' INT TERM

for program in wrk taskset; do
    command -v "$program" >/dev/null || { echo "w1.sh: $program is not installed" >&2; exit 2; }
done
wait_port() {
    for _ in $(seq 100); do
        (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return 0
        sleep 0.1
    done
    echo "w1.sh: nobody listens on port $1" >&2
    return 1
}
# Microseconds of processor time of a process, its threads and its children.
cpu_us() {
    local pid task total=0 ns
    for pid in "$1" $(cat /proc/"$1"/task/*/children 2>/dev/null); do
        for task in /proc/"$pid"/task/*; do
            read -r ns _ <"$task/schedstat" 2>/dev/null && total=$((total + ns / 1000))
        done
    done
    echo "$total"
}

up=${UP_PORT:-18191}
taskset -c "$load_cpu" "$build/bin/upstream" --listen "127.0.0.1:$up" --size "$size" \
    >"$dir/upstream.log" 2>&1 &
pids+=($!)
wait_port "$up" || exit 1

names=() ; declare -A url root
add() { names+=("$1"); url[$1]=$2; root[$1]=$3; }

if [ -n "${GW_URL:-}" ]; then
    add gw "$GW_URL" "${GW_PID:?GW_PID goes with GW_URL}"
else
    cat >"$dir/gw.yaml" <<EOF
apiVersion: gw/v1
kind: Listener
metadata: {name: http}
spec: {bind: "127.0.0.1:18180", protocols: [http/1.1]}
---
apiVersion: gw/v1
kind: Service
metadata: {name: hello}
spec: {health: {type: none}, endpoints: [{name: hello-1, address: "127.0.0.1:$up"}]}
---
apiVersion: gw/v1
kind: Route
metadata: {name: hello}
spec: {match: {path: {prefix: /}}, service: hello}
EOF
    taskset -c "$proxy_cpu" "$build/bin/worker_only" "$dir/gw.yaml" >"$dir/gw.log" 2>&1 &
    pids+=($!)
    wait_port 18180 || { cat "$dir/gw.log" >&2; exit 1; }
    add gw http://127.0.0.1:18180/ ${pids[-1]}
fi

if command -v nginx >/dev/null; then
    mkdir -p "$dir/nginx"
    cat >"$dir/nginx.conf" <<EOF
worker_processes 1; pid $dir/nginx.pid; error_log $dir/nginx.err error; daemon off;
events { worker_connections 4096; multi_accept on; use epoll; }
http {
  access_log off; tcp_nodelay on; keepalive_timeout 75s; keepalive_requests 100000000;
  client_body_temp_path $dir/nginx/a; proxy_temp_path $dir/nginx/b;
  fastcgi_temp_path $dir/nginx/c; uwsgi_temp_path $dir/nginx/d; scgi_temp_path $dir/nginx/e;
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host \$host;
  proxy_set_header X-Forwarded-For \$remote_addr; proxy_buffer_size 16k;
  proxy_buffers 16 16k; proxy_busy_buffers_size 64k; proxy_request_buffering off;
  upstream up { server 127.0.0.1:$up; keepalive 256; keepalive_requests 100000000; }
  server { listen 127.0.0.1:18120 backlog=4096; location / { proxy_pass http://up; } }
}
EOF
    taskset -c "$proxy_cpu" nginx -c "$dir/nginx.conf" -p "$dir" >"$dir/nginx.log" 2>&1 &
    pids+=($!)
    wait_port 18120 && add nginx http://127.0.0.1:18120/ ${pids[-1]}
else
    echo "nginx is not installed: left out"
fi
if command -v haproxy >/dev/null; then
    cat >"$dir/haproxy.cfg" <<EOF
global
  nbthread 1
  maxconn 4096
  no strict-limits
defaults
  mode http
  timeout connect 2s
  timeout client 75s
  timeout server 30s
  timeout http-keep-alive 75s
  http-reuse always
frontend f
  bind 127.0.0.1:18130
  http-request set-header X-Forwarded-For %[src]
  default_backend b
backend b
  server s 127.0.0.1:$up
EOF
    taskset -c "$proxy_cpu" haproxy -db -f "$dir/haproxy.cfg" >"$dir/haproxy.log" 2>&1 &
    pids+=($!)
    wait_port 18130 && add haproxy http://127.0.0.1:18130/ ${pids[-1]}
else
    echo "haproxy is not installed: left out"
fi

one() { # NAME ROUND
    local before after out requests bad
    before=$(cpu_us "${root[$1]}")
    out=$(taskset -c "$load_cpu" wrk -t1 -c"$connections" -d"${seconds}s" --timeout 5s \
        "${url[$1]}" 2>&1)
    after=$(cpu_us "${root[$1]}")
    requests=$(awk '/requests in/ { print $1 }' <<<"$out")
    bad=$(grep -E 'Non-2xx|Socket errors' <<<"$out" | tr -s ' ')
    [ "$2" -gt 0 ] || return 0
    awk -v n="$1" -v r="$2" -v us=$((after - before)) -v q="${requests:-0}" -v s="$seconds" \
        -v bad="$bad" 'BEGIN { if (q < 1) q = 1
        printf "W1 %s round %d: %.2f us/request, %d requests/s, core %.2f%s\n",
            n, r, us / q, q / s, us / s / 1e6, bad == "" ? "" : ", " bad }' |
        tee -a "$dir/results"
}
for name in "${names[@]}"; do one "$name" 0; done # warm
for ((round = 1; round <= rounds; round++)); do
    for ((i = 0; i < ${#names[@]}; i++)); do
        one "${names[(i + round) % ${#names[@]}]}" "$round"
    done
done
awk '
    function median(list, n,    i, j, t) {
        for (i = 2; i <= n; i++)
            for (j = i; j > 1 && list[j] < list[j - 1]; j--) {
                t = list[j]; list[j] = list[j - 1]; list[j - 1] = t
            }
        return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
    }
    { round = $4 + 0; cost[$2, round] = $5; names[$2] = 1; if (round > last) last = round }
    END {
        for (name in names) {
            least = 0
            for (r = 1; r <= last; r++) {
                all[r] = cost[name, r]
                if (least == 0 || all[r] < least) least = all[r]
            }
            printf "W1 %s: median %.2f us/request, quietest round %.2f\n", name,
                median(all, last), least
        }
        for (name in names) {
            if (name == "gw") continue
            for (r = 1; r <= last; r++) ratio[r] = cost["gw", r] / cost[name, r]
            printf "RATIO W1 %s %.2f\n", name, median(ratio, last)
        }
    }' "$dir/results"

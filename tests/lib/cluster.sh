# shellcheck shell=bash
# Sourced by stories after tap.sh: a cluster of real nodes on loopback, and sample upstreams.
#
#   cluster_open                 makes $dir, removes it and ends every process when the story ends
#   cluster_start N              founds a cluster of N nodes (names in $names), waits until it is healthy
#   node_start I, node_kill I (-9), node_stop I (TERM), node_pause I, node_resume I
#   gw I ARGS…                   gwctl against node I's socket
#   upstream_start NAME          a sample upstream; its port in ${upstream_port[NAME]}
#   leader                       number of the leading node, by its own word, or nothing
#   expect EXIT NAME COMMAND…    ok when the command exits so; what it said is in $dir/out and $dir/err
#   says NAME PATTERN…           ok when $dir/out or $dir/err has a line for every pattern
#   within NAME LIMIT VALUE UNIT prints a figure, and checks it unless a sanitizer is at work
# Node I: ${name[I]}, ${data[I]}, ${pid[I]}, ${proxy[I]}, ${admin[I]}, ${peer[I]}, ${health[I]}: ports.

declare -a name=(- eu-1 us-1 ap-1 eu-2 us-2) region=(- eu us ap eu us)
declare -a address=(- 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1) # of their peer ports
declare -a data pid proxy admin peer health
declare -A upstream_port upstream_pid
declare -a disks=() # mounted
nodes=0

cluster_open() {
    ports_claim
    dir=$(mktemp -d "${TMPDIR:-/tmp}/gw-story.XXXXXX")
    trap cluster_close EXIT
    trap 'exit 130' INT TERM
}

cluster_close() {
    local i at
    set +e
    for i in "${!pid[@]}"; do [ -n "${pid[$i]}" ] && kill -CONT "${pid[$i]}" 2>/dev/null && kill -9 "${pid[$i]}" 2>/dev/null; done
    for i in "${!upstream_pid[@]}"; do kill -9 "${upstream_pid[$i]}" 2>/dev/null; done
    for i in $(jobs -p); do kill -9 "$i" 2>/dev/null; done
    wait 2>/dev/null
    if [ "${tap_failed:-0}" -ne 0 ]; then
        for i in "${!data[@]}"; do
            echo "# --- log of node $i (${name[$i]})"
            grep -av '^{"ts"' "${data[$i]}.log" 2>/dev/null | tail -n 60 # without the access log
        done
    fi
    for at in "${disks[@]}"; do umount "$at"; done
    rm -rf "$dir"
}

# at I COMMAND…: where node I's ports are reached. The lab of tests/lab has another way.
at() {
    shift
    "$@"
}

gw() {
    local node=$1
    shift
    "$GW_BIN/gwctl" -e "unix:${data[$node]}/admin.sock" "$@"
}

tool() {
    local program=$1
    shift
    "$GW_BIN/../tests/lib/$program" "$@"
}
# A story has a hundred ports of its own while it, or anything that it started, runs: a node that is down for a while
# must find its ports free when it comes back.
ports_claim() {
    local block
    mkdir -p /tmp/gw-ports && chmod 1777 /tmp/gw-ports 2>/dev/null
    for block in $(seq 0 199 | shuf); do
        { exec {ports_lock}>>"/tmp/gw-ports/$block"; } 2>/dev/null || continue
        chmod 666 "/tmp/gw-ports/$block" 2>/dev/null
        flock -n "$ports_lock" && ports_from=$((10000 + block * 100)) && return
        exec {ports_lock}>&-
    done
    ports_from=$((10000 + RANDOM % 200 * 100)) # all are taken, or none can be claimed: as luck has it
}
# Each is given once, bound or not. Called in subshells, so what was given stands in a file.
ports() {
    local next list
    next=$(cat "$dir/ports" 2>/dev/null || echo "$ports_from")
    list=$(tool freeport "$1" "$next" $((ports_from + 100 - next))) || return
    echo $((${list##*$'\n'} + 1)) >"$dir/ports"
    echo "$list"
}

expect() {
    local want=$1 what=$2 got
    shift 2
    "$@" >"$dir/out" 2>"$dir/err"
    got=$?
    if [ "$got" = "$want" ]; then
        ok "$what"
    else
        not_ok "$what"
        note "exit $got instead of $want: $*"
        head -n 20 "$dir/out" "$dir/err" | sed 's/^/#   /'
    fi
}
says() {
    local what=$1 pattern
    shift
    for pattern in "$@"; do
        if ! cat "$dir/out" "$dir/err" | grep -qE -- "$pattern"; then
            not_ok "$what"
            note "no line like: $pattern"
            head -n 20 "$dir/out" "$dir/err" | sed 's/^/#   /'
            return
        fi
    done
    ok "$what"
}
within() { # NAME LIMIT VALUE UNIT
    note "$1: $3 $4 (limit $2 $4)"
    if [ -n "${GW_SANITIZED:-}" ]; then
        [ -n "$3" ] && [ "$3" != null ] && ok "$1" || not_ok "$1"
    else
        check "$1" awk -v value="$3" -v limit="$2" 'BEGIN { exit !(value != "" && value != "null" && value + 0 <= limit) }'
    fi
}
# is_true [jq options] CONDITION [FILE]: unlike jq -e, false when there is no input.
is_true() { [ "$(jq "$@" 2>/dev/null)" = true ]; }
now_ms() { date +%s%3N; }

# Where node I shall listen. Kept over restarts.
node_plan() {
    local i=$1 list
    # A node that was started may not listen yet, so that its ports still look free.
    until
        mapfile -t list < <(ports 4)
        ! printf '%s\n' "${peer[@]}" "${admin[@]}" "${health[@]}" "${proxy[@]}" | grep -qxF "$(printf '%s\n' "${list[@]}")"
    do :; done
    peer[i]=${list[0]} admin[i]=${list[1]} health[i]=${list[2]} proxy[i]=${list[3]}
    data[i]=$dir/${name[i]}
}

node_options() {
    local i=$1
    printf '%s\n' --data-dir "${data[i]}" --name "${name[i]}" --region "${region[i]}" \
        --peer "${address[i]}:${peer[i]}" --peer-listen "${address[i]}:${peer[i]}" --admin "127.0.0.1:${admin[i]}" \
        --health "127.0.0.1:${health[i]}" --listener "http=127.0.0.1:${proxy[i]}"
}

node_init() {
    local i=$1 options
    shift
    node_plan "$i"
    mapfile -t options < <(node_options "$i")
    at "$i" "$GW_BIN/gwctl" cluster init "${options[@]}" --cluster story --token-out "$dir/token" "$@" >>"${data[i]}.log" 2>&1
}

node_join() {
    local i=$1 options
    shift
    node_plan "$i"
    mapfile -t options < <(node_options "$i")
    at "$i" "$GW_BIN/gwctl" cluster join --token-file "$dir/token" "${options[@]}" --wait 30s "$@" >>"${data[i]}.log" 2>&1
}

node_start() {
    local i=$1
    "$GW_BIN/gwd" --data-dir "${data[i]}" >>"${data[i]}.log" 2>&1 &
    pid[i]=$!
}

node_is_up() { at "$1" curl -sf -o /dev/null --max-time 1 "http://127.0.0.1:${health[$1]}/livez"; }
# All at once, as a power cut does.
nodes_kill() {
    local i
    for i in "$@"; do kill -9 "${pid[$i]}" 2>/dev/null; done
    for i in "$@"; do wait "${pid[$i]}" 2>/dev/null; pid[$i]=; done
    return 0
}
node_kill() { kill -9 "${pid[$1]}" 2>/dev/null; wait "${pid[$1]}" 2>/dev/null; pid[$1]=; return 0; }
node_stop() { local p=${pid[$1]}; pid[$1]=; kill -TERM "$p" && wait "$p"; }
node_pause() { kill -STOP "${pid[$1]}"; }
node_resume() { kill -CONT "${pid[$1]}"; }

cluster_start() {
    local i
    nodes=$1
    node_init 1 || { not_ok "found a cluster"; return 1; }
    node_start 1
    wait_until 15 node_is_up 1 || { not_ok "the first node starts"; return 1; }
    for ((i = 2; i <= nodes; i++)); do
        node_join "$i" || { not_ok "node $i joins"; return 1; }
        node_start "$i"
    done
    gw 1 cluster wait --healthy --voters "$(((nodes - 1) / 2 * 2 + 1))" --timeout 60s >/dev/null || {
        not_ok "the cluster becomes healthy"
        gw 1 cluster status
        return 1
    }
}

upstream_start() {
    local port
    port=$(ports 1)
    upstream_port[$1]=$port
    "$GW_BIN/upstream" --listen "127.0.0.1:$port" --name "$1" >>"$dir/upstream-$1.log" 2>&1 &
    upstream_pid[$1]=$!
    wait_until 5 curl -sf -o /dev/null "http://127.0.0.1:$port/healthz"
}

# small_disk I NAME SIZE: node I's directory gets a file system of its own, before it is made: ext4 on a loop device,
# else tmpfs. False, and said by skip NAME, where nothing may be mounted. disk_leave I KIB fills it but for so much,
# disk_free I empties it again.
small_disk() {
    local at="$dir/disk-$1"
    mkdir -p "$at"
    if truncate -s "$3" "$at.image" && mkfs.ext4 -q -m 0 -F "$at.image" 2>/dev/null && mount -o loop "$at.image" "$at" 2>/dev/null; then
        rmdir "$at/lost+found"
    elif ! mount -t tmpfs -o "size=$3,mode=0755" tmpfs "$at" 2>"$dir/mount.err"; then
        skip "$2" "nothing may be mounted here: $(head -n 1 "$dir/mount.err")"
        return 1
    fi
    disks+=("$at")
    mkdir "$at/data"
    ln -s "$at/data" "$dir/${name[$1]}"
}
disk_kib() { df --output=avail -k "$dir/disk-$1" | tail -n 1; }
disk_leave() {
    local at="$dir/disk-$1" kib
    kib=$(($(disk_kib "$1") - $2 - 512)) # the file system takes some for itself
    [ "$kib" -le 0 ] || fallocate -l "${kib}K" "$at/fill-$(now_ms)" || return 1
    [ "$2" -ne 0 ] || dd if=/dev/zero of="$at/fill-rest" bs=4k status=none 2>/dev/null || :
}
disk_free() { rm -f "$dir/disk-$1"/fill-*; }

# trace_start I NAME CALLS HOW: strace injects into node I's calls, as "error=EIO". False, and said: it cannot be had
# here (skip NAME), or it should be and is not (not ok). trace_stop ends it.
trace_start() {
    local i=$1 what=$2 calls=$3 how=$4
    command -v strace >/dev/null || { skip "$what" "strace is not installed"; return 1; }
    strace -q -o /dev/null true 2>"$dir/strace.err" || { skip "$what" "nothing may be traced here: $(head -n 1 "$dir/strace.err")"; return 1; }
    strace -f -q -p "${pid[$i]}" -e trace="$calls" -e inject="$calls:$how" -o /dev/null 2>"$dir/strace.err" &
    tracer=$!
    wait_until 5 is_traced "$i" && return 0
    # Yama lets a process trace its children only, unless it may do everything.
    if [ "$(id -u)" != 0 ] && [ "$(cat /proc/sys/kernel/yama/ptrace_scope 2>/dev/null || echo 0)" != 0 ]; then
        skip "$what" "strace may not attach here: $(head -n 1 "$dir/strace.err")"
    else
        not_ok "$what: strace attaches to a node"
        sed 's/^/#   /' "$dir/strace.err"
    fi
    trace_stop
    return 1
}
is_traced() { [ "$(awk '/^TracerPid/ { print $2 }' "/proc/${pid[$1]}/status")" = "$tracer" ]; }
trace_stop() { kill "$tracer" 2>/dev/null; wait "$tracer" 2>/dev/null; return 0; }

leads() { [ -n "${pid[$1]:-}" ] && at "$1" curl -sf -o /dev/null --max-time 1 "http://127.0.0.1:${health[$1]}/readyz?leader"; }
leader() {
    local i
    for ((i = 1; i <= nodes; i++)); do leads "$i" && echo "$i" && return 0; done
    return 1
}
has_leader() { leader >/dev/null; }

# Any node but the leader.
follower() {
    local i
    for ((i = 1; i <= nodes; i++)); do [ -n "${pid[$i]}" ] && ! leads "$i" && echo "$i" && return 0; done
    return 1
}
others() { # I: all nodes but that
    local i
    for ((i = 1; i <= nodes; i++)); do [ "$i" = "$1" ] || echo "$i"; done
}
# What node I holds by itself, as one word: revision and content of all objects.
holds() { gw "$1" --stale -q get all -o json 2>/dev/null | jq -cS '[.items[] | del(.status)]' | sha256sum | cut -c1-16; }
digest_of() { at "$1" curl -s --max-time 2 "http://127.0.0.1:${health[$1]}/metrics" | awk '/^gw_state_digest/ { print $1 $2 }'; }
in_sync() { # I…: the same content, and the same digest of the replicated state, at the same index
    local i first='' this
    for i in "$@"; do
        this=$(holds "$i")$(digest_of "$i")
        [ -n "$first" ] || first=$this
        [ "$this" = "$first" ] || return 1
    done
    [ -n "$first" ]
}
healthy() { gw "$1" cluster status >/dev/null 2>&1; }
apply() { # I [options]: the objects on stdin
    local node=$1
    shift
    gw "$node" apply -f - "$@"
}

# fetch I PATH [curl options]: through node I's proxy, with the demo's host name.
fetch() {
    local i=$1 path=$2
    shift 2
    at "$i" curl -s --max-time 5 -H 'host: demo.example' "$@" "http://127.0.0.1:${proxy[i]}$path"
}
status_of() { fetch "$1" "$2" -o /dev/null -w '%{http_code}'; }
all_serve() { # PATH [STATUS]
    local i
    for ((i = 1; i <= nodes; i++)); do
        [ -z "${pid[$i]}" ] || [ "$(status_of "$i" "$1")" = "${2:-200}" ] || return 1
    done
}
proxies() { # I…: their addresses
    local i
    for i in "$@"; do echo "127.0.0.1:${proxy[$i]}"; done
}
serves() { [ "$(status_of "$1" "$2")" = 200 ]; }
metric() { at "$1" curl -s --max-time 2 "http://127.0.0.1:${health[$1]}/metrics" | awk -v m="$2" '$1 == m { print $2 }'; }

# The basic configuration: listener http, service hello over upstream "hello", route /hello.
basic() {
    cat <<YAML
apiVersion: gw/v1
kind: Listener
metadata: {name: http}
spec: {bind: "127.0.0.1:8080", protocols: [http/1.1]}
---
apiVersion: gw/v1
kind: Service
metadata: {name: hello}
spec:
  endpoints: [{name: hello-1, address: "127.0.0.1:${upstream_port[hello]}"}]
---
apiVersion: gw/v1
kind: Route
metadata: {name: hello}
spec: {match: {hosts: [demo.example], path: {prefix: /hello}}, service: hello}
YAML
}
route() { # NAME PATH
    cat <<YAML
apiVersion: gw/v1
kind: Route
metadata: {name: $1}
spec: {match: {hosts: [demo.example], path: {prefix: $2}}, service: hello}
YAML
}
load_start() { # I NAME [PAUSE_US]
    "$GW_BIN/../tests/lib/load" "127.0.0.1:${proxy[$1]}" demo.example /hello 4 "${3:-1000}" >"$dir/load-$2.json" &
    eval "load_pid_$2=$!"
}
load_stop() { # NAME: prints how it went
    eval "kill -TERM \$load_pid_$1"
    # Not `wait`: this may run in a subshell, whose child it is not. The line is written at once.
    wait_until 10 test -s "$dir/load-$1.json"
    cat "$dir/load-$1.json"
}

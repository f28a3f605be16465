# shellcheck shell=bash
# Sourced by stories of the lab after tests/lib/tap.sh and tests/lib/cluster.sh: the cluster of cluster.sh, but each
# node in a network namespace of its own. Every node has an upstream on its own loopback, at 127.0.0.1:9000.
#
#   lab_open SPEC                as cluster_open, and a lab of that shape; skips the story where there can be none
#   lab ARGS…                    lab.sh: faults
#   host I                       node I's host
# Node I of cluster.sh stands on host nI, in the region where the lab has that host.

lab_name=l$((RANDOM % 9999))
lab() { "$GW_ROOT/tests/lab/lab.sh" -l "$lab_name" "$@"; }
host() { echo "n$1"; }

lab_open() {
    local why line
    local -a words=(- eu us ap sa af)
    why=$(lab can) || {
        skip "${0##*/}" "$why"
        exit 0
    }
    cluster_open
    trap lab_close EXIT
    lab up "$1" || { not_ok "the lab is up"; exit 1; }
    while read -r -a line; do
        case ${line[0]} in
        n*)
            address[${line[0]#n}]=${line[2]}
            region[${line[0]#n}]=${words[${line[1]}]}
            name[${line[0]#n}]=${words[${line[1]}]}-${line[0]#n} ;;
        esac
    done < <(lab hosts)
}
lab_close() {
    cluster_close
    lab down
}

at() {
    local i=$1
    shift
    nsenter --net="/run/netns/$lab_name-n$i" -- "$@"
}

node_plan() {
    peer[$1]=7000 admin[$1]=7001 health[$1]=7002 proxy[$1]=8080
    data[$1]=$dir/${name[$1]}
}

node_start() {
    (exec nsenter --net="/run/netns/$lab_name-n$1" -- "$GW_BIN/gwd" --data-dir "${data[$1]}") >>"${data[$1]}.log" 2>&1 &
    pid[$1]=$!
    [ -n "${upstream_pid[n$1]:-}" ] || {
        (exec nsenter --net="/run/netns/$lab_name-n$1" -- "$GW_BIN/upstream" --listen 127.0.0.1:9000 --name "n$1") \
            >>"$dir/upstream-$1.log" 2>&1 &
        upstream_pid[n$1]=$!
    }
}

load_start() { # I NAME [PAUSE_US]
    (exec nsenter --net="/run/netns/$lab_name-n$1" -- "$GW_BIN/../tests/lib/load" "127.0.0.1:${proxy[$1]}" \
        demo.example /hello 4 "${3:-1000}") >"$dir/load-$2.json" &
    eval "load_pid_$2=$!"
}

# shellcheck shell=bash
# Sourced by benchmarks after tests/lib/cluster.sh: a cluster of three etcd members on loopback, on the disk of $dir.
#
#   etcd_start            starts them with etcd's own defaults, waits until each answers
#   etcd_member_start I   one member, new or again
#   etcd_leader           number of the leading member
#   etcd_answers I        whether member I serves a linearizable read
# Member I: ${etcd_pid[I]}, ${etcd_client[I]} (host:port), ${etcd_data[I]}.

declare -a etcd_pid etcd_client etcd_peer etcd_data
etcd_cluster=

etcd_member_start() {
    etcd --name "m$1" --data-dir "${etcd_data[$1]}" --log-level error \
        --listen-client-urls "http://${etcd_client[$1]}" --advertise-client-urls "http://${etcd_client[$1]}" \
        --listen-peer-urls "http://${etcd_peer[$1]}" --initial-advertise-peer-urls "http://${etcd_peer[$1]}" \
        --initial-cluster "$etcd_cluster" --initial-cluster-token bench --quota-backend-bytes 8589934592 \
        >>"$dir/etcd-$1.log" 2>&1 &
    etcd_pid[$1]=$!
    pid[100 + $1]=$! # cluster_close ends it
}

etcd_start() {
    local i list
    mapfile -t list < <(ports 6)
    for i in 1 2 3; do
        etcd_client[i]=127.0.0.1:${list[i - 1]} etcd_peer[i]=127.0.0.1:${list[i + 2]} etcd_data[i]=$dir/etcd-$i
        etcd_cluster=$etcd_cluster${etcd_cluster:+,}m$i=http://${etcd_peer[i]}
    done
    for i in 1 2 3; do etcd_member_start "$i"; done
    for i in 1 2 3; do
        wait_until 30 etcd_answers "$i" || { echo "etcd did not start:" >&2; tail -n 20 "$dir/etcd-$i.log" >&2; return 1; }
    done
}

etcd_answers() {
    curl -sf -o /dev/null --max-time 2 "http://${etcd_client[$1]}/v3/kv/range" -d '{"key":"YQ=="}'
}

etcd_status() { curl -sf --max-time 2 "http://${etcd_client[$1]}/v3/maintenance/status" -d '{}'; }

etcd_leader() {
    local i
    for i in 1 2 3; do
        etcd_status "$i" | jq -e '.leader == .header.member_id' >/dev/null 2>&1 && echo "$i" && return 0
    done
    return 1
}

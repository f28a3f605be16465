#!/usr/bin/env bash
# Several endpoints: one that takes a question and never answers costs its share of the time, not all of it, and what
# it may have taken is done once.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 3 || exit 1
basic | apply 1 >/dev/null && wait_until 5 all_serve /hello || not_ok "the configuration is served"
export XDG_CONFIG_HOME=$dir/config
"$GW_BIN/gwctl" context import "${data[1]}/admin.yaml" >/dev/null

lead=$(leader)
mapfile -t rest < <(others "$lead")
silent=${rest[0]} good=${rest[1]}
sockets=unix:${data[$silent]}/admin.sock,unix:${data[$good]}/admin.sock
ports=https://127.0.0.1:${admin[$silent]},https://127.0.0.1:${admin[$good]}
asked() { # NAME ENDPOINTS COMMAND…: is answered with time left, and not before the first had its share
    local name=$1 endpoints=$2 begun
    shift 2
    begun=$(now_ms)
    expect 0 "$name" "$GW_BIN/gwctl" -e "$endpoints" --timeout 10s "$@"
    within "$name, in" 8000 $(($(now_ms) - begun)) ms
}

asked_there() { metric "$silent" gw_admin_requests_total; }
has_read_all() { [ "$(asked_there)" -ge $((before + 4)) ]; } # a read, a write, and the last one twice at least
before=$(asked_there)
node_pause "$silent"
asked "a read by the socket" "$sockets" get route hello
asked "a read over TLS" "$ports" get route hello
asked "a write by the socket" "$sockets" apply -f <(route once /once)
asked "a write over TLS" "$ports" apply -f <(route other /other)
asked "one that waits for the nodes of a region, over TLS" "$ports" delete route other --wait region
expect 0 "the change is undone elsewhere" gw "$good" delete route once
expect 6 "a dead one behind it is said to be dead" "$GW_BIN/gwctl" -e "unix:${data[$silent]}/admin.sock,unix:$dir/none.sock" --timeout 1s cluster leader
expect 9 "a silent one alone has all the time, and no more" "$GW_BIN/gwctl" -e "unix:${data[$silent]}/admin.sock" --timeout 1s cluster leader
says "says so" 'within|time'
expect 9 "a write to silent ones alone: who knows" "$GW_BIN/gwctl" -e "unix:${data[$silent]}/admin.sock,unix:${data[$silent]}/admin.sock" --timeout 2s apply -f <(route never /never)
says "says by which id to ask again" 'request id [0-9a-f]+'

# It wakes up and reads what it was asked: what was done elsewhere is not done again.
node_resume "$silent"
check "all are well" wait_until 20 healthy "$lead"
check "it reads what it was asked meanwhile" wait_until 20 has_read_all
check "and answers" wait_until 20 gw "$silent" -q get route hello -o name
expect 4 "what was done and undone stays so" gw "$good" get route once
check "all have the same" wait_until 20 in_sync 1 2 3
tap_end

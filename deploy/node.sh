#!/bin/sh
# What a container of a node runs (in the image: gw-node): makes the data directory what it shall be, then becomes gwd.
#
#   gw-node found      the first node of a cluster: founds it, and leaves a token for the others in /shared/token
#   gw-node join       any other node: joins by the token in /shared/token, for which it waits a minute
#   gw-node example    not a node: applies the example to the node whose data directory is here, unless it has routes
#
# Environment of a node: GW_REGION (needed) · GW_NODE (its name; default: the host name) · GW_ZONE · GW_CLUSTER (found)
# GW_PEER (host:port where the others reach it; default: its name, port 7000) · GW_METRICS_FROM (networks that may read
# /metrics, as "10.0.0.0/8, 192.168.0.0/16") · GW_REPLACE (not empty: a node whose data is gone takes its own place)
#
# All of it only where the data directory is empty: later, gwd.yaml in there is what counts.
set -eu
data=/var/lib/quorumgate shared=/shared

say() { printf 'gw-node: %s\n' "$*" >&2; }

# As process 1 a shell would not end by TERM while it waits for a command in the foreground.
child=
trap 'exit 143' TERM
trap 'exit 130' INT
trap '[ -z "$child" ] || kill "$child" 2>/dev/null || :' EXIT
await() {
    "$@" &
    child=$!
    status=0
    wait "$child" || status=$?
    child=
    return "$status"
}

cluster() { # init|join OPTIONS...
    verb=$1
    shift
    await gwctl cluster "$verb" --if-needed --data-dir "$data" --name "$name" --region "${GW_REGION:-}" \
        ${GW_ZONE:+--zone "$GW_ZONE"} --peer "${GW_PEER:-$name:7000}" --admin :7001 --health :7002 "$@"
}

name=${GW_NODE:-$(hostname)}
fresh=
[ -e "$data/identity" ] || fresh=yes

case ${1:-} in
found)
    # A second cluster beside the first would be the worst that the loss of one volume could lead to.
    if [ -n "$fresh" ] && [ -e "$shared/founded" ] && [ -z "${GW_REPLACE:-}" ]; then
        say "'$name' founded a cluster before, and its data is gone; founding another one would split the nodes"
        say "next: put a new token into $shared/token (gwctl cluster token create, on another node), then start this with GW_REPLACE=yes; to begin anew, remove all volumes"
        exit 1
    elif [ -n "$fresh" ] && [ -e "$shared/founded" ]; then
        cluster join --replace --wait 60s --token-file "$shared/token"
    else
        cluster init --cluster "${GW_CLUSTER:-quorumgate}" --token-out "$shared/token"
        : >"$shared/founded"
    fi ;;
join)
    cluster join --wait 60s --token-file "$shared/token" ${GW_REPLACE:+${fresh:+--replace}} ;;
example)
    await gwctl cluster wait --healthy --timeout 120s
    if gwctl get route -o name | grep -q .; then
        say "there are routes already; the example stays out of the way"
    else
        await gwctl apply -f /usr/share/quorumgate/compose.yaml
    fi
    exit 0 ;;
*)
    say "usage: gw-node found|join|example"
    exit 2 ;;
esac

# The page is open to whoever reaches the port; who may read the metrics is a matter of the network around.
if [ -n "$fresh" ] && [ -n "${GW_METRICS_FROM:-}" ]; then
    sed -i "s|^health: {listen: \(.*\)}\$|health: {listen: \1, metricsFrom: [$GW_METRICS_FROM]}|" "$data/gwd.yaml"
fi
trap - EXIT
exec gwd --data-dir "$data"

#!/usr/bin/env bash
# The shape of a cluster of containers: a node cut off from its peers, a fourth node, a node whose volume is lost, and
# the founder's.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
. "$GW_ROOT/tests/docker/cluster.sh"
docker_open

dc_up || { not_ok "one command brings it up"; exit 1; }
check "all nodes are healthy and vote" wait_until 90 gw 1 -q cluster wait --healthy --voters 3 || exit 1
check "every node serves the example" wait_until 30 all_serve /hello

# The leader loses its peers, but neither its clients nor its upstreams.
lead=$(leader)
mapfile -t rest < <(others "$lead")
peers=$(network_of peers)
docker network disconnect "$peers" "${container[$lead]}"
another_leads() { leads "${rest[0]}" || leads "${rest[1]}"; }
check "a leader that is cut off is replaced" wait_until 20 another_leads
resigned() { ! leads "$lead"; }
check "and leads no longer" wait_until 10 resigned
expect 0 "the majority takes writes" gw "${rest[0]}" apply -f - --timeout 20s < <(route_to_hello cut)
expect 6 "the node that is cut off refuses them" gw "$lead" apply -f - --timeout 5s < <(route_to_hello never)
check "but serves what it has" serves "$lead" /hello
check "and is ready for traffic" gw "$lead" -q ready
docker network connect --alias "${name[$lead]}.peers" "$peers" "${container[$lead]}"
check "back on the network, it has what it missed" wait_until 30 serves "$lead" /cut
check "all are in sync" wait_until 30 in_sync 1 2 3
check "nothing came of what was refused" all_serve /never 404

# Scale out.
dc_up eu-2 || not_ok "a fourth container"
nodes=4
check "a fourth node joins" wait_until 60 is_back 4
check "and serves" wait_until 20 serves 4 /cut
check "all four know it" wait_until 20 gw 2 -q cluster wait --healthy
expect 0 "members" gw 1 cluster members
says "lists it" '^eu-2 +eu +'

# Scale in: removed first, then its container and volume.
expect 0 "it is removed" gw 1 --yes cluster remove eu-2
dc rm -sf eu-2 >/dev/null
docker volume rm "${project}_eu-2" >/dev/null
pid[4]= nodes=3
check "three are whole without it" wait_until 20 gw 1 -q cluster wait --healthy

# A follower's volume is lost: by itself it stays out, told to it takes its own place.
lost() { # I
    dc rm -sf "${name[$1]}" >/dev/null
    docker volume rm "${project}_${name[$1]}" >/dev/null || not_ok "the volume of ${name[$1]} is lost"
    pid[$1]=
}
heard() { docker logs "${container[$1]}" 2>&1 | grep -q -- "$2"; }
lost 2
dc_up us-1
check "a node without its data does not come back by itself" wait_until 30 heard 2 'us-1'
check "but is refused, for its name is taken" heard 2 '^next:'
GW_REPLACE=yes dc_up us-1
check "with GW_REPLACE it takes its own place" wait_until 60 is_back 2
check "and has everything" wait_until 30 in_sync 1 2 3

# The founder's volume is lost: that must not found a second cluster.
id=$(gw 2 cluster status -o json | jq -r .clusterId)
dc rm -sf example >/dev/null # which has the volume too
lost 1
dc_up eu-1
check "a founder without its data founds nothing" wait_until 30 heard 1 'founded a cluster before'
pid[1]=
check "the others go on" wait_until 20 all_serve /cut
expect 0 "a token of another node" docker exec "${container[2]}" sh -c 'umask 077; gwctl cluster token create >/shared/token'
GW_REPLACE=yes dc_up eu-1
check "with GW_REPLACE it joins its own cluster" wait_until 60 is_back 1
check "which is the same" [ "$(gw 1 cluster status -o json | jq -r .clusterId)" = "$id" ]
check "and it has everything" wait_until 30 in_sync 1 2 3
tap_end

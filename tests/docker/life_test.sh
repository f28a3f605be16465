#!/usr/bin/env bash
# A life in containers: up by one command, hardened as it says, written to and served by all, stopped gracefully, killed,
# replaced one node at a time, taken down and brought up again.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
. "$GW_ROOT/tests/docker/cluster.sh"
docker_open

begun=$(now_ms)
dc_up || { not_ok "one command brings it up"; exit 1; }
check "all nodes are healthy by their own check" wait_until 90 all_healthy 1 2 3 || exit 1
example_is_done() { [ "$(docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' "$(dc ps -aq example)")" = 'exited 0' ]; }
check "the example is applied" wait_until 60 example_is_done
check "every node serves it" wait_until 10 all_serve /hello
note "from nothing to serving: $(($(now_ms) - begun)) ms"
check "all three vote" wait_until 30 gw 1 -q cluster wait --healthy --voters 3

# What the page promises about a container.
for i in 1 2 3; do
    check "${name[$i]} is not root" [ "$(docker exec "${container[$i]}" id -u)" = 10001 ]
done
check "the root is read-only, says the engine" [ "$(state 1 '{{.HostConfig.ReadonlyRootfs}}')" = true ]
expect 1 "and a try to write" docker exec "${container[1]}" touch /usr/local/bin/x /x /tmp/x
says "is refused everywhere" "'/x': Read-only" "'/tmp/x': Read-only"
check "no capability, and none to be had" [ "$(docker exec "${container[1]}" sed -n 's/^\(CapEff\|CapBnd\|NoNewPrivs\):\t//p' /proc/1/status | tr '\n' ' ')" = '0000000000000000 0000000000000000 1 ' ]
check "gwd is process 1" [ "$(docker exec "${container[1]}" cat /proc/1/comm)" = gwd ]
check "the token is its owner's alone" [ "$(docker exec "${container[1]}" stat -c '%a %u' /shared/token)" = '600 10001' ]
check "nothing but loopback is published" [ -z "$(docker port "${container[1]}" | grep -v ' 127\.0\.0\.1:')" ]
check "the peer port is not published" [ -z "$(port_of 1 7000)" ]
check "metrics are for the networks of GW_METRICS_FROM" [ -n "$(metric 2 gw_config_revision)" ]

# The admin of the host.
export XDG_CONFIG_HOME=$dir/config
mkdir -p "$dir/config"
docker exec "${container[1]}" cat admin.yaml >"$dir/admin.yaml"
expect 0 "an admin context is imported on the host" "$GW_BIN/gwctl" -e "https://127.0.0.1:${admin[1]},https://127.0.0.1:${admin[2]}" context import "$dir/admin.yaml" --name compose
expect 0 "and reaches the cluster over the published port" "$GW_BIN/gwctl" --context compose cluster members
says "with all nodes" '^eu-1 ' '^us-1 ' '^ap-1 '
expect 0 "a write from the host" "$GW_BIN/gwctl" --context compose apply -f <(route_to_hello host)

# Through one node, served by all.
route_to_hello second | expect 0 "a write through us-1" gw 2 apply -f - --wait all
check "is served by all" wait_until 10 all_serve /second

# A stop is a drain: nothing fails that is asked of others, and the exit is clean.
load_start 1 stop
begun=$(now_ms)
dc stop us-1 >/dev/null
note "a stop takes $(($(now_ms) - begun)) ms"
check "a stopped node has drained and exits 0" [ "$(state 2 '{{.State.ExitCode}} {{.State.OOMKilled}}')" = '0 false' ]
here 2
check "writes go on without it" gw 1 -q apply -f - < <(route_to_hello without)
answer=$(load_stop stop)
check "no request failed at another node" is_true '.failures == 0 and .requests > 10' <<<"$answer"
dc start us-1 >/dev/null
check "it comes back" wait_until 60 is_back 2
check "and has what was written meanwhile" wait_until 20 serves 2 /without

# kill -9 of the leader, from outside, as an engine's or kernel's kill is.
for i in 1 2 3; do here "$i"; done
lead=$(leader)
mapfile -t rest < <(others "$lead")
load_start "${rest[0]}" kill
before=$(state "$lead" '{{.RestartCount}}')
kill -9 "${pid[$lead]}"
another_leads() { leads "${rest[0]}" || leads "${rest[1]}"; }
check "another node leads" wait_until 20 another_leads
expect 0 "writes go on" gw "${rest[1]}" apply -f - --timeout 20s < <(route_to_hello killed)
restarted() { [ "$(state "$lead" '{{.RestartCount}}')" -gt "$before" ]; }
check "the engine starts the killed node again" wait_until 30 restarted
check "which is healthy again" wait_until 60 is_back "$lead"
answer=$(load_stop kill)
note "load: $answer"
check "the others served on" is_true '.failures == 0 and .requests > 10' <<<"$answer"
check "all serve what was written" wait_until 20 all_serve /killed

# An upgrade in small: every container is replaced, one at a time, on the same volumes.
for i in 2 3 1; do
    old=${container[$i]}
    dc up -d --no-deps --force-recreate "${name[$i]}" >>"$dir/compose.log"
    check "${name[$i]} is replaced and healthy" wait_until 60 is_back "$i"
    check "by another container" [ "${container[$i]}" != "$old" ]
    wait_until 30 healthy "$i" || not_ok "the cluster is whole again"
done
check "all have the same" wait_until 30 in_sync 1 2 3

# Down and up on the same volumes: the same cluster, and the example leaves it alone.
id=$(gw 1 cluster status -o json | jq -r .clusterId)
gw 1 -q delete route hello >/dev/null
dc down -t 20 >/dev/null
check "nothing is left but volumes" [ -z "$(made ps -a; made network ls)" ]
dc_up || not_ok "up again"
check "up again, all are healthy" wait_until 90 all_healthy 1 2 3
wait_until 60 example_is_done
check "it is the same cluster" [ "$(gw 1 cluster status -o json | jq -r .clusterId)" = "$id" ]
check "with what was written" wait_until 20 all_serve /killed
check "and what was deleted stays so" all_serve /hello 404
tap_end

# shellcheck shell=bash
# Sourced by stories of containers after tests/lib/tap.sh and tests/lib/cluster.sh: docker-compose.yml as it stands,
# under a project name of the story's own and with any free loopback ports instead of the usual ones.
#
#   docker_open                  as cluster_open; everything of the project is removed when the story ends
#   dc ARGS…                     compose, v2 or 1.29
#   dc_up [SERVICE…]             up -d, then look where everything is
#   here I…                      where nodes are now: a container gets new ports with every start
#   gw, at, fetch, leader, in_sync, …   of cluster.sh, for node I of the containers eu-1, us-1, ap-1, eu-2, us-2
#   state I FORMAT               docker inspect of node I's container
# GW_IMAGE is the image.

project=gwstory$$
declare -a container

if docker compose version >/dev/null 2>&1; then compose=(docker compose); else compose=(docker-compose); fi
dc() { "${compose[@]}" -p "$project" -f "$dir/compose.yml" --project-directory "$GW_ROOT" "$@" 2>>"$dir/compose.log"; }

docker_open() {
    cluster_open
    trap docker_close EXIT
    sed 's/"127\.0\.0\.1:[0-9]*:/"127.0.0.1::/g' "$GW_ROOT/docker-compose.yml" >"$dir/compose.yml"
    nodes=3
}
made() { docker "$@" -q --filter "label=com.docker.compose.project=$project"; }
docker_close() {
    set +e
    if [ "${tap_failed:-0}" -ne 0 ]; then
        tail -n 40 "$dir/compose.log"
        dc logs --no-color --tail 40
    fi
    # By label, as compose finds them, in a session of its own: what is left is removed also when the story is killed
    # meanwhile, as it is five seconds after its limit on time.
    export -f made
    project=$project setsid bash -c 'made ps -a | xargs -r docker rm -fv
        made network ls | xargs -r docker network rm
        made volume ls | xargs -r docker volume rm' >/dev/null &
    wait $!
    pid=() # of the containers; what is left to end are tools
    cluster_close
}

state() { docker inspect -f "$2" "${container[$1]}" 2>/dev/null; }
is_healthy() { [ "$(state "$1" '{{.State.Health.Status}}')" = healthy ]; }
all_healthy() {
    local i
    for i in "$@"; do is_healthy "$i" || return 1; done
}
port_of() { docker port "${container[$1]}" "$2" 2>/dev/null | sed -n 's/^127\.0\.0\.1://p' | head -n 1; }
here() {
    local i
    for i in "$@"; do
        container[i]=$(dc ps -aq "${name[$i]}")
        proxy[i]=$(port_of "$i" 8080) admin[i]=$(port_of "$i" 7001) health[i]=$(port_of "$i" 7002)
        pid[i]=$(state "$i" '{{if .State.Running}}{{.State.Pid}}{{end}}')
    done
}
dc_up() {
    local i
    dc up -d "$@" >>"$dir/compose.log" || return 1
    for i in 1 2 3 4 5; do
        [ -z "$(dc ps -aq "${name[$i]}" 2>/dev/null)" ] || here "$i"
    done
}

gw() {
    local node=$1
    shift
    docker exec -i "${container[$node]}" gwctl "$@"
}
# Started again by its restart policy, and found where it is now.
is_back() { here "$1" && [ -n "${pid[$1]}" ] && [ -n "${proxy[$1]}" ] && is_healthy "$1"; }
network_of() { made network ls --filter "label=com.docker.compose.network=$1"; }

# Another route on the service that the example defines.
route_to_hello() { # NAME
    cat <<YAML
apiVersion: gw/v1
kind: Route
metadata: {name: $1}
spec: {match: {hosts: [demo.example], path: {prefix: /$1}}, service: hello}
YAML
}

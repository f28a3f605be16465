#!/usr/bin/env bash
# A lab of network namespaces: hosts in several regions on one machine, and faults between them on demand. Nothing
# outside of the lab's own namespaces is touched. Needs root, iproute2, nftables and /dev/net/tun.
#
#   lab.sh [-l LAB] COMMAND…         (LAB: default lab, or $GW_LAB; 1 to 6 of a-z0-9)
#
#   up 2,2,1                         hosts per region; also a host cR for clients in each region R
#   adopt HOST=REGION,ADDRESS,PID…   instead of up: hosts are the network namespaces of these processes, as those of
#                                    containers on one network; partitions and disks work, links between regions do not
#   down                             ends every process inside, removes everything; no error where there is none
#   can                              says what keeps this machine from running the lab, and exits 1; or nothing
#   hosts                            lines NAME REGION ADDRESS
#   ns HOST · addr HOST              name of its network namespace · its address
#   exec HOST COMMAND…               becomes COMMAND inside of HOST
#
# Partitions: packets are dropped where they arrive, in silence. GROUP is a list with commas of hosts (n1, c1),
# regions (r2: its nodes and its client), or the words nodes and rest (every node not in an earlier group).
#   partition GROUP GROUP…           nothing passes between different groups
#   oneway FROM TO                   FROM's packets do not reach TO; TO's reach FROM
#   isolate HOST                     from all other nodes; clients still reach it
#   ring                             each node sees a majority, no two the same one
#   bridge HOST                      two halves that only HOST still connects
#   loss FROM TO PERCENT             of FROM's packets to TO, on top of the rest; 0: none
#   heal                             undoes all of these
#
# Links between regions: [-1] one direction only. SETTING: delay 40ms | jitter 5ms | loss 1% | rate 10mbit, for each
# direction; what a call leaves out is none.
#   wan REGION REGION SETTING…  ·  wan all SETTING…  ·  wan -1 REGION REGION SETTING…  ·  calm
#
# Disks: a file system of its own for a host, in memory; fill takes all of its space, unfill gives it back.
#   disk HOST SIZE (prints its path)  ·  fill HOST  ·  unfill HOST
#
# Addresses: region R is 198.18.R.0/24, its router .1, node nI .(10+I), client cR .200. They are the same in every
# lab, since none has a link to the outside.
set -euo pipefail
export LC_ALL=C

die() { echo "lab: $*" >&2; exit 1; }
usage() { echo "lab: $*" >&2; echo "lab: the head of $0 says how it is used" >&2; exit 2; }

lab=${GW_LAB:-lab}
if [ "${1:-}" = -l ]; then lab=${2:-}; shift 2 || usage "-l needs a name"; fi
[[ $lab =~ ^[a-z][a-z0-9]{0,5}$ ]] || usage "a lab's name is 1 to 6 of a-z0-9, a letter first, not '$lab'"
state=/run/quorumgate-lab/$lab
link_program=${GW_LINK:-${GW_BIN:-$(dirname "$0")/../../build/release/bin}/../tests/lab/link}

# --- what is there ---
declare -a hosts=()
declare -A region_of=() address_of=()
regions=0
load() {
    local name region address
    [ -f "$state/hosts" ] || die "lab '$lab' is not up"
    while read -r name region address; do
        hosts+=("$name") region_of[$name]=$region address_of[$name]=$address
        regions=$((region > regions ? region : regions))
    done <"$state/hosts"
}
need_host() { [ -n "${address_of[${1:-}]:-}" ] || usage "there is no host '${1:-}'; there are ${hosts[*]}"; }
need_region() { [[ ${1:-} =~ ^r([1-9])$ ]] && [ "${BASH_REMATCH[1]}" -le "$regions" ] || usage "there is no region '${1:-}'"; }
inside() { local host=$1; shift; nsenter --net="/run/netns/$lab-$host" -- "$@"; }
nodes() { printf '%s\n' "${hosts[@]}" | grep '^n'; }

expand() { # GROUP [EARLIER…]: the hosts of a group
    local word host
    for word in ${1//,/ }; do
        case $word in
        nodes) nodes ;;
        rest) nodes | grep -vxF -e "$(printf '%s\n' - ${*:2})" || : ;;
        r[0-9]*)
            need_region "$word"
            for host in "${hosts[@]}"; do [ "${region_of[$host]}" != "${word#r}" ] || echo "$host"; done ;;
        *) need_host "$word"; echo "$word" ;;
        esac
    done
}

# --- up and down ---
namespace_new() { # NAME FORWARDS
    ip netns add "$1" || die "cannot make the network namespace $1; is it left over? lab.sh -l $lab down"
    nsenter --net="/run/netns/$1" sh -c '
        echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
        echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter
        echo 0 >/proc/sys/net/ipv4/conf/default/rp_filter
        echo "$1" >/proc/sys/net/ipv4/ip_forward' sh "$2" 2>/dev/null || :
    ip -n "$1" link set lo up
}

host_new() { # NAME REGION LAST-OCTET
    local namespace=$lab-$1 router=$lab-rt$2
    namespace_new "$namespace" 0
    ip link add eth0 netns "$namespace" type veth peer name "p$1" netns "$router"
    ip -n "$router" link set "p$1" master br0 up
    ip -n "$namespace" addr add "198.18.$2.$3/24" dev eth0
    ip -n "$namespace" link set eth0 up
    ip -n "$namespace" route add default via "198.18.$2.1"
    filter_new "$namespace"
    echo "$1 $2 198.18.$2.$3" >>"$state/hosts.new"
}

filter_new() { # NAMESPACE
    nsenter --net="/run/netns/$1" nft -f - <<'NFT'
table inet lab {
    set dropped { type ipv4_addr; }
    chain lossy { }
    chain arrive {
        type filter hook input priority -300; policy accept;
        ip saddr @dropped drop
        jump lossy
    }
}
NFT
}

cmd_up() {
    local spec=${1:-2,2,1} r i j n=0 link
    [[ $spec =~ ^[1-9](,[1-9]){0,7}$ ]] || usage "up wants hosts per region, as 2,2,1"
    [ ! -f "$state/hosts" ] || die "lab '$lab' is up already"
    local why
    why=$(cmd_can) || die "$why"
    cmd_down # what an interrupted one left
    mkdir -p "$state"
    trap 'cmd_down' EXIT
    local -a per=(${spec//,/ }) ends=()
    for ((r = 1; r <= ${#per[@]}; r++)); do
        namespace_new "$lab-rt$r" 1
        ip -n "$lab-rt$r" link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
        ip -n "$lab-rt$r" addr add "198.18.$r.1/24" dev br0
        ip -n "$lab-rt$r" link set br0 up
        for ((i = 0; i < per[r - 1]; i++)); do n=$((n + 1)); host_new "n$n" "$r" $((10 + n)); done
        host_new "c$r" "$r" 200
    done
    : >"$state/drops" >"$state/losses" >"$state/links" >"$state/wan"
    for ((i = 1; i <= ${#per[@]}; i++)); do
        for ((j = i + 1; j <= ${#per[@]}; j++)); do
            ends+=("$lab-rt$i/w$j/$lab-rt$j/w$i")
            echo "$i $j" >>"$state/links"
        done
    done
    if [ ${#ends[@]} -gt 0 ]; then
        echo 0 >"$state/settings"
        setsid "$link_program" "$state/settings" "$state/now" "${ends[@]}" </dev/null >"$state/link.log" 2>&1 9>&- &
        echo $! >"$state/link.pid"
        settings_wait 0
    fi
    while read -r i j; do
        link=198.19.$((i * 16 + j))
        ip -n "$lab-rt$i" addr add "$link.1/30" dev "w$j"; ip -n "$lab-rt$i" link set "w$j" up
        ip -n "$lab-rt$j" addr add "$link.2/30" dev "w$i"; ip -n "$lab-rt$j" link set "w$i" up
        ip -n "$lab-rt$i" route add "198.18.$j.0/24" via "$link.2"
        ip -n "$lab-rt$j" route add "198.18.$i.0/24" via "$link.1"
    done <"$state/links"
    sort -V "$state/hosts.new" >"$state/hosts"
    trap - EXIT
}

cmd_adopt() {
    local word why
    [ $# -gt 0 ] || usage "adopt HOST=REGION,ADDRESS,PID…"
    [ ! -f "$state/hosts" ] || die "lab '$lab' is up already"
    why=$(can_filter) || die "$why"
    cmd_down
    mkdir -p "$state"
    trap 'cmd_down' EXIT
    for word in "$@"; do
        [[ $word =~ ^([nc][0-9]+)=([1-9]),([0-9.]+),([0-9]+)$ ]] || usage "'$word' is not HOST=REGION,ADDRESS,PID"
        ip netns attach "$lab-${BASH_REMATCH[1]}" "${BASH_REMATCH[4]}" || die "there is no network namespace of ${BASH_REMATCH[4]}"
        filter_new "$lab-${BASH_REMATCH[1]}"
        echo "${BASH_REMATCH[1]} ${BASH_REMATCH[2]} ${BASH_REMATCH[3]}" >>"$state/hosts.new"
    done
    : >"$state/drops" >"$state/losses" >"$state/wan"
    sort -V "$state/hosts.new" >"$state/hosts"
    trap - EXIT
}

namespaces() { ip netns list 2>/dev/null | awk -v start="$lab-" 'index($1, start) == 1 { print $1 }'; }

cmd_down() {
    local namespace process left path
    for left in 1 2 3 4 5 6 7 8; do
        left=
        for namespace in $(namespaces); do
            for process in $(ip netns pids "$namespace" 2>/dev/null); do
                left=yes
                kill -KILL "$process" 2>/dev/null || :
            done
        done
        [ -n "$left" ] || break
        sleep 0.1
    done
    if [ -f "$state/link.pid" ]; then
        process=$(<"$state/link.pid")
        case $(readlink "/proc/$process/exe" 2>/dev/null || :) in */tests/lab/link*) kill "$process" || : ;; esac
    fi
    for namespace in $(namespaces); do ip netns del "$namespace" || :; done
    for path in "$state"/disk/*/; do
        if mountpoint -q "$path" 2>/dev/null; then umount "$path" || umount -l "$path"; fi
    done
    rm -rf --one-file-system "$state"
}

cmd_can() {
    can_filter || return 1
    command -v setsid >/dev/null || { echo "setsid is not there: ./run setup test"; return 1; }
    [ -c /dev/net/tun ] || { echo "there is no /dev/net/tun"; return 1; }
    [ -x "$link_program" ] || { echo "$link_program is not built"; return 1; }
}
can_filter() {
    local tool
    [ "$(id -u)" = 0 ] || { echo "needs root"; return 1; }
    for tool in ip nft nsenter; do
        command -v "$tool" >/dev/null || { echo "$tool is not there: ./run setup test"; return 1; }
    done
    ip netns add "$lab-can$$" 2>/dev/null || { echo "this machine lets no network namespace be made"; return 1; }
    if ! nsenter --net="/run/netns/$lab-can$$" nft add table inet lab 2>/dev/null; then
        ip netns del "$lab-can$$"
        echo "the kernel has no nftables"
        return 1
    fi
    ip netns del "$lab-can$$"
}

# --- partitions ---
# $state/drops: lines FROM TO. $state/losses: lines FROM TO PERMILLE.
rules_load() {
    local host from to share
    for host in "${hosts[@]}"; do
        {
            echo "flush set inet lab dropped"
            echo "flush chain inet lab lossy"
            while read -r from to; do
                [ "$to" != "$host" ] || echo "add element inet lab dropped { ${address_of[$from]} }"
            done <"$state/drops"
            while read -r from to share; do
                [ "$to" != "$host" ] ||
                    echo "add rule inet lab lossy ip saddr ${address_of[$from]} numgen random mod 1000 < $share drop"
            done <"$state/losses"
        } | inside "$host" nft -f - || die "the rules of $host do not load"
    done
}
drops_add() { # lines FROM TO on stdin
    sort -u - "$state/drops" | awk '$1 != $2' >"$state/drops.new"
    mv "$state/drops.new" "$state/drops"
    rules_load
}
cross() { local from to; for from in $1; do for to in $2; do echo "$from $to"; done; done; }

cmd_partition() {
    local -a groups=()
    local word group earlier='' i j
    [ $# -ge 2 ] || usage "partition GROUP GROUP…"
    for word in "$@"; do
        group=$(expand "$word" $earlier)
        [ -n "$group" ] || usage "the group '$word' is empty"
        groups+=("$group") earlier+=" $group"
    done
    for i in "${!groups[@]}"; do
        for j in "${!groups[@]}"; do [ "$i" = "$j" ] || cross "${groups[$i]}" "${groups[$j]}"; done
    done | drops_add
}
cmd_oneway() {
    [ $# = 2 ] || usage "oneway FROM TO"
    local from
    from=$(expand "$1")
    cross "$from" "$(expand "$2" $from)" | drops_add
}
cmd_isolate() { need_host "${1:-}"; cmd_partition "$1" rest; }
cmd_ring() {
    local -a node
    local count i j apart kept
    mapfile -t node < <(nodes)
    count=${#node[@]}
    [ "$count" -ge 4 ] || die "a ring in which each sees a majority needs 4 nodes"
    kept=$(((count / 2 + 1) / 2)) # neighbours on each side
    for ((i = 0; i < count; i++)); do
        for ((j = 0; j < count; j++)); do
            apart=$(((i - j + count) % count))
            ((apart <= count - apart)) || apart=$((count - apart))
            ((apart <= kept)) || echo "${node[i]} ${node[j]}"
        done
    done | drops_add
}
cmd_bridge() {
    need_host "${1:-}"
    local -a node
    mapfile -t node < <(nodes | grep -vx "$1")
    local half=$((${#node[@]} / 2))
    [ "$half" -ge 1 ] || die "a bridge needs 3 nodes"
    { cross "${node[*]:0:half}" "${node[*]:half}"; cross "${node[*]:half}" "${node[*]:0:half}"; } | drops_add
}
cmd_loss() {
    [[ ${3:-} =~ ^[0-9]{1,2}$ ]] || usage "loss FROM TO PERCENT"
    local from
    from=$(expand "$1")
    cross "$from" "$(expand "$2" $from)" | awk -v share="$(($3 * 10))" 'share > 0 { print $1, $2, share }' >"$state/losses.new"
    cat "$state/losses" >>"$state/losses.new"
    awk '!seen[$1 " " $2]++' "$state/losses.new" >"$state/losses"
    rules_load
}
cmd_heal() { : >"$state/drops" >"$state/losses"; rules_load; }

# --- links ---
# $state/wan: lines A B DELAY_US JITTER_US LOSS_PPM RATE_BPS, for the direction from A to B.
settings_wait() { # NUMBER
    local i now
    for ((i = 0; i < 1000; i++)); do
        now=$(cat "$state/now" 2>/dev/null || :)
        [ "$now" != "$1" ] || return 0
        kill -0 "$(<"$state/link.pid")" 2>/dev/null || break
        sleep 0.01
    done
    die "the links do not answer: $(tail -n 3 "$state/link.log")"
}
settings_load() {
    [ -f "$state/settings" ] || return 0
    local number=$(($(head -n 1 "$state/settings") + 1))
    {
        echo "$number"
        awk 'NR == FNR { link[$1 " " $2] = FNR - 1 " ab"; link[$2 " " $1] = FNR - 1 " ba"; next }
            { print link[$1 " " $2], $3, $4, $5, $6 }' "$state/links" "$state/wan"
    } >"$state/settings.new"
    mv "$state/settings.new" "$state/settings"
    kill -HUP "$(<"$state/link.pid")"
    settings_wait "$number"
}
microseconds() {
    [[ $1 =~ ^([0-9]+)(us|ms|s)$ ]] || usage "'$1' is no time, as 40ms"
    case ${BASH_REMATCH[2]} in
    us) echo "${BASH_REMATCH[1]}" ;;
    ms) echo "${BASH_REMATCH[1]}000" ;;
    s) echo "${BASH_REMATCH[1]}000000" ;;
    esac
}
cmd_wan() {
    [ -f "$state/settings" ] || die "lab '$lab' has no links of its own"
    local one='' from to delay=0 jitter=0 loss=0 rate=0 i j
    if [ "${1:-}" = -1 ]; then one=yes; shift; fi
    if [ "${1:-}" = all ]; then
        [ -z "$one" ] || usage "wan -1 wants two regions"
        from=all; shift
    else
        need_region "${1:-}"; need_region "${2:-}"
        from=${1#r} to=${2#r}; shift 2
    fi
    while [ $# -ge 2 ]; do
        case $1 in
        delay) delay=$(microseconds "$2") ;;
        jitter) jitter=$(microseconds "$2") ;;
        loss) [[ $2 =~ ^([0-9]{1,2})%$ ]] || usage "'$2' is no share, as 5%"; loss=${BASH_REMATCH[1]}0000 ;;
        rate) [[ $2 =~ ^([0-9]+)mbit$ ]] || usage "'$2' is no rate, as 10mbit"; rate=${BASH_REMATCH[1]}000000 ;;
        *) usage "unknown setting '$1'" ;;
        esac
        shift 2
    done
    [ $# = 0 ] || usage "'$1' has no value"
    {
        for ((i = 1; i <= regions; i++)); do
            for ((j = 1; j <= regions; j++)); do
                if [ "$from" = all ] || { [ "$i" = "$from" ] && [ "$j" = "$to" ]; } ||
                    { [ -z "$one" ] && [ "$j" = "$from" ] && [ "$i" = "$to" ]; }; then
                    [ "$i" = "$j" ] || echo "$i $j $delay $jitter $loss $rate"
                fi
            done
        done
        cat "$state/wan"
    } | awk '!seen[$1 " " $2]++' >"$state/wan.new"
    mv "$state/wan.new" "$state/wan"
    settings_load
}
cmd_calm() { : >"$state/wan"; settings_load; }

# --- disks ---
cmd_disk() {
    need_host "${1:-}"
    [[ ${2:-} =~ ^[0-9]+[KMG]$ ]] || usage "disk HOST SIZE, as 64M"
    local path=$state/disk/$1
    mkdir -p "$path"
    mount -t tmpfs -o "size=$2,mode=0755" "lab-$lab-$1" "$path" || die "cannot mount a disk for $1"
    echo "$path"
}
cmd_fill() {
    need_host "${1:-}"
    mountpoint -q "$state/disk/$1" || die "$1 has no disk of its own: lab.sh disk $1 SIZE"
    dd if=/dev/zero of="$state/disk/$1/.fill" bs=64k status=none 2>/dev/null || : # until there is no space
    dd if=/dev/zero of="$state/disk/$1/.fill-2" bs=512 status=none 2>/dev/null || :
}
cmd_unfill() { need_host "${1:-}"; rm -f "$state/disk/$1/.fill" "$state/disk/$1/.fill-2"; }

command=${1:-}
[ $# = 0 ] || shift
case $command in
can) cmd_can; exit ;;
up | adopt | down | partition | oneway | isolate | ring | bridge | loss | heal | wan | calm | disk | fill | unfill)
    mkdir -p /run/quorumgate-lab
    exec 9>"/run/quorumgate-lab/.$lab.lock"
    flock -w 60 9 || die "lab '$lab' is busy" ;;
hosts | ns | addr | exec) ;;
*) usage "unknown command '$command'" ;;
esac
case $command in up | adopt | down) ;; *) load ;; esac
case $command in
hosts) cat "$state/hosts" ;;
ns) need_host "${1:-}"; echo "$lab-$1" ;;
addr) need_host "${1:-}"; echo "${address_of[$1]}" ;;
exec)
    need_host "${1:-}"
    host=$1; shift
    [ $# -gt 0 ] || usage "exec HOST COMMAND…"
    exec nsenter --net="/run/netns/$lab-$host" -- "$@" ;;
down) cmd_down; rm -f "/run/quorumgate-lab/.$lab.lock" ;;
*) "cmd_$command" "$@" ;;
esac

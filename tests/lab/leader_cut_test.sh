#!/usr/bin/env bash
# The leader is cut off from all other nodes while its clients still reach it: it answers no read and no write from
# then on, however much it believes to lead; and a node that hears but is not heard, or the other way round, does not
# keep the cluster from working.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
. "$GW_ROOT/tests/lab/cluster.sh"
lab_open 1,1,1
upstream_port[hello]=9000
cluster_start 3 || exit 1
basic | apply 1 >/dev/null && wait_until 10 all_serve /hello || not_ok "all three serve"

another_leads() { local i; for i in $(others "$1"); do leads "$i" && now=$i && return 0; done; return 1; }
applied() { gw "$1" --timeout 2s apply -f <(route "$2" "/$2") >"$dir/out" 2>&1; }

cut=$(leader)
lab partition "n$cut" rest || not_ok "the leader is cut off"
# From the first moment: what it would answer now might be older than what the others have agreed on.
expect 6 "a read at the old leader is refused" gw "$cut" --timeout 5s get route hello
check "the others elect" wait_until 10 another_leads "$cut"
check "and take a write" wait_until 10 applied "$now" second
expect 6 "a write at the old leader is refused" gw "$cut" --timeout 5s apply -f <(route third /third)
check "it no longer takes itself for the leader" wait_until 5 eval "! leads $cut"
check "it serves traffic" serves "$cut" /hello
lab heal
check "joined again, it has what was written without it" wait_until 20 serves "$cut" /second
check "and all hold the same" wait_until 20 in_sync 1 2 3

# Deaf: the leader hears nobody, but all hear it.
deaf=$(leader)
lab oneway "$(others "$deaf" | sed 's/^/n/' | paste -sd,)" "n$deaf"
check "a leader that hears nobody gives way" wait_until 15 another_leads "$deaf"
check "and the others take a write" wait_until 10 applied "$now" fourth
lab heal
check "all hold the same again" wait_until 20 in_sync 1 2 3

# Mute: all send to it, and nobody hears it.
mute=$(leader)
lab oneway "n$mute" "$(others "$mute" | sed 's/^/n/' | paste -sd,)"
check "a leader whom nobody hears is replaced" wait_until 15 another_leads "$mute"
check "and the others take a write too" wait_until 10 applied "$now" fifth
lab heal
check "all hold the same in the end" wait_until 20 in_sync 1 2 3
tap_end

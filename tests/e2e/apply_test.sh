#!/usr/bin/env bash
# A change applied at a follower is served by all three nodes within moments; the same change again is none.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 3 || exit 1

follower=$(follower)
expect 0 "the first configuration is applied at a follower" gw "$follower" apply -f <(basic)
says "a line per object, then the revision and where it is served" '^listener/http created$' '^service/hello created$' \
    '^route/hello created$' '^revision [0-9]+, on [0-9] of 3 nodes in [0-9]+ ms$'
check "all three serve it" wait_until 5 all_serve /hello

# Two figures a round: from before fork and exec of gwctl, and without those, by gwctl's own clock plus what came after
# its end. The median of several counts, since the machine has other things to do.
mapfile -t addresses < <(proxies 1 2 3)
whole=() own=()
for round in 1 2 3 4 5 6 7; do
    route "new-$round" "/new-$round" >"$dir/new.yaml"
    answer=$(tool until demo.example "/new-$round" 200 "${addresses[@]}" -- \
        "$GW_BIN/gwctl" -e "unix:${data[$follower]}/admin.sock" apply -f "$dir/new.yaml" 2>"$dir/until.log") || {
        not_ok "all three serve route new-$round"
        note "$answer"
        break
    }
    said=$(sed -n 's/^revision .* in \([0-9]*\) ms$/\1/p' "$dir/until.log")
    [ -n "$said" ] || {
        not_ok "gwctl says in how many ms route new-$round was served"
        head -n 5 "$dir/until.log" | sed 's/^/#   /'
        break
    }
    whole+=("$(jq .ms <<<"$answer")")
    own+=("$(jq --argjson said "$said" '$said + ([.afterExitMs, 0] | max)' <<<"$answer")")
done
check "seven rounds were timed" [ "${#own[@]}" = 7 ]
median() { printf '%s\n' "$@" | sort -n | sed -n 4p; }
note "from the start of the process until all three serve the new route: ${whole[*]} ms, median $(median "${whole[@]}")"
note "by gwctl's clock: ${own[*]} ms; aim 10 ms"
within "a route applied at a follower is served by all three" 100 "$(median "${own[@]}")" ms

# The same again changes nothing.
before=$(gw 1 cluster status -o json | jq -r .revision)
expect 0 "the same file again" gw "$follower" apply -f <(basic) -o json
check "changes nothing and says so" is_true '.changed == false and all(.objects[]; .action == "unchanged")' "$dir/out"
check "makes no new revision" [ "$(gw 1 cluster status -o json | jq -r .revision)" = "$before" ]

# diff tells the same by its exit code.
expect 0 "diff of what is there exits 0" gw "$follower" diff -f <(basic)
expect 1 "diff of what is not exits 1" gw "$follower" diff -f <(route new-1 /elsewhere)
says "and names the object and the values" 'Route/new-1' '/elsewhere'

# What export prints, apply takes, and nothing changes.
gw "$follower" export >"$dir/export.yaml"
expect 0 "what was exported is applied" gw "$follower" apply -f "$dir/export.yaml" -o json
check "and changes nothing" is_true '.changed == false and (.objects | length) == 10' "$dir/out"

expect 0 "a route is deleted at a follower" gw "$follower" delete route new-1
check "and all three answer 404" wait_until 5 all_serve /new-1 404
expect 4 "deleting it again finds nothing" gw "$follower" delete route new-1
check "the three hold the same" wait_until 5 in_sync 1 2 3
tap_end

#!/usr/bin/env bash
# A follower needs the whole state, and its disk has no room for it: it says so, serves what it had, and goes on with room.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
small_disk 3 "a full disk while a dump arrives" 320M || exit 0
cluster_start 1 || exit 1
for i in 2 3; do
    node_join "$i" || not_ok "node $i joins"
    [ "$i" = 2 ] || printf 'store: {minFree: 32MiB}\n' >>"${data[$i]}/gwd.yaml"
    node_start "$i"
done
nodes=3
gw 1 cluster wait --healthy --voters 3 --timeout 60s >/dev/null || not_ok "the cluster becomes healthy"
basic | apply 1 >/dev/null && wait_until 10 all_serve /hello || not_ok "the configuration is served"
gw 1 cluster transfer "${name[1]}" >/dev/null
check "a node with room leads" wait_until 10 leads 1
lead=1
node_kill 3

# More than the log keeps: five transactions of some 6 MB, or of a sanitizer's build, which takes so long over one that it
# may lose its followers, ten of half that.
count=5 objects=1600
[ -z "${GW_SANITIZED:-}" ] || { count=10 objects=800; }
large() { # NUMBER
    awk -v n="$1" -v objects=$objects 'BEGIN {
        for (i = 0; i < 3500; i++) pad = pad "x"
        for (i = 1; i <= objects; i++)
            printf "---\napiVersion: gw/v1\nkind: Policy\nmetadata: {name: p-%d-%d, annotations: {why: %s}}\nspec: {importance: low}\n", n, i, pad
    }'
}
for ((n = 1; n <= count; n++)); do
    large $n | apply "$lead" --timeout 60s >"$dir/out" 2>&1 || { not_ok "the cluster takes writes"; tail -n 3 "$dir/out"; }
done
check "the log was cut by its bytes" [ "$(metric "$lead" gw_raft_compacted_by_bytes_total)" -ge 1 ]

disk_leave 3 40960
node_start 3
count() { local n; n=$(metric 3 "$1"); echo "${n:-0}"; } # none before it is up
refuses() { [ "$(count gw_raft_dumps_refused_total)" -ge 1 ]; }
check "without room it refuses the dump" wait_until 20 refuses
says_so() { grep -q 'no room for the state that the leader sends' "${data[3]}.log"; }
check "its log says so, and what to do" wait_until 5 says_so
refused=$(count gw_raft_dumps_refused_total)
refuses_again() { [ "$(count gw_raft_dumps_refused_total)" -gt "$refused" ]; }
check "it is asked again now and then" wait_until 20 refuses_again
check "its member has not halted" [ "$(metric 3 gw_member_halted)" = 0 ]
check "it serves what it had" serves 3 /hello
check "nothing was installed" [ "$(metric 3 gw_raft_dumps_installed_total)" = 0 ]
expect 0 "the others take writes" gw "$lead" apply -f <(route meanwhile /meanwhile)

disk_free 3
started=$(now_ms)
same_state() { [ -n "$(digest_of 3)" ] && [ "$(digest_of 3)" = "$(digest_of "$lead")" ]; }
check "with room it goes on by itself" wait_until 30 same_state
note "the state is there $(($(now_ms) - started)) ms after the disk had room"
check "by the same dump" [ "$(metric "$lead" gw_raft_dump_aborts_total)" = 0 ]
check "all serve what came meanwhile" wait_until 10 all_serve /meanwhile
check "all is well" wait_until 20 healthy "$lead"
tap_end

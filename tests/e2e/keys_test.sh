#!/usr/bin/env bash
# The cluster key is saved under a passphrase, and put back: into a directory that lost it, and into a restored cluster.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 3 || exit 1
basic | apply 1 >/dev/null
(umask 077 && echo 'correct horse battery' >"$dir/passphrase" && echo 'wrong horse battery' >"$dir/wrong" && echo short >"$dir/short")
pass=(--passphrase-file "$dir/passphrase")
cluster=$(gw 1 cluster status -o json | jq -r .clusterId)
key=$(tr -d '\n' <"${data[1]}/cluster.key")

expect 8 "a short passphrase is refused" gw 1 cluster keys export "$dir/keys" --passphrase-file "$dir/short"
says "and says so" 'too short' '^next: '
check "no file is left" [ ! -e "$dir/keys" ]
f=$(follower)
expect 0 "the key is exported, from any node" gw "$f" cluster keys export "$dir/keys" "${pass[@]}"
says "and says of which cluster" "key [0-9a-f]{16} of cluster $cluster"
check "for its owner alone" [ "$(stat -c %a "$dir/keys")" = 600 ]
check "the key is not in it" sh -c "! grep -q '${key:0:16}' '$dir/keys'"
check "nor the passphrase" sh -c "! grep -q horse '$dir/keys'"
expect 5 "a file is not written over" gw 1 cluster keys export "$dir/keys" "${pass[@]}"
check "it is in no log" sh -c "! grep -l '${key:0:16}' $dir/*.log"
expect 0 "the passphrase may come on standard input" gw 1 cluster keys export "$dir/keys-2" --passphrase-file - <"$dir/passphrase"

# A node that lost its key.
node_kill 2
mv "${data[2]}/cluster.key" "$dir/lost.key"
expect 11 "without its key a node does not start" timeout 10 "$GW_BIN/gwd" --data-dir "${data[2]}"
import() { "$GW_BIN/gwctl" cluster keys import "$@"; }
expect 7 "the wrong passphrase puts nothing back" import "$dir/keys" --data-dir "${data[2]}" --passphrase-file "$dir/wrong"
says "and says why" 'passphrase' '^next: '
sed 's/^sealed: ./sealed: x/' "$dir/keys" >"$dir/altered"
expect 1 "nor does an altered file" import "$dir/altered" --data-dir "${data[2]}" "${pass[@]}"
says "and says why" 'damaged'
expect 8 "nor what is no key" import "$GW_ROOT/README.md" --data-dir "${data[2]}" "${pass[@]}"
node_plan 4
mapfile -t options < <(node_options 4)
"$GW_BIN/gwctl" cluster init "${options[@]}" >/dev/null
"$GW_BIN/gwctl" cluster keys export "$dir/foreign" --data-dir "${data[4]}" "${pass[@]}" >"$dir/out" 2>"$dir/err"
check "a key is exported from a directory, too" [ $? = 0 ]
expect 1 "the key of another cluster is refused" import "$dir/foreign" --data-dir "${data[2]}" "${pass[@]}"
says "and says why" 'does not open'
expect 1 "a node that runs is left alone" import "$dir/keys" --data-dir "${data[1]}" "${pass[@]}"
says "and says why" 'in use'
check "nothing was put there by all this" [ ! -e "${data[2]}/cluster.key" ]
expect 0 "the right one is put back" import "$dir/keys" --data-dir "${data[2]}" "${pass[@]}"
check "as it was" cmp -s "$dir/lost.key" "${data[2]}/cluster.key"
node_start 2
check "the node starts" wait_until 15 serves 2 /hello

# A restored cluster keeps the key, if it is given.
expect 0 "a snapshot is saved" gw 1 snapshot save "$dir/snapshot"
rm -rf "${data[4]}"
expect 1 "a restore with the key of another cluster is refused" "$GW_BIN/gwctl" snapshot restore "$dir/snapshot" "${options[@]}" --keys "$dir/foreign" "${pass[@]}"
says "and says why" 'does not open'
check "and makes nothing" [ ! -e "${data[4]}/identity" ]
expect 0 "with its own it is restored" "$GW_BIN/gwctl" snapshot restore "$dir/snapshot" "${options[@]}" --keys "$dir/keys" "${pass[@]}"
says "and says that secrets stay readable" 'stay readable'
check "the key is the old one" cmp -s "${data[1]}/cluster.key" "${data[4]}/cluster.key"
node_start 4
check "it serves" wait_until 15 serves 4 /hello
mkdir "$dir/without"
expect 0 "without, it is restored under a new key" "$GW_BIN/gwctl" snapshot restore "$dir/snapshot" --data-dir "$dir/without"
says "and says what that means" 'not readable'
check "the key is another" sh -c "! cmp -s '${data[1]}/cluster.key' '$dir/without/cluster.key'"
tap_end

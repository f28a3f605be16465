#!/usr/bin/env bash
# Another authority takes the place of the cluster's, under traffic, over a change of leader, and not past a node that is down.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 3 || exit 1
basic | apply 1 --wait all >/dev/null
export XDG_CONFIG_HOME=$dir/config HOME=$dir

certs() { gw "$1" cluster certs list -o json; }
authorities() { certs "$1" | jq -c '[.items[] | select(.kind == "ca") | .status]'; }
current() { certs "$1" | is_true '[.items[] | select(.kind == "node") | .status == "current"] | length == '"$2"' and all'; }
authority() { certs "$1" | jq -r '.items[0].fingerprint'; }
of_file() { openssl x509 -in "$1" -outform der | sha256sum | cut -c1-64; }
of_directory() { [ "$(of_file "${data[$1]}/ca.pem")" = "$2" ] && [ "$(grep -c BEGIN "${data[$1]}/ca.pem")" = 1 ]; }
admin() { "$GW_BIN/gwctl" "$@"; }
terms() { gw 1 cluster status -o json | jq .term; }

check "every node has told which certificate it has" wait_until 10 current 1 3
old=$(authority 1)
admin context import "${data[1]}/admin.yaml" --name own >/dev/null
check "an administrator has credentials" admin --context own cluster status
cp "${data[1]}/admin.yaml" "$dir/other.yaml"
gw 1 cluster token create --uses 3 >"$dir/token-old"

expect 2 "another authority is asked about first" gw 1 cluster certs rotate --ca </dev/null
says "with the consequence" 'tokens' 'contexts'
check "nothing came of it" [ "$(authorities 1)" = '["signing"]' ]
term_before=$(terms)
load_start 1 a
load_start 3 b
(for n in $(seq 150); do route "w$n" "/w$n" | gw $((n % 3 + 1)) apply -f - >/dev/null 2>&1 || echo "$n"; done) >"$dir/writes" &
writer=$!
expect 0 "an administrator rotates it, over TLS" admin --context own cluster certs rotate --ca --yes
says "and is told whose credentials are renewed" 'this context is renewed'
new=$(authority 1)
check "there is one authority, and it is new" [ "$(authorities 1)/$([ "$new" != "$old" ] && echo new)" = '["signing"]/new' ]
check "all certificates are by it" current 1 3
for i in 1 2 3; do
    check "node $i believes it alone" of_directory "$i" "$new"
    check "node $i's certificate is by it" openssl verify -partial_chain -CAfile "${data[$i]}/ca.pem" "${data[$i]}/node.pem"
done
wait $writer
check "no write failed" [ ! -s "$dir/writes" ]
load_stop a >"$dir/load-a"
load_stop b >"$dir/load-b"
sed 's/^/# /' "$dir/load-a" "$dir/load-b"
check "no request failed" is_true -s '[.[] | .failures == 0 and .requests > 100] | all' "$dir/load-a" "$dir/load-b"
check "nobody elected" [ "$term_before" = "$(terms)" ]
check "the administrator's context goes on" admin --context own cluster status
admin context import "$dir/other.yaml" --name stale >/dev/null
expect 7 "credentials of the old authority do not" admin --context stale cluster status --timeout 3s
admin context import "${data[1]}/admin.yaml" --name fresh >/dev/null
check "the founder's admin.yaml has followed" admin --context fresh cluster status
check "and is for its owner alone" [ "$(stat -c %a "${data[1]}/admin.yaml")" = 600 ]
cp "$dir/token" "$dir/token-keep"
cp "$dir/token-old" "$dir/token"
node_join 4 --wait 1s
check "a token of the old authority is refused" [ $? = 7 ]
cp "${data[4]}.log" "$dir/out"
says "and says why" 'was rotated since' 'new token'
rm -rf "${data[4]}"
gw 1 cluster token create >"$dir/token"
node_join 4 && node_start 4
nodes=4
check "one of the new lets a node in" wait_until 15 current 1 4

# A member that is down holds it up; the leader changes; the member goes.
d=4
node_kill "$d"
l=$(leader)
expect 9 "a member that is down holds it up" gw "$l" cluster certs rotate --ca --yes
says "and is named" "believed until.*${name[$d]} is not reached" "^next: .*gwctl cluster remove"
check "both authorities are listed" [ "$(authorities "$l")" = '["signing","coming"]' ]
check "the one that signs is the old one still" [ "$(authority "$l")" = "$new" ]
check "asked again it is the same rotation" [ "$(certs "$l" | jq -r '.items[1].fingerprint')" = "$(gw "$l" cluster certs rotate --ca --yes >/dev/null 2>&1; certs "$l" | jq -r '.items[1].fingerprint')" ]
coming=$(certs "$l" | jq -r '.items[1].fingerprint')
node_kill "$l"
nodes=3
check "a new leader is found" wait_until 15 has_leader
node_start "$l"
s=$(leader)
check "the rotation stands where it stood" [ "$(authorities "$s")" = '["signing","coming"]' ]
gw "$s" cluster remove "${name[$d]}" --force --yes >/dev/null
done_with() { [ "$(authorities "$1")" = '["signing"]' ] && [ "$(authority "$1")" = "$2" ]; }
check "without it the rotation goes on by itself to its end" wait_until 30 done_with "$s" "$coming"
check "everybody has a certificate of the new one" wait_until 10 current "$s" 3
check "the cluster is healthy" wait_until 15 healthy "$s"

# Two restarts later it is as it is.
node_stop 2
node_start 2
check "a node starts on what it has" wait_until 20 healthy "$s"
tap_end

#!/usr/bin/env bash
# The cluster's own certificates are renewed under traffic: nobody restarts, nobody elects, no request is lost.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 3 || exit 1
basic | apply 1 --wait all >/dev/null

certs() { gw "$1" cluster certs list -o json; }
serials() { certs "$1" | jq -r '.items[] | select(.kind == "node") | .serial' | sort; }
serial_of() { certs "$1" | jq -r --arg n "${name[$2]}" '.items[] | select(.node == $n) | .serial'; }
known() { certs "$1" | is_true '[.items[] | select(.kind == "node") | .status == "current"] | length == '"$2"' and all'; }
on_disk() { openssl x509 -in "${data[$1]}/node.pem" -noout -serial | cut -d= -f2 | tr A-F a-f; }
shown() { # I PORT: the serial of the certificate that this port shows
    openssl s_client -connect "127.0.0.1:$2" -alpn "$3" </dev/null 2>/dev/null | openssl x509 -noout -serial | cut -d= -f2 | tr A-F a-f
}
term() { gw 1 cluster status -o json | jq .term; }
elections() {
    local i
    for i in 1 2 3; do metric "$i" gw_raft_elections_total; done | awk '{ n += $1 } END { print n }'
}

check "every node has told which certificate it has" wait_until 10 known 1 3
expect 0 "they are listed" gw 2 cluster certs
says "with the authority" '^NAME +STATUS' '^\(authority\) +signing' "^eu-1 +current +(leader|follower) +36[45] "
certs 1 >"$dir/list"
check "in the shape of lists" is_true 'keys == ["items", "revision", "stale"] and (.revision | type) == "string" and .stale == false' "$dir/list"
check "with every key in every item" is_true '[.items[] | keys] | unique == [["daysLeft","fingerprint","issuer","kind","names","node","nodeId","notAfter","notBefore","serial","state","status","subject"]]' "$dir/list"
check "as the directories have it" [ "$(serial_of 1 2)" = "$(on_disk 2)" ]
check "the subject is the node" is_true --arg n "${name[3]}" '.items[] | select(.node == $n) | .subject | test("^gw://[0-9a-f]{32}/node/[0-9]+$")' "$dir/list"
check "the issuer is the authority" is_true '(.items[] | select(.kind == "ca") | .fingerprint) as $ca | [.items[].issuer == $ca] | all' "$dir/list"
fingerprint=$(openssl x509 -in "${data[1]}/ca.pem" -outform der | sha256sum | cut -c1-64)
check "by its fingerprint" [ "$(jq -r '.items[0].fingerprint' "$dir/list")" = "$fingerprint" ]

# Under traffic of both kinds: requests, and writes by way of every node.
serials 1 >"$dir/old"
keys_before=$(cat "$dir"/*/node.key | sha256sum)
term_before=$(term) elections_before=$(elections)
load_start 1 a
load_start 2 b
(for n in $(seq 200); do route "w$n" "/w$n" | gw $((n % 3 + 1)) apply -f - >/dev/null 2>&1 || echo "$n"; done) >"$dir/writes" &
writer=$!
expect 0 "the certificates are rotated" gw "$(follower)" cluster certs rotate
check "nothing of it is due any more" known 1 3
serials 1 >"$dir/new"
check "all serials are new" sh -c "test \$(wc -l <'$dir/new') = 3 && ! grep -qFf '$dir/old' '$dir/new'"
check "the keys too" [ "$keys_before" != "$(cat "$dir"/*/node.key | sha256sum)" ]
check "keys are for their owner alone" [ "$(stat -c %a "$dir"/*/node.key | sort -u)" = 600 ]
for i in 1 2 3; do
    check "node $i's directory has its own" [ "$(on_disk $i)" = "$(serial_of 1 $i)" ]
    check "its admin port shows it" [ "$(shown $i "${admin[$i]}" http/1.1)" = "$(on_disk $i)" ]
    check "its peer port shows it" [ "$(shown $i "${peer[$i]}" gw-join)" = "$(on_disk $i)" ]
done
wait $writer
check "no write failed" [ ! -s "$dir/writes" ]
load_stop a >"$dir/load-a"
load_stop b >"$dir/load-b"
check "no request failed" is_true -s '[.[] | .failures == 0 and .requests > 100] | all' "$dir/load-a" "$dir/load-b"
cat "$dir/load-a" "$dir/load-b" | sed 's/^/# /'
check "nobody elected" [ "$term_before/$elections_before" = "$(term)/$(elections)" ]
check "the administrator's credentials are good still" env XDG_CONFIG_HOME="$dir/config" HOME="$dir" \
    "$GW_BIN/gwctl" context import "${data[1]}/admin.yaml" --name story
check "over the new certificate" env XDG_CONFIG_HOME="$dir/config" HOME="$dir" "$GW_BIN/gwctl" --context story cluster status

# A node that is down meanwhile, one that restarts on its new certificate, and one that joins.
d=$(follower)
old=$(on_disk "$d")
node_stop "$d"
u=$(leader)
other=$(others "$d" | grep -vx "$u" | head -n 1)
expect 0 "with a node down they are rotated, too" gw "$u" cluster certs rotate
says "and says whose waits" "not reached.*: ${name[$d]}$" "^${name[$d]} +due +unreachable"
check "the others have theirs" sh -c "! grep -q '$(serial_of "$u" "$other")' '$dir/new'"
check "the node that is down is listed as it was" [ "$(serial_of "$u" "$d")" = "$old" ]
node_start "$d"
renewed() { [ "$(serial_of "$u" "$1")" != "$2" ] && [ "$(serial_of "$u" "$1")" = "$(on_disk "$1")" ]; }
check "when it is back it renews by itself" wait_until 15 renewed "$d" "$old"
check "and then nothing is due" wait_until 10 known "$u" 3
node_stop "$other"
node_start "$other"
check "a node starts on its renewed certificate" wait_until 20 healthy "$u"
node_join 4 && node_start 4
nodes=4
check "a node that joins is listed" wait_until 15 known "$u" 4

# Cut off between the certificate and its key.
node_stop 4
mv "${data[4]}/node.key" "${data[4]}/node.key.next"
cp "${data[1]}/node.key" "${data[4]}/node.key"
node_start 4
check "a renewal that was cut off is finished at start" wait_until 15 healthy "$u"
check "and leaves nothing" [ ! -e "${data[4]}/node.key.next" ]

id=$(certs "$u" | jq -r --arg n "${name[4]}" '.items[] | select(.node == $n) | .nodeId')
held() { gw "$u" snapshot save "$dir/snapshot" --yes >/dev/null 2>&1; grep -qa "_holding/$1" "$dir/snapshot"; local found=$?; rm -f "$dir/snapshot"; return $found; }
check "what it holds is a record" held "$id"
gw "$u" cluster remove "${name[4]}" --yes >/dev/null
node_kill 4
gone() { ! held "$1"; }
check "of a node that is removed it goes" wait_until 10 gone "$id"
tap_end

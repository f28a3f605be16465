#!/usr/bin/env bash
# Two clusters under one authority: a certificate that is valid, and of the other cluster, opens nothing.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
openssl ecparam -name prime256v1 -genkey -noout -out "$dir/ca.key" 2>/dev/null
openssl req -x509 -new -key "$dir/ca.key" -subj /CN=both -days 30 -addext basicConstraints=critical,CA:TRUE,pathlen:0 \
    -addext keyUsage=critical,keyCertSign,cRLSign -out "$dir/ca.crt" 2>/dev/null || not_ok "an authority is made"
node_init 1 --ca-cert "$dir/ca.crt" --ca-key "$dir/ca.key" || not_ok "one cluster is founded"
node_start 1
node_init 2 --ca-cert "$dir/ca.crt" --ca-key "$dir/ca.key" || not_ok "another is founded"
nodes=2
wait_until 15 node_is_up 1 || not_ok "the first starts"
check "both have the same authority" cmp -s "${data[1]}/ca.pem" "${data[2]}/ca.pem"
cluster_of() { sed -n 's/^clusterId: "\(.*\)"/\1/p' "${data[$1]}/admin.yaml"; }
check "and are two" [ "$(cluster_of 1)" != "$(cluster_of 2)" ]

# At the peer port: the link is closed, counted, and the log says why.
refused() { metric 1 gw_link_refused_total; }
before=$(refused)
timeout 10 openssl s_client -ign_eof -connect "127.0.0.1:${peer[1]}" -alpn gw-peer -tls1_3 -cert "${data[2]}/node.pem" \
    -key "${data[2]}/node.key" -CAfile "${data[1]}/ca.pem" >"$dir/out" 2>"$dir/err" </dev/null
says "a node of the other cluster is refused in the handshake" 'alert'
more_refused() { [ "$(refused)" -gt "$before" ]; }
check "it is counted" wait_until 5 more_refused
check "and logged with both names" grep -q "link refused.*$(cluster_of 2).*$(cluster_of 1)" "${data[1]}.log"

# At the admin port.
pem_of() { awk -v key="$2:" '$1 == key { on = 1; next } /^[^ ]/ { on = 0 } on { sub(/^  /, ""); print }' "${data[$1]}/admin.yaml"; }
for i in 1 2; do
    pem_of $i certificate >"$dir/admin-$i.pem"
    (umask 077 && pem_of $i key >"$dir/admin-$i.key")
done
ask() { curl -s -o /dev/null -w '%{http_code}' --max-time 5 --cacert "${data[1]}/ca.pem" --cert "$dir/admin-$1.pem" --key "$dir/admin-$1.key" "https://127.0.0.1:${admin[1]}/v1/cluster/leader"; }
check "its own admin is answered" [ "$(ask 1)" = 200 ]
answer=$(ask 2)
check "the other's is not" [ "$answer" = 000 -o "$answer" = 401 ]
XDG_CONFIG_HOME=$dir/config "$GW_BIN/gwctl" context import "${data[2]}/admin.yaml" --name two >/dev/null
expect 7 "gwctl says that it is another cluster's" env XDG_CONFIG_HOME="$dir/config" "$GW_BIN/gwctl" --context two -e "https://127.0.0.1:${admin[1]}" cluster leader
says "and what to do" '^next: '

check "the node goes on" healthy 1
tap_end

#!/usr/bin/env bash
# Bad input: every error with its place and a suggestion, and nothing is applied.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 1 || exit 1
basic | apply 1 >/dev/null && wait_until 5 all_serve /hello || not_ok "the configuration is served"
cd "$dir" || exit 1
objects() { gw 1 get all -o json | jq -cS '[.items[] | del(.status)]'; }
before=$(objects)

cat >bad.yaml <<'YAML'
apiVersion: gw/v1
kind: Region
metadata: {name: us}
spec: {}
---
apiVersion: gw/v1
kind: Region
metadata: {name: eu}
spec: {}
---
apiVersion: gw/v1
kind: Service
metadata: {name: cart}
spec:
  endpoints:
    - {name: cart-us-1, address: "127.0.0.1:1", region: uss}
---
apiVersion: gw/v1
kind: Service
metadata: {name: wrong}
spec:
  endpoints:
    - {name: wrong-1, address: "nonsense", region: us, weight: many}
---
apiVersion: gw/v1
kind: Route
metadata: {name: catalog}
spec:
  match: {path: {prefix: /catalog}}
  service: cart
  timeot: 800ms
  policies: [carefull]
YAML
expect 8 "a file with errors exits 8" gw 1 apply -f bad.yaml
says "an unknown field: place, suggestion, the line and a mark under it" \
    "^bad\.yaml:31:3: error: unknown field 'timeot' in Route/catalog spec \(did you mean 'timeout'\?\)$" \
    '^ +31 \|   timeot: 800ms$' '^ +\|   \^~+$'
says "a region that there is not" \
    "^bad\.yaml:16:[0-9]+: error: Service/cart endpoint cart-us-1: region 'uss' not defined \(did you mean 'us'\?\)$"
says "a bad address and a bad number, each with its place" '^bad\.yaml:23:[0-9]+: error: .*nonsense' '^bad\.yaml:23:[0-9]+: error: .*many'
says "the count, last" '^[0-9]+ errors; nothing applied$'
check "nothing is on stdout" [ ! -s out ]
expect 8 "validate says the same without the cluster" "$GW_BIN/gwctl" validate -f bad.yaml
says "with the place" '^bad\.yaml:31:3: error: unknown field'
expect 8 "as JSON" gw 1 apply -f bad.yaml -o json
check "errors are a problem object on stderr" is_true '.code == "invalid" and (.errors | length) >= 3 and
    all(.errors[]; has("file") and has("line") and has("column") and has("path") and has("code") and has("hint"))' err
# What only the cluster can know comes back from it with the place in the file.
route lost /lost | sed 's/service: hello/service: helo/' >lost.yaml
expect 8 "a reference that nobody defines" gw 1 apply -f lost.yaml
says "has its place and a suggestion" "^lost\.yaml:4:[0-9]+: error: .*'helo'.*\(did you mean 'hello'\?\)"

printf 'apiVersion: gw/v1\nkind: Route\n  metadata: [\n' >syntax.yaml
expect 8 "what is no YAML" gw 1 apply -f syntax.yaml
says "has its place" '^syntax\.yaml:[0-9]+:[0-9]+: error: '
brackets() { head -c 100000 /dev/zero | tr '\0' '['; }
{ printf 'apiVersion: gw/v1\nkind: Route\nmetadata: {name: deep}\nspec: '; brackets; } >deep.yaml
started=$(now_ms)
expect 8 "100,000 nested brackets exit 8" gw 1 apply -f deep.yaml
within "100,000 nested brackets are refused at once" 1000 $(($(now_ms) - started)) ms
says "with a place" '^deep\.yaml:4:[0-9]+: error: '
brackets >deep.json
started=$(now_ms)
code=$(curl -s --max-time 5 --unix-socket "${data[1]}/admin.sock" -o out -w '%{http_code} %{content_type}' \
    -H 'content-type: application/json' --data-binary @deep.json http://gwd/v1/apply)
within "the API refuses them at once" 1000 $(($(now_ms) - started)) ms
check "by a problem of status 400" [ "$code" = "400 application/problem+json" ]

# Kinds.
printf 'apiVersion: gw/v1\nkind: Rout\nmetadata: {name: a}\nspec: {}\n' >kind.yaml
expect 8 "an unknown kind" gw 1 apply -f kind.yaml
says "has its place and a suggestion" "^kind\.yaml:2:[0-9]+: error: .*Rout.*\(did you mean 'Route'\?\)"
for kind in Consumer Jwks Certificate Webhook Admin; do
    printf 'apiVersion: gw/v1\nkind: %s\nmetadata: {name: a}\nspec: {}\n' $kind >later.yaml
    expect 8 "kind $kind, which comes later" gw 1 apply -f later.yaml
    says "says so" "^later\.yaml:[0-9]+:[0-9]+: error: .*$kind.*not supported yet"
done
cat >secure.yaml <<'YAML'
apiVersion: gw/v1
kind: Listener
metadata: {name: secure}
spec: {bind: "127.0.0.1:8443", tls: {certificates: [shop-tls]}}
YAML
expect 8 "a reference to a kind that comes later" gw 1 apply -f secure.yaml
says "says so" '^secure\.yaml:4:[0-9]+: error: .*Certificate.*not supported yet'
check "nothing of all this was applied" [ "$(objects)" = "$before" ]

# The environment.
basic | sed 's,prefix: /hello},prefix: "${GW_STORY_PATH}"},' >environment.yaml
expect 8 "a variable that is not set" gw 1 apply -f environment.yaml
says "has its place" "^environment\.yaml:[0-9]+:[0-9]+: error: .*GW_STORY_PATH"
expect 0 "set, it is filled in" env GW_STORY_PATH=/filled "$GW_BIN/gwctl" -e "unix:${data[1]}/admin.sock" apply -f environment.yaml
check "and served" wait_until 5 all_serve /filled

# What nothing honours yet is stored, and said.
cat >later.yaml <<YAML
apiVersion: gw/v1
kind: Service
metadata: {name: later}
spec:
  endpoints: [{name: a, address: "127.0.0.1:1"}]
  outlier: {enabled: true, maxEjected: "20%"}
YAML
expect 0 "a field without effect yet is taken" gw 1 apply -f later.yaml
says "with a warning at its place" '^later\.yaml:6:[0-9]+: warning: .*outlier.*no effect yet'
check "and stored" is_true '.spec.outlier.maxEjected == "20%"' <<<"$(gw 1 get service later -o json)"

# A revision that is no longer the last one.
old=$(basic | apply 1 -o json | jq -r .revision)
basic | sed 's,prefix: /hello},prefix: /moved},' | apply 1 >/dev/null
expect 5 "a stale --if-revision exits 5" gw 1 apply -f <(basic) --if-revision "$old"
says "and names what changed" 'changed since: .*hello' '^next: '
expect 5 "as JSON" gw 1 apply -f <(basic) --if-revision "$old" -o json
check "the problem lists the changed keys" is_true '.code == "conflict" and (.changed | length) == 1' err
new=$(gw 1 cluster status -o json | jq -r .revision)
expect 5 "revision 0 is for what was never there" gw 1 apply -f <(basic) --if-revision 0
expect 0 "with the right revision it is applied" gw 1 apply -f <(basic) --if-revision "$new"
tap_end

#!/usr/bin/env bash
# Who is waited for: apply --wait region and all name the live nodes that do not serve a change yet; the change stands.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 4 || exit 1 # eu-1 us-1 ap-1 eu-2: the fourth is a stand-by

expect 0 "a change that every live node serves" gw 2 apply -f <(basic) --wait all
says "is on all of them" '^revision [0-9]+, on 4 of 4 nodes in '
check "at once" all_serve /hello
expect 2 "an unknown whom" gw 1 apply -f <(route a /a) --wait world
says "says what there is" 'quorum, region or all' '^next: '
expect 0 "region, at a node of another region" gw 3 apply -f <(route a /a) --wait region

# eu-2 stalls: whoever waits for its region is told, whoever does not is not kept.
node_pause 4
expect 9 "wait for the region of a node that stalls" gw 1 apply -f <(route b /b) --wait region --timeout 3s
says "names the laggard, and that the change stands" 'the change stands.*: eu-2$' '^next: '
check "it does" wait_until 5 serves 2 /b
expect 0 "the other region does not wait for it" gw 2 apply -f <(route c /c) --wait region

unreachable() { gw 1 cluster members -o json 2>/dev/null | is_true '.members | any(.name == "eu-2" and .state == "unreachable")'; }
check "after a while it counts as gone" wait_until 10 unreachable
expect 0 "so --wait all waits for the live ones only" gw 3 apply -f <(route d /d) --wait all
says "and says on how many it is" '^revision [0-9]+, on 3 of 4 nodes in '
node_resume 4
check "it catches up" wait_until 10 all_serve /d
expect 0 "and is waited for again" gw 3 delete route d --wait all
says "all four" '^revision [0-9]+, on 4 of 4 nodes in '

# The API says the same.
curl_admin() { curl -s --unix-socket "${data[1]}/admin.sock" "$@"; }
check "wait is a number" [ "$(curl_admin -o /dev/null -w '%{http_code}' -X DELETE 'http://gw/v1/resources/route/c?wait=soon')" = 400 ]
check "waitFor is region or all" [ "$(curl_admin -o /dev/null -w '%{http_code}' -X DELETE 'http://gw/v1/resources/route/c?wait=9&waitFor=me')" = 400 ]
tap_end

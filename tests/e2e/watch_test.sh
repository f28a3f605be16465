#!/usr/bin/env bash
# Changes as they are made: a watch tells every one of them once, in order, through the death of the node it watched,
# a change of leader, and a client that stops reading; what the history no longer holds is 410.
. "$GW_ROOT/tests/lib/tap.sh"
. "$GW_ROOT/tests/lib/cluster.sh"
cluster_open
upstream_start hello
cluster_start 3 || exit 1
revision() { gw "$1" cluster status -o json | jq -r .revision; }
curl_admin() { curl -s --max-time 5 --unix-socket "${data[$1]}/admin.sock" "${@:2}"; }
status_of_watch() { curl_admin "$1" -o "$dir/out" -w '%{http_code}' "http://gw/v1/watch$2" "${@:3}"; }
endpoints() { # I…: their sockets, for gwctl -e
    local i list=
    for i in "$@"; do list=$list,unix:${data[$i]}/admin.sock; done
    echo "${list#,}"
}
watch() { # NAME ENDPOINTS [ARGS]: in the background; what it tells is in $dir/NAME
    "$GW_BIN/gwctl" -e "$2" watch "${@:3}" >"$dir/$1" 2>"$dir/$1.err" &
    eval "watch_pid_$1=$!"
}
unwatch() { eval "kill \$watch_pid_$1 && wait \$watch_pid_$1" 2>/dev/null; }
tells() { is_true -s "any($2)" "$dir/$1"; } # NAME: some line of it, in JSON, is so
last_is() { [ "$(tail -n 1 "$dir/$1" | jq -r .revision 2>/dev/null)" = "$2" ]; }
open_watches() { metric "$1" gw_watches; }
watched() { [ "$(open_watches "$1")" = "$2" ]; }

basic | apply 1 >/dev/null || not_ok "the configuration is applied"
first=$(revision 1)
f=$(follower)

# From now on, and from the past.
watch now "$(endpoints "$f")" all -o json
watch routes "$(endpoints "$f")" routes -o json --since 0
watch lines "$(endpoints "$f")" all --since 0
check "three watches are open" wait_until 5 watched "$f" 3
route a /a | apply 1 -m "a route for Ann" >/dev/null
route b /b | apply 1 >/dev/null
{ route a /else; echo ---; route c /c; } | apply 1 >/dev/null
gw 1 delete route a >/dev/null
last=$(revision 1)
check "all are told" wait_until 5 last_is now "$last"
check "of one kind too" wait_until 5 last_is routes "$last"
check "each event has every key" is_true -s --arg r "$first" 'all((keys == ["action","at","by","kind","message","name","resource","revision"])
    and (.revision | tonumber) > ($r | tonumber))' "$dir/now"
check "what was made, in order" is_true -s '[.[] | .action + " " + .kind + "/" + .name] ==
    ["created Route/a","created Route/b","changed Route/a","created Route/c","deleted Route/a"]' "$dir/now"
check "with who and why" is_true -s '.[0] | .by == "socket" and .message == "a route for Ann"' "$dir/now"
check "with the resource as get prints it" is_true -s --argjson b "$(gw 1 get route b -o json)" '.[1].resource == $b' "$dir/now"
check "and none where it is deleted" is_true -s '.[4].resource == null' "$dir/now"
check "since 0 is all there was" is_true -s '[.[] | .name] == ["hello","a","b","a","c","a"] and all(.kind == "Route")' "$dir/routes"
check "a line each for people" wait_until 5 grep -qx "$last route/a deleted" "$dir/lines"
check "of every kind" grep -qx "$first service/hello created" "$dir/lines"
for w in now routes lines; do unwatch $w; done
check "a watch that is ended is closed" wait_until 5 watched "$f" 0

# As it stands on the wire.
curl_admin "$f" -N --max-time 1 "http://gw/v1/watch?since=$first" -D "$dir/head" >"$dir/wire"
check "it is server-sent events" grep -qi '^content-type: text/event-stream' "$dir/head"
check "that begin with an id" [ "$(sed -n 2p "$dir/wire")" = "id: $first" ]
check "a revision of two has one id, behind both" [ "$(grep -cE '^id: ' "$dir/wire")" = 5 ] # 1 + 4 revisions
curl_admin "$f" -N --max-time 1 -H "last-event-id: $last" "http://gw/v1/watch?since=$first" >"$dir/wire"
check "Last-Event-ID goes before since" [ "$(grep -c '^data: ' "$dir/wire")" = 0 ]

# What cannot be.
check "a revision to come is 404" [ "$(status_of_watch 1 '?since=99999')" = 404 ]
check "no number is 400" [ "$(status_of_watch 1 '?since=soon')" = 400 ]
check "no kind is 404" [ "$(status_of_watch 1 '?kind=nonsense')" = 404 ]
check "POST is 405" [ "$(status_of_watch 1 '' -d x)" = 405 ]
expect 2 "gwctl watch of no kind" gw 1 watch nonsense
expect 2 "gwctl watch since no number" gw 1 watch all --since soon
expect 4 "gwctl watch since a revision to come" gw 1 watch all --since 99999

# Through the death of the node that is watched, and of the leader; a writer goes on all the while.
writer() { # FROM TO: one route after the other; each is acknowledged before the next
    local n
    for ((n = $1; n <= $2; n++)); do
        until route "w$n" "/w$n" | "$GW_BIN/gwctl" -e "$(endpoints "$3" "$4" "$5")" -q apply -f - >/dev/null 2>&1; do :; done
    done
}
l=$(leader)
mapfile -t rest < <(others "$l")
watch through "$(endpoints "$l" "${rest[@]}")" routes -o json
check "the leader is watched" wait_until 5 watched "$l" 1
writer 1 10 "$l" "${rest[@]}"
check "it tells" wait_until 5 tells through '.name == "w10"'
writer 11 40 "${rest[@]}" "$l" &
writer_pid=$!
check "it tells on" wait_until 20 tells through '.name == "w15"'
node_kill "$l"
wait "$writer_pid"
check "it goes on at another node" wait_until 20 tells through '.name == "w40"'
check "and says so" grep -q 'watching again from revision' "$dir/through.err"
node_start "$l"
check "the node is back" wait_until 20 node_is_up "$l"
gw "$l" cluster wait --healthy --timeout 30s >/dev/null || not_ok "the cluster is healthy again"
# The node watched stands still while others go on, and dies with what it never told.
watched_node() { for i in 1 2 3; do [ "$(open_watches "$i")" = 1 ] && echo "$i"; done; }
w=$(watched_node)
mapfile -t rest < <(others "$w")
node_pause "$w"
writer 41 45 "${rest[@]}" "${rest[0]}"
node_kill "$w"
check "what was made meanwhile is told too" wait_until 20 tells through '.name == "w45"'
node_start "$w"
check "the node is back" wait_until 20 node_is_up "$w"
gw "$w" cluster wait --healthy --timeout 30s >/dev/null || not_ok "the cluster is healthy again"
# Now the gentle way.
w=$(watched_node)
node_stop "$w"
check "a node that leaves sends its watches on" wait_until 20 grep -q . <(for i in $(others "$w"); do watched "$i" 1 && echo "$i"; done)
mapfile -t rest < <(others "$w")
writer 46 50 "${rest[@]}" "${rest[0]}"
check "which tell on" wait_until 20 tells through '.name == "w50"'
node_start "$w"
unwatch through
check "no gap, no duplicate" [ "$(jq -r 'select(.action == "created") | .name' "$dir/through" | tr '\n' ' ')" = "$(seq -f 'w%g' 1 50 | tr '\n' ' ')" ]
check "revisions rise" is_true -s '[.[].revision | tonumber] == ([.[].revision | tonumber] | unique)' "$dir/through"
check "the node is back" wait_until 20 node_is_up "$w"
gw 1 cluster wait --healthy --timeout 30s >/dev/null || not_ok "the cluster is healthy"

# A client that reads nothing is cut, and holds no memory meanwhile; another is not disturbed.
f=$(follower)
before=$(metric "$f" gw_watches_cut_total)
curl -sN --max-time 300 --unix-socket "${data[$f]}/admin.sock" -o /dev/null 'http://gw/v1/watch?since=0' &
deaf_pid=$!
check "the deaf one watches" wait_until 5 watched "$f" 1
kill -STOP "$deaf_pid"
watch beside "$(endpoints "$f")" services -o json
check "another does" wait_until 5 watched "$f" 2
big=$(head -c 3000 /dev/zero | tr '\0' x)
for n in $(seq 1 400); do
    [ "$n" = 1 ] || echo next
    printf 'url = "http://gw/v1/resources/route/c"\nunix-socket = "%s/admin.sock"\nrequest = PATCH\noutput = /dev/null\ndata = "{\\"metadata\\": {\\"annotations\\": {\\"n\\": \\"%s %s\\"}}}"\n' "${data[1]}" "$n" "$big"
done >"$dir/patches"
curl -s -K "$dir/patches"
check "the one that reads nothing is cut" wait_until 30 watched "$f" 1
check "and counted" [ "$(metric "$f" gw_watches_cut_total)" -gt "$before" ]
kill -9 "$deaf_pid" 2>/dev/null
gw 1 set service hello metadata.labels.x=y >/dev/null
check "the other is told" wait_until 5 tells beside '.name == "hello"'
check "nothing is held" [ "$(metric "$f" gw_watch_held_bytes)" = 0 ]
unwatch beside

# More than there is room for.
check "none is open" wait_until 5 watched "$f" 0
crowd=()
for n in $(seq 64); do
    curl -sN --max-time 60 --unix-socket "${data[$f]}/admin.sock" -o /dev/null http://gw/v1/watch &
    crowd+=($!)
done
check "64 watches are open" wait_until 10 watched "$f" 64
check "one more is 429" [ "$(status_of_watch "$f" '')" = 429 ]
check "and counted" [ "$(metric "$f" gw_watches_refused_total)" = 1 ]
other=$(others "$f" | head -1)
watch elsewhere "$(endpoints "$f" "$other")" all
check "gwctl goes to the next endpoint" wait_until 5 watched "$other" 1
unwatch elsewhere
kill "${crowd[@]}"
wait "${crowd[@]}" 2>/dev/null
check "all are closed" wait_until 5 watched "$f" 0

# Without a quorum there is nothing to tell: only a stale watch stays.
for i in $(others "$f"); do node_pause "$i"; done
expect 6 "without a quorum a watch is refused" gw "$f" watch all
watch stale "$(endpoints "$f")" all --stale -o json
check "a stale one is not" wait_until 5 watched "$f" 1
for i in $(others "$f"); do node_resume "$i"; done
gw 1 cluster wait --healthy --timeout 30s >/dev/null || not_ok "the cluster is healthy again"
route stale /stale | apply 1 >/dev/null
check "and tells when there is something" wait_until 10 tells stale '.name == "stale"'
unwatch stale

# A cluster that was restored has no past: 410.
past=$(revision 1)
gw 1 snapshot save "$dir/snapshot" >/dev/null || not_ok "a snapshot is saved"
restored=$dir/restored
mapfile -t options < <(ports 4)
"$GW_BIN/gwctl" snapshot restore "$dir/snapshot" --data-dir "$restored" --name eu-9 --region eu --peer "127.0.0.1:${options[0]}" \
    --admin "127.0.0.1:${options[1]}" --health "127.0.0.1:${options[2]}" --listener "http=127.0.0.1:${options[3]}" >/dev/null 2>"$dir/err" || {
    not_ok "a restore"
    note "$(cat "$dir/err")"
}
name[4]=eu-9 data[4]=$restored health[4]=${options[2]}
node_start 4
check "the restored node starts" wait_until 15 node_is_up 4
check "it leads" wait_until 15 leads 4
check "a watch from before is 410" [ "$(status_of_watch 4 "?since=$past")" = 410 ]
check "as compacted" is_true '.code == "compacted"' "$dir/out"
expect 4 "gwctl watch from before" gw 4 watch all --since "$past"
says "says where the history begins" 'older than the history, which begins at [0-9]{10,}' '^next: '
jumped=$(revision 4)
watch new "$(endpoints 4)" all -o json --since "$jumped"
check "one from after is open" wait_until 5 watched 4 1
route r /r | apply 4 >/dev/null
check "and tells" wait_until 5 tells new ".name == \"r\" and (.revision | tonumber) > $jumped"
unwatch new

# What fell out of the history.
for n in $(seq 1 610); do
    [ "$n" = 1 ] || echo next
    printf 'url = "http://gw/v1/resources/route/c"\nunix-socket = "%s/admin.sock"\nrequest = PATCH\noutput = /dev/null\ndata = "{\\"metadata\\": {\\"labels\\": {\\"n\\": \\"%s\\"}}}"\n' "${data[1]}" "$n"
done >"$dir/patches"
curl -s -K "$dir/patches"
check "a watch since what was compacted is 410" [ "$(status_of_watch 1 "?since=$first")" = 410 ]
tap_end

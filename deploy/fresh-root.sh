#!/bin/sh
# Shows that a verb works as the first command ever typed on a machine with nothing installed.
#
#   deploy/fresh-root.sh [--keep] bookworm|trixie [COMMAND...]
#
# Makes a minimal Debian of that suite in a temporary directory (debootstrap, nothing but apt), and runs each COMMAND
# in a root and a clean clone of its own, as the first thing there. The default is the two commands that matter:
#
#   './run demo --for 30s --json'  and  './run test'
#
# Prints the end of each command's output and one line "ok|not ok SUITE: COMMAND in N s"; exit 1 if any failed.
# Needs root, debootstrap, git. Takes the mirror, proxies and name resolution of this machine. All mounts are made
# in a mount namespace of their own and nothing of the machine is mounted into the root, so that when the command
# ends, in whatever way, nothing is left mounted and nothing of the machine can be deleted with the root. The
# commands run in a process namespace too: what they leave running ends with them, and is reported.
set -eu
export LC_ALL=C
repository=$(cd "$(dirname "$0")/.." && pwd)

say() { printf 'fresh-root: %s\n' "$*" >&2; }
die() { say "$*"; exit 2; }

keep=
[ "${1:-}" != --keep ] || { keep=yes; shift; }
suite=${1:-}
case $suite in bookworm | trixie) shift ;; *) die "usage: fresh-root.sh [--keep] bookworm|trixie [COMMAND...]" ;; esac
[ $# -gt 0 ] || set -- './run demo --for 30s --json' './run test'

[ "$(id -u)" = 0 ] || die "needs root"
for tool in debootstrap git unshare; do
    command -v "$tool" >/dev/null 2>&1 || die "$tool is missing"
done

work=$(mktemp -d "${TMPDIR:-/tmp}/fresh-root.XXXXXX")
# The namespaces are gone when this runs; --one-file-system is for the case that something else was mounted there.
cleanup() { if [ -n "$keep" ]; then say "kept in $work"; else rm -rf --one-file-system "$work"; fi; }
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say "making a minimal $suite"
"$repository/deploy/debian-root.sh" "$suite" "$work/base" || die "there is no $suite to try in"

# enter ROOT COMMAND: runs in new mount and process namespaces; /proc is the only mount.
enter() {
    unshare --mount --propagation private --pid --fork --kill-child sh -c '
        mount -t proc proc "$1/proc" || exit 125
        mkdir -p "$1/dev/shm"
        exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb \
            ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} ${no_proxy:+no_proxy="$no_proxy"} \
            chroot "$1" sh -c "cd /srv/quorumgate && $2"
    ' enter "$1" "$2"
}

failed=0
number=0
for command in "$@"; do
    number=$((number + 1))
    root=$work/$number
    cp -a "$work/base" "$root"
    git clone -q --no-hardlinks "$repository" "$root/srv/quorumgate"
    say "$suite: $command"
    started=$(date +%s)
    status=0
    # What still runs when the command has ended was left behind: the listing comes from within its namespace.
    enter "$root" "( $command ); status=\$?; for p in /proc/[0-9]*; do n=\${p#/proc/}; [ \$n = 1 ] || [ \$n = \$\$ ] || [ ! -s \$p/cmdline ] || echo \"left running: \$(tr '\\0' ' ' <\$p/cmdline)\"; done; exit \$status" \
        >"$work/$number.out" 2>"$work/$number.err" || status=$?
    took=$(($(date +%s) - started))
    echo "--- $suite: $command: last lines"
    tail -n 15 "$work/$number.err" | sed 's/^/  err  /'
    grep -E '^(not ok|== )' "$work/$number.out" | sed 's/^/  sum  /' || :
    # The JSON of the demo is its first line.
    { head -n 1 "$work/$number.out"; tail -n +2 "$work/$number.out" | tail -n 40; } | sed 's/^/  out  /'
    ! grep -q '^left running: ' "$work/$number.out" || status=99
    if [ "$status" = 0 ]; then echo "ok $suite: $command in $took s"; else echo "not ok $suite: $command: status $status after $took s"; failed=1; fi
    [ -n "$keep" ] || rm -rf --one-file-system "$root"
done
exit "$failed"

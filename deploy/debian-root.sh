#!/bin/sh
# Makes a minimal Debian of a suite in a directory.
#
#   deploy/debian-root.sh bookworm|trixie DIRECTORY [PACKAGE...]
#
# debootstrap's smallest set and the packages named, from where apt of this machine gets its own: mirror, proxies, how
# strictly dates are taken, name resolution. Afterwards apt works in it as it does here, and nothing but Debian's
# main archive of that suite is configured there. Needs root and debootstrap. Price: about half a minute, 200 MB.
set -eu
export LC_ALL=C
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

say() { printf 'debian-root: %s\n' "$*" >&2; }
die() { say "$*"; exit 2; }

case ${1:-} in bookworm | trixie) ;; *) die "usage: debian-root.sh bookworm|trixie DIRECTORY [PACKAGE...]" ;; esac
[ $# -ge 2 ] || die "usage: debian-root.sh bookworm|trixie DIRECTORY [PACKAGE...]"
suite=$1 root=$2
shift 2
[ "$(id -u)" = 0 ] || die "needs root"
command -v debootstrap >/dev/null 2>&1 || die "debootstrap is missing; install it"
[ -f "$keyring" ] || die "$keyring is missing; install debian-archive-keyring"

mirror=$(apt-get indextargets --format '$(REPO_URI)|$(ORIGIN)|$(LABEL)|$(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
    awk -F'|' '$2 == "Debian" && $3 == "Debian" && $4 == "main" && !seen { print $1; seen = 1 }')
[ -n "$mirror" ] || die "apt knows no Debian archive here; run apt-get update"

# debootstrap fetches with wget, which reads the environment and not apt's configuration.
for scheme in http https; do
    proxy=$(apt-config dump --format '%v' "Acquire::$scheme::Proxy" 2>/dev/null || :)
    case $proxy in '' | DIRECT) ;; *) export "${scheme}_proxy=$proxy" ;; esac
done

include=$(IFS=,; echo "$*")
mkdir -p "$root"
log=$(mktemp "${TMPDIR:-/tmp}/debian-root.XXXXXX")
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
debootstrap --variant=minbase --keyring="$keyring" ${include:+"--include=$include"} "$suite" "$root" "$mirror" >"$log" 2>&1 ||
    { tail -n 20 "$log" >&2; die "debootstrap failed"; }

apt-config dump | grep -E '^Acquire::([a-z]+::Proxy|Check-Valid-Until|Check-Date)' >"$root/etc/apt/apt.conf.d/99machine" || :
cat /etc/resolv.conf >"$root/etc/resolv.conf" 2>/dev/null || :
cat /etc/hosts >"$root/etc/hosts" 2>/dev/null || :
# One suite with each source format, since both occur.
if [ "$suite" = trixie ]; then
    rm -f "$root/etc/apt/sources.list"
    printf 'Types: deb\nURIs: %s\nSuites: trixie\nComponents: main\nSigned-By: %s\n' "$mirror" "$keyring" \
        >"$root/etc/apt/sources.list.d/debian.sources"
else
    printf 'deb %s bookworm main\n' "$mirror" >"$root/etc/apt/sources.list"
fi

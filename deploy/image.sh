#!/bin/sh
# Builds the image of deploy/Dockerfile, also where no image can be pulled and no build reaches Debian's packages.
#
#   deploy/image.sh [TAG]          default: quorumgate:dev, which docker-compose.yml uses
#
# 1. The base debian:trixie-slim: what is there, else pulled, else made by debootstrap under that name (half a minute).
# 2. The build, on this machine's network, since a bridge may lead nowhere.
# 3. If the packages cannot be fetched from within a container even so: bases that have them already, made by
#    debootstrap from outside, and the build once more.
#
# What is made stays, for the next time: debian:trixie-slim, and for 3 quorumgate-builder and quorumgate-runtime.
# GW_IMAGE_SEALED=yes goes to 3 at once. Steps 1 (made) and 3 need root and debootstrap.
set -eu
export LC_ALL=C
cd "$(dirname "$0")/.."
tag=${1:-quorumgate:dev}
base=debian:trixie-slim

say() { printf 'image: %s\n' "$*" >&2; }
die() { say "$*"; exit 2; }

command -v docker >/dev/null 2>&1 || die "docker is missing; install docker.io, or Docker's own packages"
docker info >/dev/null 2>&1 || die "no engine answers; start the Docker daemon, or ask for the right to use it"

work=
trap '[ -z "$work" ] || rm -rf --one-file-system "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

has() { docker image inspect "$1" >/dev/null 2>&1; }

# make NAME PACKAGE...: an image of a minimal Debian and these packages.
make() {
    image=$1
    shift
    say "making $image with debootstrap"
    work=$(mktemp -d "${TMPDIR:-/tmp}/image.XXXXXX")
    deploy/debian-root.sh trixie "$work/root" "$@" || die "$image could not be made"
    # Docker hands in its own of these two; the rest is what slim images do without.
    rm -rf "$work"/root/etc/hosts "$work"/root/etc/resolv.conf "$work"/root/var/cache/apt/archives/*.deb \
        "$work"/root/usr/share/doc/* "$work"/root/usr/share/man/* "$work"/root/usr/share/locale/*
    [ "$image" != quorumgate-builder:trixie ] || libraft_into "$work/root"
    tar -C "$work/root" -c . | docker import --change 'CMD ["bash"]' - "$image" >/dev/null || die "$image could not be imported"
    rm -rf --one-file-system "$work"
    work=
}

# Built in there, where its C library is, but from out here, where the network is.
libraft_into() { # ROOT
    mkdir -p "$1/tmp/deploy"
    cp deploy/libraft.sh "$1/tmp/deploy/"
    cat /etc/resolv.conf >"$1/etc/resolv.conf"
    cat /etc/hosts >"$1/etc/hosts"
    chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        sh -c 'apt-get -q update >/dev/null && /tmp/deploy/libraft.sh' >&2 || die "libraft could not be built"
    rm -rf "$1/tmp/deploy" "$1"/etc/resolv.conf "$1"/etc/hosts
}

if ! has "$base"; then
    say "pulling $base"
    timeout 120 docker pull -q "$base" >/dev/null 2>&1 || make "$base"
fi

build() { # NETWORK ARGUMENTS...
    network=$1
    shift
    docker build --network "$network" -f deploy/Dockerfile -t "$tag" "$@" . >&2
}

# Where packages can be had, a failed build has another reason, and bases that have them would not help.
packages_reached() { docker run --rm --network host "$base" apt-get -q update >/dev/null 2>&1; }

sealed=${GW_IMAGE_SEALED:-}
if [ "$sealed" != yes ] && ! build host; then
    ! packages_reached || die "the build failed; its messages are above"
    sealed=yes
fi
if [ "$sealed" = yes ]; then
    say "no packages from within a container; using bases that have them"
    has quorumgate-runtime:trixie || make quorumgate-runtime:trixie \
        libjansson4 liblmdb0 libpcre2-8-0 libssl3t64 libuv1t64 libxxhash0 libyaml-0-2 zlib1g
    has quorumgate-builder:trixie || make quorumgate-builder:trixie \
        cmake ninja-build gcc binutils pkgconf libc6-dev libuv1-dev libssl-dev libmsgpack-c-dev liblmdb-dev libyaml-dev \
        libjansson-dev libpcre2-dev zlib1g-dev libxxhash-dev dpkg-dev patch xz-utils debian-archive-keyring
    build none --build-arg BUILDER=quorumgate-builder:trixie --build-arg RUNTIME=quorumgate-runtime:trixie ||
        die "the build failed; its messages are above"
fi
say "$tag is built"

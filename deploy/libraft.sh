#!/bin/sh
# libraft.sh: builds libraft 0.22.1 from Debian's own source package and puts it into the user's cache.
#
#   deploy/libraft.sh            build and install, unless it is there already
#   deploy/libraft.sh --check    exit 0 when it is there, 1 when not; prints nothing
#   deploy/libraft.sh --print    print the directory (include/ and lib/ are below it)
#
# Why not the packaged library: Debian 12 has 0.15.0, which has other bugs; Debian 13's 0.22.1 hides a function
# our storage needs (LegacyFireCompletedRequests) and is compiled with NDEBUG, which turns failed steps into
# silence. So: the same source, static, assertions on, without the uv backend.
#
# Where the source comes from: the mirror this machine already uses for Debian, suite trixie, fetched by apt into
# a private directory. apt checks the archive's signature and the hash of each file; we check the SHA-256 of the
# tarball once more. Nothing of the machine's own apt configuration is changed, and root is not needed.
#
# Price: about 10 s and 1 MB, once per user. A second run finds the result and needs no network.
set -eu

version=0.22.1
package_version=$version-1
orig_sha256=7e45b6f24f3671c9bfd5b146814493f87cb2e560712bd469c1f5969a4b94291a
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
recipe=2 # raise it when flags or file lists change: an older build is then replaced

target=${XDG_CACHE_HOME:-$HOME/.cache}/quorumgate/raft-$version

say() { printf 'libraft: %s\n' "$*" >&2; }
die() { say "$*"; exit 2; }

is_built() {
    [ -f "$target/lib/libraft.a" ] && [ -f "$target/lib/libraft-asan.a" ] && [ -f "$target/include/raft.h" ] &&
        [ "$(cat "$target/recipe" 2>/dev/null)" = "$recipe" ]
}

case ${1:-} in
--check) is_built && exit 0 || exit 1 ;;
--print) printf '%s\n' "$target"; exit 0 ;;
'') ;;
*) die "unknown argument $1; it takes --check, --print or nothing" ;;
esac
if is_built; then exit 0; fi

for tool in apt-get dpkg-source gcc ar nm sha256sum; do
    command -v "$tool" >/dev/null 2>&1 || die "$tool is missing; install dpkg-dev gcc binutils, or run ./run setup"
done
[ -f "$keyring" ] || die "$keyring is missing; install debian-archive-keyring"

# The mirror: the first source of this machine that apt knows to be Debian's own main archive. indextargets reads
# both source formats, and knows origin and label only after an apt-get update.
mirror_uri() {
    apt-get indextargets --format '$(REPO_URI)|$(ORIGIN)|$(LABEL)|$(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
        awk -F'|' '$2 == "Debian" && $3 == "Debian" && $4 == "main" && !seen { print $1; seen = 1 }'
}
uri=$(mirror_uri)
[ -n "$uri" ] || die "apt knows no Debian archive here; run apt-get update (as root) and look at its errors"

work=$(mktemp -d "${TMPDIR:-/tmp}/libraft.XXXXXX")
stage=
trap 'rm -rf "$work" ${stage:+"$stage"}' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
chmod 755 "$work" # apt downloads as its own user
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/source" "$work/plain" "$work/asan"

# The name must end in .sources, or apt reads it in the one-line format.
cat >"$work/trixie.sources" <<SOURCES
Types: deb-src
URIs: $uri
Suites: trixie
Components: main
Signed-By: $keyring
SOURCES

apt() {
    LC_ALL=C apt-get -q -o Dir::Etc::SourceList="$work/trixie.sources" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o Acquire::Retries=3 \
        -o Acquire::AllowInsecureRepositories=false -o Acquire::Languages=none "$@" >>"$work/apt.log" 2>&1
}

say "fetching the source package raft $package_version from this machine's Debian mirror"
apt update || { cat "$work/apt.log" >&2; die "the source index of trixie could not be fetched or its signature is wrong"; }
(cd "$work/source" && apt source "raft=$package_version") ||
    { cat "$work/apt.log" >&2; die "the source package raft $package_version could not be fetched"; }

orig=$(echo "$work"/source/raft_"$version".orig.tar.*z)
sum=$(sha256sum "$orig" | cut -d' ' -f1)
[ "$sum" = "$orig_sha256" ] || die "the tarball's SHA-256 is $sum, not $orig_sha256; nothing was built"

# Without this file the compiler could pick up an installed raft.h of 0.15.
source=$work/source/raft-$version
sed 's/@enable_v0@//' "$source/include/raft.h.in" >"$source/include/raft.h"
grep -q 'RAFT_API' "$source/include/raft.h" || die "raft.h.in looks different from what this script knows"

say "compiling: static, assertions on, once plain and once for AddressSanitizer"
# build DIRECTORY ARCHIVE FLAGS...: every source but the uv backend and the fixture, as one archive.
build() {
    directory=$1 archive=$2
    shift 2
    ls "$source"/src/*.c | grep -vE '/(uv|fixture)[^/]*$' |
        (cd "$directory" && xargs -n 4 -P 4 gcc -std=gnu11 -g -fPIC -UNDEBUG -fno-strict-aliasing -w \
            -I"$source/include" "$@" -c) || die "libraft did not compile"
    ar rcs "$archive" "$directory"/*.o
    # Assertions must really be in: a build without them stores nothing when a step fails, and says nothing.
    nm "$archive" | grep -q ' U __assert_fail$' || die "the build has no assertions; refusing to use it"
    nm "$archive" | grep -q ' T LegacyFireCompletedRequests$' || die "the build lacks LegacyFireCompletedRequests"
}
build "$work/plain" "$work/libraft.a" -O2 -fstack-protector-strong -D_FORTIFY_SOURCE=2
build "$work/asan" "$work/libraft-asan.a" -O1 -fno-omit-frame-pointer -fsanitize=address

# Installed by one rename, so that an interrupted or a second concurrent run leaves a whole directory or none.
mkdir -p "$(dirname "$target")"
stage=$(mktemp -d "$target.new.XXXXXX")
mkdir -p "$stage/include" "$stage/lib"
cp "$source/include/raft.h" "$stage/include/"
cp "$work/libraft.a" "$work/libraft-asan.a" "$stage/lib/"
cp "$source/LICENSE" "$stage/" 2>/dev/null || :
printf '%s\n' "$recipe" >"$stage/recipe"
chmod 755 "$stage"
if [ -e "$target" ]; then mv "$target" "$stage.old" && { mv -T "$stage" "$target"; rm -rf "$stage.old"; }
else mv -T "$stage" "$target"; fi
stage=
say "installed in $target"

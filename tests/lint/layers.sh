#!/bin/sh
# Compares every #include with the layers and libraries of docs/ARCHITECTURE.md.
#
#   layers.sh [DIRECTORY]      check a work tree (default: this one); one line per violation, exit 1 if there is any
#   layers.sh --self-test      plant violations in a copy and see that each is found
#
# The table stands in the page that people read, in a fenced block, so that there is only one.
set -eu
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

check() { # DIRECTORY
    cd "$1"
    find base pki http model verdict net store raft node cli examples deploy -name '*.[ch]' 2>/dev/null | sort >"$list"
    # One awk over the table, then over all sources (named by the list).
    awk -v list="$list" '
        function fail(text) { print text; bad = 1 }

        # The folder of a path that the table knows: the longest prefix with a row.
        function folder_of(path,    parts, n, i, prefix, found) {
            n = split(path, parts, "/")
            found = ""
            prefix = ""
            for (i = 1; i < n; i++) {
                prefix = prefix (i > 1 ? "/" : "") parts[i]
                if (prefix in row) found = prefix
            }
            # node/ itself is the main program; another folder below it must have a row of its own.
            if (found == "node" && n > 2) return ""
            return found
        }

        # Everything reachable from a folder, once.
        function close_over(from, at,    names, n, i, name) {
            if ((from, at) in visited) return
            visited[from, at] = 1
            n = split(row[at], names, " ")
            for (i = 1; i <= n; i++) {
                name = names[i]
                if (name == "*") { everything[from] = 1; continue }
                if (sub(/!$/, "", name)) { may[from, name] = 1; continue }
                if (!(name in row)) { fail("docs/ARCHITECTURE.md: layer " at " names " name ", which has no row"); continue }
                may[from, name] = 1
                close_over(from, name)
            }
        }

        /^```layers/ { block = "layers"; next }
        /^```libraries/ { block = "libraries"; next }
        /^```/ { block = ""; next }
        block != "" && $2 == "->" {
            name = $1
            rest = $0
            sub(/^[^>]*> */, "", rest)
            if (block == "layers") row[name] = rest
            else only[name] = " " rest " "
        }

        END {
            for (name in row) count++
            if (count == 0) { print "docs/ARCHITECTURE.md: no layers block found"; exit 1 }
            for (name in row) close_over(name, name)

            while ((getline file < list) > 0) {
                folder = folder_of(file)
                # Programs beside the product (upstream, demo) stand on base alone.
                beside = file ~ /^(examples|deploy)\//
                if (folder == "" && !beside) { fail(file ": its folder has no row in docs/ARCHITECTURE.md"); continue }
                line = 0
                while ((getline text < file) > 0) {
                    line++
                    if (text !~ /^[ \t]*#[ \t]*include[ \t]*["<]/) continue
                    quoted = text ~ /include[ \t]*"/
                    path = text
                    sub(/^[^"<]*["<]/, "", path)
                    sub(/[">].*$/, "", path)
                    files++
                    if (!quoted) {
                        if (!beside && path in only && index(only[path], " " folder " ") == 0)
                            fail(file ":" line ": <" path "> is only for" only[path])
                        continue
                    }
                    if (beside) {
                        own = file
                        sub(/\/[^\/]*$/, "/", own)
                        if (index(path, "base/") != 1 && index(path, own) != 1)
                            fail(file ":" line ": may include only base/ and its own folder, not \"" path "\"")
                        continue
                    }
                    target = folder_of(path)
                    if (target == "") { fail(file ":" line ": \"" path "\" must be a path from the root, in a folder of the table"); continue }
                    if (target == folder || everything[folder] || ((folder, target) in may)) continue
                    fail(file ":" line ": " folder " may not include " target " (\"" path "\")")
                }
                close(file)
            }
            if (bad) exit 1
            print "layers: " files " includes agree with docs/ARCHITECTURE.md"
        }
    ' docs/ARCHITECTURE.md
}

self_test() {
    copy=$work/tree
    mkdir -p "$copy/docs"
    cp "$root/docs/ARCHITECTURE.md" "$copy/docs/"
    failed=0
    # plant EXPECTED FILE INCLUDE-LINE
    plant() {
        rm -rf "$copy/base" "$copy/node" "$copy/model" "$copy/raft" "$copy/cli" "$copy/node_other"
        mkdir -p "$copy/$(dirname "$2")"
        printf '/* planted */\n%s\n' "$3" >"$copy/$2"
        if (check "$copy") >"$work/out" 2>&1; then found=no; else found=yes; fi
        if [ "$found" != "$1" ]; then
            echo "self-test: $2 with '$3': violation found: $found, expected: $1"
            failed=1
        fi
    }
    plant yes base/slice.c '#include "store/store.h"'
    plant yes node/proxy/worker.c '#include "raft/member.h"'
    plant yes node/proxy/worker.c '#  include "store/store.h"'
    plant yes node/snapshot/build.c '#include <uv.h>'
    plant yes node/control/admin.c '#include <raft.h>'
    plant yes model/kind.c '#include "slice.h"'
    plant yes model/kind.c '#include "tests/lib/fake.h"'
    plant yes node/unheard/of.c '#include "base/slice.h"'
    plant yes cli/get.c '#include "raft/member.h"'
    plant no cli/get.c '#include "cli/offline/offline.h"'
    plant no cli/offline/init.c '#include "store/store.h"'
    plant no node/proxy/worker.c '#include "base/slice.h"'
    plant no node/main.c '#include "raft/member.h"'
    plant no raft/member.c '#include <raft.h>'
    [ "$failed" = 0 ] && echo "layers: the self-test found all planted violations, and nothing else"
    return "$failed"
}

work=$(mktemp -d "${TMPDIR:-/tmp}/layers.XXXXXX")
trap 'rm -rf "$work"' EXIT
list=$work/list
case ${1:-} in
--self-test) self_test ;;
*) check "${1:-$root}" ;;
esac

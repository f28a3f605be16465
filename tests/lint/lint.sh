# shellcheck shell=sh
# What `./run lint` checks; sourced by ./run. Each step is one passed, failed or skipped line, and the last line adds
# up. Nothing is changed.

lint_passed=0 lint_failed=0 lint_skipped=0

# All C sources of ours.
lint_sources() {
    find base pki http model verdict net store raft node cli examples deploy tests -name '*.[ch]' 2>/dev/null | sort
}

# Every text file that is part of the repository, without what a build leaves behind.
lint_texts() {
    if command -v git >/dev/null 2>&1 && git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git ls-files -co --exclude-standard | while read -r file; do [ ! -f "$file" ] || echo "$file"; done
    else
        find . -path ./build -prune -o -type f -print | sed 's,^\./,,'
    fi | grep -vE '^LICENSE$|^tests/fuzz/corpus/' | sort
}

lint_step() { # NAME COMMAND...
    name=$1
    shift
    started=$(date +%s)
    if "$@" >"$root/build/lint.log" 2>&1; then
        lint_passed=$((lint_passed + 1))
        echo "ok lint: $name in $(($(date +%s) - started)) s"
    else
        lint_failed=$((lint_failed + 1))
        head -n 200 "$root/build/lint.log"
        echo "not ok lint: $name in $(($(date +%s) - started)) s"
    fi
}

lint_format() { lint_sources | xargs clang-format --dry-run -Werror; }

# The database of the release build has every product file and test with its real flags; gcc's own flags mean
# nothing to clang. The analyzer looks at paths within a function only (shallow): a tenth of the time, and nearly all
# of what it finds.
lint_tidy() {
    configure release || return 1
    lint_sources | grep '\.c$' | while read -r file; do
        ! grep -qF "\"file\": \"$root/$file\"" build/release/compile_commands.json || echo "$file"
    done >build/lint.files
    [ -s build/lint.files ] || return 1
    xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p build/release \
        --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-ignored-optimization-argument \
        --extra-arg=-Xclang --extra-arg=-analyzer-config --extra-arg=-Xclang --extra-arg=mode=shallow <build/lint.files
}

# Words that must not stand in a work tree: work left open, and paths or hosts of one machine.
lint_words() {
    status=0
    lint_texts | grep -v '^tests/lint/lint.sh$' >build/lint.files
    if xargs grep -InE '\b(TODO|FIXME|XXX)\b' <build/lint.files; then
        echo "open work belongs in an issue, not in a comment"
        status=1
    fi
    if xargs grep -InE '(^|[^[:alnum:]_.$}/"-])"?/(root|home|work|Users)/[[:alnum:]_.]+/' <build/lint.files; then
        echo "a path of one machine"
        status=1
    fi
    if xargs grep -InE '(deb|ftp|security|snapshot)(\.[a-z0-9-]+)*\.debian\.org' <build/lint.files; then
        echo "the package mirror is derived from the machine's own sources"
        status=1
    fi
    if xargs grep -InE '[[:blank:]]+$' <build/lint.files; then
        echo "blanks at the end of a line"
        status=1
    fi
    return $status
}

# Each header says what it is for before anything else, and stands alone.
lint_headers() {
    lint_sources | grep '\.h$' | grep -v '^tests/' >build/lint.files
    xargs awk 'FNR == 1 && $0 !~ /^\/\*/ { print FILENAME ": begins without a comment on its purpose"; bad = 1 }
        END { exit bad }' <build/lint.files
}

lint_shell() {
    status=0
    for file in run .ci/run $(lint_texts | grep '\.sh$'); do
        case $(head -n 1 "$file") in
        *bash*) ! command -v bash >/dev/null 2>&1 || bash -n "$file" || status=1 ;;
        *) sh -n "$file" || status=1 ;;
        esac
    done
    return $status
}

# Laid out by gofmt, and nothing that vet finds; of the tests' Go alone, the product has none.
lint_go() {
    unformatted=$(gofmt -l jepsen)
    [ -z "$unformatted" ] || { echo "gofmt -w:" $unformatted; return 1; }
    (cd jepsen && go vet ./...)
}

lint_all() {
    mkdir -p build
    lint_step "clang-format" lint_format
    lint_step "layers" tests/lint/layers.sh
    lint_step "layers finds planted violations" tests/lint/layers.sh --self-test
    lint_step "words" lint_words
    lint_step "headers" lint_headers
    lint_step "shell syntax" lint_shell
    if command -v go >/dev/null 2>&1 && (cd jepsen && go mod download >/dev/null 2>&1); then
        lint_step "go" lint_go
    else
        lint_skipped=$((lint_skipped + 1))
        echo "skip lint: go: no go here, or no way to its module"
    fi
    lint_step "clang-tidy" lint_tidy
    echo "$lint_passed passed, $lint_failed failed, $lint_skipped skipped"
    [ "$lint_failed" -eq 0 ]
}

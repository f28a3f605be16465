# shellcheck shell=sh
# Sourced by the e2e tests written in sh or bash. The whole protocol between a test and `./run test` is one line on
# stdout per result:
#
#   ok NAME            not ok NAME            skip NAME: REASON
#
# Anything else a test prints is kept in its log and shown when it fails. A test exits 0 when nothing failed. A
# program that ends with another status without a "not ok" line, or that prints no result at all, counts as one
# failure under its own name. The environment has GW_BIN (directory of gwd, gwctl, upstream), GW_ROOT (the work
# tree) and, under a sanitizer, GW_SANITIZED=1 (then limits on time do not count).
#
# A test may use: ok, not_ok, skip, check, wait_until, note; tap_end last.

tap_failed=0

note() { printf '# %s\n' "$*"; }
ok() { printf 'ok %s\n' "$*"; }
not_ok() {
    printf 'not ok %s\n' "$*"
    tap_failed=$((tap_failed + 1))
}
skip() { printf 'skip %s: %s\n' "$1" "$2"; } # NAME REASON

# check NAME COMMAND...: ok when the command succeeds.
check() {
    tap_name=$1
    shift
    if "$@"; then ok "$tap_name"; else not_ok "$tap_name"; fi
}

# wait_until SECONDS COMMAND...: polls every 50 ms; status 1 when the time is over. Tests never sleep a fixed time.
wait_until() {
    tap_limit=$(($(date +%s) + $1))
    shift
    until "$@"; do
        [ "$(date +%s)" -le "$tap_limit" ] || return 1
        sleep 0.05
    done
}

tap_end() { [ "$tap_failed" -eq 0 ]; }

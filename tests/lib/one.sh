#!/bin/sh
# Runs one test program with a time limit and writes its results in the form of tests/lib/tap.sh.
#
#   one.sh cmocka|lines SECONDS RESULTS_DIRECTORY PROGRAM
#
# Leaves NAME.log (all output) and NAME.results (one line per result). A program that crashes, hangs, or prints fewer
# results than it planned gets one more "not ok" with the reason, so that no test is lost in silence.
set -u
form=$1 seconds=$2 results=$3 program=$4
name=$(basename "$program")
name=${name%.sh}
log=$results/$name.log

started=$(date +%s)
status=0
CMOCKA_MESSAGE_OUTPUT=TAP timeout -k 5 "$seconds" "$program" >"$log" 2>&1 </dev/null || status=$?
took=$(($(date +%s) - started))

if [ "$form" = cmocka ]; then
    # cmocka 1.1.5 (Debian 12) writes a skipped test as "not ok 3 # SKIP name", later ones as "ok 3 - name # SKIP".
    awk -v program="$name" '
        /^1\.\.[0-9]+/ { planned += substr($0, 4) }
        /^(not )?ok [0-9]+ / {
            seen++
            skipped = /# SKIP/
            failed = /^not ok/ && !skipped
            sub(/^(not )?ok [0-9]+ (- )?/, ""); sub(/ *# SKIP */, "")
            print (skipped ? "skip" : failed ? "not ok" : "ok") " " program ": " $0 (skipped ? ": skipped by the test" : "")
        }
        END { if (seen < planned) print "not ok " program ": ended after " seen + 0 " of " planned " tests" }
    ' "$log" >"$results/$name.results"
else
    grep -aE '^(ok|not ok|skip) ' "$log" | sed "s/^\(ok\|not ok\|skip\) /\1 $name: /" >"$results/$name.results"
fi

if [ "$status" = 124 ] || [ "$status" = 137 ]; then
    echo "not ok $name: not done after $took s of $seconds" >>"$results/$name.results"
elif [ "$status" != 0 ] && ! grep -q '^not ok' "$results/$name.results"; then
    echo "not ok $name: ended with status $status" >>"$results/$name.results"
elif [ ! -s "$results/$name.results" ]; then
    echo "not ok $name: printed no result" >>"$results/$name.results"
fi
exit 0

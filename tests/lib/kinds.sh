# shellcheck shell=sh
# The kinds of tests behind `./run test`; sourced by ./run, whose say, configure and build it uses.
#
# Each kind is a function kind_NAME. It runs programs through tests/lib/one.sh into a directory of its own, then
# `tally` prints what failed or was skipped and adds up. What a machine cannot run is skipped by name with a reason
# and counted, never left out in silence.

total_passed=0 total_failed=0 total_skipped=0
sim_line= test_sim_line= test_jepsen_line=
test_jobs=$(nproc 2>/dev/null || echo 2)

# Results of one kind: a fresh directory below build/results.
results_new() { # KIND
    results=$root/build/results/$1
    rm -rf "$results"
    mkdir -p "$results"
}

result() { printf '%s\n' "$*" >>"$results/kind.results"; } # "ok NAME", "not ok NAME", "skip NAME: REASON"

# Shows failures with the end of their logs, then adds up.
tally() { # KIND SECONDS
    cat "$results"/*.results 2>/dev/null >"$results/all" || :
    passed=$(grep -c '^ok ' "$results/all" || :)
    failed=$(grep -c '^not ok ' "$results/all" || :)
    skipped=$(grep -c '^skip ' "$results/all" || :)
    grep '^skip ' "$results/all" || :
    for file in "$results"/*.results; do
        [ -f "$file" ] || continue
        grep '^not ok ' "$file" || continue
        log=${file%.results}.log
        [ ! -s "$log" ] || { echo "--- last lines of ${log#"$root"/}"; tail -n 40 "$log" | sed 's/^/    /'; }
    done
    echo "== $1: $passed passed, $failed failed, $skipped skipped in $2 s"
    total_passed=$((total_passed + passed))
    total_failed=$((total_failed + failed))
    total_skipped=$((total_skipped + skipped))
}

# test_build PRESET [TARGET...]: a failed build is one failed test of the kind that needed it.
test_build() {
    preset=$1
    shift
    echo "== building build/$preset"
    if configure "$preset" again && build "$preset" "$@"; then return 0; fi
    result "not ok build of $preset"
    return 1
}

# The programs in a directory, but nothing that is not one.
programs_in() { find "$1" -maxdepth 1 -type f -perm -u+x ! -name '*.so' 2>/dev/null | sort; }

run_unit() { # PRESET
    programs_in "build/$1/tests/unit" | grep . >"$results/programs" || { result "skip unit: no programs yet"; return; }
    xargs -P "$test_jobs" -n 1 tests/lib/one.sh cmocka 120 "$results" <"$results/programs"
}

# Kept schedules first, then seeds; then, with --plants, whether each planted bug is found. A seed that fails is named
# by its number, which `./run test sim --seed N` replays; the shortest schedule known that fails is in the log and in
# build/results/sim. The line that begins with SIM is for scripts; it stands directly before the last line of
# `./run test`.
run_sim() { # PRESET ARGUMENTS...
    sim=build/$1/tests/sim/sim
    shift
    [ -x "$sim" ] || { result "not ok sim: $sim is not there"; return; }
    status=0
    timeout -k 5 $((3600 + ${test_minutes:-0} * 60)) "$sim" --save "$results" "$@" >"$results/sim.log" 2>&1 </dev/null || status=$?
    sim_line=$(grep '^SIM seeds ' "$results/sim.log" | tail -n 1 || :)
    {
        sed -n 's/^replay: sim --seed \([0-9]*\).*/not ok sim: seed \1/p' "$results/sim.log"
        sed -n -e 's/^\(not ok\|ok\) \(planted bug\|schedule\) /\1 sim: \2 /p' "$results/sim.log"
        case $sim_line in
        *' violations 0') echo "ok sim: ${sim_line#SIM }" ;;
        '') echo "not ok sim: ended with status $status and without its totals" ;;
        esac
    } >"$results/sim.results"
    if [ "$status" != 0 ] && ! grep -q '^not ok' "$results/sim.results"; then
        echo "not ok sim: ended with status $status" >>"$results/sim.results"
    fi
    sed 's/^/  /' "$results/sim.results"
}

# One story after the other: they measure time, and two cores are few.
run_stories() { # PRESET FOLDER [SECONDS]
    # By name alone: one that lacks the right to run fails, rather than being passed over.
    { find "tests/$2" -maxdepth 1 -type f -name '*_test.sh'
      programs_in "build/$1/tests/$2" | grep '_test$'; } | sort | grep . >"$results/programs" || { result "skip $2: no stories yet"; return; }
    [ -x "build/$1/bin/gwd" ] || { result "skip $2: gwd is not there yet"; return; }
    while read -r program; do
        GW_BIN=$root/build/$1/bin GW_ROOT=$root tests/lib/one.sh lines "${3:-300}" "$results" "$program"
        sed 's/^/  /' "$results/$(basename "${program%.sh}").results"
    done <"$results/programs"
}

kind_unit() {
    test_build release || return 0
    run_unit release
}

kind_sim() {
    test_build release sim || return 0
    if [ -n "$test_seed" ]; then
        run_sim release --first "$test_seed" --seeds 1
    elif [ -n "$test_minutes" ]; then
        run_sim release --schedules tests/sim/schedules --first "$(date +%s)" --minutes "$test_minutes" --plants
    else
        run_sim release --schedules tests/sim/schedules --seeds 2000 --plants
    fi
    test_sim_line=$sim_line
}

kind_e2e() {
    test_build release || return 0
    run_stories release e2e
}

# Reports of a sanitizer go to files, so that a report of a gwd that a story started is found whatever the story says.
sanitizer_reports() {
    for report in "$results"/report.*; do
        [ -f "$report" ] || continue
        sed 's/^/    /' "$report" | head -n 60
        result "not ok sanitizer report ${report#"$root"/}"
    done
}

kind_asan() {
    test_build asan || return 0
    export GW_SANITIZED=1 ASAN_OPTIONS="log_path=$results/report" UBSAN_OPTIONS="print_stacktrace=1:log_path=$results/report"
    run_unit asan
    run_sim asan --seeds 40
    run_stories asan e2e
    unset GW_SANITIZED ASAN_OPTIONS UBSAN_OPTIONS
    sanitizer_reports
}

kind_tsan() {
    test_build tsan || return 0
    export GW_SANITIZED=1 TSAN_OPTIONS="suppressions=$root/tests/lib/tsan.supp:log_path=$results/report"
    run_unit tsan
    run_stories tsan e2e
    unset GW_SANITIZED TSAN_OPTIONS
    sanitizer_reports
}

# The kept corpus, and a short hunt for more with --minutes.
kind_fuzz() {
    [ -f tests/fuzz/CMakeLists.txt ] || { result "skip fuzz: no fuzzers yet"; return 0; }
    test_build fuzz tests/fuzz/all || return 0
    programs_in build/fuzz/tests/fuzz | grep . >"$results/programs" || { result "skip fuzz: no fuzzers yet"; return 0; }
    while read -r program; do
        name=$(basename "$program")
        corpus=tests/fuzz/corpus/${name#fuzz_}
        mkdir -p "$results/found/$name"
        status=0
        timeout -k 5 3600 "$program" -artifact_prefix="$results/$name." -max_total_time=$((${test_minutes:-0} * 60 + 10)) \
            "$results/found/$name" $([ ! -d "$corpus" ] || echo "$corpus") >"$results/$name.log" 2>&1 </dev/null || status=$?
        if [ "$status" = 0 ]; then echo "ok $name"; else echo "not ok $name: status $status"; fi >"$results/$name.results"
    done <"$results/programs"
}

kind_lab() {
    test_build release || return 0
    run_stories release lab
}

kind_browser() { result "skip browser: no console yet"; }

# Why there can be no containers here; nothing where there can.
docker_lacks() {
    command -v docker >/dev/null 2>&1 || { echo "docker is not installed"; return; }
    docker info >/dev/null 2>&1 || { echo "no engine answers (docker info)"; return; }
    docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null 2>&1 ||
        { echo "neither docker compose nor docker-compose"; return; }
    docker network create "gwprobe$$" >/dev/null 2>&1 || { echo "the engine makes no networks here"; return; }
    docker network rm "gwprobe$$" >/dev/null
}

# The image is kept for the next run, under a name that no one else uses.
kind_docker() {
    why=$(docker_lacks)
    [ -z "$why" ] || { result "skip docker: $why"; return 0; }
    test_build release || return 0
    echo "== building the image"
    export GW_IMAGE=quorumgate:test
    if timeout -k 10 900 deploy/image.sh "$GW_IMAGE" >"$results/image.log" 2>&1; then
        echo "ok image: builds" >"$results/image.results"
    else
        echo "not ok image: builds" >"$results/image.results"
        return 0
    fi
    run_stories release docker 600 # two minutes each, but engines differ
    jepsen_contained
    unset GW_IMAGE
}

# A short mix of jepsen over containers; more of it by hand: build/jepsen/jepsen --image.
jepsen_contained() {
    test_build release tests/lab/all && jepsen_build || return 0
    run_jepsen containers release 300 --image "$GW_IMAGE" --nemeses isolate-leader,bridge,kill
    grep -E '^(ok|not ok|skip) ' "$results/containers.log" >"$results/containers.results" || :
    grep -q '^\(JEPSEN\|skip jepsen:\)' "$results/containers.log" ||
        echo "not ok jepsen: ended without its totals" >>"$results/containers.results"
}

# A Go program with its one module from the proxy. Its lines "ok CELL", "not ok CELL", "skip NEMESIS: REASON" are the
# results, and the line that begins with JEPSEN is for scripts, as that of sim.
jepsen_build() {
    (cd jepsen && go mod download) >"$results/go.log" 2>&1 || {
        result "skip jepsen: its module cannot be fetched: $(tail -n 1 "$results/go.log")"
        return 1
    }
    mkdir -p build/jepsen
    (cd jepsen && go vet . && go test . && go build -o ../build/jepsen/jepsen .) >"$results/go.log" 2>&1 || {
        tail -n 40 "$results/go.log"
        result "not ok build, vet and test of jepsen"
        return 1
    }
    result "ok the checkers know good histories from bad ones"
}

run_jepsen() { # NAME PRESET LIMIT ARGUMENTS...
    log=$results/$1.log out=$results/$1 bin=build/$2/bin limit=$3
    shift 3
    timeout -k 30 "$limit" build/jepsen/jepsen --bin "$bin" --root . --out "$out" ${test_seed:+--seed "$test_seed"} "$@" \
        2>&1 </dev/null | tee "$log" | sed 's/^/  /'
}

kind_jepsen() {
    test_build release || return 0
    jepsen_build || return 0
    run_jepsen mix release $((900 + ${test_minutes:-0} * 60)) ${test_minutes:+--minutes "$test_minutes"}
    grep -E '^(ok|not ok|skip) ' "$results/mix.log" >"$results/mix.results" || :
    test_jepsen_line=$(grep '^JEPSEN ' "$results/mix.log" | tail -n 1 || :)
    [ -n "$test_jepsen_line" ] || grep -q '^skip jepsen:' "$results/mix.log" ||
        echo "not ok jepsen: ended without its totals" >>"$results/mix.results"
    [ -z "$test_plants" ] || jepsen_plants
}

# Bugs in a build of their own, each under nemeses that bring it to light; not to find one is a failure.
jepsen_plants() {
    test_build plants gwd gwctl || return 0
    while read -r plant nemeses; do
        run_jepsen "$plant" plants 300 --plant "$plant" --nemeses "$nemeses"
        grep -E '^((not )?ok planted|not ok jepsen|skip )' "$results/$plant.log" >"$results/$plant.results" ||
            echo "not ok planted bug $plant: ended without a word" >"$results/$plant.results"
    done <<'PLANTS'
local-read partition-minority,pause
cas-skipped lossy
ack-early isolate-leader
session-lost pause,isolate-leader,partition-minority
watch-gap kill
no-sync power-cut
PLANTS
}

test_run_kinds() { # KINDS SEED MINUTES
    test_seed=$2 test_minutes=$3 test_plants=$4
    for kind in $1; do
        started=$(date +%s)
        results_new "$kind"
        "kind_$kind"
        tally "$kind" $(($(date +%s) - started))
    done
    [ -z "$test_sim_line" ] || echo "$test_sim_line"
    [ -z "$test_jepsen_line" ] || echo "$test_jepsen_line"
    echo "$total_passed passed, $total_failed failed, $total_skipped skipped"
    [ "$total_failed" -eq 0 ]
}

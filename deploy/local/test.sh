# shellcheck shell=bash
# The tests. Unit tests run under ctest; the suites of tests/e2e start the real programs and clean up after themselves.
test_unit() {
    local dir=$1
    shift
    ctest --test-dir "$dir" --output-on-failure -j2 "$@"
}

# Runs what takes long: all it says goes into a log, the verdicts of its single tests also to the terminal as they fall.
test_followed() { # log, command…
    "${@:2}" 2>&1 | tee "$1" |
        sed -unE 's/^([0-9]+: )?(.* \.\.\. (ok|FAIL|ERROR|skipped .*))$/    \2/p; s/^([0-9]+: )?(\[ +(OK|FAILED) +\] .*)/    \2/p; /^ *[0-9]+\/[0-9]+ +Test +#/p' >&2
}

# One suite of tests/e2e with a shell of its own; counts into passed and failed of the caller.
test_suite() { # name, arguments of run.sh after the build folder…
    local name=$1 log=$BUILD_DIR/e2e/$1.log started=$SECONDS
    shift
    mkdir -p "$BUILD_DIR/e2e"
    step "end to end: $name $* (all it says: $log)"
    if test_followed "$log" bash "$ROOT/tests/e2e/$name/run.sh" "$BUILD_DIR" "$@"; then
        passed=$((passed + 1))
        say "    passed in $((SECONDS - started)) s"
    else
        failed=$((failed + 1))
        tail -n 40 "$log" >&2
        say "    FAILED after $((SECONDS - started)) s (whole log: $log)"
    fi
}

# Real processes, real mTLS, the bad inputs, a misbehaving model, the client against the workspace, backup and restore on
# both stores, and the main job.
test_e2e() {
    local passed=0 failed=0
    step "end to end: control plane and workers as real processes"
    test_unit "$BUILD_DIR" -j1 -L e2e -LE "spark|bench" || failed=$((failed + 1))
    test_suite llm
    test_suite databricks
    test_suite backup
    test_suite main build
    printf 'e2e: %d passed, %d failed\n' "$passed" "$failed"
    [ "$failed" = 0 ]
}

# What takes long and proves: the generated pipeline over several days against an oracle, the agents that deploy and
# validate it, the official SDK's view of the workspace and its accidents, and the main job repeated and killed.
test_slow() {
    local passed=0 failed=0 log=$BUILD_DIR/e2e/spark.log
    mkdir -p "$BUILD_DIR/e2e"
    step "on Spark: the pipeline over several days, its agents, the questions (all they say: $log)"
    test_followed "$log" ctest --test-dir "$BUILD_DIR" --verbose -j1 -L spark || {
        failed=$((failed + 1))
        tail -n 40 "$log" >&2
    }
    test_suite workspace
    test_suite pushdown
    test_suite main build repeat day2 kill
    printf 'slow: %d passed, %d failed\n' "$passed" "$failed"
    [ "$failed" = 0 ]
}

cmd_test() {
    local what=${1:-all}
    case $what in
    unit | e2e | slow | all) ;;
    *) misused "test $what: expected unit, e2e, all or slow" ;;
    esac
    [ $# -le 1 ] || misused "test: $2: expected no more words (see ./bldr test --help)"
    deps_test
    build "$BUILD_DIR"
    case $what in
    unit) test_unit "$BUILD_DIR" -LE "e2e|spark|bench" ;;
    e2e) test_e2e ;;
    slow) test_slow ;;
    all)
        test_unit "$BUILD_DIR" -LE "e2e|spark|bench"
        test_e2e
        ;;
    esac
}

cmd_bench() {
    local name=${1:-} program
    if [ -z "$name" ]; then
        (cd "$ROOT/tests/bench" && ls -d -- */ | tr -d /)
        return
    fi
    shift
    [ -d "$ROOT/tests/bench/$name" ] || misused "no benchmark named $name; ./bldr bench lists them"
    deps_spark
    build "$BUILD_DIR"
    for program in "$BUILD_DIR/bin/bench_$name" "$BUILD_DIR/bench/bench_$name"; do
        [ ! -x "$program" ] || exec "$program" "$@"
    done
    die "the benchmark $name has no program bench_$name in $BUILD_DIR"
}

# shellcheck shell=bash
# The tests. Unit tests run under ctest; each folder of tests/e2e with a run.sh is one end-to-end suite that starts the
# real programs and cleans up after itself.
test_unit() {
    local dir=$1
    shift
    ctest --test-dir "$dir" --output-on-failure -j2 "$@"
}

test_e2e() {
    local suite name passed=0 failed=0 log started
    mkdir -p "$BUILD_DIR/e2e"
    step "end to end: programs of the test tree (stack, pipeline, agents)"
    test_unit "$BUILD_DIR" -j1 -L e2e -LE bench || failed=1
    for suite in "$ROOT"/tests/e2e/*/run.sh; do
        name=$(basename "$(dirname "$suite")")
        log=$BUILD_DIR/e2e/$name.log
        started=$SECONDS
        step "end to end: $name"
        if bash "$suite" "$BUILD_DIR" >"$log" 2>&1; then
            passed=$((passed + 1))
            say "    passed in $((SECONDS - started)) s"
        else
            failed=$((failed + 1))
            tail -n 40 "$log" >&2
            say "    FAILED after $((SECONDS - started)) s (whole log: $log)"
        fi
    done
    printf 'e2e: %d passed, %d failed\n' "$passed" "$failed"
    [ "$failed" = 0 ]
}

cmd_test() {
    local what=${1:-all}
    deps_test
    build "$BUILD_DIR"
    case $what in
    unit) test_unit "$BUILD_DIR" -LE "e2e|spark|bench" ;;
    e2e) test_e2e ;;
    all)
        test_unit "$BUILD_DIR" -LE "e2e|spark|bench"
        test_e2e
        ;;
    *) die "test $what: expected unit, e2e or all" ;;
    esac
}

cmd_bench() {
    local name=${1:-}
    deps_spark
    build "$BUILD_DIR"
    if [ -z "$name" ]; then
        (cd "$ROOT/tests/bench" && ls -d -- */ | tr -d /)
        return
    fi
    shift
    [ -d "$ROOT/tests/bench/$name" ] || die "no benchmark named $name; see ./bldr bench"
    local program
    for program in "$BUILD_DIR/bin/bench_$name" "$BUILD_DIR/bench/bench_$name"; do
        [ ! -x "$program" ] || exec "$program" "$@"
    done
    die "the benchmark $name has no program bench_$name in $BUILD_DIR"
}

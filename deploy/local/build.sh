# shellcheck shell=bash
# Builds with CMake and Ninja; quiet when there is nothing to do, the compiler's own words when it fails.
# What a user runs; the tests build everything.
PROGRAMS="nuvyn-workspace nuvyn-controlplane nuvyn-worker nuvynctl"

build() {
    local dir=$1
    shift
    mkdir -p "$dir"
    if [ ! -f "$dir/build.ninja" ]; then
        step "configuring $dir"
        cmake -S "$ROOT" -B "$dir" -G Ninja "$@" >"$dir/configure.log" 2>&1 ||
            { cat "$dir/configure.log" >&2; die "cmake failed"; }
    fi
    # shellcheck disable=SC2086 # a list of targets
    if ! ninja -C "$dir" -n ${BUILD_TARGETS:-} 2>/dev/null | grep -q 'no work to do'; then
        step "building ${dir#"$ROOT"/}"
        # shellcheck disable=SC2086 # a list of targets
        ninja -C "$dir" ${BUILD_TARGETS:-} >"$dir/build.log" 2>&1 ||
            { grep -vE '^\[[0-9]+/[0-9]+\]' "$dir/build.log" >&2; die "the build failed (whole log: $dir/build.log)"; }
    fi
}

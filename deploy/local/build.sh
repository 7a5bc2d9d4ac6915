# shellcheck shell=bash
# Builds with CMake and Ninja; quiet when there is nothing to do, the compiler's own words when it fails.
# What a user runs; the tests build everything.
PROGRAMS="nuvyn-workspace nuvyn-controlplane nuvyn-worker nuvynctl"

build_folder() {
    mkdir -p "$1" 2>/dev/null && [ -w "$1" ] || die "$1: cannot be written; NUVYN_BUILD names another folder to build in"
}

configure() { # folder, cmake options…
    local dir=$1
    shift
    build_folder "$dir"
    [ ! -f "$dir/build.ninja" ] || return 0
    step "configuring ${dir#"$ROOT"/}"
    cmake -S "$ROOT" -B "$dir" -G Ninja "$@" >"$dir/configure.log" 2>&1 ||
        { cat "$dir/configure.log" >&2; die "cmake failed"; }
}

# Silent when there is nothing to do.
build_progress() { # folder
    local first
    IFS= read -r first || return 0
    step "building $1"
    { printf '%s\n' "$first" && cat; } | progress steps
}

# Everything, or what BUILD_TARGETS names.
build() { # folder, cmake options…
    local dir=$1 log=$1/build.log
    build_folder "$dir"
    hold 6 "$dir/.lock" "another ./bldr that builds in ${dir#"$ROOT"/}"
    configure "$@"
    # shellcheck disable=SC2086 # a list of targets
    ninja -C "$dir" ${BUILD_TARGETS:-} 2>&1 | tee "$log" |
        sed -nuE '/Re-checking globbed/d; s#^\[([0-9]+)/([0-9]+)\].*#\1 \2#p' | build_progress "${dir#"$ROOT"/}" ||
        { grep -vE '^\[[0-9]+/[0-9]+\]' "$log" >&2; die "the build failed (whole log: $log)"; }
    release 6
}

version() {
    local number
    number=$(sed -nE 's/^project\(.*VERSION ([0-9.]+).*/\1/p' "$ROOT/CMakeLists.txt")
    printf 'nuvyn.bldr %s%s\n' "$number" "$(git -C "$ROOT" log -1 --format=' (%h, %cs)' 2>/dev/null || true)"
}

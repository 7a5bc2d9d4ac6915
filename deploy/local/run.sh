# shellcheck shell=bash
# `bldr run` and `bldr analyze`.

cmd_run() {
    local source='' where=local options=() started_here=
    while [ $# -gt 0 ]; do
        case $1 in
        --source-dir | --workspace | --approve | --name | --mode | --catalog | --schema | --max-rounds | --increment-of)
            [ $# -ge 2 ] || die "run: $1: expected a value (see ./bldr help)" ;;
        esac
        case $1 in
        --source-dir) source=${2:-} && shift ;;
        --source-dir=*) source=${1#*=} ;;
        --workspace) where=${2:-} && shift ;;
        --approve | --name | --mode | --catalog | --schema | --max-rounds | --increment-of) options+=("$1" "${2:-}") && shift ;;
        --safe | --no-llm | --no-knowledge) options+=("$1") ;;
        --keep-up) started_here=no ;;
        *) die "run: unknown option $1 (see ./bldr help)" ;;
        esac
        shift
    done
    [ -n "$source" ] || die "run: expected --source-dir DIR, a folder of raw files"
    case $source in
    /Volumes/* | *://*) ;; # only the workspace reaches it, and says so when it does not
    *)
        [ -d "$source" ] || die "run: --source-dir $source: no such folder"
        [ -r "$source" ] && [ -x "$source" ] || die "run: --source-dir $source: the folder cannot be read"
        ;;
    esac
    if ! stack_is_up && [ -z "$started_here" ]; then
        started_here=yes
        trap 'stack_down >/dev/null 2>&1' EXIT
    fi
    stack_up --workspace "$where"
    mkdir -p "$OUTPUT_DIR"
    ctl run submit --source "$source" --tenant $LOCAL_TENANT --watch --fetch-to "$OUTPUT_DIR" "${options[@]}"
}

cmd_analyze() {
    deps_build
    BUILD_TARGETS=nuvyn-worker build "$BUILD_DIR"
    exec "$BUILD_DIR/bin/nuvyn-worker" analyze "$@"
}

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
    /Volumes/* | dbfs:/* | *://*) ;; # only the workspace reaches it, and says so when it does not
    *)
        [ -e "$source" ] || die "run: --source-dir $source: no such folder"
        [ -d "$source" ] || die "run: --source-dir $source: expected a folder, and this is a file"
        [ -r "$source" ] && [ -x "$source" ] || die "run: --source-dir $source: the folder cannot be read"
        ;;
    esac
    if ! stack_is_up && [ -z "$started_here" ]; then
        started_here=yes
        trap 'stack_down >/dev/null 2>&1' EXIT
    fi
    stack_up --workspace "$where"
    mkdir -p "$OUTPUT_DIR"
    run_followed run submit --source "$source" --tenant $LOCAL_TENANT "${options[@]}" \
        --request-id "$(cat /proc/sys/kernel/random/uuid)"
}

# Submits a run and follows it to its end; Ctrl-C cancels it, so that it does not go on when the stack comes up again. The client
# runs beside this shell, which could not heed a signal while it waits for a child.
run_followed() { # what submits it
    local status=0
    "$BUILD_DIR/bin/nuvynctl" "$@" --state-dir "$NUVYN_STATE" --watch --fetch-to "${OUTPUT_DIR#"$PWD"/}" &
    RUN_CLIENT=$! RUN_SUBMIT=("$@")
    trap run_interrupted INT TERM HUP
    wait "$RUN_CLIENT" || status=$?
    trap - INT TERM HUP
    return "$status"
}

run_interrupted() {
    local id limit=$((SECONDS + 30))
    trap '' INT TERM HUP
    kill "$RUN_CLIENT" 2>/dev/null || true
    wait "$RUN_CLIENT" 2>/dev/null || true
    { printf '\n' >&2; } 2>/dev/null || true # the terminal may be gone
    # The same request id names the same run.
    if id=$(ctl "${RUN_SUBMIT[@]}" 2>/dev/null) && ctl run cancel "$id" --tenant $LOCAL_TENANT >/dev/null; then
        say "bldr: cancelling $id"
        while ctl run describe "$id" --tenant $LOCAL_TENANT -o json | grep -q '"state": *"running"'; do
            if [ "$SECONDS" -ge "$limit" ]; then
                say "bldr: $id has not ended yet; see nuvynctl run describe $id"
                exit 130
            fi
            sleep 0.2
        done
        say "bldr: the run was cancelled"
    else
        say "bldr: the run could not be cancelled; see nuvynctl run list"
    fi
    exit 130
}

cmd_analyze() {
    deps_build
    BUILD_TARGETS=nuvyn-worker build "$BUILD_DIR"
    exec "$BUILD_DIR/bin/nuvyn-worker" analyze "$@"
}

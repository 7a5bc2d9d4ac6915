# shellcheck shell=bash
# `bldr run` and `bldr analyze`.

# A folder here is looked at before anything is built; what lies in the workspace, only the workspace reaches.
check_source() {
    case $1 in
    /Volumes/* | dbfs:/* | *://*) return ;;
    esac
    [ -e "$1" ] || { say "bldr: run: --source-dir $1: no such folder" && exit 66; }
    [ -d "$1" ] || { say "bldr: run: --source-dir $1: expected a folder, and this is a file" && exit 66; }
    [ -r "$1" ] && [ -x "$1" ] || { say "bldr: run: --source-dir $1: the folder cannot be read" && exit 77; }
}

check_choice() { # option, value
    case $1=$2 in
    --mode=full | --mode=analyze | --approve=auto | --approve=ask) ;;
    --mode=*) misused "run: --mode $2: expected full or analyze" ;;
    --approve=*) misused "run: --approve $2: expected auto or ask" ;;
    --max-rounds=*) [[ $2 =~ ^[0-9]{1,2}$ ]] && [ "$2" -ge 1 ] && [ "$2" -le 20 ] || misused "run: --max-rounds $2: expected a number from 1 to 20" ;;
    *) [ -n "$2" ] || misused "run: $1: expected a value (see ./bldr run --help)" ;;
    esac
}

cmd_run() {
    local source='' where=local options=() keep=
    while [ $# -gt 0 ]; do
        case $1 in
        --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
        esac
        case $1 in
        --source-dir | --workspace | --approve | --name | --mode | --catalog | --schema | --max-rounds | --increment-of)
            [ $# -ge 2 ] || misused "run: $1: expected a value (see ./bldr run --help)"
            case $1 in
            --source-dir) source=$2 ;;
            --workspace) where=$2 ;;
            *) check_choice "$1" "$2" && options+=("$1" "$2") ;;
            esac
            shift
            ;;
        --safe | --no-llm | --no-knowledge) options+=("$1") ;;
        --keep-up) keep=yes ;;
        -*) misused "run: unknown option $1 (see ./bldr run --help)" ;;
        *) misused "run: $1: expected --source-dir $1 (see ./bldr run --help)" ;;
        esac
        shift
    done
    [[ "${options[*]} " != *--mode\ analyze* || "${options[*]} " != *--approve\ ask* ]] ||
        misused "run: --approve ask: a run of --mode analyze builds nothing that could be approved"
    [ -n "$source" ] || misused "run: expected --source-dir DIR, a folder of raw files"
    check_source "$source"
    workspace_choice "$where"
    mkdir -p "$OUTPUT_DIR" 2>/dev/null && [ -w "$OUTPUT_DIR" ] ||
        die "$OUTPUT_DIR: cannot be written; NUVYN_OUTPUT names another folder for results"
    stack_prepare
    [ -z "$keep" ] || stack_up "$where"
    stack_borrow "$where"
    run_followed run submit --source "$source" --tenant $LOCAL_TENANT "${options[@]}" \
        --request-id "$(cat /proc/sys/kernel/random/uuid)"
}

# Submits a run and follows it to its end; Ctrl-C cancels it, so that it does not go on when the stack comes up again. The client
# runs beside this shell, which could not heed a signal while it waits for a child.
run_followed() { # what submits it
    local status=0
    NUVYNCTL_CALLED="./bldr ctl" "$BUILD_DIR/bin/nuvynctl" "$@" --state-dir "$NUVYN_STATE" --watch --fetch-to "${OUTPUT_DIR#"$PWD"/}" &
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
                say "bldr: $id has not ended yet; see ./bldr ctl run describe $id"
                exit 130
            fi
            sleep 0.2
        done
        say "bldr: the run was cancelled"
    else
        say "bldr: the run could not be cancelled; see ./bldr ctl run list"
    fi
    exit 130
}

cmd_analyze() {
    deps_build
    BUILD_TARGETS=nuvyn-worker build "$BUILD_DIR"
    exec "$BUILD_DIR/bin/nuvyn-worker" analyze "$@"
}

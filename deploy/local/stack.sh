# shellcheck shell=bash
# The local stack: certificates, workspace, control plane, two workers; each its own process, all of it below
# $NUVYN_STATE. A process is known by its pid file, and a pid counts only while it runs our program with our certificate:
# after a restart of the machine the number may be anybody's, another stack's too.
#
# Calls may overlap. Who starts or stops the stack holds run/lock; a run holds run/users (shared) while it needs the stack. A
# stack that a run started (run/borrowed) goes down with the last run that needs it; `up` makes it one that stays.

STACK_PROCESSES=(workspace controlplane worker-1 worker-2)
LOCAL_TENANT=local

stack_pid() { # name → pid on stdout, or failure
    local pid file=$NUVYN_STATE/run/$1.pid
    [ -f "$file" ] || return 1
    pid=$(cat "$file")
    [ -n "$pid" ] && [ -d "/proc/$pid" ] && tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" |
        grep -xF -- "$NUVYN_STATE/certs/$1.crt" >/dev/null || return 1
    printf '%s\n' "$pid"
}

stack_is_up() {
    local name
    for name in "${STACK_PROCESSES[@]}"; do
        stack_pid "$name" >/dev/null || return 1
    done
}

# Starts one process in its own session, logging to its own file.
stack_start() { # name, command…
    local name=$1
    shift
    ! stack_pid "$name" >/dev/null || return 0
    printf '\n' >>"$NUVYN_STATE/logs/$name.log"
    setsid "$@" >>"$NUVYN_STATE/logs/$name.log" 2>&1 </dev/null 7>&- 8>&- &
    printf '%s\n' "$!" >"$NUVYN_STATE/run/$name.pid"
    disown
}

stack_fail() { # name, what
    say "bldr: $1 $2; the end of its log ($NUVYN_STATE/logs/$1.log):"
    tail -n 5 "$NUVYN_STATE/logs/$1.log" >&2
    ! tail -n 5 "$NUVYN_STATE/logs/$1.log" | grep -qE 'port is in use|Address already in use' ||
        say "bldr: another program has the port that this stack used before; end it, or remove $NUVYN_STATE/$1/address.kept and any free port is taken"
    stack_stop
    exit 69
}

# Waits until a check succeeds; says so when the process dies first or takes too long.
stack_wait() { # name, seconds, check…
    local name=$1 limit=$((SECONDS + $2))
    shift 2
    until "$@" >/dev/null 2>&1; do
        # Between fork and exec it is not yet our program.
        kill -0 "$(cat "$NUVYN_STATE/run/$name.pid")" 2>/dev/null || stack_fail "$name" "did not start"
        [ "$SECONDS" -lt "$limit" ] || stack_fail "$name" "did not become ready"
        sleep 0.05
    done
}

ctl() { "$BUILD_DIR/bin/nuvynctl" "$@" --state-dir "$NUVYN_STATE"; }

stack_certificates() {
    local dir=$NUVYN_STATE/certs
    [ -f "$dir/ca.crt" ] || ctl certs init >/dev/null
    ctl certs issue controlplane --dns localhost --ip 127.0.0.1 --if-missing >/dev/null
    ctl certs issue workspace --dns localhost --ip 127.0.0.1 --if-missing >/dev/null
    ctl certs issue pool/default/worker/worker-1 --if-missing >/dev/null
    ctl certs issue pool/default/worker/worker-2 --if-missing >/dev/null
    ctl certs issue operator/local --file operator --if-missing >/dev/null
}

# Ports are chosen by the kernel once and kept, so that what is stored about the workspace's address stays true. The file is put
# aside before a start: its coming back says that the program listens.
stack_listen() { # name → host:port
    local file=$NUVYN_STATE/$1/address
    [ ! -s "$file" ] || mv -f "$file" "$file.kept"
    if [ -s "$file.kept" ]; then sed 's#^[a-z]*://##' "$file.kept"; else printf '127.0.0.1:0'; fi
}

stack_workspace() {
    local dir=$NUVYN_STATE/workspace
    ! stack_pid workspace >/dev/null || return 0
    stack_start workspace "$BUILD_DIR/bin/nuvyn-workspace" --state-dir "$dir" --listen "$(stack_listen workspace)" \
        --tls-cert "$NUVYN_STATE/certs/workspace.crt" --tls-key "$NUVYN_STATE/certs/workspace.key" \
        --kernel-python "$NUVYN_HOME/venv/bin/python" --log-format json
    stack_wait workspace 20 test -s "$dir/address"
}

stack_controlplane() {
    local dir=$NUVYN_STATE/controlplane certs=$NUVYN_STATE/certs
    ! stack_pid controlplane >/dev/null || return 0
    stack_start controlplane "$BUILD_DIR/bin/nuvyn-controlplane" --state-dir "$dir" --listen "$(stack_listen controlplane)" \
        --ca "$certs/ca.crt" --cert "$certs/controlplane.crt" --key "$certs/controlplane.key" \
        --vector-extension "$NUVYN_HOME/sqlite-vec/vec0.so" --log-format json
    stack_wait controlplane 20 test -s "$dir/address"
    stack_wait controlplane 20 ctl health
}

stack_worker() {
    local certs=$NUVYN_STATE/certs
    stack_start "$1" "$BUILD_DIR/bin/nuvyn-worker" --address "$(cat "$NUVYN_STATE/controlplane/address")" \
        --ca "$certs/ca.crt" --cert "$certs/$1.crt" --key "$certs/$1.key" --log-format json
}

worker_connected() { ctl worker list | grep -F -- "$1" >/dev/null; }

workspace_url() {
    local address
    address=$(cat "$NUVYN_STATE/workspace/address")
    printf 'https://%s' "${address#https://}"
}

# Which workspace runs go to: the local one, or the one that the environment names.
stack_credentials() {
    local where=${1:-local}
    ctl tenant describe $LOCAL_TENANT >/dev/null 2>&1 || ctl tenant create $LOCAL_TENANT --display-name "this machine" >/dev/null
    if [ "$where" = databricks ]; then
        ctl tenant set-credential $LOCAL_TENANT --llm-shared-pools --databricks-shared-pools >/dev/null # the workers are our own
        return
    fi
    local dir=$NUVYN_STATE/workspace
    env -u DATABRICKS_TOKEN DATABRICKS_HOST="$(workspace_url)" DATABRICKS_CLIENT_ID=nuvyn \
        DATABRICKS_CLIENT_SECRET="$(cat "$dir/client-secret")" DATABRICKS_CATALOG=main DATABRICKS_CA_FILE="$NUVYN_STATE/certs/ca.crt" \
        "$BUILD_DIR/bin/nuvynctl" tenant set-credential $LOCAL_TENANT --llm-shared-pools --state-dir "$NUVYN_STATE" >/dev/null
}

# A process whose program was built anew since it started.
stack_outdated() { # name
    local pid
    pid=$(stack_pid "$1") && [[ $(readlink "/proc/$pid/exe") == *' (deleted)' ]]
}

stack_renew() {
    local name
    for name in "${STACK_PROCESSES[@]}"; do
        stack_outdated "$name" || continue
        step "restarting $name, which was built anew"
        stack_stop_one "$name"
    done
}

stack_folders() {
    mkdir -p "$NUVYN_STATE" 2>/dev/null && [ -w "$NUVYN_STATE" ] ||
        die "$NUVYN_STATE: cannot be written; NUVYN_STATE names another folder for the local stack's state"
    chmod 700 "$NUVYN_STATE"
    mkdir -p "$NUVYN_STATE/run" "$NUVYN_STATE/logs" "$NUVYN_STATE/workspace" "$NUVYN_STATE/controlplane"
}

stack_lock() { hold 8 "$NUVYN_STATE/run/lock" "another ./bldr that starts or stops the local stack"; }

# Under the lock.
stack_start_all() { # which workspace
    stack_renew
    if stack_is_up; then
        stack_certificates # one that is about to expire is renewed; the processes read it anew by themselves
        stack_credentials "$1"
        return
    fi
    step "starting the local stack (workspace with Spark, control plane, two workers)"
    stack_certificates
    stack_workspace
    stack_controlplane
    stack_credentials "$1"
    stack_worker worker-1
    stack_worker worker-2
    stack_wait worker-1 20 worker_connected worker-1
    stack_wait worker-2 20 worker_connected worker-2
}

stack_prepare() {
    deps_spark
    BUILD_TARGETS=$PROGRAMS build "$BUILD_DIR"
    stack_folders
}

stack_up() { # which workspace
    stack_lock
    rm -f "$NUVYN_STATE/run/borrowed"
    stack_start_all "$1"
    release 8
}

# For the time of a run.
stack_borrow() { # which workspace
    stack_lock
    exec 7>>"$NUVYN_STATE/run/users"
    flock -s 7
    stack_any_up || : >"$NUVYN_STATE/run/borrowed"
    trap stack_return EXIT
    stack_start_all "$1"
    release 8
}

# The last one that needs it.
stack_return() {
    stack_lock
    if [ -f "$NUVYN_STATE/run/borrowed" ] && flock -xn 7; then
        rm -f "$NUVYN_STATE/run/borrowed"
        stack_stop
    fi
}

stack_stop_one() {
    local name=$1 pid limit
    pid=$(stack_pid "$name") || return 0
    kill -TERM "$pid" 2>/dev/null || return 0
    limit=$((SECONDS + 40))
    while stack_pid "$name" >/dev/null; do
        [ "$SECONDS" -lt "$limit" ] || { kill -KILL "$pid" 2>/dev/null; break; }
        sleep 0.05
    done
    rm -f "$NUVYN_STATE/run/$name.pid"
}

stack_stop() {
    local name
    for name in worker-2 worker-1 controlplane workspace; do
        stack_stop_one "$name"
    done
}

stack_any_up() {
    local name
    for name in "${STACK_PROCESSES[@]}"; do
        ! stack_pid "$name" >/dev/null || return 0
    done
    return 1
}

stack_status() {
    local name pid
    for name in "${STACK_PROCESSES[@]}"; do
        if pid=$(stack_pid "$name"); then
            printf '%-13s up, pid %s\n' "$name" "$pid"
        else
            printf '%-13s down\n' "$name"
        fi
    done
    stack_any_up || return 1
    printf '\n'
    ctl status
}

# ---- the commands ----

workspace_choice() { # value of --workspace
    case $1 in
    local) ;;
    databricks) [ -n "$(setting DATABRICKS_HOST)" ] || misused "--workspace databricks: DATABRICKS_HOST is not set" ;;
    *) misused "--workspace $1: expected local or databricks" ;;
    esac
}

cmd_up() {
    local where=local
    while [ $# -gt 0 ]; do
        case $1 in
        --workspace) [ $# -ge 2 ] || misused "up: --workspace: expected a value (see ./bldr up --help)"; where=$2 && shift ;;
        --workspace=*) where=${1#*=} ;;
        *) misused "up: unknown option $1 (see ./bldr up --help)" ;;
        esac
        shift
    done
    workspace_choice "$where"
    stack_prepare
    stack_up "$where"
    say "the local stack is up; ./bldr status looks at it, ./bldr down ends it"
}

cmd_down() {
    if ! stack_any_up; then
        say "the local stack is not up"
        return
    fi
    stack_folders
    stack_lock
    rm -f "$NUVYN_STATE/run/borrowed"
    stack_stop
    say "the local stack is down; its state stays in $NUVYN_STATE"
}

cmd_ctl() {
    [ -x "$BUILD_DIR/bin/nuvynctl" ] || die "nuvynctl is not built yet; ./bldr build builds it"
    export NUVYN_STATE NUVYN_TENANT=${NUVYN_TENANT:-$LOCAL_TENANT} NUVYNCTL_CALLED="./bldr ctl"
    exec "$BUILD_DIR/bin/nuvynctl" "$@"
}

#!/usr/bin/env bash
# tests/e2e/main/run.sh BUILD_DIR [build] [repeat] [kill]: the README's command as a user gives it, on real parts, then what
# a user would check (default: all three, in this order):
#   build   data/ecommerce becomes a proven star schema;
#   repeat  the same command again changes no row and finds its first run in the knowledge base;
#   kill    control plane, worker and workspace are killed with -9 during a run; after a restart it completes once.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
NUVYN_BUILD=$(cd "${1:?usage: run.sh BUILD_DIR [build] [repeat] [kill]}" && pwd)
shift
parts=" ${*:-build repeat kill} "
wanted() { [[ $parts = *" $1 "* ]]; }
work=$(mktemp -d /tmp/nuvyn-e2e-main.XXXXXX)
export NUVYN_BUILD NUVYN_STATE=$work/state NUVYN_OUTPUT=$work/output
unset GROQ_API_KEY OPENAI_API_KEY ANTHROPIC_API_KEY NUVYN_LLM_BASE_URL DATABRICKS_HOST

finish() {
    status=$?
    if [ $status != 0 ]; then
        for log in "$work"/state/logs/*.log; do
            echo "--- $log"
            tail -n 20 "$log"
        done
    fi
    "$root/bldr" down >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap finish EXIT

ctl() { "$NUVYN_BUILD/bin/nuvynctl" "$@" --state-dir "$NUVYN_STATE" --tenant local; }
check() { python3 "$here/check.py" "$@" --state "$NUVYN_STATE"; }

cd "$root"
./bldr up
job_build() {
    echo "the sample data becomes a star schema"
    ./bldr run --source-dir data/ecommerce | tee "$work/first.txt"
    first=$(ls "$NUVYN_OUTPUT")
    check artifacts --output "$NUVYN_OUTPUT/$first"
    check events --events <(ctl run watch "$first" -o json)
    check tables --output "$NUVYN_OUTPUT/$first" --save "$work/tables.json"
}

job_repeat() {
    echo "the same again changes no row, and remembers"
    ./bldr run --source-dir data/ecommerce >"$work/second.txt"
    for second in "$NUVYN_OUTPUT"/*; do
        second=$(basename "$second")
        [ "$second" = "$first" ] || break
    done
    check unchanged --output "$NUVYN_OUTPUT/$second" --save "$work/tables.json"
    # Through files: grep -q closes a pipe early, and the writer's end would count as a failure.
    ctl run watch "$second" -o json >"$work/second.json"
    jq -se 'map(select(.kind == "retrieval" and (.text | startswith("no similar case") | not))) | length > 0' "$work/second.json" >/dev/null ||
        { echo "the second run retrieved nothing"; exit 1; }
    ctl kb search "orders customers products" -o json >"$work/cases.json"
    grep -q "$first" "$work/cases.json" || { echo "the knowledge base does not have the first run"; exit 1; }
}

job_kill() {
    echo "kill -9 of every process during a run"
    third=$(ctl run submit --source "$root/data/ecommerce")
    kill_9() { kill -9 "$(cat "$NUVYN_STATE/run/$1.pid")"; sleep 0.3; ./bldr up >/dev/null 2>&1; }
    wait_node() { # node
        for _ in $(seq 600); do
            ctl run describe "$third" -o json | jq -e --arg n "$1" '[.nodes[] | select(.node == $n and .state != "pending")] | length > 0' >/dev/null && return
            sleep 0.1
        done
        echo "node $1 was never reached"
        ctl run describe "$third"
        exit 1
    }
    wait_node profile && kill_9 controlplane
    wait_node relate && kill_9 worker-1
    wait_node execute && sleep 2 && kill_9 controlplane
    sleep 2 && kill_9 worker-2 && kill_9 worker-1
    sleep 2 && kill_9 workspace
    ctl run watch "$third" -o json >"$work/third.json" || true
    ctl run describe "$third"
    check events --events "$work/third.json"
    ctl run describe "$third" -o json | jq -e '.state == "succeeded"' >/dev/null
    ctl run fetch "$third" --to "$NUVYN_OUTPUT/$third" >/dev/null
    check artifacts --output "$NUVYN_OUTPUT/$third"
}

! wanted build || job_build
! wanted repeat || job_repeat
! wanted kill || job_kill
echo "the main job holds"

#!/usr/bin/env bash
# tests/e2e/main/run.sh BUILD_DIR [build] [repeat] [day2] [kill]: the README's command as a user gives it, on real parts, then
# what a user would check (default: all, in this order; day2 needs build or repeat before it):
#   build   data/ecommerce becomes a proven star schema;
#   repeat  the same command again changes no row and finds its first run in the knowledge base;
#   day2    the second day's folder goes to the deployed pipeline: changed rows only, both batches proven, the job untouched;
#   kill    control plane, worker and workspace are killed with -9 during a run; after a restart it completes once.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
NUVYN_BUILD=$(cd "${1:?usage: run.sh BUILD_DIR [build] [repeat] [day2] [kill]}" && pwd)
shift
parts=" ${*:-build repeat day2 kill} "
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

# The run that a transcript of `./bldr run` is about.
run_of() { sed -n 's/^· run //p' "$1"; }

cd "$root"
./bldr up
job_build() {
    echo "the sample data becomes a star schema"
    ./bldr run --source-dir data/ecommerce | tee "$work/first.txt"
    first=$(run_of "$work/first.txt")
    check artifacts --output "$NUVYN_OUTPUT/$first"
    check events --events <(ctl run watch "$first" -o json)
    check tables --output "$NUVYN_OUTPUT/$first" --save "$work/tables.json"
}

job_repeat() {
    echo "the same again changes no row, and remembers"
    ./bldr run --source-dir data/ecommerce >"$work/second.txt"
    second=$(run_of "$work/second.txt")
    check unchanged --output "$NUVYN_OUTPUT/$second" --save "$work/tables.json"
    # Through files: grep -q closes a pipe early, and the writer's end would count as a failure.
    ctl run watch "$second" -o json >"$work/second.json"
    jq -se 'map(select(.kind == "retrieval" and (.text | startswith("no similar case") | not))) | length > 0' "$work/second.json" >/dev/null ||
        { echo "the second run retrieved nothing"; exit 1; }
    ctl kb search "orders customers products" -o json >"$work/cases.json"
    grep -q "$first" "$work/cases.json" || { echo "the knowledge base does not have the first run"; exit 1; }
}

job_day2() {
    echo "the second day goes to the pipeline that is there"
    check job --save "$work/job.json"
    ./bldr run --source-dir data/ecommerce-day2 --increment-of ecommerce | tee "$work/day2.txt"
    day2=$(run_of "$work/day2.txt")
    check day2 --output "$NUVYN_OUTPUT/$day2" --save "$work/tables.json"
    check job --save "$work/job.json"
    check tables --output "$NUVYN_OUTPUT/$day2" --save "$work/tables.json"
    echo "the same batch again changes nothing"
    ./bldr run --source-dir data/ecommerce-day2 --increment-of "$day2" >"$work/again.txt"
    grep -q "7 files known already" "$work/again.txt" && grep -q "^No row changed" "$work/again.txt" ||
        { cat "$work/again.txt"; exit 1; }
    check unchanged --output "$NUVYN_OUTPUT/$day2" --save "$work/tables.json"
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
! wanted day2 || job_day2
! wanted kill || job_kill
echo "the main job holds"

# shellcheck shell=bash
# What ./bldr says of itself, and what it makes of words that it does not know.

COMMANDS=(run analyze up down status ctl test bench lint build help version)

usage() {
    cat <<'TEXT'
usage: ./bldr COMMAND [OPTIONS]          (./bldr COMMAND --help says more)

  run --source-dir DIR     raw files in, a proven star schema out: design, mapping, PySpark pipeline, run on real Spark,
                           validated; results in output/<run>/. No API key, no cloud account needed
  analyze --source-dir DIR profile, keys, joins, star and mapping in seconds, without Spark or services
  up | down | status       the local stack, for continuing use (`run` uses a stack that is up)
  ctl NOUN VERB …          nuvynctl for the local stack: runs, checkpoints, approvals, files, workers (./bldr ctl --help)
  test [unit|e2e|all|slow] the tests
  bench NAME [ARGS]        a benchmark of tests/bench, by name; without a name, lists them
  lint                     format, arrows, banned calls, sizes, static analysis; deploy/ against schemas and our options
  build                    only install what is missing and build
  version                  which one this is

Environment, or a file .env in the folder where you call it (see .env.example):
  NUVYN_HOME (downloads, default ~/.cache/nuvyn), NUVYN_STATE (the local stack's state, default .nuvyn beside this script),
  NUVYN_OUTPUT (default output), NUVYN_BUILD (default build/release).
With GROQ_API_KEY (or OPENAI_API_KEY, or NUVYN_LLM_BASE_URL and NUVYN_LLM_API_KEY) set, the agents ask that model;
with DATABRICKS_HOST and DATABRICKS_CLIENT_ID/_CLIENT_SECRET set, `run --workspace databricks` uses that workspace.
TEXT
}

usage_run() {
    cat <<'TEXT'
usage: ./bldr run --source-dir DIR [OPTIONS]

Raw files in, a proven star schema out; results in output/<run>/. DIR is a folder on this machine, or lies in the workspace
(/Volumes/…, s3://…, abfss://…, gs://…) or names tables there (uc://CATALOG.SCHEMA[.TABLE]): then it is read there.

  --mode full|analyze      analyze ends with report and mapping: nothing is built (default full)
  --approve auto|ask       ask: the run waits for `./bldr ctl interrupt answer` before code is written (default auto)
  --name NAME              project name; default: from the folder
  --increment-of PROJECT   a further batch for a project that is deployed (its name, or a run of it): design and job stay
  --workspace local|databricks  databricks: the one of DATABRICKS_HOST (default local)
  --catalog NAME           target catalog
  --schema NAME            target schema; default: the project's name
  --max-rounds N           refinement rounds, 1 to 20; default 3, and 1 for a further batch
  --safe                   only joins that are nearly certain
  --no-llm                 decide on evidence alone even if a model is configured
  --no-knowledge           do not consult the knowledge base
  --keep-up                leave the local stack up afterwards, as after `./bldr up`

Ctrl-C cancels the run. Exit status: 0 succeeded, 1 the run failed, 64 usage, 66 no such folder, 69 the stack did not start,
130 cancelled.
TEXT
}

usage_analyze() {
    cat <<'TEXT'
usage: ./bldr analyze --source-dir DIR [OPTIONS]

Profile, keys, joins, roles, star and mapping in seconds, without Spark or services.

  --format summary|keys|json  what to print: for people, keys and joins as JSON, or the whole design (default summary)
  --output-dir DIR         write report.html, sttm.json|md|xlsx, profile.json, design.json there
  --name NAME              project name; default: from the folder
  --safe                   only joins that are nearly certain
  --threads N              tables profiled at once, 1 to 16 (default 2)
  --no-llm                 decide on evidence alone even if a model's key is in the environment
TEXT
}

usage_test() {
    cat <<'TEXT'
usage: ./bldr test [unit|e2e|all|slow]

  unit   unit tests, fuzz corpora, simulator, properties
  e2e    real processes: the stack, bad input, a misbehaving model, the workspace's client, backups, the main job on Spark
  all    unit and e2e (the default)
  slow   the pipeline over several days, the official SDK, the main job repeated and killed: most of an hour
TEXT
}

# The words of one command; false: it has none of its own.
usage_of() {
    case $1 in
    run) usage_run ;;
    analyze) usage_analyze ;;
    test) usage_test ;;
    up) printf 'usage: ./bldr up [--workspace local|databricks]\n\nStarts the local stack (workspace with Spark, control plane, two workers), and leaves it up.\n' ;;
    down) printf 'usage: ./bldr down\n\nStops the local stack; its state stays.\n' ;;
    status) printf 'usage: ./bldr status\n\nThe processes of the local stack, and what the control plane says of itself. Exit status 1: all are down.\n' ;;
    bench) printf 'usage: ./bldr bench [NAME [ARGS]]\n\nRuns one benchmark (`./bldr bench NAME --help` lists its arguments); without a name, lists them.\n' ;;
    lint | build | version) printf 'usage: ./bldr %s\n\n' "$1" && usage | sed -nE "s/^  $1 +//p" ;;
    *) usage ;;
    esac
}

# A mistake in what was typed: said before anything is installed, built or started.
misused() {
    say "bldr: $*"
    exit 64
}

unknown_command() {
    local command
    for command in "${COMMANDS[@]}"; do
        [ "${command:0:2}" != "${1:0:2}" ] || misused "unknown command: $1; did you mean \"$command\"? (./bldr --help lists them)"
    done
    misused "unknown command: $1 (./bldr --help lists them)"
}

no_words() { # command, its arguments…
    [ $# -eq 1 ] || misused "$1: $2: expected no more words (see ./bldr $1 --help)"
}

# Whether help is what was asked for: anywhere, but for the commands that hand their words on.
wants_help() { # command, its arguments…
    local word
    case $1 in
    ctl) return 1 ;;
    bench) [ "${2:-}" = --help ] || [ "${2:-}" = -h ] && return 0 || return 1 ;;
    esac
    for word in "${@:2}"; do
        case $word in -h | --help) return 0 ;; esac
    done
    return 1
}

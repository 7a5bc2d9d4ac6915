# shellcheck shell=bash
# Shared by the scripts of this folder; sourced, never run. Needs ROOT (the checkout).
NUVYN_HOME=${NUVYN_HOME:-$HOME/.cache/nuvyn}
NUVYN_STATE=${NUVYN_STATE:-$ROOT/.nuvyn}
BUILD_DIR=${NUVYN_BUILD:-$ROOT/build/release}
OUTPUT_DIR=${NUVYN_OUTPUT:-$ROOT/output}
export NUVYN_HOME NUVYN_STATE

say() { printf '%s\n' "$*" >&2; }
step() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
[ -t 2 ] || step() { printf '==> %s\n' "$*" >&2; }
die() {
    printf 'bldr: %s\n' "$*" >&2
    exit 1
}

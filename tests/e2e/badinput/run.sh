#!/usr/bin/env bash
# tests/e2e/badinput/run.sh BUILD_DIR: what users and their machines do wrong; no Spark is started. NUVYN_SLOW=1 adds the large cases.
set -euo pipefail
NUVYN_BUILD=$(cd "${1:?usage: run.sh BUILD_DIR}" && pwd)
export NUVYN_BUILD
exec python3 "$(dirname "${BASH_SOURCE[0]}")/test_badinput.py"

#!/usr/bin/env bash
# tests/e2e/workspace/run.sh BUILD_DIR: starts the real nuvyn-workspace on loopback, over HTTPS and over plain HTTP, and
# lets the official SDK judge it; then kills it in several ways. Cleans up by process id.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
build=$(cd "${1:?usage: run.sh BUILD_DIR}" && pwd)
home=${NUVYN_HOME:-$HOME/.cache/nuvyn}
venv=$home/venv-test

"$root/workspace/kernel/install.sh"
stamp=$(sha256sum "$here/requirements.txt" | cut -d' ' -f1)
if [[ $(cat "$venv/.nuvyn-stamp" 2>/dev/null) != "$stamp" ]]; then
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$here/requirements.txt"
    echo "$stamp" >"$venv/.nuvyn-stamp"
fi

export WORKSPACE_BINARY=$build/bin/nuvyn-workspace
cd "$here"
exec "$venv/bin/python" run_all.py "${@:2}"

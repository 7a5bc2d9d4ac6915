#!/usr/bin/env bash
# tests/e2e/llm/run.sh BUILD_DIR: the model client against a server that the official clients accept.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(cd "${1:?usage: run.sh BUILD_DIR}" && pwd)
venv=${NUVYN_HOME:-$HOME/.cache/nuvyn}/venv-test-llm

stamp=$(sha256sum "$here/requirements.txt" | cut -d' ' -f1)
if [[ $(cat "$venv/.nuvyn-stamp" 2>/dev/null) != "$stamp" ]]; then
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$here/requirements.txt"
    echo "$stamp" >"$venv/.nuvyn-stamp"
fi

export LLM_PROBE=$build/tests/llm_probe
cd "$here"
export NUVYN_BUILD=$build NUVYN_WORKER=$build/bin/nuvyn-worker
"$venv/bin/python" test_llm.py
exec "$venv/bin/python" test_stack.py

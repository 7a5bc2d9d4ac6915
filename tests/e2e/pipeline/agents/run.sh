#!/bin/sh
# The agents against the local workspace: run.sh PIPELINE_AGENTS NUVYN_WORKSPACE [test_agents.Agents.TEST …]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PIPELINE_AGENTS=$(realpath "$1")
WORKSPACE_BINARY=$(realpath "$2")
export PIPELINE_AGENTS WORKSPACE_BINARY
shift 2
python=${NUVYN_HOME:-$HOME/.cache/nuvyn}/venv/bin/python
if [ ! -x "$python" ]; then
    echo "skipped: $python is not there (./bldr installs it)"
    exit 77
fi
cd "$here"
PYTHONDONTWRITEBYTECODE=1 exec "$python" -m unittest -v "${@:-test_agents}"

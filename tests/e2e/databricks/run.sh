#!/usr/bin/env bash
# tests/e2e/databricks/run.sh BUILD_DIR: our own Databricks client against the local workspace on real Spark.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
"$here/../../../workspace/kernel/install.sh"
exec python3 "$here/run.py" "${1:?usage: run.sh BUILD_DIR}"

#!/usr/bin/env bash
# tests/e2e/pushdown/run.sh BUILD_DIR [PROGRAM…]: data of all formats in a volume of the local workspace and in tables of its
# Unity Catalog, profiled there through the SQL warehouse on real Spark, beside the local profile of the same data.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
"$here/../../../workspace/kernel/install.sh"
exec python3 "$here/run.py" "${1:?usage: run.sh BUILD_DIR [PROGRAM…]}" "${@:2}"

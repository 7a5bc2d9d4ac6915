#!/bin/sh
# The questions of real tables, loaded by the generated project on a plain local Spark: spark.sh BENCH_QUESTIONS PIPELINE_GENERATE [DIR]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
questions=$(realpath "$1")
generate=$(realpath "$2")
data=$(realpath "${3:-$root/data/ecommerce}")
home=${NUVYN_HOME:-$HOME/.cache/nuvyn}
DELTA_JARS=$home/jars
export DELTA_JARS
python=$home/venv/bin/python
if [ ! -x "$python" ]; then
    echo "skipped: $python is not there (./bldr installs it)"
    exit 77
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
"$questions" --export "$scratch" "$data"
"$generate" sttm.json project
PYTHONPATH=$root/worker/codegen/runtime
export PYTHONPATH
export PYTHONDONTWRITEBYTECODE=1
"$python" -W ignore "$here/ask.py" "$data"

#!/bin/sh
# The generated pipeline on a plain local Spark: local_spark.sh PIPELINE_GENERATE [test_pipeline.PipelineOverTime.TEST …]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PIPELINE_GENERATE=$(realpath "$1")
export PIPELINE_GENERATE
shift
python=${NUVYN_HOME:-$HOME/.cache/nuvyn}/venv/bin/python
if [ ! -x "$python" ]; then
    echo "skipped: $python is not there (./bldr installs it)"
    exit 77
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
PYTHONPATH=$here PYTHONDONTWRITEBYTECODE=1 "$python" -m unittest -v "${@:-test_pipeline}"

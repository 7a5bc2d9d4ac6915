#!/bin/sh
# Generated cases through the generated PySpark project on a plain local Spark: spark.sh PROPERTY_EXPORT PIPELINE_GENERATE [SEED…]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PROPERTY_EXPORT=$(realpath "$1")
PIPELINE_GENERATE=$(realpath "$2")
shift 2
PROPERTY_SEEDS=${*:-4 17}
home=${NUVYN_HOME:-$HOME/.cache/nuvyn}
DELTA_JARS=$home/jars
export PROPERTY_EXPORT PIPELINE_GENERATE PROPERTY_SEEDS DELTA_JARS
python=$home/venv/bin/python
if [ ! -x "$python" ]; then
    echo "skipped: $python is not there (./bldr installs it)"
    exit 77
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
PYTHONPATH=$here:$here/../../../worker/codegen/runtime
export PYTHONPATH
export PYTHONDONTWRITEBYTECODE=1
"$python" -W ignore -m unittest -v test_sample

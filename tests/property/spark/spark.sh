#!/bin/sh
# Generated cases through the generated PySpark project on a plain local Spark: spark.sh PROPERTY_EXPORT PIPELINE_GENERATE [SEED…]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
# shellcheck source=tests/tools/plain_spark.sh
. "$root/tests/tools/plain_spark.sh"
PROPERTY_EXPORT=$(realpath "$1")
PIPELINE_GENERATE=$(realpath "$2")
shift 2
PROPERTY_SEEDS=${*:-4 17 59}
export PROPERTY_EXPORT PIPELINE_GENERATE PROPERTY_SEEDS
spark_scratch "$here"
"$python" -W ignore -m unittest -v test_sample

#!/bin/sh
# The questions of real tables, loaded by the generated project on a plain local Spark: spark.sh BENCH_QUESTIONS PIPELINE_GENERATE [DIR]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
# shellcheck source=tests/tools/plain_spark.sh
. "$root/tests/tools/plain_spark.sh"
questions=$(realpath "$1")
generate=$(realpath "$2")
data=$(realpath "${3:-$root/data/ecommerce}")
spark_scratch "$here"
"$questions" --export "$scratch" "$data"
"$generate" sttm.json project
"$python" -W ignore "$here/ask.py" "$data"

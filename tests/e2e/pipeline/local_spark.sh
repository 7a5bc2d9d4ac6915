#!/bin/sh
# The generated pipeline on a plain local Spark: local_spark.sh PIPELINE_GENERATE [test_history.History.TEST …]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
# shellcheck source=tests/tools/plain_spark.sh
. "$root/tests/tools/plain_spark.sh"
PIPELINE_GENERATE=$(realpath "$1")
export PIPELINE_GENERATE
shift
# The tools that judge the generated project, pinned, in a venv of their own.
PIPELINE_TOOLS=$home/venv-test-pipeline
export PIPELINE_TOOLS
stamp=$(sha256sum "$here/requirements.txt" | cut -d' ' -f1)
if [ "$(cat "$PIPELINE_TOOLS/.nuvyn-stamp" 2>/dev/null)" != "$stamp" ]; then
    python3 -m venv "$PIPELINE_TOOLS"
    "$PIPELINE_TOOLS/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
        -r "$here/requirements.txt"
    echo "$stamp" >"$PIPELINE_TOOLS/.nuvyn-stamp"
fi
spark_scratch "$here"
for suite in "${@:-test_increments test_members test_pipeline test_history test_emitted}"; do
    # shellcheck disable=SC2086 # one or several names
    "$python" -W ignore -m unittest -v $suite
done

#!/bin/sh
# Usage: run_against_python.sh PEER PROTOC PROTO_DIR WORK_DIR. Exit 77 (skipped) where Python's protobuf is not there.
set -eu
peer=$1 protoc=$2 protos=$3 work=$4
for python in "${NUVYN_HOME:-$HOME/.cache/nuvyn}/venv-test-llm/bin/python" /usr/bin/python3 python3; do
    if "$python" -c 'import google.protobuf.json_format' 2>/dev/null; then
        mkdir -p "$work"
        "$protoc" -I"$protos" -I/usr/include --python_out="$work" "$protos"/nuvyn/*.proto protobuf-c/protobuf-c.proto
        exec "$python" "$(dirname "$0")/against_python.py" "$peer" "$work"
    fi
done
echo "skipped: no python with protobuf (apt-get install python3-protobuf, or tests/e2e/llm/run.sh)"
exit 77

#!/bin/sh
# Refits worker/discovery/model_weights_few.c, the model of joins into a handful of rows, with all other weights as they are: exports of
# services (shapes/few), and tiny and exported variants of the training shapes. Usage: fit_few.sh BUILD_DIR [PER_DOMAIN]
set -eu
build=$1
per_domain=${2:-14}
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 "$here/shapes.py" "$work/few" "$here/shapes/few" --seed 1 --variants full,export
python3 "$here/shapes.py" "$work/few" "$here/shapes/train" --seed 1 --variants tiny,export
python3 "$here/generate.py" "$work/sets" --seed 1 --per-domain "$per_domain"
ninja -C "$build" design_features design_fit >/dev/null
"$build/bin/design_features" "$work/few" >"$work/features.tsv"
"$build/bin/design_features" "$work/sets" >>"$work/features.tsv"
"$build/bin/design_fit" --few "$work/features.tsv" "$root/worker/discovery/model_weights_few.c"

#!/bin/sh
# Refits worker/discovery/model_weights.c: makes sets, labels features, fits, and does it again with the new weights, because the
# features of joins and keys lean on each other. Usage: fit.sh BUILD_DIR [PER_DOMAIN] [ROUNDS]
set -eu
build=$1
per_domain=${2:-14}
rounds=${3:-2}
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 "$here/generate.py" "$work/sets" --seed 1 --per-domain "$per_domain"
python3 "$here/shapes.py" "$work/sets" "$here/shapes/train" --seed 1 --variants full,small,tiny,dirty,bare
i=0
while [ "$i" -lt "$rounds" ]; do
    ninja -C "$build" design_features design_fit >/dev/null
    "$build/bin/design_features" "$work/sets" >"$work/features.tsv"
    "$build/bin/design_fit" "$work/features.tsv" "$work/weights.c"
    cp "$work/weights.c" "$root/worker/discovery/model_weights.c"
    i=$((i + 1))
done
ninja -C "$build" design_features >/dev/null
python3 "$here/generate.py" "$work/unseen" --seed 77 --per-domain 3
python3 "$here/shapes.py" "$work/unseen" "$here/shapes/heldout" --seed 1
"$build/bin/design_features" --score "$work/unseen" | tail -1

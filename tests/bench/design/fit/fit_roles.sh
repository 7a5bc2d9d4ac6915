#!/bin/sh
# Refits worker/discovery/model_weights_roles.c, the models of roles, which nothing else leans on: the generated sets, the training
# shapes and the exports of services (shapes/few) together. Usage: fit_roles.sh BUILD_DIR [PER_DOMAIN]
set -eu
build=$1
per_domain=${2:-14}
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 "$here/generate.py" "$work/sets" --seed 1 --per-domain "$per_domain"
python3 "$here/shapes.py" "$work/train" "$here/shapes/train" --seed 1 --variants full,small,tiny,dirty,bare
python3 "$here/shapes.py" "$work/few" "$here/shapes/few" --seed 1 --variants full,export
python3 "$here/shapes.py" "$work/few" "$here/shapes/train" --seed 1 --variants tiny,export
ninja -C "$build" design_features design_fit >/dev/null
# The handful-of-rows model is fitted on whole exports and the generated sets; the training shapes' tiny variants stand in "few" already.
"$build/bin/design_features" "$work/train" | awk -F'\t' -v OFS='\t' '$3 == "role" { $4 = 0; print }' >"$work/features.tsv"
"$build/bin/design_features" "$work/sets" "$work/few" | awk -F'\t' '$3 == "role"' >>"$work/features.tsv"
"$build/bin/design_fit" --roles "$work/features.tsv" "$root/worker/discovery/model_weights_roles.c"

#!/bin/sh
# Refits model_weights.c, the models of joins: makes sets, labels features, fits, and does it again with the new weights. Keys lean on
# them: refit those after it (fit_keys.sh). Usage: fit.sh BUILD_DIR [SETS_PER_DOMAIN] [ROUNDS]
. "$(dirname "$0")/prologue.sh"
make_sets
make_train
while [ "$rounds" -gt 0 ]; do
    build_tools
    "$build/bin/design_features" "$work/sets" "$work/train" >"$work/features.tsv"
    "$build/bin/design_fit" --joins "$work/features.tsv" "$weights/model_weights.c"
    rounds=$((rounds - 1))
done
build_tools
python3 "$here/generate.py" "$work/unseen" --seed 77 --per-domain 3
python3 "$here/shapes.py" "$work/unseen" "$here/shapes/heldout" --seed 1
"$build/bin/design_features" --score "$work/unseen" | tail -1

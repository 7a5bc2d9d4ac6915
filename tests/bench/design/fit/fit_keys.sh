#!/bin/sh
# Refits model_weights_keys.c, the models of keys before and with joins, with all other weights as they are: the generated sets and
# all shapes that a fit may see. Usage: fit_keys.sh BUILD_DIR [SETS_PER_DOMAIN] [ROUNDS]
. "$(dirname "$0")/prologue.sh"
make_sets
make_all
while [ "$rounds" -gt 0 ]; do
    build_tools
    "$build/bin/design_features" "$work/sets" "$work/train" | awk -F'\t' '$3 == "key"' >"$work/features.tsv"
    "$build/bin/design_fit" --keys "$work/features.tsv" "$weights/model_weights_keys.c"
    rounds=$((rounds - 1))
done

#!/bin/sh
# Refits model_weights_few.c, the model of joins into a handful of rows, with all other weights as they are: exports of services
# (shapes/few), and tiny and exported variants of the training shapes. Usage: fit_few.sh BUILD_DIR [SETS_PER_DOMAIN]
. "$(dirname "$0")/prologue.sh"
make_sets
make_few
build_tools
"$build/bin/design_features" "$work/few" "$work/sets" >"$work/features.tsv"
"$build/bin/design_fit" --few "$work/features.tsv" "$weights/model_weights_few.c"

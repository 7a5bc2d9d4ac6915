#!/bin/sh
# Refits model_weights_roles.c, the models of roles, which nothing else leans on: the generated sets, the training shapes and the exports
# of services (shapes/few) together. Usage: fit_roles.sh BUILD_DIR [SETS_PER_DOMAIN]
. "$(dirname "$0")/prologue.sh"
make_sets
make_train
make_few
build_tools
# The handful-of-rows model is fitted on whole exports and the generated sets; the training shapes' tiny variants stand in "few" already.
"$build/bin/design_features" "$work/train" | awk -F'\t' -v OFS='\t' '$3 == "role" { $4 = 0; print }' >"$work/features.tsv"
"$build/bin/design_features" "$work/sets" "$work/few" | awk -F'\t' '$3 == "role"' >>"$work/features.tsv"
"$build/bin/design_fit" --roles "$work/features.tsv" "$weights/model_weights_roles.c"

# shellcheck shell=sh disable=SC2034
# Sourced by fit*.sh: $build, $per_domain, $rounds, $here, $weights, the scratch folder $work, and how sets are made.
set -eu
build=${1:?usage: $0 BUILD_DIR [SETS_PER_DOMAIN]}
per_domain=${2:-14}
rounds=${3:-2}
here=$(cd "$(dirname "$0")" && pwd)
weights=$(cd "$here/../../../.." && pwd)/worker/discovery
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PYTHONHASHSEED=0 # the order of sets of names is the same in each run

# Of the conceptual schemas in domains.txt.
make_sets()
{
    python3 "$here/generate.py" "$work/sets" --seed 1 --per-domain "$per_domain"
}

# Of the shapes that a fit may see.
make_train()
{
    python3 "$here/shapes.py" "$work/train" "$here/shapes/train" --seed 1 --variants full,small,tiny,dirty,bare
}

# Of all shapes but those that are only judged: sports statistics, panels and natural keys (shapes/keys), exports of services, too.
make_all()
{
    python3 "$here/shapes.py" "$work/train" "$here/shapes/train" "$here/shapes/few" "$here/shapes/keys" --seed 1 \
        --variants full,small,tiny,dirty,bare,export
}

# Of a handful of rows a table.
make_few()
{
    python3 "$here/shapes.py" "$work/few" "$here/shapes/few" --seed 1 --variants full,export
    python3 "$here/shapes.py" "$work/few" "$here/shapes/train" --seed 1 --variants tiny,export
}

build_tools()
{
    ninja -C "$build" design_features design_fit >/dev/null
}

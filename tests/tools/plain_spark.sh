# shellcheck shell=sh
# Sourced by the scripts that run generated projects on a plain local Spark; needs root (the checkout). Sets python and exports
# DELTA_JARS; where there is no Spark, the script ends as skipped (77). spark_scratch FOLDER… then goes to a scratch folder, which is
# removed when the script ends, and lets Python find the modules of the folders and of the runtime that comes with a project.
home=${NUVYN_HOME:-$HOME/.cache/nuvyn}
python=$home/venv/bin/python
export DELTA_JARS="$home/jars"
export PYTHONDONTWRITEBYTECODE=1
if [ ! -x "$python" ]; then
    echo "skipped: $python is not there (./bldr installs it)"
    exit 77
fi

spark_scratch() {
    PYTHONPATH=$root/worker/codegen/runtime
    for folder in "$@"; do
        PYTHONPATH=$folder:$PYTHONPATH
    done
    export PYTHONPATH
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    cd "$scratch" || exit
}

#!/usr/bin/env bash
# Executes the steps of the Containerfile, and then compose.yaml, without a container engine: each stage is a Debian 12 tree
# (debootstrap) in which FROM, SHELL, ENV, WORKDIR, COPY, RUN and USER are carried out by chroot, each RUN with mounts of its
# own; each entry point is started with --version as its user. Then rehearse.py starts every service of compose.yaml from the
# runtime trees, in a network of their own, and sends runs through them. Proves the files; says nothing about an engine.
#   sudo deploy/container/rehearse.sh [WORKDIR]      (needs debootstrap, root and `./bldr lint` once; 6 GB)
# WORKDIR is kept; stages that are there are not made again.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
WORK=${1:-$(mktemp -d /tmp/nuvyn-rehearse.XXXXXX)}
FILE=$ROOT/deploy/container/Containerfile
mkdir -p "$WORK/stage"

# The machine's own package sources, resolver and trust, which a container engine would bring along too.
base_tree() {
    local tree=$WORK/debian settings
    [ ! -e "$WORK/debian.done" ] || return 0
    rm -rf --one-file-system "$tree"
    echo "== debian 12"
    debootstrap --variant=minbase --include=ca-certificates bookworm "$tree" >"$WORK/debootstrap.log" 2>&1
    sed 'p; s/bookworm /bookworm-updates /' "$tree/etc/apt/sources.list" >"$tree/etc/apt/sources.list.d/updates.list"
    rm "$tree/etc/apt/sources.list"
    cp -L /etc/resolv.conf /etc/hosts "$tree/etc/"
    mkdir -p "$tree/usr/local/share/ca-certificates"
    cp -rL /usr/local/share/ca-certificates/. "$tree/usr/local/share/ca-certificates/"
    chroot "$tree" update-ca-certificates >/dev/null 2>&1
    for settings in /root/.npmrc /root/.m2/settings.xml /root/.config/pip/pip.conf /etc/pip.conf; do
        [ ! -f "$settings" ] || install -D -m 644 "$settings" "$tree$settings"
    done
    touch "$WORK/debian.done"
}

TRUST=/etc/ssl/certs/ca-certificates.crt
PASS_ENV=("NODE_EXTRA_CA_CERTS=$TRUST" "PIP_CERT=$TRUST")
for name in PIP_INDEX_URL http_proxy https_proxy no_proxy; do
    [ -z "${!name:-}" ] || PASS_ENV+=("$name=${!name}")
done

in_tree() { # tree, user, command
    TREE_ROOT=$1 unshare --mount --pid --fork --kill-child /bin/bash -c '
        mount --make-rprivate / && mount -t proc proc "$TREE_ROOT/proc" && mount --rbind /dev "$TREE_ROOT/dev" && exec "$@"' - \
        env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "${ENVIRONMENT[@]}" "${PASS_ENV[@]}" \
        chroot --userspec="$2" "$1" /bin/bash ${PIPEFAIL:+-o pipefail} -c "cd '$WORKDIR_IN' && $3" </dev/null
}

start_stage() { # parent, name
    STAGE=$2 TREE=$WORK/stage/$2 USER_IN=0:0 WORKDIR_IN=/ ENTRYPOINT='' PIPEFAIL='' SKIP=''
    local from=$WORK/debian
    ENVIRONMENT=()
    if [ -d "$WORK/stage/$1" ]; then
        from=$WORK/stage/$1
        mapfile -t ENVIRONMENT <"$WORK/stage/$1.env"
    fi
    echo "== stage $2 (from $1)"
    if [ -e "$WORK/stage/$2.env" ]; then
        SKIP=yes
        return
    fi
    rm -rf --one-file-system "$TREE"
    cp -a "$from" "$TREE"
}

finish_stage() {
    [ -n "${STAGE:-}" ] || return 0
    if [ -n "$ENTRYPOINT" ]; then
        printf '   %s --version as %s: ' "$ENTRYPOINT" "$USER_IN"
        in_tree "$TREE" "$USER_IN" "$ENTRYPOINT --version"
    fi
    [ -n "$SKIP" ] || printf '%s\n' ${ENVIRONMENT[@]+"${ENVIRONMENT[@]}"} >"$WORK/stage/$STAGE.env"
}

copy_in() {
    local from=$ROOT to=${*: -1} source
    case $1 in --from=*)
        from=$WORK/stage/${1#--from=}
        shift
        ;;
    esac
    [[ $to = /* ]] || to=$WORKDIR_IN/$to
    for source in "${@:1:$#-1}"; do
        case $to in */ | */.) mkdir -p "$TREE$to" ;; *) mkdir -p "$(dirname "$TREE$to")" ;; esac
        cp -a --no-preserve=ownership "$from/${source#/}" "$TREE$to"
    done
}

carry_out() { # instruction, its words
    case $1 in
    SHELL) [[ $2 != *pipefail* ]] || PIPEFAIL=yes ;;
    ENV) read -r -a words <<<"$2" && ENVIRONMENT+=("${words[@]}") ;;
    WORKDIR) WORKDIR_IN=$2 && mkdir -p "$TREE$2" ;;
    COPY)
        # shellcheck disable=SC2086 # words of the instruction
        [ -n "$SKIP" ] || copy_in $2
        ;;
    RUN)
        [ -n "$SKIP" ] || echo "   RUN ${2:0:100}"
        [ -n "$SKIP" ] || in_tree "$TREE" 0:0 "$2"
        ;;
    USER) USER_IN=$2 ;;
    EXPOSE) ;;
    ENTRYPOINT) ENTRYPOINT=$(tr -d '[]"' <<<"$2") ;;
    *) echo "rehearse: $1 is not understood" >&2 && exit 1 ;;
    esac
}

base_tree
while IFS= read -r line <&3 || [ -n "$line" ]; do
    while [[ $line = *\\ ]]; do
        IFS= read -r more <&3
        line=${line%\\}$more
    done
    case $line in
    '' | '#'*) ;;
    'FROM '*)
        finish_stage
        read -r _ parent _ name <<<"$line"
        start_stage "$parent" "$name"
        ;;
    *) carry_out "${line%% *}" "${line#* }" ;;
    esac
done 3<"$FILE"
finish_stage
echo "== every stage was carried out; now the services of compose.yaml"
exec unshare --mount --net --pid --fork --kill-child --mount-proc \
    "${NUVYN_HOME:-$HOME/.cache/nuvyn}/venv-lint/bin/python" "$ROOT/deploy/container/rehearse.py" "$WORK"

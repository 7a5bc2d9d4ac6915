#!/usr/bin/env bash
# Executes the steps of a Containerfile without a container engine: each stage is a Debian 12 tree (debootstrap) in which
# FROM, ENV, WORKDIR, COPY and RUN are carried out by chroot; USER, EXPOSE and ENTRYPOINT are checked at the end by running
# the entry point with --version as that user. Proves that the file builds and that each image can start its program; says
# nothing about an engine's own behaviour.
#   sudo deploy/container/rehearse.sh [WORKDIR]      (needs debootstrap and root; about ten minutes, 4 GB)
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
WORK=${1:-$(mktemp -d /tmp/nuvyn-rehearse.XXXXXX)}
FILE=$ROOT/deploy/container/Containerfile
mkdir -p "$WORK/stage"

base_tree() {
    [ -e "$WORK/debian/etc/debian_version" ] && return
    debootstrap --variant=minbase --include=ca-certificates bookworm "$WORK/debian" >"$WORK/debootstrap.log" 2>&1
    # The machine's own package sources, resolver and trust, which a container engine would bring along too.
    cp -rL /etc/apt/. "$WORK/debian/etc/apt/"
    cp -L /etc/resolv.conf /etc/hosts "$WORK/debian/etc/"
    cp -rL /usr/share/keyrings/. "$WORK/debian/usr/share/keyrings/"
    cp -rL /etc/ssl/certs/. "$WORK/debian/etc/ssl/certs/"
    mkdir -p "$WORK/debian/usr/local/share/ca-certificates"
    cp -rL /usr/local/share/ca-certificates/. "$WORK/debian/usr/local/share/ca-certificates/" 2>/dev/null || true
    local settings
    for settings in /root/.npmrc /root/.m2/settings.xml /root/.config/pip/pip.conf /etc/pip.conf; do
        [ ! -f "$settings" ] || install -D -m 644 "$settings" "$WORK/debian$settings"
    done
}

in_tree() { # tree, user, command…
    local tree=$1 user=$2
    shift 2
    mountpoint -q "$tree/proc" || mount -t proc proc "$tree/proc"
    mountpoint -q "$tree/dev" || mount --rbind /dev "$tree/dev"
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "${ENVIRONMENT[@]}" \
        ${PASS_ENV[@]+"${PASS_ENV[@]}"} chroot --userspec="$user" "$tree" /bin/bash -c "cd '$WORKDIR_IN' && $*"
}

unmount_all() {
    local tree
    for tree in "$WORK"/stage/*; do
        umount -l "$tree/proc" 2>/dev/null || true
        umount -l -R "$tree/dev" 2>/dev/null || true
    done
}
trap unmount_all EXIT

PASS_ENV=()
for name in PIP_CERT PIP_INDEX_URL PIP_FIND_LINKS http_proxy https_proxy no_proxy; do
    [ -z "${!name:-}" ] || PASS_ENV+=("$name=${!name}")
done

start_stage() { # parent, name
    TREE=$WORK/stage/$2 USER_IN=root WORKDIR_IN=/ ENTRYPOINT=
    local from=$WORK/debian
    [ ! -d "$WORK/stage/$1" ] || from=$WORK/stage/$1
    echo "== stage $2 (from $1)"
    rm -rf --one-file-system "$TREE"
    cp -a "$from" "$TREE"
    if [ "$from" = "$WORK/debian" ]; then ENVIRONMENT=("NUVYN=1"); else read -r -a ENVIRONMENT <"$WORK/$1.env"; fi
}

finish_stage() {
    [ -n "${TREE:-}" ] || return 0
    printf '%s ' "${ENVIRONMENT[@]}" >"$WORK/$(basename "$TREE").env"
    [ -z "$ENTRYPOINT" ] || { echo "   $ENTRYPOINT --version as $USER_IN:"; in_tree "$TREE" "$USER_IN" "$ENTRYPOINT --version"; }
}

copy_in() {
    local from=$ROOT
    case $1 in --from=*)
        from=$WORK/stage/${1#--from=}
        shift
        ;;
    esac
    local to=${*: -1} source
    [[ $to = /* ]] || to=$WORKDIR_IN/$to
    for source in "${@:1:$#-1}"; do
        case $to in */ | */.) mkdir -p "$TREE$to" ;; *) mkdir -p "$(dirname "$TREE$to")" ;; esac
        cp -a "$from/${source#/}" "$TREE$to"
    done
}

base_tree
while IFS= read -r line || [ -n "$line" ]; do
    while [[ $line = *\\ ]]; do
        IFS= read -r more
        line=${line%\\}$more
    done
    case $line in '' | '#'*) continue ;; esac
    verb=${line%% *} rest=${line#* }
    case $verb in
    FROM)
        finish_stage
        read -r parent _ name <<<"$rest"
        start_stage "$parent" "$name"
        ;;
    ENV) read -r -a more <<<"$rest" && ENVIRONMENT+=("${more[@]}") ;;
    WORKDIR) WORKDIR_IN=$rest && mkdir -p "$TREE$rest" ;;
    COPY)
        # shellcheck disable=SC2086 # words of the instruction
        copy_in $rest
        ;;
    RUN)
        echo "   RUN ${rest:0:100}"
        in_tree "$TREE" root "$rest"
        ;;
    USER) USER_IN=$rest ;;
    EXPOSE) ;;
    ENTRYPOINT) ENTRYPOINT=$(tr -d '[]"' <<<"$rest") ;;
    *) echo "rehearse: $verb is not understood" >&2 && exit 1 ;;
    esac
done <"$FILE"
finish_stage
echo "every stage was carried out; trees are below $WORK"

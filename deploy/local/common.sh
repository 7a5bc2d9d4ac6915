# shellcheck shell=bash
# Shared by the scripts of this folder; sourced, never run. Needs ROOT (the checkout).
if [ -z "${HOME:-}" ]; then
    HOME=$(getent passwd "$(id -u)" | cut -d: -f6)
    export HOME=${HOME:-/tmp}
fi
# Java takes the encoding of file names from the locale: in the bare POSIX one it could not name half of the world's.
case $(locale charmap 2>/dev/null) in UTF-8) ;; *) export LC_ALL=C.UTF-8 ;; esac

# A setting: the environment's, else that of ./.env, which our programs read as well (export, quotes and remarks as there).
setting() { # name → value on stdout
    local line
    [ -z "${!1:-}" ] || { printf '%s' "${!1}"; return; }
    [ -r .env ] || return 0
    line=$(sed -nE "s/^[[:space:]]*(export[[:space:]]+)?$1[[:space:]]*=[[:space:]]*//p" .env | tail -n 1)
    line=${line%$'\r'}
    case $line in
    \"*\"*) line=${line#\"} && line=${line%%\"*} ;;
    \'*\'*) line=${line#\'} && line=${line%%\'*} ;;
    *) line=${line%%[[:space:]]#*} && line=${line%"${line##*[![:space:]]}"} ;;
    esac
    printf '%s' "$line"
}

# A folder of a setting, whatever folder a later call is made from: programs that stay up are known by it.
folder() { # name, default
    local path
    path=$(setting "$1")
    case ${path:=$2} in \~/*) path=$HOME/${path#??} ;; esac
    realpath -ms -- "$path" | tr -d '\n' # absolute, and one spelling of it
}

NUVYN_HOME=$(folder NUVYN_HOME "$HOME/.cache/nuvyn")
NUVYN_STATE=$(folder NUVYN_STATE "$ROOT/.nuvyn")
BUILD_DIR=$(folder NUVYN_BUILD "$ROOT/build/release")
OUTPUT_DIR=$(folder NUVYN_OUTPUT "$ROOT/output")
export NUVYN_HOME NUVYN_STATE

# Lines that are drawn again need a terminal that can; colours, nobody who declined them (no-color.org).
LIVE='' BOLD='' PLAIN=''
if [ -t 2 ] && [ "${TERM:-dumb}" != dumb ]; then
    LIVE=yes
    [ -n "${NO_COLOR:-}" ] || BOLD=$'\033[1m' PLAIN=$'\033[0m'
fi

say() { printf '%s\n' "$*" >&2; }
step() { printf '%s==>%s %s\n' "$BOLD" "$PLAIN" "$*" >&2; }
die() {
    printf 'bldr: %s\n' "$*" >&2
    exit 1
}

# One call at a time; a second one says that it waits. The lock goes with the descriptor, so nothing is left behind.
hold() { # descriptor, file, what is waited for
    eval "exec $1>>\"\$2\""
    flock -n "$1" && return 0 # said, because in a trap a bare return is that of what was trapped
    step "waiting for $3"
    flock "$1"
}

release() { # descriptor
    eval "exec $1>&-"
}

# How far something is: "DONE TOTAL" (or DONE alone, with the last TOTAL) per line of standard input, "note TEXT" for a
# remark. On a terminal one line that is drawn again, elsewhere a line at each quarter.
progress() { # what is counted
    local at total=0 quarter=0 remark
    while read -r at remark; do
        if [ "$at" = note ]; then
            say "    $remark"
            continue
        fi
        [ -z "$remark" ] || total=$remark
        [ "$total" -gt 0 ] || continue
        [ "$at" -le "$total" ] || at=$total
        if [ -n "$LIVE" ]; then
            printf '\r    %s of %s %s\033[K' "$at" "$total" "$1" >&2
        elif [ $((at * 4 / total)) -gt "$quarter" ]; then
            quarter=$((at * 4 / total))
            say "    $at of $total $1"
        fi
    done
    [ -z "$LIVE" ] || printf '\r\033[K' >&2
}

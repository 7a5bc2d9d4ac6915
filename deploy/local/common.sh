# shellcheck shell=bash
# Shared by the scripts of this folder; sourced, never run. Needs ROOT (the checkout).
if [ -z "${HOME:-}" ]; then
    HOME=$(getent passwd "$(id -u)" | cut -d: -f6)
    export HOME=${HOME:-/tmp}
fi
# Java takes the encoding of file names from the locale: in the bare POSIX one it could not name half of the world's.
case $(locale charmap 2>/dev/null) in UTF-8) ;; *) export LC_ALL=C.UTF-8 ;; esac
NUVYN_HOME=${NUVYN_HOME:-$HOME/.cache/nuvyn}
NUVYN_STATE=${NUVYN_STATE:-$ROOT/.nuvyn}
BUILD_DIR=${NUVYN_BUILD:-$ROOT/build/release}
OUTPUT_DIR=${NUVYN_OUTPUT:-$ROOT/output}
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

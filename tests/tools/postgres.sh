#!/usr/bin/env bash
# A private PostgreSQL server for tests: no TCP, a unix socket in its own folder, data in there too.
#
#   tests/tools/postgres.sh start [DIR]   starts one (DIR must be empty or missing; default: a new one below /tmp) and
#                                         prints DIR; connect with "host=DIR user=nuvyn dbname=postgres"
#   tests/tools/postgres.sh stop DIR      stops it and removes DIR
#   tests/tools/postgres.sh kill DIR      SIGKILL to the whole server, data stay;  resume DIR  starts it again
#
# NUVYN_PG_BIN names the folder of initdb and pg_ctl; else the newest Debian one. PostgreSQL refuses to run as root: then
# it runs as the user postgres, or nobody where there is none.
set -euo pipefail

fail() {
    echo "postgres.sh: $*" >&2
    exit 1
}

bin=${NUVYN_PG_BIN:-$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)}
[ -x "${bin:-}/initdb" ] || fail "no initdb in \"${bin:-}\": expected PostgreSQL's server programs (apt-get install postgresql)"

as_server() {
    if [ "$(id -u)" -ne 0 ]; then
        "$@"
    else
        local user=postgres
        id "$user" >/dev/null 2>&1 || user=nobody
        setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups env HOME="$dir" LC_ALL=C "$@"
    fi
}

own() {
    local user=postgres
    id "$user" >/dev/null 2>&1 || user=nobody
    [ "$(id -u)" -ne 0 ] || chown "$user" "$1"
}

begin() {
    as_server "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 60 -s \
        -o "-c listen_addresses='' -c unix_socket_directories='$dir' -c max_connections=60 ${NUVYN_PG_OPTIONS:-}" start \
        || { cat "$dir/log" >&2; fail "the server did not start"; }
}

verb=${1:-}
dir=${2:-}
case $verb in
start)
    if [ -z "$dir" ]; then
        dir=$(mktemp -d /tmp/nvpg.XXXXXX)
    else
        mkdir -p "$dir"
        [ -z "$(ls -A "$dir")" ] || fail "$dir: expected an empty folder"
    fi
    chmod 711 "$dir"
    own "$dir"
    cd "$dir"
    as_server "$bin/initdb" -D "$dir/data" -U nuvyn -A trust -E UTF8 --no-sync --locale=C >"$dir/initdb.log" 2>&1 \
        || { cat "$dir/initdb.log" >&2; fail "initdb failed"; }
    begin
    echo "$dir"
    ;;
resume)
    [ -d "$dir/data" ] || fail "$dir: expected a folder made by start"
    cd "$dir"
    begin
    ;;
kill)
    [ -f "$dir/data/postmaster.pid" ] || fail "$dir: no server runs there"
    pid=$(head -1 "$dir/data/postmaster.pid")
    children=$(ps -o pid= --ppid "$pid" || true)
    kill -KILL "$pid" $children 2>/dev/null || true
    for _ in $(seq 100); do
        kill -0 "$pid" 2>/dev/null || exit 0
        sleep 0.05
    done
    fail "process $pid does not end"
    ;;
stop)
    [ -d "$dir/data" ] || fail "$dir: expected a folder made by start"
    cd "$dir"
    as_server "$bin/pg_ctl" -D "$dir/data" -m immediate -w -s stop 2>/dev/null || true
    cd /
    rm -rf "$dir"
    ;;
*)
    fail "expected start, stop, kill or resume"
    ;;
esac

#!/usr/bin/env bash
# tests/e2e/backup/run.sh BUILD_DIR: the commands of docs/operations.md ("Backup and restore", "Certificates"), executed: for
# SQLite and for PostgreSQL a run is made, the backup is taken while another one is under way, the installation is destroyed,
# restored on new ground, must know its runs and their files byte by byte, and go on. Then the certificates of control plane and
# worker are rotated under way.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
bin=$(cd "${1:?usage: run.sh BUILD_DIR}" && pwd)/bin
work=$(mktemp -d /tmp/nuvyn-e2e-backup.XXXXXX)
pids=() server=
unset GROQ_API_KEY OPENAI_API_KEY ANTHROPIC_API_KEY NUVYN_LLM_BASE_URL DATABRICKS_HOST

finish() {
    local status=$?
    stop_all
    [ -z "$server" ] || "$root/tests/tools/postgres.sh" stop "$server"
    [ $status = 0 ] || tail -n 15 "$work"/*.log
    rm -rf "$work"
}
trap finish EXIT

stop_all() {
    [ ${#pids[@]} = 0 ] || { kill "$@" "${pids[@]}" 2>/dev/null || true; wait "${pids[@]}" 2>/dev/null || true; }
    pids=()
}

fail() {
    echo "backup: $*" >&2
    exit 1
}

ctl() { "$bin/nuvynctl" "$@" --address "$(cat "$state/address")" --ca "$certs/ca.crt" --cert "$certs/operator.crt" --key "$certs/operator.key"; }

# A control plane and a worker over $state and the store "$1".
start() {
    rm -f "$state/address"
    "$bin/nuvyn-controlplane" --state-dir "$state" --listen 127.0.0.1:0 --store "$1" --ca "$certs/ca.crt" \
        --cert "$certs/controlplane.crt" --key "$certs/controlplane.key" >>"$work/controlplane.log" 2>&1 &
    pids+=($!)
    for _ in $(seq 300); do
        if [ -s "$state/address" ] && ctl health >/dev/null 2>&1; then
            "$bin/nuvyn-worker" --address "$(cat "$state/address")" --ca "$certs/ca.crt" --cert "$certs/worker-1.crt" \
                --key "$certs/worker-1.key" >>"$work/worker.log" 2>&1 &
            pids+=($!)
            return
        fi
        kill -0 "${pids[0]}" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}

certificates() {
    "$bin/nuvynctl" certs init --dir "$certs"
    "$bin/nuvynctl" certs issue controlplane --dir "$certs" --dns localhost --ip 127.0.0.1
    "$bin/nuvynctl" certs issue pool/default/worker/worker-1 --dir "$certs"
    "$bin/nuvynctl" certs issue operator/ada --file operator --dir "$certs"
}

# A tenant with a sealed credential, a finished run with its files, and one that is under way.
work_on() {
    ctl tenant create acme
    DATABRICKS_HOST=https://127.0.0.1:9 DATABRICKS_CLIENT_ID=id DATABRICKS_CLIENT_SECRET=secret ctl tenant set-credential acme
    ctl run submit --tenant acme --source "$root/data/ecommerce" --mode analyze --watch
    ctl run submit --tenant acme --source "$root/data/ecommerce" --mode analyze
}

finished() { ctl run list --tenant acme -o json | jq -r '[.runs[] | select(.state == "succeeded")][-1].run_id'; }

# The checksums of a run's files, as the control plane hands them out.
files_of() {
    rm -rf "$work/fetched"
    ctl run fetch "$1" --tenant acme --to "$work/fetched" >/dev/null
    (cd "$work/fetched" && find . -type f | sort | xargs sha256sum)
}

must_be_restored() { # run, checksums before, store
    start "$3" || fail "the restored control plane does not start"
    [ "$(ctl run describe "$1" --tenant acme -o json | jq -r .state)" = succeeded ] || fail "the restored control plane does not know $1"
    files_of "$1" | diff "$2" - || fail "the files of $1 are not what they were"
    ctl run submit --tenant acme --source "$root/data/ecommerce" --mode analyze --watch >/dev/null
}

backup_sqlite() {
    sqlite3 "$state/nuvyn.db" ".backup '$work/nuvyn.backup'"
    [ "$(sqlite3 "$work/nuvyn.backup" 'PRAGMA integrity_check')" = ok ] || fail "the backup is not sound"
}

restore_sqlite() {
    install -m 600 "$work/nuvyn.backup" "$state/nuvyn.db"
    store=sqlite:$state/nuvyn.db
}

backup_postgres() { pg_dump --format=custom --file "$work/nuvyn.dump" "$store"; }
restore_postgres() {
    psql --quiet "$admin" -c 'CREATE DATABASE restored'
    store=${store/nuvyn?/restored?}
    pg_restore --exit-on-error --dbname "$store" "$work/nuvyn.dump"
}

round() { # engine
    local run key=$work/$1.seal.key
    echo "== $1"
    start "$store" || fail "the control plane does not start"
    work_on >/dev/null
    run=$(finished)
    files_of "$run" >"$work/before"
    [ -s "$work/before" ] || fail "the run left no files"
    "backup_$1"
    cp "$state/seal.key" "$key"
    stop_all -KILL
    rm -rf "$state"
    state=$work/$1-restored
    mkdir -m 700 "$state"
    "restore_$1"
    install -m 600 "$key" "$state/seal.key"
    must_be_restored "$run" "$work/before" "$store"
}

# The serial of the certificate that the control plane shows. s_client's own status says only how the line was cut.
served() {
    { s_client </dev/null 2>/dev/null || true; } | openssl x509 -noout -serial
}
issued() { openssl x509 -in "$certs/controlplane.crt" -noout -serial; }
s_client() { openssl s_client -connect "$(cat "$state/address")" -cert "$certs/operator.crt" -key "$certs/operator.key"; }

rotate() {
    local before
    before=$(issued)
    [ "$(served)" = "$before" ] || fail "the control plane serves another certificate than its own"
    "$bin/nuvynctl" certs rotate controlplane --dir "$certs" >/dev/null
    [ "$(issued)" != "$before" ] || fail "the rotation issued no certificate"
    for _ in $(seq 100); do
        [ "$(served)" = "$before" ] || break
        sleep 0.1
    done
    [ "$(served)" = "$(issued)" ] || fail "the rotated certificate is not served"
    "$bin/nuvynctl" certs rotate worker-1 --dir "$certs" >/dev/null
    ctl run submit --tenant acme --source "$root/data/ecommerce" --mode analyze --watch >/dev/null
}

certs=$work/certs
certificates >/dev/null
state=$work/sqlite
mkdir -m 700 "$state"
store=sqlite:$state/nuvyn.db
round sqlite
echo "== certificates"
rotate
stop_all

server=$("$root/tests/tools/postgres.sh" start)
admin="host=$server user=nuvyn dbname=postgres"
psql --quiet "$admin" -c 'CREATE DATABASE nuvyn'
state=$work/postgres
mkdir -m 700 "$state"
store="postgres:///nuvyn?host=$server&user=nuvyn"
round postgres
stop_all
echo "backup: restored from SQLite and from PostgreSQL"

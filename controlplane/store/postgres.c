/* The replicated engine: PostgreSQL 13 or newer, through libpq.
 *
 * A lost connection is brought back only where that is safe: before a transaction starts, or after one that cannot have
 * committed. A connection lost during COMMIT leaves the outcome open; the transaction's id tells it afterwards
 * (pg_xact_status), provided the same server process family answers: after a restart or a failover an id could have been
 * given out again, so the outcome is then reported as unknown.
 */
#include <assert.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controlplane/store/postgres.h"

enum { RETRY_MS = 50 };

/* ---- connecting ---- */

static void ignore_notice(void *arg, const PGresult *result)
{
    (void)arg;
    (void)result;
}

static bool simple(postgres_t *db, const char *sql, char *out, size_t size, nv_error_t *err)
{
    PGresult *result = PQexec(db->conn, sql);
    ExecStatusType status = PQresultStatus(result);
    bool ok = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (!ok)
        pg_fail(db, result, "statement", err);
    else if (out)
        snprintf(out, size, "%s", PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    return ok;
}

static bool configure(postgres_t *db, nv_error_t *err)
{
    char sql[512];
    snprintf(sql, sizeof sql,
             "SET client_min_messages = error; SET lock_timeout = %d; SET client_encoding = 'UTF8';"
             "SET default_transaction_isolation = '%s'; SET default_transaction_read_only = %s;"
             /* A writer that freezes in a transaction must not keep its locks, the lead's among them. */
             "SET idle_in_transaction_session_timeout = %d;",
             db->busy_ms, db->writer ? "read committed" : "repeatable read", db->writer ? "off" : "on",
             db->writer ? db->busy_ms : 0);
    if (!simple(db, sql, NULL, 0, err))
        return false;
    if (db->writer &&
        !simple(db,
                "SELECT set_config('synchronous_commit', 'on', false) "
                "WHERE current_setting('synchronous_commit') = 'off';"
                /* It goes by keys; a plan made while a table was small must not read all of it later. */
                "SET enable_seqscan = off",
                NULL, 0, err))
        return false;
    return simple(db, "SELECT CAST(pg_postmaster_start_time() AS TEXT)", db->started, sizeof db->started,
                  err);
}

static bool connect_once(postgres_t *db, nv_error_t *err)
{
    /* What the URL says comes later and wins. */
    const char *const keys[] = {"connect_timeout", "application_name", "tcp_user_timeout",
                                "keepalives_idle", "dbname",           NULL};
    const char *const values[] = {"5", "nuvyn", "10000", "10", db->conninfo, NULL};
    PQfinish(db->conn);
    memset(db->prepared, 0, sizeof db->prepared);
    db->n_sent = 0;
    db->conn = PQconnectdbParams(keys, values, 1);
    if (!db->conn)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "postgresql: out of memory");
    PQsetNoticeReceiver(db->conn, ignore_notice, NULL);
    if (PQstatus(db->conn) != CONNECTION_OK)
        return pg_fail(db, NULL, "connecting", err);
    db->base.lost = false;
    return configure(db, err);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_ms(int ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static bool reconnect(postgres_t *db, int64_t deadline, nv_error_t *err)
{
    for (int wait = RETRY_MS;; wait *= 2) {
        nv_error_clear(err);
        db->base.lost = true;
        if (connect_once(db, err)) {
            db->base.reconnects++;
            return true;
        }
        db->base.lost = true;
        int64_t left = deadline - now_ms();
        if (left <= 0)
            return nv_wrap(err, "no connection within %d ms", db->busy_ms);
        pause_ms(wait < left ? wait : (int)left);
    }
}

static bool pg_prepare(db_t *base, nv_error_t *err)
{
    postgres_t *db = (postgres_t *)base;
    if (!base->lost && PQstatus(db->conn) == CONNECTION_OK)
        return true;
    return reconnect(db, now_ms() + db->busy_ms, err);
}

/* ---- transactions ---- */

static bool pg_script(db_t *base, const char *sql, nv_error_t *err)
{
    return pg_settle(base, err) && simple((postgres_t *)base, sql, NULL, 0, err);
}

static bool take_text(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    snprintf(arg, XID_MAX, "%s", (const char *)db_row_bytes(row, 0).data);
    return true;
}

/* A writer's goes out with its first statements, which spares a round trip; a failure shows at their settling. */
static bool pg_begin(db_t *base, nv_error_t *err)
{
    postgres_t *db = (postgres_t *)base;
    base->failed = false;
    if (!db->writer)
        return simple(db, "BEGIN", NULL, 0, err);
    db->xid[0] = '\0';
    return pg_send(base, DB_PG_BEGIN, DB_NO_PARAMS, NULL, NULL, err) &&
           pg_send(base, DB_PG_XACT_ID, DB_NO_PARAMS, take_text, db->xid, err);
}

static void pg_rollback(db_t *base)
{
    postgres_t *db = (postgres_t *)base;
    pg_abandon(db);
    if (!base->lost)
        PQclear(PQexec(db->conn, "ROLLBACK"));
    if (PQstatus(db->conn) != CONNECTION_OK)
        base->lost = true;
}

/* Asks the server, over a new connection, how the transaction ended: "committed", "aborted", "in progress", "unknown". */
static bool ask_outcome(postgres_t *db, int64_t deadline, char *status, nv_error_t *err)
{
    char xid[XID_MAX], started[sizeof db->started];
    memcpy(xid, db->xid, sizeof xid);
    memcpy(started, db->started, sizeof started);
    if (!reconnect(db, deadline, err))
        return false;
    if (strcmp(started, db->started) != 0)
        return nv_fail(err, NV_UNKNOWN, "the server was restarted during COMMIT");
    do {
        if (!pg_run(&db->base, DB_PG_XACT_STATUS, DB_PARAMS(db_s(xid)), take_text, status, NULL, err))
            return false;
        if (strcmp(status, "in progress") != 0)
            return true;
        pause_ms(RETRY_MS);
    } while (now_ms() < deadline);
    return true;
}

static bool resolve(postgres_t *db, db_outcome_t *outcome, nv_error_t *err)
{
    char status[XID_MAX] = "unknown";
    nv_error_t why = NV_ERROR_INIT;
    bool known = ask_outcome(db, now_ms() + db->busy_ms, status, &why);
    if (known && strcmp(status, "committed") == 0)
        return true;
    *outcome = known && strcmp(status, "aborted") == 0 ? DB_ROLLED_BACK : DB_OUTCOME_UNKNOWN;
    if (*outcome == DB_ROLLED_BACK)
        return nv_fail(err, NV_UNAVAILABLE, "%s: the connection was lost during COMMIT; nothing was changed",
                       db->base.location);
    return nv_fail(err, NV_UNKNOWN,
                   "%s: the connection was lost during COMMIT and its outcome is unknown (%s)",
                   db->base.location, known ? status : why.message);
}

static bool pg_commit(db_t *base, db_outcome_t *outcome, nv_error_t *err)
{
    postgres_t *db = (postgres_t *)base;
    *outcome = DB_ROLLED_BACK;
    assert(db->n_sent == 0); /* the caller settles first: here a failure would be COMMIT's */
    PGresult *result = PQexec(db->conn, "COMMIT");
    bool ok = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (!ok)
        pg_fail(db, result, "COMMIT", err);
    else if (strcmp(PQcmdStatus(result), "COMMIT") != 0)
        ok = nv_fail(err, NV_INTERNAL, "%s: COMMIT ended as %s", base->location, PQcmdStatus(result));
    PQclear(result);
    if (ok || !base->lost)
        return ok;
    return resolve(db, outcome, err);
}

static void pg_idle(db_t *base)
{
    (void)base;
}

static void pg_close(db_t *base)
{
    postgres_t *db = (postgres_t *)base;
    PQfinish(db->conn);
    nv_mem_free(db);
}

static const db_ops_t ops = {
    .begin = pg_begin,
    .commit = pg_commit,
    .rollback = pg_rollback,
    .run = pg_run,
    .send = pg_send,
    .settle = pg_settle,
    .script = pg_script,
    .prepare = pg_prepare,
    .idle = pg_idle,
    .close = pg_close,
    .row_int = pg_row_int,
    .row_real = pg_row_real,
    .row_bytes = pg_row_bytes,
};

/* "postgresql:host=… dbname=…" is a conninfo string behind our scheme; URLs are libpq's own. */
static const char *conninfo_of(const char *url)
{
    static const char scheme[] = "postgresql:";
    bool own = strncmp(url, scheme, sizeof scheme - 1) == 0 && strncmp(url + sizeof scheme - 1, "//", 2) != 0;
    return own ? url + sizeof scheme - 1 : url;
}

static bool check_server(postgres_t *db, nv_error_t *err)
{
    enum { OLDEST = 130000 };
    int version = PQserverVersion(db->conn);
    if (version < OLDEST)
        return nv_fail(err, NV_FAILED_PRECONDITION, "PostgreSQL %d: expected 13 or newer", version / 10000);
    const char *host = PQhost(db->conn);
    db->base.engine = nv_printf(db, "postgresql %s", PQparameterStatus(db->conn, "server_version"));
    db->base.location = nv_printf(db, "%s:%s/%s", host ? host : "", PQport(db->conn), PQdb(db->conn));
    return true;
}

bool db_open_postgres(const store_options_t *options, bool writer, db_t **out, nv_error_t *err)
{
    postgres_t *db = NV_NEW(NULL, postgres_t);
    db->base.ops = &ops;
    db->base.postgres = true;
    db->writer = writer && !options->read_only;
    db->busy_ms = options->busy_ms;
    db->conninfo = nv_strdup(db, conninfo_of(options->url));
    if (!connect_once(db, err) || !check_server(db, err)) {
        pg_close(&db->base);
        return false;
    }
    *out = &db->base;
    return true;
}

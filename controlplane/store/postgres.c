/* The replicated engine: PostgreSQL 13 or newer, through libpq.
 *
 * A lost connection is brought back only where that is safe: before a transaction starts, or after one that cannot have
 * committed. A connection lost during COMMIT leaves the outcome open; the transaction's id tells it afterwards
 * (pg_xact_status), provided the same server process family answers: after a restart or a failover an id could have been
 * given out again, so the outcome is then reported as unknown.
 */
#include <assert.h>
#include <endian.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controlplane/store/db.h"

enum {
    INT2_OID = 21,
    INT4_OID = 23,
    INT8_OID = 20,
    FLOAT8_OID = 701,
    PARAMS_MAX = 32,
    RETRY_MS = 50,
    XID_MAX = 32
};

typedef struct postgres {
    db_t base;
    PGconn *conn;
    bool prepared[DB_STATEMENT_COUNT];
    bool writer;
    int busy_ms;
    char *conninfo;
    char xid[XID_MAX]; /* of the open writing transaction */
    char started[64];  /* of the server we talk to */
} postgres_t;

typedef struct postgres_row {
    db_row_t base;
    const PGresult *result;
    int index;
} postgres_row_t;

/* ---- errors ---- */

typedef struct state_code {
    const char *prefix; /* of an SQLSTATE; the first match counts */
    nv_code_t code;
} state_code_t;

static const state_code_t state_codes[] = {
    {"08", NV_UNAVAILABLE},
    {"57", NV_UNAVAILABLE},
    {"40", NV_UNAVAILABLE},
    {"55P03", NV_UNAVAILABLE},
    {"53300", NV_UNAVAILABLE},
    {"53", NV_RESOURCE_EXHAUSTED},
    {"54", NV_RESOURCE_EXHAUSTED},
    {"23505", NV_ALREADY_EXISTS},
    {"25006", NV_FAILED_PRECONDITION},
    {"XX001", NV_DATA_LOSS},
    {"XX002", NV_DATA_LOSS},
    {"28", NV_UNAUTHENTICATED},
    {"3D", NV_NOT_FOUND},
    {"42501", NV_PERMISSION_DENIED},
    {"22", NV_INVALID_ARGUMENT},
    {"0A", NV_FAILED_PRECONDITION},
    {"58P01", NV_FAILED_PRECONDITION},
};

static nv_code_t code_of_state(const char *state)
{
    if (!state)
        return NV_UNAVAILABLE; /* no answer from the server */
    for (size_t i = 0; i < sizeof state_codes / sizeof state_codes[0]; i++)
        if (strncmp(state, state_codes[i].prefix, strlen(state_codes[i].prefix)) == 0)
            return state_codes[i].code;
    return NV_INTERNAL;
}

static void first_line(const char *text, char *out, size_t size)
{
    snprintf(out, size, "%.*s", (int)strcspn(text, "\n"), text);
}

/* Fills err from a failed result (or none), and notes what became of connection and transaction. */
static bool fail(postgres_t *db, const PGresult *result, const char *what, nv_error_t *err)
{
    char text[512];
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *primary = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    first_line(primary ? primary : PQerrorMessage(db->conn), text, sizeof text);
    db->base.failed = true;
    if (PQstatus(db->conn) != CONNECTION_OK || (state && strncmp(state, "57P", 3) == 0))
        db->base.lost = true;
    return nv_fail(err, code_of_state(state), "%s: %s: %s (%s)",
                   db->base.location ? db->base.location : "postgresql", what, text,
                   state ? state : "connection");
}

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
        fail(db, result, "statement", err);
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
             "SET default_transaction_isolation = '%s'; SET default_transaction_read_only = %s;",
             db->busy_ms, db->writer ? "read committed" : "repeatable read", db->writer ? "off" : "on");
    if (!simple(db, sql, NULL, 0, err))
        return false;
    if (db->writer && !simple(db,
                              "SELECT set_config('synchronous_commit', 'on', false) "
                              "WHERE current_setting('synchronous_commit') = 'off'",
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
    db->conn = PQconnectdbParams(keys, values, 1);
    if (!db->conn)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "postgresql: out of memory");
    PQsetNoticeReceiver(db->conn, ignore_notice, NULL);
    if (PQstatus(db->conn) != CONNECTION_OK)
        return fail(db, NULL, "connecting", err);
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

/* ---- statements ---- */

typedef struct bound {
    const char *values[PARAMS_MAX];
    int lengths[PARAMS_MAX];
    int formats[PARAMS_MAX];
    char numbers[PARAMS_MAX][32];
} bound_t;

/* Numbers go as text, so that the server's inferred type decides; bytes go binary. */
static void bind_one(bound_t *b, size_t i, const db_param_t *param)
{
    b->formats[i] = param->kind == DB_BYTES;
    b->lengths[i] = (int)param->bytes.length;
    b->values[i] = b->numbers[i];
    switch (param->kind) {
    case DB_INT:
        snprintf(b->numbers[i], sizeof b->numbers[i], "%" PRId64, param->number);
        break;
    case DB_REAL:
        snprintf(b->numbers[i], sizeof b->numbers[i], "%.17g", param->real);
        break;
    case DB_TEXT:
    case DB_BYTES:
        b->values[i] = param->bytes.data;
        break;
    case DB_NULL:
        b->values[i] = NULL;
        break;
    }
}

static bool ensure_prepared(postgres_t *db, db_statement_t id, nv_error_t *err)
{
    if (db->prepared[id])
        return true;
    PGresult *result = PQprepare(db->conn, db_statement_name(id), db_statement_sql(id), 0, NULL);
    bool ok = PQresultStatus(result) == PGRES_COMMAND_OK || fail(db, result, db_statement_name(id), err);
    PQclear(result);
    db->prepared[id] = ok;
    return ok;
}

static bool each_row(postgres_t *db, const PGresult *result, db_row_fn *row, void *arg, nv_error_t *err)
{
    postgres_row_t at = {.base.ops = db->base.ops, .result = result};
    int n = PQntuples(result);
    for (at.index = 0; row && at.index < n; at.index++)
        if (!row(&at.base, arg, err))
            return false;
    return true;
}

static void count_changes(postgres_t *db, PGresult *result, int64_t *changes)
{
    bool select = strncmp(PQcmdStatus(result), "SELECT", 6) == 0;
    int64_t n = select ? 0 : strtoll(PQcmdTuples(result), NULL, 10);
    db->base.writes += n > 0;
    if (changes)
        *changes = n;
}

static bool pg_run(db_t *base, db_statement_t id, const db_param_t *params, size_t n_params, db_row_fn *row,
                   void *arg, int64_t *changes, nv_error_t *err)
{
    postgres_t *db = (postgres_t *)base;
    bound_t b;
    assert(n_params <= PARAMS_MAX);
    for (size_t i = 0; i < n_params; i++)
        bind_one(&b, i, &params[i]);
    if (!ensure_prepared(db, id, err))
        return false;
    PGresult *result =
        PQexecPrepared(db->conn, db_statement_name(id), (int)n_params, b.values, b.lengths, b.formats, 1);
    ExecStatusType status = PQresultStatus(result);
    bool ok = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (ok) {
        count_changes(db, result, changes);
        ok = each_row(db, result, row, arg, err);
    } else {
        fail(db, result, db_statement_name(id), err);
    }
    PQclear(result);
    return ok;
}

static bool pg_script(db_t *base, const char *sql, nv_error_t *err)
{
    return simple((postgres_t *)base, sql, NULL, 0, err);
}

static int64_t pg_row_int(const db_row_t *base, int column)
{
    const postgres_row_t *row = (const postgres_row_t *)base;
    const char *data = PQgetvalue(row->result, row->index, column);
    uint64_t wide;
    uint32_t narrow;
    if (PQftype(row->result, column) == INT4_OID) {
        memcpy(&narrow, data, sizeof narrow);
        return (int32_t)be32toh(narrow);
    }
    assert(PQftype(row->result, column) == INT8_OID);
    memcpy(&wide, data, sizeof wide);
    return (int64_t)be64toh(wide);
}

static double pg_row_real(const db_row_t *base, int column)
{
    const postgres_row_t *row = (const postgres_row_t *)base;
    assert(PQftype(row->result, column) == FLOAT8_OID);
    uint64_t bits;
    memcpy(&bits, PQgetvalue(row->result, row->index, column), sizeof bits);
    bits = be64toh(bits);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static nv_bytes_t pg_row_bytes(const db_row_t *base, int column)
{
    const postgres_row_t *row = (const postgres_row_t *)base;
    return nv_bytes(PQgetvalue(row->result, row->index, column),
                    (size_t)PQgetlength(row->result, row->index, column));
}

/* ---- transactions ---- */

static bool pg_begin(db_t *base, nv_error_t *err)
{
    postgres_t *db = (postgres_t *)base;
    base->failed = false;
    if (!db->writer)
        return simple(db, "BEGIN", NULL, 0, err);
    return simple(db, "BEGIN; SELECT CAST(pg_current_xact_id() AS TEXT)", db->xid, sizeof db->xid, err);
}

static void pg_rollback(db_t *base)
{
    postgres_t *db = (postgres_t *)base;
    if (!base->lost)
        PQclear(PQexec(db->conn, "ROLLBACK"));
    if (PQstatus(db->conn) != CONNECTION_OK)
        base->lost = true;
}

static bool take_status(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    snprintf(arg, XID_MAX, "%s", (const char *)db_row_bytes(row, 0).data);
    return true;
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
        if (!pg_run(&db->base, DB_PG_XACT_STATUS, DB_PARAMS(db_s(xid)), take_status, status, NULL, err))
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
    PGresult *result = PQexec(db->conn, "COMMIT");
    bool ok = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (!ok)
        fail(db, result, "COMMIT", err);
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

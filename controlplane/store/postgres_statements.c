/* Statements of the PostgreSQL engine: errors, parameters, answers; one at a time, or many for one round trip. */
#include <assert.h>
#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/store/postgres.h"

enum { INT4_OID = 23, INT8_OID = 20, FLOAT8_OID = 701, PARAMS_MAX = 32 };

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

bool pg_fail(postgres_t *db, const PGresult *result, const char *what, nv_error_t *err)
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

static void bind(bound_t *b, const db_param_t *params, size_t n)
{
    assert(n <= PARAMS_MAX);
    for (size_t i = 0; i < n; i++)
        bind_one(b, i, &params[i]);
}

static bool ensure_prepared(postgres_t *db, db_statement_t id, nv_error_t *err)
{
    if (db->prepared[id])
        return true;
    PGresult *result = PQprepare(db->conn, db_statement_name(id), db_statement_sql(id), 0, NULL);
    bool ok = PQresultStatus(result) == PGRES_COMMAND_OK || pg_fail(db, result, db_statement_name(id), err);
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
    db_count(&db->base, n > 0);
    if (changes)
        *changes = n;
}

static bool answered(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

bool pg_run(db_t *base, db_statement_t id, const db_param_t *params, size_t n_params, db_row_fn *row,
            void *arg, int64_t *changes, nv_error_t *err)
{
    postgres_t *db = (postgres_t *)base;
    bound_t b;
    bind(&b, params, n_params);
    if (!pg_settle(base, err) || !ensure_prepared(db, id, err))
        return false;
    PGresult *result =
        PQexecPrepared(db->conn, db_statement_name(id), (int)n_params, b.values, b.lengths, b.formats, 1);
    bool ok = answered(result);
    if (ok) {
        count_changes(db, result, changes);
        ok = each_row(db, result, row, arg, err);
    } else {
        pg_fail(db, result, db_statement_name(id), err);
    }
    PQclear(result);
    return ok;
}

/* ---- many statements for one round trip: libpq's pipeline mode ---- */

bool pg_send(db_t *base, db_statement_t id, const db_param_t *params, size_t n_params, db_row_fn *row,
             void *arg, nv_error_t *err)
{
    postgres_t *db = (postgres_t *)base;
    bound_t b;
    bool room = db->n_sent < SENT_MAX && db->prepared[id]; /* preparing does not go within a pipeline */
    if (!room && (!pg_settle(base, err) || !ensure_prepared(db, id, err)))
        return false;
    if (db->n_sent == 0 && !PQenterPipelineMode(db->conn))
        return pg_fail(db, NULL, "starting a pipeline", err);
    bind(&b, params, n_params);
    if (!PQsendQueryPrepared(db->conn, db_statement_name(id), (int)n_params, b.values, b.lengths, b.formats,
                             1)) {
        pg_fail(db, NULL, db_statement_name(id), err);
        if (db->n_sent == 0)
            PQexitPipelineMode(db->conn);
        return false;
    }
    db_count(base, !row); /* a write whose answer nobody looks at: taken for one that changed something */
    db->sent[db->n_sent++] =
        (postgres_sent_t){.id = id, .row = row, .arg = arg, .tally = row ? base->tally : NULL};
    return true;
}

static bool take_answer(postgres_t *db, const postgres_sent_t *sent, nv_error_t *err)
{
    PGresult *result = PQgetResult(db->conn);
    bool ok = answered(result);
    if (ok) {
        uint64_t *tally = db->base.tally;
        db->base.tally = sent->tally;
        count_changes(db, result, NULL);
        db->base.tally = tally;
        ok = each_row(db, result, sent->row, sent->arg, err);
    } else {
        pg_fail(db, result, db_statement_name(sent->id), err);
    }
    PQclear(result);
    /* A NULL ends the answer to each statement. */
    while (PQstatus(db->conn) == CONNECTION_OK && (result = PQgetResult(db->conn)))
        PQclear(result);
    return ok;
}

/* After the first failure the answers only say that they were not done. */
static void skip_answers(postgres_t *db, size_t count)
{
    /* One result and one NULL each, then the one for the end of the pipeline. */
    for (size_t i = 0; i < 2 * count + 1 && PQstatus(db->conn) == CONNECTION_OK; i++)
        PQclear(PQgetResult(db->conn));
}

bool pg_settle(db_t *base, nv_error_t *err)
{
    postgres_t *db = (postgres_t *)base;
    size_t sent = db->n_sent, taken = 0;
    if (sent == 0)
        return true;
    bool ok = PQpipelineSync(db->conn) || pg_fail(db, NULL, "ending a pipeline", err);
    while (ok && taken < sent)
        ok = take_answer(db, &db->sent[taken++], err);
    skip_answers(db, sent - taken);
    db->n_sent = 0;
    if (PQstatus(db->conn) == CONNECTION_OK && PQexitPipelineMode(db->conn))
        return ok;
    base->lost = true;
    return ok ? pg_fail(db, NULL, "ending a pipeline", err) : false;
}

void pg_abandon(postgres_t *db)
{
    nv_error_t err = NV_ERROR_INIT;
    /* The answers' owners may be gone. */
    for (size_t i = 0; i < db->n_sent; i++)
        db->sent[i].row = NULL, db->sent[i].tally = NULL;
    if (!pg_settle(&db->base, &err))
        db->base.failed = true;
}

/* ---- rows ---- */

int64_t pg_row_int(const db_row_t *base, int column)
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

double pg_row_real(const db_row_t *base, int column)
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

nv_bytes_t pg_row_bytes(const db_row_t *base, int column)
{
    const postgres_row_t *row = (const postgres_row_t *)base;
    return nv_bytes(PQgetvalue(row->result, row->index, column),
                    (size_t)PQgetlength(row->result, row->index, column));
}

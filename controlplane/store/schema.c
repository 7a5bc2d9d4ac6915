/* The schema, as numbered migrations in the dialect both engines share.
 *
 * BYTES stands for the engine's binary type; CLUSTERED makes SQLite keep the row in the primary key's own tree. A migration
 * is never edited after it shipped: a change is a new one at the end.
 */
#include <string.h>

#include "common/core/buf.h"
#include "controlplane/store/db.h"

static const char migration_1[] =
    "CREATE TABLE tenants (name TEXT NOT NULL PRIMARY KEY, display_name TEXT NOT NULL, created_ms BIGINT NOT "
    "NULL,"
    " max_tasks BIGINT NOT NULL, weight BIGINT NOT NULL, wrapped_key BYTES NOT NULL);"
    "CREATE TABLE pools (name TEXT NOT NULL PRIMARY KEY, dedicated_to TEXT NOT NULL, own_credentials BIGINT "
    "NOT NULL,"
    " created_ms BIGINT NOT NULL);"
    "CREATE TABLE credentials (tenant TEXT NOT NULL, kind TEXT NOT NULL, sealed BYTES NOT NULL,"
    " updated_ms BIGINT NOT NULL, PRIMARY KEY (tenant, kind));"
    "CREATE TABLE revocations (serial TEXT NOT NULL, spiffe_id TEXT NOT NULL, reason TEXT NOT NULL,"
    " revoked_ms BIGINT NOT NULL, PRIMARY KEY (serial, spiffe_id));"
    "CREATE TABLE runs (tenant TEXT NOT NULL, run_id TEXT NOT NULL, pool TEXT NOT NULL, state TEXT NOT NULL,"
    " reason TEXT NOT NULL, owner TEXT NOT NULL, forked_from TEXT NOT NULL, epoch BIGINT NOT NULL,"
    " revision BIGINT NOT NULL, last_event BIGINT NOT NULL, last_checkpoint BIGINT NOT NULL,"
    " created_ms BIGINT NOT NULL, finished_ms BIGINT NOT NULL, round BIGINT NOT NULL,"
    " score DOUBLE PRECISION NOT NULL, spec BYTES NOT NULL, summary BYTES NOT NULL,"
    " PRIMARY KEY (tenant, run_id)) CLUSTERED;"
    "CREATE INDEX runs_by_time ON runs (tenant, created_ms, run_id);"
    "CREATE INDEX runs_by_state ON runs (tenant, state, created_ms, run_id);"
    "CREATE INDEX runs_open ON runs (created_ms, tenant, run_id) WHERE finished_ms = 0;"
    "CREATE TABLE requests (tenant TEXT NOT NULL, request_id TEXT NOT NULL, run_id TEXT NOT NULL,"
    " created_ms BIGINT NOT NULL, PRIMARY KEY (tenant, request_id)) CLUSTERED;"
    "CREATE INDEX requests_by_run ON requests (tenant, run_id);"
    "CREATE TABLE checkpoints (tenant TEXT NOT NULL, run_id TEXT NOT NULL, seq BIGINT NOT NULL, parent "
    "BIGINT NOT NULL,"
    " step BIGINT NOT NULL, snapshot BIGINT NOT NULL, created_ms BIGINT NOT NULL, nodes TEXT NOT NULL,"
    " bytes BIGINT NOT NULL, data BYTES NOT NULL, PRIMARY KEY (tenant, run_id, seq)) CLUSTERED;"
    "CREATE TABLE pending (tenant TEXT NOT NULL, run_id TEXT NOT NULL, step BIGINT NOT NULL, task_id TEXT "
    "NOT NULL,"
    " data BYTES NOT NULL, PRIMARY KEY (tenant, run_id, step, task_id)) CLUSTERED;"
    "CREATE TABLE events (tenant TEXT NOT NULL, run_id TEXT NOT NULL, seq BIGINT NOT NULL, data BYTES NOT "
    "NULL,"
    " PRIMARY KEY (tenant, run_id, seq)) CLUSTERED;"
    "CREATE TABLE tasks (tenant TEXT NOT NULL, run_id TEXT NOT NULL, task_id TEXT NOT NULL, kind TEXT NOT "
    "NULL,"
    " item TEXT NOT NULL, node TEXT NOT NULL, state TEXT NOT NULL, pool TEXT NOT NULL, session TEXT NOT NULL,"
    " token TEXT NOT NULL, attempt BIGINT NOT NULL, epoch BIGINT NOT NULL, lease_ms BIGINT NOT NULL,"
    " updated_ms BIGINT NOT NULL, data BYTES NOT NULL, PRIMARY KEY (tenant, run_id, task_id)) CLUSTERED;"
    "CREATE TABLE timers (tenant TEXT NOT NULL, run_id TEXT NOT NULL, timer_id TEXT NOT NULL, due_ms BIGINT "
    "NOT NULL,"
    " data BYTES NOT NULL, PRIMARY KEY (tenant, run_id, timer_id)) CLUSTERED;"
    "CREATE INDEX timers_by_due ON timers (due_ms, tenant, run_id, timer_id);"
    "CREATE TABLE interrupts (tenant TEXT NOT NULL, run_id TEXT NOT NULL, interrupt_id TEXT NOT NULL,"
    " task_id TEXT NOT NULL, node TEXT NOT NULL, question TEXT NOT NULL, asked_ms BIGINT NOT NULL,"
    " answer TEXT NOT NULL, answered_by TEXT NOT NULL, comment TEXT NOT NULL, answered_ms BIGINT NOT NULL,"
    " data BYTES NOT NULL, PRIMARY KEY (tenant, run_id, interrupt_id));"
    "CREATE INDEX interrupts_by_time ON interrupts (tenant, asked_ms);"
    "CREATE TABLE artifacts (tenant TEXT NOT NULL, run_id TEXT NOT NULL, name TEXT NOT NULL, sha256 TEXT NOT "
    "NULL,"
    " media_type TEXT NOT NULL, message_type TEXT NOT NULL, created_ms BIGINT NOT NULL,"
    " PRIMARY KEY (tenant, run_id, name)) CLUSTERED;"
    "CREATE TABLE documents (tenant TEXT NOT NULL, sha256 TEXT NOT NULL, bytes BIGINT NOT NULL,"
    " content_id TEXT NOT NULL, created_ms BIGINT NOT NULL, PRIMARY KEY (tenant, sha256)) CLUSTERED;"
    "CREATE TABLE run_documents (tenant TEXT NOT NULL, run_id TEXT NOT NULL, sha256 TEXT NOT NULL,"
    " PRIMARY KEY (tenant, run_id, sha256)) CLUSTERED;"
    "CREATE INDEX run_documents_by_hash ON run_documents (tenant, sha256);"
    "CREATE TABLE chunks (tenant TEXT NOT NULL, content_id TEXT NOT NULL, idx BIGINT NOT NULL, data BYTES "
    "NOT NULL,"
    " PRIMARY KEY (tenant, content_id, idx));"
    "CREATE TABLE uploads (tenant TEXT NOT NULL, content_id TEXT NOT NULL, started_ms BIGINT NOT NULL,"
    " PRIMARY KEY (tenant, content_id));"
    "CREATE TABLE cases (tenant TEXT NOT NULL, case_id TEXT NOT NULL, kind BIGINT NOT NULL, stage TEXT NOT "
    "NULL,"
    " symptom TEXT NOT NULL, run_id TEXT NOT NULL, created_ms BIGINT NOT NULL, data BYTES NOT NULL,"
    " embedding BYTES NOT NULL, PRIMARY KEY (tenant, case_id));"
    "CREATE TABLE case_vector_rows (tenant TEXT NOT NULL, case_id TEXT NOT NULL, vector_row BIGINT NOT NULL,"
    " PRIMARY KEY (tenant, case_id));";

/* Who leads: one row for each thing that can be led; the epoch grows with each change of hands. */
static const char migration_2[] =
    "CREATE TABLE leaders (name TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, address TEXT NOT NULL,"
    " epoch BIGINT NOT NULL, until_ms BIGINT NOT NULL);";

/* For retention, which goes through finished runs by age. */
static const char migration_3[] =
    "CREATE INDEX runs_finished ON runs (finished_ms, tenant, run_id) WHERE finished_ms > 0;";

/* A run's timer follows from its state, so nobody wrote any. The indexes are partial so that only the listings, which say so,
 * can use them: a planner without statistics took them for as good as the primary key, and read all of a tenant's runs at
 * each superstep. */
static const char migration_4[] =
    "DROP TABLE timers;"
    "DROP INDEX runs_by_time;"
    "DROP INDEX runs_by_state;"
    "CREATE INDEX runs_by_time ON runs (tenant, created_ms, run_id) WHERE created_ms >= 0;"
    "CREATE INDEX runs_by_state ON runs (tenant, state, created_ms, run_id) WHERE created_ms >= 0;";

static const char *const migrations[] = {migration_1, migration_2, migration_3, migration_4};
enum { VERSION = sizeof migrations / sizeof migrations[0] };

static const char version_key[] = "schema_version";

int db_schema_version(void)
{
    return VERSION;
}

/* Replaces the words BYTES and CLUSTERED by what the engine says. */
static char *translate(nv_mem_t *ctx, const char *sql, bool postgres)
{
    nv_buf_t out = nv_buf_make(ctx, 1 << 20);
    while (*sql) {
        if (strncmp(sql, " BYTES", 6) == 0) {
            nv_buf_puts(&out, postgres ? " BYTEA" : " BLOB");
            sql += 6;
        } else if (strncmp(sql, " CLUSTERED", 10) == 0) {
            nv_buf_puts(&out, postgres ? "" : " WITHOUT ROWID");
            sql += 10;
        } else {
            nv_buf_putc(&out, *sql++);
        }
    }
    return out.data;
}

static bool take_version(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    *(int64_t *)arg = db_row_int(row, 0);
    return true;
}

static bool apply_from(db_t *db, int64_t version, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("migration");
    for (; version < VERSION; version++) {
        if (!db->ops->script(db, translate(ctx, migrations[version], db->postgres), err))
            return nv_wrap(err, "schema migration %d", (int)version + 1);
    }
    return db_write(db, DB_META_PUT, DB_PARAMS(db_s(version_key), db_i(VERSION)), NULL, err);
}

static bool migrate_within(db_t *db, bool read_only, nv_error_t *err)
{
    /* Two control planes may start at once: the second waits here, then finds the work done. */
    static const char lock[] = "SELECT pg_advisory_xact_lock(5644796215);";
    static const char meta[] =
        "CREATE TABLE IF NOT EXISTS nuvyn_meta (name TEXT NOT NULL PRIMARY KEY, value BIGINT NOT NULL);";
    if (db->postgres && !db->ops->script(db, lock, err))
        return false;
    if (!read_only && !db->ops->script(db, meta, err))
        return false;
    int64_t version = 0;
    if (!db_run(db, DB_META_GET, DB_PARAMS(db_s(version_key)), take_version, &version, err))
        return false;
    if (version > VERSION)
        return nv_fail(err, NV_FAILED_PRECONDITION,
                       "%s has schema version %d, this program knows up to %d: expected a newer program",
                       db->location, (int)version, VERSION);
    if (version == VERSION)
        return true;
    if (read_only)
        return nv_fail(err, NV_FAILED_PRECONDITION,
                       "%s has schema version %d: expected %d (opened read-only)", db->location, (int)version,
                       VERSION);
    return apply_from(db, version, err);
}

bool db_migrate(db_t *db, bool read_only, nv_error_t *err)
{
    if (!db->ops->begin(db, err))
        return false;
    if (!migrate_within(db, read_only, err)) {
        db->ops->rollback(db);
        return false;
    }
    db_outcome_t outcome;
    return db->ops->commit(db, &outcome, err);
}

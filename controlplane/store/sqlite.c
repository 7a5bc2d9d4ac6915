/* The embedded engine: SQLite in WAL mode.
 *
 * The writer commits with synchronous=FULL, so that each COMMIT syncs the log. Moving the log into the database file
 * (checkpointing) costs syncs of its own; it is kept out of the commit path: automatic checkpoints are off, and a thread
 * does passive ones (sqlite_checkpointer.h).
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/store/db.h"
#include "controlplane/store/sqlite_checkpointer.h"

enum {
    APPLICATION_ID = 0x4E565942, /* "NVYB", in the file's header */
    CHECK_WHOLE_MAX = 32 << 20,  /* files up to this are checked whole when opened */
    CACHE_KIB = 16 * 1024,
    /* Each run has pages of its own in each table, and a commit writes whole pages: with small ones, a superstep is 17 KiB of
     * log, not 58. Of new databases; an old one keeps its size. */
    PAGE_BYTES = 1024,
};

typedef struct sqlite {
    db_t base;
    sqlite3 *handle;
    sqlite3_stmt *statements[DB_STATEMENT_COUNT];
    checkpointer_t *checkpointer; /* the writer's, else NULL */
    bool writer;
} sqlite_t;

typedef struct sqlite_row {
    db_row_t base;
    sqlite3_stmt *statement;
} sqlite_row_t;

/* ---- errors ---- */

static nv_code_t code_of(int rc)
{
    switch (rc & 0xFF) {
    case SQLITE_FULL:
    case SQLITE_NOMEM:
        return NV_RESOURCE_EXHAUSTED;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_INTERRUPT:
        return NV_UNAVAILABLE;
    case SQLITE_READONLY:
        return NV_FAILED_PRECONDITION;
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return NV_PERMISSION_DENIED;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return NV_DATA_LOSS;
    case SQLITE_CONSTRAINT:
        return NV_ALREADY_EXISTS;
    case SQLITE_TOOBIG:
    case SQLITE_RANGE:
        return NV_INVALID_ARGUMENT;
    case SQLITE_CANTOPEN:
        return NV_NOT_FOUND;
    default:
        return NV_INTERNAL;
    }
}

/* What the system said to the last failed write of the database file or its log. */
static int last_errno(const sqlite_t *db, int which)
{
    sqlite3_file *file = NULL;
    int value = 0;
    if (sqlite3_file_control(db->handle, "main", which, &file) == SQLITE_OK && file && file->pMethods)
        file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &value);
    return value;
}

/* An I/O error for want of room (quota, file size limit) is a full disk to the caller. */
static nv_code_t refine(const sqlite_t *db, int rc)
{
    if (rc != SQLITE_IOERR_WRITE || !db->handle)
        return code_of(rc);
    static const int files[] = {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        int system = last_errno(db, files[i]);
        if (system == ENOSPC || system == EDQUOT || system == EFBIG)
            return NV_RESOURCE_EXHAUSTED;
    }
    return NV_INTERNAL;
}

static bool fail(const sqlite_t *db, int rc, const char *what, nv_error_t *err)
{
    const char *text = db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(rc);
    return nv_fail(err, refine(db, rc), "%s: %s: %s (sqlite %d)", db->base.location, what, text, rc);
}

/* ---- statements ---- */

static bool prepare(sqlite_t *db, db_statement_t id, sqlite3_stmt **out, nv_error_t *err)
{
    if (!db->statements[id]) {
        int rc = sqlite3_prepare_v3(db->handle, db_statement_sql(id), -1, SQLITE_PREPARE_PERSISTENT,
                                    &db->statements[id], NULL);
        if (rc != SQLITE_OK)
            return fail(db, rc, db_statement_name(id), err);
    }
    *out = db->statements[id];
    return true;
}

static int bind_one(sqlite3_stmt *statement, int index, const db_param_t *param)
{
    switch (param->kind) {
    case DB_INT:
        return sqlite3_bind_int64(statement, index, param->number);
    case DB_REAL:
        return sqlite3_bind_double(statement, index, param->real);
    case DB_TEXT:
        return sqlite3_bind_text64(statement, index, param->bytes.data, param->bytes.length, SQLITE_STATIC,
                                   SQLITE_UTF8);
    case DB_BYTES:
        return sqlite3_bind_blob64(statement, index, param->bytes.data, param->bytes.length, SQLITE_STATIC);
    case DB_NULL:
        break;
    }
    return sqlite3_bind_null(statement, index);
}

static bool bind(sqlite_t *db, db_statement_t id, sqlite3_stmt *statement, const db_param_t *params, size_t n,
                 nv_error_t *err)
{
    assert((size_t)sqlite3_bind_parameter_count(statement) == n);
    for (size_t i = 0; i < n; i++) {
        /* $n is a name to SQLite: it numbers names by first appearance, which our statements keep in order. */
        int rc = bind_one(statement, (int)i + 1, &params[i]);
        if (rc != SQLITE_OK)
            return fail(db, rc, db_statement_name(id), err);
    }
    return true;
}

static bool step_all(sqlite_t *db, db_statement_t id, sqlite3_stmt *statement, db_row_fn *row, void *arg,
                     nv_error_t *err)
{
    sqlite_row_t at = {.base.ops = db->base.ops, .statement = statement};
    int rc;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW)
        if (row && !row(&at.base, arg, err))
            return false;
    return rc == SQLITE_DONE || fail(db, rc, db_statement_name(id), err);
}

static bool sqlite_run(db_t *base, db_statement_t id, const db_param_t *params, size_t n_params,
                       db_row_fn *row, void *arg, int64_t *changes, nv_error_t *err)
{
    sqlite_t *db = (sqlite_t *)base;
    sqlite3_stmt *statement = NULL;
    if (!prepare(db, id, &statement, err) || !bind(db, id, statement, params, n_params, err))
        return false;
    sqlite3_int64 before = sqlite3_total_changes64(db->handle);
    bool ok = step_all(db, id, statement, row, arg, err);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    sqlite3_int64 changed = sqlite3_total_changes64(db->handle) - before;
    db_count(base, changed > 0);
    if (!ok)
        base->failed = sqlite3_get_autocommit(db->handle) != 0; /* a full disk rolls back by itself */
    if (changes)
        *changes = changed;
    return ok;
}

/* A statement costs a function call here: nothing is gained by putting it off. */
static bool sqlite_send(db_t *base, db_statement_t id, const db_param_t *params, size_t n_params,
                        db_row_fn *row, void *arg, nv_error_t *err)
{
    return sqlite_run(base, id, params, n_params, row, arg, NULL, err);
}

static bool sqlite_settle(db_t *base, nv_error_t *err)
{
    (void)base;
    (void)err;
    return true;
}

static bool sqlite_script(db_t *base, const char *sql, nv_error_t *err)
{
    sqlite_t *db = (sqlite_t *)base;
    int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK || fail(db, rc, "statement", err);
}

static int64_t row_int(const db_row_t *row, int column)
{
    return sqlite3_column_int64(((const sqlite_row_t *)row)->statement, column);
}

static double row_real(const db_row_t *row, int column)
{
    return sqlite3_column_double(((const sqlite_row_t *)row)->statement, column);
}

static nv_bytes_t row_bytes(const db_row_t *row, int column)
{
    sqlite3_stmt *statement = ((const sqlite_row_t *)row)->statement;
    bool text = sqlite3_column_type(statement, column) == SQLITE_TEXT;
    const void *data =
        text ? (const void *)sqlite3_column_text(statement, column) : sqlite3_column_blob(statement, column);
    return nv_bytes(data ? data : "", (size_t)sqlite3_column_bytes(statement, column));
}

/* ---- transactions ---- */

static bool sqlite_begin(db_t *base, nv_error_t *err)
{
    sqlite_t *db = (sqlite_t *)base;
    const char *sql = db->writer ? "BEGIN IMMEDIATE" : "BEGIN";
    base->failed = false;
    int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK || fail(db, rc, "BEGIN", err);
}

static void sqlite_rollback(db_t *base)
{
    sqlite_t *db = (sqlite_t *)base;
    if (!sqlite3_get_autocommit(db->handle)) /* some errors have rolled back already */
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

/* The log's COMMIT frame is written before it is synced: where the sync fails, a power cut may still leave it whole. */
static db_outcome_t outcome_of(int rc)
{
    return rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_DIR_FSYNC ? DB_OUTCOME_UNKNOWN : DB_ROLLED_BACK;
}

static bool sqlite_commit(db_t *base, db_outcome_t *outcome, nv_error_t *err)
{
    sqlite_t *db = (sqlite_t *)base;
    int rc = sqlite3_exec(db->handle, "COMMIT", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        return true;
    *outcome = outcome_of(rc);
    fail(db, rc, "COMMIT", err);
    sqlite_rollback(base);
    return false;
}

static int note_wal(void *arg, sqlite3 *handle, const char *name, int pages)
{
    (void)handle;
    (void)name;
    checkpointer_note(((sqlite_t *)arg)->checkpointer, pages);
    return SQLITE_OK;
}

static void sqlite_idle(db_t *base)
{
    sqlite_t *db = (sqlite_t *)base;
    if (db->checkpointer)
        checkpointer_idle(db->checkpointer);
}

static bool sqlite_prepare(db_t *base, nv_error_t *err)
{
    sqlite_t *db = (sqlite_t *)base;
    (void)err;
    int log = 0, moved = 0;
    if (db->checkpointer && checkpointer_wants_end(db->checkpointer) &&
        sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, &log, &moved) == SQLITE_OK)
        checkpointer_ended(db->checkpointer, moved);
    return true;
}

static void sqlite_close_db(db_t *base)
{
    sqlite_t *db = (sqlite_t *)base;
    for (size_t i = 0; i < DB_STATEMENT_COUNT; i++)
        sqlite3_finalize(db->statements[i]);
    checkpointer_stop(db->checkpointer);
    sqlite3_close_v2(db->handle);
    nv_mem_free(db);
}

static const db_ops_t ops = {
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .run = sqlite_run,
    .send = sqlite_send,
    .settle = sqlite_settle,
    .script = sqlite_script,
    .prepare = sqlite_prepare,
    .idle = sqlite_idle,
    .close = sqlite_close_db,
    .row_int = row_int,
    .row_real = row_real,
    .row_bytes = row_bytes,
};

/* ---- opening ---- */

/* Makes the file with its mode before SQLite would with a wider one. */
static bool create_file(const char *path, nv_error_t *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return nv_fail_errno(err, errno, "%s", path);
    close(fd);
    return true;
}

static int take_int(void *arg, int columns, char **values, char **names)
{
    (void)names;
    if (columns > 0 && values[0])
        *(long long *)arg = strtoll(values[0], NULL, 10);
    return 0;
}

static bool ask_int(sqlite_t *db, const char *sql, long long *out, nv_error_t *err)
{
    int rc = sqlite3_exec(db->handle, sql, take_int, out, NULL);
    return rc == SQLITE_OK || fail(db, rc, sql, err);
}

/* Ours carries our application id; an empty file is about to. */
static bool check_ours(sqlite_t *db, nv_error_t *err)
{
    long long id = 0, tables = 0;
    if (!ask_int(db, "PRAGMA application_id", &id, err) ||
        !ask_int(db, "SELECT COUNT(*) FROM sqlite_master", &tables, err))
        return false;
    if (id == APPLICATION_ID)
        return true;
    if (id != 0 || tables != 0)
        return nv_fail(err, NV_FAILED_PRECONDITION,
                       "%s is an SQLite database of another program: expected a Nuvyn store",
                       db->base.location);
    return true;
}

static int note_damage(void *arg, int columns, char **values, char **names)
{
    (void)names;
    char *first = arg;
    if (columns > 0 && values[0] && !*first && strcmp(values[0], "ok") != 0)
        snprintf(first, 256, "%s", values[0]);
    return 0;
}

static bool check_sound(sqlite_t *db, nv_error_t *err)
{
    struct stat info;
    if (stat(db->base.location, &info) != 0 || info.st_size > CHECK_WHOLE_MAX)
        return true;
    char first[256] = "";
    int rc = sqlite3_exec(db->handle, "PRAGMA quick_check(1)", note_damage, first, NULL);
    if (rc != SQLITE_OK)
        return fail(db, rc, "checking the file", err);
    if (*first)
        return nv_fail(err, NV_DATA_LOSS, "%s is damaged: %s", db->base.location, first);
    return true;
}

static bool configure(sqlite_t *db, const store_options_t *options, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("pragmas");
    sqlite3_busy_timeout(db->handle, options->busy_ms);
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
    const char *common = nv_printf(ctx,
                                   "PRAGMA trusted_schema=0; PRAGMA foreign_keys=0; PRAGMA temp_store=MEMORY;"
                                   "PRAGMA cache_size=-%d; PRAGMA cell_size_check=1;",
                                   CACHE_KIB);
    if (!sqlite_script(&db->base, common, err) || !check_ours(db, err))
        return false;
    if (!db->writer)
        return sqlite_script(&db->base, "PRAGMA query_only=1", err);
    const char *writing = nv_printf(
        ctx,
        "PRAGMA page_size=%d; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;"
        "PRAGMA application_id=%d;",
        PAGE_BYTES, APPLICATION_ID);
    if (!sqlite_script(&db->base, writing, err))
        return false;
    if (!check_sound(db, err) || !(db->checkpointer = checkpointer_start(db->base.location, err)))
        return false;
    sqlite3_wal_hook(db->handle, note_wal, db);
    return true;
}

/* Our own build of vec0.so, by path; loading is switched off again at once. */
static bool load_vector(sqlite_t *db, const char *path)
{
    if (!path || !*path) {
        db->base.vector = nv_strdup(db, "exact scan (no sqlite-vec given)");
        return false;
    }
    char *text = NULL;
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL);
    int rc = sqlite3_load_extension(db->handle, path, "sqlite3_vec_init", &text);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    if (rc != SQLITE_OK)
        db->base.vector = nv_printf(db, "exact scan (%s: %s)", path, text ? text : sqlite3_errstr(rc));
    sqlite3_free(text);
    return rc == SQLITE_OK;
}

static void name_vector(sqlite_t *db)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db->handle, "SELECT vec_version()", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        db->base.vector = nv_printf(db, "sqlite-vec %s", (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
}

bool db_open_sqlite(const store_options_t *options, bool writer, db_t **out, nv_error_t *err)
{
    sqlite_t *db = NV_NEW(NULL, sqlite_t);
    db->base.ops = &ops;
    db->writer = writer && !options->read_only;
    db->base.engine = nv_printf(db, "sqlite %s", sqlite3_libversion());
    db->base.location = nv_strdup(db, options->url + strlen("sqlite:"));
    const char *path = db->base.location;
    if (db->writer && !create_file(path, err)) {
        nv_mem_free(db);
        return false;
    }
    int flags = (options->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) | SQLITE_OPEN_NOMUTEX;
    int rc = sqlite3_open_v2(path, &db->handle, flags, NULL);
    bool ok = rc == SQLITE_OK ? configure(db, options, err) : fail(db, rc, "opening", err);
    if (!ok) {
        sqlite_close_db(&db->base);
        return false;
    }
    db->base.has_vector = load_vector(db, options->vector_extension);
    if (db->base.has_vector)
        name_vector(db);
    *out = &db->base;
    return true;
}

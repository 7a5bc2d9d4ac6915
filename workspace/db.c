#include "workspace/db.h"

#include "workspace/migrations.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct ws_db {
    sqlite3 *handle;
    pthread_mutex_t lock;
    bool in_transaction;
};

static bool fail(ws_db_t *db, nv_error_t *err, const char *what)
{
    int code = sqlite3_errcode(db->handle);
    nv_code_t kind = code == SQLITE_FULL || code == SQLITE_IOERR ? NV_UNAVAILABLE : NV_INTERNAL;
    return nv_fail(err, kind, "workspace state: %s: %s", what, sqlite3_errmsg(db->handle));
}

static bool execute(ws_db_t *db, const char *sql, nv_error_t *err)
{
    if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK) {
        return fail(db, err, sql);
    }
    return true;
}

static bool schema_version(ws_db_t *db, int64_t *out, nv_error_t *err)
{
    WS_ROWS_SCOPE ws_rows_t rows = {0};
    bool more = false;
    if (!ws_db_query(db, &rows, err, "PRAGMA user_version", "") || !ws_rows_next(&rows, &more, err)) {
        return false;
    }
    *out = ws_rows_int64(&rows, 0);
    return true;
}

static bool migrate_one(ws_db_t *db, const ws_migration_t *migration, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("migration");
    const char *version = nv_printf(mem, "PRAGMA user_version = %d", migration->number);
    if (!execute(db, "BEGIN IMMEDIATE", err)) {
        return false;
    }
    if (!execute(db, migration->sql, err) || !execute(db, version, err) || !execute(db, "COMMIT", err)) {
        nv_error_t ignored = NV_ERROR_INIT;
        (void)!execute(db, "ROLLBACK", &ignored);
        return nv_wrap(err, "migration %s", migration->name);
    }
    return true;
}

static bool migrate(ws_db_t *db, nv_error_t *err)
{
    int64_t version = 0;
    if (!schema_version(db, &version, err)) {
        return false;
    }
    int newest = 0;
    for (const ws_migration_t *m = ws_migrations; m->sql; m++) {
        newest = m->number;
        if (m->number > version && !migrate_one(db, m, err)) {
            return false;
        }
    }
    if (version > newest) {
        return nv_fail(err, NV_FAILED_PRECONDITION,
                       "the state was written by a newer nuvyn-workspace (schema %" PRId64
                       ", this one knows %d)",
                       version, newest);
    }
    return true;
}

bool ws_db_open(const char *path, ws_db_t **out, nv_error_t *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return nv_fail_errno(err, errno, "%s", path);
    }
    close(fd);
    ws_db_t *db = nv_alloc(NULL, sizeof *db);
    pthread_mutex_init(&db->lock, NULL);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    bool ok = sqlite3_open_v2(path, &db->handle, flags, NULL) == SQLITE_OK || fail(db, err, path);
    if (ok) {
        sqlite3_busy_timeout(db->handle, 5000);
    }
    ok = ok &&
         execute(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON", err) &&
         migrate(db, err);
    if (!ok) {
        ws_db_close(db);
        return nv_wrap(err, "%s", path);
    }
    *out = db;
    return true;
}

void ws_db_close(ws_db_t *db)
{
    if (db) {
        sqlite3_close(db->handle);
        pthread_mutex_destroy(&db->lock);
        nv_mem_free(db);
    }
}

ws_db_t *ws_db_lock(ws_db_t *db)
{
    pthread_mutex_lock(&db->lock);
    return db;
}

void ws_db_unlock(ws_db_t **db)
{
    if ((*db)->in_transaction) {
        nv_error_t ignored = NV_ERROR_INIT;
        (void)!execute(*db, "ROLLBACK", &ignored);
        (*db)->in_transaction = false;
    }
    pthread_mutex_unlock(&(*db)->lock);
}

bool ws_db_begin(ws_db_t *db, nv_error_t *err)
{
    db->in_transaction = execute(db, "BEGIN IMMEDIATE", err);
    return db->in_transaction;
}

bool ws_db_commit(ws_db_t *db, nv_error_t *err)
{
    if (!execute(db, "COMMIT", err)) {
        return false; /* the unlock rolls back */
    }
    db->in_transaction = false;
    return true;
}

static int bind_one(sqlite3_stmt *statement, int index, char type, va_list *args)
{
    if (type == 't') {
        return sqlite3_bind_text(statement, index, va_arg(*args, const char *), -1, SQLITE_STATIC);
    }
    if (type == 'b') {
        const void *data = va_arg(*args, const void *);
        size_t length = va_arg(*args, size_t);
        return sqlite3_bind_blob64(statement, index, data ? data : "", length, SQLITE_STATIC);
    }
    int64_t value = va_arg(*args, int64_t);
    if (type == 'n' && value == 0) {
        return sqlite3_bind_null(statement, index);
    }
    return sqlite3_bind_int64(statement, index, value);
}

static bool prepare(ws_db_t *db, sqlite3_stmt **out, nv_error_t *err, const char *sql, const char *types,
                    va_list *args)
{
    if (sqlite3_prepare_v2(db->handle, sql, -1, out, NULL) != SQLITE_OK) {
        return fail(db, err, sql);
    }
    for (int i = 0; types[i]; i++) {
        if (bind_one(*out, i + 1, types[i], args) != SQLITE_OK) {
            fail(db, err, sql);
            sqlite3_finalize(*out);
            return false;
        }
    }
    return true;
}

bool ws_db_query(ws_db_t *db, ws_rows_t *rows, nv_error_t *err, const char *sql, const char *types, ...)
{
    va_list args;
    va_start(args, types);
    rows->db = db;
    bool ok = prepare(db, &rows->statement, err, sql, types, &args);
    va_end(args);
    if (!ok) {
        rows->statement = NULL;
    }
    return ok;
}

bool ws_db_run(ws_db_t *db, nv_error_t *err, const char *sql, const char *types, ...)
{
    va_list args;
    va_start(args, types);
    sqlite3_stmt *statement = NULL;
    bool ok = prepare(db, &statement, err, sql, types, &args);
    va_end(args);
    if (!ok) {
        return false;
    }
    int code = sqlite3_step(statement);
    if (code != SQLITE_DONE && code != SQLITE_ROW) {
        ok = fail(db, err, sql);
    }
    sqlite3_finalize(statement);
    return ok;
}

int ws_db_changes(ws_db_t *db)
{
    return sqlite3_changes(db->handle);
}

bool ws_rows_next(ws_rows_t *rows, bool *more, nv_error_t *err)
{
    int code = sqlite3_step(rows->statement);
    *more = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE || fail(rows->db, err, sqlite3_sql(rows->statement));
}

void ws_rows_close(ws_rows_t *rows)
{
    sqlite3_finalize(rows->statement);
    rows->statement = NULL;
}

int64_t ws_rows_int64(const ws_rows_t *rows, int column)
{
    return sqlite3_column_int64(rows->statement, column);
}

bool ws_rows_is_null(const ws_rows_t *rows, int column)
{
    return sqlite3_column_type(rows->statement, column) == SQLITE_NULL;
}

char *ws_rows_text(nv_mem_t *mem, const ws_rows_t *rows, int column)
{
    const char *text = (const char *)sqlite3_column_text(rows->statement, column);
    return text ? nv_strdup(mem, text) : NULL;
}

void *ws_rows_blob(nv_mem_t *mem, const ws_rows_t *rows, int column, size_t *length)
{
    const void *data = sqlite3_column_blob(rows->statement, column);
    *length = (size_t)sqlite3_column_bytes(rows->statement, column);
    char *copy = nv_alloc(mem, *length + 1); /* NUL-terminated for those who read text */
    if (*length) {
        memcpy(copy, data, *length);
    }
    return copy;
}

bool ws_db_next_id(ws_db_t *db, const char *kind, int64_t *out, nv_error_t *err)
{
    static const int64_t base = INT64_C(8800000000000000000);
    static const int64_t stride = INT64_C(10000019); /* a prime: neighbours differ in many digits */
    WS_ROWS_SCOPE ws_rows_t rows = {0};
    bool more = false;
    if (!ws_db_query(db, &rows, err,
                     "INSERT INTO sequences (name, value) VALUES (?, 1) "
                     "ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
                     "t", kind) ||
        !ws_rows_next(&rows, &more, err)) {
        return false;
    }
    *out = base + ws_rows_int64(&rows, 0) * stride;
    return ws_rows_next(&rows, &more, err);
}

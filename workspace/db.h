/* The workspace's state in SQLite: one connection, one lock. WAL with an fsync per commit, so that what was acknowledged
 * survives a kill; the schema is the numbered files in migrations/, applied in order at the start.
 *
 * Take the lock, work, let go: WS_DB_SCOPE ws_db_t *db = ws_db_lock(app->db); a scope is one transaction only with
 * ws_db_begin(). The lock is not recursive. Threads: any.
 */
#ifndef NV_WORKSPACE_DB_H
#define NV_WORKSPACE_DB_H

#include "common/core/error.h"
#include "common/core/mem.h"

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ws_db ws_db_t;

/* Opens or makes the database at path (mode 0600) and migrates it. */
bool ws_db_open(const char *path, ws_db_t **out, nv_error_t *err) NV_MUST_CHECK;
void ws_db_close(ws_db_t *db);

ws_db_t *ws_db_lock(ws_db_t *db);
void ws_db_unlock(ws_db_t **db);
#define WS_DB_SCOPE __attribute__((cleanup(ws_db_unlock)))

/* Everything until ws_db_commit is undone when the lock goes without it. */
bool ws_db_begin(ws_db_t *db, nv_error_t *err) NV_MUST_CHECK;
bool ws_db_commit(ws_db_t *db, nv_error_t *err) NV_MUST_CHECK;

/* Arguments follow `types`, a letter each: t const char * (NULL is null), i int64_t, n int64_t with 0 as null,
 * b const void * and size_t. Text and blobs are borrowed until the statement ends. */
bool ws_db_run(ws_db_t *db, nv_error_t *err, const char *sql, const char *types, ...) NV_MUST_CHECK;
/* How many rows the last ws_db_run changed. */
int ws_db_changes(ws_db_t *db);

typedef struct ws_rows {
    ws_db_t *db;
    sqlite3_stmt *statement;
} ws_rows_t;

/* Rows of a query: while (ws_rows_next(&rows, &more, err) && more) … The scope closes it. */
bool ws_db_query(ws_db_t *db, ws_rows_t *rows, nv_error_t *err, const char *sql, const char *types,
                 ...) NV_MUST_CHECK;
bool ws_rows_next(ws_rows_t *rows, bool *more, nv_error_t *err) NV_MUST_CHECK;
void ws_rows_close(ws_rows_t *rows);
#define WS_ROWS_SCOPE __attribute__((cleanup(ws_rows_close)))
int64_t ws_rows_int64(const ws_rows_t *rows, int column);
bool ws_rows_is_null(const ws_rows_t *rows, int column);
/* Copied below mem; NULL for null. */
char *ws_rows_text(nv_mem_t *mem, const ws_rows_t *rows, int column);
void *ws_rows_blob(nv_mem_t *mem, const ws_rows_t *rows, int column, size_t *length);

/* The next id of a kind: unique, and as large as those of Databricks (about 8.8e18), so that nobody gets away with a
 * double. */
bool ws_db_next_id(ws_db_t *db, const char *kind, int64_t *out, nv_error_t *err) NV_MUST_CHECK;

#endif

/* A client for the part of the Databricks REST API that a warehouse run needs. The local workspace answers the same calls.
 *
 * Source of the behaviour: the public REST reference and the official SDKs' retry and error rules.
 *
 * Ids are int64. Results are below the ctx of each call. One client belongs to one thread at a time. Calls retry 429 and
 * 503 (Retry-After honoured), 500, 502, 504 and lost connections where a repeat is harmless, for at most five minutes; a
 * 401 fetches a new token once. Errors carry "<error_code>: <message>" of the service and the class: NOT_FOUND,
 * ALREADY_EXISTS, PERMISSION_DENIED, UNAUTHENTICATED, RESOURCE_EXHAUSTED, INVALID_ARGUMENT, FAILED_PRECONDITION,
 * ABORTED, UNAVAILABLE, INTERNAL.
 */
#ifndef WORKER_DATABRICKS_H
#define WORKER_DATABRICKS_H

#include "common/core/error.h"
#include "common/core/log.h"
#include "common/core/mem.h"

#include <stddef.h>
#include <stdint.h>

typedef struct databricks databricks_t;

typedef struct databricks_options {
    const char *host;      /* as people type it; https unless loopback */
    const char *token;     /* an access token (personal, or from the control plane), or NULL */
    const char *client_id; /* or OAuth M2M: id and secret */
    const char *client_secret;
    /* Asked for a new access token after a 401, where there is no client_id. May be NULL. */
    bool (*refresh)(void *arg, nv_mem_t *ctx, char **token, nv_error_t *err);
    void *refresh_arg;
    const char *ca_pem;      /* extra trust anchors, or NULL */
    const char *traceparent; /* W3C trace context to send with every request, or NULL */
    bool (*cancelled)(void *arg);
    void *cancelled_arg;
    int64_t retry_budget_ms; /* 0: 300,000 */
    nv_log_t *log;           /* may be NULL */
} databricks_options_t;

/* Options are copied. Free with databricks_free or by freeing ctx. No request is made yet. */
bool databricks_new(nv_mem_t *ctx, const databricks_options_t *options, databricks_t **out,
                    nv_error_t *err) NV_MUST_CHECK;
void databricks_free(databricks_t *db);
/* "https://host[:port]"; borrowed. */
const char *databricks_host(const databricks_t *db);
/* While shielded, cancellation is not heard: for cleaning up after one. */
void databricks_shield(databricks_t *db, bool shielded);

/* ---- identity ---- */

typedef struct databricks_user {
    const char *id;
    const char *user_name; /* of a service principal: its application id */
    const char *display_name;
} databricks_user_t;

bool databricks_me(databricks_t *db, nv_mem_t *ctx, databricks_user_t *out, nv_error_t *err) NV_MUST_CHECK;

/* ---- workspace: folders and notebooks ---- */

enum { DATABRICKS_IMPORT_MAX = 10 * 1024 * 1024 };

typedef struct databricks_object {
    const char *path;
    const char *type;     /* "NOTEBOOK", "FILE", "DIRECTORY" … */
    const char *language; /* "PYTHON" …, "" */
    int64_t id;
    int64_t modified_ms;
} databricks_object_t;

/* With parents; fine when it is there. */
bool databricks_mkdirs(databricks_t *db, const char *path, nv_error_t *err) NV_MUST_CHECK;
/* A notebook in source format, overwriting; path without extension. language "PYTHON", "SQL" … */
bool databricks_import_notebook(databricks_t *db, const char *path, const char *language, const char *source,
                                nv_error_t *err) NV_MUST_CHECK;
/* A file as it is (format AUTO), overwriting. Text that opens with the notebook header becomes a notebook. */
bool databricks_import_file(databricks_t *db, const char *path, const void *data, size_t length,
                            nv_error_t *err) NV_MUST_CHECK;
/* format "SOURCE", "AUTO", … */
bool databricks_export(databricks_t *db, nv_mem_t *ctx, const char *path, const char *format, uint8_t **out,
                       size_t *out_length, nv_error_t *err) NV_MUST_CHECK;
bool databricks_get_status(databricks_t *db, nv_mem_t *ctx, const char *path, databricks_object_t *out,
                           nv_error_t *err) NV_MUST_CHECK;
bool databricks_list_workspace(databricks_t *db, nv_mem_t *ctx, const char *path, databricks_object_t **out,
                               size_t *n, nv_error_t *err) NV_MUST_CHECK;
bool databricks_delete_workspace(databricks_t *db, const char *path, bool recursive,
                                 nv_error_t *err) NV_MUST_CHECK;

/* ---- files in volumes: paths "/Volumes/catalog/schema/volume/…" ---- */

typedef struct databricks_entry {
    const char *name;
    const char *path;
    bool is_directory;
    int64_t bytes;
    int64_t modified_ms;
} databricks_entry_t;

/* Streams a local file; at most 5 GiB. */
bool databricks_upload(databricks_t *db, const char *path, const char *local_path, bool overwrite,
                       nv_error_t *err) NV_MUST_CHECK;
bool databricks_upload_bytes(databricks_t *db, const char *path, const void *data, size_t length,
                             bool overwrite, nv_error_t *err) NV_MUST_CHECK;
/* Into memory; more than limit bytes is RESOURCE_EXHAUSTED. */
bool databricks_download(databricks_t *db, nv_mem_t *ctx, const char *path, size_t limit, char **out,
                         size_t *out_length, nv_error_t *err) NV_MUST_CHECK;
/* The first bytes of a file, at most capacity, by a range request; *whole: that is all of it. */
bool databricks_read_head(databricks_t *db, const char *path, void *out, size_t capacity, size_t *length,
                          bool *whole, nv_error_t *err) NV_MUST_CHECK;
/* Size from HEAD; NOT_FOUND when it is not there. */
bool databricks_file_size(databricks_t *db, const char *path, int64_t *out, nv_error_t *err) NV_MUST_CHECK;
bool databricks_delete_file(databricks_t *db, const char *path, nv_error_t *err) NV_MUST_CHECK;
bool databricks_make_directory(databricks_t *db, const char *path, nv_error_t *err) NV_MUST_CHECK;
bool databricks_list_directory(databricks_t *db, nv_mem_t *ctx, const char *path, databricks_entry_t **out,
                               size_t *n, nv_error_t *err) NV_MUST_CHECK;

/* ---- jobs ---- */

typedef struct databricks_parameter {
    const char *name;
    const char *value; /* NULL: SQL NULL (statements only) */
} databricks_parameter_t;

enum { DATABRICKS_TOKEN_MAX = 64 };

/* Jobs with exactly this name, oldest id first. */
bool databricks_find_jobs(databricks_t *db, nv_mem_t *ctx, const char *name, int64_t **ids, size_t *n,
                          nv_error_t *err) NV_MUST_CHECK;
/* The job with the settings' name: created when there is none, else reset to the settings (JSON of JobSettings). Safe to
 * call again after a lost answer: a create whose outcome is unknown is looked up by name before anything else. */
bool databricks_put_job(databricks_t *db, const char *settings, int64_t *job_id, bool *created,
                        nv_error_t *err) NV_MUST_CHECK;
bool databricks_delete_job(databricks_t *db, int64_t job_id, nv_error_t *err) NV_MUST_CHECK;
/* idempotency_token: 1 … 64 characters; the same token always gives the same run. */
bool databricks_run_now(databricks_t *db, int64_t job_id, const databricks_parameter_t *parameters, size_t n,
                        const char *idempotency_token, int64_t *run_id, nv_error_t *err) NV_MUST_CHECK;

typedef struct databricks_task_run {
    const char *key;
    int64_t run_id;
    const char *life_cycle; /* PENDING, RUNNING, TERMINATED … */
    const char *result;     /* SUCCESS, FAILED …; "" while it runs */
    const char *message;
    int64_t start_ms, end_ms; /* Unix time; 0: not yet */
} databricks_task_run_t;

typedef struct databricks_run {
    int64_t run_id;
    int64_t job_id;
    const char *life_cycle;
    const char *result;
    const char *message;
    const char *page_url;
    databricks_task_run_t *tasks;
    size_t n_tasks;
    int64_t start_ms, end_ms;
    bool ended; /* TERMINATED, SKIPPED or INTERNAL_ERROR */
} databricks_run_t;

typedef struct databricks_output {
    const char *result; /* what the notebook returned, "" */
    bool truncated;
    const char *error;
    const char *error_trace;
    const char *logs;
} databricks_output_t;

bool databricks_get_run(databricks_t *db, nv_mem_t *ctx, int64_t run_id, databricks_run_t *out,
                        nv_error_t *err) NV_MUST_CHECK;
/* run_id of a task's run. */
bool databricks_get_output(databricks_t *db, nv_mem_t *ctx, int64_t task_run_id, databricks_output_t *out,
                           nv_error_t *err) NV_MUST_CHECK;
bool databricks_cancel_run(databricks_t *db, int64_t run_id, nv_error_t *err) NV_MUST_CHECK;
/* Polls (100 ms growing to 2 s) until the run has ended, calling progress (may be NULL) on every answer. When cancelled,
 * cancels the run as well. timeout_ms 0: none; on timeout the run goes on. */
bool databricks_wait_run(databricks_t *db, nv_mem_t *ctx, int64_t run_id, int64_t timeout_ms,
                         void (*progress)(void *arg, const databricks_run_t *run), void *arg,
                         databricks_run_t *out, nv_error_t *err) NV_MUST_CHECK;

/* ---- SQL ---- */

typedef struct databricks_statement {
    const char *warehouse_id;
    const char *catalog; /* may be NULL */
    const char *schema;  /* may be NULL */
    const char *sql;
    const databricks_parameter_t *parameters; /* named, ":name" */
    size_t n_parameters;
    int64_t row_limit;  /* 0: none */
    int64_t timeout_ms; /* 0: none; afterwards the statement is cancelled and DEADLINE_EXCEEDED */
    size_t max_bytes;   /* of result in memory; 0: 64 MiB */
    bool repeatable;    /* a query, or otherwise harmless to send twice when an answer was lost */
} databricks_statement_t;

typedef struct databricks_column {
    const char *name;
    const char *type_text; /* "DECIMAL(12,2)" */
    const char *type_name; /* "DECIMAL" */
} databricks_column_t;

typedef struct databricks_result {
    databricks_column_t *columns;
    size_t n_columns;
    const char **cells; /* row-major; NULL is SQL NULL */
    size_t n_rows;
    bool truncated;
    int64_t milliseconds;
} databricks_result_t;

/* Runs one statement to its end and fetches every chunk. A statement that fails is FAILED_PRECONDITION with the service's
 * message. Results beyond the inline limit come through external links where repeatable is set. When cancelled, cancels
 * the statement as well. */
bool databricks_execute(databricks_t *db, nv_mem_t *ctx, const databricks_statement_t *statement,
                        databricks_result_t *out, nv_error_t *err) NV_MUST_CHECK;
/* What came of a statement: its result, or why it failed. False with *err ends the whole. */
typedef bool (*databricks_told_fn)(void *arg, size_t index, const databricks_result_t *result,
                                   const nv_error_t *failure, nv_error_t *err);
/* Runs statements that do not depend on each other, at most `at_once` (0: 1) at a time, and tells what came of each in their order.
 * The statements outlive the call. When cancelled, or ended by `tell`, cancels those that run. */
bool databricks_execute_all(databricks_t *db, nv_mem_t *ctx, const databricks_statement_t *statements,
                            size_t n, size_t at_once, databricks_told_fn tell, void *arg,
                            nv_error_t *err) NV_MUST_CHECK;
/* The cell, or NULL for SQL NULL. */
const char *databricks_cell(const databricks_result_t *result, size_t row, size_t column);

typedef struct databricks_warehouse {
    const char *id;
    const char *name;
    const char *state; /* RUNNING, STARTING, STOPPED … */
    bool serverless;
} databricks_warehouse_t;

bool databricks_list_warehouses(databricks_t *db, nv_mem_t *ctx, databricks_warehouse_t **out, size_t *n,
                                nv_error_t *err) NV_MUST_CHECK;
/* A running warehouse: the preferred one (id, may be NULL or ""), else a running one, else a serverless one, else the
 * first. Started where needed; waits for it up to timeout_ms. */
bool databricks_use_warehouse(databricks_t *db, nv_mem_t *ctx, const char *preferred, int64_t timeout_ms,
                              databricks_warehouse_t *out, nv_error_t *err) NV_MUST_CHECK;

/* ---- Unity Catalog ---- */

typedef struct databricks_table {
    const char *full_name;
    const char *type;   /* MANAGED, EXTERNAL, VIEW */
    const char *format; /* DELTA … */
    const char *comment;
    databricks_column_t *columns;
    size_t n_columns;
} databricks_table_t;

/* Get or create; fine when somebody else creates it at the same moment. */
bool databricks_ensure_catalog(databricks_t *db, const char *catalog, nv_error_t *err) NV_MUST_CHECK;
bool databricks_ensure_schema(databricks_t *db, const char *catalog, const char *schema,
                              nv_error_t *err) NV_MUST_CHECK;
/* A managed volume. */
bool databricks_ensure_volume(databricks_t *db, const char *catalog, const char *schema, const char *volume,
                              nv_error_t *err) NV_MUST_CHECK;
/* "catalog.schema.table". */
bool databricks_get_table(databricks_t *db, nv_mem_t *ctx, const char *full_name, databricks_table_t *out,
                          nv_error_t *err) NV_MUST_CHECK;
bool databricks_list_tables(databricks_t *db, nv_mem_t *ctx, const char *catalog, const char *schema,
                            databricks_table_t **out, size_t *n, nv_error_t *err) NV_MUST_CHECK;

#endif

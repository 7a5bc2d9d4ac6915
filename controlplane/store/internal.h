/* Shared by the files of this folder only. */
#ifndef CONTROLPLANE_STORE_INTERNAL_H
#define CONTROLPLANE_STORE_INTERNAL_H

#include <openssl/evp.h>
#include <pthread.h>

#include "controlplane/store/db.h"

/* One piece of work for the writer: applied within a transaction that may hold others. */
typedef struct job job_t;
struct job {
    job_t *next;
    size_t weight; /* bytes, to bound a group */
    /* May be NULL. Sends its first statements, those on whose answers apply() depends: neighbours' go together. They may
     * neither depend on what a neighbour with a claim does in its apply(), nor change what a neighbour's claim reads,
     * other than as one after the other would. */
    bool (*claim)(db_t *db, job_t *job, nv_error_t *err);
    /* Runs or sends statements. On failure it must not have changed anything, or the group is done again one by one. May
     * be called more than once (each time in a new transaction). */
    bool (*apply)(db_t *db, job_t *job, nv_error_t *err);
    /* On the writer's thread, once; error.code NV_OK: committed. The job may be freed in here. */
    void (*done)(job_t *job);
    nv_error_t error;
    uint64_t changed; /* statements that changed something in this transaction */
};

/* Opened once, by one thread; another waits for it. */
typedef struct latch {
    pthread_mutex_t lock;
    pthread_cond_t opened;
    bool open;
} latch_t;
void latch_init(latch_t *latch);
void latch_open(latch_t *latch);
void latch_wait(latch_t *latch);
void latch_destroy(latch_t *latch);

typedef struct writer writer_t;
/* Takes the connection over; NULL (with *err) when no thread can be had. */
writer_t *writer_start(db_t *db, const store_options_t *options, nv_error_t *err);
/* Completes what is queued, then closes the connection. */
void writer_stop(writer_t *writer);
bool writer_submit(writer_t *writer, job_t *job, nv_error_t *err) NV_MUST_CHECK;
/* fn(db, arg) in a transaction, waiting for its outcome. */
typedef bool write_fn(db_t *db, void *arg, nv_error_t *err);
bool writer_run(writer_t *writer, write_fn *fn, void *arg, size_t weight, nv_error_t *err) NV_MUST_CHECK;
void writer_get_status(writer_t *writer, store_status_t *out);
/* From now on a transaction is made only while the lead is at this epoch; else its jobs fail as ABORTED. */
void writer_fence(writer_t *writer, int64_t epoch);
int64_t writer_fenced_at(writer_t *writer); /* 0: it is not */
/* Asks, and keeps the answer true until the transaction ends; *held is set by the next settle. */
bool leader_hold(db_t *db, int64_t epoch, bool *held, nv_error_t *err) NV_MUST_CHECK;

struct store {
    const db_ops_t *ops;
    store_options_t options;
    writer_t *writer; /* NULL: read-only */
    char *engine;
    char *location;
    char *vector;
    pthread_mutex_t lock; /* guards the reading connections */
    pthread_cond_t returned;
    db_t **idle;
    size_t n_idle;
    size_t n_readers;
};

/* A reading connection; waits for a free one. fn runs in a transaction, so that it sees one state; it is run once more where
 * the connection was lost. Because of that fn must start from scratch each time. */
typedef bool read_fn(db_t *db, void *arg, nv_error_t *err);
bool store_read(store_t *store, read_fn *fn, void *arg, nv_error_t *err) NV_MUST_CHECK;
/* A write through the writer; FAILED_PRECONDITION when read-only. */
bool store_write(store_t *store, write_fn *fn, void *arg, size_t weight, nv_error_t *err) NV_MUST_CHECK;

/* Limits. `what` names the value in errors. */
bool check_name(const char *what, const char *value, nv_error_t *err) NV_MUST_CHECK; /* 1 … STORE_NAME_MAX */
bool check_optional(const char *what, const char *value,
                    nv_error_t *err) NV_MUST_CHECK; /* 0 … STORE_NAME_MAX */
bool check_text(const char *what, const char *value, size_t max, nv_error_t *err) NV_MUST_CHECK;
bool check_blob(const char *what, nv_bytes_t value, nv_error_t *err) NV_MUST_CHECK;
bool check_sha256(const char *what, const char *value, nv_error_t *err) NV_MUST_CHECK;

/* A batch, checked and applied. */
bool batch_check(const store_batch_t *batch, size_t *weight, nv_error_t *err) NV_MUST_CHECK;
/* The compare-and-set on the run's row, apart from the rest: the rest follows once its answer is there. */
typedef struct batch_claim {
    bool found;
    store_result_t result;
} batch_claim_t;
bool batch_can_claim(const store_batch_t *batch);
bool batch_claim(db_t *db, const store_batch_t *batch, batch_claim_t *claim, nv_error_t *err) NV_MUST_CHECK;
bool batch_apply_claimed(db_t *db, const store_batch_t *batch, const batch_claim_t *claim,
                         store_result_t *result, nv_error_t *err) NV_MUST_CHECK;
bool batch_apply(db_t *db, const store_batch_t *batch, store_result_t *result, nv_error_t *err) NV_MUST_CHECK;

/* A growing list of rows of one type, for the reading functions. */
typedef struct rows {
    nv_mem_t *ctx;
    void *list;
    size_t count;
    size_t capacity;
} rows_t;
void *rows_push(rows_t *rows, size_t size);
/* All rows of one statement, each pushed by `row`. */
bool rows_list(store_t *store, nv_mem_t *ctx, db_statement_t statement, const db_param_t *params,
               size_t n_params, db_row_fn *row, rows_t *out, nv_error_t *err) NV_MUST_CHECK;

/* The one row of a statement, below ctx; NOT_FOUND names `what` and `name`. size: of *out, which `row` pushes. */
bool row_get(store_t *store, nv_mem_t *ctx, db_statement_t statement, const db_param_t *params,
             size_t n_params, db_row_fn *row, const char *what, const char *name, void *out, size_t size,
             nv_error_t *err) NV_MUST_CHECK;
bool check_run_key(const char *tenant, const char *run_id, nv_error_t *err) NV_MUST_CHECK;
int list_limit(int limit); /* 1 … STORE_PAGE_MAX */

/* ---- documents ---- */

typedef struct found_document {
    bool found;
    int64_t bytes;
    char content_id[40];
} found_document_t;
bool document_find(db_t *db, const char *tenant, const char *sha256, found_document_t *out,
                   nv_error_t *err) NV_MUST_CHECK;
bool document_drop_content(db_t *db, const char *tenant, const char *content_id,
                           nv_error_t *err) NV_MUST_CHECK;
/* SHA-256 in parts; hash_end() writes it in lower-case hex, and leaves the context to be freed. */
EVP_MD_CTX *hash_new(void);
void hash_add(EVP_MD_CTX *hash, const void *data, size_t length);
void hash_end(EVP_MD_CTX *hash, char out[65]);
void to_hex(const uint8_t *bytes, size_t n, char *out);

int64_t store_now_ms(void);

#endif

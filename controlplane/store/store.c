/* Opening, closing, the pool of reading connections, and commits. */
#include "controlplane/store/store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controlplane/store/internal.h"
#include "controlplane/store/vectors.h"

enum {
    READERS_DEFAULT = 4,
    READERS_MAX = 64,
    QUEUE_DEFAULT = 4096,
    GROUP_DEFAULT = 256,
    BUSY_DEFAULT_MS = 5000
};

int64_t store_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

char *db_row_text(const db_row_t *row, int column, nv_mem_t *ctx)
{
    nv_bytes_t bytes = db_row_bytes(row, column);
    return nv_strndup(ctx, bytes.data, bytes.length);
}

nv_bytes_t db_row_copy(const db_row_t *row, int column, nv_mem_t *ctx)
{
    nv_bytes_t bytes = db_row_bytes(row, column);
    return nv_bytes(nv_memdup(ctx, bytes.data, bytes.length), bytes.length);
}

void *rows_push(rows_t *rows, size_t size)
{
    rows->list = nv_grow(rows->ctx, rows->list, size, rows->count, &rows->capacity);
    return (char *)rows->list + size * rows->count++;
}

/* ---- opening ---- */

static int clamp(int value, int fallback, int max)
{
    return value <= 0 ? fallback : value > max ? max : value;
}

static bool is_postgres(const char *url)
{
    return strncmp(url, "postgres://", 11) == 0 || strncmp(url, "postgresql:", 11) == 0;
}

static bool open_db(const store_options_t *options, bool writer, db_t **out, nv_error_t *err)
{
    if (is_postgres(options->url))
        return db_open_postgres(options, writer, out, err);
    if (strncmp(options->url, "sqlite:", 7) == 0 && options->url[7])
        return db_open_sqlite(options, writer, out, err);
    return nv_fail(err, NV_INVALID_ARGUMENT, "store: expected \"sqlite:PATH\" or \"postgresql://…\"");
}

/* The first connection: brings schema and index up, and becomes the writer's. */
static bool open_first(store_t *store, db_t **out, nv_error_t *err)
{
    const store_options_t *options = &store->options;
    db_t *db;
    if (!open_db(options, true, &db, err))
        return false;
    bool ok = db_migrate(db, options->read_only, err) && vectors_open(db, options->read_only, err);
    if (ok && options->require_vector && !db->has_vector)
        ok = nv_fail(err, NV_FAILED_PRECONDITION, "%s: expected a vector index, have %s", db->location,
                     db->vector);
    if (!ok) {
        db->ops->close(db);
        return false;
    }
    store->ops = db->ops;
    store->engine = nv_strdup(store, db->engine);
    store->location = nv_strdup(store, db->location);
    store->vector = nv_strdup(store, db->vector);
    *out = db;
    return true;
}

static bool open_readers(store_t *store, bool has_vector, nv_error_t *err)
{
    store->idle = NV_NEW_ARRAY(store, db_t *, (size_t)store->options.readers);
    for (int i = 0; i < store->options.readers; i++) {
        db_t *db;
        if (!open_db(&store->options, false, &db, err))
            return false;
        db->has_vector = has_vector && (db->has_vector || db->postgres);
        store->idle[store->n_idle++] = db;
        store->n_readers++;
    }
    return true;
}

static bool open_all(store_t *store, nv_error_t *err)
{
    db_t *first;
    if (!open_first(store, &first, err))
        return false;
    bool has_vector = first->has_vector;
    if (store->options.read_only)
        first->ops->close(first);
    else if (!(store->writer = writer_start(first, &store->options, err))) {
        first->ops->close(first);
        return false;
    }
    return open_readers(store, has_vector, err);
}

bool store_open(const store_options_t *options, store_t **out, nv_error_t *err)
{
    store_t *store = NV_NEW(NULL, store_t);
    pthread_mutex_init(&store->lock, NULL);
    pthread_cond_init(&store->returned, NULL);
    store->options = *options;
    store->options.url = nv_strdup(store, options->url ? options->url : "");
    if (options->vector_extension)
        store->options.vector_extension = nv_strdup(store, options->vector_extension);
    store->options.readers = clamp(options->readers, READERS_DEFAULT, READERS_MAX);
    store->options.queue_max = clamp(options->queue_max, QUEUE_DEFAULT, 1 << 20);
    store->options.group_max = clamp(options->group_max, GROUP_DEFAULT, 4096);
    store->options.busy_ms = clamp(options->busy_ms, BUSY_DEFAULT_MS, 600000);
    if (!open_all(store, err)) {
        store_close(store);
        return nv_wrap(err, "store");
    }
    nv_log(options->log, NV_INFO, "store", "opened", "engine", store->engine, "location", store->location,
           "vector", store->vector, NULL);
    *out = store;
    return true;
}

void store_close(store_t *store)
{
    if (!store)
        return;
    if (store->writer)
        writer_stop(store->writer);
    assert(store->n_idle == store->n_readers); /* nobody reads any more */
    for (size_t i = 0; i < store->n_idle; i++)
        store->idle[i]->ops->close(store->idle[i]);
    pthread_cond_destroy(&store->returned);
    pthread_mutex_destroy(&store->lock);
    nv_mem_free(store);
}

void store_cleanup(store_t **store)
{
    store_close(*store);
}

void store_get_status(store_t *store, store_status_t *out)
{
    *out = (store_status_t){.engine = store->engine,
                            .location = store->location,
                            .vector = store->vector,
                            .schema_version = db_schema_version(),
                            .shared = strncmp(store->engine, "postgresql", 10) == 0};
    if (store->writer)
        writer_get_status(store->writer, out);
}

/* ---- reading ---- */

static db_t *borrow(store_t *store)
{
    pthread_mutex_lock(&store->lock);
    while (store->n_idle == 0)
        pthread_cond_wait(&store->returned, &store->lock);
    db_t *db = store->idle[--store->n_idle];
    pthread_mutex_unlock(&store->lock);
    return db;
}

static void give_back(store_t *store, db_t *db)
{
    pthread_mutex_lock(&store->lock);
    store->idle[store->n_idle++] = db;
    pthread_cond_signal(&store->returned);
    pthread_mutex_unlock(&store->lock);
}

static bool read_once(db_t *db, read_fn *fn, void *arg, nv_error_t *err)
{
    if (!db->ops->prepare(db, err) || !db->ops->begin(db, err))
        return false;
    bool ok = fn(db, arg, err);
    db->ops->rollback(db);
    return ok;
}

bool store_read(store_t *store, read_fn *fn, void *arg, nv_error_t *err)
{
    db_t *db = borrow(store);
    bool ok = read_once(db, fn, arg, err);
    if (!ok && db->lost) {
        nv_error_clear(err);
        ok = read_once(db, fn, arg, err);
    }
    give_back(store, db);
    return ok;
}

typedef struct query {
    db_statement_t statement;
    const db_param_t *params;
    size_t n_params;
    db_row_fn *row;
    rows_t rows;
} query_t;

static bool run_query(db_t *db, void *arg, nv_error_t *err)
{
    query_t *q = arg;
    q->rows.count = 0;
    return db_run(db, q->statement, q->params, q->n_params, q->row, &q->rows, err);
}

bool rows_list(store_t *store, nv_mem_t *ctx, db_statement_t statement, const db_param_t *params,
               size_t n_params, db_row_fn *row, rows_t *out, nv_error_t *err)
{
    query_t q = {
        .statement = statement, .params = params, .n_params = n_params, .row = row, .rows = {.ctx = ctx}};
    bool ok = store_read(store, run_query, &q, err);
    *out = q.rows;
    return ok;
}

bool store_write(store_t *store, write_fn *fn, void *arg, size_t weight, nv_error_t *err)
{
    if (!store->writer)
        return nv_fail(err, NV_FAILED_PRECONDITION, "%s is open read-only", store->location);
    return writer_run(store->writer, fn, arg, weight, err);
}

/* ---- commits ---- */

typedef struct batch_job {
    job_t job;
    const store_batch_t *batch;
    store_done_fn *done;
    void *arg;
    batch_claim_t claim;
    store_result_t result;
} batch_job_t;

static bool claim_batch_job(db_t *db, job_t *job, nv_error_t *err)
{
    batch_job_t *b = (batch_job_t *)job;
    return batch_claim(db, b->batch, &b->claim, err);
}

static bool apply_batch_job(db_t *db, job_t *job, nv_error_t *err)
{
    batch_job_t *b = (batch_job_t *)job;
    return job->claim ? batch_apply_claimed(db, b->batch, &b->claim, &b->result, err)
                      : batch_apply(db, b->batch, &b->result, err);
}

static void end_batch_job(job_t *job)
{
    batch_job_t *b = (batch_job_t *)job;
    b->result.error = job->error;
    b->done(&b->result, b->arg);
    free(b);
}

bool store_submit(store_t *store, const store_batch_t *batch, store_done_fn *done, void *arg, nv_error_t *err)
{
    size_t weight;
    if (!batch_check(batch, &weight, err))
        return false;
    if (!store->writer)
        return nv_fail(err, NV_FAILED_PRECONDITION, "%s is open read-only", store->location);
    batch_job_t *job = calloc(1, sizeof *job); /* freed on another thread: not from a talloc context */
    if (!job)
        abort();
    *job = (batch_job_t){.job = {.weight = weight, .apply = apply_batch_job, .done = end_batch_job},
                         .batch = batch,
                         .done = done,
                         .arg = arg};
    if (batch_can_claim(batch))
        job->job.claim = claim_batch_job;
    if (writer_submit(store->writer, &job->job, err))
        return true;
    free(job);
    return false;
}

typedef struct commit {
    store_result_t result;
    latch_t over;
} commit_t;

static void end_commit(const store_result_t *result, void *arg)
{
    commit_t *commit = arg;
    commit->result = *result;
    latch_open(&commit->over);
}

bool store_commit(store_t *store, const store_batch_t *batch, store_result_t *result, nv_error_t *err)
{
    commit_t commit;
    latch_init(&commit.over);
    bool ok = store_submit(store, batch, end_commit, &commit, err);
    if (ok) {
        latch_wait(&commit.over);
        ok = commit.result.error.code == NV_OK;
        if (!ok)
            *err = commit.result.error;
    }
    latch_destroy(&commit.over);
    if (result)
        *result = ok ? commit.result : (store_result_t){.error = *err};
    return ok;
}

/* ---- health ---- */

static bool ping_read(db_t *db, void *arg, nv_error_t *err)
{
    return db_run(db, DB_META_GET, DB_PARAMS(db_s("schema_version")), NULL, arg, err);
}

static bool ping_write(db_t *db, void *arg, nv_error_t *err)
{
    (void)arg;
    return db_write(db, DB_META_PUT, DB_PARAMS(db_s("ping_ms"), db_i(store_now_ms())), NULL, err);
}

bool store_ping(store_t *store, nv_error_t *err)
{
    return store_read(store, ping_read, NULL, err) && store_write(store, ping_write, NULL, 0, err);
}

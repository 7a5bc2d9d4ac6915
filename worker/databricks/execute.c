/* Running statements, several at a time on one thread: the service runs them, and is asked in turn how far they are. */
#include "worker/databricks/statement.h"

typedef struct batch {
    databricks_t *db;
    execution_t *all;
    size_t n;
    size_t at_once;
    size_t submitted;
    size_t told; /* in order: those before it are with the caller */
    databricks_told_fn tell;
    void *arg;
} batch_t;

/* The service holds back an answer only where nothing else waits for this thread. */
static const char *wait_of(const batch_t *b)
{
    return b->at_once == 1 || b->n == 1 ? "5s" : "0s";
}

/* The running statement that is to be asked next, or NULL; *running: how many there are. */
static execution_t *next_due(batch_t *b, size_t *running)
{
    execution_t *next = NULL;
    *running = 0;
    for (size_t i = b->told; i < b->submitted; i++) {
        execution_t *e = &b->all[i];
        while (e->state == STATEMENT_NEW)
            statement_submit(e, wait_of(b));
        if (e->state == STATEMENT_ENDED)
            continue;
        ++*running;
        if (!next || e->poll_at_ms < next->poll_at_ms)
            next = e;
    }
    return next;
}

/* Tells what has ended, in order. */
static bool tell_ended(batch_t *b, nv_error_t *err)
{
    for (; b->told < b->submitted && b->all[b->told].state == STATEMENT_ENDED; b->told++) {
        execution_t *e = &b->all[b->told];
        if (!b->tell(b->arg, b->told, e->ok ? &e->result : NULL, e->ok ? NULL : &e->failure, err))
            return false;
    }
    return true;
}

static bool run(batch_t *b, nv_error_t *err)
{
    while (b->told < b->n) {
        size_t running;
        execution_t *next = next_due(b, &running);
        if (running < b->at_once && b->submitted < b->n) {
            b->submitted++; /* the next round sends it */
        } else if (next) {
            int64_t wait = next->poll_at_ms - db_now_ms();
            if (wait > 0 && !nv_http_sleep(db_http(b->db), wait, err))
                return false;
            statement_poll(next);
        }
        if (db_is_cancelled(b->db))
            return nv_fail(err, NV_CANCELLED, "cancelled");
        if (!tell_ended(b, err))
            return false;
    }
    return true;
}

bool databricks_execute_all(databricks_t *db, nv_mem_t *ctx, const databricks_statement_t *statements,
                            size_t n, size_t at_once, databricks_told_fn tell, void *arg, nv_error_t *err)
{
    batch_t b = {.db = db,
                 .all = NV_NEW_ARRAY(ctx, execution_t, n + 1),
                 .n = n,
                 .at_once = at_once ? at_once : 1,
                 .tell = tell,
                 .arg = arg};
    for (size_t i = 0; i < n; i++)
        b.all[i] = (execution_t){.db = db, .ctx = ctx, .statement = &statements[i], .failure = NV_ERROR_INIT};
    bool ok = run(&b, err);
    for (size_t i = 0; !ok && i < b.submitted; i++)
        statement_give_up(&b.all[i], err);
    return ok;
}

static bool keep_result(void *arg, size_t index, const databricks_result_t *result, const nv_error_t *failure,
                        nv_error_t *err)
{
    (void)index;
    if (failure)
        *err = *failure;
    else
        *(databricks_result_t *)arg = *result;
    return !failure;
}

bool databricks_execute(databricks_t *db, nv_mem_t *ctx, const databricks_statement_t *statement,
                        databricks_result_t *out, nv_error_t *err)
{
    *out = (databricks_result_t){0};
    return databricks_execute_all(db, ctx, statement, 1, 1, keep_result, out, err);
}

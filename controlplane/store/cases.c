/* Knowledge cases: the rows; the index is in vectors.c. */
#include <math.h>
#include <string.h>

#include "controlplane/store/cases.h"
#include "controlplane/store/internal.h"
#include "controlplane/store/vectors.h"

enum { LIMIT_MAX = 100 };

static nv_bytes_t embedding_bytes(const float *embedding)
{
    return nv_bytes(embedding, STORE_EMBEDDING_DIMENSIONS * sizeof *embedding);
}

/* Finite, and not all zero: a vector without a direction is similar to nothing. */
static bool check_embedding(const float *embedding, nv_error_t *err)
{
    double sum = 0;
    for (size_t i = 0; i < STORE_EMBEDDING_DIMENSIONS; i++)
        sum += fabs((double)embedding[i]);
    return (isfinite(sum) && sum > 0) ||
           nv_fail(err, NV_INVALID_ARGUMENT, "embedding: expected %d finite numbers, not all zero",
                   STORE_EMBEDDING_DIMENSIONS);
}

typedef struct put {
    const char *tenant;
    const store_case_t *item;
} put_t;

static bool apply_put(db_t *db, void *arg, nv_error_t *err)
{
    const put_t *put = arg;
    const store_case_t *c = put->item;
    return db_write(db, DB_CASE_PUT,
                    DB_PARAMS(db_s(put->tenant), db_s(c->case_id), db_i(c->kind), db_s(c->stage),
                              db_s(c->symptom), db_s(c->run_id), db_i(c->created_unix_ms), db_b(c->data),
                              db_b(embedding_bytes(c->embedding))),
                    NULL, err) &&
           vectors_put(db, put->tenant, c, err);
}

bool store_case_put(store_t *store, const char *tenant, const store_case_t *item, nv_error_t *err)
{
    put_t put = {tenant, item};
    return check_name("tenant", tenant, err) && check_name("case id", item->case_id, err) &&
           check_optional("stage", item->stage, err) &&
           check_text("symptom", item->symptom, STORE_PATH_MAX, err) &&
           check_optional("run id", item->run_id, err) && check_blob("case", item->data, err) &&
           check_embedding(item->embedding, err) &&
           store_write(store, apply_put, &put, item->data.length, err);
}

typedef struct deletion {
    const char *tenant;
    const char *case_id;
} deletion_t;

static bool apply_delete(db_t *db, void *arg, nv_error_t *err)
{
    const deletion_t *d = arg;
    int64_t changes;
    if (!db_write(db, DB_CASE_DELETE, DB_PARAMS(db_s(d->tenant), db_s(d->case_id)), &changes, err))
        return false;
    if (changes == 0)
        return nv_fail(err, NV_NOT_FOUND, "case %s: there is none in this tenant", d->case_id);
    return vectors_delete(db, d->tenant, d->case_id, err);
}

bool store_case_delete(store_t *store, const char *tenant, const char *case_id, nv_error_t *err)
{
    deletion_t d = {tenant, case_id};
    return check_name("tenant", tenant, err) && check_name("case id", case_id, err) &&
           store_write(store, apply_delete, &d, 0, err);
}

typedef struct one_case {
    nv_mem_t *ctx;
    store_case_t *out;
    bool found;
} one_case_t;

static bool take_case(db_row_t *row, void *arg, nv_error_t *err)
{
    one_case_t *one = arg;
    nv_bytes_t embedding = db_row_copy(row, 7, one->ctx);
    if (embedding.length != STORE_EMBEDDING_DIMENSIONS * sizeof(float))
        return nv_fail(err, NV_DATA_LOSS, "an embedding of %zu bytes: expected %zu", embedding.length,
                       STORE_EMBEDDING_DIMENSIONS * sizeof(float));
    *one->out = (store_case_t){
        .case_id = db_row_text(row, 0, one->ctx),
        .kind = db_row_int(row, 1),
        .stage = db_row_text(row, 2, one->ctx),
        .symptom = db_row_text(row, 3, one->ctx),
        .run_id = db_row_text(row, 4, one->ctx),
        .created_unix_ms = db_row_int(row, 5),
        .data = db_row_copy(row, 6, one->ctx),
        .embedding = embedding.data,
    };
    one->found = true;
    return true;
}

static bool load_case(db_t *db, nv_mem_t *ctx, const char *tenant, const char *case_id, store_case_t *out,
                      nv_error_t *err)
{
    one_case_t one = {.ctx = ctx, .out = out};
    return db_run(db, DB_CASE_GET, DB_PARAMS(db_s(tenant), db_s(case_id)), take_case, &one, err) &&
           (one.found || nv_fail(err, NV_NOT_FOUND, "case %s: there is none in this tenant", case_id));
}

typedef struct search {
    nv_mem_t *ctx;
    const store_case_query_t *query;
    const char *case_id; /* of a get */
    store_case_t *list;
    size_t count;
} search_t;

static bool read_case(db_t *db, void *arg, nv_error_t *err)
{
    search_t *s = arg;
    return load_case(db, s->ctx, s->query->tenant, s->case_id, s->list, err);
}

bool store_case_get(store_t *store, nv_mem_t *ctx, const char *tenant, const char *case_id, store_case_t *out,
                    nv_error_t *err)
{
    store_case_query_t query = {.tenant = tenant};
    search_t s = {.ctx = ctx, .query = &query, .case_id = case_id, .list = out};
    return check_name("tenant", tenant, err) && check_name("case id", case_id, err) &&
           store_read(store, read_case, &s, err);
}

static bool read_search(db_t *db, void *arg, nv_error_t *err)
{
    search_t *s = arg;
    vectors_hit_t *hits;
    if (!vectors_search(db, s->ctx, s->query, &hits, &s->count, err))
        return false;
    s->list = NV_NEW_ARRAY(s->ctx, store_case_t, s->count + 1);
    for (size_t i = 0; i < s->count; i++) {
        /* The row is looked up under the asking tenant, so that no index could ever leak another's. */
        if (!load_case(db, s->ctx, s->query->tenant, hits[i].case_id, &s->list[i], err))
            return false;
        s->list[i].similarity = hits[i].similarity;
    }
    return true;
}

bool store_case_search(store_t *store, nv_mem_t *ctx, const store_case_query_t *query, store_case_t **out,
                       size_t *n, nv_error_t *err)
{
    search_t s = {.ctx = ctx, .query = query};
    if (query->limit < 1 || query->limit > LIMIT_MAX)
        return nv_fail(err, NV_INVALID_ARGUMENT, "limit %d: expected 1 to %d", query->limit, LIMIT_MAX);
    if (!check_name("tenant", query->tenant, err) || !check_optional("stage", query->stage, err) ||
        !check_text("symptom", query->symptom, STORE_PATH_MAX, err) ||
        !check_embedding(query->embedding, err) || !store_read(store, read_search, &s, err))
        return false;
    *out = s.list;
    *n = s.count;
    return true;
}

typedef struct counting {
    const char *tenant;
    int64_t count;
} counting_t;

static bool take_count(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    ((counting_t *)arg)->count = db_row_int(row, 0);
    return true;
}

static bool read_count(db_t *db, void *arg, nv_error_t *err)
{
    counting_t *c = arg;
    return db_run(db, DB_CASE_COUNT, DB_PARAMS(db_s(c->tenant)), take_count, c, err);
}

bool store_case_count(store_t *store, const char *tenant, int64_t *out, nv_error_t *err)
{
    counting_t c = {.tenant = tenant};
    if (!check_name("tenant", tenant, err) || !store_read(store, read_count, &c, err))
        return false;
    *out = c.count;
    return true;
}

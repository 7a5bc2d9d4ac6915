#include "controlplane/store/vectors.h"

#include <math.h>
#include <string.h>

#include "common/core/buf.h"
#include "common/embedding/embedding.h"
#include "controlplane/store/cases.h"

enum { DIMENSIONS = STORE_EMBEDDING_DIMENSIONS, FILL_PAGE = 256, VECTOR_TEXT_MAX = DIMENSIONS * 24 };
_Static_assert((int)STORE_EMBEDDING_DIMENSIONS == (int)NV_EMBEDDING_DIMENSIONS, "one length of embeddings");

static const char vec0_table[] = "CREATE VIRTUAL TABLE IF NOT EXISTS case_vectors USING vec0("
                                 "embedding float[256] distance_metric=cosine, tenant text partition key, "
                                 "kind integer, stage text, symptom text, +case_id text)";
static const char pgvector_extension[] = "CREATE EXTENSION IF NOT EXISTS vector";
static const char pgvector_table[] =
    "CREATE TABLE IF NOT EXISTS case_vectors (tenant TEXT NOT NULL, case_id TEXT NOT NULL, "
    "embedding vector(256) NOT NULL, PRIMARY KEY (tenant, case_id))";

static db_param_t vector_bytes(const float *embedding)
{
    return db_b(nv_bytes(embedding, DIMENSIONS * sizeof *embedding));
}

/* pgvector's text form: "[0.5,-1,…]". Nine digits give every float back exactly. */
static const char *vector_text(nv_mem_t *ctx, const float *embedding)
{
    nv_buf_t buf = nv_buf_make(ctx, VECTOR_TEXT_MAX);
    for (size_t i = 0; i < DIMENSIONS; i++)
        nv_buf_printf(&buf, "%c%.9g", i ? ',' : '[', (double)embedding[i]);
    nv_buf_putc(&buf, ']');
    return nv_buf_text(&buf);
}

/* ---- writing ---- */

static bool take_int(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    *(int64_t *)arg = db_row_int(row, 0);
    return true;
}

/* Without the extension the virtual table cannot be touched; the link goes, and vectors_open() clears the orphan later. */
static bool sqlite_delete(db_t *db, const char *tenant, const char *case_id, nv_error_t *err)
{
    int64_t row = 0;
    if (!db_run(db, DB_VEC_FIND, DB_PARAMS(db_s(tenant), db_s(case_id)), take_int, &row, err))
        return false;
    if (row == 0)
        return true;
    if (db->has_vector && !db_write(db, DB_VEC_DELETE, DB_PARAMS(db_i(row)), NULL, err))
        return false;
    return db_write(db, DB_VEC_UNLINK, DB_PARAMS(db_s(tenant), db_s(case_id)), NULL, err);
}

static bool sqlite_put(db_t *db, const char *tenant, const store_case_t *item, nv_error_t *err)
{
    if (!sqlite_delete(db, tenant, item->case_id, err))
        return false;
    if (!db->has_vector)
        return true;
    return db_write(db, DB_VEC_PUT,
                    DB_PARAMS(db_s(tenant), vector_bytes(item->embedding), db_i(item->kind),
                              db_s(item->stage), db_s(item->symptom), db_s(item->case_id)),
                    NULL, err) &&
           db_write(db, DB_VEC_LINK, DB_PARAMS(db_s(tenant), db_s(item->case_id)), NULL, err);
}

bool vectors_put(db_t *db, const char *tenant, const store_case_t *item, nv_error_t *err)
{
    if (!db->postgres)
        return sqlite_put(db, tenant, item, err);
    if (!db->has_vector)
        return true;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("vector");
    return db_write(db, DB_PGV_PUT,
                    DB_PARAMS(db_s(tenant), db_s(item->case_id), db_s(vector_text(ctx, item->embedding))),
                    NULL, err);
}

bool vectors_delete(db_t *db, const char *tenant, const char *case_id, nv_error_t *err)
{
    if (!db->postgres)
        return sqlite_delete(db, tenant, case_id, err);
    return !db->has_vector || db_write(db, DB_PGV_DELETE, DB_PARAMS(db_s(tenant), db_s(case_id)), NULL, err);
}

/* ---- opening ---- */

typedef struct missing {
    nv_mem_t *ctx;
    store_case_t list[FILL_PAGE];
    char *tenants[FILL_PAGE];
    size_t count;
} missing_t;

static bool take_missing(db_row_t *row, void *arg, nv_error_t *err)
{
    missing_t *m = arg;
    nv_bytes_t embedding = db_row_copy(row, 5, m->ctx);
    if (embedding.length != DIMENSIONS * sizeof(float))
        return nv_fail(err, NV_DATA_LOSS, "an embedding of %zu bytes: expected %zu", embedding.length,
                       DIMENSIONS * sizeof(float));
    m->tenants[m->count] = db_row_text(row, 0, m->ctx);
    m->list[m->count++] = (store_case_t){
        .case_id = db_row_text(row, 1, m->ctx),
        .kind = db_row_int(row, 2),
        .stage = db_row_text(row, 3, m->ctx),
        .symptom = db_row_text(row, 4, m->ctx),
        .embedding = embedding.data,
    };
    return true;
}

/* One page of cases that the index lacks; *more while there may be others. */
static bool fill_page(db_t *db, bool *more, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("fill vectors");
    missing_t *m = NV_NEW(ctx, missing_t);
    m->ctx = ctx;
    db_statement_t statement = db->postgres ? DB_PGV_MISSING : DB_VEC_MISSING;
    if (!db_run(db, statement, DB_PARAMS(db_i(FILL_PAGE)), take_missing, m, err))
        return false;
    for (size_t i = 0; i < m->count; i++)
        if (!vectors_put(db, m->tenants[i], &m->list[i], err))
            return false;
    *more = m->count == FILL_PAGE;
    return true;
}

typedef struct orphans {
    int64_t rows[FILL_PAGE];
    size_t count;
} orphans_t;

static bool take_orphan(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    orphans_t *o = arg;
    o->rows[o->count++] = db_row_int(row, 0);
    return true;
}

static bool clear_orphans(db_t *db, bool *more, nv_error_t *err)
{
    orphans_t o = {0};
    if (!db_run(db, DB_VEC_ORPHANS, DB_PARAMS(db_i(FILL_PAGE)), take_orphan, &o, err))
        return false;
    for (size_t i = 0; i < o.count; i++)
        if (!db_write(db, DB_VEC_DELETE, DB_PARAMS(db_i(o.rows[i])), NULL, err))
            return false;
    *more = o.count == FILL_PAGE;
    return true;
}

typedef bool page_fn(db_t *db, bool *more, nv_error_t *err);

/* Runs fn in transactions of their own until it has no more. */
static bool in_pages(db_t *db, page_fn *fn, nv_error_t *err)
{
    for (bool more = true; more;) {
        if (!db->ops->begin(db, err))
            return false;
        if (!fn(db, &more, err)) {
            db->ops->rollback(db);
            return false;
        }
        db_outcome_t outcome;
        if (!db->ops->commit(db, &outcome, err))
            return false;
    }
    return true;
}

static bool take_version(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    db_t *db = arg;
    db->vector = nv_printf(db, "pgvector %s", (const char *)db_row_bytes(row, 0).data);
    return true;
}

static bool open_postgres(db_t *db, nv_error_t *err)
{
    nv_error_t why = NV_ERROR_INIT;
    db->has_vector = db->ops->script(db, pgvector_extension, &why);
    if (!db->has_vector) {
        db->vector = nv_printf(db, "exact scan (%s)", why.message);
        return !db->lost || nv_fail(err, why.code, "%s", why.message);
    }
    return db_run(db, DB_PGV_VERSION, DB_NO_PARAMS, take_version, db, err) &&
           db->ops->script(db, pgvector_table, err) && in_pages(db, fill_page, err);
}

bool vectors_open(db_t *db, bool read_only, nv_error_t *err)
{
    if (read_only) {
        db->has_vector = false;
        db->vector = nv_strdup(db, "exact scan (read-only)");
        return true;
    }
    if (db->postgres)
        return open_postgres(db, err);
    if (!db->has_vector)
        return true;
    return db->ops->script(db, vec0_table, err) && in_pages(db, clear_orphans, err) &&
           in_pages(db, fill_page, err);
}

/* ---- searching ---- */

typedef struct hits {
    nv_mem_t *ctx;
    const store_case_query_t *query;
    vectors_hit_t *list;
    size_t count;
} hits_t;

/* Rows come best first, at most query->limit of them. */
static bool take_hit(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    hits_t *hits = arg;
    double similarity = db_row_real(row, 1);
    if (isnan(similarity) || similarity < hits->query->min_similarity ||
        hits->count == (size_t)hits->query->limit)
        return true;
    hits->list[hits->count++] = (vectors_hit_t){db_row_text(row, 0, hits->ctx), similarity};
    return true;
}

/* Keeps the best `limit` of a scan, in order; equal ones by id, which is the order of the rows. */
static void insert_hit(hits_t *hits, char *case_id, double similarity)
{
    size_t limit = (size_t)hits->query->limit;
    size_t at = hits->count;
    while (at > 0 && hits->list[at - 1].similarity < similarity)
        at--;
    if (at == limit)
        return;
    if (hits->count < limit)
        hits->count++;
    memmove(&hits->list[at + 1], &hits->list[at], (hits->count - 1 - at) * sizeof hits->list[0]);
    hits->list[at] = (vectors_hit_t){case_id, similarity};
}

static bool scan_row(db_row_t *row, void *arg, nv_error_t *err)
{
    hits_t *hits = arg;
    nv_bytes_t bytes = db_row_bytes(row, 1);
    float embedding[DIMENSIONS];
    if (bytes.length != sizeof embedding)
        return nv_fail(err, NV_DATA_LOSS, "an embedding of %zu bytes: expected %zu", bytes.length,
                       sizeof embedding);
    memcpy(embedding, bytes.data, sizeof embedding);
    double similarity = nv_embedding_similarity(hits->query->embedding, embedding, DIMENSIONS);
    if (similarity >= hits->query->min_similarity)
        insert_hit(hits, db_row_text(row, 0, hits->ctx), similarity);
    return true;
}

static bool scan(db_t *db, const store_case_query_t *query, hits_t *hits, nv_error_t *err)
{
    return db_run(db, DB_CASE_SCAN,
                  DB_PARAMS(db_s(query->tenant), db_i(query->kind), db_s(query->stage), db_s(query->symptom)),
                  scan_row, hits, err);
}

/* vec0 takes only constraints it knows, so each combination of filters has its statement. */
static bool search_sqlite(db_t *db, const store_case_query_t *query, hits_t *hits, nv_error_t *err)
{
    static const db_statement_t by_filter[] = {DB_VEC_SEARCH,
                                               DB_VEC_SEARCH_KIND,
                                               DB_VEC_SEARCH_STAGE,
                                               DB_VEC_SEARCH_KIND_STAGE,
                                               DB_VEC_SEARCH_SYMPTOM,
                                               DB_VEC_SEARCH_KIND_SYMPTOM,
                                               DB_VEC_SEARCH_STAGE_SYMPTOM,
                                               DB_VEC_SEARCH_ALL};
    db_param_t params[6] = {vector_bytes(query->embedding), db_i(query->limit), db_s(query->tenant)};
    size_t n = 3, filter = 0;
    if (query->kind) {
        params[n++] = db_i(query->kind);
        filter |= 1;
    }
    if (query->stage && *query->stage) {
        params[n++] = db_s(query->stage);
        filter |= 2;
    }
    if (query->symptom && *query->symptom) {
        params[n++] = db_s(query->symptom);
        filter |= 4;
    }
    return db_run(db, by_filter[filter], params, n, take_hit, hits, err);
}

static bool search_postgres(db_t *db, const store_case_query_t *query, hits_t *hits, nv_error_t *err)
{
    return db_run(db, DB_PGV_SEARCH,
                  DB_PARAMS(db_s(vector_text(hits->ctx, query->embedding)), db_s(query->tenant),
                            db_i(query->kind), db_s(query->stage), db_s(query->symptom), db_i(query->limit)),
                  take_hit, hits, err);
}

bool vectors_search(db_t *db, nv_mem_t *ctx, const store_case_query_t *query, vectors_hit_t **out, size_t *n,
                    nv_error_t *err)
{
    hits_t hits = {.ctx = ctx, .query = query};
    hits.list = NV_NEW_ARRAY(ctx, vectors_hit_t, (size_t)query->limit + 1);
    bool ok = !db->has_vector ? scan(db, query, &hits, err)
              : db->postgres  ? search_postgres(db, query, &hits, err)
                              : search_sqlite(db, query, &hits, err);
    *out = hits.list;
    *n = hits.count;
    return ok;
}

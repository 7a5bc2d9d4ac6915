/* Tenants, pools, credentials, revocations. */
#include <string.h>

#include "controlplane/store/internal.h"
#include "controlplane/store/tenants.h"

/* A single statement through the writer; what changed nothing is `refused`. */
typedef struct one_write {
    db_statement_t statement;
    const db_param_t *params;
    size_t n_params;
    int64_t changes;
} one_write_t;

static bool apply_one(db_t *db, void *arg, nv_error_t *err)
{
    one_write_t *w = arg;
    return db_write(db, w->statement, w->params, w->n_params, &w->changes, err);
}

static bool write_one(store_t *store, db_statement_t statement, const db_param_t *params, size_t n_params,
                      int64_t *changes, nv_error_t *err)
{
    one_write_t w = {.statement = statement, .params = params, .n_params = n_params};
    bool ok = store_write(store, apply_one, &w, 0, err);
    *changes = w.changes;
    return ok;
}

static bool first(const rows_t *rows, const char *what, const char *name, void *out, size_t size,
                  nv_error_t *err)
{
    if (rows->count == 0)
        return nv_fail(err, NV_NOT_FOUND, "%s \"%s\": there is none", what, name);
    memcpy(out, rows->list, size);
    return true;
}

/* ---- tenants ---- */

static bool check_tenant(const store_tenant_t *tenant, nv_error_t *err)
{
    if (tenant->max_concurrent_tasks < 0 || tenant->weight < 0)
        return nv_fail(err, NV_INVALID_ARGUMENT, "tenant: expected a task limit and a weight of 0 or more");
    return check_name("tenant", tenant->name, err) &&
           check_text("display name", tenant->display_name, STORE_PATH_MAX, err) &&
           check_blob("wrapped key", tenant->wrapped_key, err);
}

bool store_tenant_create(store_t *store, const store_tenant_t *t, nv_error_t *err)
{
    int64_t changes;
    if (!check_tenant(t, err) ||
        !write_one(store, DB_TENANT_INSERT,
                   DB_PARAMS(db_s(t->name), db_s(t->display_name), db_i(t->created_unix_ms),
                             db_i(t->max_concurrent_tasks), db_i(t->weight), db_b(t->wrapped_key)),
                   &changes, err))
        return false;
    return changes == 1 || nv_fail(err, NV_ALREADY_EXISTS, "tenant \"%s\" exists already", t->name);
}

static bool push_tenant(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    rows_t *rows = arg;
    *(store_tenant_t *)rows_push(rows, sizeof(store_tenant_t)) = (store_tenant_t){
        .name = db_row_text(row, 0, rows->ctx),
        .display_name = db_row_text(row, 1, rows->ctx),
        .created_unix_ms = db_row_int(row, 2),
        .max_concurrent_tasks = db_row_int(row, 3),
        .weight = db_row_int(row, 4),
        .wrapped_key = db_row_copy(row, 5, rows->ctx),
    };
    return true;
}

bool store_tenant_get(store_t *store, nv_mem_t *ctx, const char *name, store_tenant_t *out, nv_error_t *err)
{
    rows_t rows;
    return check_name("tenant", name, err) &&
           rows_list(store, ctx, DB_TENANT_GET, DB_PARAMS(db_s(name)), push_tenant, &rows, err) &&
           first(&rows, "tenant", name, out, sizeof *out, err);
}

bool store_tenant_list(store_t *store, nv_mem_t *ctx, store_tenant_t **out, size_t *n, nv_error_t *err)
{
    rows_t rows;
    if (!rows_list(store, ctx, DB_TENANT_LIST, DB_NO_PARAMS, push_tenant, &rows, err))
        return false;
    *out = rows.list;
    *n = rows.count;
    return true;
}

bool store_tenant_set_key(store_t *store, const char *name, nv_bytes_t expected, nv_bytes_t wrapped,
                          nv_error_t *err)
{
    int64_t changes;
    if (!check_name("tenant", name, err) || !check_blob("wrapped key", wrapped, err) ||
        !write_one(store, DB_TENANT_SET_KEY, DB_PARAMS(db_b(wrapped), db_s(name), db_b(expected)), &changes,
                   err))
        return false;
    return changes == 1 ||
           nv_fail(err, NV_ABORTED, "tenant \"%s\": there is none, or its key was changed meanwhile", name);
}

/* ---- pools ---- */

bool store_pool_create(store_t *store, const store_pool_t *p, nv_error_t *err)
{
    int64_t changes;
    if (!check_name("pool", p->name, err) || !check_optional("tenant", p->dedicated_to, err) ||
        !write_one(store, DB_POOL_INSERT,
                   DB_PARAMS(db_s(p->name), db_s(p->dedicated_to), db_i(p->own_credentials),
                             db_i(p->created_unix_ms)),
                   &changes, err))
        return false;
    return changes == 1 || nv_fail(err, NV_ALREADY_EXISTS, "pool \"%s\" exists already", p->name);
}

static bool push_pool(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    rows_t *rows = arg;
    *(store_pool_t *)rows_push(rows, sizeof(store_pool_t)) = (store_pool_t){
        .name = db_row_text(row, 0, rows->ctx),
        .dedicated_to = db_row_text(row, 1, rows->ctx),
        .own_credentials = db_row_int(row, 2) != 0,
        .created_unix_ms = db_row_int(row, 3),
    };
    return true;
}

bool store_pool_get(store_t *store, nv_mem_t *ctx, const char *name, store_pool_t *out, nv_error_t *err)
{
    rows_t rows;
    return check_name("pool", name, err) &&
           rows_list(store, ctx, DB_POOL_GET, DB_PARAMS(db_s(name)), push_pool, &rows, err) &&
           first(&rows, "pool", name, out, sizeof *out, err);
}

bool store_pool_list(store_t *store, nv_mem_t *ctx, store_pool_t **out, size_t *n, nv_error_t *err)
{
    rows_t rows;
    if (!rows_list(store, ctx, DB_POOL_LIST, DB_NO_PARAMS, push_pool, &rows, err))
        return false;
    *out = rows.list;
    *n = rows.count;
    return true;
}

/* ---- credentials ---- */

bool store_credential_put(store_t *store, const char *tenant, const store_credential_t *c, nv_error_t *err)
{
    int64_t changes;
    return check_name("tenant", tenant, err) && check_name("credential kind", c->kind, err) &&
           check_blob("credential", c->sealed, err) &&
           write_one(store, DB_CREDENTIAL_PUT,
                     DB_PARAMS(db_s(tenant), db_s(c->kind), db_b(c->sealed), db_i(c->updated_unix_ms)),
                     &changes, err);
}

bool store_credential_delete(store_t *store, const char *tenant, const char *kind, nv_error_t *err)
{
    int64_t changes;
    return check_name("tenant", tenant, err) && check_name("credential kind", kind, err) &&
           write_one(store, DB_CREDENTIAL_DELETE, DB_PARAMS(db_s(tenant), db_s(kind)), &changes, err) &&
           (changes > 0 ||
            nv_fail(err, NV_NOT_FOUND, "tenant \"%s\" has no credential \"%s\"", tenant, kind));
}

static bool push_credential(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    rows_t *rows = arg;
    *(store_credential_t *)rows_push(rows, sizeof(store_credential_t)) = (store_credential_t){
        .kind = db_row_text(row, 0, rows->ctx),
        .sealed = db_row_copy(row, 1, rows->ctx),
        .updated_unix_ms = db_row_int(row, 2),
    };
    return true;
}

bool store_credential_get(store_t *store, nv_mem_t *ctx, const char *tenant, const char *kind,
                          store_credential_t *out, nv_error_t *err)
{
    rows_t rows;
    return check_name("tenant", tenant, err) && check_name("credential kind", kind, err) &&
           rows_list(store, ctx, DB_CREDENTIAL_GET, DB_PARAMS(db_s(tenant), db_s(kind)), push_credential,
                     &rows, err) &&
           first(&rows, "credential", kind, out, sizeof *out, err);
}

bool store_credential_list(store_t *store, nv_mem_t *ctx, const char *tenant, store_credential_t **out,
                           size_t *n, nv_error_t *err)
{
    rows_t rows;
    if (!check_name("tenant", tenant, err) ||
        !rows_list(store, ctx, DB_CREDENTIAL_LIST, DB_PARAMS(db_s(tenant)), push_credential, &rows, err))
        return false;
    *out = rows.list;
    *n = rows.count;
    return true;
}

/* ---- revocations ---- */

bool store_revocation_add(store_t *store, const store_revocation_t *r, bool *out_added, nv_error_t *err)
{
    bool has_serial = r->serial && *r->serial, has_id = r->spiffe_id && *r->spiffe_id;
    if (has_serial == has_id)
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "revocation: expected either a serial number or a SPIFFE ID");
    if (!check_optional("serial number", r->serial, err) ||
        !check_text("SPIFFE ID", r->spiffe_id, STORE_PATH_MAX, err) ||
        !check_text("reason", r->reason, STORE_TEXT_MAX, err))
        return false;
    int64_t changes;
    if (!write_one(store, DB_REVOCATION_PUT,
                   DB_PARAMS(db_s(r->serial), db_s(r->spiffe_id), db_s(r->reason), db_i(r->revoked_unix_ms)),
                   &changes, err))
        return false;
    *out_added = changes > 0;
    return true;
}

static bool push_revocation(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    rows_t *rows = arg;
    *(store_revocation_t *)rows_push(rows, sizeof(store_revocation_t)) = (store_revocation_t){
        .serial = db_row_text(row, 0, rows->ctx),
        .spiffe_id = db_row_text(row, 1, rows->ctx),
        .reason = db_row_text(row, 2, rows->ctx),
        .revoked_unix_ms = db_row_int(row, 3),
    };
    return true;
}

bool store_revocation_list(store_t *store, nv_mem_t *ctx, store_revocation_t **out, size_t *n,
                           nv_error_t *err)
{
    rows_t rows;
    if (!rows_list(store, ctx, DB_REVOCATION_LIST, DB_NO_PARAMS, push_revocation, &rows, err))
        return false;
    *out = rows.list;
    *n = rows.count;
    return true;
}

/* Clean-up: documents that no run refers to, uploads that nobody finished. */
#include <stdio.h>
#include <string.h>

#include "controlplane/store/documents.h"
#include "controlplane/store/internal.h"

enum { GC_PAGE = 100 };

typedef struct clean_up {
    const char *tenant;
    int64_t before;
    char sha256[GC_PAGE][65];
    char content_id[GC_PAGE][40];
    size_t count;
} clean_up_t;

static bool take_unused(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    clean_up_t *c = arg;
    snprintf(c->sha256[c->count], sizeof c->sha256[0], "%s", (const char *)db_row_bytes(row, 0).data);
    snprintf(c->content_id[c->count++], sizeof c->content_id[0], "%s",
             (const char *)db_row_bytes(row, 1).data);
    return true;
}

static bool take_old_upload(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    clean_up_t *c = arg;
    snprintf(c->content_id[c->count++], sizeof c->content_id[0], "%s",
             (const char *)db_row_bytes(row, 0).data);
    return true;
}

static bool clean_documents(db_t *db, void *arg, nv_error_t *err)
{
    clean_up_t *c = arg;
    c->count = 0;
    if (!db_run(db, DB_DOCUMENT_UNUSED, DB_PARAMS(db_s(c->tenant), db_i(c->before), db_i(GC_PAGE)),
                take_unused, c, err))
        return false;
    for (size_t i = 0; i < c->count; i++)
        if (!db_write(db, DB_DOCUMENT_DELETE, DB_PARAMS(db_s(c->tenant), db_s(c->sha256[i])), NULL, err) ||
            !document_drop_content(db, c->tenant, c->content_id[i], err))
            return false;
    return true;
}

static bool clean_uploads(db_t *db, void *arg, nv_error_t *err)
{
    clean_up_t *c = arg;
    c->count = 0;
    if (!db_run(db, DB_UPLOAD_OLD, DB_PARAMS(db_s(c->tenant), db_i(c->before), db_i(GC_PAGE)),
                take_old_upload, c, err))
        return false;
    for (size_t i = 0; i < c->count; i++)
        if (!document_drop_content(db, c->tenant, c->content_id[i], err))
            return false;
    return true;
}

bool store_document_gc(store_t *store, const char *tenant, int64_t before_unix_ms, int64_t *out_deleted,
                       nv_error_t *err)
{
    if (!check_name("tenant", tenant, err))
        return false;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("document clean-up");
    clean_up_t *c = NV_NEW(ctx, clean_up_t);
    *c = (clean_up_t){.tenant = tenant, .before = before_unix_ms};
    *out_deleted = 0;
    do {
        if (!store_write(store, clean_documents, c, 0, err))
            return false;
        *out_deleted += (int64_t)c->count;
    } while (c->count == GC_PAGE);
    do {
        if (!store_write(store, clean_uploads, c, 0, err))
            return false;
    } while (c->count == GC_PAGE);
    return true;
}

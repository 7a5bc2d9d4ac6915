/* Documents: content-addressed, chunked, deduplicated within a tenant. Here: reading them; uploads.c, document_gc.c. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/store/documents.h"
#include "controlplane/store/internal.h"

enum { READ_MAX = 4 << 20 };

/* ---- hashing ---- */

void to_hex(const uint8_t *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * n] = '\0';
}

EVP_MD_CTX *hash_new(void)
{
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    if (!hash || EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1)
        abort(); /* out of memory */
    return hash;
}

void hash_add(EVP_MD_CTX *hash, const void *data, size_t length)
{
    int ok = EVP_DigestUpdate(hash, data, length);
    assert(ok == 1);
    (void)ok;
}

void hash_end(EVP_MD_CTX *hash, char out[65])
{
    uint8_t digest[32];
    unsigned length = 0;
    int ok = EVP_DigestFinal_ex(hash, digest, &length);
    assert(ok == 1 && length == sizeof digest);
    (void)ok;
    to_hex(digest, sizeof digest, out);
}

static bool take_document(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    found_document_t *out = arg;
    out->found = true;
    out->bytes = db_row_int(row, 0);
    snprintf(out->content_id, sizeof out->content_id, "%s", (const char *)db_row_bytes(row, 1).data);
    return true;
}

bool document_find(db_t *db, const char *tenant, const char *sha256, found_document_t *out, nv_error_t *err)
{
    *out = (found_document_t){.found = false};
    return db_run(db, DB_DOCUMENT_STAT, DB_PARAMS(db_s(tenant), db_s(sha256)), take_document, out, err);
}

bool document_drop_content(db_t *db, const char *tenant, const char *content_id, nv_error_t *err)
{
    return db_write(db, DB_CHUNK_DELETE, DB_PARAMS(db_s(tenant), db_s(content_id)), NULL, err) &&
           db_write(db, DB_UPLOAD_DELETE, DB_PARAMS(db_s(tenant), db_s(content_id)), NULL, err);
}

/* ---- reading ---- */

typedef struct reading {
    const char *tenant;
    const char *sha256;
    nv_mem_t *ctx;
    int64_t offset;
    size_t length; /* wanted; then read */
    char *data;
    size_t filled;
    found_document_t document;
} reading_t;

static bool take_chunk(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    reading_t *r = arg;
    int64_t start = db_row_int(row, 0) * STORE_CHUNK_BYTES;
    nv_bytes_t chunk = db_row_bytes(row, 1);
    int64_t from = r->offset + (int64_t)r->filled - start;
    if (from < 0 || from > (int64_t)chunk.length)
        return true; /* a hole; the count below finds it */
    size_t n = chunk.length - (size_t)from;
    if (n > r->length - r->filled)
        n = r->length - r->filled;
    memcpy(r->data + r->filled, (const char *)chunk.data + from, n);
    r->filled += n;
    return true;
}

static bool read_range(db_t *db, void *arg, nv_error_t *err)
{
    reading_t *r = arg;
    if (!document_find(db, r->tenant, r->sha256, &r->document, err))
        return false;
    if (!r->document.found)
        return nv_fail(err, NV_NOT_FOUND, "document %s: there is none in this tenant", r->sha256);
    int64_t left = r->document.bytes - r->offset;
    size_t length = left <= 0 ? 0 : (size_t)left < r->length ? (size_t)left : r->length;
    r->length = length;
    r->filled = 0;
    r->data = nv_alloc(r->ctx, length + 1);
    if (length == 0)
        return true;
    int64_t first = r->offset / STORE_CHUNK_BYTES,
            last = (r->offset + (int64_t)length - 1) / STORE_CHUNK_BYTES;
    if (!db_run(db, DB_CHUNK_LIST,
                DB_PARAMS(db_s(r->tenant), db_s(r->document.content_id), db_i(first), db_i(last)), take_chunk,
                r, err))
        return false;
    return r->filled == length ||
           nv_fail(err, NV_DATA_LOSS, "document %s: %zu bytes at %" PRId64 " are missing", r->sha256,
                   length - r->filled, r->offset);
}

static bool check_document(const char *tenant, const char *sha256, nv_error_t *err)
{
    return check_name("tenant", tenant, err) && check_sha256("document", sha256, err);
}

bool store_document_read(store_t *store, nv_mem_t *ctx, const char *tenant, const char *sha256,
                         int64_t offset, size_t max_length, nv_bytes_t *out, nv_error_t *err)
{
    if (!check_document(tenant, sha256, err))
        return false;
    if (offset < 0)
        return nv_fail(err, NV_OUT_OF_RANGE, "document %s: offset %" PRId64 ": expected 0 or more", sha256,
                       offset);
    reading_t r = {.tenant = tenant,
                   .sha256 = sha256,
                   .ctx = ctx,
                   .offset = offset,
                   .length = max_length < READ_MAX ? max_length : READ_MAX};
    if (!store_read(store, read_range, &r, err))
        return false;
    *out = nv_bytes(r.data, r.length);
    return true;
}

static bool read_stat(db_t *db, void *arg, nv_error_t *err)
{
    reading_t *r = arg;
    return document_find(db, r->tenant, r->sha256, &r->document, err);
}

bool store_document_stat(store_t *store, const char *tenant, const char *sha256, int64_t *out_bytes,
                         nv_error_t *err)
{
    reading_t r = {.tenant = tenant, .sha256 = sha256};
    if (!check_document(tenant, sha256, err) || !store_read(store, read_stat, &r, err))
        return false;
    if (!r.document.found)
        return nv_fail(err, NV_NOT_FOUND, "document %s: there is none in this tenant", sha256);
    if (out_bytes)
        *out_bytes = r.document.bytes;
    return true;
}

static bool verify(const char *sha256, nv_bytes_t bytes, nv_error_t *err)
{
    char actual[65];
    EVP_MD_CTX *hash = hash_new();
    hash_add(hash, bytes.data, bytes.length);
    hash_end(hash, actual);
    EVP_MD_CTX_free(hash);
    return strcmp(actual, sha256) == 0 ||
           nv_fail(err, NV_DATA_LOSS, "document %s: its content has SHA-256 %s", sha256, actual);
}

bool store_document_get(store_t *store, nv_mem_t *ctx, const char *tenant, const char *sha256,
                        size_t max_length, nv_bytes_t *out, nv_error_t *err)
{
    int64_t bytes;
    if (!store_document_stat(store, tenant, sha256, &bytes, err))
        return false;
    if ((uint64_t)bytes > max_length)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "document %s has %" PRId64 " bytes: expected at most %zu",
                       sha256, bytes, max_length);
    char *data = nv_alloc(ctx, (size_t)bytes + 1);
    for (int64_t at = 0; at < bytes;) {
        NV_MEM_SCOPE nv_mem_t *part_ctx = nv_mem_root("document part");
        nv_bytes_t part;
        if (!store_document_read(store, part_ctx, tenant, sha256, at, (size_t)(bytes - at), &part, err))
            return false;
        if (part.length == 0)
            return nv_fail(err, NV_DATA_LOSS, "document %s ends at %" PRId64 ": expected %" PRId64 " bytes",
                           sha256, at, bytes);
        memcpy(data + at, part.data, part.length);
        at += (int64_t)part.length;
    }
    *out = nv_bytes(data, (size_t)bytes);
    return verify(sha256, *out, err);
}

typedef struct membership {
    const char *tenant, *run_id, *sha256;
    bool found;
} membership_t;

static bool note_found(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)row;
    (void)err;
    ((membership_t *)arg)->found = true;
    return true;
}

static bool read_membership(db_t *db, void *arg, nv_error_t *err)
{
    membership_t *m = arg;
    return db_run(db, DB_RUN_DOCUMENT_HAS, DB_PARAMS(db_s(m->tenant), db_s(m->run_id), db_s(m->sha256)),
                  note_found, m, err);
}

bool store_run_has_document(store_t *store, const char *tenant, const char *run_id, const char *sha256,
                            bool *out, nv_error_t *err)
{
    membership_t m = {.tenant = tenant, .run_id = run_id, .sha256 = sha256};
    if (!check_document(tenant, sha256, err) || !check_name("run id", run_id, err) ||
        !store_read(store, read_membership, &m, err))
        return false;
    *out = m.found;
    return true;
}

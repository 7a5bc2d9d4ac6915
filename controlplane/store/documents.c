/* Documents: content-addressed, chunked, deduplicated within a tenant. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "controlplane/store/internal.h"

enum {
    SPILL_BYTES = 4 * STORE_CHUNK_BYTES, /* what stays in memory, and what one transaction writes */
    READ_MAX = 4 << 20,
    GC_PAGE = 100,
};
_Static_assert(SPILL_BYTES % STORE_CHUNK_BYTES == 0, "a spill is whole chunks");

struct store_upload {
    store_t *store;
    const char *tenant;
    EVP_MD_CTX *hash;
    char *buffer; /* bytes not yet in the store */
    size_t buffered;
    size_t capacity;
    int64_t total;
    int64_t chunks; /* in the store already */
    char content_id[33];
    char sha256[65];
};

/* ---- hashing ---- */

static void to_hex(const uint8_t *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * n] = '\0';
}

static EVP_MD_CTX *hash_new(void)
{
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    if (!hash || EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1)
        abort(); /* out of memory */
    return hash;
}

static void hash_add(EVP_MD_CTX *hash, const void *data, size_t length)
{
    int ok = EVP_DigestUpdate(hash, data, length);
    assert(ok == 1);
    (void)ok;
}

static void hash_end(EVP_MD_CTX *hash, char out[65])
{
    uint8_t digest[32];
    unsigned length = 0;
    int ok = EVP_DigestFinal_ex(hash, digest, &length);
    assert(ok == 1 && length == sizeof digest);
    (void)ok;
    to_hex(digest, sizeof digest, out);
}

/* ---- uploading ---- */

static bool random_id(char out[33], nv_error_t *err)
{
    uint8_t bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return nv_fail_errno(err, errno, "random bytes");
    to_hex(bytes, sizeof bytes, out);
    return true;
}

bool store_upload_begin(store_t *store, const char *tenant, store_upload_t **out, nv_error_t *err)
{
    char id[33];
    if (!check_name("tenant", tenant, err) || !random_id(id, err))
        return false;
    store_upload_t *upload = NV_NEW(NULL, store_upload_t);
    upload->store = store;
    upload->tenant = nv_strdup(upload, tenant);
    upload->hash = hash_new();
    memcpy(upload->content_id, id, sizeof id);
    *out = upload;
    return true;
}

static void upload_free(store_upload_t *upload)
{
    EVP_MD_CTX_free(upload->hash);
    nv_mem_free(upload);
}

/* Writes what is buffered as chunks; the last one of a document may be short. */
static bool write_chunks(db_t *db, const store_upload_t *upload, nv_error_t *err)
{
    int64_t index = upload->chunks;
    for (size_t at = 0; at < upload->buffered; at += STORE_CHUNK_BYTES, index++) {
        size_t n = upload->buffered - at;
        if (n > STORE_CHUNK_BYTES)
            n = STORE_CHUNK_BYTES;
        if (!db_write(db, DB_CHUNK_INSERT,
                      DB_PARAMS(db_s(upload->tenant), db_s(upload->content_id), db_i(index),
                                db_b(nv_bytes(upload->buffer + at, n))),
                      NULL, err))
            return false;
    }
    return true;
}

static bool apply_spill(db_t *db, void *arg, nv_error_t *err)
{
    const store_upload_t *upload = arg;
    if (upload->chunks == 0 &&
        !db_write(db, DB_UPLOAD_INSERT,
                  DB_PARAMS(db_s(upload->tenant), db_s(upload->content_id), db_i(store_now_ms())), NULL, err))
        return false;
    return write_chunks(db, upload, err);
}

static bool spill(store_upload_t *upload, nv_error_t *err)
{
    assert(upload->buffered == SPILL_BYTES);
    if (!store_write(upload->store, apply_spill, upload, upload->buffered, err))
        return nv_wrap(err, "document of tenant %s", upload->tenant);
    upload->chunks += SPILL_BYTES / STORE_CHUNK_BYTES;
    upload->buffered = 0;
    return true;
}

static void append(store_upload_t *upload, const void *data, size_t length)
{
    size_t needed = upload->buffered + length;
    assert(needed <= SPILL_BYTES);
    if (needed > upload->capacity) {
        size_t capacity = upload->capacity ? upload->capacity : 4096;
        while (capacity < needed)
            capacity *= 2;
        upload->buffer = nv_realloc_array(upload, upload->buffer, 1, capacity);
        upload->capacity = capacity;
    }
    memcpy(upload->buffer + upload->buffered, data, length);
    upload->buffered += length;
    upload->total += (int64_t)length;
}

bool store_upload_add(store_upload_t *upload, int64_t offset, const void *data, size_t length,
                      nv_error_t *err)
{
    if (offset != upload->total)
        return nv_fail(err, NV_OUT_OF_RANGE, "document offset %" PRId64 ": expected %" PRId64, offset,
                       upload->total);
    if (length > (size_t)(STORE_DOCUMENT_MAX - upload->total))
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "document: expected at most %d bytes", STORE_DOCUMENT_MAX);
    hash_add(upload->hash, data, length);
    while (length) {
        size_t n = SPILL_BYTES - upload->buffered;
        if (n > length)
            n = length;
        append(upload, data, n);
        data = (const char *)data + n;
        length -= n;
        if (upload->buffered == SPILL_BYTES && !spill(upload, err))
            return false;
    }
    return true;
}

typedef struct found_document {
    bool found;
    int64_t bytes;
    char content_id[40];
} found_document_t;

static bool take_document(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    found_document_t *out = arg;
    out->found = true;
    out->bytes = db_row_int(row, 0);
    snprintf(out->content_id, sizeof out->content_id, "%s", (const char *)db_row_bytes(row, 1).data);
    return true;
}

static bool find_document(db_t *db, const char *tenant, const char *sha256, found_document_t *out,
                          nv_error_t *err)
{
    *out = (found_document_t){.found = false};
    return db_run(db, DB_DOCUMENT_STAT, DB_PARAMS(db_s(tenant), db_s(sha256)), take_document, out, err);
}

static bool drop_content(db_t *db, const char *tenant, const char *content_id, nv_error_t *err)
{
    return db_write(db, DB_CHUNK_DELETE, DB_PARAMS(db_s(tenant), db_s(content_id)), NULL, err) &&
           db_write(db, DB_UPLOAD_DELETE, DB_PARAMS(db_s(tenant), db_s(content_id)), NULL, err);
}

/* The tenant has this content already: ours goes, and the age starts anew so that the clean-up leaves it to the run that is
 * about to refer to it. */
static bool use_existing(db_t *db, const store_upload_t *upload, nv_error_t *err)
{
    return db_write(db, DB_DOCUMENT_TOUCH,
                    DB_PARAMS(db_i(store_now_ms()), db_s(upload->tenant), db_s(upload->sha256)), NULL, err) &&
           drop_content(db, upload->tenant, upload->content_id, err);
}

static bool apply_finish(db_t *db, void *arg, nv_error_t *err)
{
    const store_upload_t *upload = arg;
    found_document_t existing;
    if (!find_document(db, upload->tenant, upload->sha256, &existing, err))
        return false;
    if (existing.found)
        return use_existing(db, upload, err);
    int64_t changes;
    if (!write_chunks(db, upload, err) ||
        !db_write(db, DB_DOCUMENT_INSERT,
                  DB_PARAMS(db_s(upload->tenant), db_s(upload->sha256), db_i(upload->total),
                            db_s(upload->content_id), db_i(store_now_ms())),
                  &changes, err))
        return false;
    if (changes == 0) /* another control plane was faster */
        return use_existing(db, upload, err);
    return db_write(db, DB_UPLOAD_DELETE, DB_PARAMS(db_s(upload->tenant), db_s(upload->content_id)), NULL,
                    err);
}

static bool apply_drop(db_t *db, void *arg, nv_error_t *err)
{
    const store_upload_t *upload = arg;
    return drop_content(db, upload->tenant, upload->content_id, err);
}

/* What cannot be dropped now is found by store_document_gc() later. */
static void drop_spilled(store_upload_t *upload)
{
    nv_error_t ignored = NV_ERROR_INIT;
    if (upload->chunks > 0 && !store_write(upload->store, apply_drop, upload, 0, &ignored))
        nv_log(upload->store->options.log, NV_WARN, "store", "an abandoned upload stays until clean-up",
               "error", ignored.message, NULL);
}

void store_upload_abort(store_upload_t *upload)
{
    if (!upload)
        return;
    drop_spilled(upload);
    upload_free(upload);
}

bool store_upload_finish(store_upload_t *upload, const char *expect_sha256, char out_sha256[65],
                         nv_error_t *err)
{
    hash_end(upload->hash, upload->sha256);
    bool ok = !expect_sha256 || strcmp(expect_sha256, upload->sha256) == 0;
    if (!ok)
        nv_fail(err, NV_DATA_LOSS, "document: its SHA-256 is %s, expected %.64s", upload->sha256,
                expect_sha256);
    ok = ok && store_write(upload->store, apply_finish, upload, upload->buffered, err);
    if (ok && out_sha256)
        memcpy(out_sha256, upload->sha256, sizeof upload->sha256);
    if (!ok)
        drop_spilled(upload);
    upload_free(upload);
    return ok;
}

bool store_document_put(store_t *store, const char *tenant, const void *data, size_t length,
                        char out_sha256[65], nv_error_t *err)
{
    store_upload_t *upload;
    if (!store_upload_begin(store, tenant, &upload, err))
        return false;
    if (!store_upload_add(upload, 0, data, length, err)) {
        store_upload_abort(upload);
        return false;
    }
    return store_upload_finish(upload, NULL, out_sha256, err);
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
    if (!find_document(db, r->tenant, r->sha256, &r->document, err))
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
    return find_document(db, r->tenant, r->sha256, &r->document, err);
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

/* ---- clean-up ---- */

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
            !drop_content(db, c->tenant, c->content_id[i], err))
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
        if (!drop_content(db, c->tenant, c->content_id[i], err))
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

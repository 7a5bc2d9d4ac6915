/* Uploading documents: hashed on the way; beyond what fits in memory, chunks go to the store as they come. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "controlplane/store/documents.h"
#include "controlplane/store/internal.h"

enum { SPILL_BYTES = 4 * STORE_CHUNK_BYTES /* what stays in memory, and what one transaction writes */ };
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

/* The tenant has this content already: ours goes, and the age starts anew so that the clean-up leaves it to the run that is
 * about to refer to it. */
static bool use_existing(db_t *db, const store_upload_t *upload, nv_error_t *err)
{
    return db_write(db, DB_DOCUMENT_TOUCH,
                    DB_PARAMS(db_i(store_now_ms()), db_s(upload->tenant), db_s(upload->sha256)), NULL, err) &&
           document_drop_content(db, upload->tenant, upload->content_id, err);
}

static bool apply_finish(db_t *db, void *arg, nv_error_t *err)
{
    const store_upload_t *upload = arg;
    found_document_t existing;
    if (!document_find(db, upload->tenant, upload->sha256, &existing, err))
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
    return document_drop_content(db, upload->tenant, upload->content_id, err);
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

/* The store: documents, immutable bytes, known by their SHA-256 (lower-case hex), kept once per tenant. Threads, errors and
 * ownership as in store.h. */
#ifndef CONTROLPLANE_STORE_DOCUMENTS_H
#define CONTROLPLANE_STORE_DOCUMENTS_H

#include "controlplane/store/store.h"

typedef struct store_upload store_upload_t;

/* Collects a document. Up to 1 MiB stays in memory; beyond that full chunks go to the store, and become a
 * document only with store_upload_finish(). One thread at a time per upload. */
bool store_upload_begin(store_t *store, const char *tenant, store_upload_t **out,
                        nv_error_t *err) NV_MUST_CHECK;
/* Bytes must come in order: offset is where they start. OUT_OF_RANGE otherwise; RESOURCE_EXHAUSTED over the
 * limit. */
bool store_upload_add(store_upload_t *upload, int64_t offset, const void *data, size_t length,
                      nv_error_t *err) NV_MUST_CHECK;
/* Makes it durable and frees the upload, whatever the outcome. expect_sha256 NULL: not checked; a mismatch is
 * DATA_LOSS and leaves nothing. out_sha256 may be NULL. */
bool store_upload_finish(store_upload_t *upload, const char *expect_sha256, char out_sha256[65],
                         nv_error_t *err) NV_MUST_CHECK;
/* Gives up and frees; NULL is fine. */
void store_upload_abort(store_upload_t *upload);

/* A whole document at once. */
bool store_document_put(store_t *store, const char *tenant, const void *data, size_t length,
                        char out_sha256[65], nv_error_t *err) NV_MUST_CHECK;
/* NOT_FOUND where the tenant has none with this hash. out_bytes may be NULL. */
bool store_document_stat(store_t *store, const char *tenant, const char *sha256, int64_t *out_bytes,
                         nv_error_t *err) NV_MUST_CHECK;
/* At most max_length bytes from offset (up to 4 MiB a call); empty at the end. */
bool store_document_read(store_t *store, nv_mem_t *ctx, const char *tenant, const char *sha256,
                         int64_t offset, size_t max_length, nv_bytes_t *out, nv_error_t *err) NV_MUST_CHECK;
/* The whole of it, hash verified (DATA_LOSS); refuses more than max_length. */
bool store_document_get(store_t *store, nv_mem_t *ctx, const char *tenant, const char *sha256,
                        size_t max_length, nv_bytes_t *out, nv_error_t *err) NV_MUST_CHECK;
/* True when a commit of this run listed the document or an artifact of it. */
bool store_run_has_document(store_t *store, const char *tenant, const char *run_id, const char *sha256,
                            bool *out, nv_error_t *err) NV_MUST_CHECK;
/* Deletes documents of the tenant that no run refers to and that are older than `before`, and abandoned
 * uploads. */
bool store_document_gc(store_t *store, const char *tenant, int64_t before_unix_ms, int64_t *out_deleted,
                       nv_error_t *err) NV_MUST_CHECK;

#endif

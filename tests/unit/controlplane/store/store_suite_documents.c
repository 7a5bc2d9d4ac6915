/* Documents: chunks, deduplication within a tenant only, limits, clean-up. */
#include "controlplane/store/documents.h"
#include "store_suite.h"

static char *pattern(nv_mem_t *ctx, size_t n, unsigned seed)
{
    char *data = nv_alloc(ctx, n + 1);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        data[i] = (char)(seed >> 24);
    }
    return data;
}

static void put_in_pieces(fixture_t *f, const char *tenant, const char *data, size_t n, size_t piece,
                          char sha[65])
{
    store_upload_t *upload;
    assert_ok(f, store_upload_begin(f->store, tenant, &upload, &f->err));
    for (size_t at = 0; at < n; at += piece)
        assert_ok(f,
                  store_upload_add(upload, (int64_t)at, data + at, n - at < piece ? n - at : piece, &f->err));
    assert_ok(f, store_upload_finish(upload, NULL, sha, &f->err));
}

static void test_sizes_around_chunks(void **state)
{
    fixture_t *f = *state;
    const size_t c = STORE_CHUNK_BYTES;
    const size_t sizes[] = {0, 1, c - 1, c, c + 1, 4 * c - 1, 4 * c, 4 * c + 1, 9 * c + 77};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *data = pattern(f->ctx, sizes[i], (unsigned)i);
        char sha[65];
        put_in_pieces(f, "acme", data, sizes[i], 100003, sha);
        int64_t bytes;
        assert_ok(f, store_document_stat(f->store, "acme", sha, &bytes, &f->err));
        assert_int_equal(bytes, sizes[i]);
        nv_bytes_t got;
        assert_ok(f, store_document_get(f->store, f->ctx, "acme", sha, sizes[i], &got, &f->err));
        assert_true(nv_bytes_equal(got, nv_bytes(data, sizes[i])));
        nv_mem_free(data);
    }
}

static void test_known_hash(void **state)
{
    fixture_t *f = *state;
    char sha[65];
    assert_ok(f, store_document_put(f->store, "acme", "abc", 3, sha, &f->err));
    assert_string_equal(sha, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_ranges(void **state)
{
    fixture_t *f = *state;
    size_t n = 3 * STORE_CHUNK_BYTES + 10;
    char *data = pattern(f->ctx, n, 9);
    char sha[65];
    assert_ok(f, store_document_put(f->store, "acme", data, n, sha, &f->err));
    const struct {
        int64_t offset;
        size_t length, expected;
    } ranges[] = {{0, 10, 10},
                  {STORE_CHUNK_BYTES - 5, 10, 10},
                  {STORE_CHUNK_BYTES, 1, 1},
                  {100, 2 * STORE_CHUNK_BYTES, 2 * STORE_CHUNK_BYTES},
                  {(int64_t)n - 3, 100, 3},
                  {(int64_t)n, 100, 0},
                  {INT64_MAX, 100, 0},
                  {5, 0, 0}};
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        nv_bytes_t got;
        assert_ok(f, store_document_read(f->store, f->ctx, "acme", sha, ranges[i].offset, ranges[i].length,
                                         &got, &f->err));
        assert_int_equal(got.length, ranges[i].expected);
        if (got.length)
            assert_memory_equal(got.data, data + ranges[i].offset, got.length);
    }
    nv_bytes_t got;
    assert_fails(f, NV_OUT_OF_RANGE,
                 store_document_read(f->store, f->ctx, "acme", sha, -1, 1, &got, &f->err));
    assert_fails(f, NV_INVALID_ARGUMENT,
                 store_document_read(f->store, f->ctx, "acme", "../x", 0, 1, &got, &f->err));
    assert_fails(f, NV_RESOURCE_EXHAUSTED,
                 store_document_get(f->store, f->ctx, "acme", sha, n - 1, &got, &f->err));
}

static void test_same_content_per_tenant(void **state)
{
    fixture_t *f = *state;
    size_t n = 5 * STORE_CHUNK_BYTES;
    char *data = pattern(f->ctx, n, 3);
    char sha[65];
    put_in_pieces(f, "acme", data, n, n, sha);
    assert_fails(f, NV_NOT_FOUND, store_document_stat(f->store, "other", sha, NULL, &f->err));
    put_in_pieces(f, "acme", data, n, 70000, sha); /* again: one document */
    put_in_pieces(f, "other", data, n, n, sha);
    int64_t deleted;
    assert_ok(f, store_document_gc(f->store, "acme", INT64_MAX, &deleted, &f->err));
    assert_int_equal(deleted, 1);
    assert_fails(f, NV_NOT_FOUND, store_document_stat(f->store, "acme", sha, NULL, &f->err));
    nv_bytes_t got;
    assert_ok(f, store_document_get(f->store, f->ctx, "other", sha, n, &got, &f->err));
}

static void test_upload_errors(void **state)
{
    fixture_t *f = *state;
    store_upload_t *upload;
    assert_ok(f, store_upload_begin(f->store, "acme", &upload, &f->err));
    assert_ok(f, store_upload_add(upload, 0, "abc", 3, &f->err));
    assert_fails(f, NV_OUT_OF_RANGE, store_upload_add(upload, 2, "c", 1, &f->err));
    assert_fails(f, NV_OUT_OF_RANGE, store_upload_add(upload, 4, "c", 1, &f->err));
    assert_fails(f, NV_RESOURCE_EXHAUSTED, store_upload_add(upload, 3, "c", STORE_DOCUMENT_MAX, &f->err));
    char wrong[65] = "00000000000000000000000000000000000000000000000000000000000000ff";
    assert_fails(f, NV_DATA_LOSS, store_upload_finish(upload, wrong, NULL, &f->err));
    assert_fails(f, NV_NOT_FOUND,
                 store_document_stat(f->store, "acme",
                                     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", NULL,
                                     &f->err));
    assert_fails(f, NV_INVALID_ARGUMENT, store_upload_begin(f->store, "", &upload, &f->err));
    store_upload_abort(NULL);
}

static void test_abandoned_upload_leaves_nothing(void **state)
{
    fixture_t *f = *state;
    size_t n = 6 * STORE_CHUNK_BYTES;
    char *data = pattern(f->ctx, n, 5);
    store_upload_t *upload;
    assert_ok(f, store_upload_begin(f->store, "acme", &upload, &f->err));
    assert_ok(f, store_upload_add(upload, 0, data, n, &f->err)); /* part of it is in the store now */
    store_upload_abort(upload);
    assert_ok(f, store_upload_begin(f->store, "acme", &upload, &f->err));
    assert_ok(f, store_upload_add(upload, 0, data, n, &f->err));
    char sha[65];
    assert_ok(f, store_upload_finish(upload, NULL, sha, &f->err));
    nv_bytes_t got;
    assert_ok(f, store_document_get(f->store, f->ctx, "acme", sha, n, &got, &f->err));
}

static void test_clean_up_keeps_what_is_used(void **state)
{
    fixture_t *f = *state;
    suite_create_run(f, "acme", "r1");
    char used[65], unused[65];
    assert_ok(f, store_document_put(f->store, "acme", "used", 4, used, &f->err));
    assert_ok(f, store_document_put(f->store, "acme", "unused", 6, unused, &f->err));
    const char *documents[] = {used};
    store_batch_t batch = {
        .tenant = "acme", .run_id = "r1", .expect_epoch = 1, .documents = documents, .n_documents = 1};
    assert_ok(f, store_commit(f->store, &batch, NULL, &f->err));
    int64_t deleted;
    assert_ok(f, store_document_gc(f->store, "acme", 0, &deleted, &f->err)); /* all are younger */
    assert_int_equal(deleted, 0);
    assert_ok(f, store_document_gc(f->store, "acme", INT64_MAX, &deleted, &f->err));
    assert_int_equal(deleted, 1);
    assert_ok(f, store_document_stat(f->store, "acme", used, NULL, &f->err));
    assert_fails(f, NV_NOT_FOUND, store_document_stat(f->store, "acme", unused, NULL, &f->err));
    bool has;
    assert_ok(f, store_run_has_document(f->store, "acme", "r1", unused, &has, &f->err));
    assert_false(has);
}

int suite_documents(void)
{
    const struct CMUnitTest tests[] = {
        SUITE_CASE(test_sizes_around_chunks),
        SUITE_CASE(test_known_hash),
        SUITE_CASE(test_ranges),
        SUITE_CASE(test_same_content_per_tenant),
        SUITE_CASE(test_upload_errors),
        SUITE_CASE(test_abandoned_upload_leaves_nothing),
        SUITE_CASE(test_clean_up_keeps_what_is_used),
    };
    return cmocka_run_group_tests_name("store: documents", tests, NULL, NULL);
}

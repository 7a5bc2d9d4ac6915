/* Knowledge cases: nearest first, filters, and no way to another tenant's. */
#include <math.h>

#include "common/embedding/embedding.h"
#include "controlplane/store/cases.h"
#include "store_suite.h"

enum { D = STORE_EMBEDDING_DIMENSIONS };

static void put_case(fixture_t *f, const char *tenant, const char *id, int64_t kind, const char *stage,
                     const char *symptom, const char *text)
{
    float embedding[D];
    nv_embedding(text, strlen(text), embedding);
    store_case_t item = {.case_id = id,
                         .kind = kind,
                         .stage = stage,
                         .symptom = symptom,
                         .run_id = "r",
                         .created_unix_ms = 1,
                         .data = nv_bytes_text(text),
                         .embedding = embedding};
    assert_ok(f, store_case_put(f->store, tenant, &item, &f->err));
}

static size_t search(fixture_t *f, store_case_query_t query, const char *text, store_case_t **out)
{
    float embedding[D];
    nv_embedding(text, strlen(text), embedding);
    query.embedding = embedding;
    size_t n;
    assert_ok(f, store_case_search(f->store, f->ctx, &query, out, &n, &f->err));
    return n;
}

static void fill(fixture_t *f)
{
    put_case(f, "acme", "c1", 1, "design", "", "orders customers products order items");
    put_case(f, "acme", "c2", 2, "design", "fanout", "orders customers invoices");
    put_case(f, "acme", "c3", 2, "generate", "fanout", "patients admissions wards");
    put_case(f, "acme", "c4", 1, "generate", "a symptom of more than twelve bytes",
             "flights airports carriers");
    put_case(f, "evil", "c1", 1, "design", "", "orders customers products order items");
    put_case(f, "evil", "e2", 1, "design", "", "orders customers products order items stock");
}

static void test_index_is_the_expected_one(void **state)
{
    fixture_t *f = *state;
    store_status_t status;
    store_get_status(f->store, &status);
    if (strncmp(status.vector, suite_engine.vector, strlen(suite_engine.vector)) != 0)
        fail_msg("%s", status.vector);
}

static void test_nearest_first(void **state)
{
    fixture_t *f = *state;
    fill(f);
    store_case_t *found;
    store_case_query_t query = {.tenant = "acme", .min_similarity = -1, .limit = 10};
    assert_int_equal(search(f, query, "orders customers products order items", &found), 4);
    assert_string_equal(found[0].case_id, "c1");
    assert_string_equal(found[1].case_id, "c2");
    assert_true(fabs(found[0].similarity - 1) < 1e-4);
    for (size_t i = 1; i < 4; i++) {
        assert_true(found[i].similarity <= found[i - 1].similarity);
        float wanted[D];
        const char *text = "orders customers products order items";
        nv_embedding(text, strlen(text), wanted);
        assert_true(fabs(found[i].similarity - nv_embedding_similarity(wanted, found[i].embedding, D)) <
                    1e-4);
    }
    query.limit = 1;
    assert_int_equal(search(f, query, "orders", &found), 1);
    query.limit = 10;
    query.min_similarity = 0.5;
    assert_int_equal(search(f, query, "orders customers products order items", &found), 2);
}

static void test_all_combinations_of_filters(void **state)
{
    fixture_t *f = *state;
    fill(f);
    static const char *const symptom_of[] = {"", "fanout", "fanout", "a symptom of more than twelve bytes"};
    static const char *const stage_of[] = {"design", "design", "generate", "generate"};
    static const int64_t kind_of[] = {1, 2, 2, 1};
    for (int mask = 0; mask < 8; mask++)
        for (int like = 0; like < 4; like++) {
            store_case_query_t query = {.tenant = "acme", .min_similarity = -1, .limit = 10};
            query.kind = mask & 1 ? kind_of[like] : 0;
            query.stage = mask & 2 ? stage_of[like] : NULL;
            query.symptom = mask & 4 ? symptom_of[like] : NULL;
            size_t expected = 0;
            for (int i = 0; i < 4; i++)
                expected += (!query.kind || kind_of[i] == query.kind) &&
                            (!query.stage || strcmp(stage_of[i], query.stage) == 0) &&
                            (!query.symptom || !*query.symptom || strcmp(symptom_of[i], query.symptom) == 0);
            store_case_t *found;
            assert_int_equal(search(f, query, "orders patients flights", &found), expected);
        }
}

static void test_never_another_tenants(void **state)
{
    fixture_t *f = *state;
    fill(f);
    for (int i = 0; i < 150; i++) { /* the neighbour's crowd must not push ours out of the first k */
        char id[16];
        snprintf(id, sizeof id, "x%d", i);
        put_case(f, "evil", id, 1, "design", "", "orders customers products order items");
    }
    store_case_t *found;
    store_case_query_t query = {.tenant = "acme", .min_similarity = -1, .limit = 100};
    assert_int_equal(search(f, query, "orders customers products order items", &found), 4);
    query.tenant = "nobody";
    assert_int_equal(search(f, query, "orders", &found), 0);
    query.tenant = "' OR 1=1 --";
    assert_int_equal(search(f, query, "orders", &found), 0);
    store_case_t item;
    assert_fails(f, NV_NOT_FOUND, store_case_get(f->store, f->ctx, "acme", "e2", &item, &f->err));
    assert_fails(f, NV_NOT_FOUND, store_case_delete(f->store, "acme", "e2", &f->err));
    assert_ok(f, store_case_delete(f->store, "acme", "c1", &f->err)); /* the other's c1 stays */
    assert_ok(f, store_case_get(f->store, f->ctx, "evil", "c1", &item, &f->err));
    query.tenant = "evil";
    assert_int_equal(search(f, query, "orders", &found), 100);
}

static void test_replace_and_delete(void **state)
{
    fixture_t *f = *state;
    put_case(f, "acme", "c1", 1, "design", "", "orders");
    put_case(f, "acme", "c1", 2, "generate", "s", "hospital");
    int64_t count;
    assert_ok(f, store_case_count(f->store, "acme", &count, &f->err));
    assert_int_equal(count, 1);
    store_case_t *found;
    store_case_query_t query = {.tenant = "acme", .kind = 2, .min_similarity = 0.9, .limit = 5};
    assert_int_equal(search(f, query, "hospital", &found), 1);
    query.kind = 1;
    query.min_similarity = -1;
    assert_int_equal(search(f, query, "orders", &found), 0);
    assert_ok(f, store_case_delete(f->store, "acme", "c1", &f->err));
    query.kind = 0;
    assert_int_equal(search(f, query, "hospital", &found), 0);
}

static void test_bad_vectors(void **state)
{
    fixture_t *f = *state;
    float embedding[D] = {0};
    store_case_t item = {.case_id = "c", .embedding = embedding};
    assert_fails(f, NV_INVALID_ARGUMENT, store_case_put(f->store, "acme", &item, &f->err));
    embedding[7] = NAN;
    assert_fails(f, NV_INVALID_ARGUMENT, store_case_put(f->store, "acme", &item, &f->err));
    embedding[7] = INFINITY;
    store_case_query_t query = {.tenant = "acme", .embedding = embedding, .limit = 5};
    store_case_t *found;
    size_t n;
    assert_fails(f, NV_INVALID_ARGUMENT, store_case_search(f->store, f->ctx, &query, &found, &n, &f->err));
    embedding[7] = 1;
    query.limit = 0;
    assert_fails(f, NV_INVALID_ARGUMENT, store_case_search(f->store, f->ctx, &query, &found, &n, &f->err));
}

/* Cases put and deleted while the index could not be used are found by it afterwards. */
static void test_index_catches_up(void **state)
{
    fixture_t *f = *state;
    fill(f);
    store_close(f->store);
    store_options_t without = f->options;
    without.vector_extension = NULL;
    assert_ok(f, store_open(&without, &f->store, &f->err));
    put_case(f, "acme", "c5", 1, "design", "", "ships harbours cargo");
    put_case(f, "acme", "c1", 1, "design", "", "trains stations");
    assert_ok(f, store_case_delete(f->store, "acme", "c2", &f->err));
    store_case_t *found;
    store_case_query_t query = {.tenant = "acme", .min_similarity = 0.9, .limit = 10};
    assert_int_equal(search(f, query, "ships harbours cargo", &found), 1);
    store_close(f->store);
    assert_ok(f, store_open(&f->options, &f->store, &f->err));
    assert_int_equal(search(f, query, "ships harbours cargo", &found), 1);
    assert_int_equal(search(f, query, "trains stations", &found), 1);
    assert_int_equal(search(f, query, "orders customers products order items", &found), 0);
    assert_int_equal(search(f, query, "orders customers invoices", &found), 0);
    query.min_similarity = -1;
    assert_int_equal(search(f, query, "orders", &found), 4);
}

int suite_cases(void)
{
    const struct CMUnitTest tests[] = {
        SUITE_CASE(test_index_is_the_expected_one),
        SUITE_CASE(test_nearest_first),
        SUITE_CASE(test_all_combinations_of_filters),
        SUITE_CASE(test_never_another_tenants),
        SUITE_CASE(test_replace_and_delete),
        SUITE_CASE(test_bad_vectors),
        SUITE_CASE(test_index_catches_up),
    };
    return cmocka_run_group_tests_name("store: cases", tests, NULL, NULL);
}

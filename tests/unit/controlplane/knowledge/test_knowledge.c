#include "controlplane/knowledge/knowledge.h"

#include <math.h>

#include "../store/vector_leaks.h"
#include "../tenancy/temp_store.h"
#include "common/embedding/embedding.h"
#include "controlplane/store/cases.h"

static const char *extension;

static int setup(void **state)
{
    *state = temp_store_new(extension);
    return 0;
}

static int teardown(void **state)
{
    temp_store_free(*state);
    return 0;
}

#define T(text) ((char *)(uintptr_t)(text))

static Nv__KnowledgeCase golden(const char *fingerprint)
{
    Nv__KnowledgeCase c = NV__KNOWLEDGE_CASE__INIT;
    c.kind = NV__CASE_KIND__CASE_KIND_GOLDEN;
    c.stage = T("design");
    c.fingerprint = T(fingerprint);
    c.lesson = T("order_items is the fact");
    c.validator = T("validation.reconciliation");
    c.run_id = T("r1");
    return c;
}

static const knowledge_proof_t passed = {.run_id = "r1", .outcome = "pass"};

static void test_admission(void **state)
{
    temp_store_t *t = *state;
    Nv__KnowledgeCase c = golden("orders customers");
    knowledge_proof_t failed = {.run_id = "r1", .outcome = "fail"},
                      foreign = {.run_id = "r2", .outcome = "pass"};
    assert_fails(t, NV_FAILED_PRECONDITION,
                 knowledge_add(t->store, t->ctx, "acme", &c, &failed, 1, NULL, &t->err));
    assert_fails(t, NV_FAILED_PRECONDITION,
                 knowledge_add(t->store, t->ctx, "acme", &c, &foreign, 1, NULL, &t->err));
    assert_fails(t, NV_FAILED_PRECONDITION,
                 knowledge_add(t->store, t->ctx, "acme", &c, NULL, 1, NULL, &t->err));
    c.validator = T("");
    assert_fails(t, NV_FAILED_PRECONDITION,
                 knowledge_add(t->store, t->ctx, "acme", &c, &passed, 1, NULL, &t->err));
    c = golden("");
    assert_fails(t, NV_INVALID_ARGUMENT,
                 knowledge_add(t->store, t->ctx, "acme", &c, &passed, 1, NULL, &t->err));
    c = golden("orders");
    c.kind = NV__CASE_KIND__CASE_KIND_CORRECTION;
    assert_fails(t, NV_INVALID_ARGUMENT,
                 knowledge_add(t->store, t->ctx, "acme", &c, &passed, 1, NULL, &t->err));
    c = golden("orders");
    float few[3] = {1, 2, 3};
    c.embedding = few;
    c.n_embedding = 3;
    assert_fails(t, NV_INVALID_ARGUMENT,
                 knowledge_add(t->store, t->ctx, "acme", &c, &passed, 1, NULL, &t->err));
    int64_t count;
    assert_ok(t, store_case_count(t->store, "acme", &count, &t->err));
    assert_int_equal(count, 0);
}

static void test_add_search_get(void **state)
{
    temp_store_t *t = *state;
    Nv__KnowledgeCase shop = golden("orders(order_id int key) customers(customer_id int key)");
    Nv__KnowledgeCase clinic = golden("patients(mrn key) wards(ward_id key)");
    char *shop_id, *clinic_id, *again;
    assert_ok(t, knowledge_add(t->store, t->ctx, "acme", &shop, &passed, 77, &shop_id, &t->err));
    assert_ok(t, knowledge_add(t->store, t->ctx, "acme", &clinic, &passed, 77, &clinic_id, &t->err));
    assert_ok(t, knowledge_add(t->store, t->ctx, "acme", &shop, &passed, 78, &again, &t->err));
    assert_string_equal(shop_id, again); /* learned twice: one case */
    knowledge_query_t query = {.tenant = "acme", .text = "orders customers"};
    Nv__KnowledgeHits *hits;
    assert_ok(t, knowledge_search(t->store, t->ctx, &query, &hits, &t->err));
    assert_true(hits->n_hits >= 1);
    assert_string_equal(hits->hits[0]->found->id, shop_id);
    assert_string_equal(hits->hits[0]->found->lesson, "order_items is the fact");
    assert_int_equal(hits->hits[0]->found->n_embedding, 0);
    assert_true(hits->hits[0]->similarity > 0.5 && hits->hits[0]->similarity <= 1.0001);
    Nv__KnowledgeCase *got;
    assert_ok(t, knowledge_get(t->store, t->ctx, "acme", clinic_id, &got, &t->err));
    assert_string_equal(got->fingerprint, clinic.fingerprint);
    assert_int_equal(got->created_unix_ms, 77);
    query.stage = "generate";
    assert_ok(t, knowledge_search(t->store, t->ctx, &query, &hits, &t->err));
    assert_int_equal(hits->n_hits, 0);
}

static void test_no_case_crosses_tenants(void **state)
{
    temp_store_t *t = *state;
    Nv__KnowledgeCase c = golden("orders customers");
    char *id;
    assert_ok(t, knowledge_add(t->store, t->ctx, "acme", &c, &passed, 1, &id, &t->err));
    static const char *const others[] = {"evil", "acm", "acme2", "ACME", "acme' --", "%", "*"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        knowledge_query_t query = {
            .tenant = others[i], .text = "orders customers", .min_similarity = -1, .limit = 50};
        Nv__KnowledgeHits *hits;
        Nv__KnowledgeCase *got;
        assert_ok(t, knowledge_search(t->store, t->ctx, &query, &hits, &t->err));
        assert_int_equal(hits->n_hits, 0);
        assert_fails(t, NV_NOT_FOUND, knowledge_get(t->store, t->ctx, others[i], id, &got, &t->err));
        assert_fails(t, NV_NOT_FOUND, knowledge_delete(t->store, others[i], id, &t->err));
    }
    knowledge_query_t nobody = {.tenant = "", .text = "orders"};
    Nv__KnowledgeHits *hits;
    assert_fails(t, NV_INVALID_ARGUMENT, knowledge_search(t->store, t->ctx, &nobody, &hits, &t->err));
    /* The same id added by another tenant replaces nothing of ours. */
    Nv__KnowledgeCase theirs = golden("spoofed");
    theirs.id = id;
    assert_ok(t, knowledge_add(t->store, t->ctx, "evil", &theirs, &passed, 1, NULL, &t->err));
    Nv__KnowledgeCase *got;
    assert_ok(t, knowledge_get(t->store, t->ctx, "acme", id, &got, &t->err));
    assert_string_equal(got->fingerprint, "orders customers");
}

static void test_message_of_a_worker(void **state)
{
    temp_store_t *t = *state;
    Nv__KnowledgeQuery message = NV__KNOWLEDGE_QUERY__INIT;
    message.fingerprint = T("orders");
    message.limit = 3;
    knowledge_query_t query;
    assert_ok(t, knowledge_query_from(&message, "acme", &query, &t->err));
    assert_string_equal(query.tenant, "acme");
    assert_int_equal(query.limit, 3);
    float few[3] = {0};
    message.embedding = few;
    message.n_embedding = 3;
    assert_fails(t, NV_INVALID_ARGUMENT, knowledge_query_from(&message, "acme", &query, &t->err));
    message.n_embedding = 0;
    message.limit = 51;
    assert_fails(t, NV_INVALID_ARGUMENT, knowledge_query_from(&message, "acme", &query, &t->err));
    Nv__KnowledgeHits *hits;
    knowledge_query_t empty = {.tenant = "acme", .text = " ,;"};
    assert_fails(t, NV_INVALID_ARGUMENT, knowledge_search(t->store, t->ctx, &empty, &hits, &t->err));
    float bad[NV_EMBEDDING_DIMENSIONS] = {NAN};
    knowledge_query_t nan = {.tenant = "acme", .embedding = bad};
    assert_fails(t, NV_INVALID_ARGUMENT, knowledge_search(t->store, t->ctx, &nan, &hits, &t->err));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {CASE(test_admission), CASE(test_add_search_get),
                                       CASE(test_no_case_crosses_tenants), CASE(test_message_of_a_worker)};
    extension = NUVYN_HOME "/sqlite-vec/vec0.so";
    keep_vector_loaded(extension);
    int failed = cmocka_run_group_tests_name("with sqlite-vec", tests, NULL, NULL);
    extension = NULL;
    return failed + cmocka_run_group_tests_name("exact scan", tests, NULL, NULL);
}

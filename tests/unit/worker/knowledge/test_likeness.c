#include "worker/knowledge/likeness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/embedding/embedding.h"
#include "worker/knowledge/fingerprint.h"

static const char shop[] = "customers(customer_id int unique, email text email, segment text)\n"
                           "orders(order_id int unique, customer_id int, ordered_at time, total decimal)\n";
static const char shop_later[] =
    "customers(customer_id int unique, email text email, segment text, loaded_by text)\n"
    "orders(order_id int unique, customer_id int, ordered_at time, total decimal, loaded_by text)\n";
static const char shop_elsewhere[] =
    "Customer(CustomerID int unique, Email text, Segment text)\n"
    "Order(OrderID int unique, CustomerID int, OrderedAt time, Total double)\n";
static const char airline[] = "flights(id int unique, name text, aircraft text, created date)\n"
                              "airports(id int unique, name text, iata text, created date)\n";
static const char clinic[] = "patients(id int unique, name text, ward text, created date)\n"
                             "visits(id int unique, name text, diagnosis text, created date)\n";

static double likeness(const char *a, const char *b)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    double forth = fingerprint_likeness(ctx, a, b), back = fingerprint_likeness(ctx, b, a);
    assert_true(forth - back < 1e-9 && back - forth < 1e-9);
    return forth;
}

static void the_same_names_are_alike(void **state)
{
    (void)state;
    assert_true(likeness(shop, shop) > 0.999);
    assert_true(likeness(shop, shop_later) >= likeness_near);
    assert_true(likeness(shop, shop_elsewhere) >= likeness_near); /* another style of naming */
}

/* Every schema has ids, names and dates; that makes nothing alike. */
static void what_every_schema_has_does_not_count(void **state)
{
    (void)state;
    assert_true(likeness(airline, clinic) < likeness_related);
    assert_true(likeness(airline, shop) < likeness_related);
    float a[NV_EMBEDDING_DIMENSIONS], b[NV_EMBEDDING_DIMENSIONS];
    fingerprint_embed("flights(aircraft text unique, iata text)\n", a);
    fingerprint_embed("patients(ward text unique, diagnosis text)\n", b);
    assert_true(nv_embedding_similarity(a, b, NV_EMBEDDING_DIMENSIONS) < 0.3); /* types are not names */
}

static void odd_texts_are_no_trouble(void **state)
{
    (void)state;
    static const char *const odd[] = {
        "", "\n\n", "(", "t(", "t()", "t(, ,)\n", "no columns", "(((,,,)))\n", "\xff(\xfe \xfd)"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        double with_shop = likeness(odd[i], shop), with_itself = likeness(odd[i], odd[i]);
        assert_true(with_shop >= 0 && with_shop < likeness_related);
        assert_true(with_itself >= 0 && with_itself <= 1);
    }
}

static Nv__KnowledgeHit hit_of(Nv__KnowledgeCase *found, const char *fingerprint)
{
    Nv__KnowledgeHit hit = NV__KNOWLEDGE_HIT__INIT;
    nv__knowledge_case__init(found);
    found->fingerprint = (char *)(uintptr_t)fingerprint;
    hit.found = found;
    hit.similarity = 0.6; /* what the vectors said */
    return hit;
}

static void only_what_helps_is_kept(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    Nv__KnowledgeCase cases[4];
    Nv__KnowledgeHit hits[] = {hit_of(&cases[0], airline), hit_of(&cases[1], shop_elsewhere),
                               hit_of(&cases[2], shop_later), hit_of(&cases[3], shop)};
    Nv__KnowledgeHit *list[] = {&hits[0], &hits[1], &hits[2], &hits[3]};
    Nv__KnowledgeReply reply = NV__KNOWLEDGE_REPLY__INIT;
    reply.hits = list;
    reply.n_hits = 4;
    likeness_keep(ctx, shop, 3, &reply);
    assert_int_equal(reply.n_hits, 3);
    assert_ptr_equal(reply.hits[2]->found, &cases[2]); /* the other two have the very same names */
    assert_true(reply.hits[0]->similarity > 0.999);
    reply.n_hits = 3;
    likeness_keep(ctx, shop, 1, &reply);
    assert_int_equal(reply.n_hits, 1);
    reply.n_hits = 1;
    likeness_keep(ctx, clinic, 3, &reply);
    assert_int_equal(reply.n_hits, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_names_are_alike),
        cmocka_unit_test(what_every_schema_has_does_not_count),
        cmocka_unit_test(odd_texts_are_no_trouble),
        cmocka_unit_test(only_what_helps_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Who leads. */
#include "store_suite.h"

#include <unistd.h>

static void test_one_leads(void **state)
{
    fixture_t *f = *state;
    store_status_t status;
    store_get_status(f->store, &status);
    store_leader_t a = {.owner = "a#1", .address = "a:1", .epoch = 41},
                   b = {.owner = "b#1", .address = "b:1"};
    store_leader_t leads;
    bool won;
    assert_ok(f, store_leader_claim(f->store, f->ctx, &a, 600, &won, &leads, &f->err));
    assert_true(won);
    assert_int_equal(leads.epoch, 42); /* more than asked for */
    a.epoch = leads.epoch;
    assert_ok(f, store_leader_renew(f->store, &a, 600, &f->err));
    assert_ok(f, store_leader_claim(f->store, f->ctx, &b, 600, &won, &leads, &f->err));
    assert_int_equal(won, !status.shared); /* a single process takes over at once */
    assert_string_equal(leads.address, status.shared ? "a:1" : "b:1");
    usleep(700000);
    assert_ok(f, store_leader_claim(f->store, f->ctx, &b, 600, &won, &leads, &f->err));
    assert_true(won);
    assert_true(leads.epoch > 42);
    assert_fails(f, NV_ABORTED, store_leader_renew(f->store, &a, 600, &f->err)); /* woke up too late */
    b.epoch = leads.epoch;
    assert_ok(f, store_leader_renew(f->store, &b, 0, &f->err)); /* leaves in good order */
    assert_ok(f, store_leader_claim(f->store, f->ctx, &a, 600, &won, &leads, &f->err));
    assert_true(won);
}

int suite_leaders(void)
{
    const struct CMUnitTest tests[] = {SUITE_CASE(test_one_leads)};
    return cmocka_run_group_tests_name("store: leaders", tests, NULL, NULL);
}

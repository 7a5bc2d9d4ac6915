/* Who leads. */
#include "controlplane/store/tenants.h"
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

static int64_t must_lead(fixture_t *f, store_t *store, const char *owner)
{
    store_leader_t wanted = {.owner = owner, .address = owner}, leads;
    bool won = false;
    for (int i = 0; i < 20 && !won; i++) {
        assert_ok(f, store_leader_claim(store, f->ctx, &wanted, 300, &won, &leads, &f->err));
        if (!won)
            usleep(50000);
    }
    assert_true(won);
    return leads.epoch;
}

/* What a leader that froze, and was followed by another one, still has in hand. A run that it begins would be known to
 * nobody: its follower has read the open runs already. */
static void test_a_deposed_leader_writes_nothing(void **state)
{
    fixture_t *f = *state;
    store_t *other;
    store_run_t run = {.epoch = 1, .state = "running"}, got;
    store_batch_t create = {.tenant = "acme", .run_id = "late", .create = &run};
    store_batch_t adopt = suite_change_of("known");
    store_tenant_t tenant = {.name = "acme", .display_name = "", .weight = 1};
    must_lead(f, f->store, "a#1");
    suite_create_run(f, "acme", "known");
    assert_ok(f, store_open(&f->options, &other, &f->err));
    assert_false(store_deposed(f->store));
    must_lead(f, other, "b#1");
    assert_true(store_deposed(f->store));
    assert_false(store_deposed(other));
    assert_fails(f, NV_ABORTED, store_commit(f->store, &create, NULL, &f->err));
    assert_non_null(strstr(f->err.message, "another control plane leads now"));
    adopt.new_epoch = 2;
    assert_fails(f, NV_ABORTED, store_commit(f->store, &adopt, NULL, &f->err));
    assert_fails(f, NV_ABORTED, store_tenant_create(f->store, &tenant, &f->err));
    assert_fails(f, NV_ABORTED, store_run_delete(f->store, "acme", "known", 1, &f->err));
    assert_fails(f, NV_NOT_FOUND, store_run_get(other, f->ctx, "acme", "late", &got, &f->err));
    assert_ok(f, store_run_get(other, f->ctx, "acme", "known", &got, &f->err));
    assert_int_equal(got.epoch, 1);
    assert_ok(f, store_commit(other, &create, NULL, &f->err)); /* who leads, writes */
    store_close(other);
}

int suite_leaders(void)
{
    const struct CMUnitTest tests[] = {SUITE_CASE(test_one_leads),
                                       SUITE_CASE(test_a_deposed_leader_writes_nothing)};
    return cmocka_run_group_tests_name("store: leaders", tests, NULL, NULL);
}

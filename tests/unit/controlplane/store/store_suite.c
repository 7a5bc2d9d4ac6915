/* What the suites share: a fresh database for each test, and its runs. */
#include "store_suite.h"

suite_engine_t suite_engine;

int suite_setup(void **state)
{
    fixture_t *f = calloc(1, sizeof *f);
    f->ctx = nv_mem_root("test");
    suite_engine.fresh(f->url, sizeof f->url);
    f->options = (store_options_t){.url = f->url, .vector_extension = suite_engine.vector_extension};
    if (!store_open(&f->options, &f->store, &f->err)) {
        print_error("%s\n", f->err.message);
        return -1;
    }
    *state = f;
    return 0;
}

int suite_teardown(void **state)
{
    fixture_t *f = *state;
    store_close(f->store);
    nv_mem_free(f->ctx);
    free(f);
    return 0;
}

void suite_create_run(fixture_t *f, const char *tenant, const char *run_id)
{
    store_run_t run = {.epoch = 1,
                       .state = "running",
                       .pool = "default",
                       .created_unix_ms = 1000,
                       .spec = nv_bytes("spec", 4)};
    store_batch_t batch = {.tenant = tenant, .run_id = run_id, .create = &run};
    assert_ok(f, store_commit(f->store, &batch, NULL, &f->err));
}

store_batch_t suite_change_of(const char *run_id)
{
    return (store_batch_t){.tenant = "acme", .run_id = run_id, .expect_epoch = 1};
}

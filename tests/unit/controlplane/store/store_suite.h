/* The tests of the store's behaviour, the same for both engines. */
#ifndef TESTS_STORE_SUITE_H
#define TESTS_STORE_SUITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controlplane/store/store.h"

/* Makes an empty database and writes its URL; NULL-terminated. */
typedef void suite_fresh_fn(char *url, size_t size);

typedef struct suite_engine {
    suite_fresh_fn *fresh;
    const char *vector_extension;
    const char *vector; /* what the status must start with */
} suite_engine_t;

typedef struct fixture {
    nv_mem_t *ctx;
    nv_error_t err;
    store_t *store;
    char url[512];
    store_options_t options;
} fixture_t;

/* The engine under test; set by main before the groups run. */
extern suite_engine_t suite_engine;

int suite_setup(void **state);
int suite_teardown(void **state);
#define SUITE_CASE(name) cmocka_unit_test_setup_teardown(name, suite_setup, suite_teardown)

/* Fails the test with the error's text. */
#define assert_ok(f, call)                                                                                   \
    do {                                                                                                     \
        if (!(call))                                                                                         \
            fail_msg("%s: %s (%s)", #call, (f)->err.message, nv_code_name((f)->err.code));                   \
    } while (0)
#define assert_fails(f, expected, call)                                                                      \
    do {                                                                                                     \
        nv_error_clear(&(f)->err);                                                                           \
        if (call)                                                                                            \
            fail_msg("%s: expected %s", #call, nv_code_name(expected));                                      \
        if ((f)->err.code != (expected))                                                                     \
            fail_msg("%s: %s (%s), expected %s", #call, (f)->err.message, nv_code_name((f)->err.code),       \
                     nv_code_name(expected));                                                                \
    } while (0)

/* A run of tenant "acme" at epoch 1. */
void suite_create_run(fixture_t *f, const char *tenant, const char *run_id);

/* An empty batch for a run of "acme" at epoch 1. */
store_batch_t suite_change_of(const char *run_id);

/* One of everything that a superstep of run "r1" commits; and that nothing of it is there. */
void suite_full_batch(fixture_t *f, store_batch_t *batch);
void suite_assert_untouched(fixture_t *f);

int suite_runs(void);
int suite_supersteps(void);
int suite_tenants(void);
int suite_writer(void);
int suite_documents(void);
int suite_cases(void);
int suite_leaders(void);

#endif

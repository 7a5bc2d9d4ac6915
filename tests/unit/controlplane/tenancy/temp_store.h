/* A store of its own for each test. */
#ifndef TESTS_TEMP_STORE_H
#define TESTS_TEMP_STORE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controlplane/store/store.h"

typedef struct temp_store {
    nv_mem_t *ctx;
    nv_error_t err;
    store_t *store;
    char folder[64];
} temp_store_t;

static inline temp_store_t *temp_store_new(const char *vector_extension)
{
    temp_store_t *t = calloc(1, sizeof *t);
    char url[128];
    snprintf(t->folder, sizeof t->folder, "/tmp/nv_temp_store_XXXXXX");
    if (!mkdtemp(t->folder))
        abort();
    t->ctx = nv_mem_root("test");
    snprintf(url, sizeof url, "sqlite:%s/s.db", t->folder);
    store_options_t options = {.url = url, .vector_extension = vector_extension};
    if (!store_open(&options, &t->store, &t->err)) {
        print_error("%s\n", t->err.message);
        abort();
    }
    return t;
}

static inline void temp_store_free(temp_store_t *t)
{
    char command[128];
    store_close(t->store);
    nv_mem_free(t->ctx);
    snprintf(command, sizeof command, "rm -rf %s", t->folder);
    if (system(command) != 0)
        print_error("%s stays\n", t->folder);
    free(t);
}

#define assert_ok(t, call)                                                                                   \
    do {                                                                                                     \
        if (!(call))                                                                                         \
            fail_msg("%s: %s (%s)", #call, (t)->err.message, nv_code_name((t)->err.code));                   \
    } while (0)
#define assert_fails(t, expected, call)                                                                      \
    do {                                                                                                     \
        nv_error_clear(&(t)->err);                                                                           \
        if (call)                                                                                            \
            fail_msg("%s: expected %s", #call, nv_code_name(expected));                                      \
        if ((t)->err.code != (expected))                                                                     \
            fail_msg("%s: %s (%s), expected %s", #call, (t)->err.message, nv_code_name((t)->err.code),       \
                     nv_code_name(expected));                                                                \
    } while (0)

#endif

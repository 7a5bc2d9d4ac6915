/* A system of raw tables, given as CSV text, and what discovery finds in it. */
#ifndef TESTS_UNIT_WORKER_DISCOVERY_RELATE_FIXTURE_H
#define TESTS_UNIT_WORKER_DISCOVERY_RELATE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/bench/design/mini/mini_profile.h"

typedef struct fixture {
    nv_mem_t *ctx;
    mini_t *mini;
    Nv__Relations *found;
} fixture_t;

static inline void add(fixture_t *f, const char *table, const char *csv)
{
    nv_error_t err = NV_ERROR_INIT;
    if (!mini_add_csv(f->mini, table, csv, &err))
        fail_msg("%s", err.message);
}

/* rows lines made by fmt from the row number, after the header. */
static inline char *rows(fixture_t *f, const char *header, int n, char *(*line)(nv_mem_t *ctx, int i))
{
    char *text = nv_printf(f->ctx, "%s\n", header);
    for (int i = 1; i <= n; i++)
        text = nv_printf(f->ctx, "%s%s\n", text, line(f->ctx, i));
    return text;
}

static inline void relate(fixture_t *f, bool safe)
{
    nv_error_t err = NV_ERROR_INIT;
    discovery_exact_t exact = mini_exact(f->mini);
    discovery_options_t options = {.exact = &exact, .safe = safe};
    if (!discovery_relate(f->ctx, mini_profile(f->mini), &options, &f->found, &err))
        fail_msg("%s", err.message);
}

static inline const Nv__Join *join(const fixture_t *f, const char *from, const char *column)
{
    for (size_t i = 0; i < f->found->n_joins; i++) {
        if (strcmp(f->found->joins[i]->from, from) == 0 &&
            strcmp(f->found->joins[i]->columns[0], column) == 0)
            return f->found->joins[i];
    }
    return NULL;
}

static inline void expect_join(const fixture_t *f, const char *from, const char *column, const char *to)
{
    const Nv__Join *found = join(f, from, column);
    if (found == NULL)
        fail_msg("%s.%s: no join", from, column);
    assert_string_equal(found->to, to);
    assert_true(found->n_evidence > 0);
}

static inline const Nv__PrimaryKey *key(const fixture_t *f, const char *table)
{
    for (size_t i = 0; i < f->found->n_primary_keys; i++) {
        if (strcmp(f->found->primary_keys[i]->table, table) == 0)
            return f->found->primary_keys[i];
    }
    return NULL;
}

static inline Nv__TableRole role(const fixture_t *f, const char *table)
{
    for (size_t i = 0; i < f->found->n_roles; i++) {
        if (strcmp(f->found->roles[i]->table, table) == 0)
            return f->found->roles[i]->role;
    }
    return NV__TABLE_ROLE__TABLE_ROLE_UNSPECIFIED;
}

static inline int set_up(void **state)
{
    nv_mem_t *ctx = nv_mem_root("test");
    fixture_t *f = NV_NEW(ctx, fixture_t);
    f->ctx = ctx;
    f->mini = mini_new(ctx);
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    nv_mem_free(((fixture_t *)*state)->ctx);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif

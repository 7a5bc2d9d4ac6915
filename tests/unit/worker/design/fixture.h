/* A small shop: header and lines, two dimensions with a snowflake, a role-played date, a bridge, and what is to be left out. Relations are
 * given by hand, so that a test of the design does not hang on discovery. */
#ifndef TESTS_UNIT_WORKER_DESIGN_FIXTURE_H
#define TESTS_UNIT_WORKER_DESIGN_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/bench/design/mini/mini_profile.h"
#include "worker/design/design.h"

typedef struct fixture {
    nv_mem_t *ctx;
    mini_t *mini;
    Nv__Relations *relations;
    size_t cap_keys, cap_joins, cap_roles;
    design_input_t input;
    Nv__StarSchema *star;
    Nv__Sttm *sttm;
} fixture_t;

static inline void fixture_key(fixture_t *f, const char *table, const char *a, const char *b)
{
    Nv__PrimaryKey *key = NV_NEW(f->ctx, Nv__PrimaryKey);
    nv__primary_key__init(key);
    key->table = nv_strdup(f->ctx, table);
    key->columns = NV_NEW_ARRAY(f->ctx, char *, 2);
    key->columns[key->n_columns++] = nv_strdup(f->ctx, a);
    if (b != NULL)
        key->columns[key->n_columns++] = nv_strdup(f->ctx, b);
    key->confidence = 1;
    NV_PUSH(f->ctx, f->relations->primary_keys, f->relations->n_primary_keys, f->cap_keys) = key;
}

static inline Nv__Join *fixture_join(fixture_t *f, const char *from, const char *column, const char *to,
                                     const char *to_column)
{
    Nv__Join *join = NV_NEW(f->ctx, Nv__Join);
    nv__join__init(join);
    join->from = nv_strdup(f->ctx, from);
    join->to = nv_strdup(f->ctx, to);
    join->columns = NV_NEW_ARRAY(f->ctx, char *, 1);
    join->to_columns = NV_NEW_ARRAY(f->ctx, char *, 1);
    join->columns[join->n_columns++] = nv_strdup(f->ctx, column);
    join->to_columns[join->n_to_columns++] = nv_strdup(f->ctx, to_column);
    join->cardinality = NV__CARDINALITY__CARDINALITY_MANY_TO_ONE;
    join->probability = 0.99;
    join->coverage = 1;
    NV_PUSH(f->ctx, f->relations->joins, f->relations->n_joins, f->cap_joins) = join;
    return join;
}

static inline void fixture_role(fixture_t *f, const char *table, Nv__TableRole role)
{
    Nv__SourceRole *out = NV_NEW(f->ctx, Nv__SourceRole);
    nv__source_role__init(out);
    out->table = nv_strdup(f->ctx, table);
    out->role = role;
    out->confidence = 0.9;
    NV_PUSH(f->ctx, f->relations->roles, f->relations->n_roles, f->cap_roles) = out;
}

static inline bool fixture_csv(fixture_t *f, const char *table, const char *csv)
{
    nv_error_t err = NV_ERROR_INIT;
    return mini_add_csv(f->mini, table, csv, &err);
}

static inline fixture_t *fixture_new(void)
{
    nv_mem_t *ctx = nv_mem_root("fixture");
    fixture_t *f = NV_NEW(ctx, fixture_t);
    f->ctx = ctx;
    f->mini = mini_new(ctx);
    f->relations = NV_NEW(ctx, Nv__Relations);
    nv__relations__init(f->relations);
    f->relations->method = nv_strdup(ctx, "evidence");
    f->input = (design_input_t){.name = "shop", .profile = mini_profile(f->mini), .relations = f->relations};
    return f;
}

static inline fixture_t *fixture_shop(void)
{
    fixture_t *f = fixture_new();
    bool ok =
        fixture_csv(f, "countries", "code,name\nDE,Germany\nFR,France\n") &&
        fixture_csv(
            f, "customers",
            "id,name,city,country_code,birth_date\n1,Ann,Bonn,DE,1990-01-01\n2,Bob,Lyon,FR,1985-02-03\n") &&
        fixture_csv(f, "products", "product_id,product_name,list_price\n1,Pen,1.50\n2,Cup,8.00\n") &&
        fixture_csv(f, "tags", "tag_id,tag\n1,new\n2,hot\n") &&
        fixture_csv(f, "product_tags", "product_id,tag_id\n1,1\n1,2\n2,2\n") &&
        fixture_csv(f, "orders",
                    "order_id,customer_id,order_date,ship_date,freight,note\n10,1,2024-01-02,2024-01-05,4.50,"
                    "\n11,2,2024-02-03,,3.00,x\n") &&
        fixture_csv(f, "order_items",
                    "order_id,line_no,product_id,quantity,unit_price\n10,1,1,3,1.50\n10,2,2,1,8.00\n11,1,1,2,"
                    "1.40\n") &&
        fixture_csv(f, "settings", "name,value\na,1\nb,2\n");
    fixture_key(f, "countries", "code", NULL);
    fixture_key(f, "customers", "id", NULL);
    fixture_key(f, "products", "product_id", NULL);
    fixture_key(f, "tags", "tag_id", NULL);
    fixture_key(f, "product_tags", "product_id", "tag_id");
    fixture_key(f, "orders", "order_id", NULL);
    fixture_key(f, "order_items", "order_id", "line_no");
    fixture_join(f, "customers", "country_code", "countries", "code");
    fixture_join(f, "orders", "customer_id", "customers", "id");
    fixture_join(f, "order_items", "order_id", "orders", "order_id");
    fixture_join(f, "order_items", "product_id", "products", "product_id");
    fixture_join(f, "product_tags", "product_id", "products", "product_id");
    fixture_join(f, "product_tags", "tag_id", "tags", "tag_id");
    fixture_role(f, "countries", NV__TABLE_ROLE__TABLE_ROLE_DIMENSION);
    fixture_role(f, "customers", NV__TABLE_ROLE__TABLE_ROLE_DIMENSION);
    fixture_role(f, "products", NV__TABLE_ROLE__TABLE_ROLE_DIMENSION);
    fixture_role(f, "tags", NV__TABLE_ROLE__TABLE_ROLE_DIMENSION);
    fixture_role(f, "product_tags", NV__TABLE_ROLE__TABLE_ROLE_BRIDGE);
    fixture_role(f, "orders", NV__TABLE_ROLE__TABLE_ROLE_FACT);
    fixture_role(f, "order_items", NV__TABLE_ROLE__TABLE_ROLE_FACT);
    fixture_role(f, "settings", NV__TABLE_ROLE__TABLE_ROLE_OTHER);
    return ok ? f : NULL;
}

static inline bool fixture_design(fixture_t *f, nv_error_t *err)
{
    return design_star(f->ctx, &f->input, &f->star, err) &&
           design_sttm(f->ctx, &f->input, f->star, "1", &f->sttm, err);
}

static inline void fixture_must_design(fixture_t *f)
{
    nv_error_t err = NV_ERROR_INIT;
    if (!fixture_design(f, &err))
        fail_msg("%s", err.message);
}

/* Groups of tests over the shop: as it is given, and with its star and mapping. */
static inline int fixture_set_up(void **state)
{
    *state = fixture_shop();
    assert_non_null(*state);
    return 0;
}

static inline int fixture_set_up_designed(void **state)
{
    fixture_set_up(state);
    fixture_must_design(*state);
    return 0;
}

static inline int fixture_tear_down(void **state)
{
    nv_mem_free(((fixture_t *)*state)->ctx);
    return 0;
}

static inline Nv__FactDesign *fixture_fact(const fixture_t *f, const char *name)
{
    for (size_t i = 0; i < f->star->n_facts; i++) {
        if (strcmp(f->star->facts[i]->name, name) == 0)
            return f->star->facts[i];
    }
    return NULL;
}

static inline Nv__DimensionDesign *fixture_dimension(const fixture_t *f, const char *name)
{
    for (size_t i = 0; i < f->star->n_dimensions; i++) {
        if (strcmp(f->star->dimensions[i]->name, name) == 0)
            return f->star->dimensions[i];
    }
    return NULL;
}

static inline Nv__SttmTarget *fixture_target(const fixture_t *f, const char *name)
{
    for (size_t i = 0; i < f->sttm->n_targets; i++) {
        if (strcmp(f->sttm->targets[i]->name, name) == 0)
            return f->sttm->targets[i];
    }
    return NULL;
}

static inline Nv__SttmColumn *fixture_column(const Nv__SttmTarget *target, const char *name)
{
    for (size_t i = 0; target != NULL && i < target->n_columns; i++) {
        if (strcmp(target->columns[i]->name, name) == 0)
            return target->columns[i];
    }
    return NULL;
}

#endif

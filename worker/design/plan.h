/* The working model of a design: tables with their decided keys, roles and joins, and what became of each column.
 * Internal to nv_design. */
#ifndef WORKER_DESIGN_PLAN_H
#define WORKER_DESIGN_PLAN_H

#include "worker/design/design.h"
#include "worker/design/identifiers.h"
#include "worker/discovery/schema.h"

typedef enum plan_kind {
    PLAN_OUT,
    PLAN_DIMENSION,
    PLAN_FACT,
    PLAN_BRIDGE,
    PLAN_FLATTENED,
    PLAN_EXTENSION
} plan_kind_t;

typedef struct plan_table {
    const dsc_table_t *t;
    int n_words; /* of its name that tell what it holds: "marketing spend" of marketing_spend_flat */
    Nv__TableRole role;
    double role_confidence;
    const Nv__PrimaryKey *key; /* NULL: none, or contradicted by the critique */
    plan_kind_t kind;
    bool used_directly; /* a fact or bridge references it */
    int facts_using;
    bool *covered;       /* per column: used or left out */
    const char *version; /* column that dates a version of a record, or NULL */
    bool history;        /* several versions of one key stand in the table */
    Nv__DimensionDesign *dimension;
} plan_table_t;

typedef struct plan_join {
    const Nv__Join *join;
    int from, to;
    bool avoided; /* the critique says that it does not hold */
} plan_join_t;

typedef struct plan {
    nv_mem_t *ctx; /* of the result */
    const design_input_t *input;
    dsc_schema_t *schema;
    plan_table_t *tables;
    int n_tables;
    plan_join_t *joins;
    size_t n_joins;
    namer_t names; /* of targets */
    Nv__StarSchema *star;
    size_t cap_left_out, cap_notes;
} plan_t;

bool plan_build(nv_mem_t *ctx, const design_input_t *input, plan_t **out, nv_error_t *err) NV_MUST_CHECK;

int plan_find(const plan_t *plan, const char *table);
bool plan_is_key(const plan_table_t *table, const char *column);
/* Its key is a day, or it is named after time. */
bool plan_is_calendar(const plan_table_t *table);
/* The column belongs to a join that is not avoided. */
const plan_join_t *plan_join_of(const plan_t *plan, int table, const char *column);
void plan_cover(plan_t *plan, int table, const char *column);
void plan_leave_out(plan_t *plan, int table, const char *column, const char *reason);
void plan_note(plan_t *plan, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
Nv__ColumnRef *plan_ref(nv_mem_t *ctx, const char *table, const char *column);
Nv__Join *plan_copy_join(nv_mem_t *ctx, const Nv__Join *join);
/* The critique says that the join does not hold or multiplies rows. */
bool plan_is_criticised(const plan_t *plan, const Nv__Join *join);
/* "order_detail" of "Order Details": the table's words that tell what it holds, singular, joined. */
char *plan_base_name(const plan_t *plan, int table);

/* --- what a column is (attributes.c) --- */
/* Reason to leave a column out ("constant", …), or NULL. */
const char *column_junk_reason(const plan_table_t *table, const dsc_column_t *column, nv_mem_t *ctx);
bool column_is_measure(const dsc_column_t *column);
Nv__Additivity column_additivity(const dsc_column_t *column, const char **reason);
const char *column_unit(const dsc_column_t *column);
/* By what was seen to change between the records of one thing, where it was seen; else by what the attribute is. */
Nv__ScdType column_scd(const plan_t *plan, int table, const dsc_column_t *column, const char **reason);
bool column_is_event_date(const dsc_column_t *column);
/* It may say which version of a member was in force: hardly ever missing. Where it is, the current version is taken. */
bool column_dates_events(const dsc_column_t *column);

/* --- parts of the star --- */
typedef enum split_part {
    SPLIT_NONE,
    SPLIT_KEY,      /* leads to a dimension that was split out of the column's own table */
    SPLIT_ATTRIBUTE /* moved there */
} split_part_t;

void star_split_flat(plan_t *plan); /* flat.c */
split_part_t star_split_part(const plan_t *plan, int t, const char *column);
void star_gather_junk(plan_t *plan);     /* junk.c */
void star_make_dimensions(plan_t *plan); /* dimensions.c */
/* Adds to each dimension the ways to drill up that its references and functional dependencies prove; hierarchies.c. */
void star_find_hierarchies(plan_t *plan);
void star_make_facts(plan_t *plan); /* facts.c */
/* Of its own, as a fact. */
bool plan_has_measure(const plan_t *plan, int t);
/* The join leads from lines (payments, returns …) to the one row of another fact's source that they belong to. */
bool plan_leads_to_header(const plan_t *plan, const plan_join_t *join);
void star_make_bridges(plan_t *plan); /* bridges.c */
void star_make_date(plan_t *plan);    /* star.c */
/* The table keeps what changes about the members of another one (customer_addresses of customers): the join whose columns are its
 * key but for the date of the version, or NULL. histories.c. */
const plan_join_t *plan_history_of(const plan_t *plan, int t);
/* Each fact that refers to such members and knows its day refers to their version of that day, too. */
void star_link_histories(plan_t *plan);

/* The key of a source names the date of its versions: it holds several of one thing. */
bool plan_keys_versions(const Nv__PrimaryKey *key, const char *version);

#endif

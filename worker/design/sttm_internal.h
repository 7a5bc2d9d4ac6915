/* Shared by the parts that write a mapping. Internal to nv_design. */
#ifndef WORKER_DESIGN_STTM_INTERNAL_H
#define WORKER_DESIGN_STTM_INTERNAL_H

#include "worker/design/design.h"
#include "worker/design/identifiers.h"
#include "worker/discovery/schema.h"

typedef struct sttm_builder {
    nv_mem_t *ctx;
    const design_input_t *input;
    const Nv__StarSchema *star;
    dsc_schema_t *schema;
    char ***silver;  /* [table][column] */
    bool *is_source; /* [table]: stands in the mapping */
    Nv__Sttm *out;
    namer_t tables; /* silver and target names */
    int mappings, rules;
    size_t cap_targets;
} sttm_builder_t;

/* One target while its columns are added. */
typedef struct target_builder {
    sttm_builder_t *b;
    Nv__SttmTarget *out;
    int driving;      /* table; -1 for the date dimension */
    int *alias_table; /* per join of out: the table behind it */
    namer_t columns, aliases;
    size_t cap_columns, cap_joins, cap_rules, cap_depends, cap_alias;
} target_builder_t;

Nv__QualityRule *sttm_rule(sttm_builder_t *b, Nv__RuleKind kind, Nv__Severity severity, const char *column,
                           const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* The type of a DECIMAL column: as many digits behind the point as were seen, and room before it. What was the greatest amount so
 * far is no bound: tomorrow's greater one must not be refused. */
void sttm_decimal(const Nv__ColumnProfile *column, int32_t *precision, int32_t *scale);
const dsc_column_t *sttm_find(const sttm_builder_t *b, const char *table, const char *column, int *t, int *c);

void sttm_write_sources(sttm_builder_t *b); /* sttm_source.c */
void sttm_write_dimension(sttm_builder_t *b, const Nv__DimensionDesign *design);
void sttm_write_date(sttm_builder_t *b, const Nv__DateDimensionDesign *design);
bool sttm_write_fact(sttm_builder_t *b, const Nv__FactDesign *design, nv_error_t *err) NV_MUST_CHECK;
bool sttm_write_bridge(sttm_builder_t *b, const Nv__BridgeDesign *design, nv_error_t *err) NV_MUST_CHECK;

/* --- targets (sttm_target.c) --- */
target_builder_t sttm_target(sttm_builder_t *b, const char *name, Nv__TargetKind kind, Nv__LoadStrategy load,
                             const char *source);
void sttm_finish(target_builder_t *t);
Nv__SttmColumn *sttm_column(target_builder_t *t, const char *name, Nv__ValueType type, Nv__KeyRole role,
                            Nv__TransformOp op, const char *rule);
/* A copy of the source column seen through alias; sets type and precision. */
Nv__SttmColumn *sttm_copy(target_builder_t *t, const char *name, const char *alias,
                          const dsc_column_t *column, Nv__KeyRole role);
void sttm_input(target_builder_t *t, Nv__SttmColumn *column, const char *alias, const dsc_column_t *source);
void sttm_audit(target_builder_t *t);
void sttm_depend(target_builder_t *t, const char *target);
void sttm_target_rule(target_builder_t *t, Nv__QualityRule *rule);
/* Joins a table onto the driving rows; returns its alias. */
const char *sttm_join(target_builder_t *t, const Nv__Join *join);
/* The alias that a table was last (or first, k-th) joined under; "d" for the driving one; NULL: not joined. */
const char *sttm_alias(const target_builder_t *t, int table, int occurrence);
Nv__SttmTarget *sttm_find_target(const sttm_builder_t *b, const char *name);
/* Adds the lookup of a dimension. */
bool sttm_lookup(target_builder_t *t, const Nv__DimensionUse *use, const char *as_of,
                 nv_error_t *err) NV_MUST_CHECK;
/* Grain columns: the target columns that copy these source columns of the driving table. */
bool sttm_grain(target_builder_t *t, char *const *columns, size_t n, nv_error_t *err) NV_MUST_CHECK;

#endif

/* Quality rules as Spark SQL conditions. Pure. */
#ifndef WORKER_CODEGEN_RULES_H
#define WORKER_CODEGEN_RULES_H

#include "common/core/buf.h"
#include "worker/codegen/model.h"

/* The Spark SQL type of a column of the table that a rule stands at; "STRING" where there is no such column. */
typedef char *(*rule_type_fn)(nv_mem_t *ctx, const void *table, const char *column);
char *rule_source_type(nv_mem_t *ctx, const void *source, const char *column);
char *rule_target_type(nv_mem_t *ctx, const void *target, const char *column);

/* True for rules that one row meets or not: NOT_NULL, RANGE, ACCEPTED, PATTERN. */
bool rule_is_of_row(const Nv__QualityRule *rule);
/* A rule that stands at a column, with that column where it names none. */
Nv__QualityRule *rule_of_column(nv_mem_t *ctx, const Nv__QualityRule *rule, const Nv__SttmColumn *column);
/* The rules that stand at the table and at its columns, those as rule_of_column gives them; below ctx. */
size_t rule_all(nv_mem_t *ctx, const Nv__SttmTarget *target, const Nv__QualityRule *const **out);
/* The condition that a good row meets; for rules of a row only. */
char *rule_condition(nv_mem_t *ctx, const Nv__QualityRule *rule, rule_type_fn type_of, const void *table);
/* True for rules that keep a row out of the table: QUARANTINE, DROP. */
bool rule_refuses(const Nv__QualityRule *rule);
/* "warn", "drop", "quarantine", "fail". */
const char *rule_tier(const Nv__QualityRule *rule);
/* Rule("Q0001", "warn", "…", "…") */
char *rule_declaration(nv_mem_t *ctx, const Nv__QualityRule *rule, rule_type_fn type_of, const void *table);

#endif

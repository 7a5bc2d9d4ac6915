/* Internal to nv_validation: what the planners of sources and targets share. */
#ifndef WORKER_VALIDATION_PLAN_H
#define WORKER_VALIDATION_PLAN_H

#include "common/core/buf.h"
#include "worker/codegen/model.h"
#include "worker/validation/expression.h"
#include "worker/validation/validation.h"

enum { PLAN_SQL_MAX = 8 * 1024 * 1024 };

typedef struct planner {
    nv_mem_t *ctx;
    const validation_input_t *in;
    sql_dialect_t warehouse; /* of the loaded tables */
    /* of the second computation: DuckDB here, Spark where only the workspace reaches the files */
    sql_dialect_t oracle;
    bool of_reference; /* planner_clean names the reference's silver tables */
    validation_plan_t *plan;
    size_t cap_setup;
    size_t cap_cleanup;
    size_t cap_groups;
    validation_group_t *group; /* the one being filled */
    size_t cap_checks;
    /* " LEFT JOIN …" per dimension: what the group's statement asks its table together with */
    nv_buf_t joins;
} planner_t;

/* Quoted and with all its parts. */
char *planner_table(const planner_t *p, const Nv__SttmTarget *target);
/* "table.column" */
char *planner_subject(const planner_t *p, const Nv__SttmTarget *target, const char *column);
/* The first value of a member is kept, whatever came later: the current row alone cannot be foretold. */
bool planner_keeps_original(const Nv__SttmTarget *target, const Nv__SttmColumn *column);
/* Its text is the same on both sides. */
bool planner_is_comparable(const Nv__SttmTarget *target, const Nv__SttmColumn *column);
/* The checks of a column that refers to a dimension. */
void plan_reference(planner_t *p, const Nv__SttmTarget *target, const Nv__SttmColumn *column);
int planner_source_index(const planner_t *p, const Nv__SttmSource *source);
/* "clean_3": the oracle's relation of a source; "want_3" of a target. */
char *planner_clean(const planner_t *p, const Nv__SttmSource *source);
char *planner_want(const planner_t *p, const Nv__SttmTarget *target);
void planner_setup(planner_t *p, const char *sql);
/* The oracle's relation as its statements name it: in the warehouse a table beside those of the pipeline. */
char *planner_relation(const planner_t *p, const char *name);
/* Makes a relation out of a SELECT; in the warehouse it is dropped when the checks are done. */
void planner_create(planner_t *p, const char *relation, const char *select);
/* The first row of each partition of a SELECT, and the column nuvyn_rank. */
char *planner_first(const planner_t *p, const char *select, const char *partition, const char *order);
/* Opens a group; its checks are added until the next one opens. */
validation_group_t *planner_group(planner_t *p, const char *table);
void planner_check(planner_t *p, const char *name, const char *subject, const char *blame,
                   validation_compare_t compare, const char *warehouse, const char *oracle);
/* Both statements out of the checks: SELECT … FROM from. oracle_from may be NULL. */
void planner_close(planner_t *p, const char *warehouse_from, const char *oracle_from);

/* "typed_3": every row of a source with its values and what it is by itself. */
char *planner_typed(const planner_t *p, const Nv__SttmSource *source);
/* First the typed rows of all sources, then what becomes of them, then the checks. */
void plan_typed(planner_t *p, const Nv__SttmSource *source);
void plan_rows(planner_t *p, const Nv__SttmSource *source);
void plan_source(planner_t *p, const Nv__SttmSource *source);
/* A source, and those that its rows are refused by. */
void mark_source(const planner_t *p, const Nv__SttmSource *source, bool *needs);
/* Why the oracle does not follow what the mapping asks of the table or of a dimension that it looks into; NULL: it does. */
const char *planner_not_told(const planner_t *p, const Nv__SttmTarget *target);
void plan_target(planner_t *p, const Nv__SttmTarget *target);
/* The oracle's relation of a target: one row per row that must be in it (of a history: per current row), a column per
 * target column that can be computed from the raw files. For a lookup: "name" is -2, -1 or 0 (found), and "name#" the
 * text of the business key that was found. */
char *target_relation(const planner_t *p, const Nv__SttmTarget *target);
/* Further parts of it, for the reference: the value of a column that copies or computes (its lookups as they stand there), and
 * the LEFT JOINs of the further sources. */
char *relation_value(const planner_t *p, const Nv__SttmTarget *target, const Nv__SttmColumn *column);
void relation_joins(const planner_t *p, nv_buf_t *sql, const Nv__SttmTarget *target);
char *relation_input(const planner_t *p, const Nv__Transform *t, size_t i);
/* One row: first_day and last_day of the date dimension, which grows by whole years to the days that silver has. */
char *relation_calendar(const planner_t *p, const Nv__SttmTarget *dates);
char *relation_any_null(const planner_t *p, const Nv__Transform *t);
/* Of a source: SELECT of the typed rows of a relation of raw ones (nuvyn_row, nuvyn_file, the silver columns, and what each is by
 * itself: nuvyn_refused, nuvyn_dropped, nuvyn_marks); SELECT of all typed rows (planner_typed, with nuvyn_batch) and what became of
 * each: nuvyn_outcome "loaded", "duplicate", "quarantined", "dropped" or "deleting", and of a loaded one nuvyn_deleted, the batch
 * that showed that it is gone. */
Nv__TableProfile *source_profile(nv_mem_t *ctx, const Nv__SttmSource *source);
char *source_typed(planner_t *p, const Nv__SttmSource *source, const char *raw);
char *source_rows(const planner_t *p, const Nv__SttmSource *source);
char *source_newest(const planner_t *p, const Nv__SttmSource *source);
char *source_identity(const planner_t *p, const Nv__SttmSource *source);
Nv__DeleteMode source_deletes(const Nv__SttmSource *source);
/* For the reference: statements that fail where a rule stops the load. rows: the relation of source_rows. */
typedef struct source_load {
    const Nv__SttmSource *source;
    const char *rows;
    int batch;
} source_load_t;
void source_stops(planner_t *p, const source_load_t *load);
/* Values of the column that do not parse are counted against a limit; "nuvyn_unread_3": where, for the fourth column. */
bool source_is_limited(const Nv__SttmSource *source, const char *column);
char *source_unread(const planner_t *p, size_t column);
int64_t source_rejected_lines(const planner_t *p, const Nv__SttmSource *source);
/* A history whose versions all stand in its driving source, dated there: the raw files tell it whole, however many batches
 * brought them. Its versions as a relation (keys, attributes, nuvyn_from, nuvyn_starts, nuvyn_ends), the name of the table that
 * holds it, and the check that compares it. */
bool history_is_told(const planner_t *p, const Nv__SttmTarget *target);
char *planner_versions(const planner_t *p, const Nv__SttmTarget *target);
char *history_relation(const planner_t *p, const Nv__SttmTarget *target);
void history_check(planner_t *p, const Nv__SttmTarget *target);
/* " AND …": the version m<n> that was in force at the lookup's moment; before the first version the first one, without a
 * moment the current one. */
char *relation_in_force(const planner_t *p, const Nv__Transform *t, size_t n);
/* The lookup finds the version of its day. */
bool lookup_is_dated(const Nv__SttmTarget *dimension, const Nv__Transform *t);
/* SELECT of one row: nuvyn_first and nuvyn_last, the days that the date dimension reaches from and to. */
char *calendar_span(const planner_t *p, const Nv__SttmTarget *dates);
/* What a row of target_relation is, in nuvyn_is: "row"; "gone", a member of a history that the source deleted; "held" or "dropped",
 * refused by a rule of the table; "inferred", a member that is known by references only. */
#define WANT_REAL "'row', 'inferred'"
#define WANT_MEMBERS "'row', 'inferred', 'gone'"
/* "(false OR …)": what the table's rules of a tier refuse. */
char *target_refuses(const planner_t *p, const Nv__SttmTarget *target, Nv__Severity severity);
bool target_has_refusing(const Nv__SttmTarget *target, Nv__Severity severity);
/* For the reference: statements that fail where a relation of the table's rows breaks a refusing rule by more than its threshold. */
void target_stops(planner_t *p, const Nv__SttmTarget *target, const char *rows);
/* A dimension's relation with its inferred members, where it has any. */
char *with_inferred(const planner_t *p, const Nv__SttmTarget *dimension, const char *members);
/* SELECT of the business keys that tables refer to and the relation `members` lacks; NULL: nothing refers to the dimension. And what
 * such a member has in a column. */
char *members_referred(const planner_t *p, const Nv__SttmTarget *dimension, const char *members);
char *member_value(const planner_t *p, const Nv__SttmTarget *dimension, const Nv__SttmColumn *column);
/* The column is one that target_relation computes. */
bool target_computes(const Nv__SttmTarget *target, const Nv__SttmColumn *column);

#endif

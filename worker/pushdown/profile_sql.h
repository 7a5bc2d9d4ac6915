/* The statements of a pushed-down profile. Pure text generation; results are few rows whatever the size of the table. */
#ifndef WORKER_PUSHDOWN_PROFILE_SQL_H
#define WORKER_PUSHDOWN_PROFILE_SQL_H

#include "worker/profiling/parse_sql.h"

#include <stdbool.h>
#include <stddef.h>

enum { PROFILE_CLASSES = 5000, PROFILE_COLUMNS = 60 };

/* Columns first … first + n - 1 of a table; from: scan_sql of it. */
typedef struct profile_part {
    sql_dialect_t dialect;
    const Nv__TableProfile *table; /* columns with type and parse rule where a statement parses */
    const char *from;
    size_t first, n;
} profile_part_t;

/* How often each representative (fold.h) occurs: column, representative, values, all values, all distinct texts. */
char *profile_classes_sql(nv_mem_t *ctx, const profile_part_t *part);

/* Everything about the parsed values, as (kind, column, text, count):
 *   stat: values|nulls|invalid|shortest|longest|sum of lengths   distinct: count   top, bad, pattern: text, count
 *   kmv: hash   min, max: text   moment: mean|deviation|zeros|negatives|lowest|highest|five quantiles   hist: bin, count */
char *profile_values_sql(nv_mem_t *ctx, const profile_part_t *part, size_t kmv, size_t top, size_t patterns);

/* Rows by file: path, rows, rejected lines, then padded values of each column. */
char *profile_files_sql(nv_mem_t *ctx, const profile_part_t *part, const char *from_rejected);

/* The first rejected lines: path, text. Spark only. */
char *profile_rejected_sql(nv_mem_t *ctx, const char *from_rejected, int most);

/* How many rows differ from each other. */
char *profile_distinct_rows_sql(nv_mem_t *ctx, const profile_part_t *all);

/* In file order, do values increase? By file: path, then per column: breaks, first, last. columns have no empty value. */
char *profile_order_sql(nv_mem_t *ctx, const profile_part_t *all, const size_t *columns, size_t n);

/* Distinct combinations of column sets: set, combinations; over the first `rows` rows (0: all). */
typedef struct profile_set {
    size_t columns[3];
    size_t n;
} profile_set_t;
char *profile_sets_sql(nv_mem_t *ctx, const profile_part_t *all, const profile_set_t *sets, size_t n,
                       int64_t rows);

/* One row per determinant: column, groups, rows in groups of two or more, then for each of the columns in how many groups
 * it has several values. Over the distinct rows among the first `rows` (0: all). */
char *profile_dependencies_sql(nv_mem_t *ctx, const profile_part_t *all, const size_t *columns, size_t n,
                               int64_t rows);

/* The rows to take away for each pair (g3): pair, rows. */
typedef struct profile_pair {
    size_t determinant, dependent;
} profile_pair_t;
char *profile_violations_sql(nv_mem_t *ctx, const profile_part_t *all, const profile_pair_t *pairs, size_t n,
                             int64_t rows);

#endif

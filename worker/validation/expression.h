/* SQL expressions of the two sides. Pure; results below ctx. */
#ifndef WORKER_VALIDATION_EXPRESSION_H
#define WORKER_VALIDATION_EXPRESSION_H

#include "nuvyn/sttm.pb-c.h"
#include "worker/profiling/parse_sql.h"

/* alias.column, quoted. */
char *sql_column(nv_mem_t *ctx, sql_dialect_t dialect, const char *alias, const char *column);
/* catalog.schema.table, quoted. */
char *sql_table(nv_mem_t *ctx, sql_dialect_t dialect, const char *catalog, const char *schema,
                const char *table);

/* The canonical text of a value: the same characters on both engines. */
char *canonical_text(nv_mem_t *ctx, sql_dialect_t dialect, Nv__ValueType type, const char *value);
/* Count and checksum of a text expression over all rows, as one text: "1204:8812…". */
char *checksum_sql(nv_mem_t *ctx, sql_dialect_t dialect, const char *text);

/* The condition that a good row meets, for rules of one row; NULL for the others. prefix is put before column names
 * ("" or "d."). */
char *rule_sql(nv_mem_t *ctx, sql_dialect_t dialect, const Nv__QualityRule *rule, char *const *columns,
               size_t n_columns, const char *type);

/* The type of a target or source column in DuckDB or Spark. */
char *type_sql(nv_mem_t *ctx, sql_dialect_t dialect, Nv__ValueType type, int precision, int scale);

#endif

/* SQL that reads raw files and parses raw text exactly as a profile's Dialect and ParseRule say. One generator, two
 * dialects: DuckDB for files the worker can reach, Spark SQL (Databricks) for files only the workspace can reach.
 *
 * Pure text generation; results hang below ctx. Every name and value is quoted by sql_identifier and sql_literal.
 * Blanks, for ParseRule.trim, are space, tab, CR, LF, VT and FF.
 */
#ifndef WORKER_PROFILING_PARSE_SQL_H
#define WORKER_PROFILING_PARSE_SQL_H

#include "common/core/mem.h"
#include "nuvyn/profile.pb-c.h"

#include <stdbool.h>

typedef enum sql_dialect { SQL_DUCKDB, SQL_SPARK } sql_dialect_t;

/* "name" with quotes doubled (DuckDB), `name` with backticks doubled (Spark). */
char *sql_identifier(nv_mem_t *ctx, sql_dialect_t dialect, const char *name);
/* 'text' with quotes (and, for Spark, backslashes) escaped. */
char *sql_literal(nv_mem_t *ctx, sql_dialect_t dialect, const char *text);

/* The SQL type of a column: "BIGINT", "DECIMAL(12,2)", "VARCHAR"/"STRING", "TIMESTAMP" … */
char *parse_type_sql(nv_mem_t *ctx, sql_dialect_t dialect, const Nv__ColumnProfile *column);

/* An expression of that type: the parsed value of `raw`, an SQL expression of type text (for instance a quoted column
 * name, optionally qualified); NULL where the raw value is null or invalid. */
char *parse_rule_sql(nv_mem_t *ctx, sql_dialect_t dialect, const Nv__ColumnProfile *column, const char *raw);
/* A boolean expression, never NULL: the raw value is not null and does not parse. */
char *parse_invalid_sql(nv_mem_t *ctx, sql_dialect_t dialect, const Nv__ColumnProfile *column,
                        const char *raw);
/* A boolean expression, never NULL: the raw value is NULL, empty or a null spelling. */
char *parse_null_sql(nv_mem_t *ctx, sql_dialect_t dialect, const Nv__ColumnProfile *column, const char *raw);

/* A FROM-expression over the table's files with every column as text under its profile name, plus the column
 * `nuvyn_file` with the file's path (of later batches behind a mark, so that they sort last). A file with a header of its own is
 * read by it. The same rows as were profiled: rejected lines are left out.
 * DuckDB only: read_csv with everything detected given explicitly. */
char *raw_scan_sql(nv_mem_t *ctx, const Nv__TableProfile *table);

/* The same with only the columns chosen by position: for the few that are asked for of very many. */
char *raw_scan_some_sql(nv_mem_t *ctx, const Nv__TableProfile *table, const bool *chosen);

/* A SELECT of columns of one Parquet file as text, as raw_scan_sql takes them. DuckDB only. */
char *parquet_texts_sql(nv_mem_t *ctx, const char *path, char *const *names, size_t n);

#endif

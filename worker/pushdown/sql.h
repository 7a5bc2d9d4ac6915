/* SQL fragments in both dialects, for the generators of this folder. Pure. */
#ifndef WORKER_PUSHDOWN_SQL_H
#define WORKER_PUSHDOWN_SQL_H

#include "common/core/buf.h"
#include "worker/profiling/parse_sql.h"

enum { PUSHDOWN_SQL_MAX = 16 << 20 }; /* what the Statement Execution API takes */

/* The text for the dialect; a macro, so that format strings stay literals. */
#define SQL_PICK(dialect, duckdb, spark) ((dialect) == SQL_DUCKDB ? duckdb : spark)

/* Regular expressions are of the kind that Java and RE2 read alike. */
char *sql_replace_all(nv_mem_t *ctx, sql_dialect_t dialect, const char *value, const char *pattern,
                      const char *with);
char *sql_matches(nv_mem_t *ctx, sql_dialect_t dialect, const char *value, const char *pattern);
/* Bytes of a text. */
char *sql_bytes(nv_mem_t *ctx, sql_dialect_t dialect, const char *value);
/* A text without blanks around it; blanks as in ParseRule. */
char *sql_trimmed(nv_mem_t *ctx, sql_dialect_t dialect, const char *value);
/* A 64-bit hash of a text, in Spark that of the local sketches (sketch_hash). */
char *sql_hash(nv_mem_t *ctx, sql_dialect_t dialect, const char *value);

/* The canonical text (parser_text) of a typed value. */
char *sql_canonical(nv_mem_t *ctx, sql_dialect_t dialect, const Nv__ColumnProfile *column, const char *value);

/* SELECT index AS c, item AS t FROM <from>, one row per row and item. */
char *sql_unpivot(nv_mem_t *ctx, sql_dialect_t dialect, char *const *items, const size_t *indices, size_t n,
                  const char *from);

#endif

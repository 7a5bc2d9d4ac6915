/* The rows of a table where they are: SQL over its files (read_files on Databricks, read_csv in DuckDB) or over a table of the
 * Unity Catalog.
 *
 * Only documented Databricks SQL is used: read_files with the options of Spark's readers, `_metadata.file_path`, from_json,
 * DESCRIBE QUERY. Dialect.format is "csv", "jsonl", "parquet" or "table"; a table's one file is "uc://catalog/schema/table".
 */
#ifndef WORKER_PUSHDOWN_SCAN_H
#define WORKER_PUSHDOWN_SCAN_H

#include "common/core/error.h"
#include "common/core/mem.h"
#include "worker/profiling/parse_sql.h"
#include "worker/pushdown/engine.h"

/* A relation with every column as text under r0, r1 …, plus nuvyn_file. The table needs name, files, dialect and its
 * columns' names. With `rejected` (Spark only) lines that are no rows are in it too, their text in nuvyn_corrupt. */
char *scan_sql(nv_mem_t *ctx, sql_dialect_t dialect, const Nv__TableProfile *table, bool rejected);

/* The same rows with the columns under their own names, in reading order by nuvyn_file and nuvyn_row. Spark only. */
char *scan_named_sql(nv_mem_t *ctx, const Nv__TableProfile *table);

/* Path, size and content hash of the table's files as the generated pipeline fingerprints them: a SHA-256 of the
 * content, or size and time of a large one; of a table of the Unity Catalog a hash of its rows. Spark only. */
char *scan_fingerprint_sql(nv_mem_t *ctx, const Nv__TableProfile *table);

/* False, with the reason, where the files cannot be read by read_files as they were understood. */
bool scan_can_read(const Nv__TableProfile *table, nv_error_t *err) NV_MUST_CHECK;

/* The names in the objects of a table of JSON lines, in the order they are met. Spark only. */
char *scan_json_names_sql(nv_mem_t *ctx, const Nv__TableProfile *table, size_t most);

/* The columns that a Parquet file or a table of the Unity Catalog says it has. */
typedef struct scan_column {
    char *name;
    bool nested; /* kept as JSON text */
} scan_column_t;
bool scan_describe(nv_mem_t *ctx, const pushdown_engine_t *engine, const char *path, scan_column_t **out,
                   size_t *n, nv_error_t *err) NV_MUST_CHECK;

/* "uc://main/raw/orders" as `main`.`raw`.`orders`. */
char *scan_table_name(nv_mem_t *ctx, const char *path);

/* The path in the form of the survey: without "dbfs:" or "file:" before /Volumes, percent signs undone. */
char *scan_path(nv_mem_t *ctx, const char *path);

#endif

/* Parquet files as CSV text, so that everything behind the reading is the same for all formats. The values are taken as text by
 * the expression that scans of the raw data use too (parse_sql.h). Read by DuckDB on one thread, in bounded memory.
 */
#ifndef WORKER_PROFILING_PARQUET_H
#define WORKER_PROFILING_PARQUET_H

#include "common/core/error.h"
#include "common/core/mem.h"

#include <stddef.h>
#include <stdint.h>

typedef struct parquet parquet_t;

/* Opens a local file and reads its schema. Freed with ctx. */
bool parquet_open(nv_mem_t *ctx, const char *path, parquet_t **out, nv_error_t *err) NV_MUST_CHECK;
/* The columns, borrowed; *nested, when asked for, says which of them hold lists, structs or maps. */
char *const *parquet_names(const parquet_t *parquet, size_t *n, const bool **nested);

/* From now on rows can be read, with these columns of the file in this order. */
bool parquet_start(parquet_t *parquet, char *const *names, size_t n, nv_error_t *err) NV_MUST_CHECK;
/* The next rows as CSV: commas, double quotes, one LF behind each row, no header. *rows 0 is the end. The text is borrowed until
 * the next call. */
bool parquet_read(parquet_t *parquet, const char **text, size_t *length, int64_t *rows,
                  nv_error_t *err) NV_MUST_CHECK;

#endif

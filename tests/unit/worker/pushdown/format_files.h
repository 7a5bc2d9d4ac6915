/* Files of every format that is profiled: Parquet, JSON lines, CSV, packed and not, written by DuckDB. */
#ifndef TESTS_PUSHDOWN_FORMAT_FILES_H
#define TESTS_PUSHDOWN_FORMAT_FILES_H

#include "common/core/mem.h"

/* Eight tables in nine files; fails the test when that does not work. */
void format_files_write(nv_mem_t *ctx, const char *folder);

#endif

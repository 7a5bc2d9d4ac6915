/* What the profiling tests share: folders with files, profiles of them, and DuckDB as the second opinion. */
#ifndef TESTS_PROFILING_SUPPORT_H
#define TESTS_PROFILING_SUPPORT_H

#include "worker/profiling/parse_sql.h"
#include "worker/profiling/profile.h"

#include <stddef.h>

/* A fresh folder below $TMPDIR, removed with ctx. */
const char *support_folder(nv_mem_t *ctx);
/* Writes a file into it; returns its path. */
const char *support_write(nv_mem_t *ctx, const char *folder, const char *name, const void *data,
                          size_t length);
const char *support_text(nv_mem_t *ctx, const char *folder, const char *name, const char *text);

/* Surveys the folder, expects one table, and profiles it; fails the test otherwise. */
Nv__TableProfile *support_profile(nv_mem_t *ctx, const char *folder, const profile_options_t *options);
/* The profile of one file with this text. */
Nv__TableProfile *support_profile_text(nv_mem_t *ctx, const char *text);
const Nv__ColumnProfile *support_column(const Nv__TableProfile *table, const char *name);

/* Fails the test unless DuckDB, reading and parsing the same files by the generated SQL, agrees with the profile on rows,
 * nulls, invalid values, distinct counts, minima and maxima. */
void support_agrees(const Nv__TableProfile *table);
/* The first cell of a query as text, below ctx; fails the test on an error. */
const char *support_query(nv_mem_t *ctx, const char *sql);

#endif

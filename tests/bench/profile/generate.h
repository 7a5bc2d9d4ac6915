/* Deterministic CSV files of a wanted size, for benchmarks. */
#ifndef TESTS_BENCH_PROFILE_GENERATE_H
#define TESTS_BENCH_PROFILE_GENERATE_H

#include "common/core/error.h"

#include <stdint.h>

/* kind "lineitem": the sixteen columns of TPC-H's lineitem. kind "mixed": what exports look like; quoted text, currency,
 * several date formats, identifiers with leading zeros, null spellings. Writes at least `bytes`. */
bool generate_csv(const char *path, const char *kind, int64_t bytes, nv_error_t *err) NV_MUST_CHECK;

#endif

/* Hashes of many texts at once. Pure. */
#ifndef WORKER_PROFILING_TEXTHASH_H
#define WORKER_PROFILING_TEXTHASH_H

#include "worker/profiling/csv.h"

enum { TEXTHASH_SLACK = 8 };

/* sketch_hash of each text. TEXTHASH_SLACK bytes behind each that is not empty must be readable, whatever they hold. */
void texthash_all(const csv_field_t *texts, size_t n, uint64_t *out);

#endif

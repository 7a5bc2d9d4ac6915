/* The third computation: row by row in C over what the generator knows its cells to mean, without SQL and without parsing. It
 * takes from the mapping only what was decided (types, keys, order of versions, rules), never how it is carried out. */
#ifndef TESTS_PROPERTY_NAIVE_H
#define TESTS_PROPERTY_NAIVE_H

#include "nuvyn/sttm.pb-c.h"
#include "tests/property/case.h"

typedef struct naive_source {
    const Nv__SttmSource *source;
    const case_table_t *table;
    bool *loaded, *gone;                     /* per row of the table; gone: loaded, and deleted since */
    int64_t rows, kept, refused, duplicates; /* duplicates: and what is dropped or only deletes */
} naive_source_t;

typedef struct naive {
    nv_mem_t *ctx;
    const Nv__Sttm *sttm;
    naive_source_t *sources;
    size_t n_sources;
} naive_t;

/* The state after all batches up to last_batch. INTERNAL when the mapping names what the case does not have. */
bool naive_load(nv_mem_t *ctx, const source_case_t *source, const Nv__Sttm *sttm, int last_batch,
                naive_t **out, nv_error_t *err) NV_MUST_CHECK;

/* The rule that must stop the load of a batch, in words; NULL: none. */
const char *naive_stops(const naive_t *naive, int batch);

/* Sum of a column that the target copies from its driving source, in ten-thousandths; false where it copies none. */
bool naive_sum(const naive_t *naive, const Nv__SttmTarget *target, const Nv__SttmColumn *column,
               int64_t *out);

/* How many references of a lookup lead nowhere and how many are empty; false for a lookup through another table. */
bool naive_unknown(const naive_t *naive, const Nv__SttmTarget *target, const Nv__SttmColumn *column,
                   int64_t *nowhere, int64_t *empty);

#endif

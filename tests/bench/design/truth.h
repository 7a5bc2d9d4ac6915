/* What a set's truth.json says, and how found relations compare to it. */
#ifndef TESTS_BENCH_DESIGN_TRUTH_H
#define TESTS_BENCH_DESIGN_TRUTH_H

#include "common/core/error.h"
#include "common/core/mem.h"
#include "nuvyn/design.pb-c.h"

typedef struct truth truth_t;

/* A refined label: 1 = true, 0 = false, -1 = defensible either way (optional, or dropped by the truth's author). */
bool truth_read(nv_mem_t *ctx, const char *path, truth_t **out, nv_error_t *err) NV_MUST_CHECK;
/* Says that the product reads the table `part` as a part of `whole` ("sales_1997" of "sales"): what is true of it is true of the whole. */
void truth_merge(truth_t *truth, const char *part, const char *whole);
int truth_join_label(const truth_t *truth, const Nv__Join *join);
/* columns NULL or n 0: "the table has no key"; 2 = the declared one, 1 = an alternate, 0 = wrong, -1 = no such table. */
int truth_key_label(const truth_t *truth, const char *table, char *const *columns, size_t n);
/* role is "fact", "dimension", "bridge" or "other"; 2 = the declared one, 1 = a defensible one, 0 = wrong. */
int truth_role_label(const truth_t *truth, const char *table, const char *role);

typedef struct score {
    int fk_found, fk_right, fk_truth, fk_recalled;
    int pk_right, pk_tables, role_right, role_tables;
} score_t;

/* Adds to *score and prints what was wrong to stdout when verbose. */
void truth_score(const truth_t *truth, const Nv__Relations *found, bool verbose, score_t *score);
double score_precision(const score_t *score);
double score_recall(const score_t *score);
double score_f1(const score_t *score);

#endif

/* One run, with or without a memory: survey to review, a person who looks at the design, the star by reference SQL, its proof, and what
 * is learned of it. The agents are the product's, the knowledge base is the control plane's on its own store. */
#ifndef TESTS_BENCH_LEARNING_SITTING_H
#define TESTS_BENCH_LEARNING_SITTING_H

#include "controlplane/knowledge/knowledge.h"
#include "tests/support/star/star.h"

typedef struct sitting {
    const char *folder;
    const char *run_id;
    store_t *memory; /* NULL: none */
    bool verbose;    /* what the agents say of their memory, of findings and of the person is printed */
} sitting_t;

typedef struct sitting_result {
    int wishes;      /* what the person wants of this design */
    int corrections; /* how many of them the first proposal lacked */
    int rounds;      /* designs made */
    double score;    /* of the scorecard, without a pipeline */
    bool known;      /* a person's earlier design of tables of this shape was used again */
    bool proven;
    int learned; /* cases that the knowledge base admitted */
} sitting_result_t;

bool sitting_run(const sitting_t *sitting, sitting_result_t *out, nv_error_t *err) NV_MUST_CHECK;

#endif

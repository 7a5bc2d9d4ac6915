/* What the review of a mapping is made of: what is reviewed, and how a check is noted. One task, one thread; all below ctx. */
#ifndef WORKER_AGENTS_TESTER_REVIEW_H
#define WORKER_AGENTS_TESTER_REVIEW_H

#include "common/core/buf.h"
#include "worker/agents/remote/counting.h"
#include "worker/agents/task/task.h"

typedef struct reviewing {
    agent_task_t *task;
    nv_mem_t *ctx;
    Nv__Profile *profile;
    Nv__StarSchema *star;
    Nv__Sttm *sttm;
    Nv__Review *review;
    size_t cap;      /* of review->checks */
    counting_t *raw; /* NULL: nothing can be counted from here */
    nv_buf_t critique;
} reviewing_t;

/* Notes a check; what it found is for the caller to fill in. */
Nv__Check *review_add(reviewing_t *r, const char *name, const char *subject, Nv__CheckStatus status);
/* Turns a check into a failed one, and the critique says so to the Analyst, with advice. */
void review_fail(reviewing_t *r, Nv__Check *check, const char *expected, const char *actual,
                 const char *advice);

/* The mapping's source of that name, or NULL. */
const Nv__SttmSource *review_source(const reviewing_t *r, const char *table);
/* A raw column that is part of what silver keeps one record of. */
bool review_is_key_part(const Nv__SttmSource *source, const char *column);

/* Every join that the design makes use of: holds, finds its targets, multiplies no row. */
bool review_joins(reviewing_t *r, nv_error_t *err) NV_MUST_CHECK;
/* Every grain of facts, bridges and dimensions: one record each. */
bool review_grains(reviewing_t *r, nv_error_t *err) NV_MUST_CHECK;

#endif

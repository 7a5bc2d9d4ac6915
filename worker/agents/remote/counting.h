/* Exact questions to the raw data, wherever it is: DuckDB over files that the worker reaches, SQL in the warehouse over
 * the others. Who asks does not know which. */
#ifndef WORKER_AGENTS_COUNTING_H
#define WORKER_AGENTS_COUNTING_H

#include "nuvyn/profile.pb-c.h"
#include "worker/agents/agent.h"
#include "worker/discovery/discovery.h"

typedef struct counting counting_t;

/* Below ctx; the profile must outlive it. Freed (and what it keeps with it) with nv_mem_free. */
bool counting_open(agent_task_t *task, nv_mem_t *ctx, const Nv__Profile *profile, counting_t **out,
                   nv_error_t *err) NV_MUST_CHECK;

/* The executor for discovery; lives as long as counting. */
discovery_exact_t counting_exact(counting_t *counting);

/* One check. With check->to NULL: uniqueness. */
bool counting_count(counting_t *counting, const discovery_check_t *check, discovery_counts_t *out,
                    nv_error_t *err) NV_MUST_CHECK;

/* The SQL of the last count, for reports; borrowed until the next one. */
const char *counting_last_sql(const counting_t *counting);

#endif

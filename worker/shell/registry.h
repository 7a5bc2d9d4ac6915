/* Which agent does which kind of task. The one place that names them all. */
#ifndef WORKER_SHELL_REGISTRY_H
#define WORKER_SHELL_REGISTRY_H

#include "worker/agents/agent.h"

/* NULL when no agent of this worker does such tasks. */
agent_fn registry_find(const char *kind);

/* The kinds, for Hello; static. */
const char *const *registry_kinds(size_t *out_count);

#endif

/* A task's way to its tenant's workspace: the client, and where this run's things stand there. */
#ifndef WORKER_AGENTS_CONNECTION_H
#define WORKER_AGENTS_CONNECTION_H

#include "worker/agents/agent.h"
#include "worker/databricks/databricks.h"

typedef struct connection {
    databricks_t *db;
    const char *catalog;
    const char *schema;
    const char *volume;       /* name of the volume of raw files */
    const char *root;         /* workspace folder that holds the projects */
    const char *warehouse_id; /* "" where any will do */
} connection_t;

/* With the host's short-lived credential; asks for a new one when it expires, and stops when the task is cancelled.
 * `project` names the schema where neither run nor tenant does. Below ctx. FAILED_PRECONDITION when the tenant has no
 * credential for a workspace. */
bool connection_open(agent_task_t *task, nv_mem_t *ctx, const char *project, connection_t *out,
                     nv_error_t *err) NV_MUST_CHECK;

#endif

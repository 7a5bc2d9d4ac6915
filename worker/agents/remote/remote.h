/* A task's way to data that only its tenant's workspace reaches. */
#ifndef WORKER_AGENTS_REMOTE_H
#define WORKER_AGENTS_REMOTE_H

#include "worker/agents/connection/connection.h"
#include "worker/pushdown/engine.h"
#include "worker/pushdown/remote_survey.h"

typedef struct remote_data {
    connection_t to;
    databricks_warehouse_t warehouse;
    pushdown_engine_t engine;
} remote_data_t;

/* Connects and waits for a warehouse. Below ctx. */
bool remote_open(agent_task_t *task, nv_mem_t *ctx, remote_data_t *out, nv_error_t *err) NV_MUST_CHECK;

#endif

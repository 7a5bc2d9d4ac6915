/* The worker's connection to the control plane: one stream, leases, slots, and agents that run on threads of their own.
 *
 * The shell dials out, says hello, takes tasks up to its number of slots, and renews their leases by heartbeats that do
 * not depend on the work. What a task wrote is held until the control plane has acknowledged its result, so a lost
 * connection (or a restarted control plane) costs nothing: after the next hello the documents and the result are sent
 * again. A lease that the control plane calls lost stops its task.
 */
#ifndef WORKER_SHELL_SHELL_H
#define WORKER_SHELL_SHELL_H

#include "common/core/log.h"
#include "common/rpc/client.h"
#include "common/telemetry/trace.h"
#include "worker/agents/agent.h"

typedef struct shell shell_t;

typedef struct shell_config {
    const char *address; /* control plane, "host:port"; several, separated by commas: whichever leads */
    nv_tls_paths_t tls;
    int slots;      /* tasks at once */
    int statements; /* SQL statements that one task may have on the warehouse at a time */
    int drain_ms; /* how long running tasks may finish after SIGTERM; ten seconds where no control plane answers */
    nv_log_t *log;       /* borrowed; may be NULL */
    nv_tracer_t *tracer; /* borrowed; NULL: off. A span for each task, below the run's */
    agent_fn (*find)(const char *kind);
    const char *const *kinds;
    size_t n_kinds;
    /* Credentials of the worker's own environment, for pools that are not handed any; may be NULL. */
    const Nv__DatabricksCredential *own_databricks;
    const Nv__LlmCredential *own_llm;
} shell_config_t;

/* Call before any other thread exists: blocks SIGTERM and SIGINT, which shell_run waits for. */
void shell_block_signals(void);

/* Serves until SIGTERM or SIGINT, or a drain order, and the running tasks are done. Fails at once when the own
 * certificate is unusable or the control plane refuses it for good. */
bool shell_run(const shell_config_t *config, nv_error_t *err) NV_MUST_CHECK;

#endif

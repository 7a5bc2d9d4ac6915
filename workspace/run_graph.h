/* The task graph of a run: which task may start, which never will, and what the run's result is. Pure: no clock, no
 * storage. The rules are those of Databricks Jobs (depends_on, run_if).
 */
#ifndef NV_WORKSPACE_RUN_GRAPH_H
#define NV_WORKSPACE_RUN_GRAPH_H

#include "common/core/error.h"
#include "common/core/mem.h"

#include <stddef.h>

typedef enum ws_run_if {
    WS_RUN_IF_ALL_SUCCESS,
    WS_RUN_IF_AT_LEAST_ONE_SUCCESS,
    WS_RUN_IF_NONE_FAILED,
    WS_RUN_IF_ALL_DONE,
    WS_RUN_IF_AT_LEAST_ONE_FAILED,
    WS_RUN_IF_ALL_FAILED,
    WS_RUN_IF_UNKNOWN,
} ws_run_if_t;

/* How a task ended; NONE while it has not. */
typedef enum ws_outcome {
    WS_OUTCOME_NONE,
    WS_OUTCOME_SUCCESS,
    WS_OUTCOME_FAILED,
    WS_OUTCOME_TIMEDOUT,
    WS_OUTCOME_CANCELED,
    WS_OUTCOME_UPSTREAM_FAILED,
    WS_OUTCOME_UPSTREAM_CANCELED,
    WS_OUTCOME_EXCLUDED,
} ws_outcome_t;

typedef struct ws_graph_task {
    const char *key;
    ws_run_if_t run_if;
    size_t *depends_on; /* indices into tasks */
    size_t dependency_count;
} ws_graph_task_t;

typedef struct ws_graph {
    ws_graph_task_t *tasks;
    size_t count;
} ws_graph_t;

typedef enum ws_decision { WS_TASK_WAIT, WS_TASK_START, WS_TASK_SKIP } ws_decision_t;

/* What becomes of task `index` that has not begun. outcomes[i] is that of task i. *skipped_as is set with WS_TASK_SKIP. */
ws_decision_t ws_graph_decide(const ws_graph_t *graph, const ws_outcome_t *outcomes, size_t index,
                              ws_outcome_t *skipped_as);

/* The run's result once every task has an outcome: "SUCCESS", "SUCCESS_WITH_FAILURES", "FAILED", "TIMEDOUT", "CANCELED". */
const char *ws_graph_result(nv_mem_t *mem, const ws_graph_t *graph, const ws_outcome_t *outcomes);

/* The index of a task in a dependency cycle, or graph->count when there is none. */
size_t ws_graph_find_cycle(nv_mem_t *mem, const ws_graph_t *graph);

ws_run_if_t ws_run_if_parse(const char *text);
const char *ws_outcome_name(ws_outcome_t outcome);
/* NONE for NULL and unknown text. */
ws_outcome_t ws_outcome_parse(const char *text);

#endif

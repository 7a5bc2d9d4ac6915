#include "workspace/run_graph.h"

#include <string.h>

static const char *const outcome_names[] = {
    "", "SUCCESS", "FAILED", "TIMEDOUT", "CANCELED", "UPSTREAM_FAILED", "UPSTREAM_CANCELED", "EXCLUDED",
};

const char *ws_outcome_name(ws_outcome_t outcome)
{
    return outcome_names[outcome];
}

ws_outcome_t ws_outcome_parse(const char *text)
{
    for (size_t i = 1; text && i < sizeof outcome_names / sizeof *outcome_names; i++) {
        if (strcmp(text, outcome_names[i]) == 0) {
            return (ws_outcome_t)i;
        }
    }
    return WS_OUTCOME_NONE;
}

ws_run_if_t ws_run_if_parse(const char *text)
{
    static const char *const names[] = {"ALL_SUCCESS", "AT_LEAST_ONE_SUCCESS", "NONE_FAILED",
                                        "ALL_DONE",    "AT_LEAST_ONE_FAILED",  "ALL_FAILED"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(text, names[i]) == 0) {
            return (ws_run_if_t)i;
        }
    }
    return WS_RUN_IF_UNKNOWN;
}

static bool is_failure(ws_outcome_t outcome)
{
    return outcome == WS_OUTCOME_FAILED || outcome == WS_OUTCOME_TIMEDOUT ||
           outcome == WS_OUTCOME_UPSTREAM_FAILED;
}

static bool is_cancel(ws_outcome_t outcome)
{
    return outcome == WS_OUTCOME_CANCELED || outcome == WS_OUTCOME_UPSTREAM_CANCELED;
}

typedef struct tally {
    size_t pending, success, failed, canceled, excluded;
} tally_t;

static tally_t count_dependencies(const ws_graph_task_t *task, const ws_outcome_t *outcomes)
{
    tally_t t = {0};
    for (size_t i = 0; i < task->dependency_count; i++) {
        ws_outcome_t outcome = outcomes[task->depends_on[i]];
        t.pending += outcome == WS_OUTCOME_NONE;
        t.success += outcome == WS_OUTCOME_SUCCESS;
        t.failed += is_failure(outcome);
        t.canceled += is_cancel(outcome);
        t.excluded += outcome == WS_OUTCOME_EXCLUDED;
    }
    return t;
}

/* Whether run_if holds, all dependencies being over. Excluded ones do not count. */
static bool condition_holds(ws_run_if_t run_if, const tally_t *t)
{
    switch (run_if) {
    case WS_RUN_IF_ALL_SUCCESS:
        return t->failed + t->canceled == 0;
    case WS_RUN_IF_AT_LEAST_ONE_SUCCESS:
        return t->success > 0;
    case WS_RUN_IF_NONE_FAILED:
        return t->failed == 0 && t->canceled == 0;
    case WS_RUN_IF_ALL_DONE:
        return true;
    case WS_RUN_IF_AT_LEAST_ONE_FAILED:
        return t->failed > 0;
    case WS_RUN_IF_ALL_FAILED:
        return t->failed > 0 && t->success + t->canceled == 0;
    case WS_RUN_IF_UNKNOWN:
        break;
    }
    return false;
}

ws_decision_t ws_graph_decide(const ws_graph_t *graph, const ws_outcome_t *outcomes, size_t index,
                              ws_outcome_t *skipped_as)
{
    const ws_graph_task_t *task = &graph->tasks[index];
    tally_t t = count_dependencies(task, outcomes);
    if (t.pending) {
        return WS_TASK_WAIT;
    }
    if (task->dependency_count > 0 && t.excluded == task->dependency_count) {
        *skipped_as = WS_OUTCOME_EXCLUDED;
        return WS_TASK_SKIP;
    }
    if (task->dependency_count == 0 || condition_holds(task->run_if, &t)) {
        return WS_TASK_START;
    }
    bool on_failure = task->run_if == WS_RUN_IF_AT_LEAST_ONE_FAILED || task->run_if == WS_RUN_IF_ALL_FAILED;
    *skipped_as = on_failure ? WS_OUTCOME_EXCLUDED
                  : t.failed ? WS_OUTCOME_UPSTREAM_FAILED
                             : WS_OUTCOME_UPSTREAM_CANCELED;
    return WS_TASK_SKIP;
}

const char *ws_graph_result(nv_mem_t *mem, const ws_graph_t *graph, const ws_outcome_t *outcomes)
{
    bool *inner = NV_NEW_ARRAY(mem, bool, graph->count + 1);
    bool any_failure = false;
    for (size_t i = 0; i < graph->count; i++) {
        any_failure = any_failure || is_failure(outcomes[i]) || is_cancel(outcomes[i]);
        for (size_t d = 0; d < graph->tasks[i].dependency_count; d++) {
            inner[graph->tasks[i].depends_on[d]] = true;
        }
    }
    bool leaf_failed = false;
    bool leaf_canceled = false;
    bool leaf_timed_out = false;
    for (size_t i = 0; i < graph->count; i++) {
        leaf_failed = leaf_failed || (!inner[i] && is_failure(outcomes[i]));
        leaf_canceled = leaf_canceled || (!inner[i] && is_cancel(outcomes[i]));
        leaf_timed_out = leaf_timed_out || (!inner[i] && outcomes[i] == WS_OUTCOME_TIMEDOUT);
    }
    if (leaf_failed) {
        return leaf_timed_out && graph->count == 1 ? "TIMEDOUT" : "FAILED";
    }
    return leaf_canceled ? "CANCELED" : any_failure ? "SUCCESS_WITH_FAILURES" : "SUCCESS";
}

size_t ws_graph_find_cycle(nv_mem_t *mem, const ws_graph_t *graph)
{
    bool *settled = NV_NEW_ARRAY(mem, bool, graph->count + 1);
    for (bool progress = true; progress;) {
        progress = false;
        for (size_t i = 0; i < graph->count; i++) {
            bool ready = !settled[i];
            for (size_t d = 0; ready && d < graph->tasks[i].dependency_count; d++) {
                ready = settled[graph->tasks[i].depends_on[d]];
            }
            settled[i] = settled[i] || ready;
            progress = progress || ready;
        }
    }
    for (size_t i = 0; i < graph->count; i++) {
        if (!settled[i]) {
            return i;
        }
    }
    return graph->count;
}

/* A new run out of a checkpoint of another: LangGraph's update_state and time travel. */
#include "controlplane/graph/internal.h"

static void become_new(nv_graph_run_t *run)
{
    run->phase = NV_RUN_RUNNING;
    run->reason_code = NV_OK;
    run_retire(run, run->reason);
    run->reason = NULL;
    run->checkpoint_seq = run->snapshot_seq = run->snapshot_total = 0;
    run->last_version = 0;
    run->events = 0;
    run->announced_ms = NV_GRAPH_NO_TIMER;
}

/* As if as_node had run: what was next is replaced by what follows it. */
static void step_as(nv_graph_run_t *run, nv_node_id_t as_node, uint32_t outcome)
{
    run->visits[as_node]++;
    run->seen_version[as_node] = run->version;
    superstep_edges(run, as_node, outcome);
    superstep_routes(run, as_node, outcome, NULL);
    chan_expire_transients(run);
    run->step++;
}

/* Keeps the sends of the open superstep (as its tasks' arguments) or drops them with the tasks. */
static void drop_tasks(nv_graph_run_t *run, bool keep_sends)
{
    size_t sends = run->send_count;
    if (keep_sends)
        run->send_count = 0;
    superstep_drop_tasks(run);
    if (keep_sends)
        run->send_count = sends;
}

bool nv_graph_fork(nv_graph_run_t *run, nv_node_id_t as_node, uint32_t outcome,
                   const nv_graph_write_t *writes, size_t write_count, int64_t now_ms,
                   nv_graph_effects_t *effects, nv_error_t *err)
{
    run_drop_retired(run);
    effects_clear(effects);
    if (run->phase == NV_RUN_NEW)
        return nv_fail(err, NV_FAILED_PRECONDITION, "nothing to fork: the run has no checkpoint");
    if (run->broken)
        return nv_fail(err, NV_FAILED_PRECONDITION,
                       "fork: this checkpoint is of a run that broke while writes were applied; "
                       "take an earlier one");
    if (as_node != NV_GRAPH_NONE && as_node >= run->graph->node_count)
        return nv_fail(err, NV_INVALID_ARGUMENT, "fork: there is no node number %u", as_node);
    if (!task_check_writes(run, as_node, writes, write_count, err))
        return nv_wrap(err, "fork");
    drop_tasks(run, as_node == NV_GRAPH_NONE);
    become_new(run);
    if (!superstep_input(run, writes, write_count, err))
        return nv_wrap(err, "fork");
    if (as_node != NV_GRAPH_NONE) {
        step_as(run, as_node, outcome);
        for (size_t i = 0; i < run->next_send_count; i++)
            NV_PUSH(run, run->sends, run->send_count, run->send_capacity) = run->next_sends[i];
        run->next_send_count = 0;
    }
    superstep_prepare(run, true);
    if (as_node == NV_GRAPH_NONE && run->task_count == 0)
        return nv_fail(err, NV_FAILED_PRECONDITION,
                       "fork: this checkpoint is the end of its run; nothing is left");
    effect_news(run, effects, NV_NEWS_RUN_STARTED);
    superstep_begin(run, now_ms, effects);
    effects_close(effects);
    effects->more = run->phase == NV_RUN_RUNNING && run->open_local > 0;
    return true;
}

/* The end of a superstep and the beginning of the next: apply writes in path order, follow edges, find who is triggered,
 * checkpoint, dispatch. After LangGraph's apply_writes and prepare_next_tasks. */
#include <assert.h>
#include <stdio.h>

#include "controlplane/graph/internal.h"

struct nv_route {
    nv_graph_run_t *run;
    const graph_router_t *router;
    uint32_t outcome;
    nv_value_t *argument;
};

uint32_t nv_route_outcome(const nv_route_t *route)
{
    return route->outcome;
}

static void assert_declared(const nv_route_t *route, nv_node_id_t target)
{
    bool declared = false;
    for (size_t i = 0; i < route->router->target_count; i++)
        declared = declared || route->router->targets[i] == target;
    assert(declared);
}

void nv_route_to(nv_route_t *route, nv_node_id_t target)
{
    if (target == NV_GRAPH_END)
        return;
    assert_declared(route, target);
    chan_trigger(route->run, route->run->graph->nodes[target].inbox);
}

void nv_route_send(nv_route_t *route, nv_node_id_t target, nv_bytes_t argument)
{
    assert_declared(route, target);
    nv_graph_run_t *run = route->run;
    NV_PUSH(run, run->next_sends, run->next_send_count, run->next_send_capacity) =
        (sent_t){target, nv_value_new(run, argument)};
}

void superstep_edges(nv_graph_run_t *run, uint16_t node_id, uint32_t outcome)
{
    const graph_node_t *node = &run->graph->nodes[node_id];
    for (size_t i = 0; i < node->edge_count; i++)
        chan_trigger(run, node->edges[i]);
    for (size_t i = 0; i < node->condition_count; i++)
        if (node->conditions[i].outcome == outcome)
            chan_trigger(run, node->conditions[i].inbox);
    for (size_t i = 0; i < node->barrier_count; i++)
        chan_arrive(run, &node->barriers[i]);
}

void superstep_routes(nv_graph_run_t *run, uint16_t node_id, uint32_t outcome, nv_value_t *argument)
{
    const graph_node_t *node = &run->graph->nodes[node_id];
    for (size_t i = 0; i < node->router_count; i++) {
        nv_route_t route = {run, &node->routers[i], outcome, argument};
        node->routers[i].fn(run, &route, node->routers[i].user);
    }
}

static void mark_seen(nv_graph_run_t *run, const task_t *task)
{
    const graph_node_t *node = &run->graph->nodes[task->node];
    if (run->seen_version[task->node] != run->version)
        run->visits[task->node]++;
    run->seen_version[task->node] = run->version;
    if (task->pushed)
        return;
    for (size_t i = 0; i < node->trigger_count; i++)
        run->seen[node->seen_base + i] = run->channels[node->triggers[i]].version;
    for (size_t i = 0; i < node->trigger_count; i++)
        chan_consume(run, node->triggers[i]);
}

/* A second value, in one superstep, for a channel that holds one. */
static bool claim(nv_graph_run_t *run, uint16_t channel, nv_error_t *err)
{
    const nv_channel_spec_t *spec = &run->graph->channels[channel].spec;
    if (spec->kind != NV_CHANNEL_LAST && spec->kind != NV_CHANNEL_EPHEMERAL)
        return true;
    if (run->channels[channel].claimed == run->claim)
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "channel \"%s\" got more than one value in one superstep; it holds only the last",
                       spec->name);
    run->channels[channel].claimed = run->claim;
    return true;
}

/* Before anything is applied. */
static bool check_conflicts(nv_graph_run_t *run)
{
    run->claim++;
    for (size_t i = 0; i < run->write_count; i++)
        if (!claim(run, run->writes[i].channel, &run->error))
            return false;
    return true;
}

static void begin_apply(nv_graph_run_t *run)
{
    run->version++;
    run->updated_count = 0;
}

static void end_apply(nv_graph_run_t *run)
{
    chan_expire_transients(run);
}

static void apply_tasks(nv_graph_run_t *run)
{
    begin_apply(run);
    for (size_t i = 0; i < run->task_count; i++)
        mark_seen(run, &run->tasks[i]);
    for (size_t i = 0; i < run->task_count; i++) {
        const task_t *task = &run->tasks[i];
        for (size_t w = 0; w < task->write_count; w++)
            chan_apply(run, &run->writes[task->first_write + w]);
        for (size_t s = 0; s < task->send_count; s++) {
            sent_t *sent = &run->outbox[task->first_send + s];
            NV_PUSH(run, run->next_sends, run->next_send_count, run->next_send_capacity) =
                (sent_t){sent->node, nv_value_ref(sent->argument)};
        }
    }
    chan_settle(run);
    for (size_t i = 0; i < run->task_count; i++)
        superstep_edges(run, run->tasks[i].node, run->tasks[i].outcome);
    for (size_t i = 0; i < run->task_count; i++)
        superstep_routes(run, run->tasks[i].node, run->tasks[i].outcome, run->tasks[i].argument);
    end_apply(run);
}

void superstep_write(nv_graph_run_t *run, const nv_graph_write_t *given)
{
    write_t write = {.channel = given->channel, .number = given->number};
    write.key = nv_value_new(run, given->key);
    write.value = nv_value_new(run, given->value);
    chan_apply(run, &write);
    nv_value_unref(write.key);
    nv_value_unref(write.value);
}

bool superstep_input(nv_graph_run_t *run, const nv_graph_write_t *writes, size_t count, nv_error_t *err)
{
    run->claim++;
    for (size_t i = 0; i < count; i++)
        if (!claim(run, writes[i].channel, err))
            return false;
    begin_apply(run);
    for (size_t i = 0; i < count; i++)
        superstep_write(run, &writes[i]);
    chan_settle(run);
    if (run->error.code == NV_OK)
        return true;
    *err = run->error;
    return false;
}

/* Forgets the tasks of the superstep that just ended. Effects may still point at what they held. */
void superstep_drop_tasks(nv_graph_run_t *run)
{
    for (size_t i = 0; i < run->task_count; i++) {
        task_t *task = &run->tasks[i];
        run_retire(run, task->error);
        for (size_t k = 0; k < task->interrupt_count; k++) {
            run_retire(run, task->interrupts[k].key);
            run_retire(run, task->interrupts[k].question);
            run_retire(run, task->interrupts[k].answer);
        }
        nv_mem_free(task->interrupts);
    }
    for (size_t i = 0; i < run->write_count; i++) {
        nv_value_unref(run->writes[i].key);
        nv_value_unref(run->writes[i].value);
    }
    for (size_t i = 0; i < run->outbox_count; i++)
        nv_value_unref(run->outbox[i].argument);
    for (size_t i = 0; i < run->send_count; i++)
        run_retire(run, run->sends[i].argument);
    run->task_count = run->open_count = run->open_local = run->interrupted = 0;
    run->write_count = run->outbox_count = run->send_count = 0;
    alarm_clear(run);
}

static void take_next_sends(nv_graph_run_t *run)
{
    sent_t *list = run->sends;
    size_t capacity = run->send_capacity;
    run->sends = run->next_sends;
    run->send_count = run->next_send_count;
    run->send_capacity = run->next_send_capacity;
    run->next_sends = list;
    run->next_send_count = 0;
    run->next_send_capacity = capacity;
}

static void add_task(nv_graph_run_t *run, uint16_t node, nv_value_t *argument, bool pushed)
{
    if (run->task_count >= run->graph->limits.tasks) {
        nv_fail(&run->error, NV_RESOURCE_EXHAUSTED, "a superstep of more than %u tasks",
                run->graph->limits.tasks);
        return;
    }
    uint64_t id = (run->step + 1) << TASK_INDEX_BITS | run->task_count;
    NV_PUSH(run, run->tasks, run->task_count, run->task_capacity) = (task_t){
        .id = id,
        .node = node,
        .argument = argument,
        .pushed = pushed,
        .attempt = 1,
        .due_ms = NV_GRAPH_NO_TIMER,
        .state = NV_TASK_OPEN,
    };
    run->open_count++;
    if (run->graph->nodes[node].spec.local)
        run->open_local++;
}

static void consider(nv_graph_run_t *run, uint16_t id)
{
    const graph_node_t *node = &run->graph->nodes[id];
    for (size_t i = 0; i < node->trigger_count; i++) {
        const chan_t *chan = &run->channels[node->triggers[i]];
        if (chan->available && chan->version > run->seen[node->seen_base + i])
            run->ready[id / 64] |= UINT64_C(1) << (id % 64);
    }
}

/* Only channels that changed can have triggered someone; a decoded run has to look at all nodes. */
void superstep_prepare(nv_graph_run_t *run, bool look_at_all)
{
    if (look_at_all) {
        for (size_t i = 0; i < run->graph->node_count; i++)
            consider(run, (uint16_t)i);
    } else {
        for (size_t i = 0; i < run->updated_count; i++) {
            const graph_channel_t *channel = &run->graph->channels[run->updated[i]];
            for (size_t n = 0; n < channel->node_count; n++)
                consider(run, channel->nodes[n]);
        }
    }
    for (size_t word = 0; word <= run->graph->node_count / 64; word++) {
        for (uint64_t bits = run->ready[word]; bits; bits &= bits - 1)
            add_task(run, (uint16_t)(word * 64 + (size_t)__builtin_ctzll(bits)), NULL, false);
        run->ready[word] = 0;
    }
    for (size_t i = 0; i < run->send_count; i++)
        add_task(run, run->sends[i].node, run->sends[i].argument, true);
}

static void prune(nv_graph_run_t *run, nv_graph_effects_t *effects)
{
    uint32_t keep = run->graph->limits.keep_snapshots;
    run->snapshots[run->snapshot_total++ % 8] = run->checkpoint_seq;
    if (keep == 0 || run->snapshot_total <= keep)
        return;
    effect_add(effects, NV_EFFECT_PRUNE)->seq = run->snapshots[(run->snapshot_total - keep) % 8];
}

void superstep_checkpoint(nv_graph_run_t *run, nv_graph_effects_t *effects)
{
    run->checkpoint_seq++;
    run->checkpoint_version = run->last_version;
    run->last_version = run->version;
    bool snapshot = run->snapshot_seq == 0 ||
                    run->checkpoint_seq - run->snapshot_seq >= run->graph->limits.snapshot_every;
    if (snapshot)
        run->snapshot_seq = run->checkpoint_seq;
    nv_graph_effect_t *effect = effect_add(effects, NV_EFFECT_PERSIST_CHECKPOINT);
    effect->seq = run->checkpoint_seq;
    effect->step = run->step;
    effect->snapshot = snapshot;
    if (snapshot)
        prune(run, effects);
    effect_news(run, effects, NV_NEWS_CHECKPOINT);
}

static const nv_graph_news_t phase_news[] = {
    [NV_RUN_DONE] = NV_NEWS_RUN_DONE,
    [NV_RUN_FAILED] = NV_NEWS_RUN_FAILED,
    [NV_RUN_CANCELLED] = NV_NEWS_RUN_CANCELLED,
};

void superstep_end(nv_graph_run_t *run, nv_run_phase_t phase, nv_code_t code, const char *text,
                   nv_graph_effects_t *effects)
{
    run->phase = phase;
    run->reason_code = code;
    nv_value_unref(run->reason);
    run->reason = text ? nv_value_new(run, nv_bytes_text(text)) : NULL;
    task_stop_all(run, effects);
    superstep_checkpoint(run, effects);
    nv_graph_effect_t *news = effect_news(run, effects, phase_news[phase]);
    news->code = code;
    news->text = run->reason ? run->reason->data : NULL;
    nv_graph_effect_t *finish = effect_add(effects, NV_EFFECT_FINISH);
    finish->phase = phase;
    finish->code = code;
    finish->text = news->text;
}

void superstep_launch(nv_graph_run_t *run, int64_t now_ms, nv_graph_effects_t *effects)
{
    for (size_t i = 0; i < run->task_count; i++)
        if (run->tasks[i].state == NV_TASK_OPEN)
            task_dispatch(run, &run->tasks[i], now_ms, effects, false);
}

void superstep_begin(nv_graph_run_t *run, int64_t now_ms, nv_graph_effects_t *effects)
{
    if (run->error.code != NV_OK) {
        run->broken = true;
        superstep_end(run, NV_RUN_FAILED, run->error.code, run->error.message, effects);
    } else if (run->task_count == 0) {
        superstep_end(run, NV_RUN_DONE, NV_OK, NULL, effects);
    } else if (run->step >= run->graph->limits.recursion) {
        char text[128];
        snprintf(text, sizeof text, "recursion limit: no end after %llu supersteps",
                 (unsigned long long)run->step);
        superstep_end(run, NV_RUN_FAILED, NV_OUT_OF_RANGE, text, effects);
    } else {
        superstep_checkpoint(run, effects);
        superstep_launch(run, now_ms, effects);
    }
}

void superstep_finish(nv_graph_run_t *run, int64_t now_ms, nv_graph_effects_t *effects)
{
    assert(run->open_count == 0 && run->task_count > 0);
    if (!check_conflicts(run)) {
        run->broken = true;
        superstep_end(run, NV_RUN_FAILED, run->error.code, run->error.message, effects);
        return;
    }
    apply_tasks(run);
    superstep_drop_tasks(run);
    take_next_sends(run);
    run->step++;
    superstep_prepare(run, false);
    superstep_begin(run, now_ms, effects);
}

/* Reading a run, and making one. */
#include <assert.h>
#include <string.h>

#include "controlplane/graph/internal.h"

nv_graph_run_t *nv_graph_run_new(nv_mem_t *ctx, const nv_graph_t *graph)
{
    assert(graph->compiled);
    nv_graph_run_t *run = NV_NEW(ctx, nv_graph_run_t);
    run->graph = graph;
    run->channels = NV_NEW_ARRAY(run, chan_t, graph->channel_count);
    run->seen = NV_NEW_ARRAY(run, uint64_t, graph->seen_count);
    run->seen_version = NV_NEW_ARRAY(run, uint64_t, graph->node_count);
    run->visits = NV_NEW_ARRAY(run, uint32_t, graph->node_count);
    run->ready = NV_NEW_ARRAY(run, uint64_t, graph->node_count / 64 + 1);
    run->announced_ms = NV_GRAPH_NO_TIMER;
    size_t scratch = graph->limits.value_bytes > 4096 ? graph->limits.value_bytes : 4096;
    run->scratch = nv_buf_make(run, scratch + graph->limits.text_bytes);
    return run;
}

void nv_graph_run_free(nv_graph_run_t *run)
{
    nv_mem_free(run);
}

const nv_graph_t *nv_graph_run_graph(const nv_graph_run_t *run)
{
    return run->graph;
}

nv_run_phase_t nv_graph_run_phase(const nv_graph_run_t *run)
{
    return run->phase;
}

bool nv_graph_run_is_waiting(const nv_graph_run_t *run)
{
    return run->phase == NV_RUN_RUNNING && run->interrupted > 0 && run->interrupted == run->open_count;
}

uint64_t nv_graph_run_step_count(const nv_graph_run_t *run)
{
    return run->step;
}

uint64_t nv_graph_run_last_event(const nv_graph_run_t *run)
{
    return run->events;
}

nv_code_t nv_graph_run_reason(const nv_graph_run_t *run, const char **text)
{
    *text = run->reason ? run->reason->data : "";
    return run->reason_code;
}

bool nv_graph_read(const nv_graph_run_t *run, nv_channel_id_t channel, nv_bytes_t *out)
{
    assert(channel < run->graph->public_channels);
    const chan_t *chan = &run->channels[channel];
    *out = nv_value_bytes(chan->value);
    return chan->available;
}

int64_t nv_graph_read_number(const nv_graph_run_t *run, nv_channel_id_t channel)
{
    assert(channel < run->graph->public_channels);
    return run->channels[channel].number;
}

size_t nv_graph_read_count(const nv_graph_run_t *run, nv_channel_id_t channel)
{
    assert(channel < run->graph->public_channels);
    return run->channels[channel].item_count;
}

void nv_graph_read_item(const nv_graph_run_t *run, nv_channel_id_t channel, size_t index, nv_bytes_t *key,
                        nv_bytes_t *value)
{
    assert(index < nv_graph_read_count(run, channel));
    const item_t *item = &run->channels[channel].items[index];
    if (key)
        *key = nv_value_bytes(item->key);
    if (value)
        *value = nv_value_bytes(item->value);
}

bool nv_graph_read_key(const nv_graph_run_t *run, nv_channel_id_t channel, nv_bytes_t key, nv_bytes_t *out)
{
    assert(nv_graph_channel_kind(run->graph, channel) == NV_CHANNEL_MERGE);
    const chan_t *chan = &run->channels[channel];
    size_t low = 0;
    size_t high = chan->item_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = nv_bytes_compare(nv_value_bytes(chan->items[middle].key), key);
        if (order == 0) {
            *out = nv_value_bytes(chan->items[middle].value);
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

size_t nv_graph_task_count(const nv_graph_run_t *run)
{
    return run->task_count;
}

void nv_graph_task_at(const nv_graph_run_t *run, size_t index, nv_task_view_t *out)
{
    assert(index < run->task_count);
    const task_t *task = &run->tasks[index];
    *out = (nv_task_view_t){
        .task = task->id,
        .node = task->node,
        .state = task->state,
        .attempt = task->attempt,
        .failures = task->failures,
        .outcome = task->outcome,
        .due_ms = task->due_ms,
        .argument = nv_value_bytes(task->argument),
        .interrupt_count = task->interrupt_count,
        .open_interrupts = task->open_interrupts,
        .error_code = task->error_code,
        .error = task->error ? task->error->data : NULL,
    };
}

static size_t index_of(uint64_t task)
{
    return task & ((UINT64_C(1) << TASK_INDEX_BITS) - 1);
}

bool nv_graph_task_find(const nv_graph_run_t *run, uint64_t task, nv_task_view_t *out)
{
    size_t index = index_of(task);
    if (index >= run->task_count || run->tasks[index].id != task)
        return false;
    nv_graph_task_at(run, index, out);
    return true;
}

void nv_graph_task_interrupt(const nv_graph_run_t *run, uint64_t task, size_t index, nv_interrupt_view_t *out)
{
    const task_t *at = &run->tasks[index_of(task)];
    assert(index_of(task) < run->task_count && at->id == task && index < at->interrupt_count);
    const interrupt_t *interrupt = &at->interrupts[index];
    *out = (nv_interrupt_view_t){
        .key = nv_value_bytes(interrupt->key),
        .question = nv_value_bytes(interrupt->question),
        .answered = interrupt->answer != NULL,
        .answer = nv_value_bytes(interrupt->answer),
    };
}

uint32_t nv_graph_node_visits(const nv_graph_run_t *run, nv_node_id_t node)
{
    assert(node < run->graph->node_count);
    return run->visits[node];
}

/* Nodes that run inside the engine. What they write is collected, checked like a worker's result, and stored. */
#include <string.h>

#include "controlplane/graph/internal.h"

struct nv_node_call {
    nv_graph_run_t *run;
    task_t *task;
    nv_mem_t *ctx;
    nv_graph_write_t *writes;
    size_t write_count, write_capacity;
    nv_graph_send_t *sends;
    size_t send_count, send_capacity;
    nv_graph_ask_t *asks;
    size_t ask_count, ask_capacity;
    uint32_t outcome;
};

const nv_graph_run_t *nv_node_call_run(const nv_node_call_t *call)
{
    return call->run;
}

bool nv_node_call_answer(const nv_node_call_t *call, const char *key, nv_bytes_t *out)
{
    const interrupt_t *interrupt = task_interrupt_find(call->task, nv_bytes_text(key));
    if (!interrupt || !interrupt->answer)
        return false;
    *out = nv_value_bytes(interrupt->answer);
    return true;
}

/* Lives until the call is over; the first use of the call makes the context. */
static nv_bytes_t keep(nv_node_call_t *call, nv_bytes_t bytes)
{
    if (!call->ctx)
        call->ctx = nv_mem_child(call->run, "node call");
    return bytes.length ? nv_bytes(nv_memdup(call->ctx, bytes.data, bytes.length), bytes.length)
                        : nv_bytes("", 0);
}

void nv_node_call_write(nv_node_call_t *call, const nv_graph_write_t *write)
{
    nv_graph_write_t own = {write->channel, keep(call, write->key), keep(call, write->value), write->number};
    NV_PUSH(call->ctx, call->writes, call->write_count, call->write_capacity) = own;
}

void nv_node_call_send(nv_node_call_t *call, const nv_graph_send_t *send)
{
    nv_graph_send_t own = {send->node, keep(call, send->argument)};
    NV_PUSH(call->ctx, call->sends, call->send_count, call->send_capacity) = own;
}

void nv_node_call_outcome(nv_node_call_t *call, uint32_t outcome)
{
    call->outcome = outcome;
}

void nv_node_call_ask(nv_node_call_t *call, const nv_graph_ask_t *ask)
{
    nv_graph_ask_t own = {keep(call, ask->key), keep(call, ask->question)};
    NV_PUSH(call->ctx, call->asks, call->ask_count, call->ask_capacity) = own;
}

static bool check(nv_node_call_t *call, nv_error_t *err)
{
    return (call->ask_count == 0 ||
            task_check_asks(call->run, call->task, call->asks, call->ask_count, err)) &&
           task_check_writes(call->run, call->task->node, call->writes, call->write_count, err) &&
           task_check_sends(call->run, call->task->node, call->sends, call->send_count, err);
}

static void finish(nv_node_call_t *call, nv_graph_effects_t *effects)
{
    nv_graph_run_t *run = call->run;
    if (call->ask_count) {
        task_store_asks(run, call->task, call->asks, call->ask_count, effects);
        return;
    }
    task_store_result(run, call->task,
                      &(nv_graph_event_t){.outcome = call->outcome,
                                          .writes = call->writes,
                                          .write_count = call->write_count,
                                          .sends = call->sends,
                                          .send_count = call->send_count});
    task_set_state(run, call->task, NV_TASK_DONE);
    task_emit(run, call->task, NV_NEWS_TASK_DONE, effects);
    if (run->open_count)
        effect_add(effects, NV_EFFECT_PERSIST_TASK)->task = call->task->id;
}

bool task_local_run(nv_graph_run_t *run, task_t *task, int64_t now_ms, nv_graph_effects_t *effects)
{
    const nv_node_spec_t *spec = &run->graph->nodes[task->node].spec;
    nv_node_call_t call = {.run = run, .task = task};
    nv_error_t err;
    err.code = NV_OK; /* the text stays unset until it is needed: this runs once per superstep */
    bool ok = spec->local(&call, spec->user, &err) && check(&call, &err);
    if (ok)
        finish(&call, effects);
    else
        task_fail(run, task,
                  &(nv_graph_event_t){.kind = NV_EVENT_TASK_FAILED, .code = err.code, .text = err.message},
                  now_ms, effects);
    nv_mem_free(call.ctx);
    return run->phase == NV_RUN_RUNNING;
}

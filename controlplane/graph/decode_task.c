/* Records of tasks of the open superstep from bytes. Hostile input. */
#include <inttypes.h>
#include <string.h>

#include "controlplane/graph/internal.h"
#include "nuvyn/state.pb-c.h"

static nv_bytes_t bytes_of(ProtobufCBinaryData data)
{
    return nv_bytes(data.data, data.len);
}

static bool lists_to_event(const nv_graph_run_t *run, const Nv__GraphTask *message, nv_mem_t *ctx,
                           nv_graph_event_t *event, nv_error_t *err)
{
    nv_graph_write_t *writes = NV_NEW_ARRAY(ctx, nv_graph_write_t, message->n_writes);
    for (size_t i = 0; i < message->n_writes; i++) {
        const Nv__GraphWrite *write = message->writes[i];
        writes[i] = (nv_graph_write_t){nv_graph_find_channel(run->graph, write->channel),
                                       bytes_of(write->key), bytes_of(write->value), write->number};
        if (writes[i].channel == NV_GRAPH_NONE)
            return nv_fail(err, NV_DATA_LOSS, "task record: this graph has no channel \"%s\"",
                           write->channel);
    }
    nv_graph_send_t *sends = NV_NEW_ARRAY(ctx, nv_graph_send_t, message->n_sends);
    for (size_t i = 0; i < message->n_sends; i++) {
        sends[i] = (nv_graph_send_t){nv_graph_find_node(run->graph, message->sends[i]->node),
                                     bytes_of(message->sends[i]->argument)};
        if (sends[i].node == NV_GRAPH_NONE)
            return nv_fail(err, NV_DATA_LOSS, "task record: this graph has no node \"%s\"",
                           message->sends[i]->node);
    }
    *event = (nv_graph_event_t){.outcome = message->outcome,
                                .writes = writes,
                                .write_count = message->n_writes,
                                .sends = sends,
                                .send_count = message->n_sends};
    return true;
}

static bool is_caught(const nv_graph_run_t *run, const task_t *task, const Nv__GraphTask *message)
{
    return message->outcome == NV_GRAPH_OUTCOME_ERROR && run->graph->nodes[task->node].spec.catches &&
           message->n_writes == 1 && message->n_sends == 0;
}

static bool restore_result(nv_graph_run_t *run, task_t *task, const Nv__GraphTask *message, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("task decoding");
    nv_graph_event_t event;
    if (!lists_to_event(run, message, scratch, &event, err))
        return false;
    if (is_caught(run, task, message)) {
        /* the engine's own write of the error, which the node need not be allowed */
        if (event.writes[0].channel != run->graph->nodes[task->node].spec.error_channel ||
            !task_check_writes(run, NV_GRAPH_NONE, event.writes, 1, err))
            return nv_fail(err, NV_DATA_LOSS, "task record: a caught error in the wrong channel");
    } else if (!task_check_writes(run, task->node, event.writes, event.write_count, err) ||
               !task_check_sends(run, task->node, event.sends, event.send_count, err)) {
        return nv_wrap(err, "task record");
    }
    task_store_result(run, task, &event);
    return true;
}

static bool restore_interrupts(nv_graph_run_t *run, task_t *task, const Nv__GraphTask *message,
                               nv_error_t *err)
{
    for (size_t i = 0; i < message->n_interrupts; i++) {
        const Nv__GraphInterrupt *from = message->interrupts[i];
        nv_graph_ask_t ask = {nv_bytes_text(from->key), bytes_of(from->question)};
        if (!task_check_asks(run, task, &ask, 1, err))
            return nv_wrap(err, "task record");
        if (from->answer.len > run->graph->limits.value_bytes)
            return nv_fail(err, NV_DATA_LOSS, "task record: answer of %zu bytes", from->answer.len);
        interrupt_t own = {nv_value_new(run, ask.key), nv_value_new(run, ask.question),
                           from->answered ? nv_value_new(run, bytes_of(from->answer)) : NULL};
        NV_PUSH(run, task->interrupts, task->interrupt_count, task->interrupt_capacity) = own;
        task->open_interrupts += !from->answered;
    }
    return true;
}

static bool check_record(const task_t *task, const Nv__GraphTask *message, const nv_graph_run_t *run,
                         nv_error_t *err)
{
    if (!task || strcmp(run->graph->nodes[task->node].spec.name, message->node) != 0)
        return nv_fail(err, NV_DATA_LOSS,
                       "task record: superstep %" PRIu64 " has no task %" PRIu64 " of node \"%s\"",
                       message->step, message->task, message->node);
    if (task->failures || task->attempt != 1 || task->state == NV_TASK_DONE || task->interrupt_count)
        return nv_fail(err, NV_DATA_LOSS, "task record: twice task %" PRIu64, message->task);
    if (message->attempt == 0 || message->attempt > INT32_MAX || message->error_code < 0 ||
        message->error_code > NV_UNAUTHENTICATED || strlen(message->error) > run->graph->limits.text_bytes)
        return nv_fail(err, NV_DATA_LOSS, "task record: task %" PRIu64 ": fields out of range",
                       message->task);
    return true;
}

static bool restore_state(nv_graph_run_t *run, task_t *task, const Nv__GraphTask *message, nv_error_t *err)
{
    bool over =
        run->phase != NV_RUN_RUNNING; /* of a failed run, what is not done stays cancelled until a retry */
    switch (message->state) {
    case NV__GRAPH_TASK_STATE__GRAPH_TASK_STATE_DONE:
        if (!restore_result(run, task, message, err))
            return false;
        task_set_state(run, task, NV_TASK_DONE);
        return true;
    case NV__GRAPH_TASK_STATE__GRAPH_TASK_STATE_FAILED:
        if (run->phase != NV_RUN_FAILED)
            return nv_fail(err, NV_DATA_LOSS, "task record: a failed task in a run that has not failed");
        task_set_state(run, task, NV_TASK_FAILED);
        return true;
    case NV__GRAPH_TASK_STATE__GRAPH_TASK_STATE_INTERRUPTED:
        if (task->open_interrupts == 0)
            return nv_fail(err, NV_DATA_LOSS, "task record: interrupted without an open question");
        if (!over)
            task_set_state(run, task, NV_TASK_INTERRUPTED);
        return true;
    case NV__GRAPH_TASK_STATE__GRAPH_TASK_STATE_OPEN:
        if (over || message->not_before_ms <= 0)
            return true;
        task_set_state(run, task, NV_TASK_BACKOFF);
        alarm_set(run, task, message->not_before_ms);
        return true;
    default:
        return nv_fail(err, NV_DATA_LOSS, "task record: unknown state %d", (int)message->state);
    }
}

bool nv_graph_decode_task(nv_graph_run_t *run, nv_bytes_t bytes, nv_error_t *err)
{
    if (run->phase == NV_RUN_NEW)
        return nv_fail(err, NV_FAILED_PRECONDITION, "task record before the run's checkpoint");
    if (bytes.length > run->graph->limits.checkpoint_bytes)
        return nv_fail(err, NV_DATA_LOSS, "task record of %zu bytes, more than %" PRIu32, bytes.length,
                       run->graph->limits.checkpoint_bytes);
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("task decoding");
    ProtobufCAllocator allocator;
    nv_mem_protobuf(scratch, &allocator);
    Nv__GraphTask *message = nv__graph_task__unpack(&allocator, bytes.length, bytes.data);
    if (!message || message->format != 1)
        return nv_fail(err, NV_DATA_LOSS, "task record: not a GraphTask message of format 1");
    if (message->step < run->step || run->phase == NV_RUN_DONE)
        return true;
    task_t *task = task_find(run, message->task);
    if (!check_record(task, message, run, err))
        return false;
    task->attempt = message->attempt;
    task->failures = message->failures;
    task->error_code = (nv_code_t)message->error_code;
    if (*message->error)
        task->error = nv_value_new(run, nv_bytes_text(message->error));
    if (message->events > run->events && message->events <= INT64_MAX)
        run->events = message->events;
    return restore_interrupts(run, task, message, err) && restore_state(run, task, message, err);
}

/* Checkpoints and task records to bytes. A delta names only what has a newer version than the checkpoint before. */
#include <assert.h>
#include <inttypes.h>

#include "common/contract/codec.h"
#include "controlplane/graph/internal.h"
#include "nuvyn/state.pb-c.h"

static ProtobufCBinaryData binary(nv_bytes_t bytes)
{
    return (ProtobufCBinaryData){bytes.length, (uint8_t *)(uintptr_t)bytes.data};
}

static void encode_items(const chan_t *chan, uint64_t base, nv_mem_t *ctx, Nv__GraphChannel *out)
{
    out->replaced = base == 0 || chan->reset > base;
    out->count = (uint32_t)chan->item_count;
    out->items = NV_NEW_ARRAY(ctx, Nv__GraphItem *, chan->item_count);
    Nv__GraphItem *items = NV_NEW_ARRAY(ctx, Nv__GraphItem, chan->item_count);
    for (size_t i = 0; i < chan->item_count; i++) {
        const item_t *item = &chan->items[i];
        if (!out->replaced && item->version <= base)
            continue;
        Nv__GraphItem *encoded = &items[out->n_items];
        nv__graph_item__init(encoded);
        encoded->key = binary(nv_value_bytes(item->key));
        encoded->value = binary(nv_value_bytes(item->value));
        encoded->version = item->version;
        out->items[out->n_items++] = encoded;
    }
}

static void encode_channel(const nv_graph_run_t *run, uint16_t id, uint64_t base, nv_mem_t *ctx,
                           Nv__GraphChannel *out)
{
    const graph_channel_t *channel = &run->graph->channels[id];
    const chan_t *chan = &run->channels[id];
    nv__graph_channel__init(out);
    out->name = nv_message_text(channel->spec.name);
    out->version = chan->version;
    out->available = chan->available;
    out->value = binary(nv_value_bytes(chan->value));
    out->number = chan->number;
    out->reset_version = chan->reset;
    if (channel->spec.kind == NV_CHANNEL_TOPIC || channel->spec.kind == NV_CHANNEL_MERGE)
        encode_items(chan, base, ctx, out);
    if (channel->spec.kind != NV_CHANNEL_BARRIER)
        return;
    out->arrived = NV_NEW_ARRAY(ctx, char *, channel->member_count);
    for (size_t i = 0; i < channel->member_count; i++)
        if (chan->arrived >> i & 1)
            out->arrived[out->n_arrived++] =
                nv_message_text(run->graph->nodes[channel->members[i]].spec.name);
}

static void encode_channels(const nv_graph_run_t *run, uint64_t base, nv_mem_t *ctx, Nv__GraphCheckpoint *out)
{
    size_t count = 0;
    for (size_t i = 0; i < run->graph->channel_count; i++)
        count += run->channels[i].version > base;
    out->channels = NV_NEW_ARRAY(ctx, Nv__GraphChannel *, count);
    Nv__GraphChannel *channels = NV_NEW_ARRAY(ctx, Nv__GraphChannel, count);
    for (size_t i = 0; i < run->graph->channel_count; i++) {
        if (run->channels[i].version <= base)
            continue;
        Nv__GraphChannel *channel = &channels[out->n_channels];
        encode_channel(run, (uint16_t)i, base, ctx, channel);
        out->channels[out->n_channels++] = channel;
    }
}

static Nv__GraphNode *encode_node(const nv_graph_run_t *run, size_t id, nv_mem_t *ctx)
{
    const graph_node_t *node = &run->graph->nodes[id];
    Nv__GraphNode *out = NV_NEW(ctx, Nv__GraphNode);
    nv__graph_node__init(out);
    out->name = nv_message_text(node->spec.name);
    out->visits = run->visits[id];
    out->seen_version = run->seen_version[id];
    out->seen = NV_NEW_ARRAY(ctx, Nv__GraphSeen *, node->trigger_count);
    for (size_t i = 0; i < node->trigger_count; i++) {
        if (run->seen[node->seen_base + i] == 0)
            continue;
        Nv__GraphSeen *seen = NV_NEW(ctx, Nv__GraphSeen);
        nv__graph_seen__init(seen);
        seen->channel = nv_message_text(run->graph->channels[node->triggers[i]].spec.name);
        seen->version = run->seen[node->seen_base + i];
        out->seen[out->n_seen++] = seen;
    }
    return out;
}

static Nv__GraphSend **encode_sends(const nv_graph_run_t *run, const sent_t *sends, size_t count,
                                    nv_mem_t *ctx)
{
    Nv__GraphSend **out = NV_NEW_ARRAY(ctx, Nv__GraphSend *, count);
    for (size_t i = 0; i < count; i++) {
        out[i] = NV_NEW(ctx, Nv__GraphSend);
        nv__graph_send__init(out[i]);
        out[i]->node = nv_message_text(run->graph->nodes[sends[i].node].spec.name);
        out[i]->argument = binary(nv_value_bytes(sends[i].argument));
    }
    return out;
}

static bool pack(const ProtobufCMessage *message, uint32_t maximum, const char *what, nv_mem_t *ctx,
                 nv_bytes_t *out, nv_error_t *err)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    if (size > maximum)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "%s of %zu bytes, more than %" PRIu32, what, size,
                       maximum);
    uint8_t *bytes = nv_alloc(ctx, size + 1);
    *out = nv_bytes(bytes, protobuf_c_message_pack(message, bytes));
    return true;
}

static const Nv__GraphPhase phases[] = {
    [NV_RUN_RUNNING] = NV__GRAPH_PHASE__GRAPH_PHASE_RUNNING,
    [NV_RUN_DONE] = NV__GRAPH_PHASE__GRAPH_PHASE_DONE,
    [NV_RUN_FAILED] = NV__GRAPH_PHASE__GRAPH_PHASE_FAILED,
    [NV_RUN_CANCELLED] = NV__GRAPH_PHASE__GRAPH_PHASE_CANCELLED,
};

bool nv_graph_encode_checkpoint(const nv_graph_run_t *run, bool snapshot, nv_mem_t *ctx, nv_bytes_t *out,
                                nv_error_t *err)
{
    if (run->checkpoint_seq == 0)
        return nv_fail(err, NV_FAILED_PRECONDITION, "the run has no checkpoint yet");
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("checkpoint encoding");
    uint64_t base = snapshot ? 0 : run->checkpoint_version;
    Nv__GraphCheckpoint message;
    nv__graph_checkpoint__init(&message);
    message.format = 1;
    message.graph = nv_message_text(run->graph->name);
    message.seq = run->checkpoint_seq;
    message.snapshot = snapshot;
    message.snapshot_seq = snapshot ? run->checkpoint_seq : run->snapshot_seq;
    message.base_version = base;
    message.version = run->version;
    message.step = run->step;
    message.events = run->events;
    message.phase = phases[run->phase];
    message.broken = run->broken;
    message.reason_code = (int32_t)run->reason_code;
    if (run->reason)
        message.reason = run->reason->data;
    encode_channels(run, base, scratch, &message);
    message.nodes = NV_NEW_ARRAY(scratch, Nv__GraphNode *, run->graph->node_count);
    for (size_t i = 0; i < run->graph->node_count; i++)
        if (run->seen_version[i] > base)
            message.nodes[message.n_nodes++] = encode_node(run, i, scratch);
    message.n_sends = run->send_count;
    message.sends = encode_sends(run, run->sends, run->send_count, scratch);
    return pack(&message.base, run->graph->limits.checkpoint_bytes, "checkpoint", ctx, out, err);
}

static Nv__GraphTaskState task_state(nv_task_state_t state)
{
    switch (state) {
    case NV_TASK_INTERRUPTED:
        return NV__GRAPH_TASK_STATE__GRAPH_TASK_STATE_INTERRUPTED;
    case NV_TASK_DONE:
        return NV__GRAPH_TASK_STATE__GRAPH_TASK_STATE_DONE;
    case NV_TASK_FAILED:
        return NV__GRAPH_TASK_STATE__GRAPH_TASK_STATE_FAILED;
    default:
        return NV__GRAPH_TASK_STATE__GRAPH_TASK_STATE_OPEN;
    }
}

static void encode_task_writes(const nv_graph_run_t *run, const task_t *task, nv_mem_t *ctx,
                               Nv__GraphTask *out)
{
    out->n_writes = task->write_count;
    out->writes = NV_NEW_ARRAY(ctx, Nv__GraphWrite *, task->write_count);
    for (size_t i = 0; i < task->write_count; i++) {
        const write_t *write = &run->writes[task->first_write + i];
        Nv__GraphWrite *encoded = out->writes[i] = NV_NEW(ctx, Nv__GraphWrite);
        nv__graph_write__init(encoded);
        encoded->channel = nv_message_text(run->graph->channels[write->channel].spec.name);
        encoded->key = binary(nv_value_bytes(write->key));
        encoded->value = binary(nv_value_bytes(write->value));
        encoded->number = write->number;
    }
    out->n_sends = task->send_count;
    const sent_t *sends = task->send_count ? &run->outbox[task->first_send] : NULL;
    out->sends = encode_sends(run, sends, task->send_count, ctx);
}

static void encode_interrupts(const task_t *task, nv_mem_t *ctx, Nv__GraphTask *out)
{
    out->n_interrupts = task->interrupt_count;
    out->interrupts = NV_NEW_ARRAY(ctx, Nv__GraphInterrupt *, task->interrupt_count);
    for (size_t i = 0; i < task->interrupt_count; i++) {
        const interrupt_t *interrupt = &task->interrupts[i];
        Nv__GraphInterrupt *encoded = out->interrupts[i] = NV_NEW(ctx, Nv__GraphInterrupt);
        nv__graph_interrupt__init(encoded);
        encoded->key = interrupt->key->data;
        encoded->question = binary(nv_value_bytes(interrupt->question));
        encoded->answered = interrupt->answer != NULL;
        encoded->answer = binary(nv_value_bytes(interrupt->answer));
    }
}

bool nv_graph_encode_task(const nv_graph_run_t *run, uint64_t id, nv_mem_t *ctx, nv_bytes_t *out,
                          nv_error_t *err)
{
    const task_t *task = task_find((nv_graph_run_t *)(uintptr_t)run, id);
    if (!task)
        return nv_fail(err, NV_NOT_FOUND, "task %" PRIu64 " is not of the current superstep", id);
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("task encoding");
    Nv__GraphTask message;
    nv__graph_task__init(&message);
    message.format = 1;
    message.task = task->id;
    message.node = nv_message_text(run->graph->nodes[task->node].spec.name);
    message.step = run->step;
    message.state = task_state(task->state);
    message.attempt = task->attempt;
    message.failures = task->failures;
    message.not_before_ms = task->state == NV_TASK_BACKOFF ? task->due_ms : 0;
    message.outcome = task->outcome;
    message.error_code = (int32_t)task->error_code;
    if (task->error)
        message.error = task->error->data;
    message.events = run->events;
    encode_task_writes(run, task, scratch, &message);
    encode_interrupts(task, scratch, &message);
    return pack(&message.base, run->graph->limits.checkpoint_bytes, "task record", ctx, out, err);
}

/* Checkpoints from bytes. Hostile input: every name, number and size is checked before it is used. */
#include <inttypes.h>
#include <string.h>

#include "controlplane/graph/internal.h"
#include "nuvyn/state.pb-c.h"

static bool bad(nv_error_t *err, const char *what, const char *name)
{
    return nv_fail(err, NV_DATA_LOSS, "checkpoint: %s \"%s\"", what, name);
}

static nv_bytes_t bytes_of(ProtobufCBinaryData data)
{
    return nv_bytes(data.data, data.len);
}

static bool check_size(const nv_graph_run_t *run, ProtobufCBinaryData data, const char *name, nv_error_t *err)
{
    if (data.len > run->graph->limits.value_bytes)
        return nv_fail(err, NV_DATA_LOSS, "checkpoint: \"%s\" holds a value of %zu bytes, more than %" PRIu32,
                       name, data.len, run->graph->limits.value_bytes);
    return true;
}

static bool unpack(nv_graph_run_t *run, nv_bytes_t bytes, nv_mem_t *ctx, Nv__GraphCheckpoint **out,
                   nv_error_t *err)
{
    if (bytes.length > run->graph->limits.checkpoint_bytes)
        return nv_fail(err, NV_DATA_LOSS, "checkpoint of %zu bytes, more than %" PRIu32, bytes.length,
                       run->graph->limits.checkpoint_bytes);
    ProtobufCAllocator allocator;
    nv_mem_protobuf(ctx, &allocator);
    *out = nv__graph_checkpoint__unpack(&allocator, bytes.length, bytes.data);
    if (!*out)
        return nv_fail(err, NV_DATA_LOSS, "checkpoint: not a GraphCheckpoint message");
    if ((*out)->format != 1)
        return nv_fail(err, NV_DATA_LOSS, "checkpoint: format %" PRIu32 ", expected 1", (*out)->format);
    return true;
}

static bool check_header(const nv_graph_run_t *run, const Nv__GraphCheckpoint *message, nv_error_t *err)
{
    if (strcmp(message->graph, run->graph->name) != 0)
        return bad(err, "it is of graph", message->graph);
    if (message->snapshot != (run->phase == NV_RUN_NEW))
        return nv_fail(err, NV_DATA_LOSS,
                       "checkpoint %" PRIu64 ": a run starts from a snapshot, then takes deltas",
                       message->seq);
    bool follows = message->seq == run->checkpoint_seq + 1 && message->base_version == run->version &&
                   message->snapshot_seq == run->snapshot_seq;
    bool starts = message->seq >= 1 && message->base_version == 0 && message->snapshot_seq == message->seq;
    if (message->snapshot ? !starts : !follows)
        return nv_fail(err, NV_DATA_LOSS, "checkpoint %" PRIu64 " does not follow checkpoint %" PRIu64,
                       message->seq, run->checkpoint_seq);
    if (message->version < message->base_version || message->version > INT64_MAX ||
        message->seq > INT64_MAX || message->events < run->events || message->events > INT64_MAX ||
        message->step < run->step || message->step >= UINT64_C(1) << (62 - TASK_INDEX_BITS))
        return nv_fail(err, NV_DATA_LOSS, "checkpoint %" PRIu64 ": counters out of range", message->seq);
    if (message->phase < NV__GRAPH_PHASE__GRAPH_PHASE_RUNNING ||
        message->phase > NV__GRAPH_PHASE__GRAPH_PHASE_CANCELLED)
        return nv_fail(err, NV_DATA_LOSS, "checkpoint %" PRIu64 ": unknown phase %d", message->seq,
                       (int)message->phase);
    return true;
}

static bool decode_items(nv_graph_run_t *run, uint16_t id, const Nv__GraphChannel *message, uint64_t base,
                         nv_error_t *err)
{
    chan_t *chan = &run->channels[id];
    bool merge = run->graph->channels[id].spec.kind == NV_CHANNEL_MERGE;
    if (message->replaced)
        chan_clear_items(run, chan);
    if (message->n_items > run->graph->limits.items - chan->item_count)
        return bad(err, "too many items in", message->name);
    for (size_t i = 0; i < message->n_items; i++) {
        const Nv__GraphItem *item = message->items[i];
        if (!check_size(run, item->value, message->name, err))
            return false;
        if (merge ? item->key.len == 0 || item->key.len > KEY_MAX_BYTES : item->key.len != 0)
            return bad(err, "bad item key in", message->name);
        if (item->version > message->version || (!message->replaced && item->version <= base))
            return bad(err, "bad item version in", message->name);
        item_t own = {.value = nv_value_new(run, bytes_of(item->value)), .version = item->version};
        if (merge)
            own.key = nv_value_new(run, bytes_of(item->key));
        NV_PUSH(run, chan->items, chan->item_count, chan->item_capacity) = own;
    }
    if (merge)
        chan_sort_tail(run, chan);
    if (chan->item_count != message->count)
        return bad(err, "wrong number of items in", message->name);
    return true;
}

static bool decode_arrivals(nv_graph_run_t *run, uint16_t id, const Nv__GraphChannel *message,
                            nv_error_t *err)
{
    const graph_channel_t *channel = &run->graph->channels[id];
    uint64_t arrived = 0;
    for (size_t i = 0; i < message->n_arrived; i++) {
        uint64_t bit = 0;
        for (size_t m = 0; m < channel->member_count; m++)
            if (strcmp(run->graph->nodes[channel->members[m]].spec.name, message->arrived[i]) == 0)
                bit = UINT64_C(1) << m;
        if (bit == 0)
            return bad(err, "no such source of a join", message->arrived[i]);
        arrived |= bit;
    }
    run->channels[id].arrived = arrived;
    return true;
}

static bool decode_channel(nv_graph_run_t *run, const Nv__GraphCheckpoint *checkpoint,
                           const Nv__GraphChannel *message, nv_error_t *err)
{
    uint16_t id = graph_find_channel_of_name(run->graph, message->name);
    if (id == NV_GRAPH_NONE)
        return bad(err, "this graph has no channel", message->name);
    chan_t *chan = &run->channels[id];
    if (chan->stamp == checkpoint->seq)
        return bad(err, "twice the channel", message->name);
    chan->stamp = checkpoint->seq; /* borrowed as a mark here; superstep marks are set anew below */
    if (message->version <= checkpoint->base_version || message->version > checkpoint->version ||
        message->reset_version > message->version)
        return bad(err, "version out of range of channel", message->name);
    if (!check_size(run, message->value, message->name, err))
        return false;
    nv_channel_kind_t kind = run->graph->channels[id].spec.kind;
    bool holds_value = kind == NV_CHANNEL_LAST || kind == NV_CHANNEL_EPHEMERAL || kind == NV_CHANNEL_REDUCE;
    bool holds_items = kind == NV_CHANNEL_TOPIC || kind == NV_CHANNEL_MERGE;
    if ((!holds_value && message->value.len) || (!holds_items && (message->n_items || message->replaced)) ||
        (kind != NV_CHANNEL_NUMBER && message->number) || (kind != NV_CHANNEL_BARRIER && message->n_arrived))
        return bad(err, "content of another kind in channel", message->name);
    nv_value_unref(chan->value);
    chan->value = holds_value && message->available ? nv_value_new(run, bytes_of(message->value)) : NULL;
    chan->number = message->number;
    if (holds_items && !decode_items(run, id, message, checkpoint->base_version, err))
        return false;
    if (kind == NV_CHANNEL_BARRIER && !decode_arrivals(run, id, message, err))
        return false;
    chan->version = message->version;
    chan->reset = message->reset_version;
    chan->available = message->available;
    return true;
}

static bool decode_seen(nv_graph_run_t *run, const graph_node_t *node, const Nv__GraphSeen *seen,
                        uint64_t version, nv_error_t *err)
{
    if (seen->version > version)
        return bad(err, "version out of range, seen by node", node->spec.name);
    for (size_t i = 0; i < node->trigger_count; i++)
        if (strcmp(run->graph->channels[node->triggers[i]].spec.name, seen->channel) == 0) {
            run->seen[node->seen_base + i] = seen->version;
            return true;
        }
    return bad(err, "a node saw a channel that does not trigger it", seen->channel);
}

static bool decode_node(nv_graph_run_t *run, const Nv__GraphNode *message, uint64_t version, nv_error_t *err)
{
    nv_node_id_t id = nv_graph_find_node(run->graph, message->name);
    if (id == NV_GRAPH_NONE)
        return bad(err, "this graph has no node", message->name);
    if (message->seen_version > version)
        return bad(err, "version out of range of node", message->name);
    run->visits[id] = message->visits;
    run->seen_version[id] = message->seen_version;
    for (size_t i = 0; i < message->n_seen; i++)
        if (!decode_seen(run, &run->graph->nodes[id], message->seen[i], version, err))
            return false;
    return true;
}

static bool decode_sends(nv_graph_run_t *run, const Nv__GraphCheckpoint *message, nv_error_t *err)
{
    if (message->n_sends > run->graph->limits.tasks)
        return nv_fail(err, NV_DATA_LOSS, "checkpoint: %zu sends, more than %" PRIu32, message->n_sends,
                       run->graph->limits.tasks);
    for (size_t i = 0; i < message->n_sends; i++) {
        nv_node_id_t node = nv_graph_find_node(run->graph, message->sends[i]->node);
        if (node == NV_GRAPH_NONE)
            return bad(err, "a send to a node this graph does not have", message->sends[i]->node);
        if (!check_size(run, message->sends[i]->argument, "argument of a send", err))
            return false;
        NV_PUSH(run, run->sends, run->send_count, run->send_capacity) =
            (sent_t){node, nv_value_new(run, bytes_of(message->sends[i]->argument))};
    }
    return true;
}

static bool decode_parts(nv_graph_run_t *run, const Nv__GraphCheckpoint *message, nv_error_t *err)
{
    for (size_t i = 0; i < run->graph->channel_count; i++)
        run->channels[i].stamp = 0;
    for (size_t i = 0; i < message->n_channels; i++)
        if (!decode_channel(run, message, message->channels[i], err))
            return false;
    for (size_t i = 0; i < run->graph->channel_count; i++)
        run->channels[i].stamp = 0;
    for (size_t i = 0; i < message->n_nodes; i++)
        if (!decode_node(run, message->nodes[i], message->version, err))
            return false;
    return decode_sends(run, message, err);
}

static nv_run_phase_t phase_of(Nv__GraphPhase phase)
{
    static const nv_run_phase_t phases[] = {NV_RUN_NEW, NV_RUN_RUNNING, NV_RUN_DONE, NV_RUN_FAILED,
                                            NV_RUN_CANCELLED};
    return phases[phase];
}

/* What follows from the decoded parts: channels that will expire, and the tasks of the open superstep. */
static bool rebuild(nv_graph_run_t *run, nv_error_t *err)
{
    run->transient_count = run->updated_count = 0;
    for (size_t i = 0; i < run->graph->channel_count; i++)
        if (run->channels[i].available && chan_is_transient(&run->graph->channels[i]))
            chan_note_transient(run, (uint16_t)i);
    if (run->phase == NV_RUN_DONE)
        return true;
    superstep_prepare(run, true);
    if (run->error.code != NV_OK) {
        *err = run->error;
        return nv_wrap(err, "checkpoint");
    }
    if (run->phase == NV_RUN_RUNNING && run->task_count == 0)
        return nv_fail(err, NV_DATA_LOSS, "checkpoint: a running run with nothing to run");
    for (size_t i = 0; i < run->task_count && run->phase != NV_RUN_RUNNING; i++)
        task_set_state(run, &run->tasks[i], NV_TASK_CANCELLED);
    return true;
}

bool nv_graph_decode_checkpoint(nv_graph_run_t *run, nv_bytes_t bytes, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("checkpoint decoding");
    Nv__GraphCheckpoint *message = NULL;
    if (!unpack(run, bytes, scratch, &message, err) || !check_header(run, message, err))
        return false;
    superstep_drop_tasks(run);
    if (!decode_parts(run, message, err))
        return false;
    run->checkpoint_seq = message->seq;
    run->snapshot_seq = message->snapshot_seq;
    run->checkpoint_version = message->base_version;
    run->version = run->last_version = message->version;
    run->step = message->step;
    run->events = message->events;
    run->phase = phase_of(message->phase);
    run->broken = message->broken;
    if (message->reason_code < 0 || message->reason_code > NV_UNAUTHENTICATED ||
        strlen(message->reason) > NV_ERROR_TEXT_MAX + run->graph->limits.text_bytes)
        return nv_fail(err, NV_DATA_LOSS, "checkpoint: bad reason");
    run->reason_code = (nv_code_t)message->reason_code;
    run_retire(run, run->reason);
    run->reason = *message->reason ? nv_value_new(run, nv_bytes_text(message->reason)) : NULL;
    return rebuild(run, err);
}

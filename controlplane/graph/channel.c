/* Channels: how writes combine, what a superstep consumes, what expires. After LangGraph's channels/{last_value,
 * ephemeral_value,topic,binop,named_barrier_value}.py. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/graph/internal.h"

bool chan_is_transient(const graph_channel_t *channel)
{
    return channel->spec.kind == NV_CHANNEL_EPHEMERAL || channel->spec.kind == NV_CHANNEL_INBOX ||
           (channel->spec.kind == NV_CHANNEL_TOPIC && channel->spec.transient);
}

void chan_note_transient(nv_graph_run_t *run, uint16_t channel)
{
    NV_PUSH(run, run->transient, run->transient_count, run->transient_capacity) = channel;
}

/* Marks a change in this superstep; true the first time. */
static bool touch(nv_graph_run_t *run, uint16_t channel)
{
    chan_t *chan = &run->channels[channel];
    if (chan->stamp == run->version)
        return false;
    chan->stamp = run->version;
    chan->version = run->version;
    NV_PUSH(run, run->updated, run->updated_count, run->updated_capacity) = channel;
    return true;
}

void chan_touch(nv_graph_run_t *run, uint16_t channel)
{
    (void)touch(run, channel);
}

static void make_available(nv_graph_run_t *run, uint16_t channel)
{
    chan_t *chan = &run->channels[channel];
    if (!chan->available && chan_is_transient(&run->graph->channels[channel]))
        chan_note_transient(run, channel);
    chan->available = true;
}

void chan_clear_items(nv_graph_run_t *run, chan_t *chan)
{
    for (size_t i = 0; i < chan->item_count; i++) {
        nv_value_unref(chan->items[i].key);
        nv_value_unref(chan->items[i].value);
    }
    chan->item_count = chan->sorted = 0;
    chan->reset = run->version;
}

static void set_value(chan_t *chan, nv_value_t *value)
{
    nv_value_unref(chan->value);
    chan->value = nv_value_ref(value);
}

static void append(nv_graph_run_t *run, uint16_t channel, const write_t *write)
{
    chan_t *chan = &run->channels[channel];
    bool keyed = run->graph->channels[channel].spec.kind == NV_CHANNEL_MERGE;
    if (chan->item_count >= run->graph->limits.items) {
        nv_fail(&run->error, NV_RESOURCE_EXHAUSTED, "channel \"%s\" holds more than %u items",
                run->graph->channels[channel].spec.name, run->graph->limits.items);
        return;
    }
    NV_PUSH(run, chan->items, chan->item_count, chan->item_capacity) =
        (item_t){keyed ? nv_value_ref(write->key) : NULL, nv_value_ref(write->value), run->version};
}

static void combine_number(nv_graph_run_t *run, uint16_t channel, int64_t number)
{
    const nv_channel_spec_t *spec = &run->graph->channels[channel].spec;
    chan_t *chan = &run->channels[channel];
    bool empty = !chan->available;
    if (empty || spec->op == NV_CHANNEL_SET)
        chan->number = number;
    else if (spec->op == NV_CHANNEL_MIN)
        chan->number = number < chan->number ? number : chan->number;
    else if (spec->op == NV_CHANNEL_MAX)
        chan->number = number > chan->number ? number : chan->number;
    else if (__builtin_add_overflow(chan->number, number, &chan->number))
        nv_fail(&run->error, NV_OUT_OF_RANGE, "channel \"%s\": the sum leaves the 64-bit range", spec->name);
}

static void reduce(nv_graph_run_t *run, uint16_t channel, nv_value_t *update)
{
    const nv_channel_spec_t *spec = &run->graph->channels[channel].spec;
    chan_t *chan = &run->channels[channel];
    if (!chan->available) {
        set_value(chan, update);
        return;
    }
    nv_buf_reset(&run->scratch);
    spec->reduce(nv_value_bytes(chan->value), nv_value_bytes(update), &run->scratch, spec->user);
    if (!nv_buf_ok(&run->scratch, spec->name, &run->error))
        return;
    nv_value_unref(chan->value);
    chan->value = nv_value_new(run, nv_bytes(run->scratch.data, run->scratch.length));
}

void chan_apply(nv_graph_run_t *run, const write_t *write)
{
    const nv_channel_spec_t *spec = &run->graph->channels[write->channel].spec;
    chan_t *chan = &run->channels[write->channel];
    bool first = touch(run, write->channel);
    switch (spec->kind) {
    case NV_CHANNEL_LAST:
    case NV_CHANNEL_EPHEMERAL:
        set_value(chan, write->value);
        break;
    case NV_CHANNEL_TOPIC:
        if (first && spec->transient)
            chan_clear_items(run, chan);
        append(run, write->channel, write);
        break;
    case NV_CHANNEL_MERGE:
        append(run, write->channel, write);
        chan->unsorted = true;
        break;
    case NV_CHANNEL_NUMBER:
        combine_number(run, write->channel, write->number);
        break;
    case NV_CHANNEL_REDUCE:
        reduce(run, write->channel, write->value);
        break;
    case NV_CHANNEL_BARRIER:
    case NV_CHANNEL_INBOX:
        assert(!"the engine writes these itself");
    }
    make_available(run, write->channel);
}

void chan_arrive(nv_graph_run_t *run, const graph_barrier_t *barrier)
{
    chan_t *chan = &run->channels[barrier->channel];
    uint64_t bit = UINT64_C(1) << barrier->bit;
    if (chan->arrived & bit)
        return;
    chan->arrived |= bit;
    chan_touch(run, barrier->channel);
    size_t members = run->graph->channels[barrier->channel].member_count;
    uint64_t all = members == 64 ? UINT64_MAX : (UINT64_C(1) << members) - 1;
    chan->available = chan->arrived == all;
}

void chan_trigger(nv_graph_run_t *run, uint16_t inbox)
{
    chan_touch(run, inbox);
    make_available(run, inbox);
}

/* A barrier that let its node run starts over. */
void chan_consume(nv_graph_run_t *run, uint16_t channel)
{
    chan_t *chan = &run->channels[channel];
    if (run->graph->channels[channel].spec.kind != NV_CHANNEL_BARRIER || !chan->available)
        return;
    chan->arrived = 0;
    chan->available = false;
    chan_touch(run, channel);
}

static void expire(nv_graph_run_t *run, uint16_t channel)
{
    chan_t *chan = &run->channels[channel];
    chan->available = false;
    chan->version = run->version;
    nv_value_unref(chan->value);
    chan->value = NULL;
    if (chan->item_count)
        chan_clear_items(run, chan);
}

void chan_expire_transients(nv_graph_run_t *run)
{
    size_t kept = 0;
    for (size_t i = 0; i < run->transient_count; i++) {
        uint16_t channel = run->transient[i];
        if (run->channels[channel].stamp == run->version)
            run->transient[kept++] = channel;
        else
            expire(run, channel);
    }
    run->transient_count = kept;
}

typedef struct ordered {
    item_t item;
    size_t order;
} ordered_t;

static int compare_keys(const item_t *a, const item_t *b)
{
    return nv_bytes_compare(nv_value_bytes(a->key), nv_value_bytes(b->key));
}

static int compare_ordered(const void *left, const void *right)
{
    const ordered_t *a = left;
    const ordered_t *b = right;
    int order = compare_keys(&a->item, &b->item);
    return order ? order : (a->order > b->order) - (a->order < b->order);
}

static void release(item_t *item)
{
    nv_value_unref(item->key);
    nv_value_unref(item->value);
}

/* Sorts by (key, path order) and keeps the last of each key; returns how many remain. */
static size_t sort_unique(ordered_t *tail, size_t count)
{
    qsort(tail, count, sizeof *tail, compare_ordered);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept && compare_keys(&tail[kept - 1].item, &tail[i].item) == 0)
            release(&tail[--kept].item);
        tail[kept++] = tail[i];
    }
    return kept;
}

void chan_sort_tail(nv_graph_run_t *run, chan_t *chan)
{
    chan->unsorted = false;
    size_t tail_count = chan->item_count - chan->sorted;
    if (tail_count == 0)
        return;
    ordered_t *tail = NV_NEW_ARRAY(run, ordered_t, tail_count);
    for (size_t i = 0; i < tail_count; i++)
        tail[i] = (ordered_t){chan->items[chan->sorted + i], i};
    tail_count = sort_unique(tail, tail_count);
    item_t *merged = NV_NEW_ARRAY(run, item_t, chan->sorted + tail_count);
    size_t count = 0, old = 0, fresh = 0;
    while (old < chan->sorted || fresh < tail_count) {
        int order = old == chan->sorted   ? 1
                    : fresh == tail_count ? -1
                                          : compare_keys(&chan->items[old], &tail[fresh].item);
        if (order == 0)
            release(&chan->items[old++]);
        merged[count++] = order < 0 ? chan->items[old++] : tail[fresh++].item;
    }
    nv_mem_free(tail);
    nv_mem_free(chan->items);
    chan->items = merged;
    chan->item_capacity = chan->item_count = chan->sorted = count;
}

void chan_settle(nv_graph_run_t *run)
{
    for (size_t i = 0; i < run->updated_count; i++) {
        chan_t *chan = &run->channels[run->updated[i]];
        if (chan->unsorted)
            chan_sort_tail(run, chan);
    }
}

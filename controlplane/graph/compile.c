/* Checking a definition and freezing it: reverse trigger lists, write masks, slots for versions seen. */
#include <assert.h>
#include <string.h>

#include "controlplane/graph/internal.h"

static bool check_channels_of(nv_graph_t *graph, const graph_node_t *node, const uint16_t *ids, size_t count,
                              const char *what, nv_error_t *err)
{
    for (size_t i = 0; i < count; i++)
        if (ids[i] >= graph->public_channels)
            return nv_fail(err, NV_INVALID_ARGUMENT, "node \"%s\" %s channel number %u, which does not exist",
                           node->spec.name, what, ids[i]);
    return true;
}

static bool check_node(nv_graph_t *graph, const graph_node_t *node, nv_error_t *err)
{
    const nv_node_spec_t *spec = &node->spec;
    if (!check_channels_of(graph, node, spec->writes, spec->write_count, "writes", err) ||
        !check_channels_of(graph, node, spec->subscribes, spec->subscribe_count, "subscribes to", err))
        return false;
    if (!spec->catches)
        return true;
    if (!check_channels_of(graph, node, &spec->error_channel, 1, "sends its errors to", err))
        return false;
    if (graph->channels[spec->error_channel].spec.kind == NV_CHANNEL_NUMBER)
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "node \"%s\": its error channel \"%s\" holds numbers, not text", spec->name,
                       graph->channels[spec->error_channel].spec.name);
    return true;
}

static void link_triggers(nv_graph_t *graph, graph_node_t *node, uint16_t id)
{
    uint16_t *barriers = node->triggers;
    size_t barrier_count = node->trigger_count;
    node->triggers = NULL;
    node->trigger_count = node->trigger_capacity = 0;
    NV_PUSH(graph, node->triggers, node->trigger_count, node->trigger_capacity) = node->inbox;
    for (size_t i = 0; i < barrier_count; i++)
        NV_PUSH(graph, node->triggers, node->trigger_count, node->trigger_capacity) = barriers[i];
    for (size_t i = 0; i < node->spec.subscribe_count; i++)
        NV_PUSH(graph, node->triggers, node->trigger_count, node->trigger_capacity) =
            node->spec.subscribes[i];
    for (size_t i = 0; i < node->trigger_count; i++) {
        graph_channel_t *channel = &graph->channels[node->triggers[i]];
        NV_PUSH(graph, channel->nodes, channel->node_count, channel->node_capacity) = id;
    }
    node->seen_base = graph->seen_count;
    graph->seen_count += node->trigger_count;
}

static void make_write_mask(nv_graph_t *graph, graph_node_t *node)
{
    node->may_write = NV_NEW_ARRAY(graph, uint64_t, graph->channel_count / 64 + 1);
    for (size_t i = 0; i < node->spec.write_count; i++)
        node->may_write[node->spec.writes[i] / 64] |= UINT64_C(1) << (node->spec.writes[i] % 64);
}

/* Marks what can be reached from node; work list, because graphs may be deep. */
static void mark_reachable(const nv_graph_t *graph, bool *reached, uint16_t *work)
{
    size_t count = 0;
    for (size_t i = 0; i < graph->node_count; i++)
        if (reached[i])
            work[count++] = (uint16_t)i;
    while (count) {
        const graph_node_t *node = &graph->nodes[work[--count]];
        for (uint16_t to = 0; to < graph->node_count; to++) {
            if (reached[to])
                continue;
            bool hit = graph_may_send(graph, (uint16_t)(node - graph->nodes), to);
            for (size_t e = 0; e < node->edge_count; e++)
                hit = hit || node->edges[e] == graph->nodes[to].inbox;
            for (size_t c = 0; c < node->condition_count; c++)
                hit = hit || node->conditions[c].inbox == graph->nodes[to].inbox;
            for (size_t b = 0; b < node->barrier_count; b++)
                hit = hit || graph->channels[node->barriers[b].channel].nodes[0] == to;
            for (size_t r = 0; r < node->router_count; r++)
                for (size_t t = 0; t < node->routers[r].target_count; t++)
                    hit = hit || node->routers[r].targets[t] == to;
            if (hit) {
                reached[to] = true;
                work[count++] = to;
            }
        }
    }
}

static bool check_reachable(nv_graph_t *graph, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("graph check");
    bool *reached = NV_NEW_ARRAY(scratch, bool, graph->node_count);
    uint16_t *work = NV_NEW_ARRAY(scratch, uint16_t, graph->node_count);
    for (size_t i = 0; i < graph->entry_count; i++)
        reached[graph->entries[i]] = true;
    for (size_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i].spec.subscribe_count)
            reached[i] = true; /* whoever writes the channel, the input included, starts it */
    mark_reachable(graph, reached, work);
    for (size_t i = 0; i < graph->node_count; i++)
        if (!reached[i])
            return nv_fail(err, NV_INVALID_ARGUMENT, "node \"%s\" cannot be reached from the start",
                           graph->nodes[i].spec.name);
    return true;
}

bool nv_graph_compile(nv_graph_t *graph, nv_error_t *err)
{
    assert(!graph->compiled);
    if (graph->error.code != NV_OK) {
        *err = graph->error;
        return nv_wrap(err, "graph \"%s\"", graph->name);
    }
    if (graph->node_count == 0)
        return nv_fail(err, NV_INVALID_ARGUMENT, "graph \"%s\" has no nodes", graph->name);
    if (graph->limits.tasks >= 1u << TASK_INDEX_BITS || graph->limits.keep_snapshots > 7)
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "graph \"%s\": at most %u tasks per superstep and 7 kept snapshots", graph->name,
                       (1u << TASK_INDEX_BITS) - 1);
    for (size_t i = 0; i < graph->node_count; i++)
        if (!check_node(graph, &graph->nodes[i], err))
            return nv_wrap(err, "graph \"%s\"", graph->name);
    for (size_t i = 0; i < graph->node_count; i++) {
        link_triggers(graph, &graph->nodes[i], (uint16_t)i);
        make_write_mask(graph, &graph->nodes[i]);
    }
    if (!check_reachable(graph, err))
        return nv_wrap(err, "graph \"%s\"", graph->name);
    graph->compiled = true;
    return true;
}

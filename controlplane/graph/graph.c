/* Building a graph: adding parts, with the first mistake kept for compile. Lookups. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/graph/internal.h"

nv_graph_t *nv_graph_new(nv_mem_t *ctx, const char *name)
{
    nv_graph_t *graph = NV_NEW(ctx, nv_graph_t);
    graph->name = nv_strdup(graph, name);
    graph->limits = (nv_graph_limits_t){
        .recursion = 10007,
        .snapshot_every = 16,
        .value_bytes = 1u << 20,
        .tasks = 10000,
        .items = 100000,
        .interrupts = 64,
        .text_bytes = 2048,
        .checkpoint_bytes = 64u << 20,
    };
    return graph;
}

static bool good(const nv_graph_t *graph)
{
    assert(!graph->compiled); /* a compiled graph is immutable */
    return graph->error.code == NV_OK;
}

static void check_name(nv_graph_t *graph, const char *what, const char *name)
{
    if (!name || !*name || strlen(name) > NAME_MAX_BYTES)
        nv_fail(&graph->error, NV_INVALID_ARGUMENT, "%s name \"%s\": expected 1 to %d bytes", what,
                name ? name : "", NAME_MAX_BYTES);
}

static uint16_t add_channel(nv_graph_t *graph, const nv_channel_spec_t *spec)
{
    if (graph->channel_count >= CHANNELS_MAX) {
        nv_fail(&graph->error, NV_RESOURCE_EXHAUSTED, "more than %d channels", CHANNELS_MAX);
        return NV_GRAPH_NONE;
    }
    if (graph_find_channel_of_name(graph, spec->name) != NV_GRAPH_NONE) {
        nv_fail(&graph->error, NV_ALREADY_EXISTS, "channel \"%s\" is defined twice", spec->name);
        return NV_GRAPH_NONE;
    }
    graph_channel_t channel = {.spec = *spec};
    channel.spec.name = nv_strdup(graph, spec->name);
    NV_PUSH(graph, graph->channels, graph->channel_count, graph->channel_capacity) = channel;
    return (uint16_t)(graph->channel_count - 1);
}

nv_channel_id_t nv_graph_add_channel(nv_graph_t *graph, const nv_channel_spec_t *spec)
{
    if (!good(graph))
        return NV_GRAPH_NONE;
    check_name(graph, "channel", spec->name);
    if (good(graph) && graph->node_count)
        nv_fail(&graph->error, NV_FAILED_PRECONDITION,
                "channel \"%s\": add all channels before the first node", spec->name);
    if (good(graph) && (spec->kind == NV_CHANNEL_BARRIER || spec->kind == NV_CHANNEL_INBOX))
        nv_fail(&graph->error, NV_INVALID_ARGUMENT, "channel \"%s\": this kind is made by the engine",
                spec->name);
    if (good(graph) && (spec->kind == NV_CHANNEL_REDUCE) != (spec->reduce != NULL))
        nv_fail(&graph->error, NV_INVALID_ARGUMENT, "channel \"%s\": a reduce function goes with kind REDUCE",
                spec->name);
    return good(graph) ? add_channel(graph, spec) : NV_GRAPH_NONE;
}

static uint16_t *copy_ids(nv_graph_t *graph, const uint16_t *ids, size_t count)
{
    return nv_memdup(graph, ids, count * sizeof *ids);
}

static void push_id(nv_graph_t *graph, uint16_t **list, size_t *count, size_t *capacity, uint16_t id)
{
    NV_PUSH(graph, *list, *count, *capacity) = id;
}

static uint16_t add_inbox(nv_graph_t *graph, const char *node)
{
    char *name = nv_printf(graph, "to:%s", node);
    return add_channel(graph, &(nv_channel_spec_t){.name = name, .kind = NV_CHANNEL_INBOX});
}

nv_node_id_t nv_graph_add_node(nv_graph_t *graph, const nv_node_spec_t *spec)
{
    if (!good(graph))
        return NV_GRAPH_NONE;
    check_name(graph, "node", spec->name);
    if (good(graph) && graph->node_count >= NODES_MAX)
        nv_fail(&graph->error, NV_RESOURCE_EXHAUSTED, "more than %d nodes", NODES_MAX);
    if (good(graph) && nv_graph_find_node(graph, spec->name) != NV_GRAPH_NONE)
        nv_fail(&graph->error, NV_ALREADY_EXISTS, "node \"%s\" is defined twice", spec->name);
    if (!good(graph))
        return NV_GRAPH_NONE;
    if (graph->node_count == 0)
        graph->public_channels = graph->channel_count;
    graph_node_t node = {.spec = *spec};
    node.spec.name = nv_strdup(graph, spec->name);
    node.spec.writes = copy_ids(graph, spec->writes, spec->write_count);
    node.spec.subscribes = copy_ids(graph, spec->subscribes, spec->subscribe_count);
    node.inbox = add_inbox(graph, spec->name);
    NV_PUSH(graph, graph->nodes, graph->node_count, graph->node_capacity) = node;
    return (uint16_t)(graph->node_count - 1);
}

static bool known_node(nv_graph_t *graph, nv_node_id_t node, const char *what)
{
    if (!good(graph))
        return false;
    if (node >= graph->node_count)
        return nv_fail(&graph->error, NV_INVALID_ARGUMENT, "%s: there is no node number %u", what, node);
    return true;
}

void nv_graph_add_edge(nv_graph_t *graph, nv_node_id_t from, nv_node_id_t to)
{
    if (to == NV_GRAPH_END || !known_node(graph, to, "edge target"))
        return;
    if (from == NV_GRAPH_START) {
        push_id(graph, &graph->entries, &graph->entry_count, &graph->entry_capacity, to);
        return;
    }
    if (!known_node(graph, from, "edge source"))
        return;
    graph_node_t *node = &graph->nodes[from];
    push_id(graph, &node->edges, &node->edge_count, &node->edge_capacity, graph->nodes[to].inbox);
}

void nv_graph_add_edge_on(nv_graph_t *graph, nv_node_id_t from, uint32_t outcome, nv_node_id_t to)
{
    if (to == NV_GRAPH_END || !known_node(graph, to, "edge target") ||
        !known_node(graph, from, "edge source"))
        return;
    graph_node_t *node = &graph->nodes[from];
    NV_PUSH(graph, node->conditions, node->condition_count, node->condition_capacity) =
        (graph_condition_t){outcome, graph->nodes[to].inbox};
}

void nv_graph_add_join(nv_graph_t *graph, const nv_node_id_t *sources, size_t count, nv_node_id_t to)
{
    if (!known_node(graph, to, "join target"))
        return;
    if (count == 0 || count > BARRIER_MAX) {
        nv_fail(&graph->error, NV_INVALID_ARGUMENT, "join of \"%s\": expected 1 to %d sources, got %zu",
                graph->nodes[to].spec.name, BARRIER_MAX, count);
        return;
    }
    /* numbered per target, so that names in stored checkpoints survive additions elsewhere */
    char *name = nv_printf(graph, "join%zu:%s", graph->nodes[to].trigger_count, graph->nodes[to].spec.name);
    uint16_t channel = add_channel(graph, &(nv_channel_spec_t){.name = name, .kind = NV_CHANNEL_BARRIER});
    if (channel == NV_GRAPH_NONE)
        return;
    graph->channels[channel].members = copy_ids(graph, sources, count);
    graph->channels[channel].member_count = count;
    graph_node_t *target = &graph->nodes[to];
    push_id(graph, &target->triggers, &target->trigger_count, &target->trigger_capacity, channel);
    for (size_t i = 0; i < count; i++)
        if (known_node(graph, sources[i], "join source")) {
            graph_node_t *node = &graph->nodes[sources[i]];
            NV_PUSH(graph, node->barriers, node->barrier_count, node->barrier_capacity) =
                (graph_barrier_t){channel, (uint16_t)i};
        }
}

void nv_graph_allow_send(nv_graph_t *graph, nv_node_id_t from, nv_node_id_t to)
{
    if (!known_node(graph, from, "send source") || !known_node(graph, to, "send target"))
        return;
    graph_node_t *node = &graph->nodes[from];
    push_id(graph, &node->sends, &node->send_count, &node->send_capacity, to);
}

void nv_graph_add_router(nv_graph_t *graph, nv_node_id_t from, nv_router_fn *fn, void *user,
                         const nv_node_id_t *targets, size_t count)
{
    if (!known_node(graph, from, "router source"))
        return;
    for (size_t i = 0; i < count; i++)
        if (!known_node(graph, targets[i], "router target"))
            return;
    graph_node_t *node = &graph->nodes[from];
    NV_PUSH(graph, node->routers, node->router_count, node->router_capacity) =
        (graph_router_t){fn, user, copy_ids(graph, targets, count), count};
}

void nv_graph_set_limits(nv_graph_t *graph, const nv_graph_limits_t *limits)
{
    assert(!graph->compiled);
    nv_graph_limits_t *own = &graph->limits;
    own->recursion = limits->recursion ? limits->recursion : own->recursion;
    own->snapshot_every = limits->snapshot_every ? limits->snapshot_every : own->snapshot_every;
    own->keep_snapshots = limits->keep_snapshots ? limits->keep_snapshots : own->keep_snapshots;
    own->value_bytes = limits->value_bytes ? limits->value_bytes : own->value_bytes;
    own->tasks = limits->tasks ? limits->tasks : own->tasks;
    own->items = limits->items ? limits->items : own->items;
    own->interrupts = limits->interrupts ? limits->interrupts : own->interrupts;
    own->text_bytes = limits->text_bytes ? limits->text_bytes : own->text_bytes;
    own->checkpoint_bytes = limits->checkpoint_bytes ? limits->checkpoint_bytes : own->checkpoint_bytes;
}

bool graph_may_write(const nv_graph_t *graph, uint16_t node, uint16_t channel)
{
    return channel < graph->public_channels &&
           (graph->nodes[node].may_write[channel / 64] >> (channel % 64) & 1);
}

bool graph_may_send(const nv_graph_t *graph, uint16_t from, uint16_t to)
{
    const graph_node_t *node = &graph->nodes[from];
    for (size_t i = 0; i < node->send_count; i++)
        if (node->sends[i] == to)
            return true;
    return false;
}

uint16_t graph_find_channel_of_name(const nv_graph_t *graph, const char *name)
{
    for (size_t i = 0; i < graph->channel_count; i++)
        if (strcmp(graph->channels[i].spec.name, name) == 0)
            return (uint16_t)i;
    return NV_GRAPH_NONE;
}

nv_channel_id_t nv_graph_find_channel(const nv_graph_t *graph, const char *name)
{
    uint16_t channel = graph_find_channel_of_name(graph, name);
    return channel < graph->public_channels ? channel : NV_GRAPH_NONE;
}

nv_node_id_t nv_graph_find_node(const nv_graph_t *graph, const char *name)
{
    for (size_t i = 0; i < graph->node_count; i++)
        if (strcmp(graph->nodes[i].spec.name, name) == 0)
            return (uint16_t)i;
    return NV_GRAPH_NONE;
}

const char *nv_graph_node_name(const nv_graph_t *graph, nv_node_id_t node)
{
    assert(node < graph->node_count);
    return graph->nodes[node].spec.name;
}

uint32_t nv_graph_node_timeout_ms(const nv_graph_t *graph, nv_node_id_t node)
{
    assert(node < graph->node_count);
    return graph->nodes[node].spec.timeout_ms;
}

nv_channel_kind_t nv_graph_channel_kind(const nv_graph_t *graph, nv_channel_id_t channel)
{
    assert(channel < graph->channel_count);
    return graph->channels[channel].spec.kind;
}

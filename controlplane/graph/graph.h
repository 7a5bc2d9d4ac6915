/* A state graph: nodes that read and write channels, and the edges that decide who runs next.
 *
 * The semantics are those of LangGraph's Pregel loop (langgraph/pregel/_algo.py): in each superstep every triggered node
 * runs once, and what they wrote is applied together at its end, in the order of the tasks' paths (nodes in the order
 * they were added, then sends in the order they were sent), so the result does not depend on who finished first.
 * One difference: routers and outcome edges look at the state *after* the superstep's writes, all of them, so that a
 * join of a fan-out can be decided on.
 *
 * A graph is built once, compiled, and then immutable: any number of runs and threads may share it. Mistakes in the
 * definition are collected and reported by nv_graph_compile().
 */
#ifndef NV_GRAPH_GRAPH_H
#define NV_GRAPH_GRAPH_H

#include <stdint.h>

#include "common/core/buf.h"
#include "common/core/bytes.h"
#include "common/core/error.h"
#include "common/core/mem.h"

typedef struct nv_graph nv_graph_t;
typedef struct nv_graph_run nv_graph_run_t;

/* Small dense numbers, in the order of definition. */
typedef uint16_t nv_node_id_t;
typedef uint16_t nv_channel_id_t;
enum {
    NV_GRAPH_NONE = 0xFFFF,
    NV_GRAPH_START = 0xFFFE, /* as the source of an edge */
    NV_GRAPH_END = 0xFFFD,   /* as the target of an edge: nothing runs */
    NV_GRAPH_OUTCOME_ERROR =
        0xFFFF /* outcome of a task that failed for good on a node with an error channel */
};

typedef enum nv_channel_kind {
    NV_CHANNEL_LAST,      /* the last value; a second write in one superstep is an error */
    NV_CHANNEL_EPHEMERAL, /* a value that only the next superstep sees */
    NV_CHANNEL_TOPIC,     /* a list; grows, or (transient) holds only what the last superstep wrote */
    NV_CHANNEL_MERGE,     /* a map from key to value, in key order; a later write of a key wins */
    NV_CHANNEL_NUMBER,    /* an int64 with an operator */
    NV_CHANNEL_REDUCE,    /* bytes with an operator of the caller's */
    NV_CHANNEL_BARRIER,   /* made by nv_graph_join() */
    NV_CHANNEL_INBOX,     /* one per node, made with it */
} nv_channel_kind_t;

typedef enum nv_channel_op { NV_CHANNEL_SET, NV_CHANNEL_SUM, NV_CHANNEL_MIN, NV_CHANNEL_MAX } nv_channel_op_t;

/* Puts the combination of current and update into out. Must be pure and total. */
typedef void nv_reduce_fn(nv_bytes_t current, nv_bytes_t update, nv_buf_t *out, void *user);

typedef struct nv_channel_spec {
    const char *name;
    nv_channel_kind_t kind;
    nv_channel_op_t op;   /* NUMBER */
    bool transient;       /* TOPIC */
    nv_reduce_fn *reduce; /* REDUCE */
    void *user;
} nv_channel_spec_t;

/* Delay before attempt n+1: min(cap, initial * factor^(n-1)), shortened by up to `jitter`. */
typedef struct nv_retry_policy {
    uint32_t max_attempts;    /* failures that end the task; 0 or 1: no retry */
    uint32_t initial_ms;      /* 0: 500 */
    uint32_t factor_permille; /* 0: 2000 */
    uint32_t cap_ms;          /* 0: 128,000 */
    uint32_t jitter_permille; /* 0 … 1000 of the delay */
} nv_retry_policy_t;

typedef struct nv_node_call nv_node_call_t;
/* A node that runs inside the engine (routing, approvals, joins). Reads through call, answers through call. Must be
 * pure. False with *err is a failure of the task. */
typedef bool nv_node_fn(nv_node_call_t *call, void *user, nv_error_t *err);

typedef struct nv_node_spec {
    const char *name;
    nv_node_fn *local; /* NULL: dispatched to a worker */
    void *user;
    const nv_channel_id_t *writes; /* channels it may write; others are refused */
    size_t write_count;
    const nv_channel_id_t *subscribes; /* channels whose change triggers it, besides its edges */
    size_t subscribe_count;
    nv_retry_policy_t retry;
    uint32_t timeout_ms;       /* of one attempt, from its start; 0: none */
    uint32_t queue_timeout_ms; /* from dispatch to start; 0: none */
    bool catches; /* a task that failed for good does not fail the run: its error is written to … */
    nv_channel_id_t error_channel; /* … this channel and its outcome is NV_GRAPH_OUTCOME_ERROR */
} nv_node_spec_t;

/* Decides where to go after a task. Reads the run; must be pure. */
typedef struct nv_route nv_route_t;
typedef void nv_router_fn(const nv_graph_run_t *run, nv_route_t *route, void *user);
/* Of the task the router is asked about. */
uint32_t nv_route_outcome(const nv_route_t *route);
/* The target must be among the declared ones (asserted). */
void nv_route_to(nv_route_t *route, nv_node_id_t target);
void nv_route_send(nv_route_t *route, nv_node_id_t target, nv_bytes_t argument);

typedef struct nv_graph_limits {
    uint64_t recursion;        /* supersteps; default 10,007 */
    uint32_t snapshot_every;   /* checkpoints; default 16; 1: always whole */
    uint32_t keep_snapshots;   /* older ones may be pruned; 0 (default): keep all */
    uint32_t value_bytes;      /* one value; default 1 MiB */
    uint32_t tasks;            /* of one superstep; default 10,000; at most 2^20 - 1 */
    uint32_t items;            /* of one channel; default 100,000 */
    uint32_t interrupts;       /* of one task; default 64 */
    uint32_t text_bytes;       /* an error text; default 2,048 */
    uint32_t checkpoint_bytes; /* encoded; default 64 MiB */
} nv_graph_limits_t;

nv_graph_t *nv_graph_new(nv_mem_t *ctx, const char *name);
nv_channel_id_t nv_graph_add_channel(nv_graph_t *graph, const nv_channel_spec_t *spec);
nv_node_id_t nv_graph_add_node(nv_graph_t *graph, const nv_node_spec_t *spec);
/* from: a node or NV_GRAPH_START; to: a node or NV_GRAPH_END. */
void nv_graph_add_edge(nv_graph_t *graph, nv_node_id_t from, nv_node_id_t to);
/* Taken when the task ended with this outcome. */
void nv_graph_add_edge_on(nv_graph_t *graph, nv_node_id_t from, uint32_t outcome, nv_node_id_t to);
/* `to` runs once all sources have run since its last run; at most 64 sources. */
void nv_graph_add_join(nv_graph_t *graph, const nv_node_id_t *sources, size_t count, nv_node_id_t to);
/* from may send to these (worker results and routers alike). */
void nv_graph_allow_send(nv_graph_t *graph, nv_node_id_t from, nv_node_id_t to);
void nv_graph_add_router(nv_graph_t *graph, nv_node_id_t from, nv_router_fn *fn, void *user,
                         const nv_node_id_t *targets, size_t count);
/* Zero fields keep their default. */
void nv_graph_set_limits(nv_graph_t *graph, const nv_graph_limits_t *limits);
/* Checks the definition and freezes it. */
bool nv_graph_compile(nv_graph_t *graph, nv_error_t *err) NV_MUST_CHECK;

const char *nv_graph_node_name(const nv_graph_t *graph, nv_node_id_t node);
uint32_t nv_graph_node_timeout_ms(const nv_graph_t *graph, nv_node_id_t node);
nv_channel_kind_t nv_graph_channel_kind(const nv_graph_t *graph, nv_channel_id_t channel);
/* NV_GRAPH_NONE when there is none of that name. */
nv_node_id_t nv_graph_find_node(const nv_graph_t *graph, const char *name);
nv_channel_id_t nv_graph_find_channel(const nv_graph_t *graph, const char *name);

#endif

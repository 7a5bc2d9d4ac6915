/* Shared by the files of this folder only. */
#ifndef NV_GRAPH_INTERNAL_H
#define NV_GRAPH_INTERNAL_H

#include "controlplane/graph/checkpoint.h"
#include "controlplane/graph/graph.h"
#include "controlplane/graph/run.h"
#include "controlplane/graph/value.h"

enum {
    TASK_INDEX_BITS = 20,
    NAME_MAX_BYTES = 128,
    KEY_MAX_BYTES = 512,
    BARRIER_MAX = 64,
    NODES_MAX = 4096,
    CHANNELS_MAX = 16384,
};

typedef struct graph_channel {
    nv_channel_spec_t spec;
    uint16_t *nodes; /* triggered by it */
    size_t node_count, node_capacity;
    uint16_t *members; /* BARRIER: sources, bit = index */
    size_t member_count;
} graph_channel_t;

typedef struct graph_condition {
    uint32_t outcome;
    uint16_t inbox;
} graph_condition_t;

typedef struct graph_barrier {
    uint16_t channel;
    uint16_t bit;
} graph_barrier_t;

typedef struct graph_router {
    nv_router_fn *fn;
    void *user;
    uint16_t *targets;
    size_t target_count;
} graph_router_t;

typedef struct graph_node {
    nv_node_spec_t spec;
    uint16_t inbox;
    uint16_t *triggers; /* channels; the inbox first */
    size_t trigger_count, trigger_capacity;
    size_t seen_base; /* of its triggers in run->seen */
    uint16_t *edges;  /* inboxes */
    size_t edge_count, edge_capacity;
    graph_condition_t *conditions;
    size_t condition_count, condition_capacity;
    graph_barrier_t *barriers;
    size_t barrier_count, barrier_capacity;
    graph_router_t *routers;
    size_t router_count, router_capacity;
    uint16_t *sends; /* nodes */
    size_t send_count, send_capacity;
    uint64_t *may_write; /* bit per channel, after compile */
} graph_node_t;

struct nv_graph {
    const char *name;
    graph_channel_t *channels;
    size_t channel_count, channel_capacity;
    size_t public_channels; /* those the caller added, after compile */
    graph_node_t *nodes;
    size_t node_count, node_capacity;
    uint16_t *entries; /* nodes */
    size_t entry_count, entry_capacity;
    size_t seen_count;
    nv_graph_limits_t limits;
    bool compiled;
    nv_error_t error; /* first mistake in the definition */
};

typedef struct item {
    nv_value_t *key; /* MERGE */
    nv_value_t *value;
    uint64_t version; /* when it was written */
} item_t;

typedef struct chan {
    uint64_t version; /* of the last change; 0: never */
    uint64_t reset;   /* items: version when they were last thrown away */
    uint64_t stamp;   /* superstep mark: already in run->updated */
    uint64_t claimed; /* run->claim when it got its one value */
    bool available;
    bool unsorted;     /* MERGE: the tail from `sorted` on is in path order */
    nv_value_t *value; /* LAST, EPHEMERAL, REDUCE */
    int64_t number;
    uint64_t arrived; /* BARRIER */
    item_t *items;
    size_t item_count, item_capacity, sorted;
} chan_t;

typedef struct write {
    uint16_t channel;
    nv_value_t *key;
    nv_value_t *value;
    int64_t number;
} write_t;

typedef struct sent {
    uint16_t node;
    nv_value_t *argument;
} sent_t;

typedef struct interrupt {
    nv_value_t *key;
    nv_value_t *question;
    nv_value_t *answer; /* NULL: open */
} interrupt_t;

typedef struct task {
    uint64_t id;
    nv_value_t *argument; /* borrowed from run->sends */
    nv_value_t *error;
    interrupt_t *interrupts;
    size_t interrupt_count, interrupt_capacity, open_interrupts;
    size_t first_write, write_count; /* in run->writes */
    size_t first_send, send_count;   /* in run->outbox */
    int64_t due_ms;                  /* of back-off or timeout; NV_GRAPH_NO_TIMER */
    uint32_t attempt;
    uint32_t failures;
    uint32_t outcome;
    nv_code_t error_code;
    uint16_t node;
    nv_task_state_t state;
    bool pushed; /* made by a send */
} task_t;

typedef struct alarm {
    int64_t due_ms;
    uint32_t task; /* index */
} alarm_t;

struct nv_graph_run {
    const nv_graph_t *graph;
    nv_run_phase_t phase;
    nv_code_t reason_code;
    nv_value_t *reason;

    uint64_t version; /* of channels */
    uint64_t step;
    uint64_t checkpoint_seq, snapshot_seq;
    uint64_t checkpoint_version; /* version at the checkpoint before the last one: where its delta starts */
    uint64_t last_version;       /* version at the last checkpoint */
    uint64_t events;
    uint64_t snapshots[8]; /* ring of the newest snapshot numbers, for retention */
    uint64_t snapshot_total;

    chan_t *channels;
    uint64_t *seen;         /* per trigger slot: version of the channel when the node last ran */
    uint64_t *seen_version; /* per node: run->version when it last ran */
    uint32_t *visits;
    uint64_t *ready; /* bit per node */

    uint16_t *updated; /* channels changed in this superstep */
    size_t updated_count, updated_capacity;
    uint16_t *transient; /* channels to clear unless written again */
    size_t transient_count, transient_capacity;

    sent_t *sends; /* that the current pushed tasks came from */
    size_t send_count, send_capacity;
    sent_t *next_sends; /* collected in apply */
    size_t next_send_count, next_send_capacity;

    task_t *tasks;
    size_t task_count, task_capacity, open_count;
    size_t open_local;  /* local tasks in state OPEN */
    size_t interrupted; /* tasks in state INTERRUPTED */
    write_t *writes;
    size_t write_count, write_capacity;
    sent_t *outbox; /* sends of finished tasks */
    size_t outbox_count, outbox_capacity;
    nv_value_t **retired; /* dropped at the start of the next step, so that effects may point at them */
    size_t retired_count, retired_capacity;

    alarm_t *alarms; /* min-heap; stale entries are skipped */
    size_t alarm_count, alarm_capacity;
    int64_t announced_ms; /* the timer the caller has */

    uint64_t claim;   /* mark of the current check for double writes */
    bool broken;      /* apply failed half-way: no retry, only a fork from an earlier checkpoint */
    nv_error_t error; /* of apply */
    nv_buf_t scratch;
};

/* graph.c */
uint16_t graph_find_channel_of_name(const nv_graph_t *graph, const char *name);
bool graph_may_write(const nv_graph_t *graph, uint16_t node, uint16_t channel);
bool graph_may_send(const nv_graph_t *graph, uint16_t from, uint16_t to);

/* channel.c: all take effect at run->version and note the channel in run->updated. */
void chan_touch(nv_graph_run_t *run, uint16_t channel);
void chan_apply(nv_graph_run_t *run, const write_t *write);
void chan_arrive(nv_graph_run_t *run, const graph_barrier_t *barrier);
void chan_trigger(nv_graph_run_t *run, uint16_t inbox);
void chan_consume(nv_graph_run_t *run, uint16_t channel);
void chan_expire_transients(nv_graph_run_t *run);
void chan_settle(nv_graph_run_t *run);
void chan_clear_items(nv_graph_run_t *run, chan_t *chan);
void chan_sort_tail(nv_graph_run_t *run, chan_t *chan);
bool chan_is_transient(const graph_channel_t *channel);
void chan_note_transient(nv_graph_run_t *run, uint16_t channel);

/* superstep.c */
void superstep_finish(nv_graph_run_t *run, int64_t now_ms, nv_graph_effects_t *effects);
void superstep_prepare(nv_graph_run_t *run, bool look_at_all);
/* With the tasks prepared: end, or checkpoint and launch. */
void superstep_begin(nv_graph_run_t *run, int64_t now_ms, nv_graph_effects_t *effects);
void superstep_launch(nv_graph_run_t *run, int64_t now_ms, nv_graph_effects_t *effects);
/* Writes that come from outside the tasks, as one change of version. */
bool superstep_input(nv_graph_run_t *run, const nv_graph_write_t *writes, size_t count, nv_error_t *err);
void superstep_write(nv_graph_run_t *run, const nv_graph_write_t *given);
void superstep_checkpoint(nv_graph_run_t *run, nv_graph_effects_t *effects);
void superstep_end(nv_graph_run_t *run, nv_run_phase_t phase, nv_code_t code, const char *text,
                   nv_graph_effects_t *effects);
void superstep_drop_tasks(nv_graph_run_t *run);
void superstep_edges(nv_graph_run_t *run, uint16_t node, uint32_t outcome);
void superstep_routes(nv_graph_run_t *run, uint16_t node, uint32_t outcome, nv_value_t *argument);

/* task.c */
task_t *task_find(nv_graph_run_t *run, uint64_t id);
void task_set_state(nv_graph_run_t *run, task_t *task, nv_task_state_t state);
void task_dispatch(nv_graph_run_t *run, task_t *task, int64_t now_ms, nv_graph_effects_t *effects,
                   bool again);
void task_fail(nv_graph_run_t *run, task_t *task, const nv_graph_event_t *event, int64_t now_ms,
               nv_graph_effects_t *effects);
bool task_check_writes(const nv_graph_run_t *run, uint16_t node, const nv_graph_write_t *writes, size_t count,
                       nv_error_t *err);
bool task_check_sends(const nv_graph_run_t *run, uint16_t node, const nv_graph_send_t *sends, size_t count,
                      nv_error_t *err);
bool task_check_asks(const nv_graph_run_t *run, const task_t *task, const nv_graph_ask_t *asks, size_t count,
                     nv_error_t *err);
void task_store_result(nv_graph_run_t *run, task_t *task, const nv_graph_event_t *event);
void task_store_asks(nv_graph_run_t *run, task_t *task, const nv_graph_ask_t *asks, size_t count,
                     nv_graph_effects_t *effects);
void task_stop_all(nv_graph_run_t *run, nv_graph_effects_t *effects);
void task_emit(nv_graph_run_t *run, const task_t *task, nv_graph_news_t news, nv_graph_effects_t *effects);
interrupt_t *task_interrupt_find(task_t *task, nv_bytes_t key);
bool task_local_run(nv_graph_run_t *run, task_t *task, int64_t now_ms, nv_graph_effects_t *effects);
bool task_is_final(nv_task_state_t state);

/* alarm.c */
void alarm_set(nv_graph_run_t *run, task_t *task, int64_t due_ms);
void alarm_clear(nv_graph_run_t *run);
/* The next task whose alarm is due, or NULL. */
task_t *alarm_pop(nv_graph_run_t *run, int64_t now_ms);
void alarm_announce(nv_graph_run_t *run, nv_graph_effects_t *effects);

/* effects.c */
nv_graph_effect_t *effect_add(nv_graph_effects_t *effects, nv_graph_effect_kind_t kind);
nv_graph_effect_t *effect_news(nv_graph_run_t *run, nv_graph_effects_t *effects, nv_graph_news_t news);
void effects_clear(nv_graph_effects_t *effects);
/* Puts the effects that come after the commit behind the durable ones. */
void effects_close(nv_graph_effects_t *effects);
/* Drops the run's reference at the start of the next step. */
void run_retire(nv_graph_run_t *run, nv_value_t *value);
void run_drop_retired(nv_graph_run_t *run);

#endif

/* A run of a graph: step(run, event, now) -> effects. No I/O, no clock, no randomness of its own.
 *
 * The caller drives it like this, for each event:
 *   1. nv_graph_step(). False: the event was refused (stale attempt, unknown task, bad write) and nothing changed.
 *   2. In ONE transaction, guarded by compare-and-set on the run's epoch: write what the durable effects (PERSIST_*,
 *      PRUNE, EMIT) say, encoding checkpoint and task records while the run is in this state. If the outcome of the
 *      transaction is unknown, throw the run away and load it again (nv_graph_decode(), nv_graph_resume()).
 *   3. Carry out the other effects (DISPATCH, CANCEL, TIMER, ASK, FINISH). A crash here loses nothing:
 *      nv_graph_resume() gives them again.
 *   4. While effects->more: commit, then step again with NV_EVENT_CONTINUE.
 *
 * Times are milliseconds on a clock of the caller's that never runs backwards across restarts by much (Unix time).
 * One thread at a time per run.
 */
#ifndef NV_GRAPH_RUN_H
#define NV_GRAPH_RUN_H

#include "controlplane/graph/graph.h"

typedef enum nv_run_phase {
    NV_RUN_NEW,
    NV_RUN_RUNNING,
    NV_RUN_DONE,
    NV_RUN_FAILED,
    NV_RUN_CANCELLED,
} nv_run_phase_t;

typedef enum nv_task_state {
    NV_TASK_OPEN,    /* local and not yet run, or not yet dispatched */
    NV_TASK_QUEUED,  /* dispatched */
    NV_TASK_RUNNING, /* a worker said so */
    NV_TASK_BACKOFF, /* failed; waits for its next attempt */
    NV_TASK_INTERRUPTED,
    NV_TASK_DONE,
    NV_TASK_FAILED,
    NV_TASK_CANCELLED,
} nv_task_state_t;

typedef struct nv_graph_write {
    nv_channel_id_t channel;
    nv_bytes_t key;   /* MERGE */
    nv_bytes_t value; /* all but NUMBER */
    int64_t number;   /* NUMBER */
} nv_graph_write_t;

typedef struct nv_graph_send {
    nv_node_id_t node;
    nv_bytes_t argument;
} nv_graph_send_t;

typedef struct nv_graph_ask {
    nv_bytes_t key; /* names the interrupt within its task; a text of at most 128 bytes */
    nv_bytes_t question;
} nv_graph_ask_t;

typedef enum nv_graph_event_kind {
    NV_EVENT_START,            /* writes: the input */
    NV_EVENT_CONTINUE,         /* after effects->more */
    NV_EVENT_TASK_STARTED,     /* task, attempt: starts the timeout */
    NV_EVENT_TASK_DONE,        /* task, attempt, outcome, writes, sends */
    NV_EVENT_TASK_FAILED,      /* task, attempt, code, text, final, random */
    NV_EVENT_TASK_INTERRUPTED, /* task, attempt, asks */
    NV_EVENT_ANSWER,           /* task, key, answer */
    NV_EVENT_TIMER,            /* any time; does what is due */
    NV_EVENT_CANCEL,           /* text */
    NV_EVENT_RETRY,            /* of a failed run: its failed and cancelled tasks again */
    NV_EVENT_NOTE,             /* task (or 0), code, text: only takes an event number; of a running run */
} nv_graph_event_kind_t;

/* All pointers are borrowed for the call. */
typedef struct nv_graph_event {
    nv_graph_event_kind_t kind;
    uint64_t task;
    uint32_t attempt;
    uint32_t outcome;
    const nv_graph_write_t *writes;
    size_t write_count;
    const nv_graph_send_t *sends;
    size_t send_count;
    const nv_graph_ask_t *asks;
    size_t ask_count;
    nv_bytes_t key;
    nv_bytes_t answer;
    nv_code_t code;
    const char *text;
    bool final;      /* do not retry */
    uint32_t random; /* any number; spreads retries */
} nv_graph_event_t;

typedef enum nv_graph_effect_kind {
    /* durable: all of one step in one transaction */
    NV_EFFECT_PERSIST_CHECKPOINT, /* seq, snapshot: nv_graph_encode_checkpoint() */
    NV_EFFECT_PERSIST_TASK,       /* task: nv_graph_encode_task(); replaces the task's earlier record */
    NV_EFFECT_PRUNE,              /* seq: checkpoints below it may be deleted */
    NV_EFFECT_EMIT,               /* seq, news, …: one event of the run's stream */
    /* after the commit */
    NV_EFFECT_DISPATCH, /* task, attempt, node, argument */
    NV_EFFECT_CANCEL,   /* task, attempt, node */
    NV_EFFECT_TIMER,    /* due_ms: replaces the run's timer; NV_GRAPH_NO_TIMER: none is needed */
    NV_EFFECT_ASK,      /* task, node, text (key), argument (question) */
    NV_EFFECT_FINISH,   /* phase, code, text */
} nv_graph_effect_kind_t;

typedef enum nv_graph_news {
    NV_NEWS_RUN_STARTED,
    NV_NEWS_RUN_RESUMED, /* a failed run was taken up again */
    NV_NEWS_TASK_SCHEDULED,
    NV_NEWS_TASK_STARTED,
    NV_NEWS_TASK_DONE,
    NV_NEWS_TASK_RETRYING, /* code, text; due_ms */
    NV_NEWS_TASK_FAILED,   /* code, text */
    NV_NEWS_TASK_CANCELLED,
    NV_NEWS_ASKED,      /* text: key; argument: question */
    NV_NEWS_ANSWERED,   /* text: key; argument: answer */
    NV_NEWS_CHECKPOINT, /* step */
    NV_NEWS_RUN_DONE,
    NV_NEWS_RUN_FAILED,    /* code, text */
    NV_NEWS_RUN_CANCELLED, /* text */
    NV_NEWS_NOTE,          /* code, text as handed in */
} nv_graph_news_t;

#define NV_GRAPH_NO_TIMER INT64_MAX

typedef struct nv_graph_effect {
    nv_graph_effect_kind_t kind;
    nv_graph_news_t news;
    uint64_t seq;
    uint64_t task;
    uint64_t step;
    uint32_t attempt;
    uint32_t outcome;
    nv_node_id_t node; /* NV_GRAPH_NONE: of the run as a whole */
    bool snapshot;
    nv_run_phase_t phase;
    nv_code_t code;
    int64_t due_ms;
    const char *text;    /* borrowed until the run's next step */
    nv_bytes_t argument; /* the same */
} nv_graph_effect_t;

typedef struct nv_graph_effects {
    nv_mem_t *ctx;
    nv_graph_effect_t *list;
    size_t count;
    size_t capacity;
    bool more;
    nv_graph_effect_t *later; /* the engine's own */
    size_t later_count;
    size_t later_capacity;
} nv_graph_effects_t;

/* An empty list below ctx. nv_graph_step() clears it first; reuse it. */
nv_graph_effects_t *nv_graph_effects_new(nv_mem_t *ctx);
bool nv_graph_effect_is_durable(const nv_graph_effect_t *effect);

/* A run in phase NEW. Borrows graph. */
nv_graph_run_t *nv_graph_run_new(nv_mem_t *ctx, const nv_graph_t *graph);
void nv_graph_run_free(nv_graph_run_t *run);

bool nv_graph_step(nv_graph_run_t *run, const nv_graph_event_t *event, int64_t now_ms,
                   nv_graph_effects_t *effects, nv_error_t *err) NV_MUST_CHECK;
/* After nv_graph_decode(): everything that is not durable, once more (dispatches of open tasks, the timer, questions, or the
 * end). Idempotent. last_event: the highest event number in the store, at least the one in the state. */
bool nv_graph_resume(nv_graph_run_t *run, uint64_t last_event, int64_t now_ms, nv_graph_effects_t *effects,
                     nv_error_t *err) NV_MUST_CHECK;

/* Reading. Values are borrowed until the run's next step. */
const nv_graph_t *nv_graph_run_graph(const nv_graph_run_t *run);
nv_run_phase_t nv_graph_run_phase(const nv_graph_run_t *run);
/* Nothing can happen before an interrupt is answered. */
bool nv_graph_run_is_waiting(const nv_graph_run_t *run);
uint64_t nv_graph_run_step_count(const nv_graph_run_t *run);
uint64_t nv_graph_run_last_event(const nv_graph_run_t *run);
nv_code_t nv_graph_run_reason(const nv_graph_run_t *run, const char **text);
bool nv_graph_read(const nv_graph_run_t *run, nv_channel_id_t channel, nv_bytes_t *out); /* false: empty */
int64_t nv_graph_read_number(const nv_graph_run_t *run, nv_channel_id_t channel);
size_t nv_graph_read_count(const nv_graph_run_t *run, nv_channel_id_t channel);
void nv_graph_read_item(const nv_graph_run_t *run, nv_channel_id_t channel, size_t index, nv_bytes_t *key,
                        nv_bytes_t *value);
bool nv_graph_read_key(const nv_graph_run_t *run, nv_channel_id_t channel, nv_bytes_t key, nv_bytes_t *out);

typedef struct nv_task_view {
    uint64_t task;
    nv_node_id_t node;
    nv_task_state_t state;
    uint32_t attempt;
    uint32_t failures;
    uint32_t outcome;
    int64_t due_ms; /* of back-off or timeout; NV_GRAPH_NO_TIMER */
    nv_bytes_t argument;
    size_t interrupt_count;
    size_t open_interrupts;
    nv_code_t error_code;
    const char *error; /* NULL: none */
} nv_task_view_t;
typedef struct nv_interrupt_view {
    nv_bytes_t key;
    nv_bytes_t question;
    bool answered;
    nv_bytes_t answer;
} nv_interrupt_view_t;
/* Tasks of the current superstep, in path order. */
size_t nv_graph_task_count(const nv_graph_run_t *run);
void nv_graph_task_at(const nv_graph_run_t *run, size_t index, nv_task_view_t *out);
bool nv_graph_task_find(const nv_graph_run_t *run, uint64_t task, nv_task_view_t *out);
void nv_graph_task_interrupt(const nv_graph_run_t *run, uint64_t task, size_t index,
                             nv_interrupt_view_t *out);
uint32_t nv_graph_node_visits(const nv_graph_run_t *run, nv_node_id_t node); /* supersteps it completed */

/* For local nodes. */
const nv_graph_run_t *nv_node_call_run(const nv_node_call_t *call);
bool nv_node_call_answer(const nv_node_call_t *call, const char *key, nv_bytes_t *out);
void nv_node_call_write(nv_node_call_t *call, const nv_graph_write_t *write);
void nv_node_call_send(nv_node_call_t *call, const nv_graph_send_t *send);
void nv_node_call_outcome(nv_node_call_t *call, uint32_t outcome);
/* The node runs again from its top once every question it asked has its answer. */
void nv_node_call_ask(nv_node_call_t *call, const nv_graph_ask_t *ask);

#endif

/* A deterministic simulator of the control plane's core: graph, scheduler and supervisor as they are, with a store,
 * workers, people and a network that fail as a seed says. After FoundationDB's simulation and LangGraph issue 8796.
 *
 * Faults: messages lost, doubled, delayed and so reordered; the control plane killed between any two effects; commits
 * that land although a timeout was reported, or land late from a control plane that is long dead; workers paused and
 * thawed, or killed. Two control planes share the store: whichever leads is killed, told to stop, or frozen until the other
 * one has taken over, and thaws with requests in its hands. Meanwhile retention deletes documents, checkpoints and runs
 * whose time is up. After `faults_until` all faults stop, and every run has to end as it would have ended without any.
 */
#ifndef NV_SIM_SIM_H
#define NV_SIM_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/scheduler/scheduler.h"
#include "controlplane/supervisor/supervisor.h"

enum {
    RUNS_MAX = 5,
    WORKERS_MAX = 5,
    SLOTS_MAX = 16,
    TENANTS = 4,
    POOLS = 2,
    PLANES = 2,
    LEAD_TTL_MS = 1500,
    DOCUMENTS = 64, /* of a tenant: some contents are alike */
    RETAIN_DOCUMENTS_MS = 3000,
    RETAIN_CHECKPOINTS_MS = 2000,
    RETAIN_RUNS_MS = 6000,
    SWEEP_MS = 1000,
    TEXT_MAX = 48,
    FAULTS_UNTIL_MS = 25000,
    END_MS = 600000,
};

/* Defects that can be switched on, to prove that the checks see them. */
typedef enum mutation {
    MUTATION_NONE,
    MUTATION_NO_FENCING,     /* results are taken without looking at the lease */
    MUTATION_NO_CAS,         /* the store commits whatever comes */
    MUTATION_LOSE_RECORDS,   /* the store forgets what finished siblings wrote */
    MUTATION_NO_RESUME,      /* after a restart nothing is dispatched again */
    MUTATION_WRONG_WORKER,   /* assignments go to any worker */
    MUTATION_UNFAIR,         /* one tenant's weight is a thousand times what it should be */
    MUTATION_SKIP_EVENT,     /* the store loses an event now and then */
    MUTATION_REUSE_EPOCHS,   /* a restarted control plane starts its epochs over */
    MUTATION_QUIET_REASSIGN, /* a task goes to the next worker although the store still names the last one */
    MUTATION_FORGET_TIMEOUT, /* after an unknown commit the run in memory is simply used on */
    MUTATION_NO_LEAD_FENCE,  /* who leads is not looked at within transactions */
    MUTATION_UNCHECKED_DOCUMENTS, /* a commit does not look whether the documents that it names are still there */
    MUTATION_FORGET_REFERENCES, /* the store does not note which documents a run refers to */
    MUTATIONS,
} mutation_t;
extern const char *const mutation_names[MUTATIONS];

typedef struct lease {
    int run;
    uint64_t task;
    uint32_t attempt;
    uint64_t epoch;
} lease_t;

typedef enum message_kind {
    /* to a worker */
    MESSAGE_ASSIGN,
    MESSAGE_CANCEL,
    MESSAGE_REVOKE,
    MESSAGE_RESULT_ACK,
    MESSAGE_RECONNECT,
    /* to the control plane */
    MESSAGE_HELLO,
    MESSAGE_HEARTBEAT,
    MESSAGE_ACCEPTED,
    MESSAGE_RESULT,
    MESSAGE_CANCEL_ACK,
} message_kind_t;

typedef struct message {
    message_kind_t kind;
    int worker;
    int plane; /* its other end */
    char session[TEXT_MAX];
    lease_t lease;
    nv_super_node_t node;
    char item[TEXT_MAX];
    bool retryable_error; /* RESULT */
    lease_t held[SLOTS_MAX];
    uint64_t progress[SLOTS_MAX];
    size_t held_count;
} message_t;

typedef enum event_kind {
    EVENT_TO_CONTROL,
    EVENT_TO_WORKER,
    EVENT_WORKER_TICK,
    EVENT_WORK_DONE,    /* a: slot, b: generation */
    EVENT_CONTROL_TICK, /* b: life */
    EVENT_CONTROL_START,
    EVENT_SWEEP,       /* b: life */
    EVENT_RUN_TIMER,   /* a: run, b: life */
    EVENT_ANSWER,      /* a: run */
    EVENT_SUBMIT,      /* a: run */
    EVENT_SUBMIT_LATE, /* a: run; by somebody who does not wait for the answer any more */
    EVENT_CANCEL,      /* a: run */
    EVENT_LATE_COMMIT,
    EVENT_FAULT,
} event_kind_t;

typedef struct batch batch_t;

typedef struct event {
    int64_t at;
    uint64_t order;
    event_kind_t kind;
    int plane; /* whose, for what control planes do */
    int a;
    uint64_t b;
    message_t *message;
    batch_t *batch;
} event_t;

typedef struct item {
    enum { ITEM_CHECKPOINT, ITEM_TASK, ITEM_EVENT, ITEM_PRUNE, ITEM_LEASE } kind;
    uint64_t id; /* checkpoint, task or event number */
    uint64_t step;
    bool snapshot;
    nv_bytes_t bytes;
    nv_graph_news_t news;
    uint64_t task;
    lease_t lease; /* ITEM_LEASE */
    char session[TEXT_MAX];
} item_t;

/* One transaction on one run. */
struct batch {
    int run;
    uint64_t epoch;
    uint64_t term; /* of the lead under which it was made */
    uint64_t after_event;
    uint64_t documents; /* a bit for each that it refers to */
    item_t *items;
    size_t count, capacity;
};

typedef struct stored_run {
    uint64_t epoch;
    item_t *checkpoints;
    size_t checkpoint_count, checkpoint_capacity;
    item_t *records;
    size_t record_count, record_capacity;
    item_t *leases; /* by task: the one that was told to the store last */
    size_t lease_count, lease_capacity;
    uint64_t *done; /* tasks whose end is in the stream */
    size_t done_count, done_capacity;
    uint64_t last_event;
    uint64_t documents; /* what it refers to, and retention keeps */
    int64_t ended_ms;
    bool submitted, cancel_asked, ended, trimmed, deleted;
} stored_run_t;

/* Which control plane leads, by the store's clock. */
typedef struct stored_lead {
    uint64_t term;
    int64_t until;
} stored_lead_t;

typedef struct stored_document {
    bool exists;
    int64_t uploaded_ms;
} stored_document_t;

typedef enum commit_result {
    COMMIT_OK,
    COMMIT_CONFLICT,
    COMMIT_MISSING, /* a document */
    COMMIT_DEPOSED,
    COMMIT_UNKNOWN
} commit_result_t;

typedef struct worker_task {
    enum { SLOT_FREE, SLOT_WORKING, SLOT_FINISHED } state;
    lease_t lease;
    nv_super_node_t node;
    char item[TEXT_MAX];
    bool error;
    uint64_t generation;
    int64_t sent_ms;
} worker_task_t;

typedef struct sim_worker {
    char name[16];
    char session[TEXT_MAX];
    uint32_t sessions;
    int pool;
    int plane;    /* that it is connected to */
    bool refused; /* nobody listens there */
    uint32_t slots;
    bool welcome; /* the session is known to have joined: any answer came */
    int64_t paused_until;
    uint64_t generation;
    worker_task_t tasks[SLOTS_MAX];
    int64_t interval;
} sim_worker_t;

typedef struct sched_news {
    nv_sched_effect_kind_t kind;
    lease_t lease;
    char session[TEXT_MAX];
    int tenant;
    int pool;
} sched_news_t;

typedef struct control_run {
    nv_super_run_t *run;
    nv_graph_effects_t *effects;
    uint64_t epoch;
    item_t *leases; /* what the store has of them, as far as this life knows */
    size_t lease_count, lease_capacity;
    const item_t *lease; /* goes into the next batch */
    uint64_t documents;  /* so do these */
} control_run_t;

typedef struct control {
    int plane;
    uint64_t life; /* number of the process; 0: it is down */
    bool up;       /* it leads, as far as it knows, and serves */
    uint64_t term;
    int64_t renewed_ms;
    int64_t paused_since, paused_until;
    uint64_t boot;
    nv_mem_t *ctx;
    nv_super_t *super;
    nv_sched_t *sched;
    nv_sched_effects_t *effects;
    control_run_t runs[RUNS_MAX];
    sched_news_t *outbox;
    size_t outbox_count, outbox_capacity;
    nv_graph_effect_t *unsubmitted; /* dispatches that met a full queue; steps name the run */
    size_t unsubmitted_count, unsubmitted_capacity;
} control_t;

/* What the checks know on their own. */
typedef struct assigned {
    int run;
    uint64_t task;
    uint64_t epoch;
} assigned_t;
typedef struct checks {
    uint64_t last_epoch;
    assigned_t *assigned; /* newest lease of each task */
    size_t assigned_count, assigned_capacity;
    uint32_t passed_over[TENANTS];
} checks_t;

typedef struct sim {
    nv_mem_t *ctx;
    uint64_t seed;
    uint64_t random;
    mutation_t mutation;
    bool verbose;
    bool faults;
    int64_t now;
    event_t *heap;
    size_t heap_count, heap_capacity;
    uint64_t order;
    control_t planes[PLANES];
    control_t *control; /* the one that acts */
    nv_mem_t *dead;     /* of a killed control plane; freed once nobody can be using it */
    stored_run_t store[RUNS_MAX];
    stored_lead_t lead;
    stored_document_t documents[TENANTS][DOCUMENTS];
    uint64_t boots, lives;
    sim_worker_t workers[WORKERS_MAX];
    int worker_count;
    int run_count;
    int run_tenant[RUNS_MAX];
    uint64_t run_seed[RUNS_MAX];
    bool run_asks[RUNS_MAX];
    checks_t checks;
    bool violated;
    char violation[512];
    uint64_t stale_refused, redelivered, unknown_commits, conflicts, crashes, results, retries, restored,
        resumed, takeovers, deposed, documents_deleted, documents_missing, runs_deleted; /* for the summary */
} sim_t;

extern const char *const tenant_names[TENANTS];
extern const char *const pool_names[POOLS];
extern const uint32_t tenant_weights[TENANTS];
extern const uint32_t tenant_quotas[TENANTS];
int tenant_pool(int tenant);
bool pool_serves(int pool, int tenant); /* the simulator's own truth */

/* sim.c */
uint64_t sim_random(sim_t *sim);
uint64_t sim_below(sim_t *sim, uint64_t limit);
bool sim_chance(sim_t *sim, uint32_t per_thousand); /* never once the faults have stopped */
event_t *sim_schedule(sim_t *sim, int64_t delay, event_kind_t kind);
/* Over the network, which may lose, double or delay it. */
void sim_send(sim_t *sim, event_kind_t to, const message_t *message);
void sim_trace(sim_t *sim, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sim_violation(sim_t *sim, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Runs one seed; false: an invariant was broken. */
bool sim_run(sim_t *sim, uint64_t seed);
const char *run_name(int run);
nv_lease_t lease_of(const lease_t *lease);

/* store.c */
commit_result_t store_commit(sim_t *sim, const batch_t *batch);
void store_apply_late(sim_t *sim, const batch_t *batch);
/* A new epoch of the run, if the acting control plane leads. */
uint64_t store_claim(sim_t *sim, int run);
uint64_t store_boot(sim_t *sim);
/* The request's own transaction. False: the acting control plane does not lead. */
bool store_begin_run(sim_t *sim, int run);
/* The acting control plane leads now. */
bool store_claim_lead(sim_t *sim);
bool store_renew_lead(sim_t *sim);
/* What the store would say to a transaction of the acting control plane. */
bool store_leads(const sim_t *sim, uint64_t term);
/* What is uploaded is younger than what retention takes. */
void store_upload(sim_t *sim, int tenant, uint64_t documents);
bool store_has(const sim_t *sim, int tenant, uint64_t documents);
/* One sweep of retention. */
void store_sweep(sim_t *sim);
bool store_load(sim_t *sim, int run, nv_super_run_t *into);
/* In a list with one item for each task. */
void store_keep_lease(nv_mem_t *ctx, item_t **list, size_t *count, size_t *capacity, const item_t *item);

/* control.c; of the acting control plane */
void control_start(sim_t *sim); /* a process, which stands by */
void control_lead(sim_t *sim);
void control_crash(sim_t *sim);
void control_event(sim_t *sim, const event_t *event);

/* control_effects.c: false: the control plane died or the run was loaded anew; the caller must let go of it. */
bool control_commit(sim_t *sim, int run);
bool control_load(sim_t *sim, int run);
/* The same with a lease that the store shall know. */
bool control_commit_lease(sim_t *sim, const lease_t *lease, const char *session);
void control_drain(sim_t *sim);
void control_note(sim_t *sim); /* takes over what the last call of the scheduler said */
bool control_crash_here(sim_t *sim);

/* worker.c */
void worker_start(sim_t *sim, int worker);
void worker_event(sim_t *sim, const event_t *event);
void worker_restart(sim_t *sim, int worker);

/* behave.c: what workers and people do, as a function of run and task alone. */
typedef struct behaviour {
    nv_super_result_t result;
    nv_super_document_t documents[2];
    char names[2][2 * TEXT_MAX];
    char references[2][3 * TEXT_MAX];
    const char *items[8];
    char item_names[8][TEXT_MAX];
} behaviour_t;
void behave(uint64_t run_seed, nv_super_node_t node, uint64_t task, const char *item, behaviour_t *out);
/* The documents that it names, as bits. */
uint64_t behave_documents(const nv_super_result_t *result);
uint64_t behave_document(nv_bytes_t reference);
void behave_answer(uint64_t run_seed, uint64_t task, nv_super_answer_t *out);
/* State, rounds, reason, documents. */
uint64_t behave_digest(nv_super_run_t *run);
/* The digest of a run that meets no fault. */
uint64_t behave_expected(uint64_t run_seed, bool asks);
nv_super_spec_t behave_spec(uint64_t run_seed, bool asks);
nv_super_config_t behave_config(void);

/* check.c */
/* The scheduler gave this tenant its turn, whether or not the assignment gets as far as its worker. */
void check_fairness(sim_t *sim, int served);
void check_assignment(sim_t *sim, const sched_news_t *news, int worker);
void check_accepted(sim_t *sim, const lease_t *lease);
void check_event(sim_t *sim, int run, const item_t *item);
void check_roundtrip(sim_t *sim, int run);
void check_scheduler(sim_t *sim);
/* What runs refer to is there. */
void check_documents(sim_t *sim);
/* It ended as it would have without faults. */
void check_run_end(sim_t *sim, int run);
void check_end(sim_t *sim);

#endif

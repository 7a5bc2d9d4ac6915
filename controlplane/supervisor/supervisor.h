/* The warehouse graph, and a run of it.
 *
 *   survey -> profile (one task per source table) -> relate -> design -> review -> approve -> generate -> deploy
 *          -> execute -> validate -> evaluate -> learn
 *
 * review, deploy, execute and validate lead back to design or generate when they end with outcome "fail" (blame says
 * where to; review always means design), at most max_rounds times in one run. What then remains unsolved, or a task
 * that failed for good, still goes through evaluate and learn, so that a scorecard exists, and ends the run as failed with
 * the reason and everything found so far. mode=analyze goes from review to evaluate, and ends with the
 * report.
 *
 * Documents are opaque references (the service packs nuvyn.v1.DocumentRef); routing reads only the small outcome values
 * that come with a result. Pure, like the graph below it; see controlplane/graph/run.h for how effects are carried out:
 * the supervisor's effects ARE the graph's, and a run is stored as its graph run's checkpoints and task records.
 */
#ifndef NV_SUPERVISOR_SUPERVISOR_H
#define NV_SUPERVISOR_SUPERVISOR_H

#include "controlplane/graph/checkpoint.h"
#include "controlplane/graph/run.h"

typedef struct nv_super nv_super_t;         /* the graph; one per process, immutable, shared by threads */
typedef struct nv_super_run nv_super_run_t; /* one run; one thread at a time */

typedef enum nv_super_node {
    NV_SUPER_SURVEY,
    NV_SUPER_PROFILE,
    NV_SUPER_RELATE,
    NV_SUPER_DESIGN,
    NV_SUPER_REVIEW,
    NV_SUPER_APPROVE, /* inside the control plane: no task for a worker */
    NV_SUPER_GENERATE,
    NV_SUPER_DEPLOY,
    NV_SUPER_EXECUTE,
    NV_SUPER_VALIDATE,
    NV_SUPER_EVALUATE,
    NV_SUPER_LEARN,
    NV_SUPER_NODES,
} nv_super_node_t;

typedef struct nv_super_config {
    nv_retry_policy_t retry;     /* zero: 4 attempts, 1 s, x2, cap 30 s, jitter 20 % */
    uint32_t task_timeout_ms;    /* default 10 min */
    uint32_t execute_timeout_ms; /* of execute; default 2 h */
    uint32_t keep_snapshots;     /* default 0: all, so that every checkpoint can be forked */
    uint32_t snapshot_every;     /* default 16 */
} nv_super_config_t;

/* config NULL: defaults. */
nv_super_t *nv_super_new(nv_mem_t *ctx, const nv_super_config_t *config);
/* "survey" …; also the kind of its tasks. */
const char *nv_super_node_name(nv_super_node_t node);

/* What was asked for. Texts as in RunSpec; NULL or empty: the default. */
typedef struct nv_super_spec {
    const char *mode;     /* "full" (default), "analyze" */
    const char *approval; /* "auto" (default), "ask" */
    uint32_t max_rounds;  /* 0: 3; at most 20 */
    nv_bytes_t document;  /* the packed RunSpec, kept with the run; at most 64 KiB */
} nv_super_spec_t;

/* A document that a worker wrote: name "profile/orders" goes to channel "profile" under key "orders", "design" to
 * channel "design"; see nv_super_outputs(). */
typedef struct nv_super_document {
    const char *name;
    nv_bytes_t reference; /* opaque; at most 16 KiB */
} nv_super_document_t;

/* Borrows super. The effects are those of the start; carry them out as for nv_graph_step(). */
nv_super_run_t *nv_super_run_new(nv_mem_t *ctx, const nv_super_t *super);
void nv_super_run_free(nv_super_run_t *run);
bool nv_super_start(nv_super_run_t *run, const nv_super_spec_t *spec, int64_t now_ms,
                    nv_graph_effects_t *effects, nv_error_t *err) NV_MUST_CHECK;
/* Makes a run just loaded from a checkpoint (no task records) the first state of a new one; see nv_graph_fork(). spec NULL,
 * documents none: with the state as it was. Only documents without a key ("design", not "profile/orders") can be changed. */
bool nv_super_fork(nv_super_run_t *run, const nv_super_spec_t *spec, const nv_super_document_t *documents,
                   size_t count, int64_t now_ms, nv_graph_effects_t *effects, nv_error_t *err) NV_MUST_CHECK;
/* The graph run, for storing (encode) and loading (decode, resume); writing to it is the supervisor's. */
nv_graph_run_t *nv_super_graph_run(nv_super_run_t *run);
nv_bytes_t nv_super_spec_document(const nv_super_run_t *run);

typedef struct nv_super_result {
    uint64_t task;
    uint32_t attempt;
    bool ok;
    const char *outcome; /* "pass", "fail"; "" or "done": pass */
    const char *blame;   /* "design", "generate" ("" means this one); review always means design */
    const char *summary; /* one sentence for people; NULL */
    const nv_super_document_t *documents;
    size_t document_count;
    const char *const *items; /* survey: table names */
    size_t item_count;
    /* when !ok */
    nv_code_t code;
    const char *error;
    bool retryable;
    uint32_t random; /* any number; spreads retries */
} nv_super_result_t;
/* ABORTED: stale. Any other refusal is the worker's mistake: report the attempt again as a failure (ok false, retryable
 * false, error: the refusal's text), or the task never ends. */
bool nv_super_result(nv_super_run_t *run, const nv_super_result_t *result, int64_t now_ms,
                     nv_graph_effects_t *effects, nv_error_t *err) NV_MUST_CHECK;

bool nv_super_continue(nv_super_run_t *run, int64_t now_ms, nv_graph_effects_t *effects,
                       nv_error_t *err) NV_MUST_CHECK;
bool nv_super_started(nv_super_run_t *run, uint64_t task, uint32_t attempt, int64_t now_ms,
                      nv_graph_effects_t *effects, nv_error_t *err) NV_MUST_CHECK;
bool nv_super_timer(nv_super_run_t *run, uint32_t random, int64_t now_ms, nv_graph_effects_t *effects,
                    nv_error_t *err) NV_MUST_CHECK;
bool nv_super_cancel(nv_super_run_t *run, const char *reason, int64_t now_ms, nv_graph_effects_t *effects,
                     nv_error_t *err) NV_MUST_CHECK;
/* To try a failed or cancelled run again, fork it (nv_super_fork() with nothing changed) from the checkpoint after this many
 * supersteps: the one before the node that failed, or that was running. */
uint64_t nv_super_retry_step(const nv_super_run_t *run);
/* An event from a worker (progress, token …) that takes its number in the run's stream. */
bool nv_super_note(nv_super_run_t *run, uint64_t task, const char *text, int64_t now_ms,
                   nv_graph_effects_t *effects, nv_error_t *err) NV_MUST_CHECK;

typedef enum nv_super_decision {
    NV_SUPER_DECIDE_APPROVE, /* with a design: it goes to design, which holds it against the data, and back to approval */
    NV_SUPER_DECIDE_REVISE, /* back to design with the comment as critique; takes a round */
    NV_SUPER_DECIDE_REJECT, /* the run ends as failed */
} nv_super_decision_t;
typedef struct nv_super_answer {
    uint64_t task;
    const char *key; /* as in the ASK effect */
    nv_super_decision_t decision;
    const char *by;
    const char *comment;
    nv_bytes_t design;   /* reference of the corrected design; empty: none */
    nv_bytes_t critique; /* reference of a document that design shall read (REVISE) */
} nv_super_answer_t;
bool nv_super_answer(nv_super_run_t *run, const nv_super_answer_t *answer, int64_t now_ms,
                     nv_graph_effects_t *effects, nv_error_t *err) NV_MUST_CHECK;

/* What a task reads: calls visit(name, reference) for each document, "profile/orders" style. */
void nv_super_each_input(const nv_super_run_t *run, nv_super_node_t node,
                         void (*visit)(const char *name, nv_bytes_t reference, void *user), void *user);
/* Every document the run has. */
void nv_super_each_document(const nv_super_run_t *run,
                            void (*visit)(const char *name, nv_bytes_t reference, void *user), void *user);
/* Names of the channels a node may write, NULL-terminated; static. */
const char *const *nv_super_outputs(nv_super_node_t node);

typedef enum nv_super_state {
    NV_SUPER_RUNNING,
    NV_SUPER_WAITING, /* for an answer */
    NV_SUPER_SUCCEEDED,
    NV_SUPER_FAILED,
    NV_SUPER_CANCELLED,
} nv_super_state_t;
typedef struct nv_super_status {
    nv_super_state_t state;
    uint32_t round; /* refinements so far */
    uint32_t max_rounds;
    size_t tables;
    char reason
        [NV_ERROR_TEXT_MAX]; /* failed, cancelled: why; succeeded: what went wrong on the way, if anything */
} nv_super_status_t;
void nv_super_status(const nv_super_run_t *run, nv_super_status_t *out);
/* "running", "waiting", "succeeded", "failed", "cancelled" */
const char *nv_super_state_name(nv_super_state_t state);

typedef struct nv_super_node_status {
    const char *name;
    const char *state;    /* "pending", "running", "done", "failed", "interrupted", "skipped" */
    uint32_t done, total; /* tasks of the visit */
    uint32_t visits;
} nv_super_node_status_t;
void nv_super_node_status(const nv_super_run_t *run, nv_super_node_t node, nv_super_node_status_t *out);

/* Outcome as last reported, and its summary ("" when there is none). */
bool nv_super_last_outcome(const nv_super_run_t *run, nv_super_node_t node, bool *passed,
                           nv_bytes_t *summary);

#endif

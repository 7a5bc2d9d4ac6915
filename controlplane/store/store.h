/* The control plane's durable state: one interface, two engines (SQLite embedded, PostgreSQL replicated).
 *
 * Every key starts with the tenant. What belongs to a run changes only through store_commit()/store_submit():
 * one batch is ONE transaction, guarded by compare-and-set on the run's epoch and, for events, on the run's
 * last sequence number.
 *
 * Durability: a batch whose outcome is "ok" survives kill -9 and power loss (SQLite: WAL, synchronous=FULL;
 * PostgreSQL: synchronous_commit on). A dedicated writer thread joins what was submitted meanwhile into one
 * transaction with one fsync (group commit); a batch that fails there does not touch its neighbours.
 *
 * Errors, the same from both engines:
 *   ABORTED              the run's epoch (or last event) is not the expected one: someone else owns it, drop yours
 *   NOT_FOUND            no such run, document, … in this tenant
 *   ALREADY_EXISTS       created twice, or a request id was used before
 *   FAILED_PRECONDITION  an artifact names a document the tenant does not have; a newer schema; read-only
 *   RESOURCE_EXHAUSTED   disk full, queue full, document over the limit
 *   UNAVAILABLE          the database cannot be reached or is busy; nothing was changed
 *   UNKNOWN              the connection was lost during COMMIT and the outcome could not be found out: throw the
 *                        run in memory away and load it again
 *   DATA_LOSS            the database file is damaged
 *   INVALID_ARGUMENT     a name, size or number outside its limits
 *
 * Threads: every function may be called from any thread. Blocking calls wait for the writer's fsync;
 * completion callbacks run on the writer's thread and must not block nor call blocking functions of this
 * store (store_submit is fine). Ownership: what is handed in is borrowed for the call (store_submit: until
 * its callback); what is handed out lives below the context given. Times are Unix milliseconds, sizes bytes.
 * Optional texts may be NULL in, are "" out.
 */
#ifndef CONTROLPLANE_STORE_STORE_H
#define CONTROLPLANE_STORE_STORE_H

#include "common/core/bytes.h"
#include "common/core/error.h"
#include "common/core/log.h"
#include "common/core/mem.h"

#include <stddef.h>
#include <stdint.h>

typedef struct store store_t;

enum {
    STORE_NAME_MAX = 128,                   /* tenant, pool, run id, task id, kind … */
    STORE_PATH_MAX = 1024,                  /* artifact names */
    STORE_TEXT_MAX = 64 * 1024,             /* reasons, questions, answers */
    STORE_BLOB_MAX = 64 * 1024 * 1024,      /* one checkpoint, spec, summary, event */
    STORE_DOCUMENT_MAX = 256 * 1024 * 1024, /* one document */
    STORE_CHUNK_BYTES = 256 * 1024,         /* documents are stored and read in chunks of this size */
    STORE_PAGE_MAX = 1000,                  /* rows of one page */
    STORE_EMBEDDING_DIMENSIONS = 256,
};

/* ---- lifecycle ---- */

typedef struct store_options {
    /* "sqlite:/path/to/nuvyn.db" (made when missing, mode 0600, its folder must exist) or
     * "postgresql://user@host/db?…" / "postgres://…" (any libpq URI or "postgresql:" + a conninfo string). */
    const char *url;
    const char *vector_extension; /* SQLite: path of sqlite-vec's vec0.so; NULL: exact scan */
    bool require_vector;          /* fail to open where the vector index cannot be used */
    bool read_only;               /* SQLite: reads only; writes fail with FAILED_PRECONDITION */
    int readers;                  /* reading connections; 0: 4 */
    int queue_max;                /* batches waiting for the writer; 0: 4,096; more are refused */
    int group_max;                /* batches in one transaction; 0: 256 */
    int busy_ms;                  /* how long to wait for locks and reconnects; 0: 5,000 */
    nv_log_t *log;                /* may be NULL; borrowed until store_close */
} store_options_t;

/* Opens, migrates the schema up (in one transaction), starts the writer. Refuses a database of a newer schema
 * (FAILED_PRECONDITION), one that is not ours, and a damaged one (DATA_LOSS). */
bool store_open(const store_options_t *options, store_t **out, nv_error_t *err) NV_MUST_CHECK;
/* Completes what was submitted, then stops. NULL is fine. */
void store_close(store_t *store);
void store_cleanup(store_t **store);
#define STORE_SCOPE __attribute__((cleanup(store_cleanup)))

typedef struct store_status {
    const char *engine;   /* "sqlite 3.40.1", "postgresql 15.20" */
    const char *location; /* path, or host/database; never a password */
    const char *vector;   /* "sqlite-vec v0.1.9", "pgvector 0.8.0", "exact scan (reason)" */
    int schema_version;
    bool shared;           /* other control planes may use it, too */
    uint64_t commits;      /* transactions */
    uint64_t batches;      /* batches in them */
    uint64_t queued;       /* waiting now */
    uint64_t refused;      /* queue full */
    uint64_t failed;       /* batches that ended in an error */
    uint64_t reconnects;   /* PostgreSQL */
    uint64_t commit_nanos; /* time spent in transactions */
} store_status_t;
/* Borrowed texts live as long as the store. */
void store_get_status(store_t *store, store_status_t *out);
/* A read and an empty durable write: for readiness. */
bool store_ping(store_t *store, nv_error_t *err) NV_MUST_CHECK;

/* ---- runs: what is stored ---- */

typedef struct store_run {
    const char *tenant;
    const char *run_id;
    const char *pool;
    const char *state; /* "running", "waiting", "succeeded", "failed", "cancelled": the service's words */
    const char *reason;
    const char *owner; /* control plane that drives it */
    const char *forked_from;
    int64_t epoch;    /* fencing number; changes hands with the run */
    int64_t revision; /* counts commits: the store adds 1 with each; 1 after creation */
    int64_t last_event;
    int64_t last_checkpoint; /* seq; 0: none */
    int64_t created_unix_ms;
    int64_t finished_unix_ms; /* 0: open */
    int64_t round;
    double score;
    nv_bytes_t spec; /* packed RunSpec */
    /* Packed, what listings show beside these columns (nodes, usage); the service's choice. */
    nv_bytes_t summary;
} store_run_t;

/* New values of a run's columns. NULL texts, negative numbers and bytes with data == NULL stay as they are. */
typedef struct store_run_change {
    const char *state;
    const char *reason;
    const char *owner;
    const char *pool;
    int64_t finished_unix_ms;
    int64_t round;
    double score;
    nv_bytes_t summary;
} store_run_change_t;
#define STORE_RUN_CHANGE_INIT                                                                                \
    {                                                                                                        \
        .finished_unix_ms = -1, .round = -1, .score = -1                                                     \
    }

typedef struct store_checkpoint {
    int64_t seq;    /* 1, 2, 3 … */
    int64_t parent; /* seq it is a delta to; 0 for the first */
    int64_t step;   /* superstep */
    bool snapshot;  /* whole state; else a delta to its parent */
    int64_t created_unix_ms;
    const char *nodes; /* names of the nodes that ran, separated by commas */
    nv_bytes_t data;
    int64_t bytes; /* out only: length of data, also where data is not loaded */
} store_checkpoint_t;

/* What a finished task of the still open superstep wrote; kept so that a crash repeats no task. */
typedef struct store_pending {
    int64_t step;
    const char *task_id;
    nv_bytes_t data;
} store_pending_t;

typedef struct store_event {
    int64_t seq; /* dense: last_event + 1, + 2 … */
    nv_bytes_t data;
} store_event_t;

typedef struct store_task {
    const char *tenant; /* out only */
    const char *run_id; /* out only */
    const char *task_id;
    const char *kind; /* "profile" */
    const char *item;
    const char *node;
    const char *state; /* the supervisor's words; "done", "failed", "cancelled" are closed, all others open */
    const char *pool;
    const char *session; /* worker session that holds the lease; empty: none */
    const char *idempotency_token;
    int64_t attempt;
    int64_t epoch; /* of the lease */
    int64_t lease_until_unix_ms;
    int64_t updated_unix_ms;
    nv_bytes_t data;
} store_task_t;

typedef struct store_interrupt {
    const char *run_id; /* out only */
    const char *interrupt_id;
    const char *task_id;
    const char *node;
    const char *question;
    int64_t asked_unix_ms;
    const char *answer; /* NULL or "": open */
    const char *answered_by;
    const char *comment;
    int64_t answered_unix_ms;
    nv_bytes_t data; /* of the answer */
} store_interrupt_t;

typedef struct store_artifact {
    const char *name; /* relative path */
    const char *sha256;
    int64_t bytes; /* out only */
    const char *media_type;
    const char *message_type;
    int64_t created_unix_ms;
} store_artifact_t;

/* ---- runs: writing ---- */

/* One atomic change of one run. Empty parts are 0/NULL. Zero-initialise. */
typedef struct store_batch {
    const char *tenant;
    const char *run_id;

    /* Creation: the run must not exist. epoch, created_unix_ms, state, spec … are taken; expect_epoch is
     * ignored. With a request id used before in this tenant: ALREADY_EXISTS, nothing changes;
     * store_request_find() tells the run. */
    const store_run_t *create;
    const char *request_id;

    int64_t expect_epoch;    /* otherwise: the run's epoch must be this (ABORTED) */
    int64_t new_epoch;       /* > expect_epoch takes the run over, fencing all others; 0: stays */
    int64_t expect_revision; /* > 0: the run's revision must be this, too */
    const store_run_change_t *change;

    const store_checkpoint_t *checkpoints; /* the last one becomes last_checkpoint */
    size_t n_checkpoints;
    int64_t prune_below; /* > 0: deletes checkpoints with a smaller seq (keep the snapshot that later deltas
                            need) */

    const store_pending_t *pending; /* replaces the task's earlier record */
    size_t n_pending;
    int64_t clear_pending_through; /* > 0: deletes records of steps up to this, before adding */

    const store_event_t *events;
    size_t n_events;
    const store_task_t *tasks; /* inserted or replaced */
    size_t n_tasks;
    const store_interrupt_t *interrupts; /* inserted or replaced */
    size_t n_interrupts;
    const store_artifact_t *artifacts; /* inserted or replaced; the document must exist in the tenant */
    size_t n_artifacts;
    /* sha256 of documents this run may read (and that retention keeps for it). */
    const char *const *documents;
    size_t n_documents;
} store_batch_t;

typedef struct store_result {
    nv_error_t error; /* code NV_OK: committed */
    int64_t epoch;    /* the run's, after the commit */
    int64_t revision;
    int64_t last_event;
} store_result_t;

typedef void store_done_fn(const store_result_t *result, void *arg);

/* Hands the batch to the writer and returns; `done` is called exactly once, on the writer's thread, in order
 * of submission for one run. The batch and all it points to must stay unchanged until then. Returns false
 * (and never calls done) when the batch is malformed (INVALID_ARGUMENT), the queue is full
 * (RESOURCE_EXHAUSTED) or the store is closing. */
bool store_submit(store_t *store, const store_batch_t *batch, store_done_fn *done, void *arg,
                  nv_error_t *err) NV_MUST_CHECK;
/* The same, waiting for the outcome. result may be NULL. */
bool store_commit(store_t *store, const store_batch_t *batch, store_result_t *result,
                  nv_error_t *err) NV_MUST_CHECK;

/* Deletes a run and all that hangs on it (its documents stay until store_document_gc). The epoch must match. */
bool store_run_delete(store_t *store, const char *tenant, const char *run_id, int64_t expect_epoch,
                      nv_error_t *err) NV_MUST_CHECK;

/* ---- runs: reading ---- */

bool store_run_get(store_t *store, nv_mem_t *ctx, const char *tenant, const char *run_id, store_run_t *out,
                   nv_error_t *err) NV_MUST_CHECK;
/* Newest first. state NULL or "": all. page_token "" or NULL: from the start; *next_token "" at the end.
 * page_size 0: 100. */
bool store_run_list(store_t *store, nv_mem_t *ctx, const char *tenant, const char *state, int page_size,
                    const char *page_token, store_run_t **out, size_t *n, char **next_token,
                    nv_error_t *err) NV_MUST_CHECK;
/* Open runs (finished_unix_ms = 0) of all tenants, oldest first, for a control plane that starts. Same
 * paging. */
bool store_run_list_open(store_t *store, nv_mem_t *ctx, int page_size, const char *page_token,
                         store_run_t **out, size_t *n, char **next_token, nv_error_t *err) NV_MUST_CHECK;
/* The run that a request id made. */
bool store_request_find(store_t *store, nv_mem_t *ctx, const char *tenant, const char *request_id,
                        char **out_run_id, nv_error_t *err) NV_MUST_CHECK;

/* Events with a greater sequence number, in order, at most limit (0: STORE_PAGE_MAX). */
bool store_event_list(store_t *store, nv_mem_t *ctx, const char *tenant, const char *run_id, int64_t after,
                      int limit, store_event_t **out, size_t *n, nv_error_t *err) NV_MUST_CHECK;
/* All checkpoints that are kept, without data. */
bool store_checkpoint_list(store_t *store, nv_mem_t *ctx, const char *tenant, const char *run_id,
                           store_checkpoint_t **out, size_t *n, nv_error_t *err) NV_MUST_CHECK;
/* What is needed to restore checkpoint `seq` (0: the last): its nearest snapshot, then the deltas up to it,
 * in order, with data. NOT_FOUND when there is none; DATA_LOSS when the chain has a hole. */
bool store_checkpoint_chain(store_t *store, nv_mem_t *ctx, const char *tenant, const char *run_id,
                            int64_t seq, store_checkpoint_t **out, size_t *n, nv_error_t *err) NV_MUST_CHECK;
/* Records of the steps above `after_step`. */
bool store_pending_list(store_t *store, nv_mem_t *ctx, const char *tenant, const char *run_id,
                        int64_t after_step, store_pending_t **out, size_t *n, nv_error_t *err) NV_MUST_CHECK;
bool store_task_list(store_t *store, nv_mem_t *ctx, const char *tenant, const char *run_id, bool open_only,
                     store_task_t **out, size_t *n, nv_error_t *err) NV_MUST_CHECK;
bool store_interrupt_get(store_t *store, nv_mem_t *ctx, const char *tenant, const char *run_id,
                         const char *interrupt_id, store_interrupt_t *out, nv_error_t *err) NV_MUST_CHECK;
/* run_id NULL or "": of all runs of the tenant. At most STORE_PAGE_MAX. */
bool store_interrupt_list(store_t *store, nv_mem_t *ctx, const char *tenant, const char *run_id,
                          bool open_only, store_interrupt_t **out, size_t *n, nv_error_t *err) NV_MUST_CHECK;
bool store_artifact_get(store_t *store, nv_mem_t *ctx, const char *tenant, const char *run_id,
                        const char *name, store_artifact_t *out, nv_error_t *err) NV_MUST_CHECK;
bool store_artifact_list(store_t *store, nv_mem_t *ctx, const char *tenant, const char *run_id,
                         store_artifact_t **out, size_t *n, nv_error_t *err) NV_MUST_CHECK;

/* ---- retention (policy: controlplane/service/janitor.h) ---- */

typedef struct store_finished {
    const char *tenant, *run_id;
    int64_t epoch, finished_unix_ms;
} store_finished_t;
/* Runs of all tenants that finished before, oldest first, from behind `after` (NULL: from the first), at most limit. */
bool store_finished_list(store_t *store, nv_mem_t *ctx, int64_t before_unix_ms, const store_finished_t *after,
                         int limit, store_finished_t **out, size_t *n, nv_error_t *err) NV_MUST_CHECK;
/* Of a finished run, deletes every checkpoint that its end does not need; those cannot be forked any more. */
bool store_checkpoint_trim(store_t *store, const char *tenant, const char *run_id, int64_t *out_deleted,
                           nv_error_t *err) NV_MUST_CHECK;

/* ---- leadership: which of several control planes on one database drives the runs ---- */

typedef struct store_leader {
    const char *owner; /* unique for each start of a control plane */
    const char *address;
    int64_t epoch; /* grows with each claim; in a claim: be greater than this */
} store_leader_t;
/* Takes the lead where nobody has it (any more), for ttl_ms. *out: who leads after that. On SQLite, which has one control
 * plane, a claim always wins. After a won claim this store writes only while that lead lasts: each write of a store that was
 * deposed fails as ABORTED, and changes nothing. */
bool store_leader_claim(store_t *store, nv_mem_t *ctx, const store_leader_t *wanted, int64_t ttl_ms,
                        bool *out_won, store_leader_t *out, nv_error_t *err) NV_MUST_CHECK;
/* This store led, and another one leads now. Asks the database. */
bool store_deposed(store_t *store);
/* For another ttl_ms from now; 0 gives it up. ABORTED: somebody else leads. */
bool store_leader_renew(store_t *store, const store_leader_t *leader, int64_t ttl_ms,
                        nv_error_t *err) NV_MUST_CHECK;

#endif

/* Shared by the files of worker/shell only. Lock order: shell.lock is the only lock; no callback is called under it. */
#ifndef WORKER_SHELL_INTERNAL_H
#define WORKER_SHELL_INTERNAL_H

#include "worker/shell/shell.h"

#include "common/core/blob_cache.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    CHUNK_BYTES = 256 * 1024,
    UNSENT_MAX_BYTES =
        2 * 1024 * 1024, /* a sender of documents waits above this; below the stream's own limit */
    TASK_DOCUMENT_MAX_BYTES = 256 * 1024 * 1024,
    EVENTS_WAITING_MAX = 1024, /* while there is no connection */
    REQUEST_TIMEOUT_MS = 30000,
    CACHE_BYTES = 64 * 1024 * 1024,
    CACHE_DOCUMENT_MAX_BYTES = 8 * 1024 * 1024,
};

/* A document that a task wrote, held until its result is acknowledged. */
typedef struct held_document {
    Nv__DocumentRef ref; /* name, sha256, bytes, media_type, message_type; texts below the task's memory */
    const uint8_t *data;
    bool artifact;
} held_document_t;

typedef enum running_state { RUNNING, RESULT_READY, RESULT_SENT } running_state_t;

typedef struct running {
    struct running *next;
    shell_t *shell;
    nv_mem_t *ctx; /* assignment, documents, result */
    Nv__TaskAssignment *assignment;
    pthread_t thread;
    atomic_bool cancelled;      /* set by cancel, lost lease or shutdown */
    atomic_bool lost;           /* nobody waits for the result */
    atomic_ullong progress;     /* counts signs of life */
    running_state_t state;      /* under shell.lock */
    bool finished;              /* thread is about to end; under shell.lock */
    held_document_t *documents; /* the task's thread only, until RESULT_READY */
    size_t n_documents;
    size_t documents_capacity;
    size_t document_bytes;
    Nv__TaskResult result;
    atomic_llong last_progress_ms; /* rate limit of progress events */
} running_t;

/* A question to the control plane that a task's thread waits for. */
typedef struct request {
    struct request *next;
    uint64_t id;
    ProtobufCMessage *reply; /* below ctx of the waiting task */
    nv_mem_t *ctx;
    bool answered;
} request_t;

struct shell {
    const shell_config_t *config;
    nv_rpc_client_t *client;
    pthread_t main_thread; /* of the loop; SIGUSR1 ends its wait */
    pthread_mutex_t lock;
    pthread_cond_t changed;  /* anything below */
    nv_rpc_stream_t *stream; /* NULL: not connected */
    bool welcomed;           /* Welcome has come on this stream */
    bool stream_ended;       /* closed() was called; the main loop drops it */
    nv_error_t stream_status;
    size_t unsent;           /* bytes handed to the stream since it last ran empty */
    atomic_int heartbeat_ms; /* written by the queue thread, read by the loop */
    atomic_int lease_ms;
    atomic_int resume_ms;    /* how long tasks go on without a connection */
    int64_t last_heard_ms;   /* or began to connect */
    int64_t last_message_ms; /* of any control plane */
    bool draining;
    running_t *tasks;
    size_t n_tasks;
    request_t *requests;
    uint64_t next_request;
    nv_mem_t *waiting_ctx; /* events waiting for a connection */
    Nv__WorkerMessage **waiting;
    size_t n_waiting;
    size_t waiting_capacity;
    size_t dropped_events;
    unsigned backoff_ms;
    uint32_t random;
    nv_blob_cache_t *documents; /* by SHA-256; what a task may read, its assignment says */
};

/* stream.c: sending. Returns false (UNAVAILABLE) when there is no welcomed stream. */
bool shell_send(shell_t *shell, const Nv__WorkerMessage *message, size_t bytes,
                nv_error_t *err) NV_MUST_CHECK;
/* Waits until the stream can take a large message. */
bool shell_wait_room(shell_t *shell, running_t *task, nv_error_t *err) NV_MUST_CHECK;
/* An event: sent, or kept while there is no connection. Any thread. */
void shell_send_event(shell_t *shell, const Nv__WorkerMessage *message);
bool shell_connect(shell_t *shell, nv_error_t *err) NV_MUST_CHECK;
void shell_disconnect(shell_t *shell);

/* tasks.c */
void shell_task_start(shell_t *shell, nv_mem_t *ctx, Nv__TaskAssignment *assignment);
void shell_task_cancel(shell_t *shell, const Nv__Lease *lease, bool lost);
void shell_task_acknowledged(shell_t *shell, const Nv__Lease *lease);
/* Sends what finished tasks hold. Called by the main loop after a welcome and when a task becomes ready. */
void shell_send_results(shell_t *shell);
/* Joins and frees tasks whose result was acknowledged or that nobody waits for. */
void shell_reap(shell_t *shell);
void shell_cancel_all(shell_t *shell, bool lost);

/* requests.c */
bool shell_ask(shell_t *shell, running_t *task, Nv__WorkerMessage *message, uint64_t *id_field, nv_mem_t *ctx,
               ProtobufCMessage **reply, nv_error_t *err) NV_MUST_CHECK;
/* Hands a reply to whoever asked; copies it. */
void shell_answer(shell_t *shell, uint64_t id, const ProtobufCMessage *reply);

/* host.c */
extern const agent_host_ops_t shell_host_ops;

#endif

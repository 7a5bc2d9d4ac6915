/* One worker's connection: what worker_service.c (the stream) and worker_results.c (what comes over it) share. */
#ifndef CONTROLPLANE_SERVICE_WORKER_LINK_H
#define CONTROLPLANE_SERVICE_WORKER_LINK_H

#include "controlplane/service/service.h"
#include "controlplane/store/documents.h"

#include <pthread.h>
#include <stdatomic.h>

enum { UPLOADS_MAX = 64 };

typedef struct worker_item worker_item_t;

typedef struct worker_upload {
    int64_t epoch;
    char name[STORE_PATH_MAX + 1];
    store_upload_t *store;
} worker_upload_t;

/* One worker's connection. References: the stream's and one per job. */
typedef struct worker_link {
    cp_service_t *service;
    nv_rpc_stream_t *stream;
    char session[CP_SESSION_MAX + 1];
    bool greeted;
    atomic_int refs, requests;
    pthread_mutex_t lock; /* of the strand's queue */
    worker_item_t *head, *tail;
    size_t queued;
    bool running, paused;
    worker_upload_t *uploads[UPLOADS_MAX]; /* the strand's own */
} worker_link_t;

const char *cp_worker_spiffe(const worker_link_t *link);
/* A part of a document. On the strand only. */
bool cp_worker_chunk(worker_link_t *link, const Nv__DocumentUpload *message, nv_error_t *err) NV_MUST_CHECK;
/* A result, whose documents have come before it: checked, and handed on to the engine with ctx. On the strand only. */
void cp_worker_result(worker_link_t *link, nv_mem_t *ctx, Nv__WorkerMessage *message);

#endif

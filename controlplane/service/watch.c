/* WatchRun: the events of a run from where the reader left off, then each new one; ends when the run has ended.
 *
 * A watcher has a cursor and reads from the store, which is the only truth: so a reconnect that names the last number it
 * has loses nothing and gets nothing twice, and a slow reader costs a cursor, not a queue.
 */
#include "common/contract/codec.h"
#include "common/identity/policy.h"
#include "controlplane/service/service.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { BATCH = 100 };

/* References: the stream's and the running job's. */
typedef struct watcher {
    cp_service_t *service;
    nv_rpc_stream_t *stream;
    atomic_int refs;
    char *tenant, *run_id;
    int64_t cursor; /* the job's */
    cp_watch_t *watch;
    pthread_mutex_t lock;
    bool running; /* a job is queued or runs */
    bool again;   /* something happened meanwhile */
    bool sending; /* what was sent has not left yet: go on when it has */
} watcher_t;

static void turn(void *arg);

static void watcher_unref(watcher_t *watcher)
{
    if (atomic_fetch_sub(&watcher->refs, 1) != 1)
        return;
    nv_rpc_stream_unref(watcher->stream);
    pthread_mutex_destroy(&watcher->lock);
    nv_mem_free(watcher);
}

static void submit(watcher_t *watcher)
{
    nv_error_t err = NV_ERROR_INIT;
    atomic_fetch_add(&watcher->refs, 1);
    if (nv_workpool_submit(watcher->service->pool, turn, watcher, &err))
        return;
    nv_rpc_stream_abort(watcher->stream, err.code, err.message); /* the reader resumes from its last number */
    watcher_unref(watcher);
}

/* Any thread: look at the store soon. */
static void poke(void *arg)
{
    watcher_t *watcher = arg;
    pthread_mutex_lock(&watcher->lock);
    watcher->again = true;
    bool start = !watcher->running && !watcher->sending;
    if (start)
        watcher->running = true;
    pthread_mutex_unlock(&watcher->lock);
    if (start)
        submit(watcher);
}

static bool send_events(watcher_t *watcher, nv_mem_t *ctx, const store_event_t *events, size_t n,
                        nv_error_t *err)
{
    ProtobufCMessage *event;
    for (size_t i = 0; i < n; i++) {
        if (!nv_unpack(ctx, &nv__run_event__descriptor, events[i].data.data, events[i].data.length, &event,
                       err))
            return nv_wrap(err, "event %lld", (long long)events[i].seq);
        ((Nv__RunEvent *)event)->seq = events[i].seq;
        if (!nv_rpc_stream_send(watcher->stream, event, err))
            return false;
        watcher->cursor = events[i].seq;
    }
    return true;
}

/* Sends what there is; *sent: something went out. */
static bool look(watcher_t *watcher, bool *sent, bool *over, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("watch");
    store_run_t run;
    store_event_t *events;
    size_t n;
    /* The run first: then events that came between the two reads make it look unfinished, never the other way round. */
    if (!store_run_get(watcher->service->store, ctx, watcher->tenant, watcher->run_id, &run, err) ||
        !store_event_list(watcher->service->store, ctx, watcher->tenant, watcher->run_id, watcher->cursor,
                          BATCH, &events, &n, err) ||
        !send_events(watcher, ctx, events, n, err))
        return false;
    *sent = n > 0;
    *over = run.finished_unix_ms > 0 && watcher->cursor >= run.last_event;
    return true;
}

static void turn(void *arg)
{
    watcher_t *watcher = arg;
    nv_error_t err = NV_ERROR_INIT;
    bool sent, over;
    for (bool more = true; more;) {
        sent = over = false;
        pthread_mutex_lock(&watcher->lock);
        watcher->again = false;
        watcher->sending = true; /* before anything is sent, so that writable() finds it */
        pthread_mutex_unlock(&watcher->lock);
        bool ok = look(watcher, &sent, &over, &err);
        if (!ok || over)
            nv_rpc_stream_finish(watcher->stream, ok ? NULL : &err);
        pthread_mutex_lock(&watcher->lock);
        if (!sent)
            watcher->sending = false;
        more = ok && !over && !sent && watcher->again;
        /* When something was sent, writable() starts the next turn, unless it has come already. */
        if (sent && !watcher->sending && ok && !over)
            more = true;
        if (!more)
            watcher->running = false;
        pthread_mutex_unlock(&watcher->lock);
    }
    watcher_unref(watcher);
}

static bool opened(void *service, nv_rpc_stream_t *stream, void **user, nv_error_t *err)
{
    watcher_t *watcher = NV_NEW(NULL, watcher_t);
    (void)err;
    watcher->service = service;
    watcher->stream = nv_rpc_stream_ref(stream);
    atomic_init(&watcher->refs, 1);
    pthread_mutex_init(&watcher->lock, NULL);
    *user = watcher;
    return true;
}

static void asked(nv_rpc_stream_t *stream, void *user, nv_mem_t *ctx, ProtobufCMessage *message)
{
    watcher_t *watcher = user;
    const Nv__WatchRunRequest *request = (const Nv__WatchRunRequest *)message;
    nv_error_t err = NV_ERROR_INIT;
    const char *tenant;
    if (!nv_policy_tenant(&nv_rpc_stream_peer(stream)->identity, request->tenant, &tenant, &err)) {
        nv_rpc_stream_finish(stream, &err);
    } else if (request->after < 0) {
        nv_fail(&err, NV_INVALID_ARGUMENT, "after: expected 0 or an event number");
        nv_rpc_stream_finish(stream, &err);
    } else {
        watcher->tenant = nv_strdup(watcher, tenant);
        watcher->run_id = nv_strdup(watcher, request->run_id);
        watcher->cursor = request->after;
        watcher->watch = cp_engine_watch(watcher->service->engine, tenant, request->run_id, poke, watcher);
        poke(watcher);
    }
    nv_mem_free(ctx);
}

static void writable(nv_rpc_stream_t *stream, void *user)
{
    watcher_t *watcher = user;
    (void)stream;
    pthread_mutex_lock(&watcher->lock);
    watcher->sending = false;
    bool start = !watcher->running;
    if (start)
        watcher->running = true;
    pthread_mutex_unlock(&watcher->lock);
    if (start)
        submit(watcher);
}

static void closed(nv_rpc_stream_t *stream, void *user, const nv_error_t *status)
{
    watcher_t *watcher = user;
    (void)stream;
    (void)status;
    cp_engine_unwatch(watcher->service->engine, watcher->watch);
    watcher_unref(watcher);
}

void cp_watch_register(cp_service_t *service, nv_rpc_server_t *server)
{
    static const nv_rpc_stream_ops_t ops = {.message = asked, .writable = writable, .closed = closed};
    nv_rpc_method_t method = {.path = "/nuvyn.v1.RunService/WatchRun",
                              .kind = NV_RPC_SERVER_STREAM,
                              .input = &nv__watch_run_request__descriptor,
                              .output = &nv__run_event__descriptor,
                              .open = opened,
                              .ops = &ops,
                              .service = service};
    nv_rpc_server_add(server, &method);
}

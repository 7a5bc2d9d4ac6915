#include "worker/shell/shell.h"

#include "worker/shell/internal.h"

#include "common/contract/codec.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    TICK_MS = 20,
    HEARTBEAT_DEFAULT_MS = 2000,
    LEASE_DEFAULT_MS = 30000,
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 10000,
    BACKOFF_BUSY_MAX_MS = 1000, /* with tasks in hand: their leases wait for us after a restart */
    WELCOME_MS = 10000,
    DRAIN_ALONE_MS = 10000 /* a leaving worker waits so long for a control plane that restarts */
};

static void stop_signals(sigset_t *out)
{
    sigemptyset(out);
    sigaddset(out, SIGTERM);
    sigaddset(out, SIGINT);
    sigaddset(out, SIGUSR1); /* a task's thread wakes the loop: see tasks.c */
}

void shell_block_signals(void)
{
    sigset_t set;
    stop_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* Waits a tick, or until a task is ready; true when a stop signal came. */
static bool stop_wanted(int ms)
{
    sigset_t set;
    stop_signals(&set);
    struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    int signal = sigtimedwait(&set, NULL, &wait);
    return signal == SIGTERM || signal == SIGINT;
}

/* ---- heartbeats ---- */

static void send_heartbeat(shell_t *shell)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("heartbeat");
    Nv__WorkerMessage message = NV__WORKER_MESSAGE__INIT;
    Nv__Heartbeat heartbeat = NV__HEARTBEAT__INIT;
    nv_error_t err = NV_ERROR_INIT;
    message.body_case = NV__WORKER_MESSAGE__BODY_HEARTBEAT;
    message.heartbeat = &heartbeat;
    pthread_mutex_lock(&shell->lock);
    heartbeat.leases = NV_NEW_ARRAY(ctx, Nv__Lease *, shell->n_tasks + 1);
    heartbeat.progress = NV_NEW_ARRAY(ctx, char *, shell->n_tasks + 1);
    for (running_t *task = shell->tasks; task; task = task->next) {
        if (atomic_load(&task->lost))
            continue;
        heartbeat.progress[heartbeat.n_progress++] = nv_printf(ctx, "%llu", atomic_load(&task->progress));
        heartbeat.leases[heartbeat.n_leases++] =
            (Nv__Lease *)nv_message_copy(ctx, &task->assignment->lease->base);
    }
    pthread_mutex_unlock(&shell->lock);
    if (!shell_send(shell, &message, 256, &err))
        nv_log(shell->config->log, NV_DEBUG, "stream", "no heartbeat", "error", err.message, NULL);
}

/* ---- events that waited for a connection ---- */

static void send_waiting_events(shell_t *shell)
{
    pthread_mutex_lock(&shell->lock);
    nv_mem_t *ctx = shell->waiting_ctx;
    Nv__WorkerMessage **waiting = shell->waiting;
    size_t count = shell->n_waiting;
    size_t dropped = shell->dropped_events;
    shell->waiting_ctx = nv_mem_root("waiting events");
    shell->waiting = NULL;
    shell->n_waiting = shell->waiting_capacity = shell->dropped_events = 0;
    pthread_mutex_unlock(&shell->lock);
    for (size_t i = 0; i < count; i++)
        shell_send_event(shell, waiting[i]);
    if (dropped) {
        char text[32];
        snprintf(text, sizeof text, "%zu", dropped);
        nv_log(shell->config->log, NV_WARN, "stream", "events were dropped while there was no connection",
               "count", text, NULL);
    }
    nv_mem_free(ctx);
}

/* ---- the loop ---- */

static unsigned next_backoff(shell_t *shell)
{
    unsigned grown = shell->backoff_ms ? shell->backoff_ms * 2 : BACKOFF_MIN_MS;
    pthread_mutex_lock(&shell->lock);
    unsigned most = shell->n_tasks ? BACKOFF_BUSY_MAX_MS : BACKOFF_MAX_MS;
    pthread_mutex_unlock(&shell->lock);
    shell->backoff_ms = grown < most ? grown : most;
    shell->random = shell->random * 1664525u + 1013904223u;
    return shell->backoff_ms / 2 +
           shell->random % (shell->backoff_ms / 2 + 1); /* spreads a herd of reconnecting workers */
}

/* Codes that another attempt cannot mend: who we are is refused. */
static bool refused_for_good(const nv_error_t *status)
{
    return status->code == NV_PERMISSION_DENIED || status->code == NV_UNAUTHENTICATED ||
           status->code == NV_UNIMPLEMENTED;
}

typedef struct state {
    bool ended, welcomed, idle;
    int64_t silent_ms; /* of this stream */
    int64_t alone_ms;  /* since anything was heard */
} state_t;

static state_t snapshot(shell_t *shell)
{
    pthread_mutex_lock(&shell->lock);
    int64_t now = nv_rpc_now_ms();
    state_t state = {.ended = shell->stream_ended,
                     .welcomed = shell->welcomed,
                     .idle = shell->n_tasks == 0,
                     .silent_ms = now - shell->last_heard_ms,
                     .alone_ms = now - shell->last_message_ms};
    pthread_mutex_unlock(&shell->lock);
    return state;
}

typedef struct loop {
    shell_t *shell;
    int64_t next_heartbeat;
    int64_t next_connect;
    int64_t drain_deadline, drain_began;
    bool was_welcomed;
    bool ever_welcomed;
} loop_t;

/* A lost connection. Tasks go on: whether they are still ours, only a control plane can say. */
static bool on_stream_ended(loop_t *loop, nv_error_t *err)
{
    shell_t *shell = loop->shell;
    nv_error_t status = shell->stream_status;
    shell_disconnect(shell);
    pthread_mutex_lock(&shell->lock);
    shell->stream_ended = false;
    pthread_mutex_unlock(&shell->lock);
    loop->was_welcomed = false;
    if (refused_for_good(&status)) {
        *err = status;
        return nv_wrap(err, "the control plane at %s refused this worker", shell->config->address);
    }
    unsigned wait = next_backoff(shell);
    loop->next_connect = nv_rpc_now_ms() + wait;
    if (!loop->shell->draining)
        nv_log(shell->config->log, NV_WARN, "stream", "connection lost; trying again", "status",
               nv_code_name(status.code), "reason", status.message, NULL);
    return true;
}

static void try_connect(loop_t *loop)
{
    nv_error_t err = NV_ERROR_INIT;
    if (nv_rpc_now_ms() < loop->next_connect || loop->shell->stream)
        return;
    if (shell_connect(loop->shell, &err))
        return;
    nv_log(loop->shell->config->log, NV_WARN, "stream", "no connection", "error", err.message, NULL);
    shell_disconnect(loop->shell);
    loop->next_connect = nv_rpc_now_ms() + next_backoff(loop->shell);
}

static void send_drain_notice(shell_t *shell)
{
    Nv__WorkerMessage message = NV__WORKER_MESSAGE__INIT;
    Nv__DrainAck ack = NV__DRAIN_ACK__INIT;
    nv_error_t err = NV_ERROR_INIT;
    message.body_case = NV__WORKER_MESSAGE__BODY_DRAIN_ACK;
    message.drain_ack = &ack;
    if (!shell_send(shell, &message, 64, &err))
        nv_log(shell->config->log, NV_DEBUG, "stream", "no drain notice", "error", err.message, NULL);
}

static void keep_alive(loop_t *loop, int64_t silent_ms)
{
    shell_t *shell = loop->shell;
    int64_t now = nv_rpc_now_ms();
    if (!loop->was_welcomed) {
        loop->was_welcomed = loop->ever_welcomed = true;
        loop->next_heartbeat = now + shell->heartbeat_ms;
        if (shell->draining)
            send_drain_notice(shell); /* this session does not know yet */
        send_waiting_events(shell);
    }
    if (now >= loop->next_heartbeat) {
        send_heartbeat(shell);
        loop->next_heartbeat = now + shell->heartbeat_ms;
    }
    shell_send_results(shell);
    /* It answers every heartbeat: so this connection is dead, whatever the transport believes. */
    if (silent_ms > 2 * (int64_t)shell->lease_ms)
        nv_rpc_stream_abort(shell->stream, NV_UNAVAILABLE,
                            "the control plane has been silent for two leases");
}

static void start_drain(loop_t *loop)
{
    shell_t *shell = loop->shell;
    pthread_mutex_lock(&shell->lock);
    shell->draining = true;
    pthread_mutex_unlock(&shell->lock);
    loop->drain_began = nv_rpc_now_ms();
    loop->drain_deadline = loop->drain_began + shell->config->drain_ms;
    send_drain_notice(shell);
    nv_log(shell->config->log, NV_INFO, "worker", "stopping: running tasks may finish", NULL);
}

/* Nobody is there who could take a result, and has not been for as long as a restart takes. */
static bool alone_too_long(const loop_t *loop, const state_t *state)
{
    return !state->welcomed && state->alone_ms > DRAIN_ALONE_MS &&
           nv_rpc_now_ms() - loop->drain_began > DRAIN_ALONE_MS;
}

/* One turn; false to leave the loop (with err set when it is an error). */
static bool turn(loop_t *loop, nv_error_t *err)
{
    shell_t *shell = loop->shell;
    state_t state = snapshot(shell);
    if (state.ended && !on_stream_ended(loop, err))
        return false;
    if (!shell->stream && !(shell->draining && state.idle)) {
        try_connect(loop);
        state.silent_ms = shell->stream ? 0 : state.silent_ms; /* a new stream has just begun to wait */
    }
    if (state.welcomed && !state.ended)
        keep_alive(loop, state.silent_ms);
    if (!state.welcomed && state.alone_ms > shell->resume_ms && loop->ever_welcomed)
        shell_cancel_all(shell, true); /* whoever answers next will not know them any more */
    if (!state.welcomed && shell->stream && state.silent_ms > WELCOME_MS)
        nv_rpc_stream_abort(shell->stream, NV_DEADLINE_EXCEEDED, "no welcome within ten seconds");
    shell_reap(shell);
    if (!shell->draining)
        return true;
    if (state.idle)
        return false;
    if (nv_rpc_now_ms() > loop->drain_deadline || alone_too_long(loop, &state))
        shell_cancel_all(shell, true);
    return true;
}

static bool serve(shell_t *shell, nv_error_t *err)
{
    loop_t loop = {.shell = shell};
    while (turn(&loop, err))
        if (stop_wanted(TICK_MS) && !shell->draining)
            start_drain(&loop);
    shell_cancel_all(shell, true);
    shell_disconnect(shell);
    while (
        shell->tasks) { /* each task notices its cancellation; its thread must end before its memory does */
        shell_reap(shell);
        usleep(TICK_MS * 1000);
    }
    return err->code == NV_OK;
}

static void init_changed(pthread_cond_t *changed)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

bool shell_run(const shell_config_t *config, nv_error_t *err)
{
    shell_t shell = {.config = config,
                     .heartbeat_ms = HEARTBEAT_DEFAULT_MS,
                     .lease_ms = LEASE_DEFAULT_MS,
                     .resume_ms = LEASE_DEFAULT_MS,
                     .random = (uint32_t)getpid() * 2654435761u};
    nv_rpc_client_config_t client = {
        .address = config->address, .tls = config->tls, .expect = NV_IDENTITY_CONTROLPLANE};
    client.limits.max_message_bytes = 64 * 1024 * 1024;
    client.limits.queue_bytes = 16 * 1024 * 1024;
    client.limits.queue_messages = 8192;
    shell.main_thread = pthread_self();
    pthread_mutex_init(&shell.lock, NULL);
    init_changed(&shell.changed);
    shell.waiting_ctx = nv_mem_root("waiting events");
    shell.documents = nv_blob_cache_new(CACHE_BYTES, CACHE_DOCUMENT_MAX_BYTES);
    bool ok = nv_rpc_client_new(&client, &shell.client, err);
    if (ok) {
        ok = serve(&shell, err);
        nv_rpc_client_free(shell.client);
    }
    pthread_cond_destroy(&shell.changed);
    pthread_mutex_destroy(&shell.lock);
    nv_mem_free(shell.waiting_ctx);
    nv_blob_cache_free(shell.documents);
    return ok;
}

#include "worker/shell/internal.h"

#include "common/contract/codec.h"

#include <string.h>
#include <unistd.h>

static void on_welcome(shell_t *shell, const Nv__Welcome *welcome)
{
    pthread_mutex_lock(&shell->lock);
    shell->welcomed = true;
    shell->backoff_ms = 0;
    shell->heartbeat_ms =
        welcome->heartbeat_interval_ms > 0 ? welcome->heartbeat_interval_ms : shell->heartbeat_ms;
    shell->lease_ms = welcome->lease_ms > 0 ? welcome->lease_ms : shell->lease_ms;
    shell->resume_ms = welcome->resume_ms > shell->lease_ms ? welcome->resume_ms : shell->lease_ms;
    pthread_cond_broadcast(&shell->changed);
    pthread_mutex_unlock(&shell->lock);
    for (size_t i = 0; i < welcome->n_lost; i++)
        shell_task_cancel(shell, welcome->lost[i], true);
    nv_log(shell->config->log, NV_INFO, "stream", "connected", "session", welcome->session_id, NULL);
}

static void on_heartbeat_ack(shell_t *shell, const Nv__HeartbeatAck *ack)
{
    if (ack->heartbeat_interval_ms > 0) {
        pthread_mutex_lock(&shell->lock);
        shell->heartbeat_ms = ack->heartbeat_interval_ms;
        pthread_mutex_unlock(&shell->lock);
    }
    for (size_t i = 0; i < ack->n_lost; i++)
        shell_task_cancel(shell, ack->lost[i], true);
}

static void acknowledge_cancel(shell_t *shell, Nv__Lease *lease)
{
    Nv__WorkerMessage message = NV__WORKER_MESSAGE__INIT;
    Nv__CancelAck ack = NV__CANCEL_ACK__INIT;
    nv_error_t err = NV_ERROR_INIT;
    ack.lease = lease;
    message.body_case = NV__WORKER_MESSAGE__BODY_CANCEL_ACK;
    message.cancel_ack = &ack;
    if (!shell_send(shell, &message, 128, &err))
        nv_log(shell->config->log, NV_WARN, "stream", "a cancel was not acknowledged", "error", err.message,
               NULL);
}

static void on_cancel(shell_t *shell, Nv__CancelTask *cancel)
{
    if (!cancel->lease)
        return;
    shell_task_cancel(shell, cancel->lease, false);
    acknowledge_cancel(shell, cancel->lease);
}

static void on_result_ack(shell_t *shell, const Nv__ResultAck *ack)
{
    if (!ack->lease)
        return;
    if (!ack->accepted)
        nv_log(shell->config->log, NV_WARN, "task", "result refused: the lease is stale", "task",
               ack->lease->task_id, NULL);
    shell_task_acknowledged(shell, ack->lease);
}

static void on_drain(shell_t *shell, const Nv__Drain *drain)
{
    nv_log(shell->config->log, NV_INFO, "stream", "draining", "reason", drain->reason, NULL);
    Nv__WorkerMessage message = NV__WORKER_MESSAGE__INIT;
    Nv__DrainAck ack = NV__DRAIN_ACK__INIT;
    nv_error_t err = NV_ERROR_INIT;
    message.body_case = NV__WORKER_MESSAGE__BODY_DRAIN_ACK;
    message.drain_ack = &ack;
    if (!shell_send(shell, &message, 64, &err))
        nv_log(shell->config->log, NV_WARN, "stream", "a drain was not acknowledged", "error", err.message,
               NULL);
}

/* True when the memory was handed on. */
static bool dispatch(shell_t *shell, nv_mem_t *ctx, Nv__ControlMessage *message)
{
    switch (message->body_case) {
    case NV__CONTROL_MESSAGE__BODY_WELCOME:
        on_welcome(shell, message->welcome);
        break;
    case NV__CONTROL_MESSAGE__BODY_HEARTBEAT_ACK:
        on_heartbeat_ack(shell, message->heartbeat_ack);
        break;
    case NV__CONTROL_MESSAGE__BODY_ASSIGNMENT:
        shell_task_start(shell, ctx, message->assignment);
        return true;
    case NV__CONTROL_MESSAGE__BODY_CANCEL:
        on_cancel(shell, message->cancel);
        break;
    case NV__CONTROL_MESSAGE__BODY_RESULT_ACK:
        on_result_ack(shell, message->result_ack);
        break;
    case NV__CONTROL_MESSAGE__BODY_CREDENTIAL:
        shell_answer(shell, message->credential->request_id, &message->credential->base);
        break;
    case NV__CONTROL_MESSAGE__BODY_KNOWLEDGE:
        shell_answer(shell, message->knowledge->request_id, &message->knowledge->base);
        break;
    case NV__CONTROL_MESSAGE__BODY_DRAIN:
        on_drain(shell, message->drain);
        break;
    default:
        nv_log(shell->config->log, NV_WARN, "stream", "a message of unknown kind was ignored", NULL);
    }
    return false;
}

static void on_message(nv_rpc_stream_t *stream, void *user, nv_mem_t *ctx, ProtobufCMessage *message)
{
    (void)stream;
    shell_t *shell = user;
    pthread_mutex_lock(&shell->lock);
    shell->last_heard_ms = shell->last_message_ms = nv_rpc_now_ms();
    pthread_mutex_unlock(&shell->lock);
    if (!dispatch(shell, ctx, (Nv__ControlMessage *)message))
        nv_mem_free(ctx);
}

static void on_writable(nv_rpc_stream_t *stream, void *user)
{
    (void)stream;
    shell_t *shell = user;
    pthread_mutex_lock(&shell->lock);
    shell->unsent = 0;
    pthread_cond_broadcast(&shell->changed);
    pthread_mutex_unlock(&shell->lock);
}

static void on_closed(nv_rpc_stream_t *stream, void *user, const nv_error_t *status)
{
    (void)stream;
    shell_t *shell = user;
    pthread_mutex_lock(&shell->lock);
    shell->welcomed = false;
    shell->stream_ended = true;
    shell->stream_status = *status;
    pthread_cond_broadcast(&shell->changed);
    pthread_mutex_unlock(&shell->lock);
}

static const nv_rpc_stream_ops_t stream_ops = {
    .message = on_message, .writable = on_writable, .closed = on_closed};

bool shell_send(shell_t *shell, const Nv__WorkerMessage *message, size_t bytes, nv_error_t *err)
{
    pthread_mutex_lock(&shell->lock);
    bool hello = message->body_case == NV__WORKER_MESSAGE__BODY_HELLO;
    nv_rpc_stream_t *stream = shell->stream && !shell->stream_ended && (shell->welcomed || hello)
                                  ? nv_rpc_stream_ref(shell->stream)
                                  : NULL;
    if (stream)
        shell->unsent += bytes;
    pthread_mutex_unlock(&shell->lock);
    if (!stream)
        return nv_fail(err, NV_UNAVAILABLE, "not connected to the control plane");
    bool ok = nv_rpc_stream_send(stream, &message->base, err);
    nv_rpc_stream_unref(stream);
    return ok;
}

bool shell_wait_room(shell_t *shell, running_t *task, nv_error_t *err)
{
    pthread_mutex_lock(&shell->lock);
    while (shell->welcomed && shell->unsent > UNSENT_MAX_BYTES && !atomic_load(&task->lost))
        pthread_cond_wait(&shell->changed, &shell->lock);
    bool ok = shell->welcomed;
    pthread_mutex_unlock(&shell->lock);
    return ok || nv_fail(err, NV_UNAVAILABLE, "not connected to the control plane");
}

static void keep_event(shell_t *shell, const Nv__WorkerMessage *message)
{
    pthread_mutex_lock(&shell->lock);
    if (shell->n_waiting < EVENTS_WAITING_MAX) {
        Nv__WorkerMessage *copy = (Nv__WorkerMessage *)nv_message_copy(shell->waiting_ctx, &message->base);
        NV_PUSH(shell->waiting_ctx, shell->waiting, shell->n_waiting, shell->waiting_capacity) = copy;
    } else {
        shell->dropped_events++;
    }
    pthread_mutex_unlock(&shell->lock);
}

void shell_send_event(shell_t *shell, const Nv__WorkerMessage *message)
{
    nv_error_t err = NV_ERROR_INIT;
    if (!shell_send(shell, message, 256, &err))
        keep_event(shell, message);
}

static char *hostname(nv_mem_t *ctx)
{
    char name[256] = "";
    if (gethostname(name, sizeof name - 1) != 0)
        name[0] = '\0';
    return nv_strdup(ctx, name);
}

static Nv__Lease **held_leases(shell_t *shell, nv_mem_t *ctx, size_t *out_count)
{
    pthread_mutex_lock(&shell->lock);
    Nv__Lease **leases = NV_NEW_ARRAY(ctx, Nv__Lease *, shell->n_tasks + 1);
    size_t count = 0;
    for (running_t *task = shell->tasks; task; task = task->next)
        if (!atomic_load(&task->lost))
            leases[count++] = (Nv__Lease *)nv_message_copy(ctx, &task->assignment->lease->base);
    pthread_mutex_unlock(&shell->lock);
    *out_count = count;
    return leases;
}

static bool say_hello(shell_t *shell, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("hello");
    Nv__WorkerMessage message = NV__WORKER_MESSAGE__INIT;
    Nv__Hello hello = NV__HELLO__INIT;
    message.body_case = NV__WORKER_MESSAGE__BODY_HELLO;
    message.hello = &hello;
    hello.version = (char *)NV_VERSION;
    hello.slots = shell->config->slots;
    hello.capabilities = (char **)shell->config->kinds;
    hello.n_capabilities = shell->config->n_kinds;
    hello.hostname = hostname(ctx);
    hello.pid = getpid();
    hello.held = held_leases(shell, ctx, &hello.n_held);
    return shell_send(shell, &message, 1024, err);
}

bool shell_connect(shell_t *shell, nv_error_t *err)
{
    nv_rpc_stream_t *stream = NULL;
    pthread_mutex_lock(&shell->lock);
    shell->stream_ended = false;
    shell->unsent = 0;
    pthread_mutex_unlock(&shell->lock);
    if (!nv_rpc_client_stream(shell->client, "/nuvyn.v1.WorkerService/Connect",
                              &nv__control_message__descriptor, &stream_ops, shell, &stream, err))
        return false;
    pthread_mutex_lock(&shell->lock);
    shell->stream = stream;
    shell->last_heard_ms = nv_rpc_now_ms();
    pthread_mutex_unlock(&shell->lock);
    return say_hello(shell, err);
}

void shell_disconnect(shell_t *shell)
{
    pthread_mutex_lock(&shell->lock);
    nv_rpc_stream_t *stream = shell->stream;
    shell->stream = NULL;
    shell->welcomed = false;
    for (running_t *task = shell->tasks; task; task = task->next)
        if (task->state == RESULT_SENT)
            task->state = RESULT_READY; /* unacknowledged: send it again */
    pthread_cond_broadcast(&shell->changed);
    pthread_mutex_unlock(&shell->lock);
    if (!stream)
        return;
    nv_rpc_stream_abort(stream, NV_CANCELLED, "the worker closes its stream");
    pthread_mutex_lock(&shell->lock);
    while (!shell->stream_ended)
        pthread_cond_wait(&shell->changed, &shell->lock);
    pthread_mutex_unlock(&shell->lock);
    nv_rpc_stream_unref(stream);
}

#include "worker/shell/internal.h"

#include "common/contract/codec.h"

#include <time.h>

static void until(struct timespec *out, int64_t ms)
{
    clock_gettime(CLOCK_MONOTONIC, out);
    out->tv_sec += ms / 1000;
    out->tv_nsec += ms % 1000 * 1000000;
    if (out->tv_nsec >= 1000000000) {
        out->tv_sec++;
        out->tv_nsec -= 1000000000;
    }
}

static void forget(shell_t *shell, const request_t *request)
{
    for (request_t **slot = &shell->requests; *slot; slot = &(*slot)->next)
        if (*slot == request) {
            *slot = request->next;
            return;
        }
}

/* Waits on this stream; false when the stream went away first, or time ran out. */
static bool wait_reply(shell_t *shell, running_t *task, request_t *request, const struct timespec *deadline)
{
    pthread_mutex_lock(&shell->lock);
    while (!request->answered && shell->welcomed && !atomic_load(&task->cancelled) &&
           pthread_cond_timedwait(&shell->changed, &shell->lock, deadline) == 0) {
    }
    forget(shell, request);
    bool answered = request->answered;
    pthread_mutex_unlock(&shell->lock);
    return answered;
}

/* Waits for a connection; false when cancelled or time ran out. */
static bool wait_connected(shell_t *shell, running_t *task, const struct timespec *deadline)
{
    pthread_mutex_lock(&shell->lock);
    int waited = 0;
    while (!shell->welcomed && !atomic_load(&task->cancelled) && waited == 0)
        waited = pthread_cond_timedwait(&shell->changed, &shell->lock, deadline);
    bool connected = shell->welcomed && !atomic_load(&task->cancelled);
    pthread_mutex_unlock(&shell->lock);
    return connected;
}

bool shell_ask(shell_t *shell, running_t *task, Nv__WorkerMessage *message, uint64_t *id_field, nv_mem_t *ctx,
               ProtobufCMessage **reply, nv_error_t *err)
{
    struct timespec deadline;
    until(&deadline, REQUEST_TIMEOUT_MS);
    while (wait_connected(shell, task, &deadline)) {
        request_t request = {.ctx = ctx};
        pthread_mutex_lock(&shell->lock);
        *id_field = request.id = ++shell->next_request;
        request.next = shell->requests;
        shell->requests = &request; /* cppcheck-suppress autoVariables ; wait_reply takes it off again */
        pthread_mutex_unlock(&shell->lock);
        bool sent = shell_send(shell, message, 4096, err);
        if (wait_reply(shell, task, &request, &deadline)) {
            *reply = request.reply;
            return true;
        }
        if (!sent)
            nv_error_clear(err);
    }
    if (atomic_load(&task->cancelled))
        return nv_fail(err, NV_CANCELLED, "the task was cancelled");
    return nv_fail(err, NV_DEADLINE_EXCEEDED, "the control plane did not answer within %d s",
                   REQUEST_TIMEOUT_MS / 1000);
}

void shell_answer(shell_t *shell, uint64_t id, const ProtobufCMessage *reply)
{
    pthread_mutex_lock(&shell->lock);
    for (request_t *request = shell->requests; request; request = request->next)
        if (request->id == id && !request->answered) {
            /* The asking thread waits below, so its memory is ours for the moment. */
            request->reply = nv_message_copy(request->ctx, reply);
            request->answered = true;
        }
    pthread_cond_broadcast(&shell->changed);
    pthread_mutex_unlock(&shell->lock);
}

#include "worker/shell/internal.h"

#include <signal.h>
#include <string.h>
#include <time.h>

static bool same_lease(const Nv__Lease *a, const Nv__Lease *b)
{
    return a->attempt == b->attempt && a->epoch == b->epoch && strcmp(a->task_id, b->task_id) == 0 &&
           strcmp(a->run_id, b->run_id) == 0 && strcmp(a->tenant, b->tenant) == 0;
}

/* Under the lock. */
static running_t *find(shell_t *shell, const Nv__Lease *lease)
{
    for (running_t *task = shell->tasks; task; task = task->next)
        if (same_lease(task->assignment->lease, lease))
            return task;
    return NULL;
}

static int64_t elapsed_ms(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000;
}

/* ---- running ---- */

static void fill_refs(running_t *task)
{
    Nv__TaskResult *result = &task->result;
    result->writes = NV_NEW_ARRAY(task->ctx, Nv__DocumentRef *, task->n_documents + 1);
    result->artifacts = NV_NEW_ARRAY(task->ctx, Nv__DocumentRef *, task->n_documents + 1);
    for (size_t i = 0; i < task->n_documents; i++) {
        held_document_t *document = &task->documents[i];
        if (document->artifact)
            result->artifacts[result->n_artifacts++] = &document->ref;
        else
            result->writes[result->n_writes++] = &document->ref;
    }
}

static void fill_success(running_t *task, const agent_result_t *from)
{
    Nv__TaskResult *result = &task->result;
    result->ok = true;
    result->outcome = nv_strdup(task->ctx, from->outcome ? from->outcome : "done");
    result->blame = nv_strdup(task->ctx, from->blame ? from->blame : "");
    result->items = NV_NEW_ARRAY(task->ctx, char *, from->n_items + 1);
    for (size_t i = 0; i < from->n_items; i++)
        result->items[result->n_items++] = nv_strdup(task->ctx, from->items[i]);
    fill_refs(task);
}

/* The node is named by whoever tells of it: "survey: survey: …" helps nobody. */
static const char *without_kind(const running_t *task, const char *message)
{
    const char *kind = task->assignment->kind;
    size_t n = kind ? strlen(kind) : 0;
    return n > 0 && strncmp(message, kind, n) == 0 && strncmp(message + n, ": ", 2) == 0 ? message + n + 2
                                                                                         : message;
}

static void fill_failure(running_t *task, const nv_error_t *err)
{
    Nv__TaskResult *result = &task->result;
    result->ok = false;
    result->error_code = (int32_t)err->code;
    result->error_message = nv_strdup(task->ctx, without_kind(task, err->message));
    result->retryable = nv_code_is_transient(err->code);
}

/* The task's span; what the agent sends on (to the workspace) hangs below it. */
static nv_span_t *begin_span(running_t *task)
{
    Nv__TaskAssignment *assignment = task->assignment;
    nv_error_t err = NV_ERROR_INIT;
    nv_trace_context_t run, own;
    if (!nv_traceparent_parse(assignment->traceparent, &run, &err))
        return NULL;
    nv_span_t *span = nv_span_start(task->shell->config->tracer, &run, assignment->kind, NV_SPAN_INTERNAL);
    if (!span)
        return NULL; /* off: the run's context goes on as it is */
    nv_span_text(span, "nuvyn.run", assignment->lease->run_id);
    nv_span_text(span, "nuvyn.item", assignment->item);
    nv_span_int(span, "nuvyn.attempt", assignment->lease->attempt);
    nv_span_context(span, &own);
    assignment->traceparent = nv_alloc(task->ctx, NV_TRACEPARENT_LENGTH + 1);
    nv_traceparent_format(&own, assignment->traceparent);
    return span;
}

static void run_agent(running_t *task, agent_result_t *out)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_span_t *span = begin_span(task);
    agent_fn agent = task->shell->config->find(task->assignment->kind);
    agent_task_t handed = {.assignment = task->assignment,
                           .ops = &shell_host_ops,
                           .host = task,
                           .statements_at_once = task->shell->config->statements};
    bool ok = agent ? agent(&handed, task->ctx, out, &err)
                    : nv_fail(&err, NV_UNIMPLEMENTED, "this worker has no agent for \"%s\"",
                              task->assignment->kind);
    if (ok && atomic_load(&task->cancelled))
        ok = nv_fail(&err, NV_CANCELLED, "the task was cancelled");
    nv_span_end(span, ok ? NULL : &err);
    if (ok)
        fill_success(task, out);
    else
        fill_failure(task, &err);
}

static void *task_thread(void *arg)
{
    running_t *task = arg;
    shell_t *shell = task->shell;
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    agent_result_t out = {.outcome = "done", .blame = "", .usage = NV__TASK_USAGE__INIT};
    nv__task_result__init(&task->result);
    run_agent(task, &out);
    Nv__TaskUsage *usage = NV_NEW(task->ctx, Nv__TaskUsage);
    *usage = out.usage;
    usage->milliseconds = elapsed_ms(&start);
    task->result.usage = usage;
    task->result.lease = task->assignment->lease;
    nv_log(shell->config->log, task->result.ok ? NV_INFO : NV_WARN, "task",
           task->result.ok ? "done" : "failed", "kind", task->assignment->kind, "item",
           task->assignment->item, "run", task->assignment->lease->run_id, "task",
           task->assignment->lease->task_id, "error", task->result.ok ? "" : task->result.error_message,
           NULL);
    pthread_mutex_lock(&shell->lock);
    task->state = RESULT_READY;
    task->finished = true;
    pthread_cond_broadcast(&shell->changed);
    pthread_mutex_unlock(&shell->lock);
    pthread_kill(shell->main_thread, SIGUSR1); /* so that the result leaves now, not at the next tick */
    return NULL;
}

static void refuse(shell_t *shell, Nv__TaskAssignment *assignment, const char *why)
{
    Nv__WorkerMessage message = NV__WORKER_MESSAGE__INIT;
    Nv__TaskResult result = NV__TASK_RESULT__INIT;
    nv_error_t err = NV_ERROR_INIT;
    message.body_case = NV__WORKER_MESSAGE__BODY_RESULT;
    message.result = &result;
    result.lease = assignment->lease;
    result.error_code = NV_RESOURCE_EXHAUSTED;
    result.error_message = (char *)why;
    result.retryable = true;
    if (!shell_send(shell, &message, 256, &err))
        nv_log(shell->config->log, NV_WARN, "task", "an assignment could not be refused", "error",
               err.message, NULL);
}

static void accept(shell_t *shell, Nv__Lease *lease)
{
    Nv__WorkerMessage message = NV__WORKER_MESSAGE__INIT;
    Nv__TaskAccepted accepted = NV__TASK_ACCEPTED__INIT;
    nv_error_t err = NV_ERROR_INIT;
    message.body_case = NV__WORKER_MESSAGE__BODY_ACCEPTED;
    message.accepted = &accepted;
    accepted.lease = lease;
    if (!shell_send(shell, &message, 128, &err))
        nv_log(shell->config->log, NV_WARN, "task", "an assignment could not be acknowledged", "error",
               err.message, NULL);
}

/* Adds the task unless it is there already (delivered twice) or no slot is free. */
static bool add(shell_t *shell, running_t *task, const char **why)
{
    pthread_mutex_lock(&shell->lock);
    bool known = find(shell, task->assignment->lease) != NULL;
    size_t busy = 0;
    for (running_t *other = shell->tasks; other; other = other->next)
        busy += other->state == RUNNING && !atomic_load(&other->lost);
    bool room = busy < (size_t)shell->config->slots && !shell->draining;
    if (!known && room) {
        task->next = shell->tasks;
        shell->tasks = task;
        shell->n_tasks++;
    }
    pthread_mutex_unlock(&shell->lock);
    *why = known ? NULL : "no free slot";
    return !known && room;
}

void shell_task_start(shell_t *shell, nv_mem_t *ctx, Nv__TaskAssignment *assignment)
{
    if (!assignment->lease) {
        nv_mem_free(ctx);
        return;
    }
    running_t *task = NV_NEW(ctx, running_t);
    task->shell = shell;
    task->ctx = ctx;
    task->assignment = assignment;
    if (!assignment->spec) {
        assignment->spec = NV_NEW(ctx, Nv__RunSpec);
        nv__run_spec__init(assignment->spec);
    }
    const char *why = NULL;
    if (!add(shell, task, &why)) {
        if (why)
            refuse(shell, assignment, why);
        nv_mem_free(ctx);
        return;
    }
    accept(shell, assignment->lease);
    if (pthread_create(&task->thread, NULL, task_thread, task) != 0) {
        nv_error_t err = NV_ERROR_INIT;
        nv_fail(&err, NV_RESOURCE_EXHAUSTED, "the worker cannot start another thread");
        nv__task_result__init(&task->result);
        fill_failure(task, &err);
        task->result.lease = assignment->lease;
        pthread_mutex_lock(&shell->lock);
        task->state = RESULT_READY; /* finished stays false: there is no thread to join */
        pthread_cond_broadcast(&shell->changed);
        pthread_mutex_unlock(&shell->lock);
    }
}

void shell_task_cancel(shell_t *shell, const Nv__Lease *lease, bool lost)
{
    pthread_mutex_lock(&shell->lock);
    running_t *task = find(shell, lease);
    if (task) {
        atomic_store(&task->cancelled, true);
        if (lost)
            atomic_store(&task->lost, true);
        pthread_cond_broadcast(&shell->changed);
    }
    pthread_mutex_unlock(&shell->lock);
}

void shell_cancel_all(shell_t *shell, bool lost)
{
    pthread_mutex_lock(&shell->lock);
    for (running_t *task = shell->tasks; task; task = task->next) {
        atomic_store(&task->cancelled, true);
        if (lost)
            atomic_store(&task->lost, true);
    }
    pthread_cond_broadcast(&shell->changed);
    pthread_mutex_unlock(&shell->lock);
}

void shell_task_acknowledged(shell_t *shell, const Nv__Lease *lease)
{
    pthread_mutex_lock(&shell->lock);
    running_t *task = find(shell, lease);
    if (task && task->state != RUNNING)
        atomic_store(&task->lost, true); /* settled: nobody waits for it any more */
    pthread_cond_broadcast(&shell->changed);
    pthread_mutex_unlock(&shell->lock);
}

/* ---- results ---- */

static bool upload(running_t *task, held_document_t *document, nv_error_t *err)
{
    Nv__WorkerMessage message = NV__WORKER_MESSAGE__INIT;
    Nv__DocumentUpload chunk = NV__DOCUMENT_UPLOAD__INIT;
    message.body_case = NV__WORKER_MESSAGE__BODY_UPLOAD;
    message.upload = &chunk;
    chunk.lease = task->assignment->lease;
    chunk.document = &document->ref;
    size_t total = (size_t)document->ref.bytes;
    do {
        size_t left = total - (size_t)chunk.offset;
        chunk.data.data = (uint8_t *)document->data + chunk.offset;
        chunk.data.len = left < CHUNK_BYTES ? left : CHUNK_BYTES;
        chunk.last = chunk.data.len == left;
        if (!shell_wait_room(task->shell, task, err) ||
            !shell_send(task->shell, &message, chunk.data.len + 256, err))
            return false;
        chunk.offset += (int64_t)chunk.data.len;
    } while (!chunk.last);
    return true;
}

static bool send_result(running_t *task, nv_error_t *err)
{
    for (size_t i = 0; task->result.ok && i < task->n_documents; i++)
        if (!upload(task, &task->documents[i], err))
            return false;
    Nv__WorkerMessage message = NV__WORKER_MESSAGE__INIT;
    message.body_case = NV__WORKER_MESSAGE__BODY_RESULT;
    message.result = &task->result;
    return shell_send(task->shell, &message, 1024, err);
}

static running_t *next_ready(shell_t *shell)
{
    pthread_mutex_lock(&shell->lock);
    running_t *task = shell->welcomed ? shell->tasks : NULL;
    while (task && (task->state != RESULT_READY || atomic_load(&task->lost)))
        task = task->next;
    if (task)
        task->state = RESULT_SENT;
    pthread_mutex_unlock(&shell->lock);
    return task;
}

void shell_send_results(shell_t *shell)
{
    for (running_t *task; (task = next_ready(shell));) {
        nv_error_t err = NV_ERROR_INIT;
        if (send_result(task, &err))
            continue;
        nv_log(shell->config->log, NV_WARN, "task", "a result waits for a connection", "error", err.message,
               NULL);
        pthread_mutex_lock(&shell->lock);
        task->state = RESULT_READY;
        pthread_mutex_unlock(&shell->lock);
        return;
    }
}

static running_t *take_settled(shell_t *shell)
{
    pthread_mutex_lock(&shell->lock);
    running_t **slot = &shell->tasks;
    while (*slot && ((*slot)->state == RUNNING || !atomic_load(&(*slot)->lost)))
        slot = &(*slot)->next;
    running_t *task = *slot;
    if (task) {
        *slot = task->next;
        shell->n_tasks--;
    }
    pthread_mutex_unlock(&shell->lock);
    return task;
}

void shell_reap(shell_t *shell)
{
    for (running_t *task; (task = take_settled(shell));) {
        if (task->finished)
            pthread_join(task->thread, NULL);
        nv_mem_free(task->ctx);
    }
}

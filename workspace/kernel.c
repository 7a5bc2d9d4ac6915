#include "workspace/kernel.h"

#include "workspace/kernel_process.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_OUTSTANDING = 512, MAX_RESTART_DELAY_S = 15, GRACE_MS = 2000 };

/* A request that awaits its answer. */
typedef struct pending {
    int64_t id;
    char *text; /* NULL once sent */
    size_t length;
    ws_kernel_done_fn done;
    void *arg;
    struct pending *next;
} pending_t;

struct ws_kernel {
    ws_kernel_config_t config;
    nv_log_t *log;
    ws_kernel_call_fn call;
    void *call_arg;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake; /* ends the pause before a restart */
    pthread_mutex_t write_lock;
    ws_process_t process;
    ws_kernel_state_t state;
    char reason[NV_ERROR_TEXT_MAX];
    pending_t *pending;
    size_t outstanding;
    int64_t next_id;
    bool stopping;
};

/* ---- answers */

static pending_t *take(ws_kernel_t *kernel, int64_t id)
{
    for (pending_t **at = &kernel->pending; *at; at = &(*at)->next) {
        if ((*at)->id == id) {
            pending_t *found = *at;
            *at = found->next;
            kernel->outstanding--;
            return found;
        }
    }
    return NULL;
}

static void answer(pending_t *request, const nv_json_t *result, const nv_error_t *err)
{
    request->done(request->arg, result, err);
    nv_mem_free(request);
}

/* Answers everything outstanding with err. */
static void answer_all(ws_kernel_t *kernel, const nv_error_t *err)
{
    pthread_mutex_lock(&kernel->lock);
    pending_t *list = kernel->pending;
    kernel->pending = NULL;
    kernel->outstanding = 0;
    pthread_mutex_unlock(&kernel->lock);
    while (list) {
        pending_t *next = list->next;
        answer(list, NULL, err);
        list = next;
    }
}

/* ---- sending */

/* The caller holds the write lock. A failure shows as the end of the stream to the reader, which answers all. */
static void send_locked(ws_kernel_t *kernel, const char *text, size_t length)
{
    nv_error_t err = NV_ERROR_INIT;
    if (kernel->process.fd < 0 || !ws_frame_send(kernel->process.fd, text, length, &err)) {
        nv_log(kernel->log, NV_WARN, "kernel", "message not sent", "error", err.message, NULL);
    }
}

static void send_text(ws_kernel_t *kernel, const char *text, size_t length)
{
    pthread_mutex_lock(&kernel->write_lock);
    send_locked(kernel, text, length);
    pthread_mutex_unlock(&kernel->write_lock);
}

/* The oldest request that was not sent, marked as sent; NULL: none. */
static char *take_unsent(ws_kernel_t *kernel, size_t *length)
{
    pthread_mutex_lock(&kernel->lock);
    pending_t *oldest = NULL;
    for (pending_t *p = kernel->pending; p; p = p->next) {
        oldest = p->text ? p : oldest; /* the list has the newest first */
    }
    char *text = oldest ? oldest->text : NULL;
    if (oldest) {
        *length = oldest->length;
        nv_steal(NULL, oldest->text);
        oldest->text = NULL;
    }
    pthread_mutex_unlock(&kernel->lock);
    return text;
}

/* Under the write lock from the mark to the last byte, so that a cancel cannot overtake its request. */
static void send_waiting(ws_kernel_t *kernel)
{
    size_t length = 0;
    pthread_mutex_lock(&kernel->write_lock);
    for (char *text; (text = take_unsent(kernel, &length)) != NULL;) {
        send_locked(kernel, text, length);
        nv_mem_free(text);
    }
    pthread_mutex_unlock(&kernel->write_lock);
}

int64_t ws_kernel_begin(ws_kernel_t *kernel, nv_mem_t *mem, const char *op, nv_json_writer_t *w)
{
    pthread_mutex_lock(&kernel->lock);
    int64_t id = kernel->next_id++;
    pthread_mutex_unlock(&kernel->lock);
    *w = nv_json_writer_make(mem, WS_FRAME_MAX, false);
    nv_json_open_object(w, NULL);
    nv_json_put_int64(w, "id", id);
    nv_json_put_string(w, "op", op);
    return id;
}

/* Why a request cannot even wait. */
static bool admit(ws_kernel_t *kernel, nv_error_t *err)
{
    if (kernel->stopping) {
        return nv_fail(err, NV_UNAVAILABLE, "the workspace is shutting down");
    }
    if (kernel->state == WS_KERNEL_BROKEN) {
        return nv_fail(err, NV_UNAVAILABLE, "Spark is not running: %s", kernel->reason);
    }
    if (kernel->outstanding >= MAX_OUTSTANDING) {
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "%d requests wait for Spark already", MAX_OUTSTANDING);
    }
    return true;
}

void ws_kernel_submit(ws_kernel_t *kernel, int64_t id, nv_json_writer_t *w, ws_kernel_done_fn done, void *arg)
{
    nv_error_t err = NV_ERROR_INIT;
    pending_t *request = NV_NEW(NULL, pending_t);
    *request = (pending_t){.id = id, .done = done, .arg = arg};
    nv_json_close_object(w);
    bool ok = nv_json_write_end(w, "request to the Spark kernel", &request->text, &request->length, &err);
    if (ok) {
        request->text = nv_strndup(request, request->text, request->length);
    }
    pthread_mutex_lock(&kernel->lock);
    ok = ok && admit(kernel, &err);
    if (ok) {
        request->next = kernel->pending;
        kernel->pending = request;
        kernel->outstanding++;
    }
    bool ready = kernel->state == WS_KERNEL_READY;
    pthread_cond_signal(&kernel->wake);
    pthread_mutex_unlock(&kernel->lock);
    if (!ok) {
        answer(request, NULL, &err);
    } else if (ready) {
        send_waiting(kernel);
    }
}

void ws_kernel_cancel(ws_kernel_t *kernel, int64_t id)
{
    pthread_mutex_lock(&kernel->lock);
    pending_t *found = NULL;
    for (pending_t *p = kernel->pending; p; p = p->next) {
        found = p->id == id ? p : found;
    }
    bool unsent = found && found->text;
    if (unsent) {
        found = take(kernel, id);
    }
    pthread_mutex_unlock(&kernel->lock);
    if (unsent) {
        nv_error_t err = NV_ERROR_INIT;
        nv_fail(&err, NV_CANCELLED, "cancelled before it was started");
        answer(found, NULL, &err);
    } else if (found) {
        char text[80];
        int length = snprintf(text, sizeof text, "{\"id\":0,\"op\":\"cancel\",\"target\":%" PRId64 "}", id);
        send_text(kernel, text, (size_t)length);
    }
}

/* ---- asking and waiting */

typedef struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t ready;
    bool done;
    nv_mem_t *mem;
    const nv_json_t *result;
    nv_error_t err;
} waiter_t;

static void wake_waiter(void *arg, const nv_json_t *result, const nv_error_t *err)
{
    waiter_t *waiter = arg;
    pthread_mutex_lock(&waiter->lock);
    if (result) {
        nv_json_writer_t w = nv_json_writer_make(waiter->mem, WS_FRAME_MAX, false);
        nv_json_put_value(&w, NULL, result);
        char *text = NULL;
        size_t length = 0;
        if (nv_json_write_end(&w, "kernel result", &text, &length, &waiter->err)) {
            (void)!nv_json_parse(waiter->mem, "kernel result", text, length, &waiter->result, &waiter->err);
        }
    } else {
        waiter->err = *err;
    }
    waiter->done = true;
    pthread_cond_signal(&waiter->ready);
    pthread_mutex_unlock(&waiter->lock);
}

bool ws_kernel_ask(ws_kernel_t *kernel, nv_mem_t *mem, int64_t id, nv_json_writer_t *w,
                   const nv_json_t **result, nv_error_t *err)
{
    waiter_t waiter = {.lock = PTHREAD_MUTEX_INITIALIZER, .ready = PTHREAD_COND_INITIALIZER, .mem = mem};
    ws_kernel_submit(kernel, id, w, wake_waiter, &waiter);
    pthread_mutex_lock(&waiter.lock);
    while (!waiter.done) {
        pthread_cond_wait(&waiter.ready, &waiter.lock);
    }
    pthread_mutex_unlock(&waiter.lock);
    *result = waiter.result;
    if (!waiter.result) {
        *err = waiter.err;
    }
    return waiter.result != NULL;
}

/* ---- receiving */

static void reply_to_call(ws_kernel_t *kernel, nv_mem_t *mem, const nv_json_t *message)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_json_writer_t w = nv_json_writer_make(mem, WS_FRAME_MAX, false);
    nv_json_open_object(&w, NULL);
    nv_json_put_value(&w, "reply", nv_json_get(message, "call"));
    bool ok = kernel->call(kernel->call_arg, mem, message, &w, &err);
    char *text = NULL;
    size_t length = 0;
    if (ok) {
        nv_json_close_object(&w);
        ok = nv_json_write_end(&w, "reply to the kernel", &text, &length, &err);
    }
    if (!ok) {
        w = nv_json_writer_make(mem, WS_FRAME_MAX, false);
        nv_json_open_object(&w, NULL);
        nv_json_put_value(&w, "reply", nv_json_get(message, "call"));
        nv_json_put_string(&w, "error", err.message);
        nv_json_close_object(&w);
        ok = nv_json_write_end(&w, "reply to the kernel", &text, &length, &err);
    }
    if (ok) {
        send_text(kernel, text, length);
    }
}

static void set_state(ws_kernel_t *kernel, ws_kernel_state_t state, const char *reason)
{
    pthread_mutex_lock(&kernel->lock);
    kernel->state = state;
    snprintf(kernel->reason, sizeof kernel->reason, "%s", reason);
    pthread_mutex_unlock(&kernel->lock);
}

static void take_event(ws_kernel_t *kernel, const nv_json_t *message)
{
    const char *event = nv_json_string_or(message, "event", "");
    if (strcmp(event, "ready") == 0) {
        set_state(kernel, WS_KERNEL_READY, "");
        nv_log(kernel->log, NV_INFO, "kernel", "Spark is ready", "spark",
               nv_json_string_or(message, "spark", "?"), NULL);
        send_waiting(kernel);
    } else if (strcmp(event, "failed") == 0) {
        set_state(kernel, WS_KERNEL_STARTING, nv_json_string_or(message, "message", "?"));
    }
}

static void take_message(ws_kernel_t *kernel, nv_mem_t *mem, const nv_json_t *message)
{
    if (nv_json_get(message, "call")) {
        reply_to_call(kernel, mem, message);
    } else if (nv_json_get(message, "event")) {
        take_event(kernel, message);
    } else {
        pthread_mutex_lock(&kernel->lock);
        pending_t *request = take(kernel, nv_json_int64_or(message, "id", 0));
        pthread_mutex_unlock(&kernel->lock);
        if (request) {
            answer(request, nv_json_get(message, "result"), NULL);
        }
    }
}

/* Reads until the stream ends. */
static void read_all(ws_kernel_t *kernel)
{
    for (;;) {
        NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("kernel message");
        nv_error_t err = NV_ERROR_INIT;
        char *text = NULL;
        size_t length = 0;
        const nv_json_t *message = NULL;
        if (!ws_frame_receive(kernel->process.fd, mem, &text, &length, &err) ||
            (text && !nv_json_parse(mem, "kernel message", text, length, &message, &err))) {
            nv_log(kernel->log, NV_ERROR, "kernel", "unreadable message", "error", err.message, NULL);
            return;
        }
        if (!text) {
            return;
        }
        take_message(kernel, mem, message);
    }
}

/* ---- life */

static void close_socket(ws_kernel_t *kernel)
{
    pthread_mutex_lock(&kernel->write_lock);
    if (kernel->process.fd >= 0) {
        close(kernel->process.fd);
        kernel->process.fd = -1;
    }
    pthread_mutex_unlock(&kernel->write_lock);
}

static bool is_stopping(ws_kernel_t *kernel)
{
    pthread_mutex_lock(&kernel->lock);
    bool stopping = kernel->stopping;
    pthread_mutex_unlock(&kernel->lock);
    return stopping;
}

/* One life of the process. True when it got ready. */
static bool live_once(ws_kernel_t *kernel)
{
    nv_error_t err = NV_ERROR_INIT;
    ws_process_t process = {.fd = -1};
    if (!ws_process_spawn(&kernel->config, &process, &err)) {
        set_state(kernel, WS_KERNEL_BROKEN, err.message);
        answer_all(kernel, &err);
        return false;
    }
    pthread_mutex_lock(&kernel->write_lock);
    kernel->process = process;
    pthread_mutex_unlock(&kernel->write_lock);
    bool stopping = is_stopping(kernel);
    if (!stopping) {
        read_all(kernel);
    }
    pthread_mutex_lock(&kernel->lock);
    bool was_ready = kernel->state == WS_KERNEL_READY;
    kernel->state = was_ready ? WS_KERNEL_STARTING : WS_KERNEL_BROKEN;
    pthread_mutex_unlock(&kernel->lock);
    close_socket(kernel);
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("kernel end");
    const char *end = ws_process_reap(&kernel->process, GRACE_MS, mem);
    pthread_mutex_lock(&kernel->lock);
    if (!was_ready && !kernel->reason[0]) {
        snprintf(kernel->reason, sizeof kernel->reason, "the kernel ended before Spark was up (%s); see %s",
                 end, kernel->config.log_path);
    }
    nv_fail(&err, NV_UNAVAILABLE, "the Spark driver died (%s)%s%s", end, was_ready ? "" : ": ",
            was_ready ? "; it is being restarted" : kernel->reason);
    stopping = kernel->stopping;
    pthread_mutex_unlock(&kernel->lock);
    if (!stopping) {
        nv_log(kernel->log, NV_ERROR, "kernel", "Spark ended", "how", end, "reason", kernel->reason, NULL);
    }
    answer_all(kernel, &err);
    return was_ready;
}

/* Waits before the next start, less when a request comes. */
static void pause_before_restart(ws_kernel_t *kernel, int seconds)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += seconds;
    pthread_mutex_lock(&kernel->lock);
    if (!kernel->stopping) {
        pthread_cond_timedwait(&kernel->wake, &kernel->lock, &until);
    }
    pthread_mutex_unlock(&kernel->lock);
}

static void *supervise(void *arg)
{
    ws_kernel_t *kernel = arg;
    int delay = 1;
    while (!is_stopping(kernel)) {
        if (live_once(kernel)) {
            delay = 1;
        } else if (!is_stopping(kernel)) {
            pause_before_restart(kernel, delay);
            delay = delay * 2 < MAX_RESTART_DELAY_S ? delay * 2 : MAX_RESTART_DELAY_S;
            set_state(kernel, WS_KERNEL_STARTING, "");
        }
    }
    return NULL;
}

bool ws_kernel_start(const ws_kernel_config_t *config, nv_log_t *log, ws_kernel_call_fn call, void *call_arg,
                     ws_kernel_t **out, nv_error_t *err)
{
    ws_kernel_t *kernel = NV_NEW(NULL, ws_kernel_t);
    kernel->config = *config;
    kernel->log = log;
    kernel->call = call;
    kernel->call_arg = call_arg;
    kernel->process.fd = -1;
    kernel->next_id = 1;
    pthread_mutex_init(&kernel->lock, NULL);
    pthread_mutex_init(&kernel->write_lock, NULL);
    pthread_cond_init(&kernel->wake, NULL);
    int code = pthread_create(&kernel->thread, NULL, supervise, kernel);
    if (code != 0) {
        nv_mem_free(kernel);
        return nv_fail_errno(err, code, "starting the kernel's thread");
    }
    *out = kernel;
    return true;
}

void ws_kernel_stop(ws_kernel_t *kernel)
{
    if (!kernel) {
        return;
    }
    pthread_mutex_lock(&kernel->lock);
    kernel->stopping = true;
    pthread_cond_signal(&kernel->wake);
    pthread_mutex_unlock(&kernel->lock);
    pthread_mutex_lock(&kernel->write_lock);
    if (kernel->process.fd >= 0) {
        shutdown(kernel->process.fd, SHUT_RDWR); /* both ends see the end of the stream */
    }
    pthread_mutex_unlock(&kernel->write_lock);
    pthread_join(kernel->thread, NULL);
}

void ws_kernel_free(ws_kernel_t *kernel)
{
    nv_mem_free(kernel);
}

ws_kernel_state_t ws_kernel_status(ws_kernel_t *kernel, nv_mem_t *mem, const char **reason)
{
    pthread_mutex_lock(&kernel->lock);
    ws_kernel_state_t state = kernel->stopping ? WS_KERNEL_STOPPED : kernel->state;
    *reason = nv_strdup(mem, kernel->reason);
    pthread_mutex_unlock(&kernel->lock);
    return state;
}

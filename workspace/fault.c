#include "workspace/fault.h"

#include "workspace/router.h"

#include <fnmatch.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

enum { MAX_FAULTS = 64 };

typedef struct fault {
    char *method; /* "*" for any */
    char *path;   /* a shell pattern */
    int64_t remaining;
    int64_t skip; /* matching calls let through first */
    int status;   /* 0: cut the line after the effect */
    int64_t delay_ms;
    char *body;
    char *headers;
} fault_t;

struct ws_faults {
    pthread_mutex_t lock;
    nv_mem_t *mem;
    fault_t list[MAX_FAULTS];
    size_t count;
};

ws_faults_t *ws_faults_new(void)
{
    ws_faults_t *faults = NV_NEW(NULL, ws_faults_t);
    pthread_mutex_init(&faults->lock, NULL);
    faults->mem = nv_mem_child(faults, "faults");
    return faults;
}

void ws_faults_free(ws_faults_t *faults)
{
    nv_mem_free(faults);
}

/* The fault that strikes this call now, used up by one; copied to *out, its text below mem. */
static bool strike(ws_faults_t *faults, ws_request_t *request, bool after, fault_t *out)
{
    bool found = false;
    pthread_mutex_lock(&faults->lock);
    for (size_t i = 0; i < faults->count && !found; i++) {
        fault_t *fault = &faults->list[i];
        bool matches = fault->remaining > 0 && (fault->status == 0) == after &&
                       (strcmp(fault->method, "*") == 0 || strcmp(fault->method, request->method) == 0) &&
                       fnmatch(fault->path, request->path, 0) == 0;
        if (matches && fault->skip > 0) {
            fault->skip--;
        } else if (matches) {
            fault->remaining--;
            *out = *fault;
            out->body = nv_strdup(request->mem, fault->body);
            out->headers = nv_strdup(request->mem, fault->headers);
            found = true;
        }
    }
    pthread_mutex_unlock(&faults->lock);
    return found;
}

static void wait_ms(int64_t ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

bool ws_fault_before(ws_faults_t *faults, ws_request_t *request)
{
    fault_t fault;
    if (!faults || strncmp(request->path, "/test/", 6) == 0 || !strike(faults, request, false, &fault)) {
        return false;
    }
    wait_ms(fault.delay_ms);
    if (fault.status == 1) { /* a delay only */
        return false;
    }
    request->reply = (ws_reply_t){
        .status = fault.status, .body = fault.body, .length = strlen(fault.body), .headers = fault.headers};
    return true;
}

bool ws_fault_after(ws_faults_t *faults, ws_request_t *request)
{
    fault_t fault;
    return faults && strncmp(request->path, "/test/", 6) != 0 && strike(faults, request, true, &fault);
}

static bool add(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    if (!app->faults) {
        return nv_fail(err, NV_UNIMPLEMENTED, "the workspace was started without --test-faults");
    }
    const char *path = NULL;
    if (!ws_need_text(request, "path", &path, err)) {
        return false;
    }
    ws_faults_t *faults = app->faults;
    pthread_mutex_lock(&faults->lock);
    bool room = faults->count < MAX_FAULTS;
    if (room) {
        faults->list[faults->count++] = (fault_t){
            .method = nv_strdup(faults->mem, nv_json_string_or(request->json, "method", "*")),
            .path = nv_strdup(faults->mem, path),
            .remaining = nv_json_int64_or(request->json, "count", 1),
            .skip = nv_json_int64_or(request->json, "skip", 0),
            .status = (int)nv_json_int64_or(request->json, "status", 0),
            .delay_ms = nv_json_int64_or(request->json, "delay_ms", 0),
            .body = nv_strdup(faults->mem, nv_json_string_or(request->json, "body", "")),
            .headers = nv_strdup(faults->mem, nv_json_string_or(request->json, "headers", "")),
        };
    }
    pthread_mutex_unlock(&faults->lock);
    return room ? ws_reply_empty(request)
                : nv_fail(err, NV_RESOURCE_EXHAUSTED, "at most %d faults", MAX_FAULTS);
}

static bool clear(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    if (!app->faults) {
        return nv_fail(err, NV_UNIMPLEMENTED, "the workspace was started without --test-faults");
    }
    pthread_mutex_lock(&app->faults->lock);
    app->faults->count = 0;
    pthread_mutex_unlock(&app->faults->lock);
    return ws_reply_empty(request);
}

const ws_route_t ws_routes_faults[] = {
    {"POST", "/test/faults", add, 0},
    {"DELETE", "/test/faults", clear, 0},
    {0},
};

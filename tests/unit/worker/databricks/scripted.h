/* A scripted workspace: routes by "METHOD path-prefix", each with answers served in order (the last one stays). Every
 * request is remembered, so that a test can assert on the traffic. */
#ifndef NV_TESTS_SCRIPTED_H
#define NV_TESTS_SCRIPTED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fault_server.h"
#include "worker/databricks/databricks.h"

enum { CUT_BEFORE = -1, CUT_AFTER = -2, HANG = -3, HALF = -4, SCRIPT_ANSWERS = 8, SCRIPT_SEEN = 64 };

typedef struct answer {
    int status; /* or one of the faults above */
    const char *body;
    const char *headers;
} answer_t;

typedef struct route {
    const char *match; /* "GET /api/2.0/x" */
    answer_t answers[SCRIPT_ANSWERS];
} route_t;

typedef struct script {
    nv_mem_t *ctx;
    const route_t *routes;
    int served[32];
    fault_server_t *server;
    databricks_t *db;
    char *seen[SCRIPT_SEEN]; /* "METHOD path body" */
    int n_seen;
    char *authorization; /* of the last request */
    char *agent;
    int refreshed;
    volatile bool cancel;
    int cancel_at; /* request number at which cancel is set; 0: never */
} script_t;

static inline void script_answer(fault_connection_t *c, const answer_t *a)
{
    switch (a->status) {
    case CUT_BEFORE:
    case CUT_AFTER:
        fault_cut(c);
        return;
    case HANG:
        fault_sleep(c, 3000);
        return;
    case HALF:
        fault_text(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":");
        fault_cut(c);
        return;
    default:
        fault_reply(c, a->status, a->headers ? a->headers : "Content-Type: application/json\r\n",
                    a->body ? a->body : "{}");
    }
}

static inline void script_handle(void *arg, fault_connection_t *c, const fault_request_t *r)
{
    script_t *s = arg;
    char buffer[512];
    char *line = nv_printf(s->ctx, "%s %s", r->method, r->path);
    if (s->n_seen < SCRIPT_SEEN)
        s->seen[s->n_seen++] = r->body_length < 4096 ? nv_printf(s->ctx, "%s %s", line, r->body) : line;
    const char *value = fault_header(r, "authorization", buffer, sizeof buffer);
    s->authorization = nv_strdup(s->ctx, value ? value : "");
    value = fault_header(r, "user-agent", buffer, sizeof buffer);
    s->agent = nv_strdup(s->ctx, value ? value : "");
    if (s->cancel_at && r->number >= s->cancel_at)
        s->cancel = true;
    for (int i = 0; s->routes[i].match; i++)
        if (strncmp(line, s->routes[i].match, strlen(s->routes[i].match)) == 0) {
            int n = s->served[i];
            if (n + 1 < SCRIPT_ANSWERS && s->routes[i].answers[n + 1].status)
                s->served[i]++;
            script_answer(c, &s->routes[i].answers[n]);
            return;
        }
    fault_json(c, 501, "{\"error_code\":\"NOT_IMPLEMENTED\",\"message\":\"no route\"}");
}

static inline bool script_cancelled(void *arg)
{
    return ((script_t *)arg)->cancel;
}

static inline bool script_refresh(void *arg, nv_mem_t *ctx, char **token, nv_error_t *err)
{
    (void)err;
    script_t *s = arg;
    *token = nv_printf(ctx, "fresh%d", ++s->refreshed);
    return true;
}

static inline script_t *script_start(const route_t *routes)
{
    nv_mem_t *ctx = nv_mem_root("script");
    script_t *s = NV_NEW(ctx, script_t);
    nv_error_t err = NV_ERROR_INIT;
    s->ctx = ctx;
    s->routes = routes;
    s->server = fault_server_start(script_handle, s);
    databricks_options_t options = {.host = fault_server_url(s->server),
                                    .token = "first",
                                    .refresh = script_refresh,
                                    .refresh_arg = s,
                                    .cancelled = script_cancelled,
                                    .cancelled_arg = s,
                                    .retry_budget_ms = 4000};
    if (!databricks_new(ctx, &options, &s->db, &err))
        fail_msg("%s", err.message);
    return s;
}

/* Results live below s->ctx, so read them before this. */
static inline void script_stop(script_t *s)
{
    databricks_free(s->db);
    fault_server_stop(s->server);
    nv_mem_free(s->ctx);
}

static inline int script_count(const script_t *s, const char *prefix)
{
    int n = 0;
    for (int i = 0; i < s->n_seen; i++)
        n += strncmp(s->seen[i], prefix, strlen(prefix)) == 0;
    return n;
}

#define OK_OR_FAIL(call)                                                                                     \
    do {                                                                                                     \
        if (!(call))                                                                                         \
            fail_msg("%s", err.message);                                                                     \
    } while (0)

#endif

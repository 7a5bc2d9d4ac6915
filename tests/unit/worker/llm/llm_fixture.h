/* A model's server for tests: answers in order; the last one stays. */
#ifndef NV_TESTS_LLM_FIXTURE_H
#define NV_TESTS_LLM_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "fault_server.h"
#include "worker/llm/llm.h"

enum { MAX_ANSWERS = 8, MAX_BODIES = 16 };

typedef struct reply {
    int status; /* 200 with stream: an event stream, cut afterwards; negative: the line is cut at once */
    const char *stream;
    const char *body;
    const char *headers;
} reply_t;

typedef struct fixture {
    nv_mem_t *ctx;
    fault_server_t *server;
    const reply_t *replies;
    int served;
    char *bodies[MAX_BODIES];
    char *heads[MAX_BODIES];
    int n;
    Nv__LlmCredential credential;
    nv_buf_t tokens; /* what on_token got; "|" for a restart */
    volatile bool cancel;
    llm_t *llm;
} fixture_t;

static inline void fixture_handle(void *arg, fault_connection_t *c, const fault_request_t *r)
{
    fixture_t *f = arg;
    const reply_t *reply = &f->replies[f->served];
    if (f->n < MAX_BODIES) {
        f->bodies[f->n] = nv_strdup(f->ctx, r->body);
        f->heads[f->n++] = nv_strdup(f->ctx, r->head);
    }
    if (f->replies[f->served + 1].status)
        f->served++;
    if (reply->status < 0) {
        fault_cut(c);
    } else if (reply->stream) {
        fault_text(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n");
        fault_text(c, reply->stream);
        fault_cut(c);
    } else {
        fault_reply(c, reply->status, reply->headers ? reply->headers : "Content-Type: application/json\r\n",
                    reply->body ? reply->body : "{}");
    }
}

static inline void fixture_token(void *arg, const char *text, size_t length)
{
    fixture_t *f = arg;
    if (text)
        nv_buf_add(&f->tokens, text, length);
    else
        nv_buf_putc(&f->tokens, '|');
}

static inline bool fixture_cancelled(void *arg)
{
    return ((fixture_t *)arg)->cancel;
}

static inline fixture_t *fixture_start(const reply_t *replies, const char *provider,
                                       const llm_budget_t *budget)
{
    nv_mem_t *ctx = nv_mem_root("llm fixture");
    fixture_t *f = NV_NEW(ctx, fixture_t);
    nv_error_t err = NV_ERROR_INIT;
    f->ctx = ctx;
    f->replies = replies;
    f->tokens = nv_buf_make(ctx, 100000);
    f->server = fault_server_start(fixture_handle, f);
    nv__llm_credential__init(&f->credential);
    f->credential.provider = nv_strdup(ctx, provider);
    f->credential.base_url = nv_printf(ctx, "%s/v1", fault_server_url(f->server));
    f->credential.model = nv_strdup(ctx, "m1");
    f->credential.api_key = nv_strdup(ctx, "s3cret");
    llm_options_t options = {.credential = &f->credential,
                             .on_token = fixture_token,
                             .on_token_arg = f,
                             .cancelled = fixture_cancelled,
                             .cancelled_arg = f,
                             .inactivity_s = 2};
    if (budget)
        options.budget = *budget;
    if (!llm_new(ctx, &options, &f->llm, &err))
        fail_msg("%s", err.message);
    return f;
}

static inline void fixture_stop(fixture_t *f)
{
    llm_free(f->llm);
    fault_server_stop(f->server);
    nv_mem_free(f->ctx);
}

#define CHUNK(text) "data: {\"choices\":[{\"delta\":{\"content\":\"" text "\"}}]}\n\n"
#define FINISH(reason) "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"" reason "\"}]}\n\n"
#define USAGE(in, out)                                                                                       \
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":" #in ",\"completion_tokens\":" #out "}}\n\n"
#define DONE "data: [DONE]\n\n"

#endif

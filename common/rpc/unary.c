/* A unary call: its one message goes to the pool, the handler's answer comes back as message and status. */
#include "common/rpc/server_internal.h"

#include <stdlib.h>

typedef struct unary {
    nv_rpc_server_t *server;
    const nv_rpc_method_t *method;
} unary_t;

typedef struct job {
    const nv_rpc_method_t *method;
    nv_rpc_stream_t *stream;
    nv_mem_t *ctx;
    ProtobufCMessage *request;
} job_t;

void *nv_rpc_unary_open(nv_rpc_server_t *server, const nv_rpc_method_t *method)
{
    unary_t *unary = NV_NEW(NULL, unary_t);
    unary->server = server;
    unary->method = method;
    return unary;
}

static bool answer(job_t *job, nv_error_t *err)
{
    ProtobufCMessage *reply = NULL;
    nv_rpc_call_t call = {.peer = nv_rpc_stream_peer(job->stream),
                          .method = nv_rpc_stream_method(job->stream),
                          .deadline_ms = nv_rpc_stream_deadline_ms(job->stream),
                          .stream = job->stream};
    if (nv_rpc_now_ms() > call.deadline_ms)
        return nv_fail(err, NV_DEADLINE_EXCEEDED, "%s: waited too long for its turn", call.method);
    if (!job->method->unary(job->method->service, &call, job->ctx, job->request, &reply, err))
        return false;
    return nv_rpc_stream_send(job->stream, reply, err);
}

static void run(void *arg)
{
    job_t job = *(job_t *)arg;
    nv_error_t err = NV_ERROR_INIT;
    if (!nv_rpc_stream_over(job.stream))
        nv_rpc_stream_finish(job.stream, answer(&job, &err) ? NULL : &err);
    nv_mem_free(job.ctx);
    nv_rpc_stream_unref(job.stream);
}

static void message(nv_rpc_stream_t *stream, void *user, nv_mem_t *ctx, ProtobufCMessage *request)
{
    unary_t *unary = user;
    nv_error_t err = NV_ERROR_INIT;
    job_t *job = NV_NEW(ctx, job_t);
    *job = (job_t){unary->method, nv_rpc_stream_ref(stream), ctx, request};
    if (nv_workpool_submit(unary->server->pool, run, job, &err))
        return;
    nv_rpc_stream_finish(stream, &err);
    nv_mem_free(ctx);
    nv_rpc_stream_unref(stream);
}

static void closed(nv_rpc_stream_t *stream, void *user, const nv_error_t *status)
{
    (void)stream;
    (void)status;
    nv_mem_free(user);
}

const nv_rpc_stream_ops_t nv_rpc_unary_ops = {.message = message, .closed = closed};

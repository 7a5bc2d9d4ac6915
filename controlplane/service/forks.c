/* A new run out of another: from any checkpoint of it, with the same state or another, or from where it failed. */
#include "controlplane/service/engine_internal.h"

#include "common/contract/codec.h"
#include "common/core/buf.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A fork on its way to the engine's thread: the run it begins with, and what its caller may not live to see used. */
typedef struct forked {
    cp_future_t *future;
    cp_run_t *run;
    char *request_id, *remark;
    bool other_spec; /* the run's is not the checkpoint's */
    nv_super_document_t *documents;
    size_t n_documents;
} forked_t;

typedef struct shas {
    nv_mem_t *ctx;
    const char **list;
    size_t n, capacity;
} shas_t;

static void add_sha(const char *name, nv_bytes_t reference, void *user)
{
    shas_t *shas = user;
    nv_error_t err = NV_ERROR_INIT;
    ProtobufCMessage *message;
    (void)name;
    if (nv_unpack(shas->ctx, &nv__document_ref__descriptor, reference.data, reference.length, &message, &err))
        NV_PUSH(shas->ctx, shas->list, shas->n, shas->capacity) = ((Nv__DocumentRef *)message)->sha256;
}

static bool fork_state(const forked_t *forked, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("spec");
    cp_run_t *run = forked->run;
    nv_super_spec_t spec;
    return cp_super_spec(ctx, run->spec, &spec, err) &&
           nv_super_fork(run->super, forked->other_spec ? &spec : NULL, forked->documents,
                         forked->n_documents, cp_unix_ms(), run->effects, err);
}

static void fork_posted(cp_engine_t *engine, void *arg)
{
    forked_t *forked = arg;
    cp_run_t *run = forked->run;
    nv_error_t err = NV_ERROR_INIT;
    shas_t shas = {.ctx = forked};
    if (!fork_state(forked, &err)) {
        cp_future_set(forked->future, &err);
        cp_run_free(run);
        nv_mem_free(forked);
        return;
    }
    nv_super_each_document(run->super, add_sha, &shas);
    HASH_ADD_STR(engine->runs, id, run);
    cp_change_t change = {.create = true,
                          .request_id = forked->request_id,
                          .remark = forked->remark,
                          .documents = shas.list,
                          .n_documents = shas.n};
    change.after.future = forked->future;
    cp_run_commit(engine, run, &change);
    nv_mem_free(forked);
}

static void begin_anew(cp_run_t *run, const cp_fork_t *fork)
{
    snprintf(run->id, sizeof run->id, "%s", fork->new_run);
    run->forked_from = nv_printf(run, "%s@%" PRId64, fork->from_run, fork->step);
    run->epoch = 1;
    run->created_ms = cp_unix_ms();
    nv__task_usage__init(&run->usage);
    run->score = 0;
    if (fork->spec)
        run->spec = (Nv__RunSpec *)nv_message_copy(run, &fork->spec->base);
}

/* "forked from r-1@3 by spiffe://…, with another spec, design" */
static char *fork_remark(nv_mem_t *ctx, const cp_fork_t *fork)
{
    nv_buf_t text = nv_buf_make(ctx, 4096);
    const char *before = ", with another ";
    nv_buf_printf(&text, "forked from %s@%" PRId64 " by %s", fork->from_run, fork->step, fork->by);
    if (fork->spec) {
        nv_buf_printf(&text, "%sspec", before);
        before = ", ";
    }
    for (size_t i = 0; i < fork->n_documents; i++, before = ", ")
        nv_buf_printf(&text, "%s%s", before, fork->documents[i]->name);
    return nv_strdup(ctx, nv_buf_text(&text));
}

static void copy_documents(forked_t *forked, const cp_fork_t *fork)
{
    forked->documents = NV_NEW_ARRAY(forked, nv_super_document_t, fork->n_documents);
    for (size_t i = 0; i < fork->n_documents; i++) {
        uint8_t *packed;
        size_t length;
        nv_pack(forked, &fork->documents[i]->base, &packed, &length);
        forked->documents[forked->n_documents++] =
            (nv_super_document_t){nv_strdup(forked, fork->documents[i]->name), nv_bytes(packed, length)};
    }
}

bool cp_engine_fork_run(cp_engine_t *engine, const cp_fork_t *fork, int timeout_ms, nv_error_t *err)
{
    cp_run_t *run;
    int64_t last_event;
    if (fork->step < 0)
        return nv_fail(err, NV_INVALID_ARGUMENT, "checkpoint: %" PRId64 ": expected 0 or more", fork->step);
    if (!cp_run_load(engine->config.store, engine->super, fork->tenant, fork->from_run, fork->step, &run,
                     &last_event, err))
        return false;
    begin_anew(run, fork);
    forked_t *forked = NV_NEW(NULL, forked_t);
    cp_future_t *future = forked->future = cp_future_new();
    forked->run = run;
    forked->request_id = fork->request_id && *fork->request_id ? nv_strdup(forked, fork->request_id) : NULL;
    forked->remark = fork_remark(forked, fork);
    forked->other_spec = fork->spec != NULL;
    copy_documents(forked, fork);
    cp_post(engine, fork_posted, forked);
    return cp_future_wait(future, timeout_ms, err);
}

bool cp_engine_retry_run(cp_engine_t *engine, const char *tenant, const char *run_id, const char *new_run,
                         const char *by, int timeout_ms, nv_error_t *err)
{
    cp_run_t *run;
    int64_t last_event;
    nv_super_status_t status;
    if (!cp_run_load(engine->config.store, engine->super, tenant, run_id, -1, &run, &last_event, err))
        return false;
    nv_super_status(run->super, &status);
    int64_t step = (int64_t)nv_super_retry_step(run->super);
    cp_run_free(run);
    if (status.state != NV_SUPER_FAILED && status.state != NV_SUPER_CANCELLED)
        return nv_fail(err, NV_FAILED_PRECONDITION,
                       "run \"%.80s\" is %s: only a failed or cancelled one is tried again", run_id,
                       nv_super_state_name(status.state));
    cp_fork_t fork = {.tenant = tenant, .from_run = run_id, .new_run = new_run, .step = step, .by = by};
    return cp_engine_fork_run(engine, &fork, timeout_ms, err);
}

/* What people and programs ask of the engine: each request is posted to its thread and waits for the change to be durable. */
#include "controlplane/service/engine_internal.h"

#include "common/contract/codec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- submitting ---- */

typedef struct submitted {
    cp_future_t *future;
    cp_run_t *run;
    char *request_id;
} submitted_t;

static cp_run_t *make_run(cp_engine_t *engine, const char *run_id, const char *tenant, const char *pool,
                          const Nv__RunSpec *spec)
{
    cp_run_t *run = NV_NEW(NULL, cp_run_t);
    snprintf(run->id, sizeof run->id, "%s", run_id);
    run->tenant = nv_strdup(run, tenant);
    run->pool = nv_strdup(run, pool);
    run->forked_from = nv_strdup(run, "");
    run->spec = (Nv__RunSpec *)nv_message_copy(run, &spec->base);
    run->super = nv_super_run_new(run, engine->super);
    run->effects = nv_graph_effects_new(run);
    run->epoch = 1;
    run->created_ms = cp_unix_ms();
    run->due_ms = INT64_MAX;
    nv__task_usage__init(&run->usage);
    cp_trace_begin(run);
    return run;
}

/* What the supervisor has to know of a spec; below ctx, which must outlive it. */
static bool super_spec(nv_mem_t *ctx, const Nv__RunSpec *spec, nv_super_spec_t *out, nv_error_t *err)
{
    uint8_t *packed;
    size_t length;
    nv_pack(ctx, &spec->base, &packed, &length);
    if (spec->max_rounds < 0)
        return nv_fail(err, NV_INVALID_ARGUMENT, "spec.max_rounds: %d: expected 0 or more", spec->max_rounds);
    *out = (nv_super_spec_t){.mode = spec->mode,
                             .approval = spec->approval,
                             .max_rounds = (uint32_t)spec->max_rounds,
                             .document = nv_bytes(packed, length)};
    return true;
}

static bool start_run(cp_run_t *run, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("spec");
    nv_super_spec_t spec;
    return super_spec(ctx, run->spec, &spec, err) &&
           nv_super_start(run->super, &spec, run->created_ms, run->effects, err);
}

static void submit_posted(cp_engine_t *engine, void *arg)
{
    submitted_t *submitted = arg;
    cp_run_t *run = submitted->run;
    nv_error_t err = NV_ERROR_INIT;
    if (!start_run(run, &err)) {
        cp_future_set(submitted->future, &err);
        cp_run_free(run);
    } else {
        HASH_ADD_STR(engine->runs, id, run);
        cp_change_t change = {.create = true, .request_id = submitted->request_id};
        change.after.future = submitted->future;
        cp_run_commit(engine, run, &change);
    }
    nv_mem_free(submitted);
}

bool cp_engine_submit(cp_engine_t *engine, const cp_submit_t *submit, int timeout_ms, nv_error_t *err)
{
    submitted_t *submitted = NV_NEW(NULL, submitted_t);
    cp_future_t *future = submitted->future = cp_future_new();
    submitted->run = make_run(engine, submit->run_id, submit->tenant, submit->pool, submit->spec);
    submitted->request_id =
        submit->request_id && *submit->request_id ? nv_strdup(submitted, submit->request_id) : NULL;
    cp_post(engine, submit_posted, submitted);
    return cp_future_wait(future, timeout_ms, err);
}

/* ---- cancelling ---- */

typedef struct named {
    cp_future_t *future;
    char *tenant, *run_id, *reason;
} named_t;

static cp_run_t *tenants_run(cp_engine_t *engine, const char *tenant, const char *run_id, nv_error_t *err)
{
    cp_run_t *run = cp_run_find(engine, run_id);
    if (run && strcmp(run->tenant, tenant) == 0 && !run->finished && !run->broken)
        return run;
    nv_fail(err, NV_FAILED_PRECONDITION, "run \"%.80s\": not running", run_id);
    return NULL;
}

static void cancel_posted(cp_engine_t *engine, void *arg)
{
    named_t *named = arg;
    nv_error_t err = NV_ERROR_INIT;
    cp_run_t *run = tenants_run(engine, named->tenant, named->run_id, &err);
    if (run && nv_super_cancel(run->super, named->reason, cp_unix_ms(), run->effects, &err)) {
        cp_change_t change = {0};
        change.after.future = named->future;
        cp_run_commit(engine, run, &change);
    } else {
        cp_future_set(named->future, &err);
    }
    nv_mem_free(named);
}

bool cp_engine_cancel_run(cp_engine_t *engine, const char *tenant, const char *run_id, const char *reason,
                          int timeout_ms, nv_error_t *err)
{
    named_t *named = NV_NEW(NULL, named_t);
    cp_future_t *future = named->future = cp_future_new();
    named->tenant = nv_strdup(named, tenant);
    named->run_id = nv_strdup(named, run_id);
    named->reason = nv_strdup(named, reason);
    cp_post(engine, cancel_posted, named);
    return cp_future_wait(future, timeout_ms, err);
}

/* ---- again, and elsewhere ---- */

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
    return super_spec(ctx, run->spec, &spec, err) &&
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
    if (fork->spec)
        nv_buf_printf(&text, "%sspec", before), before = ", ";
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

/* ---- answers ---- */

typedef struct answered {
    cp_future_t *future;
    char *tenant, *run_id;
    nv_super_answer_t answer;
    store_interrupt_t interrupt;
    const char *document_sha256;
} answered_t;

static void answer_posted(cp_engine_t *engine, void *arg)
{
    answered_t *answered = arg;
    nv_error_t err = NV_ERROR_INIT;
    cp_run_t *run = tenants_run(engine, answered->tenant, answered->run_id, &err);
    if (run && nv_super_answer(run->super, &answered->answer, cp_unix_ms(), run->effects, &err)) {
        cp_change_t change = {.answered = &answered->interrupt,
                              .documents = &answered->document_sha256,
                              .n_documents = answered->document_sha256 != NULL};
        change.after.future = answered->future;
        cp_run_commit(engine, run, &change);
    } else {
        cp_future_set(answered->future, &err);
    }
    /* The batch borrows the interrupt's texts until it is stored: they live as long as the run's memory. */
    if (run && cp_run_find(engine, answered->run_id) == run)
        nv_steal(run, answered);
    else
        nv_mem_free(answered);
}

static bool decision_of(const char *text, nv_super_decision_t *out, nv_error_t *err)
{
    static const char *const words[] = {[NV_SUPER_DECIDE_APPROVE] = "approve",
                                        [NV_SUPER_DECIDE_REVISE] = "revise",
                                        [NV_SUPER_DECIDE_REJECT] = "reject"};
    for (int i = 0; i < 3; i++)
        if (strcmp(words[i], text) == 0) {
            *out = (nv_super_decision_t)i;
            return true;
        }
    return nv_fail(err, NV_INVALID_ARGUMENT, "answer \"%.80s\": expected approve, revise or reject", text);
}

bool cp_engine_answer(cp_engine_t *engine, const cp_answer_t *answer, int timeout_ms, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("answer");
    answered_t *answered = NV_NEW(ctx, answered_t);
    const char *key = strchr(answer->interrupt_id, '.');
    store_interrupt_t *interrupt = &answered->interrupt;
    if (!decision_of(answer->answer, &answered->answer.decision, err))
        return false;
    if (!store_interrupt_get(engine->config.store, answered, answer->tenant, answer->run_id,
                             answer->interrupt_id, interrupt, err))
        return false;
    if (!key || (interrupt->answer && *interrupt->answer))
        return nv_fail(err, NV_FAILED_PRECONDITION, "interrupt \"%.80s\": already answered",
                       answer->interrupt_id);
    answered->tenant = nv_strdup(answered, answer->tenant);
    answered->run_id = nv_strdup(answered, answer->run_id);
    answered->answer.task = strtoull(answer->interrupt_id, NULL, 10);
    answered->answer.key = nv_strdup(answered, key + 1);
    answered->answer.by = interrupt->answered_by = nv_strdup(answered, answer->by);
    answered->answer.comment = interrupt->comment = nv_strdup(answered, answer->comment);
    interrupt->answer = nv_strdup(answered, answer->answer);
    interrupt->answered_unix_ms = cp_unix_ms();
    if (answer->document_ref.length) {
        nv_bytes_t reference =
            nv_bytes(nv_memdup(answered, answer->document_ref.data, answer->document_ref.length),
                     answer->document_ref.length);
        if (answered->answer.decision == NV_SUPER_DECIDE_REVISE)
            answered->answer.critique = reference;
        else
            answered->answer.design = reference;
        answered->document_sha256 = nv_strdup(answered, answer->document_sha256);
    }
    cp_future_t *future = answered->future = cp_future_new();
    cp_post(engine, answer_posted, nv_steal(NULL, answered));
    return cp_future_wait(future, timeout_ms, err);
}

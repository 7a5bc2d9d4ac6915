/* What people and programs ask of the engine (and forks.c): each request is posted to its thread and waits for the change to
 * be durable. */
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

bool cp_super_spec(nv_mem_t *ctx, const Nv__RunSpec *spec, nv_super_spec_t *out, nv_error_t *err)
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
    return cp_super_spec(ctx, run->spec, &spec, err) &&
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

/* Runs from the store: at the start, after a failed commit, for a retry and for a fork. */
#include "controlplane/service/engine_internal.h"

#include "common/contract/codec.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PAGE = 200 };

static bool take_summary(cp_run_t *run, nv_bytes_t bytes, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("summary");
    ProtobufCMessage *message;
    if (bytes.length == 0)
        return true;
    if (!nv_unpack(ctx, &nv__run__descriptor, bytes.data, bytes.length, &message, err))
        return nv_wrap(err, "summary");
    const Nv__Run *stored = (const Nv__Run *)message;
    if (stored->usage) {
        run->usage = *stored->usage;
        run->usage.base.n_unknown_fields = 0;
        run->usage.base.unknown_fields = NULL;
    }
    run->score = stored->score;
    for (size_t i = 0; i < stored->n_nodes && i < NV_SUPER_NODES; i++) {
        run->node_started[i] = stored->nodes[i]->started_unix_ms;
        run->node_finished[i] = stored->nodes[i]->finished_unix_ms;
    }
    return true;
}

static bool take_columns(cp_run_t *run, const store_run_t *stored, nv_error_t *err)
{
    ProtobufCMessage *spec;
    snprintf(run->id, sizeof run->id, "%s", stored->run_id);
    run->tenant = nv_strdup(run, stored->tenant);
    run->pool = nv_strdup(run, stored->pool);
    run->forked_from = nv_strdup(run, stored->forked_from);
    run->epoch = stored->epoch;
    run->created_ms = stored->created_unix_ms;
    run->due_ms = INT64_MAX;
    nv__task_usage__init(&run->usage);
    if (!nv_unpack(run, &nv__run_spec__descriptor, stored->spec.data, stored->spec.length, &spec, err))
        return nv_wrap(err, "spec");
    run->spec = (Nv__RunSpec *)spec;
    return take_summary(run, stored->summary, err);
}

static int64_t seq_of_step(const store_checkpoint_t *list, size_t n, int64_t step)
{
    for (size_t i = n; i-- > 0;)
        if (list[i].step == step)
            return list[i].seq;
    return -1;
}

static bool load_checkpoints(store_t *store, nv_mem_t *ctx, cp_run_t *run, int64_t step, nv_error_t *err)
{
    store_checkpoint_t *list;
    size_t n;
    int64_t seq = 0;
    if (step >= 0) {
        if (!store_checkpoint_list(store, ctx, run->tenant, run->id, &list, &n, err))
            return false;
        seq = seq_of_step(list, n, step);
        if (seq < 0)
            return nv_fail(err, NV_NOT_FOUND, "checkpoint %" PRId64 ": the run has none of this number",
                           step);
    }
    if (!store_checkpoint_chain(store, ctx, run->tenant, run->id, seq, &list, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!nv_graph_decode_checkpoint(nv_super_graph_run(run->super), list[i].data, err))
            return nv_wrap(err, "checkpoint %" PRId64, list[i].seq);
    nv_mem_free(cp_run_take_ran(ctx, run)); /* these were told before */
    return true;
}

static bool load_tasks(store_t *store, nv_mem_t *ctx, cp_run_t *run, nv_error_t *err)
{
    store_pending_t *list;
    size_t n;
    if (!store_pending_list(store, ctx, run->tenant, run->id, 0, &list, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!nv_graph_decode_task(nv_super_graph_run(run->super), list[i].data, err))
            return nv_wrap(err, "task %s", list[i].task_id);
    return true;
}

bool cp_run_load(store_t *store, const nv_super_t *super, const char *tenant, const char *run_id,
                 int64_t step, cp_run_t **out, int64_t *last_event, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("load");
    store_run_t stored;
    if (!store_run_get(store, ctx, tenant, run_id, &stored, err))
        return false;
    cp_run_t *run = NV_NEW(NULL, cp_run_t);
    run->super = nv_super_run_new(run, super);
    run->effects = nv_graph_effects_new(run);
    if (!take_columns(run, &stored, err) || !load_checkpoints(store, ctx, run, step, err) ||
        (step < 0 && (!load_tasks(store, ctx, run, err) || !cp_leases_load(store, run, err)))) {
        cp_run_free(run);
        return nv_wrap(err, "run %s", run_id);
    }
    *last_event = stored.last_event;
    *out = run;
    return true;
}

/* Takes a loaded run over: a new epoch fences every other owner; then what was under way is given again. */
void cp_adopt(cp_engine_t *engine, cp_run_t *run, int64_t last_event)
{
    nv_error_t err = NV_ERROR_INIT;
    if (cp_run_find(engine, run->id)) {
        cp_run_free(run); /* somebody was quicker */
        return;
    }
    if (!nv_graph_resume(nv_super_graph_run(run->super), (uint64_t)last_event, cp_unix_ms(), run->effects,
                         &err)) {
        nv_log(engine->config.log, NV_ERROR, "engine", "run cannot be resumed", "run", run->id, "reason",
               err.message, NULL);
        cp_run_free(run);
        return;
    }
    HASH_ADD_STR(engine->runs, id, run);
    run->epoch++;
    cp_leases_restore(engine, run); /* before its tasks are queued again, and before any worker is back */
    nv_log(engine->config.log, NV_INFO, "engine", "run taken over", "run", run->id, "tenant", run->tenant,
           NULL);
    cp_run_commit(engine, run, &(cp_change_t){.new_epoch = run->epoch});
}

static void load_one(cp_engine_t *engine, const store_run_t *stored)
{
    nv_error_t err = NV_ERROR_INIT;
    cp_run_t *run;
    int64_t last_event;
    /* One damaged run must not keep the others from going on. */
    if (cp_run_load(engine->config.store, engine->super, stored->tenant, stored->run_id, -1, &run,
                    &last_event, &err))
        cp_adopt(engine, run, last_event);
    else
        nv_log(engine->config.log, NV_ERROR, "engine", "run not loaded", "reason", err.message, NULL);
}

bool cp_load_open_runs(cp_engine_t *engine, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("open runs");
    char *token = NULL;
    do {
        store_run_t *runs;
        size_t n;
        if (!store_run_list_open(engine->config.store, ctx, PAGE, token, &runs, &n, &token, err))
            return nv_wrap(err, "open runs");
        for (size_t i = 0; i < n; i++)
            load_one(engine, &runs[i]);
    } while (token && *token);
    return true;
}

/* ---- again after a failed commit ---- */

typedef struct reload {
    cp_engine_t *engine;
    char *tenant, *run_id;
    cp_run_t *run;
    int64_t last_event;
    bool gone;
} reload_t;

static void reloaded(cp_engine_t *engine, void *arg)
{
    reload_t *reload = arg;
    engine->loads--;
    if (reload->run)
        cp_adopt(engine, reload->run, reload->last_event);
    else if (!reload->gone)
        cp_reload_later(engine, reload->tenant, reload->run_id);
    nv_mem_free(reload);
}

static void reload_job(void *arg)
{
    reload_t *reload = arg;
    nv_error_t err = NV_ERROR_INIT;
    struct timespec pause = {.tv_nsec = 500000000};
    nanosleep(&pause, NULL); /* the store was in trouble a moment ago */
    if (!cp_run_load(reload->engine->config.store, reload->engine->super, reload->tenant, reload->run_id, -1,
                     &reload->run, &reload->last_event, &err)) {
        nv_log(reload->engine->config.log, NV_ERROR, "engine", "run not loaded", "reason", err.message, NULL);
        reload->run = NULL;
        reload->gone = err.code == NV_NOT_FOUND; /* retention was quicker */
    }
    cp_post(reload->engine, reloaded, reload);
}

void cp_reload_later(cp_engine_t *engine, const char *tenant, const char *run_id)
{
    nv_error_t err = NV_ERROR_INIT;
    reload_t *reload = NV_NEW(NULL, reload_t);
    reload->engine = engine;
    reload->tenant = nv_strdup(reload, tenant);
    reload->run_id = nv_strdup(reload, run_id);
    engine->loads++;
    if (nv_workpool_submit(engine->config.pool, reload_job, reload, &err))
        return;
    engine->loads--;
    nv_log(engine->config.log, NV_ERROR, "engine", "run stays unloaded until the next start", "run", run_id,
           "reason", err.message, NULL);
    nv_mem_free(reload);
}

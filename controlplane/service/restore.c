/* Leases over a restart.
 *
 * The store learns of a lease with the commit that says that its task runs, which costs no transaction of its own. When
 * the control plane comes back (or another one takes the run over), these leases run on as if their workers had just lost
 * their connection: a worker that is back in time goes on with what it does, and its result counts; a lease that nobody
 * comes for runs out, and the task is given out again.
 *
 * Fencing holds over restarts because the store never lags behind what workers were told: a second lease of an attempt is
 * stored before its worker hears of it.
 */
#include "controlplane/service/engine_internal.h"

#include "common/contract/codec.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static cp_holder_t *find(cp_run_t *run, uint64_t task)
{
    for (size_t i = 0; i < run->n_leases; i++)
        if (run->leases[i].task == task)
            return &run->leases[i];
    return NULL;
}

static void keep(cp_run_t *run, const cp_holder_t *holder)
{
    cp_holder_t *known = find(run, holder->task);
    if (known)
        *known = *holder;
    else
        NV_PUSH(run, run->leases, run->n_leases, run->leases_capacity) = *holder;
}

void cp_lease_forget(cp_run_t *run, uint64_t task)
{
    cp_holder_t *known = find(run, task);
    if (known)
        *known = run->leases[--run->n_leases];
}

bool cp_lease_outdated(cp_run_t *run, const nv_lease_t *lease)
{
    const cp_holder_t *known = find(run, lease->task);
    return known && known->attempt == lease->attempt && known->epoch != lease->epoch;
}

store_task_t cp_lease_row(nv_mem_t *ctx, cp_run_t *run, const cp_holder_t *holder, int64_t now_ms)
{
    nv_task_view_t view;
    const nv_graph_run_t *graph = nv_super_graph_run(run->super);
    const char *node = nv_graph_task_find(graph, holder->task, &view)
                           ? nv_graph_node_name(nv_graph_run_graph(graph), view.node)
                           : "";
    keep(run, holder);
    return (store_task_t){.task_id = nv_printf(ctx, "%" PRIu64, holder->task),
                          .kind = node,
                          .node = node,
                          .state = "leased",
                          .pool = nv_strdup(ctx, holder->pool),
                          .session = nv_strdup(ctx, holder->session),
                          .attempt = holder->attempt,
                          .epoch = (int64_t)holder->epoch,
                          .updated_unix_ms = now_ms,
                          .data = nv_bytes_text(nv_strdup(ctx, holder->worker))};
}

static void take_row(cp_run_t *run, const store_task_t *row)
{
    cp_holder_t holder = {.task = cp_task_number(row->task_id),
                          .attempt = (uint32_t)row->attempt,
                          .epoch = (uint64_t)row->epoch};
    snprintf(holder.run, sizeof holder.run, "%s", run->id);
    snprintf(holder.tenant, sizeof holder.tenant, "%s", run->tenant);
    snprintf(holder.pool, sizeof holder.pool, "%s", row->pool);
    snprintf(holder.session, sizeof holder.session, "%s", row->session);
    snprintf(holder.worker, sizeof holder.worker, "%.*s", (int)row->data.length,
             row->data.length ? (const char *)row->data.data : "");
    keep(run, &holder);
}

bool cp_leases_load(store_t *store, cp_run_t *run, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("leases");
    store_task_t *rows;
    size_t n;
    if (!store_task_list(store, ctx, run->tenant, run->id, true, &rows, &n, err))
        return nv_wrap(err, "leases");
    for (size_t i = 0; i < n; i++)
        take_row(run, &rows[i]);
    return true;
}

static bool is_open(const cp_run_t *run, const cp_holder_t *holder, nv_task_view_t *view)
{
    return nv_graph_task_find(nv_super_graph_run(run->super), holder->task, view) &&
           view->attempt == holder->attempt && view->state == NV_TASK_QUEUED;
}

static bool restore(cp_engine_t *engine, cp_run_t *run, const cp_holder_t *holder, const nv_task_view_t *view,
                    nv_error_t *err)
{
    nv_identity_t worker;
    const nv_graph_t *graph = nv_graph_run_graph(nv_super_graph_run(run->super));
    nv_sched_task_t task = {.lease = {run->id, holder->task, holder->attempt, holder->epoch},
                            .tenant = run->tenant,
                            .pool = run->pool,
                            .kind = nv_graph_node_name(graph, view->node),
                            .priority = NV_SCHED_PRIORITY_DEFAULT};
    if (!nv_identity_parse(holder->worker, &worker, err) ||
        !nv_sched_restore(engine->sched, &task, holder->session, worker.name, nv_rpc_now_ms(), err))
        return false;
    cp_leases_grant(engine->config.leases, holder);
    return true;
}

void cp_leases_restore(cp_engine_t *engine, cp_run_t *run)
{
    size_t kept = 0;
    for (size_t i = 0; i < run->n_leases; i++) {
        nv_error_t err = NV_ERROR_INIT;
        nv_task_view_t view;
        cp_holder_t holder = run->leases[i];
        if (!is_open(run, &holder, &view))
            continue;
        run->leases[kept++] = holder;
        if (restore(engine, run, &holder, &view, &err))
            nv_log(engine->config.log, NV_INFO, "engine", "lease read back", "run", run->id, "worker",
                   holder.worker, NULL);
        else
            nv_log(engine->config.log, NV_INFO, "engine", "lease not read back; the task is given out again",
                   "run", run->id, "reason", err.message, NULL);
    }
    run->n_leases = kept;
}

void cp_lease_resumed(cp_engine_t *engine, const cp_session_t *session, const nv_lease_t *lease)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_task_view_t view;
    cp_run_t *run = cp_run_find(engine, lease->run);
    cp_holder_t *known = run && !run->broken && !run->finished ? find(run, lease->task) : NULL;
    if (!known || known->epoch != lease->epoch || !is_open(run, known, &view))
        return;
    cp_holder_t holder = *known;
    memcpy(holder.session, session->id, sizeof holder.session);
    nv_log(engine->config.log, NV_INFO, "engine", "worker goes on with its task", "worker", session->spiffe,
           "run", run->id, NULL);
    if (nv_super_started(run->super, lease->task, lease->attempt, cp_unix_ms(), run->effects, &err))
        cp_run_commit(engine, run, &(cp_change_t){.worker = session->name, .lease = &holder});
}

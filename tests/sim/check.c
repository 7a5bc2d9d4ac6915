#include <inttypes.h>
#include <string.h>

#include "sim.h"

static assigned_t *find(sim_t *sim, int run, uint64_t task)
{
    for (size_t i = 0; i < sim->checks.assigned_count; i++)
        if (sim->checks.assigned[i].run == run && sim->checks.assigned[i].task == task)
            return &sim->checks.assigned[i];
    return NULL;
}

/* While a tenant waits, every other one may go ahead at most as often as its weight allows. */
void check_fairness(sim_t *sim, int served)
{
    if (sim->control->term != sim->lead.term)
        return; /* nobody listens to it any more */
    for (int tenant = 0; tenant < TENANTS; tenant++) {
        nv_sched_tenant_stats_t stats;
        bool waits = tenant_pool(tenant) == tenant_pool(served) && tenant != served &&
                     nv_sched_tenant_stats(sim->control->sched, tenant_names[tenant], &stats) &&
                     stats.waiting > 0 &&
                     (tenant_quotas[tenant] == 0 || stats.running < tenant_quotas[tenant]);
        uint32_t *passed = &sim->checks.passed_over[tenant];
        *passed = waits ? *passed + 1 : 0;
        uint32_t bound = 1;
        for (int other = 0; other < TENANTS; other++)
            if (other != tenant && tenant_pool(other) == tenant_pool(tenant))
                bound += (tenant_weights[other] + tenant_weights[tenant] - 1) / tenant_weights[tenant] + 1;
        if (*passed > bound)
            sim_violation(sim, "fairness: tenant %s was passed over %u times, at most %u are fair",
                          tenant_names[tenant], *passed, bound);
    }
}

void check_assignment(sim_t *sim, const sched_news_t *news, int worker)
{
    const lease_t *lease = &news->lease;
    int tenant = sim->run_tenant[lease->run];
    if (news->tenant != tenant || !pool_serves(sim->workers[worker].pool, tenant))
        sim_violation(sim, "tenant isolation: a task of %s went to worker %s", tenant_names[tenant],
                      sim->workers[worker].name);
    if (sim->control->term != sim->lead.term)
        return; /* of no effect: check_accepted() */
    if (lease->epoch <= sim->checks.last_epoch)
        sim_violation(sim, "lease epochs: %" PRIu64 " after %" PRIu64, lease->epoch, sim->checks.last_epoch);
    sim->checks.last_epoch = lease->epoch;
    assigned_t *known = find(sim, lease->run, lease->task);
    if (known)
        known->epoch = lease->epoch;
    else
        NV_PUSH(sim->ctx, sim->checks.assigned, sim->checks.assigned_count, sim->checks.assigned_capacity) =
            (assigned_t){lease->run, lease->task, lease->epoch};
}

/* A result counts only from the holder of the newest lease of its task. */
void check_accepted(sim_t *sim, const lease_t *lease)
{
    const assigned_t *newest = find(sim, lease->run, lease->task);
    if (!newest || newest->epoch != lease->epoch)
        sim_violation(sim,
                      "lease exclusivity: a result of %s task %" PRIu64 " was taken with epoch %" PRIu64
                      ", the newest is %" PRIu64,
                      run_name(lease->run), lease->task, lease->epoch, newest ? newest->epoch : 0);
}

void check_event(sim_t *sim, int index, const item_t *item)
{
    stored_run_t *run = &sim->store[index];
    if (item->id != run->last_event + 1)
        sim_violation(sim, "event stream of %s: %" PRIu64 " after %" PRIu64, run_name(index), item->id,
                      run->last_event);
    if (run->ended)
        sim_violation(sim, "event stream of %s goes on after its end", run_name(index));
    if (run->deleted)
        sim_violation(sim, "%s goes on after it was deleted", run_name(index));
    run->ended_ms = sim->now;
    run->ended = item->news == NV_NEWS_RUN_DONE || item->news == NV_NEWS_RUN_FAILED ||
                 item->news == NV_NEWS_RUN_CANCELLED;
    if (item->news != NV_NEWS_TASK_DONE)
        return;
    for (size_t i = 0; i < run->done_count; i++)
        if (run->done[i] == item->task)
            sim_violation(sim, "%s: the effect of task %" PRIu64 " was applied twice", run_name(index),
                          item->task);
    NV_PUSH(sim->ctx, run->done, run->done_count, run->done_capacity) = item->task;
}

/* What was just stored loads as what is in memory. */
void check_roundtrip(sim_t *sim, int index)
{
    nv_error_t err = NV_ERROR_INIT;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("round trip");
    nv_super_run_t *copy = nv_super_run_new(ctx, sim->control->super);
    nv_graph_run_t *original = nv_super_graph_run(sim->control->runs[index].run);
    nv_bytes_t left, right;
    if (!store_load(sim, index, copy))
        return;
    bool ok = nv_graph_encode_checkpoint(original, true, ctx, &left, &err) &&
              nv_graph_encode_checkpoint(nv_super_graph_run(copy), true, ctx, &right, &err);
    if (!ok)
        sim_violation(sim, "%s cannot be encoded: %s", run_name(index), err.message);
    else if (!nv_bytes_equal(left, right))
        sim_violation(sim, "%s: what was stored does not load as it was", run_name(index));
}

void check_scheduler(sim_t *sim)
{
    nv_error_t err = NV_ERROR_INIT;
    for (int i = 0; i < PLANES; i++)
        if (sim->planes[i].up && !nv_sched_audit(sim->planes[i].sched, &err))
            sim_violation(sim, "scheduler: %s", err.message);
}

void check_documents(sim_t *sim)
{
    for (int i = 0; i < sim->run_count; i++)
        if (!store_has(sim, sim->run_tenant[i], sim->store[i].documents))
            sim_violation(sim, "%s refers to a document that is gone", run_name(i));
}

typedef struct named {
    sim_t *sim;
    int run;
} named_t;

static void check_named(const char *name, nv_bytes_t reference, void *user)
{
    const named_t *named = user;
    bool uploaded = memchr(reference.data ? reference.data : "", '=', reference.length) != NULL;
    if (uploaded && !store_has(named->sim, named->sim->run_tenant[named->run], behave_document(reference)))
        sim_violation(named->sim, "%s: its document \"%s\" is gone", run_name(named->run), name);
}

void check_run_end(sim_t *sim, int index)
{
    const stored_run_t *stored = &sim->store[index];
    nv_super_config_t config = behave_config();
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("end");
    nv_super_run_t *run = nv_super_run_new(ctx, nv_super_new(ctx, &config));
    nv_super_status_t status;
    if (!store_load(sim, index, run))
        return;
    nv_super_status(run, &status);
    nv_super_each_document(run, check_named, &(named_t){sim, index});
    if (status.state == NV_SUPER_CANCELLED && stored->cancel_asked)
        return;
    if (behave_digest(run) != behave_expected(sim->run_seed[index], sim->run_asks[index]))
        sim_violation(sim, "%s ended otherwise than without faults: %s, %s", run_name(index),
                      nv_super_state_name(status.state), status.reason);
}

void check_end(sim_t *sim)
{
    for (int i = 0; i < sim->run_count && !sim->violated; i++)
        if (!sim->store[i].ended)
            sim_violation(sim, "lost run: %s has not ended", run_name(i));
        else if (!sim->store[i].deleted)
            check_run_end(sim, i);
    check_documents(sim);
}

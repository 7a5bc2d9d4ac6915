/* Why a run does not move on: what an operator asks first. */
#include "controlplane/service/engine_internal.h"

#include <inttypes.h>
#include <string.h>

static char *why(nv_mem_t *ctx, const nv_sched_run_stats_t *run, const nv_sched_pool_stats_t *pool)
{
    switch (run->wait) {
    case NV_SCHED_WAIT_WORKER:
        return nv_strdup(ctx, "no worker of it is connected");
    case NV_SCHED_WAIT_DRAINING:
        return nv_strdup(ctx, "all its workers are draining");
    case NV_SCHED_WAIT_KIND:
        return nv_printf(ctx, "none of its workers can do \"%s\"", run->kind);
    case NV_SCHED_WAIT_TENANT:
        return nv_printf(ctx, "the tenant runs as many tasks as it may (%u)", run->max_running);
    case NV_SCHED_WAIT_SLOT:
        return nv_printf(ctx, "%u of its %u slots are busy, %u tasks wait", pool->running, pool->slots,
                         pool->waiting);
    case NV_SCHED_WAIT_NONE:
        break;
    }
    return nv_strdup(ctx, "");
}

static char *of_queue(cp_engine_t *engine, nv_mem_t *ctx, const nv_sched_run_stats_t *run)
{
    nv_sched_pool_stats_t pool = {0};
    (void)!nv_sched_pool_stats(engine->sched, run->pool, nv_rpc_now_ms(), &pool);
    return nv_printf(ctx, "%u task%s for pool \"%s\", %.1f s: %s", run->waiting, run->waiting == 1 ? "" : "s",
                     run->pool, (double)run->oldest_waiting_ms / 1000, why(ctx, run, &pool));
}

/* Nothing is queued and nothing runs: what is left is the time of a retry, or a person. */
static char *of_time(nv_mem_t *ctx, const cp_run_t *run)
{
    nv_super_status_t status;
    nv_super_status(run->super, &status);
    if (status.state == NV_SUPER_WAITING)
        return nv_strdup(ctx, "for an answer");
    int64_t left = run->due_ms == INT64_MAX ? 0 : run->due_ms - cp_unix_ms();
    return left > 0 ? nv_printf(ctx, "for the next try, in %.1f s", (double)left / 1000) : nv_strdup(ctx, "");
}

char *cp_run_waits(cp_engine_t *engine, nv_mem_t *ctx, const char *tenant, const char *run_id)
{
    nv_sched_run_stats_t stats;
    const cp_run_t *run = cp_run_find(engine, run_id);
    if (!run || run->finished || run->broken || strcmp(run->tenant, tenant) != 0)
        return nv_strdup(ctx, "");
    bool queued = nv_sched_run_stats(engine->sched, run_id, nv_rpc_now_ms(), &stats);
    if (queued && stats.running > 0)
        return nv_strdup(ctx, "");
    return queued && stats.waiting > 0 ? of_queue(engine, ctx, &stats) : of_time(ctx, run);
}

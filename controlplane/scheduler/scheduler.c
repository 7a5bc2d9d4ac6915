/* Making a scheduler; tenants, pools, names; submitting. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "controlplane/scheduler/internal.h"

static int destroy(void *ptr)
{
    nv_sched_t *sched = ptr; /* the objects hang below sched; only the hash tables are uthash's own */
    HASH_CLEAR(hh, sched->tenants);
    HASH_CLEAR(hh, sched->pools);
    HASH_CLEAR(hh, sched->workers);
    HASH_CLEAR(hh, sched->runs);
    HASH_CLEAR(hh, sched->tasks);
    HASH_CLEAR(hh_epoch, sched->leases);
    return 0;
}

static int64_t or_default(int64_t value, int64_t standard)
{
    return value > 0 ? value : standard;
}

nv_sched_t *nv_sched_new(nv_mem_t *ctx, const nv_sched_config_t *config, uint64_t boot_epoch)
{
    assert(boot_epoch >= 1 && boot_epoch <= UINT64_C(1) << 22);
    nv_sched_t *sched = NV_NEW(ctx, nv_sched_t);
    sched->config = (nv_sched_config_t){
        .lease_ms = or_default(config->lease_ms, 4000),
        .heartbeat_min_ms = or_default(config->heartbeat_min_ms, 1000),
        .heartbeat_max_ms = or_default(config->heartbeat_max_ms, 30000),
        .heartbeats_per_second = config->heartbeats_per_second ? config->heartbeats_per_second : 2000,
        .queue_max = config->queue_max ? config->queue_max : 100000,
        .deliveries_max = config->deliveries_max ? config->deliveries_max : 5,
        .tenants_max = config->tenants_max ? config->tenants_max : 10000,
        .pools_max = config->pools_max ? config->pools_max : 10000,
        .workers_max = config->workers_max ? config->workers_max : 100000,
        .cancel_ack_ms = or_default(config->cancel_ack_ms, 1000),
    };
    sched->next_epoch = boot_epoch << EPOCH_BITS | 1;
    nv_on_free(sched, destroy);
    return sched;
}

void nv_sched_free(nv_sched_t *sched)
{
    nv_mem_free(sched);
}

nv_sched_effects_t *nv_sched_effects_new(nv_mem_t *ctx)
{
    nv_sched_effects_t *effects = NV_NEW(ctx, nv_sched_effects_t);
    effects->ctx = effects;
    return effects;
}

void sched_begin(nv_sched_t *sched, nv_sched_effects_t *effects)
{
    effects->count = 0;
    for (size_t i = 0; i < sched->dead_count; i++)
        nv_mem_free(sched->dead[i]);
    sched->dead_count = 0;
}

void sched_bury(nv_sched_t *sched, void *object)
{
    NV_PUSH(sched, sched->dead, sched->dead_count, sched->dead_capacity) = object;
}

bool sched_check_name(const char *what, const char *name, nv_error_t *err)
{
    if (!name || !*name || strnlen(name, NAME_MAX_BYTES + 1) > NAME_MAX_BYTES)
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: expected a name of 1 to %d bytes", what,
                       NAME_MAX_BYTES);
    return true;
}

bool sched_kind(nv_sched_t *sched, const char *kind, uint32_t *out, nv_error_t *err)
{
    for (uint32_t i = 0; i < sched->kind_count; i++)
        if (strcmp(sched->kinds[i], kind) == 0) {
            *out = i;
            return true;
        }
    if (sched->kind_count == NV_SCHED_KINDS_MAX)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "task kind \"%s\": there are %d kinds already", kind,
                       NV_SCHED_KINDS_MAX);
    if (!sched_check_name("task kind", kind, err))
        return false;
    *out = sched->kind_count;
    sched->kinds[sched->kind_count++] = nv_strdup(sched, kind);
    return true;
}

tenant_t *sched_tenant(const nv_sched_t *sched, const char *name)
{
    tenant_t *tenant;
    HASH_FIND_STR(sched->tenants, name, tenant);
    return tenant;
}

pool_t *sched_pool(const nv_sched_t *sched, const char *name)
{
    pool_t *pool;
    HASH_FIND_STR(sched->pools, name, pool);
    return pool;
}

worker_t *sched_worker(const nv_sched_t *sched, const char *session)
{
    worker_t *worker;
    HASH_FIND_STR(sched->workers, session, worker);
    return worker;
}

task_t *sched_task(const nv_sched_t *sched, const char *run_name, uint64_t id)
{
    run_t *run;
    HASH_FIND_STR(sched->runs, run_name, run);
    if (!run)
        return NULL;
    task_key_t key = {run, id};
    task_t *task;
    HASH_FIND(hh, sched->tasks, &key, sizeof key, task);
    return task;
}

task_t *sched_lease(const nv_sched_t *sched, uint64_t epoch)
{
    task_t *task;
    HASH_FIND(hh_epoch, sched->leases, &epoch, sizeof epoch, task);
    return task;
}

void sched_mark_dirty(nv_sched_t *sched, pool_t *pool)
{
    if (pool->dirty)
        return;
    pool->dirty = true;
    pool->next_dirty = sched->dirty;
    sched->dirty = pool;
}

bool sched_serves(const pool_t *pool, const tenant_t *tenant)
{
    return !pool->dedicated || pool->dedicated == tenant;
}

nv_lease_t sched_lease_of(const task_t *task)
{
    return (nv_lease_t){task->run->name, task->key.task, task->attempt, task->epoch};
}

nv_sched_effect_t *sched_effect(nv_sched_effects_t *effects, nv_sched_effect_kind_t kind, const task_t *task)
{
    nv_sched_effect_t effect = {.kind = kind};
    if (task) {
        effect.lease = sched_lease_of(task);
        effect.tenant = task->share->tenant->name;
        effect.pool = task->share->pool->name;
        effect.delivery = task->deliveries;
        effect.worker = task->worker ? task->worker->session : NULL;
    }
    NV_PUSH(effects->ctx, effects->list, effects->count, effects->capacity) = effect;
    return &effects->list[effects->count - 1];
}

bool nv_sched_set_tenant(nv_sched_t *sched, const char *name, uint32_t weight, uint32_t max_running,
                         nv_error_t *err)
{
    tenant_t *tenant = name ? sched_tenant(sched, name) : NULL;
    if (!tenant) {
        if (!sched_check_name("tenant", name, err))
            return false;
        if (HASH_COUNT(sched->tenants) >= sched->config.tenants_max)
            return nv_fail(err, NV_RESOURCE_EXHAUSTED, "tenant \"%s\": there are %u already", name,
                           sched->config.tenants_max);
        tenant = NV_NEW(sched, tenant_t);
        tenant->name = nv_strdup(tenant, name);
        HASH_ADD_KEYPTR(hh, sched->tenants, tenant->name, strlen(tenant->name), tenant);
    }
    tenant->weight = weight == 0 ? 1 : weight > 1000000 ? 1000000 : weight;
    tenant->max_running = max_running;
    queue_tenant_changed(sched, tenant);
    return true;
}

bool nv_sched_set_pool(nv_sched_t *sched, const char *name, const char *dedicated_to, nv_error_t *err)
{
    if (!sched_check_name("pool", name, err))
        return false;
    tenant_t *tenant = dedicated_to ? sched_tenant(sched, dedicated_to) : NULL;
    if (dedicated_to && !tenant)
        return nv_fail(err, NV_NOT_FOUND, "pool \"%s\": there is no tenant \"%s\"", name, dedicated_to);
    pool_t *pool = sched_pool(sched, name);
    if (pool && pool->dedicated != tenant)
        return nv_fail(err, NV_FAILED_PRECONDITION, "pool \"%s\" serves %s and cannot change that", name,
                       pool->dedicated ? pool->dedicated->name : "all tenants");
    if (pool)
        return true;
    if (HASH_COUNT(sched->pools) >= sched->config.pools_max)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "pool \"%s\": there are %u already", name,
                       sched->config.pools_max);
    pool = NV_NEW(sched, pool_t);
    pool->name = nv_strdup(pool, name);
    pool->dedicated = tenant;
    HASH_ADD_KEYPTR(hh, sched->pools, pool->name, strlen(pool->name), pool);
    return true;
}

bool nv_sched_pool_serves(const nv_sched_t *sched, const char *pool_name, const char *tenant_name)
{
    const pool_t *pool = sched_pool(sched, pool_name);
    const tenant_t *tenant = sched_tenant(sched, tenant_name);
    return pool && tenant && sched_serves(pool, tenant);
}

static bool check_submit(nv_sched_t *sched, const nv_sched_task_t *given, tenant_t **tenant, pool_t **pool,
                         nv_error_t *err)
{
    *tenant = given->tenant ? sched_tenant(sched, given->tenant) : NULL;
    *pool = given->pool ? sched_pool(sched, given->pool) : NULL;
    if (!sched_check_name("run", given->lease.run, err))
        return false;
    if (!*tenant)
        return nv_fail(err, NV_NOT_FOUND, "there is no tenant \"%s\"", given->tenant ? given->tenant : "");
    if (!*pool)
        return nv_fail(err, NV_NOT_FOUND, "there is no pool \"%s\"", given->pool ? given->pool : "");
    if (!sched_serves(*pool, *tenant))
        return nv_fail(err, NV_PERMISSION_DENIED, "pool \"%s\" does not serve tenant \"%s\"", given->pool,
                       given->tenant);
    if (given->priority >= NV_SCHED_PRIORITIES)
        return nv_fail(err, NV_INVALID_ARGUMENT, "priority %u: expected 0 to %d", given->priority,
                       NV_SCHED_PRIORITIES - 1);
    return true;
}

static bool check_room(const nv_sched_t *sched, const pool_t *pool, nv_error_t *err)
{
    return pool->waiting < sched->config.queue_max ||
           nv_fail(err, NV_RESOURCE_EXHAUSTED, "the queue of pool \"%s\" is full (%u tasks)", pool->name,
                   sched->config.queue_max);
}

static run_t *run_of(nv_sched_t *sched, const char *name)
{
    run_t *run;
    HASH_FIND_STR(sched->runs, name, run);
    if (run)
        return run;
    run = NV_NEW(sched, run_t);
    run->name = nv_strdup(run, name);
    HASH_ADD_KEYPTR(hh, sched->runs, run->name, strlen(run->name), run);
    return run;
}

/* What is left of an older attempt, or of one that was being cancelled, goes; its holder is told. */
static bool replace_older(nv_sched_t *sched, const nv_sched_task_t *given, nv_sched_effects_t *effects,
                          nv_error_t *err)
{
    task_t *old = sched_task(sched, given->lease.run, given->lease.task);
    if (!old)
        return true;
    bool superseded =
        old->attempt < given->lease.attempt || (old->attempt == given->lease.attempt && old->cancelling);
    if (!superseded)
        return nv_fail(err, NV_ALREADY_EXISTS, "attempt %u of the task is here already", old->attempt);
    worker_t *worker = old->worker;
    if (worker) {
        sched_effect(effects, NV_SCHED_REVOKE, old);
        lease_end(sched, old);
    }
    task_forget(sched, old);
    if (worker)
        worker_after_release(sched, worker, effects);
    return true;
}

static task_t *add_task(nv_sched_t *sched, const nv_sched_task_t *given, share_t *share, uint32_t kind,
                        int64_t now_ms)
{
    task_t *task = NV_NEW(sched, task_t);
    task->run = run_of(sched, given->lease.run);
    task->key = (task_key_t){task->run, given->lease.task};
    task->share = share;
    task->attempt = given->lease.attempt;
    task->priority = given->priority;
    task->kind = kind;
    task->stall_ms = given->stall_ms;
    task->queued_ms = now_ms;
    DL_APPEND2(task->run->tasks, task, run_prev, run_next);
    HASH_ADD(hh, sched->tasks, key, sizeof task->key, task);
    return task;
}

bool nv_sched_submit(nv_sched_t *sched, const nv_sched_task_t *given, int64_t now_ms,
                     nv_sched_effects_t *effects, nv_error_t *err)
{
    sched_begin(sched, effects);
    tenant_t *tenant;
    pool_t *pool;
    uint32_t kind;
    if (!check_submit(sched, given, &tenant, &pool, err) || !check_room(sched, pool, err) ||
        !sched_kind(sched, given->kind, &kind, err) || !replace_older(sched, given, effects, err))
        return false;
    queue_add(sched, add_task(sched, given, share_of(sched, tenant, pool), kind, now_ms), false);
    return true;
}

bool nv_sched_restore(nv_sched_t *sched, const nv_sched_task_t *given, const char *session, const char *name,
                      int64_t now_ms, nv_error_t *err)
{
    tenant_t *tenant;
    pool_t *pool;
    uint32_t kind;
    if (!check_submit(sched, given, &tenant, &pool, err) || !sched_check_name("session", session, err) ||
        !sched_check_name("worker", name, err) || !sched_kind(sched, given->kind, &kind, err))
        return false;
    if (given->lease.epoch == 0 || given->lease.epoch >= sched->next_epoch)
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "lease of epoch %" PRIu64 ": expected one of an earlier life", given->lease.epoch);
    if (sched_lease(sched, given->lease.epoch) || sched_task(sched, given->lease.run, given->lease.task))
        return nv_fail(err, NV_ALREADY_EXISTS, "the task is here already");
    worker_t *worker = worker_absent(sched, session, name, pool, now_ms);
    if (worker->connected || worker->pool != pool)
        return nv_fail(err, NV_ALREADY_EXISTS, "session \"%s\" is here already", session);
    lease_restore(sched, add_task(sched, given, share_of(sched, tenant, pool), kind, now_ms), worker,
                  given->lease.epoch, now_ms);
    return true;
}

/* Workers: join, leave, heartbeats, draining. */
#include <string.h>

#include "controlplane/scheduler/internal.h"

int64_t nv_sched_heartbeat_interval(const nv_sched_t *sched)
{
    int64_t interval = (int64_t)sched->connected * 1000 / sched->config.heartbeats_per_second;
    if (interval < sched->config.heartbeat_min_ms)
        return sched->config.heartbeat_min_ms;
    return interval < sched->config.heartbeat_max_ms ? interval : sched->config.heartbeat_max_ms;
}

bool worker_is_silent(const nv_sched_t *sched, const worker_t *worker, int64_t now_ms)
{
    return now_ms - worker->last_beat_ms >=
           nv_sched_lease_ms(sched); /* as a lease ends: else the silent one gets its own task back */
}

void worker_update_free(nv_sched_t *sched, worker_t *worker)
{
    bool is_free = worker->connected && !worker->draining && worker->running < worker->slots;
    if (is_free == worker->is_free)
        return;
    pool_t *pool = worker->pool;
    worker->is_free = is_free;
    if (is_free) {
        CDL_APPEND(pool->free, worker);
        pool->free_count++;
        sched_mark_dirty(sched, pool);
    } else {
        CDL_DELETE(pool->free, worker);
        pool->free_count--;
    }
}

static void remove_worker(nv_sched_t *sched, worker_t *worker)
{
    HASH_DEL(sched->workers, worker);
    sched_bury(sched, worker);
}

void worker_after_release(nv_sched_t *sched, worker_t *worker, nv_sched_effects_t *effects)
{
    if (worker->running)
        return;
    if (!worker->connected) {
        remove_worker(sched, worker);
        return;
    }
    if (worker->draining && !worker->drained_told) {
        worker->drained_told = true;
        sched_effect(effects, NV_SCHED_DRAINED, NULL)->worker = worker->session;
    }
}

/* '*' any run of characters, '?' any one. Iterative, so that no pattern is slow. */
static bool matches(const char *pattern, const char *text)
{
    const char *star = NULL;
    const char *retry = NULL;
    while (*text) {
        if (*pattern == '?' || (*pattern == *text && *pattern != '*')) {
            pattern++;
            text++;
        } else if (*pattern == '*') {
            star = pattern++;
            retry = text;
        } else if (star) {
            pattern = star + 1;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

static bool drain_matches(const drain_t *drain, const worker_t *worker)
{
    return (!drain->pool || strcmp(drain->pool, worker->pool->name) == 0) &&
           matches(drain->pattern, worker->name);
}

static void apply_drains(nv_sched_t *sched, worker_t *worker, nv_sched_effects_t *effects)
{
    bool draining = false;
    for (size_t i = 0; i < sched->drain_count; i++)
        draining = draining || drain_matches(&sched->drains[i], worker);
    if (draining == worker->draining)
        return;
    worker->draining = draining;
    worker->drained_told = false;
    worker->pool->draining += draining ? 1 : (uint32_t)-1;
    worker_update_free(sched, worker);
    if (draining && worker->connected && effects)
        worker_after_release(sched, worker, effects);
}

static bool add_kinds(nv_sched_t *sched, const nv_sched_worker_t *given, uint64_t *out, nv_error_t *err)
{
    if (given->kind_count == 0) {
        *out = UINT64_MAX;
        return true;
    }
    *out = 0;
    for (size_t i = 0; i < given->kind_count; i++) {
        uint32_t kind;
        if (!sched_kind(sched, given->kinds[i], &kind, err))
            return false;
        *out |= UINT64_C(1) << kind;
    }
    return true;
}

/* A lease it held before the connection broke. It stays its own as long as nobody else was given the task. */
static void keep_or_revoke(nv_sched_t *sched, worker_t *worker, const nv_lease_t *lease, int64_t now_ms,
                           nv_sched_effects_t *effects)
{
    task_t *task = sched_lease(sched, lease->epoch);
    bool its_own = task && task->key.task == lease->task && task->attempt == lease->attempt && lease->run &&
                   strcmp(task->run->name, lease->run) == 0 &&
                   strcmp(task->worker->name, worker->name) == 0 && task->worker->pool == worker->pool;
    if (!its_own) {
        nv_sched_effect_t *effect = sched_effect(effects, NV_SCHED_REVOKE, NULL);
        effect->lease = *lease;
        effect->worker = worker->session;
        return;
    }
    worker_t *before = task->worker;
    if (before != worker) {
        DL_DELETE(before->leases, task);
        before->running--;
        worker_update_free(sched, before);
        task->worker = worker;
        DL_APPEND(worker->leases, task);
        worker->running++;
        worker_after_release(sched, before, effects);
    }
    task->expires_ms = now_ms + nv_sched_lease_ms(sched);
    if (task->cancelling)
        sched_effect(effects, NV_SCHED_CANCEL, task);
}

static worker_t *add_worker(nv_sched_t *sched, const char *session, const char *name, pool_t *pool,
                            int64_t now_ms)
{
    worker_t *worker = NV_NEW(sched, worker_t);
    worker->session = nv_strdup(worker, session);
    worker->name = nv_strdup(worker, name);
    worker->pool = pool;
    worker->joined_ms = worker->last_beat_ms = now_ms;
    HASH_ADD_KEYPTR(hh, sched->workers, worker->session, strlen(worker->session), worker);
    return worker;
}

worker_t *worker_absent(nv_sched_t *sched, const char *session, const char *name, pool_t *pool,
                        int64_t now_ms)
{
    worker_t *worker = sched_worker(sched, session);
    return worker ? worker : add_worker(sched, session, name, pool, now_ms);
}

bool nv_sched_join(nv_sched_t *sched, const nv_sched_worker_t *given, const nv_lease_t *held,
                   size_t held_count, int64_t now_ms, nv_sched_effects_t *effects, nv_error_t *err)
{
    sched_begin(sched, effects);
    uint64_t kinds;
    if (!sched_check_name("session", given->session, err) || !sched_check_name("worker", given->name, err) ||
        !add_kinds(sched, given, &kinds, err))
        return false;
    pool_t *pool = given->pool ? sched_pool(sched, given->pool) : NULL;
    if (!pool)
        return nv_fail(err, NV_NOT_FOUND, "there is no pool \"%s\"", given->pool ? given->pool : "");
    if (sched_worker(sched, given->session))
        return nv_fail(err, NV_ALREADY_EXISTS, "session \"%s\" has joined already", given->session);
    if (given->slots == 0 || given->slots > 1000)
        return nv_fail(err, NV_INVALID_ARGUMENT, "worker \"%s\": %u slots, expected 1 to 1000", given->name,
                       given->slots);
    if (HASH_COUNT(sched->workers) >= sched->config.workers_max)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "there are %u workers already", sched->config.workers_max);
    worker_t *worker = add_worker(sched, given->session, given->name, pool, now_ms);
    worker->slots = given->slots;
    worker->kinds = kinds;
    worker->connected = true;
    sched->connected++;
    pool->workers++;
    pool->slots += worker->slots;
    for (size_t i = 0; i < held_count; i++)
        keep_or_revoke(sched, worker, &held[i], now_ms, effects);
    worker_update_free(sched, worker);
    apply_drains(sched, worker, effects);
    return true;
}

void nv_sched_leave(nv_sched_t *sched, const char *session, int64_t now_ms, nv_sched_effects_t *effects)
{
    (void)now_ms;
    sched_begin(sched, effects);
    worker_t *worker = sched_worker(sched, session);
    if (!worker || !worker->connected)
        return;
    worker->connected = false;
    worker_update_free(sched, worker);
    sched->connected--;
    worker->pool->workers--;
    worker->pool->slots -= worker->slots;
    worker->pool->draining -= worker->draining;
    worker_after_release(sched, worker, effects);
}

static void renew(nv_sched_t *sched, task_t *task, const uint64_t *progress, int64_t now_ms,
                  nv_sched_effects_t *effects)
{
    if (task->cancelling) { /* not renewed: it ends with its acknowledgement or its expiry */
        if (now_ms - task->cancel_pushed_ms >= sched->config.cancel_ack_ms) {
            task->cancel_pushed_ms = now_ms;
            sched_effect(effects, NV_SCHED_CANCEL, task);
        }
        return;
    }
    if (progress && *progress != task->progress) {
        task->progress = *progress;
        task->progress_ms = now_ms;
    }
    if (task->stall_ms && now_ms - task->progress_ms > task->stall_ms)
        return; /* alive, but it does not get on */
    task->expires_ms = now_ms + nv_sched_lease_ms(sched);
}

bool nv_sched_heartbeat(nv_sched_t *sched, const char *session, const nv_lease_t *leases,
                        const uint64_t *progress, size_t count, int64_t now_ms, int64_t *interval_ms,
                        nv_sched_effects_t *effects, nv_error_t *err)
{
    sched_begin(sched, effects);
    *interval_ms = nv_sched_heartbeat_interval(sched);
    worker_t *worker = sched_worker(sched, session);
    if (!worker || !worker->connected)
        return nv_fail(err, NV_NOT_FOUND, "session \"%s\" is not connected", session);
    if (worker_is_silent(sched, worker, now_ms))
        sched_mark_dirty(sched, worker->pool); /* back from silence: it may be given tasks again */
    worker->last_beat_ms = now_ms;
    for (size_t i = 0; i < count; i++) {
        nv_error_t stale;
        stale.code = NV_OK;
        task_t *task = sched_lease(sched, leases[i].epoch);
        bool cancelling = task && task->cancelling && task->worker == worker;
        if (cancelling || nv_sched_check(sched, session, &leases[i], &stale)) {
            renew(sched, task, progress ? &progress[i] : NULL, now_ms, effects);
            continue;
        }
        nv_sched_effect_t *effect = sched_effect(effects, NV_SCHED_REVOKE, NULL);
        effect->lease = leases[i];
        effect->worker = worker->session;
    }
    return true;
}

bool nv_sched_drain(nv_sched_t *sched, const char *pool, const char *pattern, nv_sched_effects_t *effects,
                    nv_error_t *err)
{
    sched_begin(sched, effects);
    if (!sched_check_name("worker pattern", pattern, err))
        return false;
    if (pool && !sched_pool(sched, pool))
        return nv_fail(err, NV_NOT_FOUND, "there is no pool \"%s\"", pool);
    if (sched->drain_count >= DRAINS_MAX)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "there are %d drains already", DRAINS_MAX);
    drain_t drain = {pool ? nv_strdup(sched, pool) : NULL, nv_strdup(sched, pattern)};
    NV_PUSH(sched, sched->drains, sched->drain_count, sched->drain_capacity) = drain;
    worker_t *worker, *following;
    HASH_ITER (hh, sched->workers, worker, following) {
        apply_drains(sched, worker, effects);
    }
    return true;
}

bool nv_sched_undrain(nv_sched_t *sched, const char *pool, const char *pattern)
{
    size_t kept = 0;
    for (size_t i = 0; i < sched->drain_count; i++) {
        drain_t *drain = &sched->drains[i];
        bool same = strcmp(drain->pattern, pattern) == 0 &&
                    (pool && drain->pool ? strcmp(pool, drain->pool) == 0 : pool == drain->pool);
        if (!same) {
            sched->drains[kept++] = *drain;
            continue;
        }
        nv_mem_free(drain->pool);
        nv_mem_free(drain->pattern);
    }
    bool found = kept < sched->drain_count;
    sched->drain_count = kept;
    worker_t *worker, *following;
    HASH_ITER (hh, sched->workers, worker, following) {
        apply_drains(sched, worker, NULL);
    }
    return found;
}

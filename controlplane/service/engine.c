#include "controlplane/service/engine_internal.h"
#include "controlplane/store/tenants.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

int64_t cp_unix_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t cp_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* splitmix64 (Steele, Lea, Flood 2014): spreads retries, guards nothing. */
uint32_t cp_random(cp_engine_t *engine)
{
    uint64_t z = engine->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)(z >> 32);
}

cp_run_t *cp_run_find(cp_engine_t *engine, const char *id)
{
    cp_run_t *run;
    HASH_FIND_STR(engine->runs, id, run);
    return run;
}

cp_session_t *cp_session_find(cp_engine_t *engine, const char *id)
{
    cp_session_t *session;
    HASH_FIND_STR(engine->sessions, id, session);
    return session;
}

/* ---- the mailbox ---- */

void cp_post(cp_engine_t *engine, cp_engine_fn fn, void *arg)
{
    cp_mail_t *mail = NV_NEW(NULL, cp_mail_t);
    *mail = (cp_mail_t){.fn = fn, .arg = arg};
    pthread_mutex_lock(&engine->lock);
    if (engine->tail)
        engine->tail->next = mail;
    else
        engine->head = mail;
    engine->tail = mail;
    pthread_cond_signal(&engine->mail_came);
    pthread_mutex_unlock(&engine->lock);
}

/* When something is due next, on the wall clock; at most a second ahead, so that clock changes do not matter. */
static int64_t next_wake_ms(cp_engine_t *engine, int64_t now_ms)
{
    int64_t wake = now_ms + 1000, sched = nv_sched_next_ms(engine->sched);
    if (engine->next_due_ms < wake)
        wake = engine->next_due_ms;
    if (sched != INT64_MAX && now_ms + (sched - nv_rpc_now_ms()) < wake)
        wake = now_ms + (sched - nv_rpc_now_ms());
    return wake;
}

static cp_mail_t *wait_mail(cp_engine_t *engine, int64_t wake_ms, bool *stopping)
{
    struct timespec until = {.tv_sec = wake_ms / 1000, .tv_nsec = wake_ms % 1000 * 1000000};
    pthread_mutex_lock(&engine->lock);
    while (!engine->head && !engine->stopping)
        if (pthread_cond_timedwait(&engine->mail_came, &engine->lock, &until) == ETIMEDOUT)
            break;
    cp_mail_t *mail = engine->head;
    engine->head = engine->tail = NULL;
    *stopping = engine->stopping;
    pthread_mutex_unlock(&engine->lock);
    return mail;
}

static void fire_run(cp_engine_t *engine, cp_run_t *run, int64_t now_ms)
{
    nv_error_t err = NV_ERROR_INIT;
    run->due_ms = INT64_MAX;
    if (nv_super_timer(run->super, cp_random(engine), now_ms, run->effects, &err))
        cp_run_commit(engine, run, &(cp_change_t){0});
    else
        nv_log(engine->config.log, NV_WARN, "engine", "timer refused", "run", run->id, "reason", err.message,
               NULL);
}

static void fire_timers(cp_engine_t *engine, int64_t now_ms)
{
    cp_run_t *run, *next;
    if (now_ms < engine->next_due_ms)
        return;
    engine->next_due_ms = INT64_MAX;
    HASH_ITER (hh, engine->runs, run, next) {
        if (run->due_ms <= now_ms && !run->broken && !run->finished)
            fire_run(engine, run, now_ms);
    }
    HASH_ITER (hh, engine->runs, run, next) {
        if (run->due_ms < engine->next_due_ms)
            engine->next_due_ms = run->due_ms;
    }
}

static void *engine_loop(void *arg)
{
    cp_engine_t *engine = arg;
    for (bool stopping = false; !stopping;) {
        cp_mail_t *mail = wait_mail(engine, next_wake_ms(engine, cp_unix_ms()), &stopping);
        for (cp_mail_t *next; mail; mail = next) {
            next = mail->next;
            mail->fn(engine, mail->arg);
            nv_mem_free(mail);
        }
        fire_timers(engine, cp_unix_ms());
        cp_sched_run(engine);
    }
    return NULL;
}

/* ---- callers that wait ---- */

cp_future_t *cp_future_new(void)
{
    cp_future_t *future = NV_NEW(NULL, cp_future_t);
    pthread_mutex_init(&future->lock, NULL);
    pthread_cond_init(&future->done_cond, NULL);
    atomic_init(&future->refs, 2);
    return future;
}

static void future_unref(cp_future_t *future)
{
    if (atomic_fetch_sub(&future->refs, 1) != 1)
        return;
    pthread_mutex_destroy(&future->lock);
    pthread_cond_destroy(&future->done_cond);
    nv_mem_free(future);
}

void cp_future_set(cp_future_t *future, const nv_error_t *err)
{
    if (!future)
        return;
    pthread_mutex_lock(&future->lock);
    future->done = true;
    if (err)
        future->err = *err;
    pthread_cond_signal(&future->done_cond);
    pthread_mutex_unlock(&future->lock);
    future_unref(future);
}

bool cp_future_wait(cp_future_t *future, int timeout_ms, nv_error_t *err)
{
    int64_t until_ms = cp_unix_ms() + timeout_ms;
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    pthread_mutex_lock(&future->lock);
    int waited = 0;
    while (!future->done && waited == 0)
        waited = pthread_cond_timedwait(&future->done_cond, &future->lock, &until);
    bool done = future->done;
    if (done)
        *err = future->err;
    pthread_mutex_unlock(&future->lock);
    future_unref(future);
    if (!done)
        return nv_fail(err, NV_DEADLINE_EXCEEDED, "not durable within %d ms; it may still become so",
                       timeout_ms);
    return err->code == NV_OK;
}

/* ---- life ---- */

static bool load_pools(cp_engine_t *engine, nv_mem_t *ctx, nv_error_t *err)
{
    store_pool_t *pools;
    store_tenant_t *tenants;
    size_t n;
    if (!store_tenant_list(engine->config.store, ctx, &tenants, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!nv_sched_set_tenant(engine->sched, tenants[i].name, (uint32_t)tenants[i].weight,
                                 (uint32_t)tenants[i].max_concurrent_tasks, err))
            return false;
    if (!store_pool_list(engine->config.store, ctx, &pools, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!nv_sched_set_pool(engine->sched, pools[i].name,
                               *pools[i].dedicated_to ? pools[i].dedicated_to : NULL, err))
            return false;
    return true;
}

static void make_metrics(cp_engine_t *engine)
{
    nv_metrics_t *metrics = engine->config.metrics;
    engine->committed = nv_counter(metrics, "nuvyn_commits_total", "", "Durable changes of runs.");
    engine->commit_failures =
        nv_counter(metrics, "nuvyn_commit_failures_total", "", "Changes the store refused.");
    engine->stale =
        nv_counter(metrics, "nuvyn_stale_results_total", "", "Results refused because the lease was stale.");
    engine->assigned = nv_counter(metrics, "nuvyn_assignments_total", "", "Tasks given to workers.");
    engine->dispatch_seconds =
        nv_histogram(metrics, "nuvyn_dispatch_seconds", "", "From scheduled to assigned.", nv_latency_bounds,
                     NV_LATENCY_BOUNDS);
    engine->start_seconds = nv_histogram(metrics, "nuvyn_task_start_seconds", "",
                                         "From scheduled to the worker's word that it runs.",
                                         nv_latency_bounds, NV_LATENCY_BOUNDS);
    engine->commit_seconds = nv_histogram(metrics, "nuvyn_commit_seconds", "", "From submitted to durable.",
                                          nv_latency_bounds, NV_LATENCY_BOUNDS);
}

static void engine_free(cp_engine_t *engine)
{
    cp_run_t *run, *next;
    cp_session_t *session, *after;
    HASH_ITER (hh, engine->runs, run, next) {
        HASH_DEL(engine->runs, run);
        cp_run_free(run);
    }
    HASH_ITER (hh, engine->sessions, session, after) {
        HASH_DEL(engine->sessions, session);
        nv_rpc_stream_unref(session->stream);
        nv_mem_free(session);
    }
    nv_sched_free(engine->sched);
    pthread_mutex_destroy(&engine->lock);
    pthread_mutex_destroy(&engine->watch_lock);
    pthread_cond_destroy(&engine->mail_came);
    nv_mem_free(engine);
}

bool cp_engine_start(const cp_engine_config_t *config, cp_engine_t **out, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("engine start");
    cp_engine_t *engine = NV_NEW(NULL, cp_engine_t);
    nv_sched_config_t sched = {.lease_ms = config->lease_ms};
    engine->config = *config;
    engine->super = nv_super_new(engine, NULL);
    engine->sched = nv_sched_new(engine, &sched, config->boot_epoch);
    engine->sched_effects = nv_sched_effects_new(engine);
    engine->next_due_ms = INT64_MAX;
    engine->started_unix_ms = cp_unix_ms();
    if (getrandom(&engine->random, sizeof engine->random, 0) != (ssize_t)sizeof engine->random)
        engine->random = (uint64_t)engine->started_unix_ms;
    pthread_mutex_init(&engine->lock, NULL);
    pthread_mutex_init(&engine->watch_lock, NULL);
    pthread_cond_init(&engine->mail_came, NULL);
    make_metrics(engine);
    if (!load_pools(engine, ctx, err) || !cp_load_open_runs(engine, err)) {
        engine_free(engine);
        return false;
    }
    if (pthread_create(&engine->thread, NULL, engine_loop, engine) != 0) {
        engine_free(engine);
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "starting the engine's thread");
    }
    *out = engine;
    return true;
}

static void nothing(cp_engine_t *engine, void *arg)
{
    (void)engine;
    (void)arg;
}

void cp_engine_stop(cp_engine_t *engine)
{
    if (!engine)
        return;
    cp_post(engine, nothing, NULL);
    pthread_mutex_lock(&engine->lock);
    engine->stopping = true;
    pthread_cond_signal(&engine->mail_came);
    pthread_mutex_unlock(&engine->lock);
    pthread_join(engine->thread, NULL);
    /* Commits on their way still post their outcome: the store is asked to finish them before memory goes. */
    nv_error_t err = NV_ERROR_INIT;
    if (!store_ping(engine->config.store, &err))
        nv_log(engine->config.log, NV_WARN, "engine", "store at stop", "reason", err.message, NULL);
    for (cp_mail_t *mail = engine->head, *next; mail; mail = next) {
        next = mail->next;
        mail->fn(engine, mail->arg);
        nv_mem_free(mail);
    }
    engine_free(engine);
}

/* ---- watching ---- */

cp_watch_t *cp_engine_watch(cp_engine_t *engine, const char *tenant, const char *run_id, cp_watch_fn fn,
                            void *arg)
{
    cp_watch_t *watch = NV_NEW(NULL, cp_watch_t);
    watch->tenant = nv_strdup(watch, tenant);
    watch->run_id = nv_strdup(watch, run_id);
    watch->fn = fn;
    watch->arg = arg;
    pthread_mutex_lock(&engine->watch_lock);
    watch->next = engine->watches;
    if (watch->next)
        watch->next->prev = watch;
    engine->watches = watch;
    pthread_mutex_unlock(&engine->watch_lock);
    return watch;
}

void cp_engine_unwatch(cp_engine_t *engine, cp_watch_t *watch)
{
    if (!watch)
        return;
    pthread_mutex_lock(&engine->watch_lock);
    if (watch->prev)
        watch->prev->next = watch->next;
    else
        engine->watches = watch->next;
    if (watch->next)
        watch->next->prev = watch->prev;
    pthread_mutex_unlock(&engine->watch_lock);
    nv_mem_free(watch);
}

void cp_watch_notify(cp_engine_t *engine, const char *tenant, const char *run_id)
{
    pthread_mutex_lock(&engine->watch_lock);
    for (cp_watch_t *watch = engine->watches; watch; watch = watch->next)
        if (strcmp(watch->run_id, run_id) == 0 && strcmp(watch->tenant, tenant) == 0)
            watch->fn(watch->arg);
    pthread_mutex_unlock(&engine->watch_lock);
}

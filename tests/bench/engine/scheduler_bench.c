/* The scheduler: a task's way through (submit, assign, check, complete) and heartbeats, at several sizes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "controlplane/scheduler/scheduler.h"

typedef struct stage {
    nv_mem_t *ctx;
    nv_sched_t *sched;
    nv_sched_effects_t *effects;
    uint32_t tenants, workers;
    uint64_t task;
    int64_t now;
    char (*names)[16];
    char (*sessions)[16];
    nv_lease_t held[4];
} stage_t;

static stage_t *set_up(uint32_t tenants, uint32_t workers)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_mem_t *ctx = nv_mem_root("scheduler bench");
    stage_t *s = NV_NEW(ctx, stage_t);
    *s = (stage_t){.ctx = ctx, .tenants = tenants, .workers = workers};
    s->sched = nv_sched_new(ctx, &(nv_sched_config_t){.lease_ms = INT64_C(1) << 40}, 1);
    s->effects = nv_sched_effects_new(ctx);
    s->names = nv_alloc_array(ctx, 16, tenants);
    s->sessions = nv_alloc_array(ctx, 16, workers);
    bench_must(nv_sched_set_pool(s->sched, "shared", NULL, &err), err.message);
    for (uint32_t i = 0; i < tenants; i++) {
        snprintf(s->names[i], 16, "tenant%u", i);
        bench_must(nv_sched_set_tenant(s->sched, s->names[i], 1 + i % 4, 0, &err), err.message);
    }
    for (uint32_t i = 0; i < workers; i++) {
        snprintf(s->sessions[i], 16, "worker%u", i);
        nv_sched_worker_t worker = {
            .session = s->sessions[i], .name = s->sessions[i], .pool = "shared", .slots = 4};
        bench_must(nv_sched_join(s->sched, &worker, NULL, 0, 0, s->effects, &err), err.message);
    }
    return s;
}

static void submit(stage_t *s)
{
    nv_error_t err;
    const char *tenant = s->names[s->task % s->tenants];
    nv_sched_task_t task = {.lease = {tenant, s->task, 1, 0},
                            .tenant = tenant,
                            .pool = "shared",
                            .kind = "profile",
                            .priority = NV_SCHED_PRIORITY_DEFAULT};
    s->task++;
    bench_must(nv_sched_submit(s->sched, &task, s->now, s->effects, &err), "submit");
}

static void complete_assigned(stage_t *s)
{
    nv_error_t err;
    bench_must(s->effects->count == 1 && s->effects->list[0].kind == NV_SCHED_ASSIGN, "assign");
    nv_sched_effect_t given = s->effects->list[0];
    bench_must(nv_sched_check(s->sched, given.worker, &given.lease, &err), "check");
    bench_must(nv_sched_complete(s->sched, given.worker, &given.lease, s->now, s->effects, &err), "complete");
}

static void one_task(void *user)
{
    stage_t *s = user;
    submit(s);
    nv_sched_step(s->sched, ++s->now, s->effects);
    complete_assigned(s);
}

static void through(size_t scale, uint32_t tenants, uint32_t workers, uint32_t backlog)
{
    char what[96];
    stage_t *s = set_up(tenants, workers);
    for (uint32_t i = 0; i < backlog; i++)
        submit(s);
    nv_sched_step(s->sched, 1,
                  s->effects); /* every slot is taken; one is given back, so that each task gets one */
    if (backlog) {
        nv_error_t err;
        nv_sched_effect_t given = s->effects->list[0];
        bench_must(nv_sched_complete(s->sched, given.worker, &given.lease, 1, s->effects, &err), "complete");
    }
    figure_t figure = bench_measure(one_task, s, 2000, scale * 3 + 2);
    snprintf(what, sizeof what, "a task through: %u tenants, %u workers, %u waiting", tenants, workers,
             backlog > workers * 4 ? backlog - workers * 4 : 0);
    bench_line(what, figure);
    printf("    %.0f tasks/s on one core\n", 1e9 / figure.median_ns);
    printf("    %.3f %% of a core at the 2,000 durable steps/s the store aims for\n",
           figure.median_ns * 2000 / 1e9 * 100);
    nv_mem_free(s->ctx);
}

static void one_beat(void *user)
{
    stage_t *s = user;
    nv_error_t err;
    int64_t interval;
    bench_must(
        nv_sched_heartbeat(s->sched, s->sessions[0], s->held, NULL, 4, ++s->now, &interval, s->effects, &err),
        "beat");
}

static void heartbeats(size_t scale)
{
    stage_t *s = set_up(1, 1);
    for (int i = 0; i < 4; i++)
        submit(s);
    nv_sched_step(s->sched, 0, s->effects);
    for (size_t i = 0; i < 4; i++) {
        s->held[i] = s->effects->list[i].lease;
        s->held[i].run = s->names[0];
    }
    figure_t figure = bench_measure(one_beat, s, 2000, scale * 3 + 2);
    bench_line("a heartbeat that renews 4 leases", figure);
    printf("    %.0f heartbeats/s on one core: %.0f workers at one per second\n", 1e9 / figure.median_ns,
           1e9 / figure.median_ns);
    nv_mem_free(s->ctx);
}

void bench_scheduler(size_t scale)
{
    printf("scheduler\n");
    through(scale, 1, 1, 0);
    through(scale, 10, 100, 2000);
    through(scale, 1000, 100, 20000);
    heartbeats(scale);
}

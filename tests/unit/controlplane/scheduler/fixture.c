#include "fixture.h"

#include <stdlib.h>

fixture_t *fixture_new(const nv_sched_config_t *config)
{
    nv_error_t err = NV_ERROR_INIT;
    fixture_t *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->ctx = nv_mem_root("fixture");
    f->sched = nv_sched_new(f->ctx, config ? config : &(nv_sched_config_t){0}, 1);
    f->effects = nv_sched_effects_new(f->ctx);
    assert_true(nv_sched_set_tenant(f->sched, "t1", 1, 0, &err));
    assert_true(nv_sched_set_tenant(f->sched, "t2", 1, 0, &err));
    assert_true(nv_sched_set_pool(f->sched, "shared", NULL, &err));
    assert_true(nv_sched_set_pool(f->sched, "own", "t1", &err));
    return f;
}

static void audit(fixture_t *f)
{
    nv_error_t err = NV_ERROR_INIT;
    if (!nv_sched_audit(f->sched, &err))
        fail_msg("%s", err.message);
}

void fixture_free(fixture_t *f)
{
    audit(f);
    nv_mem_free(f->ctx);
    free(f);
}

void join(fixture_t *f, const char *name, const char *pool, uint32_t slots)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_sched_worker_t worker = {.session = name, .name = name, .pool = pool, .slots = slots};
    if (!nv_sched_join(f->sched, &worker, NULL, 0, f->now, f->effects, &err))
        fail_msg("%s", err.message);
}

void submit(fixture_t *f, const char *tenant, const char *run, uint64_t task)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_sched_task_t given = {.lease = {run, task, 1, 0},
                             .tenant = tenant,
                             .pool = "shared",
                             .kind = "profile",
                             .priority = NV_SCHED_PRIORITY_DEFAULT};
    if (!nv_sched_submit(f->sched, &given, f->now, f->effects, &err))
        fail_msg("%s", err.message);
}

void step(fixture_t *f, int64_t now)
{
    f->now = now;
    nv_sched_step(f->sched, now, f->effects);
    audit(f);
}

bool beat(fixture_t *f, const char *session, const nv_lease_t *lease)
{
    nv_error_t err = NV_ERROR_INIT;
    int64_t interval;
    return nv_sched_heartbeat(f->sched, session, lease, NULL, lease != NULL, f->now, &interval, f->effects,
                              &err);
}

size_t effect_count(const fixture_t *f, nv_sched_effect_kind_t kind)
{
    size_t count = 0;
    for (size_t i = 0; i < f->effects->count; i++)
        count += f->effects->list[i].kind == kind;
    return count;
}

static const char *keep(fixture_t *f, const char *text)
{
    return text ? nv_strdup(f->ctx, text) : NULL;
}

nv_sched_effect_t effect_of(fixture_t *f, nv_sched_effect_kind_t kind)
{
    assert_int_equal(effect_count(f, kind), 1);
    for (size_t i = 0; i < f->effects->count; i++)
        if (f->effects->list[i].kind == kind) {
            nv_sched_effect_t effect = f->effects->list[i];
            effect.lease.run = keep(f, effect.lease.run);
            effect.worker = keep(f, effect.worker);
            effect.tenant = keep(f, effect.tenant);
            effect.pool = keep(f, effect.pool);
            return effect;
        }
    abort();
}

void done(fixture_t *f, const char *session, nv_lease_t lease)
{
    nv_error_t err = NV_ERROR_INIT;
    if (!nv_sched_complete(f->sched, session, &lease, f->now, f->effects, &err))
        fail_msg("%s", err.message);
}

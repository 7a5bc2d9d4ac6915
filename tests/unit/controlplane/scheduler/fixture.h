#ifndef NV_TEST_SCHEDULER_FIXTURE_H
#define NV_TEST_SCHEDULER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "controlplane/scheduler/scheduler.h"

typedef struct fixture {
    nv_mem_t *ctx;
    nv_sched_t *sched;
    nv_sched_effects_t *effects;
    int64_t now;
} fixture_t;

/* Tenants "t1", "t2"; pool "shared" for all, "own" for t1 alone. */
fixture_t *fixture_new(const nv_sched_config_t *config);
void fixture_free(fixture_t *f);
/* Worker with session and name the same. */
void join(fixture_t *f, const char *name, const char *pool, uint32_t slots);
void submit(fixture_t *f, const char *tenant, const char *run, uint64_t task);
void step(fixture_t *f, int64_t now);
bool beat(fixture_t *f, const char *session, const nv_lease_t *lease);
/* How many effects of this kind the last call had. */
size_t effect_count(const fixture_t *f, nv_sched_effect_kind_t kind);
/* The only effect of this kind, copied; its texts stay valid for the test. */
nv_sched_effect_t effect_of(fixture_t *f, nv_sched_effect_kind_t kind);
void done(fixture_t *f, const char *session, nv_lease_t lease);

#endif

/* Drives a supervisor run with workers that do as told. */
#ifndef NV_TEST_SUPERVISOR_DRIVER_H
#define NV_TEST_SUPERVISOR_DRIVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "controlplane/supervisor/supervisor.h"

typedef struct work {
    uint64_t task;
    uint32_t attempt;
    nv_super_node_t node;
    char item[64];
} work_t;

typedef struct driver {
    nv_mem_t *ctx;
    nv_super_t *super;
    nv_super_run_t *run;
    nv_graph_effects_t *effects;
    int64_t now;
    work_t work[64];
    size_t work_count;
    uint64_t asked; /* task of the last question */
    char key[64];
    uint64_t last_event;
    bool finished;
    nv_bytes_t checkpoints[256];
    bool snapshots[256];
    uint64_t steps[256];
    size_t checkpoint_count;
} driver_t;

driver_t *driver_new(const nv_super_spec_t *spec);
void driver_free(driver_t *d);
void driver_commit(driver_t *d);
work_t driver_take(driver_t *d, nv_super_node_t node);
/* Finishes the first task of the node with its documents written; refused results fail the test. */
void driver_pass(driver_t *d, nv_super_node_t node);
void driver_fail(driver_t *d, nv_super_node_t node, const char *blame, const char *summary);
void driver_error(driver_t *d, nv_super_node_t node, const char *text);
bool driver_result(driver_t *d, const nv_super_result_t *result, nv_error_t *err);
/* survey of tables "a" and "b", both profiled, related. */
void driver_to_design(driver_t *d);
void driver_to(driver_t *d, nv_super_node_t from, nv_super_node_t until);
/* Loads the run from what was stored. */
void driver_reload(driver_t *d);
/* A run loaded from the checkpoint after so many supersteps, to be forked, which driver_go_on() then drives. */
nv_super_run_t *driver_load_at(driver_t *d, uint64_t step);
void driver_go_on(driver_t *d, nv_super_run_t *fork);
nv_super_status_t driver_status(const driver_t *d);
const char *driver_node(const driver_t *d, nv_super_node_t node);

#endif

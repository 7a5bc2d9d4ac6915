/* Drives a run the way a control plane does, with a store in memory, so that every test can also lose the run and load
 * it again. */
#ifndef NV_TEST_GRAPH_HARNESS_H
#define NV_TEST_GRAPH_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "controlplane/graph/checkpoint.h"
#include "controlplane/graph/run.h"

typedef struct stored {
    uint64_t id; /* checkpoint number or task */
    bool snapshot;
    uint64_t step;
    nv_bytes_t bytes;
} stored_t;

typedef struct given {
    uint64_t task;
    uint32_t attempt;
    nv_node_id_t node;
    char argument[64];
} given_t;

typedef struct harness {
    nv_mem_t *ctx;
    const nv_graph_t *graph;
    nv_graph_run_t *run;
    nv_graph_effects_t *effects;
    int64_t now;
    stored_t checkpoints[512];
    size_t checkpoint_count;
    stored_t records[512];
    size_t record_count;
    uint64_t last_event;
    nv_graph_news_t news[4096]; /* by event number */
    given_t given[512];         /* dispatched and not yet answered, in order */
    size_t given_count;
    given_t cancelled[64];
    size_t cancelled_count;
    size_t asked;
    int64_t timer;
    int finished;
    nv_run_phase_t phase;
    uint64_t pruned_below;
} harness_t;

harness_t *harness_new(const nv_graph_t *graph);
void harness_free(harness_t *h);
/* Steps, commits, and goes on while there is more. */
bool harness_send(harness_t *h, const nv_graph_event_t *event, nv_error_t *err);
void harness_must(harness_t *h, const nv_graph_event_t *event);
void harness_start(harness_t *h, const nv_graph_write_t *writes, size_t count);
/* Loses the run in memory and loads it from the store; what had been dispatched is forgotten and given again. */
void harness_reload(harness_t *h);
/* A run loaded from checkpoint seq, without task records. */
nv_graph_run_t *harness_load_at(harness_t *h, uint64_t seq);
/* Takes the first dispatched task of this node; fails the test when there is none. */
given_t harness_take(harness_t *h, const char *node);
bool harness_has(const harness_t *h, const char *node);
/* Takes one and finishes it with a text written to `channel` (NULL: nothing). */
void harness_done(harness_t *h, const char *node, const char *channel, const char *text);
void harness_done_outcome(harness_t *h, const char *node, uint32_t outcome);
void harness_fail(harness_t *h, const char *node, bool final);
void harness_tick(harness_t *h, int64_t now);
void assert_text(const harness_t *h, const char *channel, const char *expected);
/* Items joined by commas: "a,b" or "k=v,k=v". */
void assert_items(const harness_t *h, const char *channel, const char *expected);

nv_channel_id_t ch(const harness_t *h, const char *name);
nv_node_id_t nd(const harness_t *h, const char *name);
nv_graph_write_t text_write(const harness_t *h, const char *channel, const char *text);

#endif

#include "harness.h"

#include <stdlib.h>
#include <string.h>

harness_t *harness_new(const nv_graph_t *graph)
{
    harness_t *h = calloc(1, sizeof *h);
    assert_non_null(h);
    h->ctx = nv_mem_root("harness");
    h->graph = graph;
    h->run = nv_graph_run_new(h->ctx, graph);
    h->effects = nv_graph_effects_new(h->ctx);
    h->now = 1000;
    h->timer = NV_GRAPH_NO_TIMER;
    return h;
}

void harness_free(harness_t *h)
{
    nv_mem_free(h->ctx);
    free(h);
}

nv_channel_id_t ch(const harness_t *h, const char *name)
{
    nv_channel_id_t id = nv_graph_find_channel(h->graph, name);
    assert_int_not_equal(id, NV_GRAPH_NONE);
    return id;
}

nv_node_id_t nd(const harness_t *h, const char *name)
{
    nv_node_id_t id = nv_graph_find_node(h->graph, name);
    assert_int_not_equal(id, NV_GRAPH_NONE);
    return id;
}

nv_graph_write_t text_write(const harness_t *h, const char *channel, const char *text)
{
    return (nv_graph_write_t){.channel = ch(h, channel), .value = nv_bytes_text(text)};
}

static void store_checkpoint(harness_t *h, const nv_graph_effect_t *effect)
{
    nv_error_t err = NV_ERROR_INIT;
    stored_t *stored = &h->checkpoints[h->checkpoint_count++];
    *stored = (stored_t){.id = effect->seq, .snapshot = effect->snapshot, .step = effect->step};
    if (!nv_graph_encode_checkpoint(h->run, effect->snapshot, h->ctx, &stored->bytes, &err))
        fail_msg("%s", err.message);
    size_t kept = 0; /* records of earlier supersteps go */
    for (size_t i = 0; i < h->record_count; i++)
        if (h->records[i].step >= effect->step)
            h->records[kept++] = h->records[i];
    h->record_count = kept;
}

static void store_record(harness_t *h, uint64_t task)
{
    nv_error_t err = NV_ERROR_INIT;
    size_t at = 0;
    while (at < h->record_count && h->records[at].id != task)
        at++;
    if (at == h->record_count)
        h->record_count++;
    h->records[at] = (stored_t){.id = task, .step = nv_graph_run_step_count(h->run)};
    if (!nv_graph_encode_task(h->run, task, h->ctx, &h->records[at].bytes, &err))
        fail_msg("%s", err.message);
}

static given_t given_from(const nv_graph_effect_t *effect)
{
    given_t given = {effect->task, effect->attempt, effect->node, {0}};
    snprintf(given.argument, sizeof given.argument, "%.*s", (int)effect->argument.length,
             effect->argument.data ? (const char *)effect->argument.data : "");
    return given;
}

static void carry_out(harness_t *h, const nv_graph_effect_t *effect)
{
    switch (effect->kind) {
    case NV_EFFECT_PERSIST_CHECKPOINT:
        store_checkpoint(h, effect);
        break;
    case NV_EFFECT_PERSIST_TASK:
        store_record(h, effect->task);
        break;
    case NV_EFFECT_PRUNE:
        h->pruned_below = effect->seq;
        break;
    case NV_EFFECT_EMIT:
        assert_int_equal(effect->seq, h->last_event + 1); /* dense */
        h->last_event = effect->seq;
        h->news[effect->seq] = effect->news;
        break;
    case NV_EFFECT_DISPATCH:
        h->given[h->given_count++] = given_from(effect);
        break;
    case NV_EFFECT_CANCEL:
        h->cancelled[h->cancelled_count++] = given_from(effect);
        break;
    case NV_EFFECT_TIMER:
        h->timer = effect->due_ms;
        break;
    case NV_EFFECT_ASK:
        h->asked++;
        break;
    case NV_EFFECT_FINISH:
        h->finished++;
        h->phase = effect->phase;
    }
}

static void commit(harness_t *h)
{
    bool after = false;
    for (size_t i = 0; i < h->effects->count; i++) {
        bool durable = nv_graph_effect_is_durable(&h->effects->list[i]);
        assert_false(durable && after); /* durable effects come first */
        after = after || !durable;
        carry_out(h, &h->effects->list[i]);
    }
}

static void go_on(harness_t *h)
{
    nv_error_t err = NV_ERROR_INIT;
    commit(h);
    for (int i = 0; h->effects->more; i++) {
        assert_true(i < 1000);
        if (!nv_graph_step(h->run, &(nv_graph_event_t){.kind = NV_EVENT_CONTINUE}, h->now, h->effects, &err))
            fail_msg("%s", err.message);
        commit(h);
    }
}

bool harness_send(harness_t *h, const nv_graph_event_t *event, nv_error_t *err)
{
    if (!nv_graph_step(h->run, event, h->now, h->effects, err))
        return false;
    go_on(h);
    return true;
}

void harness_must(harness_t *h, const nv_graph_event_t *event)
{
    nv_error_t err = NV_ERROR_INIT;
    if (!harness_send(h, event, &err))
        fail_msg("%s", err.message);
}

void harness_start(harness_t *h, const nv_graph_write_t *writes, size_t count)
{
    harness_must(h, &(nv_graph_event_t){.kind = NV_EVENT_START, .writes = writes, .write_count = count});
}

nv_graph_run_t *harness_load_at(harness_t *h, uint64_t seq)
{
    nv_error_t err = NV_ERROR_INIT;
    size_t last = 0;
    while (h->checkpoints[last].id != seq) {
        last++;
        assert_true(last < h->checkpoint_count);
    }
    size_t first = last;
    while (!h->checkpoints[first].snapshot)
        first--;
    nv_graph_run_t *run = nv_graph_run_new(h->ctx, h->graph);
    for (size_t i = first; i <= last; i++)
        if (!nv_graph_decode_checkpoint(run, h->checkpoints[i].bytes, &err))
            fail_msg("%s", err.message);
    return run;
}

static void assert_same_bytes(nv_bytes_t a, nv_bytes_t b)
{
    assert_int_equal(a.length, b.length);
    assert_memory_equal(a.data, b.data, a.length);
}

static void assert_same_tasks(const nv_graph_run_t *a, const nv_graph_run_t *b)
{
    if (nv_graph_run_phase(a) != NV_RUN_RUNNING)
        return;
    assert_int_equal(nv_graph_task_count(a), nv_graph_task_count(b));
    for (size_t i = 0; i < nv_graph_task_count(a); i++) {
        nv_task_view_t left, right;
        nv_graph_task_at(a, i, &left);
        nv_graph_task_at(b, i, &right);
        assert_int_equal(left.task, right.task);
        assert_int_equal(left.node, right.node);
        assert_int_equal(left.attempt, right.attempt);
        assert_int_equal(left.failures, right.failures);
        assert_int_equal(left.open_interrupts, right.open_interrupts);
        assert_same_bytes(left.argument, right.argument);
    }
}

void harness_reload(harness_t *h)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_graph_run_t *old = h->run;
    nv_graph_run_t *run = harness_load_at(h, h->checkpoints[h->checkpoint_count - 1].id);
    for (size_t i = 0; i < h->record_count; i++)
        if (!nv_graph_decode_task(run, h->records[i].bytes, &err))
            fail_msg("%s", err.message);
    assert_same_tasks(old, run);
    nv_bytes_t before, after;
    h->run = run;
    h->given_count = 0;
    h->timer = NV_GRAPH_NO_TIMER;
    if (!nv_graph_resume(run, h->last_event, h->now, h->effects, &err))
        fail_msg("%s", err.message);
    assert_true(nv_graph_encode_checkpoint(old, true, h->ctx, &before, &err));
    assert_true(nv_graph_encode_checkpoint(run, true, h->ctx, &after, &err));
    assert_same_bytes(before, after);
    go_on(h);
    nv_graph_run_free(old);
}

bool harness_has(const harness_t *h, const char *node)
{
    for (size_t i = 0; i < h->given_count; i++)
        if (h->given[i].node == nd(h, node))
            return true;
    return false;
}

given_t harness_take(harness_t *h, const char *node)
{
    for (size_t i = 0; i < h->given_count; i++)
        if (h->given[i].node == nd(h, node)) {
            given_t given = h->given[i];
            memmove(&h->given[i], &h->given[i + 1], (--h->given_count - i) * sizeof given);
            return given;
        }
    fail_msg("node \"%s\" has no task", node);
    abort();
}

void harness_done(harness_t *h, const char *node, const char *channel, const char *text)
{
    given_t given = harness_take(h, node);
    nv_graph_write_t write = {0};
    if (channel)
        write = text_write(h, channel, text);
    write.key = nv_bytes_text(given.argument);
    harness_must(h, &(nv_graph_event_t){.kind = NV_EVENT_TASK_DONE,
                                        .task = given.task,
                                        .attempt = given.attempt,
                                        .writes = &write,
                                        .write_count = channel != NULL});
}

void harness_done_outcome(harness_t *h, const char *node, uint32_t outcome)
{
    given_t given = harness_take(h, node);
    harness_must(
        h, &(nv_graph_event_t){
               .kind = NV_EVENT_TASK_DONE, .task = given.task, .attempt = given.attempt, .outcome = outcome});
}

void harness_fail(harness_t *h, const char *node, bool final)
{
    given_t given = harness_take(h, node);
    harness_must(h, &(nv_graph_event_t){.kind = NV_EVENT_TASK_FAILED,
                                        .task = given.task,
                                        .attempt = given.attempt,
                                        .code = NV_UNAVAILABLE,
                                        .text = "it broke",
                                        .final = final});
}

void harness_tick(harness_t *h, int64_t now)
{
    h->now = now;
    harness_must(h, &(nv_graph_event_t){.kind = NV_EVENT_TIMER});
}

void assert_text(const harness_t *h, const char *channel, const char *expected)
{
    nv_bytes_t value;
    bool there = nv_graph_read(h->run, ch(h, channel), &value);
    if (!expected) {
        assert_false(there);
        return;
    }
    assert_true(there);
    char text[256];
    snprintf(text, sizeof text, "%.*s", (int)value.length, (const char *)value.data);
    assert_string_equal(text, expected);
}

void assert_items(const harness_t *h, const char *channel, const char *expected)
{
    nv_buf_t buf = nv_buf_make(h->ctx, 4096);
    for (size_t i = 0; i < nv_graph_read_count(h->run, ch(h, channel)); i++) {
        nv_bytes_t key, value;
        nv_graph_read_item(h->run, ch(h, channel), i, &key, &value);
        if (i)
            nv_buf_putc(&buf, ',');
        if (key.length)
            nv_buf_printf(&buf, "%.*s=", (int)key.length, (const char *)key.data);
        nv_buf_add(&buf, value.data, value.length);
    }
    assert_string_equal(nv_buf_text(&buf), expected);
}

#include "driver.h"

#include <stdlib.h>

driver_t *driver_new(const nv_super_spec_t *spec)
{
    nv_error_t err = NV_ERROR_INIT;
    driver_t *d = calloc(1, sizeof *d);
    assert_non_null(d);
    d->ctx = nv_mem_root("driver");
    d->super = nv_super_new(d->ctx, NULL);
    d->run = nv_super_run_new(d->ctx, d->super);
    d->effects = nv_graph_effects_new(d->ctx);
    d->now = 1000;
    if (!nv_super_start(d->run, spec, d->now, d->effects, &err))
        fail_msg("%s", err.message);
    driver_commit(d);
    return d;
}

void driver_free(driver_t *d)
{
    nv_mem_free(d->ctx);
    free(d);
}

static void carry_out(driver_t *d, const nv_graph_effect_t *effect)
{
    nv_error_t err = NV_ERROR_INIT;
    switch (effect->kind) {
    case NV_EFFECT_PERSIST_CHECKPOINT:
        d->snapshots[d->checkpoint_count] = effect->snapshot;
        d->steps[d->checkpoint_count] = effect->step;
        assert_true(nv_graph_encode_checkpoint(nv_super_graph_run(d->run), effect->snapshot, d->ctx,
                                               &d->checkpoints[d->checkpoint_count++], &err));
        break;
    case NV_EFFECT_EMIT:
        assert_int_equal(effect->seq, ++d->last_event);
        break;
    case NV_EFFECT_DISPATCH: {
        work_t *work = &d->work[d->work_count++];
        *work = (work_t){effect->task, effect->attempt, (nv_super_node_t)effect->node, {0}};
        snprintf(work->item, sizeof work->item, "%.*s", (int)effect->argument.length,
                 effect->argument.data ? (const char *)effect->argument.data : "");
        break;
    }
    case NV_EFFECT_ASK:
        d->asked = effect->task;
        snprintf(d->key, sizeof d->key, "%s", effect->text);
        break;
    case NV_EFFECT_FINISH:
        d->finished = true;
        break;
    default:
        break;
    }
}

void driver_commit(driver_t *d)
{
    nv_error_t err = NV_ERROR_INIT;
    for (;;) {
        for (size_t i = 0; i < d->effects->count; i++)
            carry_out(d, &d->effects->list[i]);
        if (!d->effects->more)
            return;
        if (!nv_super_continue(d->run, d->now, d->effects, &err))
            fail_msg("%s", err.message);
    }
}

work_t driver_take(driver_t *d, nv_super_node_t node)
{
    for (size_t i = 0; i < d->work_count; i++)
        if (d->work[i].node == node) {
            work_t work = d->work[i];
            memmove(&d->work[i], &d->work[i + 1], (--d->work_count - i) * sizeof work);
            return work;
        }
    fail_msg("%s has no task", nv_super_node_name(node));
    abort();
}

bool driver_result(driver_t *d, const nv_super_result_t *result, nv_error_t *err)
{
    if (!nv_super_result(d->run, result, d->now, d->effects, err))
        return false;
    driver_commit(d);
    return true;
}

static void must(driver_t *d, const nv_super_result_t *result)
{
    nv_error_t err = NV_ERROR_INIT;
    if (!driver_result(d, result, &err))
        fail_msg("%s", err.message);
}

void driver_pass(driver_t *d, nv_super_node_t node)
{
    work_t work = driver_take(d, node);
    static const char *const tables[] = {"a", "b"};
    nv_super_document_t documents[2];
    char names[2][96];
    size_t count = 0;
    for (const char *const *output = nv_super_outputs(node); *output; output++) {
        bool keyed = node == NV_SUPER_PROFILE || node == NV_SUPER_LEARN;
        snprintf(names[count], sizeof names[count], keyed ? "%s/%s" : "%s", *output,
                 node == NV_SUPER_LEARN ? "golden" : work.item);
        documents[count] = (nv_super_document_t){names[count], nv_bytes_text(names[count])};
        count++;
    }
    bool survey = node == NV_SUPER_SURVEY;
    must(d, &(nv_super_result_t){.task = work.task,
                                 .attempt = work.attempt,
                                 .ok = true,
                                 .outcome = "pass",
                                 .documents = documents,
                                 .document_count = count,
                                 .items = tables,
                                 .item_count = survey ? 2 : 0});
}

void driver_fail(driver_t *d, nv_super_node_t node, const char *blame, const char *summary)
{
    work_t work = driver_take(d, node);
    must(d, &(nv_super_result_t){.task = work.task,
                                 .attempt = work.attempt,
                                 .ok = true,
                                 .outcome = "fail",
                                 .blame = blame,
                                 .summary = summary});
}

void driver_error(driver_t *d, nv_super_node_t node, const char *text)
{
    work_t work = driver_take(d, node);
    must(d, &(nv_super_result_t){
                .task = work.task, .attempt = work.attempt, .code = NV_INTERNAL, .error = text});
}

void driver_to_design(driver_t *d)
{
    driver_pass(d, NV_SUPER_SURVEY);
    driver_pass(d, NV_SUPER_PROFILE);
    driver_pass(d, NV_SUPER_PROFILE);
    driver_pass(d, NV_SUPER_RELATE);
}

void driver_to(driver_t *d, nv_super_node_t from, nv_super_node_t until)
{
    for (nv_super_node_t node = from; node < until; node++)
        if (node != NV_SUPER_APPROVE)
            driver_pass(d, node);
}

void driver_reload(driver_t *d)
{
    nv_error_t err = NV_ERROR_INIT;
    size_t first = d->checkpoint_count - 1;
    while (!d->snapshots[first])
        first--;
    nv_super_run_free(d->run);
    d->run = nv_super_run_new(d->ctx, d->super);
    for (size_t i = first; i < d->checkpoint_count; i++)
        if (!nv_graph_decode_checkpoint(nv_super_graph_run(d->run), d->checkpoints[i], &err))
            fail_msg("%s", err.message);
    d->work_count = 0;
    assert_true(nv_graph_resume(nv_super_graph_run(d->run), d->last_event, d->now, d->effects, &err));
    driver_commit(d);
}

nv_super_run_t *driver_load_at(driver_t *d, uint64_t step)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_super_run_t *run = nv_super_run_new(d->ctx, d->super);
    for (size_t i = 0; i < d->checkpoint_count && d->steps[i] <= step; i++)
        if (!d->snapshots[i] || i == 0)
            assert_true(nv_graph_decode_checkpoint(nv_super_graph_run(run), d->checkpoints[i], &err));
    return run;
}

void driver_go_on(driver_t *d, nv_super_run_t *fork)
{
    d->run = fork;
    d->finished = false;
    d->last_event = 0;
    d->work_count = 0;
    driver_commit(d);
}

nv_super_status_t driver_status(const driver_t *d)
{
    nv_super_status_t status;
    nv_super_status(d->run, &status);
    return status;
}

const char *driver_node(const driver_t *d, nv_super_node_t node)
{
    nv_super_node_status_t status;
    nv_super_node_status(d->run, node, &status);
    return status.state;
}

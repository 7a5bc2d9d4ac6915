/* What a batch must be before it is queued. */
#include <inttypes.h>

#include "controlplane/store/internal.h"

static bool check_run(const store_run_t *run, nv_error_t *err)
{
    if (run->epoch < 0 || run->created_unix_ms < 0 || run->finished_unix_ms < 0)
        return nv_fail(err, NV_INVALID_ARGUMENT, "a new run: expected epoch and times of 0 or more");
    return check_name("run state", run->state, err) && check_optional("pool", run->pool, err) &&
           check_optional("owner", run->owner, err) && check_optional("forked_from", run->forked_from, err) &&
           check_text("reason", run->reason, STORE_TEXT_MAX, err) && check_blob("run spec", run->spec, err) &&
           check_blob("run summary", run->summary, err);
}

static bool check_change(const store_run_change_t *change, nv_error_t *err)
{
    return check_optional("run state", change->state, err) && check_optional("pool", change->pool, err) &&
           check_optional("owner", change->owner, err) &&
           check_text("reason", change->reason, STORE_TEXT_MAX, err) &&
           check_blob("run summary", change->summary, err);
}

static bool check_checkpoints(const store_batch_t *batch, size_t *weight, nv_error_t *err)
{
    for (size_t i = 0; i < batch->n_checkpoints; i++) {
        const store_checkpoint_t *c = &batch->checkpoints[i];
        if (c->seq < 1 || (i > 0 && c->seq <= batch->checkpoints[i - 1].seq))
            return nv_fail(err, NV_INVALID_ARGUMENT,
                           "checkpoint %" PRId64 ": expected ascending numbers from 1", c->seq);
        if (!check_blob("checkpoint", c->data, err) || !check_text("nodes", c->nodes, STORE_TEXT_MAX, err))
            return false;
        *weight += c->data.length;
    }
    return true;
}

static bool check_events(const store_batch_t *batch, size_t *weight, nv_error_t *err)
{
    for (size_t i = 0; i < batch->n_events; i++) {
        const store_event_t *e = &batch->events[i];
        if (e->seq < 1 || (i > 0 && e->seq != batch->events[i - 1].seq + 1))
            return nv_fail(err, NV_INVALID_ARGUMENT, "event %" PRId64 ": expected dense numbers from 1",
                           e->seq);
        if (!check_blob("event", e->data, err))
            return false;
        *weight += e->data.length;
    }
    return true;
}

static bool check_pending(const store_batch_t *batch, size_t *weight, nv_error_t *err)
{
    for (size_t i = 0; i < batch->n_pending; i++) {
        if (!check_name("pending task id", batch->pending[i].task_id, err) ||
            !check_blob("pending write", batch->pending[i].data, err))
            return false;
        *weight += batch->pending[i].data.length;
    }
    return true;
}

static bool check_tasks(const store_batch_t *batch, size_t *weight, nv_error_t *err)
{
    for (size_t i = 0; i < batch->n_tasks; i++) {
        const store_task_t *t = &batch->tasks[i];
        if (!check_name("task id", t->task_id, err) || !check_name("task state", t->state, err) ||
            !check_optional("task kind", t->kind, err) ||
            !check_text("task item", t->item, STORE_PATH_MAX, err) ||
            !check_optional("task node", t->node, err) || !check_optional("task pool", t->pool, err) ||
            !check_optional("task session", t->session, err) ||
            !check_optional("idempotency token", t->idempotency_token, err) ||
            !check_blob("task", t->data, err))
            return false;
        *weight += t->data.length;
    }
    return true;
}

static bool check_interrupts(const store_batch_t *batch, nv_error_t *err)
{
    for (size_t i = 0; i < batch->n_interrupts; i++) {
        const store_interrupt_t *it = &batch->interrupts[i];
        if (!check_name("interrupt id", it->interrupt_id, err) ||
            !check_optional("task id", it->task_id, err) || !check_optional("node", it->node, err) ||
            !check_text("question", it->question, STORE_TEXT_MAX, err) ||
            !check_text("answer", it->answer, STORE_TEXT_MAX, err) ||
            !check_text("answered_by", it->answered_by, STORE_PATH_MAX, err) ||
            !check_text("comment", it->comment, STORE_TEXT_MAX, err) || !check_blob("answer", it->data, err))
            return false;
    }
    return true;
}

static bool check_documents(const store_batch_t *batch, nv_error_t *err)
{
    for (size_t i = 0; i < batch->n_artifacts; i++) {
        const store_artifact_t *a = &batch->artifacts[i];
        if (!a->name || !*a->name)
            return nv_fail(err, NV_INVALID_ARGUMENT, "artifact name is empty");
        if (!check_text("artifact name", a->name, STORE_PATH_MAX, err) ||
            !check_sha256(a->name, a->sha256, err) || !check_optional("media type", a->media_type, err) ||
            !check_optional("message type", a->message_type, err))
            return false;
    }
    for (size_t i = 0; i < batch->n_documents; i++)
        if (!check_sha256("document", batch->documents[i], err))
            return false;
    return true;
}

static bool check_epochs(const store_batch_t *batch, nv_error_t *err)
{
    if (batch->create) {
        if (batch->n_events && batch->events[0].seq != 1)
            return nv_fail(err, NV_INVALID_ARGUMENT, "event %" PRId64 ": expected 1, the run is new",
                           batch->events[0].seq);
        return check_run(batch->create, err);
    }
    if (batch->request_id)
        return nv_fail(err, NV_INVALID_ARGUMENT, "a request id: expected one only where a run is created");
    if (batch->new_epoch != 0 && batch->new_epoch <= batch->expect_epoch)
        return nv_fail(err, NV_INVALID_ARGUMENT, "new epoch %" PRId64 ": expected more than %" PRId64,
                       batch->new_epoch, batch->expect_epoch);
    return !batch->change || check_change(batch->change, err);
}

bool batch_check(const store_batch_t *batch, size_t *weight, nv_error_t *err)
{
    *weight = 0;
    return check_name("tenant", batch->tenant, err) && check_name("run id", batch->run_id, err) &&
           check_optional("request id", batch->request_id, err) && check_epochs(batch, err) &&
           check_checkpoints(batch, weight, err) && check_events(batch, weight, err) &&
           check_pending(batch, weight, err) && check_tasks(batch, weight, err) &&
           check_interrupts(batch, err) && check_documents(batch, err);
}

/* One atomic change of one run: its validation before it is queued, and its statements. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/store/internal.h"

/* ---- validation ---- */

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

static bool check_waits(const store_batch_t *batch, nv_error_t *err)
{
    for (size_t i = 0; i < batch->n_timers; i++)
        if (!check_name("timer id", batch->timers[i].timer_id, err) ||
            !check_blob("timer", batch->timers[i].data, err))
            return false;
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
           check_pending(batch, weight, err) && check_tasks(batch, weight, err) && check_waits(batch, err) &&
           check_documents(batch, err);
}

/* ---- applying ---- */

static bool note_row(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)row;
    (void)err;
    *(bool *)arg = true;
    return true;
}

static bool need_document(db_t *db, const char *tenant, const char *sha256, const char *name, nv_error_t *err)
{
    bool found = false;
    if (!db_run(db, DB_DOCUMENT_STAT, DB_PARAMS(db_s(tenant), db_s(sha256)), note_row, &found, err))
        return false;
    return found || nv_fail(err, NV_FAILED_PRECONDITION, "%s: document %s was not uploaded", name, sha256);
}

/* Reads only: comes before anything is written. */
static bool need_documents(db_t *db, const store_batch_t *b, nv_error_t *err)
{
    for (size_t i = 0; i < b->n_artifacts; i++)
        if (!need_document(db, b->tenant, b->artifacts[i].sha256, b->artifacts[i].name, err))
            return false;
    for (size_t i = 0; i < b->n_documents; i++)
        if (!need_document(db, b->tenant, b->documents[i], b->run_id, err))
            return false;
    return true;
}

typedef struct first_text {
    char text[STORE_NAME_MAX + 1];
    bool found;
} first_text_t;

static bool take_first_text(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    first_text_t *out = arg;
    out->found = true;
    snprintf(out->text, sizeof out->text, "%s", (const char *)db_row_bytes(row, 0).data);
    return true;
}

static bool claim_request(db_t *db, const store_batch_t *b, nv_error_t *err)
{
    int64_t changes;
    if (!db_write(db, DB_REQUEST_INSERT,
                  DB_PARAMS(db_s(b->tenant), db_s(b->request_id), db_s(b->run_id),
                            db_i(b->create->created_unix_ms)),
                  &changes, err))
        return false;
    return changes == 1 ||
           nv_fail(err, NV_ALREADY_EXISTS, "request \"%s\" was made at the same time", b->request_id);
}

static bool refuse_used_request(db_t *db, const store_batch_t *b, nv_error_t *err)
{
    first_text_t run = {.found = false};
    if (!db_run(db, DB_REQUEST_FIND, DB_PARAMS(db_s(b->tenant), db_s(b->request_id)), take_first_text, &run,
                err))
        return false;
    return !run.found ||
           nv_fail(err, NV_ALREADY_EXISTS, "request \"%s\" has made run %s already", b->request_id, run.text);
}

static int64_t last_event_of(const store_batch_t *b)
{
    return b->n_events ? b->events[b->n_events - 1].seq : 0;
}

static int64_t last_checkpoint_of(const store_batch_t *b)
{
    return b->n_checkpoints ? b->checkpoints[b->n_checkpoints - 1].seq : 0;
}

static bool create_run(db_t *db, const store_batch_t *b, store_result_t *result, nv_error_t *err)
{
    const store_run_t *r = b->create;
    if (b->request_id && *b->request_id && !refuse_used_request(db, b, err))
        return false;
    int64_t changes;
    if (!db_write(db, DB_RUN_INSERT,
                  DB_PARAMS(db_s(b->tenant), db_s(b->run_id), db_s(r->pool), db_s(r->state), db_s(r->reason),
                            db_s(r->owner), db_s(r->forked_from), db_i(r->epoch), db_i(last_event_of(b)),
                            db_i(last_checkpoint_of(b)), db_i(r->created_unix_ms), db_i(r->finished_unix_ms),
                            db_i(r->round), db_r(r->score), db_b(r->spec), db_b(r->summary)),
                  &changes, err))
        return false;
    if (changes != 1)
        return nv_fail(err, NV_ALREADY_EXISTS, "run %s exists already", b->run_id);
    *result = (store_result_t){.epoch = r->epoch, .revision = 1, .last_event = last_event_of(b)};
    return !b->request_id || !*b->request_id || claim_request(db, b, err);
}

typedef struct versions {
    int64_t epoch, revision, last_event;
    bool found;
} versions_t;

static bool take_changed(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    *(versions_t *)arg = (versions_t){db_row_int(row, 0), db_row_int(row, 1), db_row_int(row, 2), true};
    return true;
}

static bool take_versions(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    *(versions_t *)arg = (versions_t){db_row_int(row, 7), db_row_int(row, 8), db_row_int(row, 9), true};
    return true;
}

/* Why the compare-and-set found no row. */
static bool explain(db_t *db, const store_batch_t *b, nv_error_t *err)
{
    versions_t now = {.found = false};
    if (!db_run(db, DB_RUN_GET, DB_PARAMS(db_s(b->tenant), db_s(b->run_id)), take_versions, &now, err))
        return false;
    if (!now.found)
        return nv_fail(err, NV_NOT_FOUND, "run %s: there is none in this tenant", b->run_id);
    if (now.epoch != b->expect_epoch)
        return nv_fail(err, NV_ABORTED, "run %s is at epoch %" PRId64 ": expected %" PRId64, b->run_id,
                       now.epoch, b->expect_epoch);
    if (b->expect_revision > 0 && now.revision != b->expect_revision)
        return nv_fail(err, NV_ABORTED, "run %s is at revision %" PRId64 ": expected %" PRId64, b->run_id,
                       now.revision, b->expect_revision);
    return nv_fail(err, NV_ABORTED, "run %s has events up to %" PRId64 ": expected the next, not %" PRId64,
                   b->run_id, now.last_event, b->n_events ? b->events[0].seq : 0);
}

/* The common case touches no indexed column, which spares rewriting their index pages. */
static bool advance_run(db_t *db, const store_batch_t *b, db_param_t summary, versions_t *now,
                        nv_error_t *err)
{
    return db_run(db, DB_RUN_ADVANCE,
                  DB_PARAMS(db_i(b->new_epoch), db_i(last_event_of(b)), db_i(last_checkpoint_of(b)), summary,
                            db_s(b->tenant), db_s(b->run_id), db_i(b->expect_epoch), db_i(b->expect_revision),
                            db_i(b->n_events ? b->events[0].seq : 0)),
                  take_changed, now, err);
}

static bool change_columns(db_t *db, const store_batch_t *b, db_param_t summary, versions_t *now,
                           nv_error_t *err)
{
    const store_run_change_t *c = b->change;
    return db_run(db, DB_RUN_CHANGE,
                  DB_PARAMS(db_i(b->new_epoch), db_i(last_event_of(b)), db_i(last_checkpoint_of(b)),
                            db_opt(c->state), db_opt(c->reason), db_opt(c->owner), db_opt(c->pool),
                            db_i(c->finished_unix_ms), db_i(c->round), db_r(c->score), summary,
                            db_s(b->tenant), db_s(b->run_id), db_i(b->expect_epoch), db_i(b->expect_revision),
                            db_i(b->n_events ? b->events[0].seq : 0)),
                  take_changed, now, err);
}

static bool changes_columns(const store_run_change_t *c)
{
    return c && (c->state || c->reason || c->owner || c->pool || c->finished_unix_ms >= 0 || c->round >= 0 ||
                 c->score >= 0);
}

static bool change_run(db_t *db, const store_batch_t *b, store_result_t *result, nv_error_t *err)
{
    bool has_summary = b->change && b->change->summary.data;
    db_param_t summary = has_summary ? db_b(b->change->summary) : (db_param_t){.kind = DB_NULL};
    versions_t now = {.found = false};
    bool ok = changes_columns(b->change) ? change_columns(db, b, summary, &now, err)
                                         : advance_run(db, b, summary, &now, err);
    if (!ok)
        return false;
    if (!now.found)
        return explain(db, b, err);
    *result = (store_result_t){.epoch = now.epoch, .revision = now.revision, .last_event = now.last_event};
    return true;
}

static bool put_checkpoints(db_t *db, const store_batch_t *b, nv_error_t *err)
{
    for (size_t i = 0; i < b->n_checkpoints; i++) {
        const store_checkpoint_t *c = &b->checkpoints[i];
        if (!db_write(db, DB_CHECKPOINT_INSERT,
                      DB_PARAMS(db_s(b->tenant), db_s(b->run_id), db_i(c->seq), db_i(c->parent),
                                db_i(c->step), db_i(c->snapshot), db_i(c->created_unix_ms), db_s(c->nodes),
                                db_i((int64_t)c->data.length), db_b(c->data)),
                      NULL, err))
            return nv_wrap(err, "run %s, checkpoint %" PRId64, b->run_id, c->seq);
    }
    return b->prune_below <= 0 ||
           db_write(db, DB_CHECKPOINT_PRUNE,
                    DB_PARAMS(db_s(b->tenant), db_s(b->run_id), db_i(b->prune_below)), NULL, err);
}

static bool put_pending(db_t *db, const store_batch_t *b, nv_error_t *err)
{
    if (b->clear_pending_through > 0 &&
        !db_write(db, DB_PENDING_CLEAR,
                  DB_PARAMS(db_s(b->tenant), db_s(b->run_id), db_i(b->clear_pending_through)), NULL, err))
        return false;
    for (size_t i = 0; i < b->n_pending; i++) {
        const store_pending_t *p = &b->pending[i];
        if (!db_write(
                db, DB_PENDING_PUT,
                DB_PARAMS(db_s(b->tenant), db_s(b->run_id), db_i(p->step), db_s(p->task_id), db_b(p->data)),
                NULL, err))
            return false;
    }
    return true;
}

static bool put_events(db_t *db, const store_batch_t *b, nv_error_t *err)
{
    for (size_t i = 0; i < b->n_events; i++)
        if (!db_write(
                db, DB_EVENT_INSERT,
                DB_PARAMS(db_s(b->tenant), db_s(b->run_id), db_i(b->events[i].seq), db_b(b->events[i].data)),
                NULL, err))
            return nv_wrap(err, "run %s, event %" PRId64, b->run_id, b->events[i].seq);
    return true;
}

static bool put_tasks(db_t *db, const store_batch_t *b, nv_error_t *err)
{
    for (size_t i = 0; i < b->n_tasks; i++) {
        const store_task_t *t = &b->tasks[i];
        if (!db_write(db, DB_TASK_PUT,
                      DB_PARAMS(db_s(b->tenant), db_s(b->run_id), db_s(t->task_id), db_s(t->kind),
                                db_s(t->item), db_s(t->node), db_s(t->state), db_s(t->pool), db_s(t->session),
                                db_s(t->idempotency_token), db_i(t->attempt), db_i(t->epoch),
                                db_i(t->lease_until_unix_ms), db_i(t->updated_unix_ms), db_b(t->data)),
                      NULL, err))
            return false;
    }
    return true;
}

static bool put_timers(db_t *db, const store_batch_t *b, nv_error_t *err)
{
    for (size_t i = 0; i < b->n_timers; i++) {
        const store_timer_t *t = &b->timers[i];
        bool ok = t->due_unix_ms < 0
                      ? db_write(db, DB_TIMER_DELETE,
                                 DB_PARAMS(db_s(b->tenant), db_s(b->run_id), db_s(t->timer_id)), NULL, err)
                      : db_write(db, DB_TIMER_PUT,
                                 DB_PARAMS(db_s(b->tenant), db_s(b->run_id), db_s(t->timer_id),
                                           db_i(t->due_unix_ms), db_b(t->data)),
                                 NULL, err);
        if (!ok)
            return false;
    }
    return true;
}

static bool put_interrupts(db_t *db, const store_batch_t *b, nv_error_t *err)
{
    for (size_t i = 0; i < b->n_interrupts; i++) {
        const store_interrupt_t *it = &b->interrupts[i];
        if (!db_write(db, DB_INTERRUPT_PUT,
                      DB_PARAMS(db_s(b->tenant), db_s(b->run_id), db_s(it->interrupt_id), db_s(it->task_id),
                                db_s(it->node), db_s(it->question), db_i(it->asked_unix_ms), db_s(it->answer),
                                db_s(it->answered_by), db_s(it->comment), db_i(it->answered_unix_ms),
                                db_b(it->data)),
                      NULL, err))
            return false;
    }
    return true;
}

static bool link_document(db_t *db, const store_batch_t *b, const char *sha256, nv_error_t *err)
{
    return db_write(db, DB_RUN_DOCUMENT_PUT, DB_PARAMS(db_s(b->tenant), db_s(b->run_id), db_s(sha256)), NULL,
                    err);
}

static bool put_artifacts(db_t *db, const store_batch_t *b, nv_error_t *err)
{
    for (size_t i = 0; i < b->n_artifacts; i++) {
        const store_artifact_t *a = &b->artifacts[i];
        if (!db_write(db, DB_ARTIFACT_PUT,
                      DB_PARAMS(db_s(b->tenant), db_s(b->run_id), db_s(a->name), db_s(a->sha256),
                                db_s(a->media_type), db_s(a->message_type), db_i(a->created_unix_ms)),
                      NULL, err) ||
            !link_document(db, b, a->sha256, err))
            return false;
    }
    for (size_t i = 0; i < b->n_documents; i++)
        if (!link_document(db, b, b->documents[i], err))
            return false;
    return true;
}

bool batch_apply(db_t *db, const store_batch_t *b, store_result_t *result, nv_error_t *err)
{
    if (!need_documents(db, b, err))
        return false;
    bool ok = b->create ? create_run(db, b, result, err) : change_run(db, b, result, err);
    return ok && put_checkpoints(db, b, err) && put_pending(db, b, err) && put_events(db, b, err) &&
           put_tasks(db, b, err) && put_timers(db, b, err) && put_interrupts(db, b, err) &&
           put_artifacts(db, b, err);
}

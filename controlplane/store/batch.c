/* One atomic change of one run: its statements. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/store/internal.h"

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

static bool take_changed(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    batch_claim_t *claim = arg;
    claim->found = true;
    claim->result = (store_result_t){
        .epoch = db_row_int(row, 0), .revision = db_row_int(row, 1), .last_event = db_row_int(row, 2)};
    return true;
}

static bool take_versions(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    batch_claim_t *now = arg;
    now->found = true;
    now->result = (store_result_t){
        .epoch = db_row_int(row, 7), .revision = db_row_int(row, 8), .last_event = db_row_int(row, 9)};
    return true;
}

/* Why the compare-and-set found no row. */
static bool explain(db_t *db, const store_batch_t *b, nv_error_t *err)
{
    batch_claim_t run = {.found = false};
    if (!db_run(db, DB_RUN_GET, DB_PARAMS(db_s(b->tenant), db_s(b->run_id)), take_versions, &run, err))
        return false;
    const store_result_t *now = &run.result;
    if (!run.found)
        return nv_fail(err, NV_NOT_FOUND, "run %s: there is none in this tenant", b->run_id);
    if (now->epoch != b->expect_epoch)
        return nv_fail(err, NV_ABORTED, "run %s is at epoch %" PRId64 ": expected %" PRId64, b->run_id,
                       now->epoch, b->expect_epoch);
    if (b->expect_revision > 0 && now->revision != b->expect_revision)
        return nv_fail(err, NV_ABORTED, "run %s is at revision %" PRId64 ": expected %" PRId64, b->run_id,
                       now->revision, b->expect_revision);
    return nv_fail(err, NV_ABORTED, "run %s has events up to %" PRId64 ": expected the next, not %" PRId64,
                   b->run_id, now->last_event, b->n_events ? b->events[0].seq : 0);
}

/* The common case touches no indexed column, which spares rewriting their index pages. */
static bool advance_run(db_t *db, const store_batch_t *b, db_param_t summary, batch_claim_t *claim,
                        nv_error_t *err)
{
    return db_ask(db, DB_RUN_ADVANCE,
                  DB_PARAMS(db_i(b->new_epoch), db_i(last_event_of(b)), db_i(last_checkpoint_of(b)), summary,
                            db_s(b->tenant), db_s(b->run_id), db_i(b->expect_epoch), db_i(b->expect_revision),
                            db_i(b->n_events ? b->events[0].seq : 0)),
                  take_changed, claim, err);
}

static bool change_columns(db_t *db, const store_batch_t *b, db_param_t summary, batch_claim_t *claim,
                           nv_error_t *err)
{
    const store_run_change_t *c = b->change;
    return db_ask(db, DB_RUN_CHANGE,
                  DB_PARAMS(db_i(b->new_epoch), db_i(last_event_of(b)), db_i(last_checkpoint_of(b)),
                            db_opt(c->state), db_opt(c->reason), db_opt(c->owner), db_opt(c->pool),
                            db_i(c->finished_unix_ms), db_i(c->round), db_r(c->score), summary,
                            db_s(b->tenant), db_s(b->run_id), db_i(b->expect_epoch), db_i(b->expect_revision),
                            db_i(b->n_events ? b->events[0].seq : 0)),
                  take_changed, claim, err);
}

static bool changes_columns(const store_run_change_t *c)
{
    return c && (c->state || c->reason || c->owner || c->pool || c->finished_unix_ms >= 0 || c->round >= 0 ||
                 c->score >= 0);
}

bool batch_can_claim(const store_batch_t *b)
{
    /* Documents are looked for before anything is written, so that a missing one harms no neighbour. */
    return !b->create && b->n_artifacts == 0 && b->n_documents == 0;
}

bool batch_claim(db_t *db, const store_batch_t *b, batch_claim_t *claim, nv_error_t *err)
{
    bool has_summary = b->change && b->change->summary.data;
    db_param_t summary = has_summary ? db_b(b->change->summary) : (db_param_t){.kind = DB_NULL};
    claim->found = false;
    return changes_columns(b->change) ? change_columns(db, b, summary, claim, err)
                                      : advance_run(db, b, summary, claim, err);
}

static bool put_checkpoints(db_t *db, const store_batch_t *b, nv_error_t *err)
{
    for (size_t i = 0; i < b->n_checkpoints; i++) {
        const store_checkpoint_t *c = &b->checkpoints[i];
        if (!db_send(db, DB_CHECKPOINT_INSERT,
                     DB_PARAMS(db_s(b->tenant), db_s(b->run_id), db_i(c->seq), db_i(c->parent), db_i(c->step),
                               db_i(c->snapshot), db_i(c->created_unix_ms), db_s(c->nodes),
                               db_i((int64_t)c->data.length), db_b(c->data)),
                     err))
            return nv_wrap(err, "run %s, checkpoint %" PRId64, b->run_id, c->seq);
    }
    return b->prune_below <= 0 ||
           db_send(db, DB_CHECKPOINT_PRUNE, DB_PARAMS(db_s(b->tenant), db_s(b->run_id), db_i(b->prune_below)),
                   err);
}

static bool put_pending(db_t *db, const store_batch_t *b, nv_error_t *err)
{
    if (b->clear_pending_through > 0 &&
        !db_send(db, DB_PENDING_CLEAR,
                 DB_PARAMS(db_s(b->tenant), db_s(b->run_id), db_i(b->clear_pending_through)), err))
        return false;
    for (size_t i = 0; i < b->n_pending; i++) {
        const store_pending_t *p = &b->pending[i];
        if (!db_send(
                db, DB_PENDING_PUT,
                DB_PARAMS(db_s(b->tenant), db_s(b->run_id), db_i(p->step), db_s(p->task_id), db_b(p->data)),
                err))
            return false;
    }
    return true;
}

static bool put_events(db_t *db, const store_batch_t *b, nv_error_t *err)
{
    for (size_t i = 0; i < b->n_events; i++)
        if (!db_send(
                db, DB_EVENT_INSERT,
                DB_PARAMS(db_s(b->tenant), db_s(b->run_id), db_i(b->events[i].seq), db_b(b->events[i].data)),
                err))
            return nv_wrap(err, "run %s, event %" PRId64, b->run_id, b->events[i].seq);
    return true;
}

static bool put_tasks(db_t *db, const store_batch_t *b, nv_error_t *err)
{
    for (size_t i = 0; i < b->n_tasks; i++) {
        const store_task_t *t = &b->tasks[i];
        if (!db_send(db, DB_TASK_PUT,
                     DB_PARAMS(db_s(b->tenant), db_s(b->run_id), db_s(t->task_id), db_s(t->kind),
                               db_s(t->item), db_s(t->node), db_s(t->state), db_s(t->pool), db_s(t->session),
                               db_s(t->idempotency_token), db_i(t->attempt), db_i(t->epoch),
                               db_i(t->lease_until_unix_ms), db_i(t->updated_unix_ms), db_b(t->data)),
                     err))
            return false;
    }
    return true;
}

static bool put_interrupts(db_t *db, const store_batch_t *b, nv_error_t *err)
{
    for (size_t i = 0; i < b->n_interrupts; i++) {
        const store_interrupt_t *it = &b->interrupts[i];
        if (!db_send(db, DB_INTERRUPT_PUT,
                     DB_PARAMS(db_s(b->tenant), db_s(b->run_id), db_s(it->interrupt_id), db_s(it->task_id),
                               db_s(it->node), db_s(it->question), db_i(it->asked_unix_ms), db_s(it->answer),
                               db_s(it->answered_by), db_s(it->comment), db_i(it->answered_unix_ms),
                               db_b(it->data)),
                     err))
            return false;
    }
    return true;
}

static bool link_document(db_t *db, const store_batch_t *b, const char *sha256, nv_error_t *err)
{
    return db_send(db, DB_RUN_DOCUMENT_PUT, DB_PARAMS(db_s(b->tenant), db_s(b->run_id), db_s(sha256)), err);
}

static bool put_artifacts(db_t *db, const store_batch_t *b, nv_error_t *err)
{
    for (size_t i = 0; i < b->n_artifacts; i++) {
        const store_artifact_t *a = &b->artifacts[i];
        if (!db_send(db, DB_ARTIFACT_PUT,
                     DB_PARAMS(db_s(b->tenant), db_s(b->run_id), db_s(a->name), db_s(a->sha256),
                               db_s(a->media_type), db_s(a->message_type), db_i(a->created_unix_ms)),
                     err) ||
            !link_document(db, b, a->sha256, err))
            return false;
    }
    for (size_t i = 0; i < b->n_documents; i++)
        if (!link_document(db, b, b->documents[i], err))
            return false;
    return true;
}

static bool put_all(db_t *db, const store_batch_t *b, nv_error_t *err)
{
    return put_checkpoints(db, b, err) && put_pending(db, b, err) && put_events(db, b, err) &&
           put_tasks(db, b, err) && put_interrupts(db, b, err) && put_artifacts(db, b, err);
}

bool batch_apply_claimed(db_t *db, const store_batch_t *b, const batch_claim_t *claim, store_result_t *result,
                         nv_error_t *err)
{
    if (!claim->found)
        return explain(db, b, err);
    *result = claim->result;
    return put_all(db, b, err);
}

bool batch_apply(db_t *db, const store_batch_t *b, store_result_t *result, nv_error_t *err)
{
    batch_claim_t claim;
    if (!need_documents(db, b, err))
        return false;
    if (b->create)
        return create_run(db, b, result, err) && put_all(db, b, err);
    return batch_claim(db, b, &claim, err) && db->ops->settle(db, err) &&
           batch_apply_claimed(db, b, &claim, result, err);
}

/* The durable side. A transaction is taken whole or not at all, only with the run's present epoch and right after the last
 * event; what the caller hears of it is another matter. */
#include <inttypes.h>

#include "sim.h"

static void keep_record(sim_t *sim, stored_run_t *run, const item_t *item)
{
    if (sim->mutation == MUTATION_LOSE_RECORDS)
        return;
    for (size_t i = 0; i < run->record_count; i++)
        if (run->records[i].id == item->id) {
            run->records[i] = *item;
            return;
        }
    NV_PUSH(sim->ctx, run->records, run->record_count, run->record_capacity) = *item;
}

static void keep_checkpoint(sim_t *sim, stored_run_t *run, const item_t *item)
{
    NV_PUSH(sim->ctx, run->checkpoints, run->checkpoint_count, run->checkpoint_capacity) = *item;
    size_t kept = 0;
    for (size_t i = 0; i < run->record_count; i++)
        if (run->records[i].step >= item->step)
            run->records[kept++] = run->records[i];
    run->record_count = kept;
}

void store_keep_lease(nv_mem_t *ctx, item_t **list, size_t *count, size_t *capacity, const item_t *item)
{
    for (size_t i = 0; i < *count; i++)
        if ((*list)[i].lease.task == item->lease.task) {
            (*list)[i] = *item;
            return;
        }
    NV_PUSH(ctx, *list, *count, *capacity) = *item;
}

static void apply(sim_t *sim, const batch_t *batch)
{
    stored_run_t *run = &sim->store[batch->run];
    if (sim->mutation != MUTATION_FORGET_REFERENCES)
        run->documents |= batch->documents;
    for (size_t i = 0; i < batch->count; i++) {
        const item_t *item = &batch->items[i];
        switch (item->kind) {
        case ITEM_CHECKPOINT:
            keep_checkpoint(sim, run, item);
            break;
        case ITEM_TASK:
            keep_record(sim, run, item);
            break;
        case ITEM_EVENT:
            if (sim->mutation == MUTATION_SKIP_EVENT && sim_below(sim, 50) == 0)
                break;
            check_event(sim, batch->run, item);
            run->last_event = item->id;
            break;
        case ITEM_LEASE:
            store_keep_lease(sim->ctx, &run->leases, &run->lease_count, &run->lease_capacity, item);
            break;
        case ITEM_PRUNE:
            break;
        }
    }
}

bool store_leads(const sim_t *sim, uint64_t term)
{
    return sim->mutation == MUTATION_NO_LEAD_FENCE || term == sim->lead.term;
}

static commit_result_t judge(const sim_t *sim, const batch_t *batch)
{
    const stored_run_t *run = &sim->store[batch->run];
    if (!store_leads(sim, batch->term))
        return COMMIT_DEPOSED;
    if (sim->mutation != MUTATION_NO_CAS &&
        (run->deleted || batch->epoch != run->epoch || batch->after_event != run->last_event))
        return COMMIT_CONFLICT;
    if (sim->mutation != MUTATION_UNCHECKED_DOCUMENTS &&
        !store_has(sim, sim->run_tenant[batch->run], batch->documents))
        return COMMIT_MISSING;
    return COMMIT_OK;
}

commit_result_t store_commit(sim_t *sim, const batch_t *batch)
{
    bool unknown = sim_chance(sim, 25);
    if (unknown && sim_below(sim, 2)) {
        sim->unknown_commits++;
        sim_trace(sim, "commit of %s times out and did not land", run_name(batch->run));
        if (sim_below(sim, 2)) /* yet: the run has been read again by then */
            sim_schedule(sim, 1 + (int64_t)sim_below(sim, 3000), EVENT_LATE_COMMIT)->batch =
                nv_memdup(sim->ctx, batch, sizeof *batch);
        return COMMIT_UNKNOWN;
    }
    commit_result_t judged = judge(sim, batch);
    if (judged == COMMIT_DEPOSED) {
        sim->deposed++;
        sim_trace(sim, "commit of %s refused: another control plane leads", run_name(batch->run));
        return COMMIT_DEPOSED;
    }
    if (judged == COMMIT_MISSING) {
        sim->documents_missing++;
        sim_trace(sim, "commit of %s refused: a document is gone", run_name(batch->run));
        return COMMIT_MISSING;
    }
    if (judged == COMMIT_CONFLICT) {
        sim->conflicts++;
        sim_trace(sim,
                  "commit of %s conflicts: epoch %" PRIu64 " of %" PRIu64 ", after event %" PRIu64
                  " of %" PRIu64,
                  run_name(batch->run), batch->epoch, sim->store[batch->run].epoch, batch->after_event,
                  sim->store[batch->run].last_event);
        return COMMIT_CONFLICT;
    }
    apply(sim, batch);
    if (!unknown)
        return COMMIT_OK;
    sim->unknown_commits++;
    sim_trace(sim, "commit of %s times out and landed", run_name(batch->run));
    return COMMIT_UNKNOWN;
}

/* From a control plane that is dead by now, or has given the answer up. */
void store_apply_late(sim_t *sim, const batch_t *batch)
{
    commit_result_t judged = judge(sim, batch);
    sim->conflicts += judged == COMMIT_CONFLICT;
    sim->deposed += judged == COMMIT_DEPOSED;
    sim->documents_missing += judged == COMMIT_MISSING;
    if (judged != COMMIT_OK)
        return;
    sim_trace(sim, "a late commit of %s lands", run_name(batch->run));
    apply(sim, batch);
}

uint64_t store_claim(sim_t *sim, int run)
{
    return store_leads(sim, sim->control->term) ? ++sim->store[run].epoch : sim->store[run].epoch + 1;
}

bool store_begin_run(sim_t *sim, int run)
{
    if (!store_leads(sim, sim->control->term)) {
        sim->deposed++;
        return false;
    }
    sim->store[run].submitted = true;
    return true;
}

bool store_claim_lead(sim_t *sim)
{
    if (sim->now < sim->lead.until)
        return false;
    sim->lead.until = sim->now + LEAD_TTL_MS;
    sim->control->term = ++sim->lead.term;
    return true;
}

bool store_renew_lead(sim_t *sim)
{
    if (sim->control->term != sim->lead.term)
        return false;
    sim->lead.until = sim->now + LEAD_TTL_MS;
    return true;
}

/* ---- documents and retention ---- */

void store_upload(sim_t *sim, int tenant, uint64_t documents)
{
    for (int i = 0; i < DOCUMENTS; i++)
        if (documents >> i & 1)
            sim->documents[tenant][i] = (stored_document_t){.exists = true, .uploaded_ms = sim->now};
}

bool store_has(const sim_t *sim, int tenant, uint64_t documents)
{
    for (int i = 0; i < DOCUMENTS; i++)
        if (documents >> i & 1 && !sim->documents[tenant][i].exists)
            return false;
    return true;
}

static uint64_t referred_to(const sim_t *sim, int tenant)
{
    uint64_t all = 0;
    for (int i = 0; i < sim->run_count; i++)
        if (sim->run_tenant[i] == tenant)
            all |= sim->store[i].documents;
    return all;
}

static void sweep_documents(sim_t *sim, int tenant)
{
    uint64_t used = referred_to(sim, tenant);
    for (int i = 0; i < DOCUMENTS; i++) {
        stored_document_t *document = &sim->documents[tenant][i];
        if (!document->exists || used >> i & 1 || sim->now - document->uploaded_ms <= RETAIN_DOCUMENTS_MS)
            continue;
        document->exists = false;
        sim->documents_deleted++;
    }
}

/* All but what its end needs. */
static void trim(sim_t *sim, int index)
{
    stored_run_t *run = &sim->store[index];
    size_t first = run->checkpoint_count - 1;
    while (!run->checkpoints[first].snapshot)
        first--;
    for (size_t i = first; i < run->checkpoint_count; i++)
        run->checkpoints[i - first] = run->checkpoints[i];
    run->checkpoint_count -= first;
    run->trimmed = true;
    sim_trace(sim, "%s: %zu checkpoints are past their time", run_name(index), first);
}

static void delete_run(sim_t *sim, int index)
{
    stored_run_t *run = &sim->store[index];
    check_run_end(sim, index); /* nobody can ask later */
    run->checkpoint_count = run->record_count = run->lease_count = 0;
    run->documents = 0;
    run->deleted = true;
    sim->runs_deleted++;
    sim_trace(sim, "%s is past its time", run_name(index));
}

void store_sweep(sim_t *sim)
{
    if (!store_leads(sim, sim->control->term)) {
        sim->deposed++;
        return;
    }
    for (int i = 0; i < sim->run_count; i++) {
        stored_run_t *run = &sim->store[i];
        int64_t age = run->ended && !run->deleted ? sim->now - run->ended_ms : 0;
        if (age > RETAIN_RUNS_MS)
            delete_run(sim, i);
        else if (age > RETAIN_CHECKPOINTS_MS && !run->trimmed)
            trim(sim, i);
    }
    for (int i = 0; i < TENANTS; i++)
        sweep_documents(sim, i);
    check_documents(sim);
}

uint64_t store_boot(sim_t *sim)
{
    return sim->mutation == MUTATION_REUSE_EPOCHS ? 1 : ++sim->boots;
}

bool store_load(sim_t *sim, int index, nv_super_run_t *into)
{
    nv_error_t err = NV_ERROR_INIT;
    const stored_run_t *run = &sim->store[index];
    size_t first = run->checkpoint_count - 1;
    while (!run->checkpoints[first].snapshot)
        first--;
    bool ok = true;
    for (size_t i = first; ok && i < run->checkpoint_count; i++)
        ok = nv_graph_decode_checkpoint(nv_super_graph_run(into), run->checkpoints[i].bytes, &err);
    for (size_t i = 0; ok && i < run->record_count; i++)
        ok = nv_graph_decode_task(nv_super_graph_run(into), run->records[i].bytes, &err);
    if (!ok)
        sim_violation(sim, "%s cannot be loaded: %s", run_name(index), err.message);
    return ok;
}

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

static bool may_commit(sim_t *sim, const batch_t *batch)
{
    const stored_run_t *run = &sim->store[batch->run];
    return sim->mutation == MUTATION_NO_CAS ||
           (batch->epoch == run->epoch && batch->after_event == run->last_event);
}

commit_result_t store_commit(sim_t *sim, const batch_t *batch)
{
    bool unknown = sim_chance(sim, 25);
    if (unknown && sim_below(sim, 2)) {
        sim->unknown_commits++;
        sim_trace(sim, "commit of %s times out and did not land", run_name(batch->run));
        return COMMIT_UNKNOWN;
    }
    if (!may_commit(sim, batch)) {
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

/* From a control plane that is dead by now. */
void store_apply_late(sim_t *sim, const batch_t *batch)
{
    if (!may_commit(sim, batch)) {
        sim->conflicts++;
        return;
    }
    sim_trace(sim, "a late commit of %s lands", run_name(batch->run));
    apply(sim, batch);
}

uint64_t store_claim(sim_t *sim, int run)
{
    return ++sim->store[run].epoch;
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

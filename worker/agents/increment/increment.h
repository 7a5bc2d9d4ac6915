/* A further batch for a pipeline that is deployed already: its design and its code stay, the batch is held against the
 * mapping, its files are landed beside the earlier ones, and the job runs.
 *
 * `deploy` leaves a DeployedProject in the volume beside the raw files; that document, and no memory of the control plane,
 * says what the pipeline expects. It comes from outside and is decoded as such. */
#ifndef WORKER_AGENTS_INCREMENT_H
#define WORKER_AGENTS_INCREMENT_H

#include "nuvyn/profile.pb-c.h"
#include "nuvyn/quality.pb-c.h"
#include "nuvyn/sttm.pb-c.h"
#include "worker/agents/connection/connection.h"

/* The run brings a batch to a deployed project instead of designing one. */
bool increment_is(const agent_task_t *task);

/* The project that the run's spec names, as it was deployed last. FAILED_PRECONDITION when none is. */
bool increment_load(agent_task_t *task, nv_mem_t *ctx, Nv__DeployedProject **out,
                    nv_error_t *err) NV_MUST_CHECK;
bool increment_save(connection_t *to, nv_mem_t *ctx, const Nv__DeployedProject *project,
                    nv_error_t *err) NV_MUST_CHECK;

/* Name of the review's checks that tell what differs from what the pipeline was made for. */
#define INCREMENT_DRIFT "drift"

typedef struct increment_batch {
    Nv__Sttm *sttm;  /* the deployed mapping, with the batch's files among its sources' files; below ctx */
    char **findings; /* what differs from what the pipeline was made for, a sentence each */
    size_t n_findings;
    int32_t number;  /* 1: the first after the full load */
    size_t n_tables; /* of the mapping that the batch brings files for */
    size_t n_new;    /* files that were not landed before */
    size_t n_known;  /* files whose content an earlier batch brought */
} increment_batch_t;

/* Pure. Finds each profiled table's source by file pattern or name, and refuses what the pipeline cannot read: columns that
 * are missing, another delimiter or encoding (FAILED_PRECONDITION, naming file and column). New columns, new tables, other
 * types and dates beyond the date dimension are findings. source: the batch's folder. */
bool increment_adopt(nv_mem_t *ctx, const Nv__Sttm *deployed, const char *source,
                     const Nv__TableProfile *const *profiles, size_t n_profiles, increment_batch_t *out,
                     nv_error_t *err) NV_MUST_CHECK;

#endif

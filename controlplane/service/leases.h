/* Who holds which lease now: what every thread asks before it believes a worker.
 *
 * The engine writes (assignment, end); streams and document calls read. A worker's own word about the tenant of a lease
 * is never used: the tenant comes from here. Threads: any.
 */
#ifndef CONTROLPLANE_SERVICE_LEASES_H
#define CONTROLPLANE_SERVICE_LEASES_H

#include "common/core/error.h"
#include "common/core/mem.h"
#include "common/identity/spiffe.h"
#include "nuvyn/worker.pb-c.h"

#include <stdint.h>

enum { CP_RUN_ID_MAX = 63, CP_SESSION_MAX = 32 };

typedef struct cp_leases cp_leases_t;

/* One assignment: which task, and whose it is. */
typedef struct cp_holder {
    char run[CP_RUN_ID_MAX + 1];
    uint64_t task;
    uint32_t attempt;
    uint64_t epoch;
    char tenant[NV_IDENTITY_NAME_MAX + 1];
    char pool[NV_IDENTITY_NAME_MAX + 1];
    char session[CP_SESSION_MAX + 1];
    char worker[NV_SPIFFE_MAX + 1]; /* SPIFFE ID */
    int64_t scheduled_us;           /* CLOCK_MONOTONIC: when it was queued */
} cp_holder_t;

cp_leases_t *cp_leases_new(void);
void cp_leases_free(cp_leases_t *leases);

void cp_leases_grant(cp_leases_t *leases, const cp_holder_t *holder);
void cp_leases_end(cp_leases_t *leases, uint64_t epoch);
/* A worker that came back keeps its lease under the new session. */
void cp_leases_move(cp_leases_t *leases, uint64_t epoch, const char *session);

/* The holder of exactly this lease, when it is this worker (by SPIFFE ID) and, where session is not NULL, this session.
 * ABORTED otherwise, without saying why: a stranger learns nothing. */
bool cp_leases_find(cp_leases_t *leases, const Nv__Lease *lease, const char *worker, const char *session,
                    cp_holder_t *out, nv_error_t *err) NV_MUST_CHECK;

/* "123" -> 123; 0 when it is no task number. */
uint64_t cp_task_number(const char *text);

#endif

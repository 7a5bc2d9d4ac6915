/* Leadership among control planes that share a database: one leads and serves, the others stand by.
 *
 * Correctness does not rest on it: every change of a run is compare-and-set on the run's epoch, which a new leader raises.
 * Leadership keeps two from working on the same runs, and tells workers and clients where to go: only the leader listens.
 * Threads: one.
 */
#ifndef CONTROLPLANE_SERVICE_LEAD_H
#define CONTROLPLANE_SERVICE_LEAD_H

#include "common/core/log.h"
#include "controlplane/store/store.h"

typedef struct cp_lead {
    store_t *store; /* borrowed, as all pointers */
    nv_log_t *log;
    const char *owner;   /* unique for each start */
    const char *address; /* what it will listen on */
    int64_t ttl_ms;
    int64_t floor;      /* epochs used before the database counted them */
    int64_t epoch;      /* out: this term's */
    int64_t renewed_ms; /* CLOCK_MONOTONIC */
    bool leads;
    char told[256]; /* who it stands by for, as logged last */
} cp_lead_t;

/* One try. False with err set only when the store cannot be asked. */
bool cp_lead_try(cp_lead_t *lead, nv_error_t *err) NV_MUST_CHECK;
/* Call at least every ttl/3. False: the lead is lost, or was out of touch with the database for so long that another may have
 * it; stop serving at once. */
bool cp_lead_keep(cp_lead_t *lead, nv_error_t *err) NV_MUST_CHECK;
/* In good order, so that nobody has to wait for the end of the term. */
void cp_lead_leave(cp_lead_t *lead);

#endif

#include "controlplane/service/lead.h"

#include "common/rpc/rpc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Out of touch for so many terms: workers that are connected here would wait for ever. */
enum { TERMS_OUT_OF_TOUCH = 6 };

static void tell(cp_lead_t *lead, const store_leader_t *leader)
{
    char text[sizeof lead->told];
    snprintf(text, sizeof text, "%.160s at %.80s", leader->owner, leader->address);
    if (strcmp(text, lead->told) == 0)
        return;
    memcpy(lead->told, text, sizeof text);
    nv_log(lead->log, NV_INFO, "lead", "standing by", "leader", text, NULL);
}

bool cp_lead_try(cp_lead_t *lead, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("lead");
    store_leader_t wanted = {.owner = lead->owner, .address = lead->address, .epoch = lead->floor}, leader;
    int64_t now = nv_rpc_now_ms();
    if (!store_leader_claim(lead->store, ctx, &wanted, lead->ttl_ms, &lead->leads, &leader, err))
        return false;
    if (!lead->leads) {
        tell(lead, &leader);
        return true;
    }
    char epoch[32];
    lead->epoch = leader.epoch;
    lead->renewed_ms = now;
    snprintf(epoch, sizeof epoch, "%" PRId64, leader.epoch);
    nv_log(lead->log, NV_INFO, "lead", "leading", "epoch", epoch, NULL);
    return true;
}

bool cp_lead_keep(cp_lead_t *lead, nv_error_t *err)
{
    store_leader_t leader = {.owner = lead->owner, .address = lead->address, .epoch = lead->epoch};
    nv_error_t why = NV_ERROR_INIT;
    int64_t now = nv_rpc_now_ms();
    if (!lead->leads || now - lead->renewed_ms < lead->ttl_ms / 3)
        return true;
    if (store_leader_renew(lead->store, &leader, lead->ttl_ms, &why)) {
        lead->renewed_ms = now;
        return true;
    }
    nv_log(lead->log, NV_WARN, "lead", "not renewed", "reason", why.message, NULL);
    if (why.code != NV_ABORTED && now - lead->renewed_ms < TERMS_OUT_OF_TOUCH * lead->ttl_ms)
        return true; /* nobody else can take it while the database is away */
    lead->leads = false;
    *err = why;
    return nv_wrap(err, "this control plane does not lead any more");
}

void cp_lead_leave(cp_lead_t *lead)
{
    store_leader_t leader = {.owner = lead->owner, .address = lead->address, .epoch = lead->epoch};
    nv_error_t err = NV_ERROR_INIT;
    if (!lead->leads)
        return;
    lead->leads = false;
    if (!store_leader_renew(lead->store, &leader, 0, &err))
        nv_log(lead->log, NV_WARN, "lead", "not given up in good order", "reason", err.message, NULL);
}

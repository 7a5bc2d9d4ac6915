/* How often each tenant may begin runs: one token bucket each. Pure: the time comes in. One thread at a time. */
#ifndef CONTROLPLANE_SERVICE_RATE_H
#define CONTROLPLANE_SERVICE_RATE_H

#include "common/core/error.h"
#include "common/core/mem.h"

#include <stdint.h>

typedef struct cp_rate cp_rate_t;

/* per_minute 0: no limit. A tenant that was quiet may begin `burst` at once. */
cp_rate_t *cp_rate_new(nv_mem_t *ctx, uint32_t per_minute, uint32_t burst);
/* RESOURCE_EXHAUSTED tells when to try again. now_ms: monotonic. */
bool cp_rate_take(cp_rate_t *rate, const char *tenant, int64_t now_ms, nv_error_t *err) NV_MUST_CHECK;

#endif

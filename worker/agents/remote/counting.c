#include "worker/agents/remote/counting.h"

#include <string.h>

#include "worker/agents/remote/remote.h"
#include "worker/agents/task/task.h"
#include "worker/pushdown/counts.h"
#include "worker/rawdata/rawdata.h"

struct counting {
    rawdata_t *local; /* or */
    pushdown_counts_t *pushed;
};

/* Every table was profiled in the workspace. */
static bool is_remote(const Nv__Profile *profile)
{
    for (size_t i = 0; i < profile->n_tables; i++)
        if (strncmp(profile->tables[i]->engine, "warehouse", 9) != 0)
            return false;
    return profile->n_tables > 0;
}

bool counting_open(agent_task_t *task, nv_mem_t *ctx, const Nv__Profile *profile, counting_t **out,
                   nv_error_t *err)
{
    counting_t *counting = NV_NEW(ctx, counting_t);
    bool ok;
    if (is_remote(profile)) {
        remote_data_t *remote = NV_NEW(counting, remote_data_t);
        ok = remote_open(task, counting, remote, err);
        if (ok)
            counting->pushed = pushdown_counts(counting, &remote->engine, profile);
    } else {
        rawdata_options_t options = {.cancelled = task_cancelled, .cancelled_arg = task};
        ok = rawdata_open(counting, profile, &options, &counting->local, err);
    }
    if (!ok) {
        nv_mem_free(counting);
        return false;
    }
    *out = counting;
    return true;
}

discovery_exact_t counting_exact(counting_t *counting)
{
    return counting->pushed ? pushdown_counts_exact(counting->pushed) : rawdata_exact(counting->local);
}

bool counting_count(counting_t *counting, const discovery_check_t *check, discovery_counts_t *out,
                    nv_error_t *err)
{
    discovery_exact_t exact = counting_exact(counting);
    return exact.count(exact.self, check, 1, out, err);
}

const char *counting_last_sql(const counting_t *counting)
{
    return counting->pushed ? pushdown_counts_last_sql(counting->pushed) : rawdata_last_sql(counting->local);
}

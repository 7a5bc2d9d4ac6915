#include "worker/agents/remote/remote.h"

enum { WAREHOUSE_WAIT_MS = 10 * 60 * 1000 };

bool remote_open(agent_task_t *task, nv_mem_t *ctx, remote_data_t *out, nv_error_t *err)
{
    if (!connection_open(task, ctx, "default", &out->to, err) ||
        !databricks_use_warehouse(out->to.db, ctx, out->to.warehouse_id, WAREHOUSE_WAIT_MS, &out->warehouse,
                                  err))
        return nv_wrap(err, "data that only the workspace reaches");
    out->engine = pushdown_on_warehouse(ctx, out->to.db, out->warehouse.id);
    return true;
}

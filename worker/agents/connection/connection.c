#include "worker/agents/connection/connection.h"
#include "worker/agents/task/task.h"

static bool refresh(void *arg, nv_mem_t *ctx, char **token, nv_error_t *err)
{
    agent_task_t *task = arg;
    Nv__DatabricksCredential *credential;
    if (!task->ops->databricks(task->host, ctx, &credential, err))
        return nv_wrap(err, "new workspace credential");
    *token = nv_strdup(ctx, credential->access_token);
    return true;
}

static const char *first_set(const char *a, const char *b, const char *c)
{
    return a && a[0] ? a : b && b[0] ? b : c;
}

bool connection_open(agent_task_t *task, nv_mem_t *ctx, const char *project, connection_t *out,
                     nv_error_t *err)
{
    const Nv__RunSpec *spec = task->assignment->spec;
    Nv__DatabricksCredential *c;
    if (!task->ops->databricks(task->host, ctx, &c, err)) {
        if (err->code == NV_NOT_FOUND)
            err->code = NV_FAILED_PRECONDITION;
        return nv_wrap(err, "the tenant's workspace credential");
    }
    databricks_options_t options = {.host = c->host,
                                    .token = c->access_token,
                                    .refresh = refresh,
                                    .refresh_arg = task,
                                    .traceparent = task->assignment->traceparent,
                                    .ca_pem = c->ca_pem[0] ? c->ca_pem : NULL,
                                    .cancelled = task_cancelled,
                                    .cancelled_arg = task};
    if (!databricks_new(ctx, &options, &out->db, err))
        return false;
    out->catalog = first_set(spec ? spec->catalog : NULL, c->catalog, "main");
    out->schema = first_set(spec ? spec->schema : NULL, c->schema, project);
    out->volume = first_set(c->volume, "raw", NULL);
    out->warehouse_id = c->warehouse_id;
    out->root = c->root;
    if (out->root[0])
        return true;
    databricks_user_t me;
    if (!databricks_me(out->db, ctx, &me, err))
        return nv_wrap(err, "the workspace's user");
    out->root = nv_printf(ctx, "/Users/%s/nuvyn", me.user_name);
    return true;
}

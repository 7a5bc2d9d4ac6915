/* Where the deployed project's own description lies, and how it is read and written. */
#include "common/contract/codec.h"
#include "worker/agents/increment/increment.h"
#include "worker/design/identifiers.h"

enum { DEPLOYED_MAX = 64 * 1024 * 1024 };

bool increment_is(const agent_task_t *task)
{
    const Nv__RunSpec *spec = task->assignment->spec;
    return spec != NULL && spec->increment_of != NULL && spec->increment_of[0] != '\0';
}

static char *place(nv_mem_t *ctx, const connection_t *to, const char *project)
{
    return nv_printf(ctx, "/Volumes/%s/%s/%s/_manifests/%s.deployed.json", to->catalog, to->schema,
                     to->volume, project);
}

bool increment_load(agent_task_t *task, nv_mem_t *ctx, Nv__DeployedProject **out, nv_error_t *err)
{
    const char *given = task->assignment->spec->increment_of;
    char *project = identifier_make(ctx, given, "warehouse");
    connection_t to;
    char *text;
    size_t length;
    ProtobufCMessage *message;
    if (!connection_open(task, ctx, project, &to, err))
        return false;
    char *path = place(ctx, &to, project);
    if (!databricks_download(to.db, ctx, path, DEPLOYED_MAX, &text, &length, err)) {
        if (err->code != NV_NOT_FOUND)
            return nv_wrap(err, "what is deployed of %s", given);
        nv_error_clear(err);
        return nv_fail(err, NV_FAILED_PRECONDITION,
                       "no pipeline of project \"%s\" is deployed in %s.%s (%s is not there): run its first "
                       "folder in full before bringing in a batch",
                       given, to.catalog, to.schema, path);
    }
    if (!nv_json_decode(ctx, &nv__deployed_project__descriptor, path, text, length, NV_CODEC_IGNORE_UNKNOWN,
                        &message, err))
        return nv_wrap(err, "what is deployed of %s", given);
    *out = (Nv__DeployedProject *)message;
    if ((*out)->sttm && (*out)->deployment)
        return true;
    return nv_fail(err, NV_DATA_LOSS, "%s: expected a mapping and a deployment", path);
}

bool increment_save(connection_t *to, nv_mem_t *ctx, const Nv__DeployedProject *project, nv_error_t *err)
{
    char *text;
    size_t length;
    char *path = place(ctx, to, project->sttm->name);
    if (!nv_json_encode(ctx, &project->base, NV_CODEC_NUMBERS, &text, &length, err) ||
        !databricks_upload_bytes(to->db, path, text, length, true, err))
        return nv_wrap(err, "%s", path);
    return true;
}

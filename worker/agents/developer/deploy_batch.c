/* deploy of a further batch: its files are landed beside the earlier ones. Notebooks and job are the tenant's by now, perhaps
 * with changes of their own, and are not touched. */
#include "worker/agents/developer/upload.h"
#include "worker/agents/increment/increment.h"
#include "worker/agents/increment/increment_agents.h"

#include <inttypes.h>

static bool check_job(connection_t *to, nv_mem_t *ctx, const Nv__Deployment *deployment, nv_error_t *err)
{
    int64_t *ids;
    size_t n;
    if (!databricks_find_jobs(to->db, ctx, deployment->job_name, &ids, &n, err))
        return nv_wrap(err, "job %s", deployment->job_name);
    for (size_t i = 0; i < n; i++)
        if (ids[i] == deployment->job_id)
            return true;
    return nv_fail(err, NV_FAILED_PRECONDITION,
                   "job \"%s\" (%" PRId64 ") is no longer in the workspace: run in full to deploy it again",
                   deployment->job_name, deployment->job_id);
}

static bool land(agent_task_t *task, nv_mem_t *ctx, Nv__DeployedProject *project, upload_result_t *files,
                 nv_error_t *err)
{
    connection_t to;
    if (!connection_open(task, ctx, project->sttm->name, &to, err) ||
        !check_job(&to, ctx, project->deployment, err) ||
        !upload_sources(task, ctx, &to, project->sttm, files, err))
        return false;
    project->run_id = task->assignment->lease->run_id;
    project->deployment->uploaded = files->uploaded;
    project->deployment->n_uploaded = files->n_uploaded;
    project->deployment->created = false;
    return increment_save(&to, ctx, project, err);
}

bool increment_deploy(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    Nv__DeployedProject *project;
    ProtobufCMessage *sttm;
    upload_result_t files;
    *out = (agent_result_t){.outcome = "done", .blame = "", .usage = NV__TASK_USAGE__INIT};
    if (!task_input(task, ctx, "sttm", 0, &nv__sttm__descriptor, &sttm, err) ||
        !increment_load(task, ctx, &project, err))
        return nv_wrap(err, "deploy");
    project->sttm = (Nv__Sttm *)sttm;
    if (!land(task, ctx, project, &files, err) ||
        !task_write(task, "deployment", &project->deployment->base, err))
        return nv_wrap(err, "deploy");
    task_say(task, "log", "%zu files landed (%zu were there), notebooks and job %s unchanged",
             files.n_uploaded, files.n_unchanged, project->deployment->job_name);
    return true;
}

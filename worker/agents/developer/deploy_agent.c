/* deploy: notebooks, raw files and the job into the tenant's workspace. Every step is one that may be done twice. */
#include "common/core/json.h"
#include "worker/agents/developer/upload.h"
#include "worker/agents/increment/increment.h"
#include "worker/agents/task/task.h"

#include <string.h>

enum { SETTINGS_MAX = 8 * 1024 * 1024 };

typedef struct deployment {
    agent_task_t *task;
    nv_mem_t *ctx;
    connection_t to;
    const Nv__Sttm *sttm;
    const Nv__Project *project;
    const char *root;
    upload_result_t files;
    char **notebooks;
    size_t n_notebooks;
    int64_t job_id;
    const char *job_name;
    bool created;
} deployment_t;

/* "notebooks/10_bronze.py" -> "notebooks/10_bronze" */
static char *without_extension(nv_mem_t *ctx, const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot ? nv_strndup(ctx, path, (size_t)(dot - path)) : nv_strdup(ctx, path);
}

static bool import_files(deployment_t *d, nv_error_t *err)
{
    d->notebooks = NV_NEW_ARRAY(d->ctx, char *, d->project->n_files + 1);
    static const char *const folders[] = {"notebooks", "tests"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        if (!databricks_mkdirs(d->to.db, nv_printf(d->ctx, "%s/%s", d->root, folders[i]), err))
            return nv_wrap(err, "workspace folder %s/%s", d->root, folders[i]);
    for (size_t i = 0; i < d->project->n_files; i++) {
        const Nv__ProjectFile *file = d->project->files[i];
        task_progress(d->task, "progress", (int64_t)i + 1, (int64_t)d->project->n_files, "%s", file->path);
        char *path = nv_printf(d->ctx, "%s/%s", d->root,
                               file->notebook ? without_extension(d->ctx, file->path) : file->path);
        bool ok = file->notebook
                      ? databricks_import_notebook(d->to.db, path, "PYTHON", file->content, err)
                      : databricks_import_file(d->to.db, path, file->content, strlen(file->content), err);
        if (!ok)
            return nv_wrap(err, "import of %s", path);
        if (file->notebook)
            d->notebooks[d->n_notebooks++] = path;
    }
    return true;
}

static bool make_places(deployment_t *d, nv_error_t *err)
{
    if (!databricks_ensure_catalog(d->to.db, d->to.catalog, err))
        return nv_wrap(err, "catalog %s", d->to.catalog);
    if (!databricks_ensure_schema(d->to.db, d->to.catalog, d->to.schema, err))
        return nv_wrap(err, "schema %s.%s", d->to.catalog, d->to.schema);
    if (!databricks_ensure_volume(d->to.db, d->to.catalog, d->to.schema, d->to.volume, err))
        return nv_wrap(err, "volume %s.%s.%s", d->to.catalog, d->to.schema, d->to.volume);
    return true;
}

/* The value that this deployment gives a job parameter; NULL: the project's default. */
static const char *parameter_value(const deployment_t *d, const char *name)
{
    if (strcmp(name, "catalog") == 0)
        return d->to.catalog;
    if (strcmp(name, "schema") == 0)
        return d->to.schema;
    return strcmp(name, "volume") == 0 ? d->files.folder : NULL;
}

static void put_parameters(const deployment_t *d, nv_json_writer_t *w, const nv_json_t *parameters)
{
    nv_json_open_array(w, "parameters");
    for (size_t i = 0; i < nv_json_size(parameters); i++) {
        const char *name = nv_json_string_or(nv_json_at(parameters, i), "name", "");
        const char *value = parameter_value(d, name);
        nv_json_open_object(w, NULL);
        nv_json_put_string(w, "name", name);
        nv_json_put_string(w, "default",
                           value ? value : nv_json_string_or(nv_json_at(parameters, i), "default", ""));
        nv_json_close_object(w);
    }
    nv_json_close_array(w);
}

/* Tasks as they are, with notebook paths below the deployment's root. */
static void put_tasks(const deployment_t *d, nv_json_writer_t *w, const nv_json_t *tasks)
{
    nv_json_open_array(w, "tasks");
    for (size_t i = 0; i < nv_json_size(tasks); i++) {
        const nv_json_t *task = nv_json_at(tasks, i);
        nv_json_open_object(w, NULL);
        for (size_t k = 0; k < nv_json_size(task); k++) {
            const char *key = nv_json_key_at(task, k);
            const char *path = nv_json_string_or(nv_json_at(task, k), "notebook_path", NULL);
            if (!path) {
                nv_json_put_value(w, key, nv_json_at(task, k));
                continue;
            }
            nv_json_open_object(w, key);
            nv_json_put_string(w, "notebook_path", nv_printf(d->ctx, "%s/%s", d->root, path));
            nv_json_put_string(w, "source", "WORKSPACE");
            nv_json_close_object(w);
        }
        nv_json_close_object(w);
    }
    nv_json_close_array(w);
}

static bool job_settings(deployment_t *d, char **out, nv_error_t *err)
{
    const nv_json_t *job;
    nv_json_writer_t w = nv_json_writer_make(d->ctx, SETTINGS_MAX, false);
    if (!nv_json_parse(d->ctx, "job settings", d->project->job_settings, strlen(d->project->job_settings),
                       &job, err))
        return false;
    d->job_name = nv_printf(d->ctx, "%s (%s.%s)", nv_json_string_or(job, "name", d->project->name),
                            d->to.catalog, d->to.schema);
    nv_json_open_object(&w, NULL);
    for (size_t i = 0; i < nv_json_size(job); i++) {
        const char *key = nv_json_key_at(job, i);
        if (strcmp(key, "name") == 0)
            nv_json_put_string(&w, key, d->job_name);
        else if (strcmp(key, "parameters") == 0)
            put_parameters(d, &w, nv_json_at(job, i));
        else if (strcmp(key, "tasks") == 0)
            put_tasks(d, &w, nv_json_at(job, i));
        else
            nv_json_put_value(&w, key, nv_json_at(job, i));
    }
    nv_json_close_object(&w);
    return nv_json_write_end(&w, "job settings", out, NULL, err);
}

static bool put_job(deployment_t *d, nv_error_t *err)
{
    char *settings;
    if (!job_settings(d, &settings, err) ||
        !databricks_put_job(d->to.db, settings, &d->job_id, &d->created, err))
        return nv_wrap(err, "job %s", d->job_name ? d->job_name : d->project->name);
    return true;
}

/* For the runs that will bring in further batches. */
static bool leave_description(deployment_t *d, Nv__Deployment *result, nv_error_t *err)
{
    Nv__DeployedProject left = NV__DEPLOYED_PROJECT__INIT;
    ProtobufCMessage *design;
    if (!task_latest(d->task, d->ctx, "design", &nv__star_schema__descriptor, &design, err))
        return false;
    left.run_id = d->task->assignment->lease ? d->task->assignment->lease->run_id : left.run_id;
    left.design = (Nv__StarSchema *)design;
    left.sttm = (Nv__Sttm *)d->sttm;
    left.deployment = result;
    return increment_save(&d->to, d->ctx, &left, err);
}

static bool write_result(deployment_t *d, nv_error_t *err)
{
    Nv__Deployment result = NV__DEPLOYMENT__INIT;
    result.host = nv_strdup(d->ctx, databricks_host(d->to.db));
    result.root = nv_strdup(d->ctx, d->root);
    result.job_id = d->job_id;
    result.job_name = nv_strdup(d->ctx, d->job_name);
    result.volume = nv_strdup(d->ctx, d->files.folder);
    result.catalog = nv_strdup(d->ctx, d->to.catalog);
    result.schema = nv_strdup(d->ctx, d->to.schema);
    result.notebooks = d->notebooks;
    result.n_notebooks = d->n_notebooks;
    result.uploaded = d->files.uploaded;
    result.n_uploaded = d->files.n_uploaded;
    result.created = d->created;
    return leave_description(d, &result, err) && task_write(d->task, "deployment", &result.base, err);
}

bool agent_deploy(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    ProtobufCMessage *sttm;
    ProtobufCMessage *project;
    if (!task_input(task, ctx, "sttm", 0, &nv__sttm__descriptor, &sttm, err) ||
        !task_input(task, ctx, "project", 0, &nv__project__descriptor, &project, err))
        return nv_wrap(err, "deploy");
    deployment_t d = {.task = task, .ctx = ctx, .sttm = (Nv__Sttm *)sttm, .project = (Nv__Project *)project};
    if (!connection_open(task, ctx, d.project->name, &d.to, err))
        return nv_wrap(err, "deploy");
    d.root = nv_printf(ctx, "%s/%s", d.to.root, d.project->name);
    if (!make_places(&d, err) || !upload_sources(task, ctx, &d.to, d.sttm, &d.files, err) ||
        !import_files(&d, err) || !put_job(&d, err) || !write_result(&d, err))
        return nv_wrap(err, "deploy");
    task_say(task, "log", "%zu notebooks in %s, %zu files sent (%zu unchanged), job %s %s", d.n_notebooks,
             d.root, d.files.n_uploaded, d.files.n_unchanged, d.job_name, d.created ? "created" : "reset");
    out->outcome = "done";
    out->blame = "";
    return true;
}

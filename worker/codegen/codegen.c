#include "worker/codegen/codegen.h"

#include "worker/codegen/emit.h"

enum { EMITTED_FILES = 12 };

typedef bool (*emit_fn)(nv_mem_t *ctx, const Nv__Sttm *sttm, Nv__ProjectFile **out, nv_error_t *err);

/* One notebook each, in the order in which the job runs them. */
static bool add_notebooks(nv_mem_t *ctx, const Nv__Sttm *sttm, Nv__Project *project, nv_error_t *err)
{
    static const emit_fn before[] = {emit_sources, emit_setup, emit_bronze, emit_silver};
    static const emit_fn after[] = {emit_quality, emit_maintenance, emit_rollback, emit_readme};
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++)
        if (!before[i](ctx, sttm, &project->files[project->n_files++], err))
            return false;
    for (size_t i = 0; i < sttm->n_targets; i++)
        if (!emit_target(ctx, sttm, sttm->targets[i], &project->files[project->n_files++], err))
            return false;
    for (size_t i = 0; i < sizeof after / sizeof after[0]; i++)
        if (!after[i](ctx, sttm, &project->files[project->n_files++], err))
            return false;
    return true;
}

bool codegen_project(nv_mem_t *ctx, const Nv__Sttm *sttm, Nv__Project **out, nv_error_t *err)
{
    if (!model_check(ctx, sttm, err))
        return false;
    Nv__Project *project = NV_NEW(ctx, Nv__Project);
    nv__project__init(project);
    project->name = nv_strdup(ctx, sttm->name);
    project->method = nv_strdup(ctx, "mapping");
    project->files = NV_NEW_ARRAY(ctx, Nv__ProjectFile *, sttm->n_targets + fixed_count + EMITTED_FILES);
    for (size_t i = 0; i < fixed_count; i++)
        project->files[project->n_files++] = fixed_file(ctx, i);
    if (!add_notebooks(ctx, sttm, project, err) || !emit_job(ctx, sttm, &project->job_settings, err))
        return false;
    project->files[project->n_files++] = project_file(ctx, "job.json", project->job_settings, false);
    if (!emit_bundle(ctx, sttm, project->job_settings, &project->files[project->n_files++], err))
        return false;
    *out = project;
    return true;
}

#include "worker/codegen/codegen.h"

#include "worker/codegen/emit.h"

/* worker/codegen/runtime/nuvyn_runtime.py, byte for byte; see CMakeLists.txt. */
extern const char codegen_runtime_notebook[];

enum { FIXED_FILES = 9 };

/* A PARSES rule that is to fail the run, and QUARANTINE on what is no single row, are carried out a step weaker. */
static size_t note_weaker_rules(nv_mem_t *ctx, const Nv__Sttm *sttm, char ***out)
{
    size_t n = 0;
    size_t capacity = 0;
    char **notes = NULL;
    for (size_t i = 0; i < sttm->n_sources; i++)
        for (size_t k = 0; k < sttm->sources[i]->n_rules; k++) {
            const Nv__QualityRule *rule = sttm->sources[i]->rules[k];
            if (rule->kind == NV__RULE_KIND__RULE_KIND_REFERENCE &&
                rule->severity == NV__SEVERITY__SEVERITY_QUARANTINE)
                NV_PUSH(ctx, notes, n, capacity) = nv_printf(
                    ctx,
                    "%s: orphans are not quarantined: they are loaded with the unknown member and warned of",
                    rule->id);
            if (rule->kind == NV__RULE_KIND__RULE_KIND_PARSES &&
                rule->severity == NV__SEVERITY__SEVERITY_FAIL)
                NV_PUSH(ctx, notes, n, capacity) = nv_printf(
                    ctx, "%s: rows that do not parse are quarantined; they do not stop the run", rule->id);
        }
    *out = notes;
    return n;
}

static bool add_fixed(nv_mem_t *ctx, const Nv__Sttm *sttm, Nv__Project *project, nv_error_t *err)
{
    Nv__ProjectFile **files = project->files;
    size_t *n = &project->n_files;
    files[(*n)++] = project_file(ctx, "notebooks/nuvyn_runtime.py", codegen_runtime_notebook, true);
    if (!emit_sources(ctx, sttm, &files[*n], err))
        return false;
    ++*n;
    if (!emit_setup(ctx, sttm, &files[*n], err))
        return false;
    ++*n;
    if (!emit_bronze(ctx, sttm, &files[*n], err))
        return false;
    ++*n;
    if (!emit_silver(ctx, sttm, &files[*n], err))
        return false;
    ++*n;
    return true;
}

static bool add_around(nv_mem_t *ctx, const Nv__Sttm *sttm, Nv__Project *project, nv_error_t *err)
{
    Nv__ProjectFile **files = project->files;
    size_t *n = &project->n_files;
    if (!emit_job(ctx, sttm, &project->job_settings, err))
        return false;
    if (!emit_quality(ctx, sttm, &files[*n], err))
        return false;
    ++*n;
    files[(*n)++] = project_file(ctx, "job.json", project->job_settings, false);
    if (!emit_readme(ctx, sttm, &files[*n], err))
        return false;
    ++*n;
    if (!emit_bundle(ctx, sttm, project->job_settings, &files[*n], err))
        return false;
    ++*n;
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
    project->files = NV_NEW_ARRAY(ctx, Nv__ProjectFile *, sttm->n_targets + FIXED_FILES);
    if (!add_fixed(ctx, sttm, project, err))
        return false;
    for (size_t i = 0; i < sttm->n_targets; i++) {
        if (!emit_target(ctx, sttm, sttm->targets[i], &project->files[project->n_files], err))
            return false;
        project->n_files++;
    }
    if (!add_around(ctx, sttm, project, err))
        return false;
    project->n_notes = note_weaker_rules(ctx, sttm, &project->notes);
    *out = project;
    return true;
}

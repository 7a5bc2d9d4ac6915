/* The Analyst's first look: which files lie in the source folder, and which tables they form. */
#include "worker/agents/remote/remote.h"
#include "worker/agents/task/task.h"
#include "worker/profiling/profile.h"

#include <time.h>

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void say_found(agent_task_t *task, const Nv__Survey *survey)
{
    for (size_t i = 0; i < survey->n_skipped; i++)
        task_say(task, "finding", "%s left out: %s", survey->skipped[i]->path, survey->skipped[i]->reason);
    for (size_t i = 0; i < survey->n_tables; i++)
        if (survey->tables[i]->n_files > 1)
            task_say(task, "finding", "table %s: %s", survey->tables[i]->name, survey->tables[i]->grouping);
    task_progress(task, "progress", (int64_t)survey->n_tables, (int64_t)survey->n_tables,
                  "%zu tables found in %s", survey->n_tables, survey->source);
}

/* What lies in a source that only the workspace reaches. */
static bool survey_remote(agent_task_t *task, nv_mem_t *ctx, const char *source, Nv__Survey **out,
                          nv_error_t *err)
{
    remote_data_t *remote = NV_NEW(ctx, remote_data_t);
    profile_options_t options = {.cancelled = task_cancelled, .arg = task};
    return remote_open(task, ctx, remote, err) &&
           remote_survey(ctx, &remote->engine, remote->to.db, source, &options, out, err);
}

bool agent_survey(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    int64_t start = now_ms();
    const Nv__RunSpec *spec = task->assignment->spec;
    if (!spec || !spec->source || !spec->source[0])
        return nv_fail(err, NV_INVALID_ARGUMENT, "survey: the run names no source folder");
    Nv__Survey *survey;
    bool ok = source_kind(spec->source) == SOURCE_LOCAL
                  ? survey_folder(ctx, spec->source, NULL, &survey, err)
                  : survey_remote(task, ctx, spec->source, &survey, err);
    if (!ok)
        return nv_wrap(err, "survey");
    say_found(task, survey);
    if (!task_write(task, "survey", &survey->base, err))
        return nv_wrap(err, "survey");
    *out = (agent_result_t){.outcome = "done", .n_items = survey->n_tables};
    nv__task_usage__init(&out->usage);
    out->items = NV_NEW_ARRAY(ctx, const char *, survey->n_tables);
    for (size_t i = 0; i < survey->n_tables; i++)
        out->items[i] = survey->tables[i]->name;
    out->usage.milliseconds = now_ms() - start;
    return true;
}

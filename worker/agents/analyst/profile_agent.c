/* The Analyst's profile of one table: the item of the task names it, the survey says which files it has. */
#include "worker/agents/remote/remote.h"
#include "worker/agents/task/task.h"
#include "worker/profiling/profile.h"
#include "worker/pushdown/profile.h"

#include <inttypes.h>
#include <string.h>

/* What the callbacks of a running profile need. */
typedef struct listener {
    agent_task_t *task;
    const char *table;
} listener_t;

static bool is_cancelled(void *arg)
{
    const listener_t *listener = arg;
    return task_cancelled(listener->task);
}

static void on_progress(void *arg, int64_t done, int64_t total, int64_t rows)
{
    const listener_t *listener = arg;
    (void)rows;
    task_progress(listener->task, "progress", done, total, "%s", listener->table);
}

static void on_statement(void *arg, int done, int of)
{
    on_progress(arg, done, of, 0);
}

/* A table whose files only the workspace reaches: profiled there. */
static bool profile_remote(listener_t *listener, nv_mem_t *ctx, const char *source,
                           const Nv__SurveyTable *table, Nv__TableProfile **out, nv_error_t *err)
{
    remote_data_t *remote = NV_NEW(ctx, remote_data_t);
    if (!remote_open(listener->task, ctx, remote, err))
        return false;
    survey_reader_t reader =
        remote_reader(ctx, &remote->engine, remote->to.db, source_canonical(ctx, source));
    pushdown_options_t options = {.reader = &reader, .progress = on_statement, .arg = listener};
    return pushdown_profile(ctx, &remote->engine, &options, table, out, err);
}

static const Nv__SurveyTable *find_table(const Nv__Survey *survey, const char *name)
{
    for (size_t i = 0; i < survey->n_tables; i++)
        if (strcmp(survey->tables[i]->name, name) == 0)
            return survey->tables[i];
    return NULL;
}

static void say_found(agent_task_t *task, const Nv__TableProfile *profile)
{
    for (size_t i = 0; i < profile->n_warnings; i++)
        task_say(task, "finding", "%s: %s", profile->name, profile->warnings[i]);
    if (profile->rejected_count)
        task_say(task, "finding", "%s: %" PRId64 " lines rejected, the first: %s:%" PRId64 ": %s",
                 profile->name, profile->rejected_count, profile->rejected[0]->path,
                 profile->rejected[0]->line, profile->rejected[0]->reason);
    if (profile->duplicate_row_count)
        task_say(task, "finding", "%s: %" PRId64 " duplicate rows", profile->name,
                 profile->duplicate_row_count);
    for (size_t i = 0; i < profile->n_columns; i++) {
        const Nv__ColumnProfile *column = profile->columns[i];
        if (column->invalid_count)
            task_say(task, "finding", "%s.%s: %" PRId64 " values cannot be read, for instance \"%s\"",
                     profile->name, column->name, column->invalid_count,
                     column->n_invalid ? column->invalid[0]->value : "");
    }
}

bool agent_profile(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    const char *item = task->assignment->item ? task->assignment->item : "";
    ProtobufCMessage *message;
    if (!task_input(task, ctx, "survey", 0, &nv__survey__descriptor, &message, err))
        return nv_wrap(err, "profile of %s", item);
    const Nv__SurveyTable *table = find_table((const Nv__Survey *)message, item);
    if (!table)
        return nv_fail(err, NV_NOT_FOUND, "profile: the survey has no table \"%s\"", item);
    listener_t listener = {task, nv_printf(ctx, "profiling %s", item)};
    profile_options_t options = {
        .root = task->assignment->spec ? task->assignment->spec->source : NULL,
        .cancelled = is_cancelled,
        .progress = on_progress,
        .arg = &listener,
    };
    if (!options.root || !options.root[0])
        return nv_fail(err, NV_INVALID_ARGUMENT, "profile of %s: the run names no source folder", item);
    Nv__TableProfile *profile;
    bool ok = source_kind(options.root) == SOURCE_LOCAL
                  ? profile_table(ctx, &options, table, &profile, err)
                  : profile_remote(&listener, ctx, options.root, table, &profile, err);
    if (!ok)
        return false;
    say_found(task, profile);
    if (!task_write(task, "profile", &profile->base, err))
        return nv_wrap(err, "profile of %s", item);
    *out = (agent_result_t){.outcome = "done"};
    nv__task_usage__init(&out->usage);
    out->usage.milliseconds = (int64_t)(profile->seconds * 1000);
    return true;
}

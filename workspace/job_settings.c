#include "workspace/job_settings.h"

#include <string.h>

static const char *const known_types[] = {"notebook_task", "spark_python_task", "sql_task"};

const char *ws_task_type(const nv_json_t *task)
{
    for (size_t i = 0; i < sizeof known_types / sizeof *known_types; i++) {
        if (nv_json_kind(nv_json_member(task, known_types[i])) == NV_JSON_OBJECT) {
            return known_types[i];
        }
    }
    return NULL;
}

/* A member that ends in _task and that we do not run. */
static const char *foreign_type(const nv_json_t *task)
{
    for (size_t i = 0; i < nv_json_size(task); i++) {
        const char *key = nv_json_key_at(task, i);
        size_t length = strlen(key);
        if (length > 5 && strcmp(key + length - 5, "_task") == 0) {
            return key;
        }
    }
    return NULL;
}

static bool check_type(const nv_json_t *task, const char *key, nv_error_t *err)
{
    const char *type = ws_task_type(task);
    const char *unused = NULL;
    if (!type) {
        const char *foreign = foreign_type(task);
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "task %s: %s; the local workspace runs notebook_task, spark_python_task and sql_task "
                       "(with a file)",
                       key, foreign ? foreign : "no task type is given");
    }
    bool ok = strcmp(type, "notebook_task") == 0
                  ? nv_json_string(task, "notebook_task.notebook_path", &unused, err)
              : strcmp(type, "spark_python_task") == 0
                  ? nv_json_string(task, "spark_python_task.python_file", &unused, err)
                  : nv_json_string(task, "sql_task.file.path", &unused, err);
    return ok || nv_wrap(err, "task %s", key);
}

static bool check_number(const nv_json_t *task, const char *key, const char *name, nv_error_t *err)
{
    int64_t value = 0;
    if (nv_json_kind(nv_json_member(task, name)) == NV_JSON_NULL) {
        return true;
    }
    if (!nv_json_int64(task, name, &value, err)) {
        return nv_wrap(err, "task %s", key);
    }
    return (value >= -1 && value <= 1000000000) ||
           nv_fail(err, NV_INVALID_ARGUMENT, "task %s: %s: %lld is out of range", key, name,
                   (long long)value);
}

static bool check_key(const char *key, nv_error_t *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    size_t length = strlen(key);
    if (length == 0 || length > 100 || strspn(key, allowed) != length) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "task_key \"%.120s\": expected 1 to 100 of A-Z a-z 0-9 _ -",
                       key);
    }
    return true;
}

static size_t index_of(const nv_json_t *tasks, const char *key)
{
    for (size_t i = 0; i < nv_json_size(tasks); i++) {
        if (strcmp(nv_json_string_or(nv_json_at(tasks, i), "task_key", ""), key) == 0) {
            return i;
        }
    }
    return nv_json_size(tasks);
}

static bool check_dependencies(const nv_json_t *tasks, const nv_json_t *task, const char *key,
                               nv_error_t *err)
{
    const nv_json_t *list = nv_json_member(task, "depends_on");
    for (size_t i = 0; i < nv_json_size(list); i++) {
        const char *upstream = nv_json_string_or(nv_json_at(list, i), "task_key", "");
        if (index_of(tasks, upstream) == nv_json_size(tasks)) {
            return nv_fail(err, NV_INVALID_ARGUMENT, "task %s depends on task %s, which is not in the job",
                           key, upstream);
        }
    }
    const char *run_if = nv_json_string_or(task, "run_if", "ALL_SUCCESS");
    if (ws_run_if_parse(run_if) == WS_RUN_IF_UNKNOWN) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "task %s: run_if %s is not known", key, run_if);
    }
    return true;
}

static bool check_task(const nv_json_t *tasks, size_t index, nv_error_t *err)
{
    const nv_json_t *task = nv_json_at(tasks, index);
    const char *key = NULL;
    if (!nv_json_string(task, "task_key", &key, err) || !check_key(key, err)) {
        return nv_wrap(err, "tasks[%zu]", index);
    }
    if (index_of(tasks, key) != index) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "task_key %s is given twice", key);
    }
    return check_type(task, key, err) && check_dependencies(tasks, task, key, err) &&
           check_number(task, key, "max_retries", err) && check_number(task, key, "timeout_seconds", err) &&
           check_number(task, key, "min_retry_interval_millis", err);
}

bool ws_job_settings_check(const nv_json_t *settings, nv_error_t *err)
{
    const nv_json_t *tasks = NULL;
    if (nv_json_kind(settings) != NV_JSON_OBJECT) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "job settings are missing");
    }
    if (!nv_json_array(settings, "tasks", &tasks, err)) {
        return false;
    }
    if (nv_json_size(tasks) == 0 || nv_json_size(tasks) > WS_MAX_TASKS) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "tasks: expected 1 to %d, got %zu", WS_MAX_TASKS,
                       nv_json_size(tasks));
    }
    for (size_t i = 0; i < nv_json_size(tasks); i++) {
        if (!check_task(tasks, i, err)) {
            return false;
        }
    }
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("cycle");
    ws_graph_t *graph = ws_job_settings_graph(mem, settings);
    size_t cycle = ws_graph_find_cycle(mem, graph);
    return cycle == graph->count ||
           nv_fail(err, NV_INVALID_ARGUMENT, "the dependencies of task %s form a cycle",
                   graph->tasks[cycle].key);
}

ws_graph_t *ws_job_settings_graph(nv_mem_t *mem, const nv_json_t *settings)
{
    const nv_json_t *tasks = nv_json_member(settings, "tasks");
    ws_graph_t *graph = NV_NEW(mem, ws_graph_t);
    graph->count = nv_json_size(tasks);
    graph->tasks = NV_NEW_ARRAY(graph, ws_graph_task_t, graph->count + 1);
    for (size_t i = 0; i < graph->count; i++) {
        const nv_json_t *task = nv_json_at(tasks, i);
        const nv_json_t *upstream = nv_json_member(task, "depends_on");
        ws_graph_task_t *out = &graph->tasks[i];
        out->key = nv_strdup(graph, nv_json_string_or(task, "task_key", ""));
        out->run_if = ws_run_if_parse(nv_json_string_or(task, "run_if", "ALL_SUCCESS"));
        out->dependency_count = nv_json_size(upstream);
        out->depends_on = NV_NEW_ARRAY(graph, size_t, out->dependency_count + 1);
        for (size_t d = 0; d < out->dependency_count; d++) {
            out->depends_on[d] = index_of(tasks, nv_json_string_or(nv_json_at(upstream, d), "task_key", ""));
        }
    }
    return graph;
}

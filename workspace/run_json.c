#include "workspace/run_json.h"

#include "workspace/request.h"

#include <inttypes.h>
#include <string.h>

static const char *status_state(const char *state)
{
    static const char *const pairs[][2] = {
        {"QUEUED", "QUEUED"},         {"PENDING", "PENDING"},         {"BLOCKED", "BLOCKED"},
        {"RUNNING", "RUNNING"},       {"TERMINATING", "TERMINATING"}, {"WAITING_FOR_RETRY", "WAITING"},
        {"TERMINATED", "TERMINATED"}, {"SKIPPED", "TERMINATED"},      {"INTERNAL_ERROR", "TERMINATED"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (strcmp(pairs[i][0], state) == 0) {
            return pairs[i][1];
        }
    }
    return "PENDING";
}

typedef struct termination {
    const char *code;
    const char *type;
} termination_t;

static termination_t termination_of(const char *state, const char *result)
{
    if (strcmp(state, "INTERNAL_ERROR") == 0) {
        return (termination_t){"DRIVER_ERROR", "CLOUD_FAILURE"};
    }
    if (strcmp(result, "SUCCESS") == 0 || strcmp(result, "SUCCESS_WITH_FAILURES") == 0) {
        return (termination_t){result, "SUCCESS"};
    }
    if (strcmp(result, "CANCELED") == 0 || strcmp(result, "UPSTREAM_CANCELED") == 0) {
        return (termination_t){"USER_CANCELED", "SUCCESS"};
    }
    if (strcmp(result, "TIMEDOUT") == 0) {
        return (termination_t){"RUN_EXECUTION_ERROR", "CLIENT_ERROR"};
    }
    if (strcmp(result, "MAXIMUM_CONCURRENT_RUNS_REACHED") == 0) {
        return (termination_t){"MAX_CONCURRENT_RUNS_EXCEEDED", "CLIENT_ERROR"};
    }
    return (termination_t){"RUN_EXECUTION_ERROR", "CLIENT_ERROR"};
}

static void put_state(nv_json_writer_t *w, const char *state, const char *result, const char *message)
{
    nv_json_open_object(w, "state");
    nv_json_put_string(w, "life_cycle_state", state);
    if (result) {
        nv_json_put_string(w, "result_state", result);
    }
    nv_json_put_string(w, "state_message", message);
    nv_json_put_bool(w, "user_cancelled_or_timedout",
                     result && (strcmp(result, "CANCELED") == 0 || strcmp(result, "TIMEDOUT") == 0));
    nv_json_close_object(w);
    nv_json_open_object(w, "status");
    nv_json_put_string(w, "state", status_state(state));
    if (ws_state_is_final(state)) {
        termination_t t = termination_of(state, result ? result : "FAILED");
        nv_json_open_object(w, "termination_details");
        nv_json_put_string(w, "code", t.code);
        nv_json_put_string(w, "type", t.type);
        nv_json_put_string(w, "message", message);
        nv_json_close_object(w);
    }
    nv_json_close_object(w);
}

static void put_times(nv_json_writer_t *w, int64_t start, int64_t begin, int64_t end)
{
    nv_json_put_int64(w, "start_time", start);
    nv_json_put_int64(w, "setup_duration", 0);
    nv_json_put_int64(w, "execution_duration", end && begin ? end - begin : 0);
    nv_json_put_int64(w, "cleanup_duration", 0);
    nv_json_put_int64(w, "end_time", end);
    if (end) {
        nv_json_put_int64(w, "run_duration", end - start);
    }
}

static const nv_json_t *settings_of(const ws_run_t *run, const char *task_key)
{
    const nv_json_t *tasks = nv_json_member(run->settings, "tasks");
    for (size_t i = 0; i < nv_json_size(tasks); i++) {
        if (strcmp(nv_json_string_or(nv_json_at(tasks, i), "task_key", ""), task_key) == 0) {
            return nv_json_at(tasks, i);
        }
    }
    return NULL;
}

static const char *page_url(nv_mem_t *mem, const ws_app_t *app, int64_t job_id, int64_t run_id)
{
    return nv_printf(mem, "%s/?o=%" PRId64 "#job/%" PRId64 "/run/%" PRId64, app->base_url, app->workspace_id,
                     job_id, run_id);
}

void ws_task_run_put(nv_json_writer_t *w, const char *key, const ws_app_t *app, const ws_run_t *run,
                     const ws_task_run_t *task)
{
    const nv_json_t *settings = settings_of(run, task->task_key);
    nv_json_open_object(w, key);
    nv_json_put_int64(w, "run_id", task->task_run_id);
    /* The task as it was given: task_key, depends_on, the code, the limits. */
    for (size_t i = 0; i < nv_json_size(settings); i++) {
        nv_json_put_value(w, nv_json_key_at(settings, i), nv_json_at(settings, i));
    }
    if (run->job_id) {
        nv_json_put_int64(w, "job_id", run->job_id);
    }
    nv_json_put_int64(w, "parent_run_id", run->run_id);
    nv_json_put_int64(w, "attempt_number", task->attempt);
    put_times(w, task->start_time ? task->start_time : run->start_time, task->start_time, task->end_time);
    put_state(w, task->state, task->result, task->message);
    nv_json_put_string(w, "run_page_url", page_url(w->buf.ctx, app, run->job_id, task->task_run_id));
    nv_json_close_object(w);
}

static void put_job_parameters(nv_json_writer_t *w, const ws_run_t *run)
{
    const nv_json_t *declared = nv_json_member(run->settings, "parameters");
    const nv_json_t *given = nv_json_member(run->parameters, "job_parameters");
    nv_json_open_array(w, "job_parameters");
    for (size_t i = 0; i < nv_json_size(declared); i++) {
        const nv_json_t *one = nv_json_at(declared, i);
        const char *name = nv_json_string_or(one, "name", "");
        const char *fallback = nv_json_scalar_text(nv_json_member(one, "default"));
        const char *value = nv_json_scalar_text(nv_json_member(given, name));
        nv_json_open_object(w, NULL);
        nv_json_put_string(w, "name", name);
        nv_json_put_string(w, "default", fallback ? fallback : "");
        nv_json_put_string(w, "value", value ? value : fallback ? fallback : "");
        nv_json_close_object(w);
    }
    nv_json_close_array(w);
}

void ws_run_put(nv_json_writer_t *w, const ws_app_t *app, const ws_run_t *run, const ws_task_run_t *tasks,
                size_t count)
{
    if (run->job_id) {
        nv_json_put_int64(w, "job_id", run->job_id);
    }
    nv_json_put_int64(w, "run_id", run->run_id);
    nv_json_put_int64(w, "original_attempt_run_id", run->run_id);
    nv_json_put_string(w, "creator_user_name", app->client_id);
    nv_json_put_int64(w, "number_in_job", run->number_in_job);
    put_state(w, run->state, run->result, run->message);
    put_times(w, run->start_time, run->begin_time, run->end_time);
    nv_json_put_string(w, "trigger", "ONE_TIME");
    nv_json_put_string(w, "run_name", run->run_name);
    nv_json_put_string(w, "run_page_url", page_url(w->buf.ctx, app, run->job_id, run->run_id));
    nv_json_put_string(w, "run_type", run->run_type);
    nv_json_put_string(w, "format", "MULTI_TASK");
    if (nv_json_size(nv_json_member(run->settings, "parameters"))) {
        put_job_parameters(w, run);
    }
    if (nv_json_size(nv_json_member(run->parameters, "notebook_params"))) {
        nv_json_open_object(w, "overriding_parameters");
        nv_json_put_value(w, "notebook_params", nv_json_member(run->parameters, "notebook_params"));
        nv_json_close_object(w);
    }
    if (tasks) {
        nv_json_open_array(w, "tasks");
        for (size_t i = 0; i < count; i++) {
            ws_task_run_put(w, NULL, app, run, &tasks[i]);
        }
        nv_json_close_array(w);
    }
}

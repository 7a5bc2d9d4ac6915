/* Runs of jobs: state, output, cancellation, waiting. */
#include "worker/databricks/client.h"

#include <inttypes.h>
#include <string.h>

/* The old form (state) is what all versions send; the new one (status) fills in where it is absent. */
static void read_state(const nv_json_t *node, const char **life_cycle, const char **result,
                       const char **message)
{
    *life_cycle =
        nv_json_string_or(node, "state.life_cycle_state", nv_json_string_or(node, "status.state", ""));
    *result = nv_json_string_or(node, "state.result_state", "");
    *message = nv_json_string_or(node, "state.state_message", "");
    if (!**message)
        *message = nv_json_string_or(node, "status.termination_details.message", "");
}

static bool has_ended(const char *life_cycle)
{
    return strcmp(life_cycle, "TERMINATED") == 0 || strcmp(life_cycle, "SKIPPED") == 0 ||
           strcmp(life_cycle, "INTERNAL_ERROR") == 0;
}

static bool read_task(const nv_json_t *node, databricks_task_run_t *out, nv_error_t *err)
{
    *out = (databricks_task_run_t){0};
    if (!nv_json_string(node, "task_key", &out->key, err) ||
        !nv_json_int64(node, "run_id", &out->run_id, err))
        return false;
    read_state(node, &out->life_cycle, &out->result, &out->message);
    out->start_ms = nv_json_int64_or(node, "start_time", 0);
    out->end_ms = nv_json_int64_or(node, "end_time", 0);
    return true;
}

static bool add_tasks(nv_mem_t *ctx, const nv_json_t *root, databricks_run_t *run, size_t *capacity,
                      nv_error_t *err)
{
    const nv_json_t *tasks = nv_json_get(root, "tasks");
    for (size_t i = 0; i < nv_json_size(tasks); i++) {
        databricks_task_run_t task;
        if (!read_task(nv_json_at(tasks, i), &task, err))
            return false;
        NV_PUSH(ctx, run->tasks, run->n_tasks, *capacity) = task;
    }
    return true;
}

static bool read_run(const nv_json_t *root, databricks_run_t *out, nv_error_t *err)
{
    *out = (databricks_run_t){0};
    if (!nv_json_int64(root, "run_id", &out->run_id, err))
        return false;
    out->job_id = nv_json_int64_or(root, "job_id", 0);
    read_state(root, &out->life_cycle, &out->result, &out->message);
    if (!*out->life_cycle)
        return nv_fail(err, NV_INTERNAL, "run %" PRId64 ": the answer has no state", out->run_id);
    out->page_url = nv_json_string_or(root, "run_page_url", "");
    out->start_ms = nv_json_int64_or(root, "start_time", 0);
    out->end_ms = nv_json_int64_or(root, "end_time", 0);
    out->ended = has_ended(out->life_cycle);
    return true;
}

bool databricks_get_run(databricks_t *db, nv_mem_t *ctx, int64_t run_id, databricks_run_t *out,
                        nv_error_t *err)
{
    char *url = nv_printf(ctx, "/api/2.2/jobs/runs/get?run_id=%" PRId64, run_id);
    const char *page = "";
    size_t capacity = 0;
    const nv_json_t *root;
    if (!db_get(db, ctx, url, &root, err) || !read_run(root, out, err))
        return false;
    for (;;) { /* more than a hundred tasks come in pages */
        if (!add_tasks(ctx, root, out, &capacity, err))
            return false;
        page = nv_json_string_or(root, "next_page_token", "");
        if (!*page)
            return true;
        if (!db_get(db, ctx, nv_url_with_query(ctx, url, "page_token", page), &root, err))
            return false;
    }
}

bool databricks_get_output(databricks_t *db, nv_mem_t *ctx, int64_t task_run_id, databricks_output_t *out,
                           nv_error_t *err)
{
    const nv_json_t *root;
    if (!db_get(db, ctx, nv_printf(ctx, "/api/2.2/jobs/runs/get-output?run_id=%" PRId64, task_run_id), &root,
                err))
        return false;
    *out = (databricks_output_t){
        .result = nv_json_string_or(root, "notebook_output.result", ""),
        .truncated = nv_json_bool_or(root, "notebook_output.truncated", false),
        .error = nv_json_string_or(root, "error", ""),
        .error_trace = nv_json_string_or(root, "error_trace", ""),
        .logs = nv_json_string_or(root, "logs", ""),
    };
    return true;
}

bool databricks_cancel_run(databricks_t *db, int64_t run_id, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("cancel run");
    return db_post(db, "/api/2.2/jobs/runs/cancel", nv_printf(ctx, "{\"run_id\":%" PRId64 "}", run_id), true,
                   err);
}

/* After a cancellation: the run is stopped too; the error stays the cancellation. */
static bool give_up(databricks_t *db, int64_t run_id, nv_error_t *err)
{
    if (err->code != NV_CANCELLED)
        return false;
    nv_error_t ignored = NV_ERROR_INIT;
    databricks_shield(db, true);
    bool stopped = databricks_cancel_run(db, run_id, &ignored);
    databricks_shield(db, false);
    if (!stopped)
        nv_wrap(err, "run %" PRId64 " may go on (%.200s)", run_id, ignored.message);
    return false;
}

bool databricks_wait_run(databricks_t *db, nv_mem_t *ctx, int64_t run_id, int64_t timeout_ms,
                         void (*progress)(void *arg, const databricks_run_t *run), void *arg,
                         databricks_run_t *out, nv_error_t *err)
{
    int64_t deadline = timeout_ms ? db_now_ms() + timeout_ms : INT64_MAX;
    int64_t wait = 0;
    for (;;) {
        nv_mem_t *answer = nv_mem_child(ctx, "run"); /* only the last answer is kept */
        if (!databricks_get_run(db, answer, run_id, out, err))
            return give_up(db, run_id, err);
        if (progress)
            progress(arg, out);
        if (out->ended)
            return true;
        if (db_now_ms() > deadline)
            return nv_fail(err, NV_DEADLINE_EXCEEDED, "run %" PRId64 " is still %s after %" PRId64 " ms",
                           run_id, out->life_cycle, timeout_ms);
        nv_mem_free(answer);
        wait = db_next_poll_ms(wait);
        if (!nv_http_sleep(db_http(db), wait, err))
            return give_up(db, run_id, err);
    }
}

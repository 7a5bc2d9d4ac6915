#include "workspace/scheduler.h"

#include "workspace/job_settings.h"
#include "workspace/run_store.h"
#include "workspace/run_view.h"
#include "workspace/statement.h"
#include "workspace/task_launch.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

enum { IDLE_WAKE_MS = 60000, MAX_OUTPUT = 16 * 1024 * 1024 };

/* A task that the kernel has. */
typedef struct launched {
    int64_t task_run_id;
    int64_t run_id;
    int64_t kernel_id;
    int64_t deadline_ms; /* 0: none */
    bool told_to_stop;
    bool timed_out;
    struct launched *next;
} launched_t;

struct ws_scheduler {
    ws_app_t *app;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;
    bool dirty;
    launched_t *launched;
    size_t running;
};

/* ---- ends of tasks */

static bool wants_retry(const nv_json_t *settings, const ws_task_run_t *task, const char *result)
{
    int64_t retries = nv_json_int64_or(settings, "max_retries", 0);
    bool failed = strcmp(result, "FAILED") == 0;
    bool timed_out = strcmp(result, "TIMEDOUT") == 0 && nv_json_bool_or(settings, "retry_on_timeout", false);
    return (failed || timed_out) && (retries < 0 || task->attempt < retries);
}

/* Stores how a task ended, and its next attempt when it is to be tried again. */
static bool end_task(ws_db_t *db, const ws_run_view_t *view, size_t index, const char *state,
                     const char *result, const char *message, const char *output, nv_error_t *err)
{
    const ws_task_run_t *task = view->newest[index];
    const nv_json_t *settings = ws_run_view_settings(view, index);
    if (!ws_task_run_set(db, task->task_run_id, state, result, message, output, err)) {
        return false;
    }
    if (view->run.stop != WS_STOP_NOT || !wants_retry(settings, task, result)) {
        return true;
    }
    int64_t interval = nv_json_int64_or(settings, "min_retry_interval_millis", 0);
    return ws_task_run_add(db, task->run_id, task->task_key, task->attempt + 1, "WAITING_FOR_RETRY",
                           ws_now_ms() + (interval > 0 ? interval : 0), err);
}

/* What the kernel's result means. */
typedef struct ending {
    const char *state;
    const char *result;
    const char *message;
    const char *output;
} ending_t;

static const char *output_text(nv_mem_t *mem, const nv_json_t *result, nv_error_t *err)
{
    static const char *const kept[] = {"result",         "truncated", "logs",
                                       "logs_truncated", "error",     "error_trace"};
    nv_json_writer_t w = nv_json_writer_make(mem, MAX_OUTPUT, false);
    nv_json_open_object(&w, NULL);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        if (nv_json_member(result, kept[i])) {
            nv_json_put_value(&w, kept[i], nv_json_member(result, kept[i]));
        }
    }
    nv_json_close_object(&w);
    char *text = NULL;
    return nv_json_write_end(&w, "task output", &text, NULL, err) ? text : NULL;
}

static ending_t judge(nv_mem_t *mem, const launched_t *task, const nv_json_t *result,
                      const nv_error_t *failure)
{
    nv_error_t err = NV_ERROR_INIT;
    if (task->timed_out) {
        return (ending_t){"TERMINATED", "TIMEDOUT", "The task ran longer than its timeout", NULL};
    }
    if (!result) {
        bool canceled = failure->code == NV_CANCELLED || task->told_to_stop;
        const char *text = nv_printf(mem, "{\"error\":null}");
        return canceled ? (ending_t){"TERMINATED", "CANCELED", "Run cancelled.", NULL}
                        : (ending_t){"INTERNAL_ERROR", "FAILED", nv_strdup(mem, failure->message), text};
    }
    const char *state = nv_json_string_or(result, "state", "FAILED");
    const char *output = output_text(mem, result, &err);
    if (!output) {
        return (ending_t){"INTERNAL_ERROR", "FAILED", nv_strdup(mem, err.message), NULL};
    }
    if (strcmp(state, "SUCCESS") == 0) {
        return (ending_t){"TERMINATED", "SUCCESS", "", output};
    }
    if (strcmp(state, "CANCELED") == 0) {
        return (ending_t){"TERMINATED", "CANCELED", "Run cancelled.", output};
    }
    return (ending_t){"TERMINATED", "FAILED", "Workload failed, see run output for details", output};
}

static bool store_ending(ws_scheduler_t *scheduler, nv_mem_t *mem, const launched_t *task,
                         const ending_t *ending, nv_error_t *err)
{
    WS_DB_SCOPE ws_db_t *db = ws_db_lock(scheduler->app->db);
    ws_run_view_t view;
    if (!ws_db_begin(db, err) || !ws_run_view_read(db, mem, task->run_id, &view, err)) {
        return false;
    }
    for (size_t i = 0; i < view.graph->count; i++) {
        if (view.newest[i]->task_run_id == task->task_run_id) {
            return end_task(db, &view, i, ending->state, ending->result, ending->message, ending->output,
                            err) &&
                   ws_db_commit(db, err);
        }
    }
    return nv_fail(err, NV_DATA_LOSS, "task run %" PRId64 " is not the newest of its task",
                   task->task_run_id);
}

static void forget(ws_scheduler_t *scheduler, launched_t *task)
{
    pthread_mutex_lock(&scheduler->lock);
    for (launched_t **at = &scheduler->launched; *at; at = &(*at)->next) {
        if (*at == task) {
            *at = task->next;
            break;
        }
    }
    scheduler->running--;
    scheduler->dirty = true;
    pthread_cond_signal(&scheduler->wake);
    pthread_mutex_unlock(&scheduler->lock);
}

typedef struct completion {
    ws_scheduler_t *scheduler;
    launched_t *task;
} completion_t;

static void on_done(void *arg, const nv_json_t *result, const nv_error_t *failure)
{
    completion_t *completion = arg;
    ws_scheduler_t *scheduler = completion->scheduler;
    launched_t *task = completion->task;
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("task end");
    nv_error_t err = NV_ERROR_INIT;
    pthread_mutex_lock(&scheduler->lock);
    launched_t copy = *task;
    pthread_mutex_unlock(&scheduler->lock);
    ending_t ending = judge(mem, &copy, result, failure);
    if (!store_ending(scheduler, mem, &copy, &ending, &err)) {
        nv_log(scheduler->app->log, NV_ERROR, "scheduler", "the end of a task was not stored", "error",
               err.message, NULL);
    }
    forget(scheduler, task);
    nv_mem_free(task);
    nv_mem_free(completion);
}

/* ---- starting */

static bool has_room(ws_scheduler_t *scheduler)
{
    pthread_mutex_lock(&scheduler->lock);
    bool room = scheduler->running < WS_MAX_RUNNING_TASKS;
    scheduler->running += room;
    pthread_mutex_unlock(&scheduler->lock);
    return room;
}

static void give_back_room(ws_scheduler_t *scheduler)
{
    pthread_mutex_lock(&scheduler->lock);
    scheduler->running--;
    pthread_mutex_unlock(&scheduler->lock);
}

/* A task that could not even be handed to the kernel has failed. */
static void fail_launch(ws_scheduler_t *scheduler, nv_mem_t *mem, const ws_run_view_t *view, size_t index,
                        const nv_error_t *why)
{
    nv_error_t err = NV_ERROR_INIT;
    launched_t task = {.task_run_id = view->newest[index]->task_run_id, .run_id = view->run.run_id};
    nv_json_writer_t w = nv_json_writer_make(mem, 65536, false);
    nv_json_open_object(&w, NULL);
    nv_json_put_string(&w, "error", why->message);
    nv_json_close_object(&w);
    char *output = NULL;
    ending_t ending = {"INTERNAL_ERROR", "FAILED", why->message, NULL};
    if (nv_json_write_end(&w, "task output", &output, NULL, &err)) {
        ending.output = output;
    }
    if (!store_ending(scheduler, mem, &task, &ending, &err)) {
        nv_log(scheduler->app->log, NV_ERROR, "scheduler", "a failed launch was not stored", "error",
               err.message, NULL);
    }
    give_back_room(scheduler);
    ws_scheduler_wake(scheduler);
}

static void launch(ws_scheduler_t *scheduler, nv_mem_t *mem, const ws_run_view_t *view, size_t index)
{
    nv_error_t err = NV_ERROR_INIT;
    const nv_json_t *settings = ws_run_view_settings(view, index);
    const ws_task_run_t *task = view->newest[index];
    nv_json_writer_t w;
    int64_t id = 0;
    if (!ws_task_launch(scheduler->app, mem, &view->run, task, settings, &id, &w, &err)) {
        fail_launch(scheduler, mem, view, index, &err);
        return;
    }
    int64_t timeout = nv_json_int64_or(settings, "timeout_seconds", 0);
    launched_t *entry = NV_NEW(NULL, launched_t);
    *entry = (launched_t){.task_run_id = task->task_run_id,
                          .run_id = task->run_id,
                          .kernel_id = id,
                          .deadline_ms = timeout > 0 ? ws_now_ms() + timeout * 1000 : 0};
    completion_t *completion = NV_NEW(NULL, completion_t);
    *completion = (completion_t){scheduler, entry};
    pthread_mutex_lock(&scheduler->lock);
    entry->next = scheduler->launched;
    scheduler->launched = entry;
    pthread_mutex_unlock(&scheduler->lock);
    ws_kernel_submit(scheduler->app->kernel, id, &w, on_done, completion);
}

/* ---- one pass over one run */

typedef struct plan {
    size_t *start; /* indices to launch after the commit */
    size_t start_count;
    int64_t wake_at_ms; /* 0: nothing to wait for */
    bool again;         /* a change may let others start at once */
} plan_t;

static void wake_no_later(plan_t *plan, int64_t at_ms)
{
    if (plan->wake_at_ms == 0 || at_ms < plan->wake_at_ms) {
        plan->wake_at_ms = at_ms;
    }
}

/* Decides about one task that has not begun. */
static bool advance_task(ws_scheduler_t *scheduler, ws_db_t *db, ws_run_view_t *view, size_t index,
                         plan_t *plan, nv_error_t *err)
{
    const ws_task_run_t *task = view->newest[index];
    ws_outcome_t skipped_as = WS_OUTCOME_NONE;
    if (!ws_run_view_selects(view, index)) {
        plan->again = true;
        return ws_task_run_set(db, task->task_run_id, "SKIPPED", "EXCLUDED", "Not among the tasks asked for",
                               NULL, err);
    }
    ws_decision_t decision = ws_graph_decide(view->graph, view->outcomes, index, &skipped_as);
    if (decision == WS_TASK_SKIP) {
        plan->again = true;
        return ws_task_run_set(db, task->task_run_id, "SKIPPED", ws_outcome_name(skipped_as),
                               "The condition on its dependencies does not hold", NULL, err);
    }
    if (decision == WS_TASK_WAIT) {
        return true;
    }
    if (task->not_before > ws_now_ms()) {
        wake_no_later(plan, task->not_before);
        return true;
    }
    if (!has_room(scheduler)) {
        return true; /* the end of another task wakes us */
    }
    plan->start[plan->start_count++] = index;
    return ws_task_run_set(db, task->task_run_id, "RUNNING", NULL, "In run", NULL, err);
}

static bool cancel_waiting(ws_db_t *db, ws_run_view_t *view, nv_error_t *err)
{
    for (size_t i = 0; i < view->graph->count; i++) {
        const ws_task_run_t *task = view->newest[i];
        bool waiting = !ws_task_run_is_over(task) && strcmp(task->state, "RUNNING") != 0;
        if (waiting &&
            !ws_task_run_set(db, task->task_run_id, "TERMINATED", "CANCELED", "Run cancelled.", NULL, err)) {
            return false;
        }
        if (waiting) {
            view->outcomes[i] = WS_OUTCOME_CANCELED;
        }
    }
    return true;
}

/* Ends the run when all its tasks are over. */
static bool finish_run(ws_db_t *db, nv_mem_t *mem, ws_run_view_t *view, nv_error_t *err)
{
    for (size_t i = 0; i < view->graph->count; i++) {
        if (view->outcomes[i] == WS_OUTCOME_NONE) {
            return true;
        }
    }
    bool internal = false;
    const char *message = ws_run_view_first_failure(mem, view, &internal);
    const char *result = ws_graph_result(mem, view->graph, view->outcomes);
    if (view->run.stop != WS_STOP_NOT) {
        result = view->run.stop == WS_STOP_TIMEDOUT ? "TIMEDOUT" : "CANCELED";
        message =
            view->run.stop == WS_STOP_TIMEDOUT ? "The run ran longer than its timeout" : "Run cancelled.";
        internal = false;
    }
    return ws_run_set_state(db, view->run.run_id, internal ? "INTERNAL_ERROR" : "TERMINATED", result, message,
                            err);
}

/* Whether a queued run may begin: its job's max_concurrent_runs is not used up by older ones. */
static bool may_begin(ws_db_t *db, nv_mem_t *mem, const ws_run_t *run, bool *out, nv_error_t *err)
{
    int64_t *ids = NULL;
    size_t count = 0;
    int64_t most = nv_json_int64_or(run->settings, "max_concurrent_runs", 1);
    *out = true;
    if (!run->job_id) {
        return true;
    }
    if (!ws_run_active_ids(db, mem, run->job_id, &ids, &count, err)) {
        return false;
    }
    int64_t older = 0;
    while ((size_t)older < count && ids[older] != run->run_id) {
        older++;
    }
    *out = older < most;
    return true;
}

static bool begin_run(ws_db_t *db, nv_mem_t *mem, ws_run_view_t *view, bool *begun, nv_error_t *err)
{
    *begun = true;
    if (strcmp(view->run.state, "QUEUED") != 0 && strcmp(view->run.state, "PENDING") != 0) {
        return true;
    }
    if (!may_begin(db, mem, &view->run, begun, err)) {
        return false;
    }
    return !*begun || ws_run_set_state(db, view->run.run_id, "RUNNING", NULL, "In run", err);
}

static bool check_run_timeout(ws_db_t *db, ws_run_view_t *view, plan_t *plan, nv_error_t *err)
{
    int64_t seconds = nv_json_int64_or(view->run.settings, "timeout_seconds", 0);
    if (seconds <= 0 || !view->run.begin_time || view->run.stop != WS_STOP_NOT) {
        return true;
    }
    int64_t deadline = view->run.begin_time + seconds * 1000;
    if (deadline > ws_now_ms()) {
        wake_no_later(plan, deadline);
        return true;
    }
    view->run.stop = WS_STOP_TIMEDOUT;
    return ws_run_request_stop(db, view->run.run_id, WS_STOP_TIMEDOUT, err);
}

static bool advance_run(ws_scheduler_t *scheduler, ws_db_t *db, nv_mem_t *mem, ws_run_view_t *view,
                        plan_t *plan, nv_error_t *err)
{
    bool begun = false;
    if (!check_run_timeout(db, view, plan, err)) {
        return false;
    }
    if (view->run.stop != WS_STOP_NOT) {
        return cancel_waiting(db, view, err) && finish_run(db, mem, view, err);
    }
    if (!begin_run(db, mem, view, &begun, err) || !begun) {
        return err->code == NV_OK;
    }
    for (size_t i = 0; i < view->graph->count; i++) {
        bool waiting =
            !ws_task_run_is_over(view->newest[i]) && strcmp(view->newest[i]->state, "RUNNING") != 0;
        if (waiting && !advance_task(scheduler, db, view, i, plan, err)) {
            return false;
        }
    }
    return plan->again || finish_run(db, mem, view, err);
}

/* Tells the kernel to stop what belongs to a run that is to stop, or is over its time. */
static void stop_launched(ws_scheduler_t *scheduler, nv_mem_t *mem, int64_t run_id, bool all, plan_t *plan)
{
    int64_t *ids = NULL;
    size_t count = 0;
    size_t capacity = 0;
    pthread_mutex_lock(&scheduler->lock);
    for (launched_t *task = scheduler->launched; task; task = task->next) {
        if (task->run_id != run_id || task->told_to_stop) {
            continue;
        }
        bool late = task->deadline_ms && task->deadline_ms <= ws_now_ms();
        if (all || late) {
            task->told_to_stop = true;
            task->timed_out = late;
            NV_PUSH(mem, ids, count, capacity) = task->kernel_id;
        } else if (task->deadline_ms) {
            wake_no_later(plan, task->deadline_ms);
        }
    }
    pthread_mutex_unlock(&scheduler->lock);
    for (size_t i = 0; i < count; i++) {
        ws_kernel_cancel(scheduler->app->kernel, ids[i]);
    }
}

static bool pass_run(ws_scheduler_t *scheduler, int64_t run_id, plan_t *total, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("scheduler pass");
    ws_run_view_t view;
    plan_t plan = {0};
    bool ok = false;
    {
        WS_DB_SCOPE ws_db_t *db = ws_db_lock(scheduler->app->db);
        ok = ws_db_begin(db, err) && ws_run_view_read(db, mem, run_id, &view, err);
        if (ok) {
            plan.start = NV_NEW_ARRAY(mem, size_t, view.graph->count + 1);
            ok = advance_run(scheduler, db, mem, &view, &plan, err) && ws_db_commit(db, err);
        }
    }
    if (!ok) {
        for (size_t i = 0; i < plan.start_count; i++) {
            give_back_room(scheduler);
        }
        return false;
    }
    for (size_t i = 0; i < plan.start_count; i++) {
        launch(scheduler, mem, &view, plan.start[i]);
    }
    stop_launched(scheduler, mem, run_id, view.run.stop != WS_STOP_NOT, &plan);
    total->again = total->again || plan.again;
    if (plan.wake_at_ms) {
        wake_no_later(total, plan.wake_at_ms);
    }
    return true;
}

/* ---- the thread */

static plan_t pass_all(ws_scheduler_t *scheduler)
{
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("scheduler");
    nv_error_t err = NV_ERROR_INIT;
    plan_t total = {0};
    int64_t *ids = NULL;
    size_t count = 0;
    bool ok = false;
    {
        WS_DB_SCOPE ws_db_t *db = ws_db_lock(scheduler->app->db);
        ok = ws_run_active_ids(db, mem, 0, &ids, &count, &err);
    }
    for (size_t i = 0; ok && i < count; i++) {
        nv_error_t one = NV_ERROR_INIT;
        if (!pass_run(scheduler, ids[i], &total, &one)) {
            nv_log(scheduler->app->log, NV_ERROR, "scheduler", "a run could not be advanced", "error",
                   one.message, NULL);
            wake_no_later(&total, ws_now_ms() + 1000);
        }
    }
    if (!ok) {
        nv_log(scheduler->app->log, NV_ERROR, "scheduler", "active runs could not be read", "error",
               err.message, NULL);
        wake_no_later(&total, ws_now_ms() + 1000);
    }
    return total;
}

static void wait_until(ws_scheduler_t *scheduler, int64_t at_ms)
{
    int64_t until = at_ms ? at_ms : ws_now_ms() + IDLE_WAKE_MS;
    struct timespec deadline = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
    pthread_mutex_lock(&scheduler->lock);
    while (!scheduler->dirty && !scheduler->stopping && ws_now_ms() < until) {
        pthread_cond_timedwait(&scheduler->wake, &scheduler->lock, &deadline);
    }
    pthread_mutex_unlock(&scheduler->lock);
}

static void *drive(void *arg)
{
    ws_scheduler_t *scheduler = arg;
    for (;;) {
        pthread_mutex_lock(&scheduler->lock);
        bool stopping = scheduler->stopping;
        scheduler->dirty = false;
        pthread_mutex_unlock(&scheduler->lock);
        if (stopping) {
            return NULL;
        }
        plan_t plan = pass_all(scheduler);
        if (!plan.again) {
            wait_until(scheduler, plan.wake_at_ms);
        }
    }
}

/* Ends what was running when the last process did; what has retries left gets another attempt. */
static bool recover_run(ws_db_t *db, nv_mem_t *mem, int64_t run_id, const char *message, nv_error_t *err)
{
    ws_run_view_t view;
    if (!ws_run_view_read(db, mem, run_id, &view, err)) {
        return false;
    }
    for (size_t i = 0; i < view.graph->count; i++) {
        bool running = strcmp(view.newest[i]->state, "RUNNING") == 0;
        if (running && !end_task(db, &view, i, "INTERNAL_ERROR", "FAILED", message, NULL, err)) {
            return false;
        }
    }
    return true;
}

static bool recover(ws_app_t *app, nv_error_t *err)
{
    static const char message[] = "the workspace was restarted while this was running";
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("recover");
    WS_DB_SCOPE ws_db_t *db = ws_db_lock(app->db);
    int64_t *ids = NULL;
    size_t count = 0;
    if (!ws_db_begin(db, err) || !ws_run_active_ids(db, mem, 0, &ids, &count, err)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!recover_run(db, mem, ids[i], message, err)) {
            return false;
        }
    }
    if (count) {
        nv_log(app->log, NV_WARN, "scheduler", "runs were active when the last process ended", NULL);
    }
    return ws_statements_fail_orphans(db, message, err) && ws_db_commit(db, err);
}

bool ws_scheduler_start(ws_app_t *app, ws_scheduler_t **out, nv_error_t *err)
{
    if (!recover(app, err)) {
        return false;
    }
    ws_scheduler_t *scheduler = NV_NEW(NULL, ws_scheduler_t);
    scheduler->app = app;
    pthread_mutex_init(&scheduler->lock, NULL);
    pthread_cond_init(&scheduler->wake, NULL);
    *out = scheduler;
    int code = pthread_create(&scheduler->thread, NULL, drive, scheduler);
    if (code != 0) {
        nv_mem_free(scheduler);
        return nv_fail_errno(err, code, "starting the scheduler's thread");
    }
    return true;
}

void ws_scheduler_wake(ws_scheduler_t *scheduler)
{
    pthread_mutex_lock(&scheduler->lock);
    scheduler->dirty = true;
    pthread_cond_signal(&scheduler->wake);
    pthread_mutex_unlock(&scheduler->lock);
}

void ws_scheduler_stop(ws_scheduler_t *scheduler)
{
    if (!scheduler) {
        return;
    }
    pthread_mutex_lock(&scheduler->lock);
    scheduler->stopping = true;
    pthread_cond_signal(&scheduler->wake);
    pthread_mutex_unlock(&scheduler->lock);
    pthread_join(scheduler->thread, NULL);
    nv_mem_free(scheduler);
}

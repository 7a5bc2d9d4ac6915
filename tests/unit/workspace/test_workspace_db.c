#include "workspace/db.h"
#include "workspace/job_store.h"
#include "workspace/object_store.h"
#include "workspace/run_store.h"
#include "workspace/run_view.h"

#include "tests/unit/workspace/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct fixture {
    char folder[64];
    char path[96];
    ws_db_t *db;
    nv_mem_t *mem;
} fixture_t;

static int set_up(void **state)
{
    fixture_t *f = calloc(1, sizeof *f);
    nv_error_t err = NV_ERROR_INIT;
    strcpy(f->folder, "/tmp/nuvyn-test-db-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/w.db", f->folder);
    f->mem = nv_mem_root("test");
    assert_true(ws_db_open(f->path, &f->db, &err));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture_t *f = *state;
    static const char *const endings[] = {"", "-wal", "-shm"};
    ws_db_close(f->db);
    for (size_t i = 0; i < 3; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s%s", f->path, endings[i]);
        unlink(path);
    }
    rmdir(f->folder);
    nv_mem_free(f->mem);
    free(f);
    return 0;
}

static void reopen(fixture_t *f)
{
    nv_error_t err = NV_ERROR_INIT;
    ws_db_close(f->db);
    assert_true(ws_db_open(f->path, &f->db, &err));
}

static void ids_are_large_and_unique(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    int64_t last = INT64_C(8800000000000000000);
    for (int i = 0; i < 100; i++) {
        int64_t id = 0;
        {
            WS_DB_SCOPE ws_db_t *db = ws_db_lock(f->db);
            assert_true(ws_db_next_id(db, "job", &id, &err));
        }
        assert_true(id > last);
        last = id;
        if (i == 50) {
            reopen(f);
        }
    }
}

static void scope_without_commit_is_undone(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    int64_t id = 0;
    assert_true(ws_job_create(f->db, "kept", "{}", &id, &err));
    {
        WS_DB_SCOPE ws_db_t *db = ws_db_lock(f->db);
        assert_true(ws_db_begin(db, &err));
        assert_true(ws_db_run(db, &err, "DELETE FROM jobs", ""));
    }
    ws_job_t job;
    assert_true(ws_job_get(f->db, f->mem, id, &job, &err));
}

static void newer_state_is_refused(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    {
        WS_DB_SCOPE ws_db_t *db = ws_db_lock(f->db);
        assert_true(ws_db_run(db, &err, "PRAGMA user_version = 9999", ""));
    }
    ws_db_t *again = NULL;
    assert_false(ws_db_open(f->path, &again, &err));
    assert_non_null(strstr(err.message, "newer"));
}

static void lists_jobs_in_pages(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    int64_t ids[5];
    ws_job_t *jobs = NULL;
    size_t count = 0;
    for (int i = 0; i < 5; i++) {
        assert_true(ws_job_create(f->db, i == 3 ? "Other" : "same", "{}", &ids[i], &err));
    }
    assert_true(ws_job_list(f->db, f->mem, NULL, 0, 3, &jobs, &count, &err));
    assert_int_equal(count, 3);
    assert_true(jobs[0].job_id == ids[4]);
    assert_true(ws_job_list(f->db, f->mem, NULL, jobs[2].job_id, 3, &jobs, &count, &err));
    assert_int_equal(count, 2);
    assert_true(ws_job_list(f->db, f->mem, "OTHER", 0, 10, &jobs, &count, &err));
    assert_int_equal(count, 1);
}

static void keeps_the_tree(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    nv_bytes_t text = nv_bytes("a\0b", 3);
    ws_object_t object;
    assert_false(ws_object_put(f->db, f->mem, "/d/n", "NOTEBOOK", "PYTHON", text, false, &err));
    assert_int_equal(err.code, NV_NOT_FOUND);
    assert_true(ws_object_mkdirs(f->db, f->mem, "/d/e", &err));
    assert_true(ws_object_put(f->db, f->mem, "/d/n", "NOTEBOOK", "PYTHON", text, false, &err));
    assert_false(ws_object_put(f->db, f->mem, "/d/n", "NOTEBOOK", "PYTHON", text, false, &err));
    assert_int_equal(err.code, NV_ALREADY_EXISTS);
    assert_false(ws_object_put(f->db, f->mem, "/d/n", "FILE", NULL, text, true, &err));
    assert_false(ws_object_mkdirs(f->db, f->mem, "/d/n/below", &err));
    reopen(f);
    assert_true(ws_object_get(f->db, f->mem, "/d/n", true, &object, &err));
    assert_memory_equal(object.content, "a\0b", 4);
    assert_true(object.object_id > (INT64_C(1) << 53));
    assert_false(ws_object_delete(f->db, f->mem, "/d", false, &err));
    assert_int_equal(err.code, NV_FAILED_PRECONDITION);
    assert_true(ws_object_mkdirs(f->db, f->mem, "/dd", &err));
    assert_true(ws_object_delete(f->db, f->mem, "/d", true, &err));
    assert_false(ws_object_get(f->db, f->mem, "/d/e", false, &object, &err));
    assert_true(
        ws_object_get(f->db, f->mem, "/dd", false, &object, &err)); /* a neighbour with the same prefix */
}

static int64_t new_run(fixture_t *f, const char *token)
{
    nv_error_t err = NV_ERROR_INIT;
    int64_t id = 0;
    ws_new_run_t run = {
        .run_name = "r",
        .run_type = "SUBMIT_RUN",
        .idempotency_token = token,
        .parameters = "{}",
        .settings = "{\"tasks\":[{\"task_key\":\"a\"},{\"task_key\":\"b\",\"depends_on\":[{\"task_key\":"
                    "\"a\"}]}]}"};
    WS_DB_SCOPE ws_db_t *db = ws_db_lock(f->db);
    assert_true(ws_run_create(db, f->mem, &run, &id, &err));
    return id;
}

static void keeps_runs(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    int64_t id = new_run(f, "token");
    int64_t found = 0;
    ws_run_view_t view;
    ws_run_t run;
    ws_task_run_t *tasks = NULL;
    size_t task_count = 0;
    WS_DB_SCOPE ws_db_t *db = ws_db_lock(f->db);
    assert_true(ws_run_find_token(db, "token", &found, &err));
    assert_true(found == id);
    assert_true(ws_run_find_token(db, "other", &found, &err));
    assert_true(found == 0);
    assert_true(ws_run_tasks(db, f->mem, id, &tasks, &task_count, &err));
    assert_int_equal(task_count, 2);
    assert_string_equal(tasks[1].state, "BLOCKED");
    assert_true(ws_task_run_set(db, tasks[0].task_run_id, "RUNNING", NULL, "", NULL, &err));
    assert_true(ws_run_tasks(db, f->mem, id, &tasks, &task_count, &err));
    assert_string_equal(tasks[0].state, "RUNNING");
    assert_true(tasks[0].start_time > 0 && tasks[0].end_time == 0);
    assert_true(ws_task_run_set(db, tasks[0].task_run_id, "TERMINATED", "FAILED", "why", "{}", &err));
    assert_true(ws_task_run_add(db, id, "a", 1, "WAITING_FOR_RETRY", 5, &err));
    assert_true(ws_run_view_read(db, f->mem, id, &view, &err));
    assert_int_equal(view.newest[0]->attempt, 1);
    assert_int_equal(view.outcomes[0], WS_OUTCOME_NONE);
    assert_true(ws_run_get(db, f->mem, id, &run, &err));
    assert_string_equal(run.state, "QUEUED");
    assert_false(ws_run_get(db, f->mem, 1, &run, &err));
    assert_int_equal(err.code, NV_NOT_FOUND);
}

#define WITH_DB(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DB(ids_are_large_and_unique), WITH_DB(scope_without_commit_is_undone),
        WITH_DB(newer_state_is_refused),   WITH_DB(lists_jobs_in_pages),
        WITH_DB(keeps_the_tree),           WITH_DB(keeps_runs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The suite on SQLite, with sqlite-vec and without, and what only a file can suffer. */
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/store/documents.h"
#include "store_suite.h"
#include "vector_leaks.h"

static char folder[64];
static int made;

static void fresh(char *url, size_t size)
{
    snprintf(url, size, "sqlite:%s/%d.db", folder, made++);
}

static const char *path_of(const fixture_t *f)
{
    return f->url + strlen("sqlite:");
}

static void test_file_is_private(void **state)
{
    fixture_t *f = *state;
    struct stat info;
    assert_int_equal(stat(path_of(f), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void test_settings_are_durable(void **state)
{
    fixture_t *f = *state;
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(path_of(f), &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA journal_mode", -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(statement, 0), "wal");
    sqlite3_finalize(statement);
    sqlite3_close(db);
}

static void execute(const char *path, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void reopen_fails(fixture_t *f, nv_code_t code, const char *part)
{
    store_t *other = NULL;
    assert_fails(f, code, store_open(&f->options, &other, &f->err));
    if (!strstr(f->err.message, part))
        fail_msg("\"%s\" has no \"%s\"", f->err.message, part);
}

/* The log reaches the file while the store is busy: a long one is not left to whoever closes it. */
static void test_log_is_moved_while_open(void **state)
{
    enum { COMMITS = 44, BYTES = 1 << 20, EXPECTED = 32 << 20 };
    fixture_t *f = *state;
    store_run_t run = {.epoch = 1, .state = "running", .created_unix_ms = 1};
    store_batch_t create = {.tenant = "t", .run_id = "log", .create = &run};
    assert_ok(f, store_commit(f->store, &create, NULL, &f->err));
    char *data = calloc(1, BYTES);
    for (int64_t i = 1; i <= COMMITS; i++) {
        store_event_t event = {.seq = i, .data = nv_bytes(data, BYTES)};
        store_batch_t batch = {
            .tenant = "t", .run_id = "log", .expect_epoch = 1, .events = &event, .n_events = 1};
        assert_ok(f, store_commit(f->store, &batch, NULL, &f->err));
    }
    free(data);
    struct stat info = {0};
    for (int i = 0; i < 600 && info.st_size < EXPECTED; i++) {
        assert_int_equal(stat(path_of(f), &info), 0);
        usleep(50000);
    }
    assert_true(info.st_size >= EXPECTED);
}

static void test_newer_schema_is_refused(void **state)
{
    fixture_t *f = *state;
    execute(path_of(f), "UPDATE nuvyn_meta SET value = 99 WHERE name = 'schema_version'");
    reopen_fails(f, NV_FAILED_PRECONDITION, "schema version 99");
}

static void test_foreign_database_is_refused(void **state)
{
    fixture_t *f = *state;
    suite_engine.fresh(f->url, sizeof f->url);
    execute(path_of(f), "CREATE TABLE somebody (else_ TEXT)");
    reopen_fails(f, NV_FAILED_PRECONDITION, "another program");
}

static void test_garbage_is_data_loss(void **state)
{
    fixture_t *f = *state;
    suite_engine.fresh(f->url, sizeof f->url);
    FILE *file = fopen(path_of(f), "w");
    for (int i = 0; i < 5000; i++)
        fputs("not a database ", file);
    fclose(file);
    reopen_fails(f, NV_DATA_LOSS, path_of(f));
}

static void test_damaged_pages_are_data_loss(void **state)
{
    fixture_t *f = *state;
    for (int i = 0; i < 40; i++) {
        char id[16];
        snprintf(id, sizeof id, "r%d", i);
        suite_create_run(f, "acme", id);
    }
    store_close(f->store);
    int fd = open(path_of(f), O_RDWR);
    char junk[4096];
    memset(junk, 0x5A, sizeof junk);
    struct stat info;
    fstat(fd, &info);
    for (off_t at = 4096; at + 4096 <= info.st_size; at += 4096)
        assert_int_equal(pwrite(fd, junk, sizeof junk, at), sizeof junk);
    close(fd);
    f->store = NULL;
    store_t *other = NULL;
    assert_fails(f, NV_DATA_LOSS, store_open(&f->options, &other, &f->err));
}

static void test_bad_places(void **state)
{
    fixture_t *f = *state;
    snprintf(f->url, sizeof f->url, "sqlite:%s/missing/x.db", folder);
    reopen_fails(f, NV_NOT_FOUND, "missing/x.db");
    snprintf(f->url, sizeof f->url, "mysql://x");
    reopen_fails(f, NV_INVALID_ARGUMENT, "expected \"sqlite:PATH\"");
    snprintf(f->url, sizeof f->url, "sqlite:");
    reopen_fails(f, NV_INVALID_ARGUMENT, "expected \"sqlite:PATH\"");
}

static void test_read_only(void **state)
{
    fixture_t *f = *state;
    suite_create_run(f, "acme", "r1");
    store_options_t options = f->options;
    options.read_only = true;
    store_t *reader;
    assert_ok(f, store_open(&options, &reader, &f->err));
    store_run_t run;
    assert_ok(f, store_run_get(reader, f->ctx, "acme", "r1", &run, &f->err));
    store_batch_t batch = {.tenant = "acme", .run_id = "r1", .expect_epoch = 1};
    assert_fails(f, NV_FAILED_PRECONDITION, store_commit(reader, &batch, NULL, &f->err));
    assert_fails(f, NV_FAILED_PRECONDITION, store_document_put(reader, "acme", "x", 1, NULL, &f->err));
    store_close(reader);
}

static void test_required_vector_index(void **state)
{
    fixture_t *f = *state;
    f->options.vector_extension = "/nonexistent/vec0.so";
    f->options.require_vector = true;
    reopen_fails(f, NV_FAILED_PRECONDITION, "/nonexistent/vec0.so");
    f->options.require_vector = false;
    store_t *other;
    assert_ok(f, store_open(&f->options, &other, &f->err));
    store_status_t status;
    store_get_status(other, &status);
    assert_non_null(strstr(status.vector, "exact scan (/nonexistent/vec0.so"));
    store_close(other);
}

/* Two control planes on one file: the epoch decides. */
static void test_two_stores_one_file(void **state)
{
    fixture_t *f = *state;
    suite_create_run(f, "acme", "r1");
    store_t *other;
    assert_ok(f, store_open(&f->options, &other, &f->err));
    store_batch_t take = {.tenant = "acme", .run_id = "r1", .expect_epoch = 1, .new_epoch = 2};
    assert_ok(f, store_commit(other, &take, NULL, &f->err));
    store_batch_t late = {.tenant = "acme", .run_id = "r1", .expect_epoch = 1};
    assert_fails(f, NV_ABORTED, store_commit(f->store, &late, NULL, &f->err));
    store_close(other);
}

static int suite_file(void)
{
    const struct CMUnitTest tests[] = {
        SUITE_CASE(test_file_is_private),
        SUITE_CASE(test_settings_are_durable),
        SUITE_CASE(test_log_is_moved_while_open),
        SUITE_CASE(test_newer_schema_is_refused),
        SUITE_CASE(test_foreign_database_is_refused),
        SUITE_CASE(test_garbage_is_data_loss),
        SUITE_CASE(test_damaged_pages_are_data_loss),
        SUITE_CASE(test_bad_places),
        SUITE_CASE(test_read_only),
        SUITE_CASE(test_required_vector_index),
        SUITE_CASE(test_two_stores_one_file),
    };
    return cmocka_run_group_tests_name("store: file", tests, NULL, NULL);
}

int main(void)
{
    snprintf(folder, sizeof folder, "/tmp/nv_store_XXXXXX");
    if (!mkdtemp(folder))
        return 1;
    keep_vector_loaded(NUVYN_HOME "/sqlite-vec/vec0.so");
    suite_engine = (suite_engine_t){fresh, NUVYN_HOME "/sqlite-vec/vec0.so", "sqlite-vec v"};
    int failed = suite_runs() + suite_supersteps() + suite_tenants() + suite_writer() + suite_documents() +
                 suite_cases() + suite_leaders() + suite_file();
    suite_engine = (suite_engine_t){fresh, NULL, "exact scan"};
    failed += suite_cases() + suite_leaders();
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    failed += system(command) != 0;
    return failed;
}

/* SQLite under faults: kill -9 amid commits, a full disk, a sync that fails. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "crash_load.h"

static char folder[64];
static int made;

static void fresh(char *url, size_t size)
{
    snprintf(url, size, "sqlite:%s/%d.db", folder, made++);
}

/* ---- kill -9 ---- */

typedef struct loader {
    store_t *store;
    int run;
    int64_t step;
    int pipe;
} loader_t;

static void *load_forever(void *arg)
{
    loader_t *l = arg;
    nv_error_t err = NV_ERROR_INIT;
    while (load_step(l->store, l->run, l->step + 1, &err)) {
        load_ack_t ack = {l->run, (int32_t)++l->step};
        if (write(l->pipe, &ack, sizeof ack) != sizeof ack)
            break;
    }
    return NULL;
}

/* Commits until it is killed, telling each acknowledged step. */
static void child(const char *url, const int64_t *from, int to_parent)
{
    store_options_t options = {.url = url};
    store_t *store;
    nv_error_t err = NV_ERROR_INIT;
    if (!store_open(&options, &store, &err))
        _exit(2);
    loader_t loaders[LOAD_RUNS];
    pthread_t threads[LOAD_RUNS];
    for (int i = 0; i < LOAD_RUNS; i++) {
        loaders[i] = (loader_t){store, i, from[i], to_parent};
        pthread_create(&threads[i], NULL, load_forever, &loaders[i]);
    }
    for (int i = 0; i < LOAD_RUNS; i++)
        pthread_join(threads[i], NULL);
    _exit(3); /* a commit failed: not expected */
}

static void collect_acks(int fd, int64_t *acked)
{
    load_ack_t ack;
    while (read(fd, &ack, sizeof ack) == sizeof ack)
        if (ack.step > acked[ack.run])
            acked[ack.run] = ack.step;
}

static void sleep_ms(unsigned ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static void test_killed_amid_commits(void **state)
{
    fixture_t *f = *state;
    assert_ok(f, load_create(f->store, &f->err));
    store_close(f->store);
    f->store = NULL;
    int64_t steps[LOAD_RUNS] = {0}, total = 0;
    unsigned seed = 12345;
    for (int round = 0; round < 12; round++) {
        int pipes[2], status;
        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        pid_t pid = fork();
        if (pid == 0) {
            close(pipes[0]);
            child(f->url, steps, pipes[1]);
        }
        close(pipes[1]);
        seed = seed * 1103515245u + 12345u;
        sleep_ms(60 + (seed >> 16) % 200);
        assert_int_equal(kill(pid, SIGKILL), 0);
        int64_t acked[LOAD_RUNS] = {0};
        collect_acks(pipes[0], acked);
        close(pipes[0]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status)); /* no commit failed by itself */
        store_t *store;
        assert_ok(f, store_open(&f->options, &store, &f->err));
        for (int i = 0; i < LOAD_RUNS; i++) {
            int64_t now = load_check(store, i);
            if (now < acked[i] || (acked[i] && now > acked[i] + 1))
                fail_msg("run %d: stored %d, acknowledged %d", i, (int)now, (int)acked[i]);
            total += now - steps[i];
            steps[i] = now;
        }
        store_close(store);
    }
    assert_true(total > 50); /* the load was one */
    print_message("%d commits over 12 kills\n", (int)total);
    assert_ok(f, store_open(&f->options, &f->store, &f->err));
}

/* ---- a full disk ---- */

/* Fills until commits fail as they should; returns the steps that were acknowledged. */
static int64_t fill_up(fixture_t *f, const struct rlimit *after)
{
    int64_t step = load_check(f->store, 0);
    nv_error_clear(&f->err);
    while (load_step(f->store, 0, step + 1, &f->err))
        if (++step > 100000)
            fail_msg("the disk never filled");
    if (f->err.code != NV_RESOURCE_EXHAUSTED && after)
        setrlimit(RLIMIT_FSIZE, after);
    if (f->err.code != NV_RESOURCE_EXHAUSTED)
        fail_msg("%s (%s)", f->err.message, nv_code_name(f->err.code));
    return step;
}

static void test_file_size_limit(void **state)
{
    fixture_t *f = *state;
    assert_ok(f, load_create(f->store, &f->err));
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 2 << 20;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int64_t step = fill_up(f, &old);
    assert_int_equal(load_check(f->store, 0), step); /* reading goes on, nothing half */
    assert_fails(f, NV_RESOURCE_EXHAUSTED, load_step(f->store, 0, step + 1, &f->err));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_ok(f, load_step(f->store, 0, step + 1, &f->err)); /* room again: works again, without reopening */
    assert_int_equal(load_check(f->store, 0), step + 1);
    store_close(f->store);
    assert_ok(f, store_open(&f->options, &f->store, &f->err));
    assert_int_equal(load_check(f->store, 0), step + 1);
}

static void test_full_file_system(void **state)
{
    fixture_t *f = *state;
    char where[128];
    snprintf(where, sizeof where, "%s/tmpfs", folder);
    assert_int_equal(mkdir(where, 0700), 0);
    if (mount("nuvyn-test", where, "tmpfs", 0, "size=3m") != 0) {
        print_message("no tmpfs can be mounted here (%s): not tested\n", strerror(errno));
        skip();
    }
    store_close(f->store);
    snprintf(f->url, sizeof f->url, "sqlite:%s/s.db", where);
    bool opened = store_open(&f->options, &f->store, &f->err);
    if (opened) {
        assert_ok(f, load_create(f->store, &f->err));
        int64_t step = fill_up(f, NULL);
        assert_int_equal(load_check(f->store, 0), step);
        store_close(f->store);
        opened = store_open(&f->options, &f->store, &f->err);
        if (opened)
            assert_int_equal(load_check(f->store, 0), step);
        store_close(f->store);
    }
    f->store = NULL;
    assert_int_equal(umount(where), 0);
    assert_true(opened);
}

/* ---- a sync that fails: a shim between SQLite and its file system ---- */

static atomic_bool fail_syncs;
static sqlite3_vfs *real_vfs;
static sqlite3_vfs shim_vfs;
/* The real file system has a table of methods per kind of file. */
enum { METHODS_MAX = 8 };
static sqlite3_io_methods shim_methods[METHODS_MAX];
static const sqlite3_io_methods *real_methods[METHODS_MAX];

static int shim_sync(sqlite3_file *file, int flags)
{
    if (atomic_load(&fail_syncs))
        return SQLITE_IOERR_FSYNC;
    return real_methods[file->pMethods - shim_methods]->xSync(file, flags);
}

static int shim_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *out_flags)
{
    (void)vfs;
    int rc = real_vfs->xOpen(real_vfs, name, file, flags, out_flags);
    if (rc != SQLITE_OK || !file->pMethods)
        return rc;
    size_t i = 0;
    while (i < METHODS_MAX - 1 && real_methods[i] && real_methods[i] != file->pMethods)
        i++;
    real_methods[i] = file->pMethods;
    shim_methods[i] = *file->pMethods;
    shim_methods[i].xSync = shim_sync;
    file->pMethods = &shim_methods[i];
    return rc;
}

static void test_failed_sync_is_unknown(void **state)
{
    fixture_t *f = *state;
    store_close(f->store);
    real_vfs = sqlite3_vfs_find(NULL);
    shim_vfs = *real_vfs;
    shim_vfs.zName = "shim";
    shim_vfs.xOpen = shim_open;
    assert_int_equal(sqlite3_vfs_register(&shim_vfs, 1), SQLITE_OK);
    suite_engine.fresh(f->url, sizeof f->url);
    assert_ok(f, store_open(&f->options, &f->store, &f->err));
    assert_ok(f, load_create(f->store, &f->err));
    assert_ok(f, load_step(f->store, 0, 1, &f->err));
    atomic_store(&fail_syncs, true);
    assert_fails(f, NV_UNKNOWN, load_step(f->store, 0, 2, &f->err));
    atomic_store(&fail_syncs, false);
    int64_t step = load_check(f->store, 0); /* what the caller does now: read, and go on from there */
    assert_true(step == 1 || step == 2);
    assert_ok(f, load_step(f->store, 0, step + 1, &f->err));
    assert_int_equal(load_check(f->store, 0), step + 1);
    store_close(f->store);
    f->store = NULL;
    assert_int_equal(sqlite3_vfs_unregister(&shim_vfs), SQLITE_OK);
}

int main(void)
{
    snprintf(folder, sizeof folder, "/tmp/nv_faults_XXXXXX");
    if (!mkdtemp(folder))
        return 1;
    suite_engine = (suite_engine_t){fresh, NULL, "exact scan"};
    const struct CMUnitTest tests[] = {
        SUITE_CASE(test_killed_amid_commits),
        SUITE_CASE(test_file_size_limit),
        SUITE_CASE(test_full_file_system),
        SUITE_CASE(test_failed_sync_is_unknown),
    };
    int failed = cmocka_run_group_tests_name("store: faults", tests, NULL, NULL);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return failed + (system(command) != 0);
}

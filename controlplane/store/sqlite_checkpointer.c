#include "controlplane/store/sqlite_checkpointer.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>

/* In KiB of log: a new database has pages of 1 KiB, an old one of 4. */
enum {
    PASS_KIB =
        32768, /* the thread moves that many (32 MiB) at once: hot pages are written once for many commits */
    IDLE_KIB = 4000,    /* worth moving when there is nothing else to do */
    LIMIT_KIB = 131072, /* the log is to begin anew (128 MiB) */
    END_KIB = 2048,     /* moved within the writer's thread: some milliseconds */
    HARD_KIB = 4 * LIMIT_KIB
};

struct checkpointer {
    sqlite3 *handle; /* the thread's */
    pthread_t thread;
    int page_kib;
    int kib; /* of log; the writer's */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool wanted;
    bool stopping;
    int moved; /* KiB of the log, into the file */
};

static int moved_of(checkpointer_t *c)
{
    pthread_mutex_lock(&c->lock);
    int moved = c->moved;
    pthread_mutex_unlock(&c->lock);
    return moved;
}

/* A pass that fails, or that readers keep from going far, only leaves the log longer. */
static void *pass_after_pass(void *arg)
{
    checkpointer_t *c = arg;
    pthread_mutex_lock(&c->lock);
    for (;;) {
        while (!c->wanted && !c->stopping)
            pthread_cond_wait(&c->wake, &c->lock);
        if (c->stopping)
            break;
        c->wanted = false; /* now, so that a wish during the pass counts */
        pthread_mutex_unlock(&c->lock);
        int log = 0, done = 0;
        int rc = sqlite3_wal_checkpoint_v2(c->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, &log, &done);
        pthread_mutex_lock(&c->lock);
        if (rc == SQLITE_OK && done >= 0)
            c->moved = done * c->page_kib;
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static void wake(checkpointer_t *c)
{
    pthread_mutex_lock(&c->lock);
    c->wanted = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
}

void checkpointer_note(checkpointer_t *c, int pages)
{
    int kib = pages * c->page_kib;
    if (kib < c->kib)
        checkpointer_ended(c, 0); /* begun anew */
    c->kib = kib;
    int left = kib - moved_of(c);
    if (left > PASS_KIB || (kib > LIMIT_KIB && left > END_KIB))
        wake(c);
}

void checkpointer_idle(checkpointer_t *c)
{
    if (c->kib - moved_of(c) > IDLE_KIB)
        wake(c);
}

bool checkpointer_wants_end(checkpointer_t *c)
{
    int left = c->kib - moved_of(c);
    return c->kib > LIMIT_KIB && left > 0 && (left <= END_KIB || c->kib > HARD_KIB);
}

void checkpointer_ended(checkpointer_t *c, int moved)
{
    pthread_mutex_lock(&c->lock);
    c->moved = moved * c->page_kib;
    pthread_mutex_unlock(&c->lock);
}

static int take_page_kib(void *arg, int columns, char **values, char **names)
{
    (void)names;
    long bytes = columns > 0 && values[0] ? strtol(values[0], NULL, 10) : 0;
    *(int *)arg = bytes > 1024 ? (int)(bytes / 1024) : 1;
    return 0;
}

checkpointer_t *checkpointer_start(const char *path, nv_error_t *err)
{
    checkpointer_t *c = NV_NEW(NULL, checkpointer_t);
    int rc = sqlite3_open_v2(path, &c->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    /* A connection that has read nothing does not know that there is a log, and its checkpoints do nothing. */
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(c->handle, "SELECT COUNT(*) FROM sqlite_master", NULL, NULL, NULL);
    c->page_kib = 1;
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(c->handle, "PRAGMA page_size", take_page_kib, &c->page_kib, NULL);
    if (rc != SQLITE_OK) {
        nv_fail(err, NV_UNAVAILABLE, "%s: opening for checkpoints: %s", path, sqlite3_errstr(rc));
        sqlite3_close_v2(c->handle);
        nv_mem_free(c);
        return NULL;
    }
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->wake, NULL);
    int failed = pthread_create(&c->thread, NULL, pass_after_pass, c);
    if (!failed)
        return c;
    nv_fail_errno(err, failed, "starting the thread for checkpoints");
    sqlite3_close_v2(c->handle);
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->lock);
    nv_mem_free(c);
    return NULL;
}

void checkpointer_stop(checkpointer_t *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    sqlite3_close_v2(c->handle);
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->lock);
    nv_mem_free(c);
}

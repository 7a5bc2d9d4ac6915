#include "controlplane/store/sqlite_checkpointer.h"

#include <pthread.h>
#include <sqlite3.h>

/* In pages, of 1 KiB in a new database. */
enum {
    PASS_PAGES =
        32768, /* the thread moves that many (32 MiB) at once: hot pages are written once for many commits */
    IDLE_PAGES = 4000,    /* worth moving when there is nothing else to do */
    LIMIT_PAGES = 131072, /* the log is to begin anew (128 MiB) */
    END_PAGES = 2048,     /* moved within the writer's thread: some milliseconds */
    HARD_PAGES = 4 * LIMIT_PAGES
};

struct checkpointer {
    sqlite3 *handle; /* the thread's */
    pthread_t thread;
    int pages; /* the writer's */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool wanted;
    bool stopping;
    int moved; /* of the log's pages, into the file */
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
            c->moved = done;
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
    if (pages < c->pages)
        checkpointer_ended(c, 0); /* begun anew */
    c->pages = pages;
    int left = pages - moved_of(c);
    if (left > PASS_PAGES || (pages > LIMIT_PAGES && left > END_PAGES))
        wake(c);
}

void checkpointer_idle(checkpointer_t *c)
{
    if (c->pages - moved_of(c) > IDLE_PAGES)
        wake(c);
}

bool checkpointer_wants_end(checkpointer_t *c)
{
    int left = c->pages - moved_of(c);
    return c->pages > LIMIT_PAGES && left > 0 && (left <= END_PAGES || c->pages > HARD_PAGES);
}

void checkpointer_ended(checkpointer_t *c, int moved)
{
    pthread_mutex_lock(&c->lock);
    c->moved = moved;
    pthread_mutex_unlock(&c->lock);
}

checkpointer_t *checkpointer_start(const char *path, nv_error_t *err)
{
    checkpointer_t *c = NV_NEW(NULL, checkpointer_t);
    int rc = sqlite3_open_v2(path, &c->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    /* A connection that has read nothing does not know that there is a log, and its checkpoints do nothing. */
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(c->handle, "SELECT COUNT(*) FROM sqlite_master", NULL, NULL, NULL);
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

/* The writer: one thread, one connection, group commit.
 *
 * While a transaction syncs, others queue up; the next transaction takes them all. A job that fails without having changed
 * anything (a lost compare-and-set) just leaves its group. Any other failure rolls the group back, and its jobs are done
 * again one by one, each in a transaction of its own, so that none suffers for its neighbour.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controlplane/store/internal.h"

enum { GROUP_WEIGHT_MAX = 8 << 20, IDLE_MS = 100 };

struct writer {
    db_t *db;
    nv_log_t *log;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    job_t *head;
    job_t **tail;
    size_t queued;
    size_t queue_max;
    size_t group_max;
    bool stopping;
    store_status_t counters; /* guarded by lock */
};

/* ---- one group ---- */

typedef struct group {
    job_t **jobs;
    size_t count;
} group_t;

typedef enum group_end { GROUP_DONE, GROUP_AGAIN } group_end_t;

static void fail_open_jobs(group_t *group, const nv_error_t *err)
{
    for (size_t i = 0; i < group->count; i++)
        if (group->jobs[i]->error.code == NV_OK)
            group->jobs[i]->error = *err;
}

/* False: a job failed half way, or the connection is gone; nothing of the group may stay. */
static bool apply_all(writer_t *writer, group_t *group)
{
    db_t *db = writer->db;
    for (size_t i = 0; i < group->count; i++) {
        job_t *job = group->jobs[i];
        uint64_t before = db->writes;
        nv_error_clear(&job->error);
        if (job->apply(db, job, &job->error))
            continue;
        assert(job->error.code != NV_OK);
        bool harmless = !db->lost && !db->failed && db->writes == before;
        if (!harmless)
            return false;
    }
    return true;
}

static bool all_failed(const group_t *group)
{
    for (size_t i = 0; i < group->count; i++)
        if (group->jobs[i]->error.code == NV_OK)
            return false;
    return true;
}

/* GROUP_AGAIN: rolled back, each job is to be done alone. */
static group_end_t commit_group(writer_t *writer, group_t *group)
{
    db_t *db = writer->db;
    nv_error_t err = NV_ERROR_INIT;
    for (size_t i = 0; i < group->count; i++)
        nv_error_clear(&group->jobs[i]->error);
    if (!db->ops->begin(db, &err)) {
        fail_open_jobs(group, &err);
        return db->lost ? GROUP_AGAIN : GROUP_DONE;
    }
    if (!apply_all(writer, group)) {
        db->ops->rollback(db);
        return GROUP_AGAIN;
    }
    if (all_failed(group)) {
        db->ops->rollback(db);
        return GROUP_DONE;
    }
    db_outcome_t outcome = DB_ROLLED_BACK;
    if (db->ops->commit(db, &outcome, &err))
        return GROUP_DONE;
    if (outcome == DB_OUTCOME_UNKNOWN)
        err.code = NV_UNKNOWN;
    fail_open_jobs(group, &err);
    return GROUP_DONE;
}

static bool prepare(writer_t *writer, group_t *group)
{
    nv_error_t err = NV_ERROR_INIT;
    if (writer->db->ops->prepare(writer->db, &err))
        return true;
    for (size_t i = 0; i < group->count; i++)
        nv_error_clear(&group->jobs[i]->error);
    fail_open_jobs(group, &err);
    return false;
}

/* A job alone; done once more where the connection broke before COMMIT was sent, because then nothing can have happened. */
static void commit_alone(writer_t *writer, job_t *job)
{
    group_t alone = {&job, 1};
    for (int attempt = 0; attempt < 2; attempt++) {
        if (!prepare(writer, &alone))
            return;
        if (commit_group(writer, &alone) == GROUP_DONE || !writer->db->lost)
            return;
    }
}

static void count(writer_t *writer, const group_t *group, const struct timespec *from)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    size_t failed = 0;
    for (size_t i = 0; i < group->count; i++)
        failed += group->jobs[i]->error.code != NV_OK;
    pthread_mutex_lock(&writer->lock);
    writer->counters.commits++;
    writer->counters.batches += group->count - failed;
    writer->counters.failed += failed;
    writer->counters.reconnects = writer->db->reconnects;
    writer->counters.commit_nanos +=
        (uint64_t)((now.tv_sec - from->tv_sec) * 1000000000LL + now.tv_nsec - from->tv_nsec);
    pthread_mutex_unlock(&writer->lock);
}

static void run_group(writer_t *writer, group_t *group)
{
    struct timespec from;
    clock_gettime(CLOCK_MONOTONIC, &from);
    if (prepare(writer, group) && commit_group(writer, group) == GROUP_AGAIN)
        for (size_t i = 0; i < group->count; i++)
            commit_alone(writer, group->jobs[i]);
    count(writer, group, &from);
    for (size_t i = 0; i < group->count; i++)
        group->jobs[i]->done(group->jobs[i]); /* may free it */
}

/* ---- the queue ---- */

static void wait_for_work(writer_t *writer)
{
    bool idled = false;
    while (!writer->head && !writer->stopping) {
        if (idled) {
            pthread_cond_wait(&writer->wake, &writer->lock);
            continue;
        }
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += IDLE_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        if (pthread_cond_timedwait(&writer->wake, &writer->lock, &until) != ETIMEDOUT || writer->head)
            continue;
        pthread_mutex_unlock(&writer->lock);
        writer->db->ops->idle(writer->db);
        pthread_mutex_lock(&writer->lock);
        idled = true;
    }
}

static void take_group(writer_t *writer, group_t *group)
{
    size_t weight = 0;
    group->count = 0;
    while (writer->head && group->count < writer->group_max &&
           (weight < GROUP_WEIGHT_MAX || group->count == 0)) {
        job_t *job = writer->head;
        writer->head = job->next;
        if (!writer->head)
            writer->tail = &writer->head;
        writer->queued--;
        weight += job->weight;
        group->jobs[group->count++] = job;
    }
}

static void *writer_main(void *arg)
{
    writer_t *writer = arg;
    group_t group = {.jobs = calloc(writer->group_max, sizeof(job_t *))};
    if (!group.jobs)
        abort();
    pthread_mutex_lock(&writer->lock);
    for (;;) {
        wait_for_work(writer);
        if (!writer->head)
            break; /* stopping, and all is done */
        take_group(writer, &group);
        pthread_mutex_unlock(&writer->lock);
        run_group(writer, &group);
        pthread_mutex_lock(&writer->lock);
    }
    pthread_mutex_unlock(&writer->lock);
    free(group.jobs);
    return NULL;
}

bool writer_submit(writer_t *writer, job_t *job, nv_error_t *err)
{
    pthread_mutex_lock(&writer->lock);
    bool stopping = writer->stopping;
    bool full = writer->queued >= writer->queue_max;
    if (!stopping && !full) {
        job->next = NULL;
        *writer->tail = job;
        writer->tail = &job->next;
        writer->queued++;
        pthread_cond_signal(&writer->wake);
    }
    writer->counters.refused += full;
    pthread_mutex_unlock(&writer->lock);
    if (stopping)
        return nv_fail(err, NV_UNAVAILABLE, "the store is closing");
    if (full)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "%zu writes are waiting for the store already",
                       writer->queue_max);
    return true;
}

/* ---- blocking ---- */

typedef struct waiting {
    job_t job;
    write_fn *fn;
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool over;
} waiting_t;

static bool apply_waiting(db_t *db, job_t *job, nv_error_t *err)
{
    waiting_t *waiting = (waiting_t *)job;
    return waiting->fn(db, waiting->arg, err);
}

static void end_waiting(job_t *job)
{
    waiting_t *waiting = (waiting_t *)job;
    pthread_mutex_lock(&waiting->lock);
    waiting->over = true;
    pthread_cond_signal(&waiting->ended);
    pthread_mutex_unlock(&waiting->lock);
}

static void await(waiting_t *waiting)
{
    pthread_mutex_lock(&waiting->lock);
    while (!waiting->over)
        pthread_cond_wait(&waiting->ended, &waiting->lock);
    pthread_mutex_unlock(&waiting->lock);
}

bool writer_run(writer_t *writer, write_fn *fn, void *arg, size_t weight, nv_error_t *err)
{
    waiting_t waiting = {
        .job = {.weight = weight, .apply = apply_waiting, .done = end_waiting}, .fn = fn, .arg = arg};
    assert(!pthread_equal(pthread_self(), writer->thread)); /* would wait for itself */
    pthread_mutex_init(&waiting.lock, NULL);
    pthread_cond_init(&waiting.ended, NULL);
    bool ok = writer_submit(writer, &waiting.job, err);
    if (ok) {
        await(&waiting);
        ok = waiting.job.error.code == NV_OK;
        if (!ok)
            *err = waiting.job.error;
    }
    pthread_cond_destroy(&waiting.ended);
    pthread_mutex_destroy(&waiting.lock);
    return ok;
}

/* ---- life ---- */

writer_t *writer_start(db_t *db, const store_options_t *options, nv_error_t *err)
{
    writer_t *writer = NV_NEW(NULL, writer_t);
    writer->db = db;
    writer->log = options->log;
    writer->tail = &writer->head;
    writer->queue_max = (size_t)options->queue_max;
    writer->group_max = (size_t)options->group_max;
    pthread_mutex_init(&writer->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&writer->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int failed = pthread_create(&writer->thread, NULL, writer_main, writer);
    if (!failed)
        return writer;
    nv_fail_errno(err, failed, "starting the store's writer");
    nv_mem_free(writer);
    return NULL;
}

void writer_stop(writer_t *writer)
{
    pthread_mutex_lock(&writer->lock);
    writer->stopping = true;
    pthread_cond_signal(&writer->wake);
    pthread_mutex_unlock(&writer->lock);
    pthread_join(writer->thread, NULL);
    writer->db->ops->idle(writer->db);
    writer->db->ops->close(writer->db);
    pthread_cond_destroy(&writer->wake);
    pthread_mutex_destroy(&writer->lock);
    nv_mem_free(writer);
}

void writer_get_status(writer_t *writer, store_status_t *out)
{
    pthread_mutex_lock(&writer->lock);
    out->commits = writer->counters.commits;
    out->batches = writer->counters.batches;
    out->failed = writer->counters.failed;
    out->refused = writer->counters.refused;
    out->reconnects = writer->counters.reconnects;
    out->commit_nanos = writer->counters.commit_nanos;
    out->queued = writer->queued;
    pthread_mutex_unlock(&writer->lock);
}

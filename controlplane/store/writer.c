/* The writer: one thread, one connection, group commit.
 *
 * While a transaction syncs, others queue up; the next transaction takes them all. A job that fails without having changed
 * anything (a lost compare-and-set) just leaves its group. Any other failure rolls the group back, and its jobs are done
 * again one by one, each in a transaction of its own, so that none suffers for its neighbour.
 *
 * Where this store leads (leaders.c), each transaction holds the lead: one that was deposed changes nothing any more, be it a
 * run it knew or one that nobody else has heard of yet.
 */
#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
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
    atomic_llong fence;      /* epoch of the lead to hold; 0: none */
};

/* ---- one group ---- */

typedef struct group {
    job_t **jobs;
    size_t count;
} group_t;

typedef enum group_end { GROUP_DONE, GROUP_AGAIN } group_end_t;

static void fail_open_jobs(const group_t *group, const nv_error_t *err)
{
    for (size_t i = 0; i < group->count; i++)
        if (group->jobs[i]->error.code == NV_OK)
            group->jobs[i]->error = *err;
}

typedef bool job_step_fn(db_t *db, job_t *job, nv_error_t *err);

/* False: the job failed half way, or the connection is gone; nothing of the group may stay. */
static bool do_step(db_t *db, job_t *job, job_step_fn *step)
{
    if (job->error.code != NV_OK)
        return true; /* out of the group already */
    db->tally = &job->changed;
    bool ok = step(db, job, &job->error);
    db->tally = NULL;
    assert(ok || job->error.code != NV_OK);
    return ok || (!db->lost && !db->failed && job->changed == 0);
}

/* A failure that only now shows belongs to no job in particular. */
static bool settle(db_t *db, const group_t *group)
{
    nv_error_t err = NV_ERROR_INIT;
    if (db->ops->settle(db, &err))
        return true;
    fail_open_jobs(group, &err);
    return false;
}

/* Jobs with claims that follow each other: first all claims, then all the rest. Any other job goes alone, so that each finds
 * what the ones before it have left. */
static size_t end_of_stretch(const group_t *group, size_t from)
{
    size_t to = from + 1;
    while (group->jobs[from]->claim && to < group->count && group->jobs[to]->claim)
        to++;
    return to;
}

static bool apply_stretch(db_t *db, const group_t *group, size_t from, size_t to)
{
    bool claims = group->jobs[from]->claim != NULL;
    for (size_t i = from; claims && i < to; i++)
        if (!do_step(db, group->jobs[i], group->jobs[i]->claim))
            return false;
    if (claims && !settle(db, group))
        return false;
    for (size_t i = from; i < to; i++)
        if (!do_step(db, group->jobs[i], group->jobs[i]->apply))
            return false;
    return true;
}

/* False: nothing of the group may stay. */
static bool apply_all(db_t *db, const group_t *group)
{
    for (size_t from = 0, to; from < group->count; from = to) {
        to = end_of_stretch(group, from);
        if (!apply_stretch(db, group, from, to))
            return false;
    }
    return settle(db, group);
}

static void open_jobs(const group_t *group)
{
    for (size_t i = 0; i < group->count; i++) {
        nv_error_clear(&group->jobs[i]->error);
        group->jobs[i]->changed = 0;
    }
}

static bool all_failed(const group_t *group)
{
    for (size_t i = 0; i < group->count; i++)
        if (group->jobs[i]->error.code == NV_OK)
            return false;
    return true;
}

/* What the group does, if this store still leads. False: nothing of the group may stay. */
static bool apply_leading(writer_t *writer, const group_t *group, bool *leads)
{
    nv_error_t err = NV_ERROR_INIT;
    int64_t fence = atomic_load(&writer->fence);
    *leads = true;
    if (fence == 0)
        return apply_all(writer->db, group);
    if (leader_hold(writer->db, fence, leads, &err))
        return apply_all(writer->db, group);
    fail_open_jobs(group, &err);
    return false;
}

static void depose(const group_t *group)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_fail(&err, NV_ABORTED, "another control plane leads now");
    fail_open_jobs(group, &err);
}

/* GROUP_AGAIN: rolled back, each job is to be done alone. */
static group_end_t commit_group(writer_t *writer, group_t *group)
{
    db_t *db = writer->db;
    nv_error_t err = NV_ERROR_INIT;
    open_jobs(group);
    if (!db->ops->begin(db, &err)) {
        fail_open_jobs(group, &err);
        return db->lost ? GROUP_AGAIN : GROUP_DONE;
    }
    bool leads;
    if (!apply_leading(writer, group, &leads)) {
        db->ops->rollback(db);
        return GROUP_AGAIN;
    }
    if (!leads)
        depose(group);
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
    open_jobs(group);
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
    }
    writer->counters.refused += full;
    pthread_mutex_unlock(&writer->lock);
    if (!stopping && !full)
        pthread_cond_signal(&writer->wake); /* not under the lock: it would wake up only to wait for that */
    if (stopping)
        return nv_fail(err, NV_UNAVAILABLE, "the store is closing");
    if (full)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "%zu writes are waiting for the store already",
                       writer->queue_max);
    return true;
}

/* ---- blocking ---- */

void latch_init(latch_t *latch)
{
    pthread_mutex_init(&latch->lock, NULL);
    pthread_cond_init(&latch->opened, NULL);
    latch->open = false;
}

void latch_open(latch_t *latch)
{
    pthread_mutex_lock(&latch->lock);
    latch->open = true;
    pthread_cond_signal(&latch->opened);
    pthread_mutex_unlock(&latch->lock);
}

void latch_wait(latch_t *latch)
{
    pthread_mutex_lock(&latch->lock);
    while (!latch->open)
        pthread_cond_wait(&latch->opened, &latch->lock);
    pthread_mutex_unlock(&latch->lock);
}

void latch_destroy(latch_t *latch)
{
    pthread_cond_destroy(&latch->opened);
    pthread_mutex_destroy(&latch->lock);
}

typedef struct waiting {
    job_t job;
    write_fn *fn;
    void *arg;
    latch_t over;
} waiting_t;

static bool apply_waiting(db_t *db, job_t *job, nv_error_t *err)
{
    waiting_t *waiting = (waiting_t *)job;
    return waiting->fn(db, waiting->arg, err);
}

static void end_waiting(job_t *job)
{
    latch_open(&((waiting_t *)job)->over);
}

bool writer_run(writer_t *writer, write_fn *fn, void *arg, size_t weight, nv_error_t *err)
{
    waiting_t waiting = {
        .job = {.weight = weight, .apply = apply_waiting, .done = end_waiting}, .fn = fn, .arg = arg};
    assert(!pthread_equal(pthread_self(), writer->thread)); /* would wait for itself */
    latch_init(&waiting.over);
    bool ok = writer_submit(writer, &waiting.job, err);
    if (ok) {
        latch_wait(&waiting.over);
        ok = waiting.job.error.code == NV_OK;
        if (!ok)
            *err = waiting.job.error;
    }
    latch_destroy(&waiting.over);
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

void writer_fence(writer_t *writer, int64_t epoch)
{
    atomic_store(&writer->fence, epoch);
}

int64_t writer_fenced_at(writer_t *writer)
{
    return atomic_load(&writer->fence);
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

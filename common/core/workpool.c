#include "common/core/workpool.h"

#include "common/core/mem.h"

#include <pthread.h>
#include <stdlib.h>

typedef struct job {
    nv_job_fn fn;
    void *arg;
} job_t;

struct nv_workpool {
    pthread_mutex_t lock;
    pthread_cond_t more;
    job_t *ring;
    size_t capacity, first, count;
    bool stopping;
    pthread_t *threads;
    size_t n_threads;
};

static bool take(nv_workpool_t *pool, job_t *out)
{
    pthread_mutex_lock(&pool->lock);
    while (pool->count == 0 && !pool->stopping)
        pthread_cond_wait(&pool->more, &pool->lock);
    bool found = pool->count > 0;
    if (found) {
        *out = pool->ring[pool->first];
        pool->first = (pool->first + 1) % pool->capacity;
        pool->count--;
    }
    pthread_mutex_unlock(&pool->lock);
    return found;
}

static void *work(void *arg)
{
    job_t job;
    while (take(arg, &job))
        job.fn(job.arg);
    return NULL;
}

nv_workpool_t *nv_workpool_new(size_t threads, size_t max_queued, nv_error_t *err)
{
    nv_workpool_t *pool = NV_NEW(NULL, nv_workpool_t);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->more, NULL);
    pool->capacity = max_queued ? max_queued : 1;
    pool->ring = NV_NEW_ARRAY(pool, job_t, pool->capacity);
    pool->threads = NV_NEW_ARRAY(pool, pthread_t, threads);
    for (; pool->n_threads < threads; pool->n_threads++) {
        int why = pthread_create(&pool->threads[pool->n_threads], NULL, work, pool);
        if (why != 0) {
            nv_fail_errno(err, why, "starting a worker thread");
            nv_workpool_free(pool);
            return NULL;
        }
    }
    return pool;
}

bool nv_workpool_submit(nv_workpool_t *pool, nv_job_fn fn, void *arg, nv_error_t *err)
{
    pthread_mutex_lock(&pool->lock);
    bool stopping = pool->stopping, full = pool->count == pool->capacity;
    if (!stopping && !full) {
        pool->ring[(pool->first + pool->count) % pool->capacity] = (job_t){fn, arg};
        pool->count++;
        pthread_cond_signal(&pool->more);
    }
    pthread_mutex_unlock(&pool->lock);
    if (stopping)
        return nv_fail(err, NV_UNAVAILABLE, "shutting down");
    if (full)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "busy: %zu requests are already waiting", pool->capacity);
    return true;
}

void nv_workpool_stop(nv_workpool_t *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    size_t n = pool->n_threads;
    pool->n_threads = 0;
    pthread_cond_broadcast(&pool->more);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; i < n; i++)
        pthread_join(pool->threads[i], NULL);
}

void nv_workpool_free(nv_workpool_t *pool)
{
    if (!pool)
        return;
    nv_workpool_stop(pool);
    pthread_cond_destroy(&pool->more);
    pthread_mutex_destroy(&pool->lock);
    nv_mem_free(pool);
}

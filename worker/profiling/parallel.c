#include "worker/profiling/parallel.h"

#include <pthread.h>
#include <stdatomic.h>

enum { MAX_THREADS = 64 };

typedef struct pool {
    void (*run)(void *arg, size_t worker, size_t job);
    void *arg;
    size_t n_jobs;
    atomic_size_t next;
    atomic_size_t next_worker;
} pool_t;

static void *work(void *arg)
{
    pool_t *pool = arg;
    size_t worker = atomic_fetch_add(&pool->next_worker, 1);
    for (size_t job; (job = atomic_fetch_add(&pool->next, 1)) < pool->n_jobs;)
        pool->run(pool->arg, worker, job);
    return NULL;
}

void parallel_run(size_t threads, size_t n_jobs, void (*run)(void *arg, size_t worker, size_t job), void *arg)
{
    pool_t pool = {.run = run, .arg = arg, .n_jobs = n_jobs};
    pthread_t started[MAX_THREADS];
    size_t n = 0;
    size_t most = threads < n_jobs ? threads : n_jobs;
    while (n + 1 < most && n < MAX_THREADS && pthread_create(&started[n], NULL, work, &pool) == 0)
        n++;
    work(&pool);
    for (size_t i = 0; i < n; i++)
        pthread_join(started[i], NULL);
}

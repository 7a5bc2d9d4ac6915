/* Runs independent jobs on a few threads. */
#ifndef WORKER_PROFILING_PARALLEL_H
#define WORKER_PROFILING_PARALLEL_H

#include <stddef.h>

/* Calls run(arg, worker, job) once for each job 0 … n_jobs - 1, on the calling thread and up to threads - 1 more; worker
 * is below `threads` and no two calls with the same one overlap. Fewer threads do when more cannot be started. */
void parallel_run(size_t threads, size_t n_jobs, void (*run)(void *arg, size_t worker, size_t job),
                  void *arg);

#endif

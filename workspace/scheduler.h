/* Drives runs: one thread that looks at every active run whenever something happened, starts what may start (run_graph),
 * enforces timeouts and cancels, retries, and ends the run. All its knowledge is in the database, but for which kernel
 * request belongs to which task. Threads: any. */
#ifndef NV_WORKSPACE_SCHEDULER_H
#define NV_WORKSPACE_SCHEDULER_H

#include "workspace/app.h"

enum { WS_MAX_RUNNING_TASKS = 4 };

/* Fails what was running when the last process ended, then starts the thread. app is borrowed. */
bool ws_scheduler_start(ws_app_t *app, ws_scheduler_t **out, nv_error_t *err) NV_MUST_CHECK;
/* Stops the thread; call after ws_kernel_stop, so that no answer comes later. */
void ws_scheduler_stop(ws_scheduler_t *scheduler);
/* Something changed. */
void ws_scheduler_wake(ws_scheduler_t *scheduler);

#endif

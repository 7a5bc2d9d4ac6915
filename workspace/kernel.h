/* The Spark kernel: a child process (kernel/main.py) that this module starts, feeds and starts again when it dies.
 *
 * Requests are sent once the kernel is ready, and wait until then. Each is answered exactly once, by a call of its
 * ws_kernel_done_fn: with a result, or with an error (UNAVAILABLE: the driver died; CANCELLED: withdrawn before it was
 * sent; RESOURCE_EXHAUSTED: too many wait). Threads: any; callbacks come from the kernel's own thread, or from the
 * caller's inside ws_kernel_submit and ws_kernel_cancel, and must not be called with a lock held that they take.
 */
#ifndef NV_WORKSPACE_KERNEL_H
#define NV_WORKSPACE_KERNEL_H

#include "common/core/json.h"
#include "common/core/log.h"

#include <stdint.h>

typedef struct ws_kernel ws_kernel_t;

typedef struct ws_kernel_config {
    const char *python;     /* of the venv with pyspark */
    const char *kernel_dir; /* main.py and its siblings */
    const char *jars_dir;
    const char *unity_dir;
    const char *work_dir;
    const char *log_path; /* the kernel's stdout and stderr, appended */
    const char *memory;   /* of the driver, as Spark writes it: 2g */
    const char *jit;      /* quick or full; see kernel/session.py */
    int cores;
} ws_kernel_config_t;

typedef enum ws_kernel_state {
    WS_KERNEL_STARTING,
    WS_KERNEL_READY,
    WS_KERNEL_BROKEN, /* did not start; tried again every few seconds and with each request */
    WS_KERNEL_STOPPED,
} ws_kernel_state_t;

/* result is borrowed for the call; NULL when err tells why there is none. */
typedef void (*ws_kernel_done_fn)(void *arg, const nv_json_t *result, const nv_error_t *err);
/* A question of the kernel: write one member named "result", or fail. */
typedef bool (*ws_kernel_call_fn)(void *arg, nv_mem_t *mem, const nv_json_t *call, nv_json_writer_t *reply,
                                  nv_error_t *err);

/* Starts the kernel in the background. config, log and call_arg are borrowed until ws_kernel_stop. */
bool ws_kernel_start(const ws_kernel_config_t *config, nv_log_t *log, ws_kernel_call_fn call, void *call_arg,
                     ws_kernel_t **out, nv_error_t *err) NV_MUST_CHECK;
/* Ends the process and answers what is outstanding; later requests are refused. */
void ws_kernel_stop(ws_kernel_t *kernel);
/* After ws_kernel_stop, when nobody uses it any more. NULL is fine. */
void ws_kernel_free(ws_kernel_t *kernel);

/* Begins a request in writer `w` (made here, with "id" and "op" set); the caller adds members and submits. */
int64_t ws_kernel_begin(ws_kernel_t *kernel, nv_mem_t *mem, const char *op, nv_json_writer_t *w);
void ws_kernel_submit(ws_kernel_t *kernel, int64_t id, nv_json_writer_t *w, ws_kernel_done_fn done,
                      void *arg);
/* Asks for an end; the answer still comes through the request's done. */
void ws_kernel_cancel(ws_kernel_t *kernel, int64_t id);
/* Sends and waits. The result is below mem. */
bool ws_kernel_ask(ws_kernel_t *kernel, nv_mem_t *mem, int64_t id, nv_json_writer_t *w,
                   const nv_json_t **result, nv_error_t *err) NV_MUST_CHECK;

/* reason (static or owned by the kernel, copied below mem) says why it is broken. */
ws_kernel_state_t ws_kernel_status(ws_kernel_t *kernel, nv_mem_t *mem, const char **reason);

#endif

/* What the kernel asks of the server while it runs a notebook: other notebooks, secrets, task values. */
#ifndef NV_WORKSPACE_KERNEL_CALLS_H
#define NV_WORKSPACE_KERNEL_CALLS_H

#include "workspace/app.h"

/* A ws_kernel_call_fn; arg is the ws_app_t. */
bool ws_kernel_call(void *arg, nv_mem_t *mem, const nv_json_t *call, nv_json_writer_t *reply,
                    nv_error_t *err);

#endif

/* The kernel's process and the frames on its socket (see kernel/wire.py). No threads, no state beyond the struct. */
#ifndef NV_WORKSPACE_KERNEL_PROCESS_H
#define NV_WORKSPACE_KERNEL_PROCESS_H

#include "workspace/kernel.h"

#include <sys/types.h>

enum { WS_FRAME_MAX = 64 * 1024 * 1024 };

typedef struct ws_process {
    pid_t pid; /* also its process group; 0: none */
    int fd;    /* our end of the socket; -1: none */
} ws_process_t;

bool ws_process_spawn(const ws_kernel_config_t *config, ws_process_t *out, nv_error_t *err) NV_MUST_CHECK;
/* Waits up to grace_ms for the process to end by itself, then kills its group. Returns a text about how it ended. */
const char *ws_process_reap(ws_process_t *process, int grace_ms, nv_mem_t *mem);

bool ws_frame_send(int fd, const char *text, size_t length, nv_error_t *err) NV_MUST_CHECK;
/* One frame below mem. *text is NULL at the end of the stream. */
bool ws_frame_receive(int fd, nv_mem_t *mem, char **text, size_t *length, nv_error_t *err) NV_MUST_CHECK;

#endif

/* Raw files on their way into the workspace's volume. */
#ifndef WORKER_DEVELOPER_UPLOAD_H
#define WORKER_DEVELOPER_UPLOAD_H

#include "nuvyn/sttm.pb-c.h"
#include "worker/agents/connection/connection.h"

typedef struct upload_result {
    const char *folder; /* "/Volumes/…": what the pipeline reads below */
    char **uploaded;    /* paths sent now */
    size_t n_uploaded;
    size_t n_unchanged;
} upload_result_t;

/* Brings the files that the mapping was made from to /Volumes/catalog/schema/volume/project. A file whose SHA-256 and
 * size the folder's manifest already has is not sent again. Files that only the workspace reaches stay where they are,
 * and folder is where they stand. FAILED_PRECONDITION when a file is no longer as it was profiled. */
bool upload_sources(agent_task_t *task, nv_mem_t *ctx, connection_t *to, const Nv__Sttm *sttm,
                    upload_result_t *out, nv_error_t *err) NV_MUST_CHECK;

#endif

/* The workspace tree (notebooks, files, directories) in SQLite. Paths are normalized (path.h). Threads: any. */
#ifndef NV_WORKSPACE_OBJECT_STORE_H
#define NV_WORKSPACE_OBJECT_STORE_H

#include "common/core/bytes.h"
#include "workspace/db.h"

typedef struct ws_object {
    const char *path;
    const char *type;     /* DIRECTORY, NOTEBOOK, FILE */
    const char *language; /* of a notebook, or NULL */
    int64_t object_id;
    int64_t size;
    int64_t created_at;
    int64_t modified_at;
    const void *content; /* NULL unless asked for; NUL-terminated */
} ws_object_t;

/* NOT_FOUND, in the words of the API, when there is none. */
bool ws_object_get(ws_db_t *db, nv_mem_t *mem, const char *path, bool with_content, ws_object_t *out,
                   nv_error_t *err) NV_MUST_CHECK;
bool ws_object_list(ws_db_t *db, nv_mem_t *mem, const char *parent, ws_object_t **out, size_t *count,
                    nv_error_t *err) NV_MUST_CHECK;
/* Makes the directory and those above it. */
bool ws_object_mkdirs(ws_db_t *db, nv_mem_t *mem, const char *path, nv_error_t *err) NV_MUST_CHECK;
/* ALREADY_EXISTS when there is one and overwrite is false or its type differs; NOT_FOUND when the parent is missing. */
bool ws_object_put(ws_db_t *db, nv_mem_t *mem, const char *path, const char *type, const char *language,
                   nv_bytes_t content, bool overwrite, nv_error_t *err) NV_MUST_CHECK;
/* FAILED_PRECONDITION for a directory that is not empty, unless recursive. */
bool ws_object_delete(ws_db_t *db, nv_mem_t *mem, const char *path, bool recursive,
                      nv_error_t *err) NV_MUST_CHECK;

#endif

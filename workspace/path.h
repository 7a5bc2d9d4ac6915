/* Workspace paths and names: pure. */
#ifndef NV_WORKSPACE_PATH_H
#define NV_WORKSPACE_PATH_H

#include "common/core/error.h"
#include "common/core/mem.h"

enum { WS_PATH_MAX = 1000 };

/* "/a/b" out of "/a//b/", also with the prefix /Workspace. Must be absolute; "." and ".." segments, control characters and
 * overlong paths are refused. */
bool ws_path_normalize(nv_mem_t *mem, const char *path, const char **out, nv_error_t *err) NV_MUST_CHECK;
/* "/a" for "/a/b", "/" for "/a" and "/". */
const char *ws_path_parent(nv_mem_t *mem, const char *path);

/* A name of the catalog in its stored form (lower case); kind names it in the error. */
bool ws_name_check(nv_mem_t *mem, const char *kind, const char *name, const char **out,
                   nv_error_t *err) NV_MUST_CHECK;

typedef struct ws_volume_path {
    const char *catalog;
    const char *schema;
    const char *volume; /* NULL when the path ends before it */
    const char *rest;   /* "" or "a/b", no slash at either end */
} ws_volume_path_t;

/* Takes /Volumes/catalog/schema/volume/rest apart (already percent-decoded). ".." and "." are refused. */
bool ws_volume_path_parse(nv_mem_t *mem, const char *path, ws_volume_path_t *out,
                          nv_error_t *err) NV_MUST_CHECK;

/* "bytes=a-b", "bytes=a-", "bytes=-n" against a file of size bytes. *partial is false when there is no (usable) range
 * header; OUT_OF_RANGE when it lies behind the end. *last is inclusive. */
bool ws_range_parse(const char *header, int64_t size, bool *partial, int64_t *first, int64_t *last,
                    nv_error_t *err) NV_MUST_CHECK;

#endif

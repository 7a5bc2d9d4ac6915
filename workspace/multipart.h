/* Reads multipart/form-data (RFC 7578): pure, over a body held in memory. Parts borrow the body. */
#ifndef NV_WORKSPACE_MULTIPART_H
#define NV_WORKSPACE_MULTIPART_H

#include "common/core/bytes.h"
#include "common/core/error.h"
#include "common/core/mem.h"

enum { WS_MULTIPART_MAX_PARTS = 32 };

typedef struct ws_part {
    const char *name; /* below mem */
    nv_bytes_t content;
} ws_part_t;

typedef struct ws_multipart {
    ws_part_t parts[WS_MULTIPART_MAX_PARTS];
    size_t count;
} ws_multipart_t;

/* content_type is the request's header, with its boundary. */
bool ws_multipart_parse(nv_mem_t *mem, const char *content_type, const char *body, size_t length,
                        ws_multipart_t *out, nv_error_t *err) NV_MUST_CHECK;
/* The part's content, or NULL. */
const nv_bytes_t *ws_multipart_find(const ws_multipart_t *form, const char *name);

#endif

/* Paths and URIs as texts; nothing is looked up. */
#ifndef NV_CORE_PATH_H
#define NV_CORE_PATH_H

#include "common/core/mem.h"

#include <stddef.h>

/* The length of a path without the slashes at its end; "/" stays. */
size_t nv_path_trimmed(const char *path);
/* The last part, without slashes at the end, below ctx: "data/shop/" is "shop"; "" of "" and "/". */
char *nv_path_base(nv_mem_t *ctx, const char *path);

#endif

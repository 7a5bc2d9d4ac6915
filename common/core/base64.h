/* Base64 (RFC 4648): writes the standard alphabet with padding; reads both alphabets, padding optional. */
#ifndef NV_CORE_BASE64_H
#define NV_CORE_BASE64_H

#include "common/core/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* NUL-terminated text below ctx. */
char *nv_base64_encode(nv_mem_t *ctx, const void *data, size_t length);

/* False for anything that is not base64 (blanks and stray final bits included); *out is below ctx. */
bool nv_base64_decode(nv_mem_t *ctx, const char *text, size_t length, uint8_t **out, size_t *out_length);

#endif

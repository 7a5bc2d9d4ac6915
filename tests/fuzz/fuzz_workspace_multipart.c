/* multipart/form-data: the first line of the input is the content type, the rest the body. Parts lie inside the body. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "workspace/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("fuzz");
    nv_error_t err = NV_ERROR_INIT;
    const uint8_t *line = size ? memchr(data, '\n', size) : NULL;
    if (!line || memchr(data, '\0', (size_t)(line - data))) {
        return 0;
    }
    const char *type = nv_strndup(mem, (const char *)data, (size_t)(line - data));
    size_t length = size - (size_t)(line - data) - 1;
    /* A copy of exactly that size, so that a sanitizer sees a step too far. */
    char *body = nv_memdup(mem, line + 1, length);
    ws_multipart_t form;
    if (!ws_multipart_parse(mem, type, body, length, &form, &err)) {
        assert(err.code == NV_INVALID_ARGUMENT);
        return 0;
    }
    assert(form.count <= WS_MULTIPART_MAX_PARTS);
    for (size_t i = 0; i < form.count; i++) {
        const char *content = form.parts[i].content.data;
        assert(form.parts[i].name && content >= body &&
               content + form.parts[i].content.length <= body + length);
    }
    return 0;
}

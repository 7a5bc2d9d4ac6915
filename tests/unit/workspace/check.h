/* What all these tests include, in cmocka's order. */
#ifndef NV_TESTS_WORKSPACE_CHECK_H
#define NV_TESTS_WORKSPACE_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/core/json.h"

#include <string.h>

static inline const nv_json_t *json(nv_mem_t *mem, const char *text)
{
    const nv_json_t *out = NULL;
    nv_error_t err = NV_ERROR_INIT;
    if (!nv_json_parse(mem, "test", text, strlen(text), &out, &err)) {
        fail_msg("%s", err.message);
    }
    return out;
}

#endif

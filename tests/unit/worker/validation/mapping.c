#include "tests/unit/worker/validation/mapping.h"

#include "common/contract/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { FILE_MAX = 64 * 1024 };

void test_write_file(const char *folder, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

Nv__Sttm *test_mapping(nv_mem_t *ctx, const char *name, const char *folder)
{
    nv_error_t err = NV_ERROR_INIT;
    ProtobufCMessage *message = NULL;
    char *text = nv_alloc(ctx, FILE_MAX);
    FILE *file = fopen(nv_printf(ctx, VALIDATION_TEST_DIR "/%s", name), "rb");
    assert_non_null(file);
    text[fread(text, 1, FILE_MAX - 1, file)] = '\0';
    fclose(file);
    for (char *at; (at = strstr(text, "@DIR@"));)
        text = nv_printf(ctx, "%.*s%s%s", (int)(at - text), text, folder, at + 5);
    if (!nv_json_decode(ctx, &nv__sttm__descriptor, "sttm", text, strlen(text), NV_CODEC_DEFAULT, &message,
                        &err))
        fail_msg("%s", err.message);
    return (Nv__Sttm *)message;
}

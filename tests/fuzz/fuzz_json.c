/* The reader of foreign JSON: what it accepts, it must write again so that it reads the same. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/core/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("fuzz");
    nv_error_t err = NV_ERROR_INIT;
    const nv_json_t *first;
    if (!nv_json_parse(ctx, "fuzz", (const char *)data, size, &first, &err)) {
        assert(err.code != NV_OK && err.message[0]);
        return 0;
    }
    const nv_json_t *second;
    char *texts[2];
    nv_json_writer_t w = nv_json_writer_make(ctx, NV_JSON_MAX_BYTES, false);
    nv_json_put_value(&w, NULL, first);
    bool ok = nv_json_write_end(&w, "fuzz", &texts[0], NULL, &err) &&
              nv_json_parse(ctx, "again", texts[0], strlen(texts[0]), &second, &err);
    assert(ok);
    w = nv_json_writer_make(ctx, NV_JSON_MAX_BYTES, false);
    nv_json_put_value(&w, NULL, second);
    ok = nv_json_write_end(&w, "fuzz", &texts[1], NULL, &err);
    assert(ok && strcmp(texts[0], texts[1]) == 0);
    int64_t id;
    if (!nv_json_int64(first, "a[0].id", &id, &err))
        assert(strncmp(err.message, "fuzz: a[0].id", 13) == 0);
    return 0;
}

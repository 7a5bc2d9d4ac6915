/* Everything that reads text of a URL or a header: decoding, routes, workspace paths, volume paths, ranges. What is accepted
 * holds no way up. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "workspace/path.h"
#include "workspace/router.h"
#include "workspace/unity_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_no_way_up(const char *path)
{
    for (const char *p = strstr(path, ".."); p; p = strstr(p + 1, "..")) {
        bool begins = p == path || p[-1] == '/';
        bool ends = p[2] == '\0' || p[2] == '/';
        assert(!(begins && ends));
    }
}

static void check_range(const char *text)
{
    nv_error_t err = NV_ERROR_INIT;
    bool partial = false;
    int64_t first = 0;
    int64_t last = 0;
    if (ws_range_parse(text, 1000, &partial, &first, &last, &err)) {
        assert(first >= 0 && first <= last && last < 1000);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("fuzz");
    nv_error_t err = NV_ERROR_INIT;
    const char *params[WS_MAX_PARAMS] = {0};
    const char *clean = NULL;
    ws_volume_path_t volume;
    ws_full_name_t name;
    const char *text = ws_percent_decode(mem, (const char *)data, size, size % 2);
    if (!text) {
        return 0;
    }
    const char *raw = nv_strndup(mem, (const char *)data, size);
    (void)!ws_route_match(mem, "/api/2.{minor}/jobs/get", raw, params);
    (void)!ws_route_match(mem, "/api/2.0/fs/files{path...}", raw, params);
    if (ws_path_normalize(mem, text, &clean, &err)) {
        assert(clean[0] == '/' && !strstr(clean, "//") && strlen(clean) <= WS_PATH_MAX);
        check_no_way_up(clean);
    }
    if (ws_volume_path_parse(mem, text, &volume, &err)) {
        check_no_way_up(volume.rest);
        assert(!strchr(volume.catalog, '/') && !strchr(volume.schema, '/') && volume.rest[0] != '/');
    }
    if (ws_full_name_parse(mem, WS_TABLE, text, &name, &err)) {
        assert(!strchr(ws_full_name_text(mem, &name), '/'));
    }
    check_range(text);
    return 0;
}

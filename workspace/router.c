#include "workspace/router.h"

#include <string.h>

/* One step through pattern and path: a literal byte or a {…}. */
static bool match_parameter(nv_mem_t *mem, const char **pattern, const char **path, const char **out)
{
    const char *close = strchr(*pattern, '}');
    bool rest = close - *pattern > 3 && strncmp(close - 3, "...", 3) == 0;
    size_t length = rest ? strlen(*path) : strcspn(*path, "/");
    if (length == 0 && !rest) {
        return false;
    }
    *out = ws_percent_decode(mem, *path, length, false);
    *pattern = close + 1;
    *path += length;
    return *out != NULL;
}

bool ws_route_match(nv_mem_t *mem, const char *pattern, const char *path, const char *params[WS_MAX_PARAMS])
{
    size_t count = 0;
    while (*pattern) {
        if (*pattern == '{') {
            if (count == WS_MAX_PARAMS || !match_parameter(mem, &pattern, &path, &params[count])) {
                return false;
            }
            count++;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *path == '\0';
}

static const ws_route_t *find_in(const ws_route_t *routes, ws_request_t *request)
{
    for (; routes->method; routes++) {
        if (strcmp(routes->method, request->method) == 0 &&
            ws_route_match(request->mem, routes->pattern, request->path, request->params)) {
            return routes;
        }
    }
    return NULL;
}

const ws_route_t *ws_route_find(ws_request_t *request, nv_error_t *err)
{
    static const ws_route_t *const areas[] = {
        ws_routes_auth,  ws_routes_objects, ws_routes_jobs,    ws_routes_runs,   ws_routes_statements,
        ws_routes_files, ws_routes_unity,   ws_routes_secrets, ws_routes_faults,
    };
    for (size_t i = 0; i < sizeof areas / sizeof *areas; i++) {
        const ws_route_t *route = find_in(areas[i], request);
        if (route) {
            return route;
        }
    }
    nv_fail(err, NV_UNIMPLEMENTED, "%s %.500s: the local workspace does not implement this call",
            request->method, request->path);
    return NULL;
}

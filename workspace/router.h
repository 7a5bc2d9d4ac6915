/* Finds the handler of a request by method and path. Patterns are literal but for {name}, which matches one path segment,
 * and a last {name...}, which matches the rest (slashes included, possibly nothing). */
#ifndef NV_WORKSPACE_ROUTER_H
#define NV_WORKSPACE_ROUTER_H

#include "workspace/app.h"

enum {
    WS_ROUTE_OPEN = 1,   /* needs no token */
    WS_ROUTE_STREAM = 2, /* the handler reads the body itself */
};

typedef struct ws_route {
    const char *method;
    const char *pattern;
    ws_handler_fn handler;
    unsigned flags;
} ws_route_t;

/* The tables of all API areas, each ended by a route without method. */
extern const ws_route_t ws_routes_auth[];
extern const ws_route_t ws_routes_objects[];
extern const ws_route_t ws_routes_jobs[];
extern const ws_route_t ws_routes_runs[];
extern const ws_route_t ws_routes_statements[];
extern const ws_route_t ws_routes_files[];
extern const ws_route_t ws_routes_unity[];
extern const ws_route_t ws_routes_secrets[];
extern const ws_route_t ws_routes_faults[];

/* The route, its parameters filled into request->params; NULL with NOT_FOUND-like *err (UNIMPLEMENTED naming the route,
 * INVALID_ARGUMENT for bad percent-encoding). */
const ws_route_t *ws_route_find(ws_request_t *request, nv_error_t *err);

/* True when path matches pattern; params as above. For tests too. */
bool ws_route_match(nv_mem_t *mem, const char *pattern, const char *path, const char *params[WS_MAX_PARAMS]);

#endif

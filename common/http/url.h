/* URLs: escaping and putting them together (RFC 3986). All results are below ctx. */
#ifndef NV_HTTP_URL_H
#define NV_HTTP_URL_H

#include "common/core/error.h"
#include "common/core/mem.h"

#include <stdbool.h>

/* Percent-encodes everything but the unreserved characters. */
char *nv_url_escape(nv_mem_t *ctx, const char *text);
/* The same per segment: "/" stays. "a b/c%" -> "a%20b/c%25". */
char *nv_url_escape_path(nv_mem_t *ctx, const char *path);
/* url with "?key=value" or "&key=value" behind it, both escaped. */
char *nv_url_with_query(nv_mem_t *ctx, const char *url, const char *key, const char *value);

/* "https://host[:port]" from what people type: adds https:// where no scheme is given, drops path, query and a trailing
 * slash. http:// is accepted for loopback hosts only, because a bearer token would travel in the clear. */
bool nv_url_origin(nv_mem_t *ctx, const char *text, char **out, nv_error_t *err) NV_MUST_CHECK;

/* False for anything but https, and http to a loopback host. */
bool nv_url_is_safe(const char *url);
/* localhost, 127.0.0.0/8, ::1. */
bool nv_url_is_loopback(const char *url);

#endif

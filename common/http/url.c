#include "common/http/url.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>

static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

static char *escape(nv_mem_t *ctx, const char *text, bool keep_slash)
{
    static const char hex[] = "0123456789ABCDEF";
    char *out = nv_alloc_array(ctx, 3, strlen(text) + 1);
    char *at = out;
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (is_unreserved(c) || (keep_slash && c == '/')) {
            *at++ = (char)c;
            continue;
        }
        *at++ = '%';
        *at++ = hex[c >> 4];
        *at++ = hex[c & 15];
    }
    *at = '\0';
    return out;
}

char *nv_url_escape(nv_mem_t *ctx, const char *text)
{
    return escape(ctx, text, false);
}

char *nv_url_escape_path(nv_mem_t *ctx, const char *path)
{
    return escape(ctx, path, true);
}

char *nv_url_with_query(nv_mem_t *ctx, const char *url, const char *key, const char *value)
{
    return nv_printf(ctx, "%s%c%s=%s", url, strchr(url, '?') ? '&' : '?', nv_url_escape(ctx, key),
                     nv_url_escape(ctx, value));
}

static bool is_loopback_host(const char *host)
{
    size_t n = strlen(host);
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == n);
}

/* One part of a parsed URL, below ctx; NULL when it is not there. */
static char *url_part(nv_mem_t *ctx, CURLU *parsed, CURLUPart part)
{
    char *text = NULL;
    if (curl_url_get(parsed, part, &text, 0) != CURLUE_OK)
        return NULL;
    char *copy = nv_strdup(ctx, text);
    curl_free(text);
    return copy;
}

static bool split(nv_mem_t *ctx, const char *url, char **scheme, char **host, char **port)
{
    CURLU *parsed = curl_url();
    bool ok = parsed && curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK;
    if (ok) {
        *scheme = url_part(ctx, parsed, CURLUPART_SCHEME);
        *host = url_part(ctx, parsed, CURLUPART_HOST);
        *port = url_part(ctx, parsed, CURLUPART_PORT);
        ok = *scheme && *host && **host;
    }
    curl_url_cleanup(parsed);
    return ok;
}

bool nv_url_is_loopback(const char *url)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("url");
    char *scheme, *host, *port;
    return split(ctx, url, &scheme, &host, &port) && is_loopback_host(host);
}

bool nv_url_is_safe(const char *url)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("url");
    char *scheme, *host, *port;
    if (!split(ctx, url, &scheme, &host, &port))
        return false;
    return strcmp(scheme, "https") == 0 || (strcmp(scheme, "http") == 0 && is_loopback_host(host));
}

bool nv_url_origin(nv_mem_t *ctx, const char *text, char **out, nv_error_t *err)
{
    char *scheme, *host, *port;
    const char *url = strstr(text, "://") ? text : nv_printf(ctx, "https://%s", text);
    if (!split(ctx, url, &scheme, &host, &port))
        return nv_fail(err, NV_INVALID_ARGUMENT, "host \"%.200s\": expected https://HOST[:PORT]", text);
    if (!nv_url_is_safe(url))
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "host \"%.200s\": expected https (http only for a loopback address)", text);
    *out = nv_printf(ctx, "%s://%s%s%s", scheme, host, port ? ":" : "", port ? port : "");
    return true;
}

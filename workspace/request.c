#include "workspace/request.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *ws_percent_decode(nv_mem_t *mem, const char *text, size_t length, bool plus_is_space)
{
    char *out = nv_alloc(mem, length + 1);
    size_t n = 0;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (c == '%') {
            int high = i + 2 < length ? hex_digit(text[i + 1]) : -1;
            int low = i + 2 < length ? hex_digit(text[i + 2]) : -1;
            if (high < 0 || low < 0 || (high == 0 && low == 0)) {
                return NULL;
            }
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        } else if (c == '\0') {
            return NULL;
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return out;
}

char *ws_percent_encode(nv_mem_t *mem, const char *text, bool keep_slash)
{
    static const char digits[] = "0123456789ABCDEF";
    char *out = nv_alloc(mem, strlen(text) * 3 + 1);
    size_t n = 0;
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
                     strchr("-._~", *p) || (keep_slash && *p == '/');
        if (plain) {
            out[n++] = (char)*p;
        } else {
            out[n++] = '%';
            out[n++] = digits[*p >> 4];
            out[n++] = digits[*p & 15];
        }
    }
    out[n] = '\0';
    return out;
}

const char *ws_query(ws_request_t *request, const char *name)
{
    size_t wanted = strlen(name);
    for (const char *p = request->query; *p;) {
        size_t length = strcspn(p, "&");
        if (length > wanted && strncmp(p, name, wanted) == 0 && p[wanted] == '=') {
            return ws_percent_decode(request->mem, p + wanted + 1, length - wanted - 1, true);
        }
        p += length + (p[length] == '&');
    }
    return NULL;
}

static bool parse_int64(const char *text, int64_t *out)
{
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end) {
        return false;
    }
    *out = value;
    return true;
}

bool ws_query_int64(ws_request_t *request, const char *name, int64_t fallback, int64_t *out, nv_error_t *err)
{
    const char *text = ws_query(request, name);
    *out = fallback;
    if (text && *text && !parse_int64(text, out)) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: expected an integer, got \"%.40s\"", name, text);
    }
    return true;
}

bool ws_query_bool(ws_request_t *request, const char *name)
{
    const char *text = ws_query(request, name);
    return text && (strcmp(text, "true") == 0 || strcmp(text, "1") == 0);
}

static bool in_query(const ws_request_t *request)
{
    return strcmp(request->method, "GET") == 0 || strcmp(request->method, "DELETE") == 0 ||
           strcmp(request->method, "HEAD") == 0;
}

bool ws_need_text(ws_request_t *request, const char *name, const char **out, nv_error_t *err)
{
    *out = in_query(request) ? ws_query(request, name) : nv_json_string_or(request->json, name, NULL);
    if (!*out || !**out) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "Missing required field: %s", name);
    }
    return true;
}

bool ws_need_int64(ws_request_t *request, const char *name, int64_t *out, nv_error_t *err)
{
    if (!in_query(request)) {
        return nv_json_int64(request->json, name, out, err);
    }
    const char *text = ws_query(request, name);
    if (!text || !parse_int64(text, out)) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: expected an integer, got \"%.40s\"", name,
                       text ? text : "");
    }
    return true;
}

bool ws_refuse(ws_request_t *request, nv_error_t *err, int status, const char *code, const char *fmt, ...)
{
    request->refused_status = status;
    request->refused_code = code;
    va_list args;
    va_start(args, fmt);
    nv_vfail(err, NV_FAILED_PRECONDITION, fmt, args);
    va_end(args);
    return false;
}

nv_json_writer_t ws_reply_writer(ws_request_t *request)
{
    return nv_json_writer_make(request->mem, WS_MAX_REPLY, false);
}

bool ws_reply_json(ws_request_t *request, nv_json_writer_t *writer, nv_error_t *err)
{
    char *text = NULL;
    size_t length = 0;
    if (!nv_json_write_end(writer, "reply", &text, &length, err)) {
        return false;
    }
    request->reply.body = text;
    request->reply.length = length;
    return true;
}

bool ws_reply_empty(ws_request_t *request)
{
    request->reply.body = "{}";
    request->reply.length = 2;
    return true;
}

bool ws_reply_status(ws_request_t *request, int status)
{
    request->reply.status = status;
    return true;
}

typedef struct shape {
    nv_code_t code;
    int status;
    const char *name;
} shape_t;

static const shape_t *shape_of(nv_code_t code)
{
    static const shape_t shapes[] = {
        {NV_INVALID_ARGUMENT, 400, "INVALID_PARAMETER_VALUE"},
        {NV_OUT_OF_RANGE, 400, "INVALID_PARAMETER_VALUE"},
        {NV_FAILED_PRECONDITION, 400, "INVALID_STATE"},
        {NV_NOT_FOUND, 404, "RESOURCE_DOES_NOT_EXIST"},
        {NV_ALREADY_EXISTS, 400, "RESOURCE_ALREADY_EXISTS"},
        {NV_PERMISSION_DENIED, 403, "PERMISSION_DENIED"},
        {NV_UNAUTHENTICATED, 401, "UNAUTHENTICATED"},
        {NV_RESOURCE_EXHAUSTED, 429, "RESOURCE_EXHAUSTED"},
        {NV_ABORTED, 409, "ABORTED"},
        {NV_UNIMPLEMENTED, 501, "NOT_IMPLEMENTED"},
        {NV_UNAVAILABLE, 503, "TEMPORARILY_UNAVAILABLE"},
        {NV_DEADLINE_EXCEEDED, 504, "DEADLINE_EXCEEDED"},
        {NV_INTERNAL, 500, "INTERNAL_ERROR"},
    };
    size_t count = sizeof shapes / sizeof *shapes;
    for (size_t i = 0; i < count; i++) {
        if (shapes[i].code == code) {
            return &shapes[i];
        }
    }
    return &shapes[count - 1];
}

void ws_reply_error(ws_request_t *request, const nv_error_t *err)
{
    const shape_t *shape = shape_of(err->code);
    nv_json_writer_t w = ws_reply_writer(request);
    nv_json_open_object(&w, NULL);
    nv_json_put_string(&w, "error_code", request->refused_code ? request->refused_code : shape->name);
    nv_json_put_string(&w, "message", err->message);
    nv_json_open_array(&w, "details");
    nv_json_open_object(&w, NULL);
    nv_json_put_string(&w, "@type", "type.googleapis.com/google.rpc.RequestInfo");
    nv_json_put_string(&w, "request_id", request->id);
    nv_json_close_object(&w);
    nv_json_close_array(&w);
    nv_json_close_object(&w);
    nv_error_t ignored = NV_ERROR_INIT;
    request->reply = (ws_reply_t){.headers = request->reply.headers};
    if (!ws_reply_json(request, &w, &ignored)) { /* the message held bytes that are not UTF-8 */
        request->reply.body =
            "{\"error_code\":\"INTERNAL_ERROR\",\"message\":\"the error's text is not UTF-8\"}";
        request->reply.length = strlen(request->reply.body);
    }
    request->reply.status = request->refused_status ? request->refused_status : shape->status;
}

int64_t ws_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

char *ws_random_hex(nv_mem_t *mem, size_t bytes)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char *raw = nv_alloc(mem, bytes);
    if (RAND_bytes(raw, (int)bytes) != 1) {
        abort(); /* without randomness no token may be issued */
    }
    char *text = nv_alloc(mem, bytes * 2 + 1);
    for (size_t i = 0; i < bytes; i++) {
        text[i * 2] = digits[raw[i] >> 4];
        text[i * 2 + 1] = digits[raw[i] & 15];
    }
    return text;
}

char *ws_random_uuid(nv_mem_t *mem)
{
    char *hex = ws_random_hex(mem, 16);
    hex[12] = '4';
    hex[16] = "89ab"[hex[16] & 3];
    return nv_printf(mem, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

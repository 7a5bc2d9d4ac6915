/* One HTTP request on its way through the workspace: what came in, what goes out, and the error shape of the API.
 *
 * A handler gets the request, fills the reply and returns true; or returns false with *err set, and the caller turns it
 * into {"error_code","message"}. Where Databricks answers a case with a code of its own, ws_refuse() sets it. All memory
 * hangs below request->mem and lives until the reply is sent. Threads: a request belongs to one.
 */
#ifndef NV_WORKSPACE_REQUEST_H
#define NV_WORKSPACE_REQUEST_H

#include "common/core/error.h"
#include "common/core/json.h"
#include "common/core/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mg_connection;

enum {
    WS_MAX_BODY = 32 * 1024 * 1024, /* JSON and multipart; files are streamed */
    WS_MAX_PARAMS = 4,
    WS_MAX_REPLY = 96 * 1024 * 1024,
};

typedef struct ws_reply {
    int status; /* 200 unless set */
    const char *content_type;
    const char *body;
    size_t length;
    const char *headers; /* further header lines, each ended by CRLF, or NULL */
    bool sent;           /* the handler has written the reply itself */
} ws_reply_t;

typedef struct ws_request {
    nv_mem_t *mem;
    const char *method;
    const char *path;  /* as sent, still percent-encoded */
    const char *query; /* "" when there is none */
    const char *content_type;
    const char *authorization;
    const char *range;
    int64_t content_length; /* -1: none announced */
    struct mg_connection *connection;
    const char *params[WS_MAX_PARAMS]; /* what the route's {…} matched, decoded */
    const char *user;                  /* who the token stands for; NULL on open routes */
    const nv_json_t *json;             /* the parsed body of a JSON request; NULL when there was none */
    const char *body;
    size_t body_length;
    char id[40];
    int refused_status; /* set by ws_refuse */
    const char *refused_code;
    ws_reply_t reply;
} ws_request_t;

/* The decoded value of a query parameter, or NULL. */
const char *ws_query(ws_request_t *request, const char *name);
bool ws_query_int64(ws_request_t *request, const char *name, int64_t fallback, int64_t *out,
                    nv_error_t *err) NV_MUST_CHECK;
bool ws_query_bool(ws_request_t *request, const char *name);

/* A parameter from the query of a GET or DELETE, or from the JSON body otherwise. INVALID_ARGUMENT when it is missing. */
bool ws_need_text(ws_request_t *request, const char *name, const char **out, nv_error_t *err) NV_MUST_CHECK;
bool ws_need_int64(ws_request_t *request, const char *name, int64_t *out, nv_error_t *err) NV_MUST_CHECK;

/* Fails with an HTTP status and a Databricks error code of the caller's choice. Always returns false. */
bool ws_refuse(ws_request_t *request, nv_error_t *err, int status, const char *code, const char *fmt, ...)
    NV_PRINTF(5, 6);

/* A writer for the reply's body, and its end: the text becomes the reply, status 200. */
nv_json_writer_t ws_reply_writer(ws_request_t *request);
bool ws_reply_json(ws_request_t *request, nv_json_writer_t *writer, nv_error_t *err) NV_MUST_CHECK;
/* {} with status 200. */
bool ws_reply_empty(ws_request_t *request);
bool ws_reply_status(ws_request_t *request, int status);

/* Turns an error into the reply. */
void ws_reply_error(ws_request_t *request, const nv_error_t *err);

/* Percent-decoding; plus_is_space for forms and queries. NULL when a %XX is bad or decodes to NUL. */
char *ws_percent_decode(nv_mem_t *mem, const char *text, size_t length, bool plus_is_space);
char *ws_percent_encode(nv_mem_t *mem, const char *text, bool keep_slash);

/* Wall-clock milliseconds since 1970. */
int64_t ws_now_ms(void);
/* Random bytes as lower-case hex below mem. */
char *ws_random_hex(nv_mem_t *mem, size_t bytes);
/* A random UUID, version 4. */
char *ws_random_uuid(nv_mem_t *mem);

#endif

/* Private to the client: one transfer's state, fed by libcurl's callbacks. */
#ifndef NV_HTTP_TRANSFER_H
#define NV_HTTP_TRANSFER_H

#include "common/core/buf.h"
#include "common/http/http.h"

#include <curl/curl.h>
#include <stdio.h>

typedef struct transfer {
    nv_mem_t *ctx;
    const nv_http_request_t *request;
    nv_http_response_t *response;
    const char *traceparent; /* or NULL */
    CURL *easy;
    struct curl_slist *headers;
    FILE *upload;
    nv_buf_t body;
    size_t header_bytes;
    size_t header_capacity;
    bool failed; /* err was set by a callback */
    nv_error_t *err;
    char curl_error[CURL_ERROR_SIZE];
} transfer_t;

/* Sets everything about the request on t->easy. */
bool transfer_prepare(transfer_t *t, nv_error_t *err) NV_MUST_CHECK;
void transfer_end(transfer_t *t);

/* Fills status, outcome (unanswered) and body from what has come so far. */
void transfer_settle(transfer_t *t);

/* Turns libcurl's verdict into the outcome and the error. */
bool transfer_finish(transfer_t *t, CURLcode code, nv_error_t *err) NV_MUST_CHECK;

/* URL without query and user part, for logs and errors; below ctx. */
char *transfer_public_url(nv_mem_t *ctx, const char *url);

#endif

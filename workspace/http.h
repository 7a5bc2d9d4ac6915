/* The HTTP(S) front: CivetWeb on OpenSSL, a thread per connection, one handler for everything. */
#ifndef NV_WORKSPACE_HTTP_H
#define NV_WORKSPACE_HTTP_H

#include "workspace/app.h"

typedef struct ws_http ws_http_t;

typedef struct ws_http_config {
    const char *host;     /* an address of this machine */
    int port;             /* 0: any */
    const char *tls_cert; /* PEM chain; NULL: plain HTTP */
    const char *tls_key;
    int connections;         /* handled at once; more wait in the queue */
    const char *request_log; /* JSON lines, one per request; NULL: none */
} ws_http_config_t;

/* Binds, but answers 503 until ws_http_serve. *port is the bound one. ALREADY_EXISTS-like ABORTED when it is taken. */
bool ws_http_open(const ws_http_config_t *config, nv_log_t *log, ws_http_t **out, int *port,
                  nv_error_t *err) NV_MUST_CHECK;
void ws_http_serve(ws_http_t *http, ws_app_t *app);
/* Stops accepting, waits for the requests in progress. */
void ws_http_close(ws_http_t *http);

/* Streaming, for handlers. */
int64_t ws_http_read(ws_request_t *request, void *data, size_t size); /* 0 at the end, < 0 on failure */
/* Sends the head of a reply of length bytes; the handler then writes them, and sets reply.sent. */
void ws_http_begin(ws_request_t *request, int status, const char *content_type, int64_t length,
                   const char *headers);
bool ws_http_write(ws_request_t *request, const void *data, size_t length) NV_MUST_CHECK;

#endif

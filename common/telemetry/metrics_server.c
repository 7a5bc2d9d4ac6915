#include "common/telemetry/metrics_server.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REQUEST_MAX = 8192, IDLE_S = 10, ACCEPTS_MAX = 256, BODY_MAX = 16 << 20 };

struct nv_metrics_server {
    struct event_base *base;
    struct evhttp *http;
    struct event *stop_event;
    int stop_pipe[2];
    pthread_t thread;
    bool running;
    int port;
    struct evconnlistener *listener;
    struct event *window_event;
    int accepted; /* in this window */
    nv_metrics_t *metrics;
    nv_ready_fn *ready;
    void *ready_arg;
};

/* ---- requests ---- */

static void reply(struct evhttp_request *request, int status, const char *type, const char *text,
                  size_t length)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    evhttp_add_header(headers, "Content-Type", type);
    evhttp_add_header(headers, "Cache-Control", "no-store");
    evhttp_add_header(headers, "Connection", "close"); /* no connection outlives its answer */
    struct evbuffer *body = evbuffer_new();
    if (body)
        evbuffer_add(body, text, length);
    evhttp_send_reply(request, status, NULL, body);
    if (body)
        evbuffer_free(body);
}

static void reply_text(struct evhttp_request *request, int status, const char *text)
{
    reply(request, status, "text/plain; charset=utf-8", text, strlen(text));
}

static bool only_reads(struct evhttp_request *request)
{
    enum evhttp_cmd_type command = evhttp_request_get_command(request);
    if (command == EVHTTP_REQ_GET || command == EVHTTP_REQ_HEAD)
        return true;
    evhttp_add_header(evhttp_request_get_output_headers(request), "Allow", "GET, HEAD");
    reply_text(request, 405, "expected GET\n");
    return false;
}

static void on_metrics(struct evhttp_request *request, void *arg)
{
    nv_metrics_server_t *server = arg;
    if (!only_reads(request))
        return;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("metrics");
    nv_buf_t text = nv_buf_make(ctx, BODY_MAX);
    nv_metrics_write(server->metrics, &text);
    reply(request, 200, "text/plain; version=0.0.4; charset=utf-8", nv_buf_text(&text), text.length);
}

static void on_healthz(struct evhttp_request *request, void *arg)
{
    (void)arg;
    if (only_reads(request))
        reply_text(request, 200, "ok\n");
}

static void on_readyz(struct evhttp_request *request, void *arg)
{
    nv_metrics_server_t *server = arg;
    nv_error_t err = NV_ERROR_INIT;
    if (!only_reads(request))
        return;
    if (!server->ready || server->ready(server->ready_arg, &err)) {
        reply_text(request, 200, "ready\n");
        return;
    }
    char text[NV_ERROR_TEXT_MAX + 16];
    snprintf(text, sizeof text, "not ready: %s\n", err.message);
    reply_text(request, 503, text);
}

static void on_other(struct evhttp_request *request, void *arg)
{
    (void)arg;
    reply_text(request, 404, "expected /metrics, /healthz or /readyz\n");
}

/* evhttp has no limit of its own: past the window's share the listener rests until the next window. */
static struct bufferevent *on_accept(struct event_base *base, void *arg)
{
    nv_metrics_server_t *server = arg;
    if (++server->accepted >= ACCEPTS_MAX)
        evconnlistener_disable(server->listener);
    return bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
}

static void on_window(evutil_socket_t fd, short what, void *arg)
{
    nv_metrics_server_t *server = arg;
    (void)fd;
    (void)what;
    server->accepted = 0;
    evconnlistener_enable(server->listener);
}

/* ---- life ---- */

static bool parse_address(const char *address, char *host, size_t size, int *port, nv_error_t *err)
{
    const char *colon = strrchr(address, ':');
    char *end = NULL;
    long value = colon ? strtol(colon + 1, &end, 10) : -1;
    const char *start = address;
    size_t length = colon ? (size_t)(colon - address) : 0;
    if (length > 2 && start[0] == '[' && start[length - 1] == ']') {
        start++;
        length -= 2;
    }
    if (!colon || end == colon + 1 || *end || value < 0 || value > 65535 || length == 0 || length >= size)
        return nv_fail(err, NV_INVALID_ARGUMENT, "metrics address \"%.128s\": expected HOST:PORT", address);
    memcpy(host, start, length);
    host[length] = '\0';
    *port = (int)value;
    return true;
}

static int port_of(evutil_socket_t fd)
{
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    if (getsockname(fd, (struct sockaddr *)&name, &length) != 0)
        return 0;
    return ntohs(name.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&name)->sin6_port
                                            : ((struct sockaddr_in *)&name)->sin_port);
}

static bool listen_at(nv_metrics_server_t *server, const char *address, nv_error_t *err)
{
    char host[128];
    int port = 0;
    if (!parse_address(address, host, sizeof host, &port, err))
        return false;
    errno = 0;
    struct evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(server->http, host, (ev_uint16_t)port);
    if (!bound)
        return nv_fail_errno(err, errno ? errno : EINVAL, "metrics address %s", address);
    server->listener = evhttp_bound_socket_get_listener(bound);
    server->port = port_of(evhttp_bound_socket_get_fd(bound));
    return true;
}

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    event_base_loopbreak(((nv_metrics_server_t *)arg)->base);
}

static bool build(nv_metrics_server_t *server, nv_error_t *err)
{
    server->base = event_base_new();
    server->http = server->base ? evhttp_new(server->base) : NULL;
    if (!server->http || pipe(server->stop_pipe) != 0)
        return nv_fail_errno(err, errno, "metrics server");
    server->stop_event = event_new(server->base, server->stop_pipe[0], EV_READ, on_stop, server);
    server->window_event = event_new(server->base, -1, EV_PERSIST, on_window, server);
    const struct timeval window = {.tv_sec = IDLE_S};
    if (!server->stop_event || event_add(server->stop_event, NULL) != 0 || !server->window_event ||
        event_add(server->window_event, &window) != 0)
        return nv_fail(err, NV_INTERNAL, "metrics server: no event");
    evhttp_set_allowed_methods(server->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST |
                                                 EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS |
                                                 EVHTTP_REQ_PATCH);
    evhttp_set_max_headers_size(server->http, REQUEST_MAX);
    evhttp_set_max_body_size(server->http, REQUEST_MAX);
    evhttp_set_timeout(server->http, IDLE_S);
    evhttp_set_cb(server->http, "/metrics", on_metrics, server);
    evhttp_set_cb(server->http, "/healthz", on_healthz, server);
    evhttp_set_cb(server->http, "/readyz", on_readyz, server);
    evhttp_set_gencb(server->http, on_other, server);
    evhttp_set_bevcb(server->http, on_accept, server);
    return true;
}

static void *serve(void *arg)
{
    event_base_dispatch(((nv_metrics_server_t *)arg)->base);
    return NULL;
}

bool nv_metrics_server_start(const char *address, nv_metrics_t *metrics, nv_ready_fn *ready, void *arg,
                             nv_metrics_server_t **out, nv_error_t *err)
{
    nv_metrics_server_t *server = NV_NEW(NULL, nv_metrics_server_t);
    *server =
        (nv_metrics_server_t){.stop_pipe = {-1, -1}, .metrics = metrics, .ready = ready, .ready_arg = arg};
    bool ok = build(server, err) && listen_at(server, address, err);
    int failed = ok ? pthread_create(&server->thread, NULL, serve, server) : 0;
    if (failed)
        ok = nv_fail_errno(err, failed, "metrics server");
    server->running = ok;
    if (!ok) {
        nv_metrics_server_stop(server);
        return false;
    }
    *out = server;
    return true;
}

int nv_metrics_server_port(const nv_metrics_server_t *server)
{
    return server->port;
}

void nv_metrics_server_stop(nv_metrics_server_t *server)
{
    if (!server)
        return;
    if (server->running) {
        while (write(server->stop_pipe[1], "x", 1) < 0 && errno == EINTR)
            ;
        pthread_join(server->thread, NULL);
    }
    if (server->stop_event)
        event_free(server->stop_event);
    if (server->window_event)
        event_free(server->window_event);
    if (server->http)
        evhttp_free(server->http);
    if (server->base)
        event_base_free(server->base);
    for (int i = 0; i < 2; i++)
        if (server->stop_pipe[i] >= 0)
            close(server->stop_pipe[i]);
    nv_mem_free(server);
}

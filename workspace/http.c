#include "workspace/http.h"

#include "workspace/certificate.h"
#include "workspace/fault.h"
#include "workspace/router.h"

#include <arpa/inet.h>
#include <civetweb.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

struct ws_http {
    struct mg_context *context;
    ws_http_config_t config;
    nv_log_t *log;
    _Atomic(ws_app_t *) app;
    int log_fd;
    ws_certificate_t *certificate; /* NULL: plain HTTP */
};

static const char *reason_of(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 204:
        return "No Content";
    case 206:
        return "Partial Content";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 409:
        return "Conflict";
    case 411:
        return "Length Required";
    case 413:
        return "Content Too Large";
    case 416:
        return "Range Not Satisfiable";
    case 429:
        return "Too Many Requests";
    case 500:
        return "Internal Server Error";
    case 501:
        return "Not Implemented";
    case 503:
        return "Service Unavailable";
    default:
        return "Status";
    }
}

void ws_http_begin(ws_request_t *request, int status, const char *content_type, int64_t length,
                   const char *headers)
{
    mg_printf(request->connection, "HTTP/1.1 %d %s\r\n", status, reason_of(status));
    if (status != 204) {
        mg_printf(request->connection, "Content-Type: %s\r\nContent-Length: %" PRId64 "\r\n", content_type,
                  length);
    }
    mg_printf(request->connection, "X-Request-Id: %s\r\nX-Content-Type-Options: nosniff\r\n%s%s\r\n",
              request->id, headers ? headers : "", "");
    request->reply.status = status;
    request->reply.sent = true;
}

bool ws_http_write(ws_request_t *request, const void *data, size_t length)
{
    return length == 0 || mg_write(request->connection, data, length) > 0;
}

int64_t ws_http_read(ws_request_t *request, void *data, size_t size)
{
    return mg_read(request->connection, data, size);
}

/* ---- one request */

static void fill_request(ws_request_t *request, struct mg_connection *connection,
                         const struct mg_request_info *info)
{
    request->method = info->request_method;
    request->path = info->request_uri ? info->request_uri : "/";
    request->query = info->query_string ? info->query_string : "";
    request->content_length = info->content_length;
    request->connection = connection;
    request->content_type = mg_get_header(connection, "Content-Type");
    request->authorization = mg_get_header(connection, "Authorization");
    request->range = mg_get_header(connection, "Range");
    request->reply.status = 200;
    const char *given = mg_get_header(connection, "X-Request-Id");
    bool usable = given && strlen(given) < sizeof request->id &&
                  strspn(given, "0123456789abcdefABCDEF-") == strlen(given);
    snprintf(request->id, sizeof request->id, "%s", usable && *given ? given : ws_random_uuid(request->mem));
}

/* The whole body, at most WS_MAX_BODY. */
static bool read_body(ws_request_t *request, nv_error_t *err)
{
    if (request->content_length > WS_MAX_BODY) {
        return ws_refuse(request, err, 413, "REQUEST_TOO_LARGE", "the body has %" PRId64 " bytes: at most %d",
                         request->content_length, WS_MAX_BODY);
    }
    nv_buf_t body = nv_buf_make(request->mem, WS_MAX_BODY);
    char part[16384];
    int64_t n = 0;
    while ((n = ws_http_read(request, part, sizeof part)) > 0 && !body.overflowed) {
        nv_buf_add(&body, part, (size_t)n);
    }
    if (body.overflowed) {
        return ws_refuse(request, err, 413, "REQUEST_TOO_LARGE", "the body has more than %d bytes",
                         WS_MAX_BODY);
    }
    if (n < 0 || (request->content_length > 0 && (int64_t)body.length < request->content_length)) {
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "the body ended after %zu bytes, before its announced length", body.length);
    }
    request->body = nv_buf_text(&body);
    request->body_length = body.length;
    return true;
}

/* JSON by its type; or, as the original takes it too, by its first byte when a plain `curl -d` sent it. */
static bool is_json(const ws_request_t *request)
{
    const char *type = request->content_type;
    if (!type || strncasecmp(type, "application/x-www-form-urlencoded", 33) == 0) {
        return request->body[strspn(request->body, " \t\r\n")] == '{';
    }
    return strncasecmp(type, "application/json", 16) == 0 || strncasecmp(type, "text/json", 9) == 0;
}

static bool parse_body(ws_request_t *request, nv_error_t *err)
{
    if (request->body_length == 0 || !is_json(request)) {
        return true;
    }
    if (!nv_json_parse(request->mem, "request body", request->body, request->body_length, &request->json,
                       err)) {
        return ws_refuse(request, err, 400, "MALFORMED_REQUEST", "%s", nv_strdup(request->mem, err->message));
    }
    return true;
}

static bool authenticate(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    const char *header = request->authorization;
    const char *token = header && strncasecmp(header, "Bearer ", 7) == 0 ? header + 7 : NULL;
    if (!ws_token_check(app->token_key, "access", token, ws_now_ms() / 1000, err)) {
        request->reply.headers = "WWW-Authenticate: Bearer realm=\"nuvyn-workspace\"\r\n";
        return false;
    }
    request->user = app->client_id;
    return true;
}

static bool carry_out(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    const ws_route_t *route = ws_route_find(request, err);
    bool open_route = route && (route->flags & WS_ROUTE_OPEN);
    if (!open_route) {
        nv_error_t denied = NV_ERROR_INIT;
        if (!authenticate(app, request, &denied)) {
            *err = denied;
            return false;
        }
    }
    if (!route) {
        return false;
    }
    bool streams = route->flags & WS_ROUTE_STREAM;
    if (!streams && (!read_body(request, err) || !parse_body(request, err))) {
        return false;
    }
    return route->handler(app, request, err);
}

static void send_reply(ws_request_t *request)
{
    ws_reply_t *reply = &request->reply;
    if (reply->sent) {
        return;
    }
    const char *type = reply->content_type ? reply->content_type : "application/json";
    bool head = strcmp(request->method, "HEAD") == 0;
    ws_http_begin(request, reply->status, type, (int64_t)reply->length, reply->headers);
    if (!head && reply->status != 204 && !ws_http_write(request, reply->body, reply->length)) {
        request->reply.status = 499; /* the caller has gone; there is nobody to tell */
    }
}

/* One JSON line per request, written with one write(2). */
static void log_request(ws_http_t *http, ws_request_t *request, int64_t started_ms)
{
    if (http->log_fd < 0) {
        return;
    }
    nv_json_writer_t w = nv_json_writer_make(request->mem, 65536, false);
    nv_json_open_object(&w, NULL);
    nv_json_put_int64(&w, "time_ms", started_ms);
    nv_json_put_string(&w, "method", request->method);
    nv_json_put_string(&w, "path", request->path);
    nv_json_put_string(&w, "query", request->query);
    nv_json_put_int64(&w, "status", request->reply.status);
    nv_json_put_int64(&w, "duration_ms", ws_now_ms() - started_ms);
    nv_json_put_string(&w, "request_id", request->id);
    const char *agent = mg_get_header(request->connection, "User-Agent");
    nv_json_put_string(&w, "user_agent", agent ? agent : "");
    nv_json_close_object(&w);
    char *text = NULL;
    size_t length = 0;
    nv_error_t err = NV_ERROR_INIT;
    if (nv_json_write_end(&w, "request log", &text, &length, &err)) {
        text[length] = '\n';
        ssize_t written = write(http->log_fd, text, length + 1);
        (void)written; /* a full disk must not fail the request; the test that reads the log will notice */
    }
}

static int answer(ws_http_t *http, struct mg_connection *connection)
{
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("request");
    ws_request_t *request = NV_NEW(mem, ws_request_t);
    request->mem = mem;
    int64_t started = ws_now_ms();
    fill_request(request, connection, mg_get_request_info(connection));
    ws_app_t *app = atomic_load(&http->app);
    nv_error_t err = NV_ERROR_INIT;
    bool cut = false;
    if (!app) {
        nv_fail(&err, NV_UNAVAILABLE, "the workspace is starting");
        ws_reply_error(request, &err);
    } else if (!ws_fault_before(app->faults, request)) {
        if (!carry_out(app, request, &err) && !request->reply.sent) {
            ws_reply_error(request, &err);
        }
        cut = ws_fault_after(app->faults, request);
    }
    if (cut) {
        request->reply.status = 0;
        log_request(http, request, started);
        mg_close_connection(connection); /* the effect stays, the reply is lost */
        return 500;
    }
    send_reply(request);
    log_request(http, request, started);
    return request->reply.status ? request->reply.status : 500;
}

typedef struct job {
    ws_http_t *http;
    struct mg_connection *connection;
    int status;
} job_t;

static void *run_job(void *arg)
{
    job_t *job = arg;
    job->status = answer(job->http, job->connection);
    return NULL;
}

/* CivetWeb's own threads have a stack of 100 KB, too little for a deep JSON document or a query. Each request runs on a
 * thread with the usual stack while CivetWeb's waits. */
static int handle(struct mg_connection *connection, void *user_data)
{
    job_t job = {.http = user_data, .connection = connection};
    pthread_t thread;
    if (pthread_create(&thread, NULL, run_job, &job) != 0) {
        mg_send_http_error(connection, 503, "%s", "the workspace has no thread left for this request");
        return 503;
    }
    pthread_join(thread, NULL);
    return job.status;
}

/* ---- start and end */

static int set_up_tls(void *ssl_context, void *user_data)
{
    ws_http_t *http = user_data;
    SSL_CTX_set_min_proto_version(ssl_context, TLS1_2_VERSION);
    ws_certificate_serve(http->certificate, ssl_context);
    return 1;
}

static int log_message(const struct mg_connection *connection, const char *message)
{
    const struct mg_context *context = mg_get_context(connection);
    ws_http_t *http = context ? mg_get_user_data(context) : NULL;
    if (http) {
        nv_log(http->log, NV_WARN, "http", message, NULL);
    }
    return 1;
}

/* CivetWeb says little about a port it cannot have, so it is tried first. */
static bool check_port(const ws_http_config_t *config, nv_error_t *err)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)config->port)};
    if (inet_pton(AF_INET, config->host, &address.sin_addr) != 1) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "--listen %s: expected an IPv4 address", config->host);
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    int code = bind(fd, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
    close(fd);
    if (code != 0) {
        return nv_fail_errno(err, code, "listening on %s:%d", config->host, config->port);
    }
    return true;
}

static bool start(ws_http_t *http, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("http options");
    const char *ports =
        nv_printf(mem, "%s:%d%s", http->config.host, http->config.port, http->config.tls_cert ? "s" : "");
    const char *threads = nv_printf(mem, "%d", http->config.connections);
    const char *options[] = {
        "listening_ports",
        ports,
        "num_threads",
        threads,
        "request_timeout_ms",
        "60000",
        "enable_keep_alive",
        "yes",
        "keep_alive_timeout_ms",
        "30000",
        "tcp_nodelay",
        "1",
        "max_request_size",
        "32768",
        "decode_url",
        "no",
        "decode_query_string",
        "no",
        "ssl_protocol_version",
        "4",
        "linger_timeout_ms",
        "1000",
        "connection_queue",
        "256",
        NULL,
    };
    struct mg_callbacks callbacks = {.init_ssl = set_up_tls, .log_message = log_message};
    struct mg_init_data init = {.callbacks = &callbacks, .user_data = http, .configuration_options = options};
    char text[256] = "";
    struct mg_error_data problem = {.text = text, .text_buffer_size = sizeof text};
    http->context = mg_start2(&init, &problem);
    if (!http->context) {
        return nv_fail(err, NV_FAILED_PRECONDITION, "the HTTP server did not start: %s", text);
    }
    mg_set_request_handler(http->context, "**", handle, http);
    return true;
}

static bool open_request_log(ws_http_t *http, nv_error_t *err)
{
    if (http->config.request_log) {
        http->log_fd = open(http->config.request_log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (http->log_fd < 0) {
            return nv_fail_errno(err, errno, "%s", http->config.request_log);
        }
    }
    return true;
}

bool ws_http_open(const ws_http_config_t *config, nv_log_t *log, ws_http_t **out, int *port, nv_error_t *err)
{
    if (!check_port(config, err)) {
        return false;
    }
    mg_init_library(config->tls_cert ? MG_FEATURES_SSL : MG_FEATURES_DEFAULT);
    ws_http_t *http = NV_NEW(NULL, ws_http_t);
    http->config = *config;
    http->log = log;
    bool secure = !config->tls_cert ||
                  ws_certificate_open(config->tls_cert, config->tls_key, log, &http->certificate, err);
    http->log_fd = -1;
    if (!secure || !open_request_log(http, err) || !start(http, err)) {
        ws_http_close(http);
        return false;
    }
    struct mg_server_port bound = {0};
    if (mg_get_server_ports(http->context, 1, &bound) != 1) {
        ws_http_close(http);
        return nv_fail(err, NV_INTERNAL, "the HTTP server does not tell its port");
    }
    *port = bound.port;
    *out = http;
    return true;
}

void ws_http_serve(ws_http_t *http, ws_app_t *app)
{
    atomic_store(&http->app, app);
}

void ws_http_close(ws_http_t *http)
{
    if (!http) {
        return;
    }
    if (http->context) {
        mg_stop(http->context);
    }
    if (http->log_fd >= 0) {
        close(http->log_fd);
    }
    mg_exit_library();
    ws_certificate_free(http->certificate);
    nv_mem_free(http);
}

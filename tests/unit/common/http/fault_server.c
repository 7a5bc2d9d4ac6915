#include "fault_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 256 };

struct fault_server {
    int listener;
    char url[64];
    fault_handler_t handler;
    void *arg;
    pthread_mutex_t lock; /* one handler at a time */
    pthread_t acceptor;
    pthread_t threads[MAX_CONNECTIONS];
    int n_threads;
    atomic_bool stopping;
    atomic_int count;
};

struct fault_connection {
    fault_server_t *server;
    int fd;
    bool cut;
};

static void check(bool ok, const char *what)
{
    if (!ok) {
        perror(what);
        abort();
    }
}

static void *check_pointer(void *ptr)
{
    check(ptr != NULL, "memory");
    return ptr;
}

/* More bytes into *data; false at the end of the connection or of the test. */
static bool receive(fault_connection_t *c, char **data, size_t *length)
{
    for (;;) {
        struct pollfd wait = {.fd = c->fd, .events = POLLIN};
        if (c->server->stopping)
            return false;
        if (poll(&wait, 1, 20) > 0)
            break;
    }
    *data = check_pointer(realloc(*data, *length + 65537));
    ssize_t n = recv(c->fd, *data + *length, 65536, 0);
    if (n <= 0)
        return false;
    *length += (size_t)n;
    (*data)[*length] = '\0';
    return true;
}

const char *fault_header(const fault_request_t *request, const char *name, char *buffer, size_t size)
{
    size_t n = strlen(name);
    for (const char *line = strstr(request->head, "\r\n"); line; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, name, n) == 0 && line[2 + n] == ':') {
            const char *value = line + 3 + n;
            while (*value == ' ')
                value++;
            snprintf(buffer, size, "%.*s", (int)strcspn(value, "\r"), value);
            return buffer;
        }
    return NULL;
}

static bool read_request(fault_connection_t *c, char **data, size_t *length, fault_request_t *out)
{
    char *end;
    while (!*data || !(end = strstr(*data, "\r\n\r\n")))
        if (!receive(c, data, length))
            return false;
    size_t head_length = (size_t)(end - *data) + 4;
    memset(out, 0, sizeof *out);
    out->head = check_pointer(strndup(*data, head_length));
    sscanf(out->head, "%15s %4095s", out->method, out->path);
    char buffer[64];
    const char *text = fault_header(out, "content-length", buffer, sizeof buffer);
    out->body_length = text ? strtoul(text, NULL, 10) : 0;
    while (*length < head_length + out->body_length)
        if (!receive(c, data, length)) {
            free(out->head);
            return false;
        }
    out->body = check_pointer(malloc(out->body_length + 1));
    memcpy(out->body, *data + head_length, out->body_length);
    out->body[out->body_length] = '\0';
    size_t used = head_length + out->body_length;
    memmove(*data, *data + used, *length - used);
    *length -= used;
    (*data)[*length] = '\0';
    return true;
}

typedef struct start {
    fault_server_t *server;
    int fd;
} start_t;

static void *serve(void *arg)
{
    start_t start = *(start_t *)arg;
    free(arg);
    fault_connection_t c = {.server = start.server, .fd = start.fd};
    char *data = NULL;
    size_t length = 0;
    fault_request_t request;
    while (!c.cut && read_request(&c, &data, &length, &request)) {
        pthread_mutex_lock(&c.server->lock);
        request.number = ++c.server->count;
        c.server->handler(c.server->arg, &c, &request);
        pthread_mutex_unlock(&c.server->lock);
        free(request.head);
        free(request.body);
    }
    free(data);
    close(c.fd);
    return NULL;
}

static void *accept_all(void *arg)
{
    fault_server_t *server = arg;
    while (!server->stopping) {
        struct pollfd wait = {.fd = server->listener, .events = POLLIN};
        if (poll(&wait, 1, 20) <= 0)
            continue;
        int fd = accept(server->listener, NULL, NULL);
        if (fd < 0)
            continue;
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        start_t *start = check_pointer(malloc(sizeof *start));
        *start = (start_t){server, fd};
        check(server->n_threads < MAX_CONNECTIONS, "connections");
        check(pthread_create(&server->threads[server->n_threads++], NULL, serve, start) == 0, "thread");
    }
    return NULL;
}

fault_server_t *fault_server_start(fault_handler_t handler, void *arg)
{
    fault_server_t *server = check_pointer(calloc(1, sizeof *server));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    server->handler = handler;
    server->arg = arg;
    pthread_mutex_init(&server->lock, NULL);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(server->listener >= 0, "socket");
    check(bind(server->listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    check(listen(server->listener, 64) == 0, "listen");
    check(getsockname(server->listener, (struct sockaddr *)&address, &size) == 0, "name");
    snprintf(server->url, sizeof server->url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    check(pthread_create(&server->acceptor, NULL, accept_all, server) == 0, "thread");
    return server;
}

void fault_server_stop(fault_server_t *server)
{
    server->stopping = true;
    pthread_join(server->acceptor, NULL);
    for (int i = 0; i < server->n_threads; i++)
        pthread_join(server->threads[i], NULL);
    close(server->listener);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

const char *fault_server_url(const fault_server_t *server)
{
    return server->url;
}

int fault_server_count(fault_server_t *server)
{
    return server->count;
}

void fault_raw(fault_connection_t *c, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t n = send(c->fd, bytes, length, MSG_NOSIGNAL);
        if (n <= 0) {
            c->cut = true;
            return;
        }
        bytes += n;
        length -= (size_t)n;
    }
}

void fault_text(fault_connection_t *c, const char *text)
{
    fault_raw(c, text, strlen(text));
}

void fault_reply(fault_connection_t *c, int status, const char *headers, const char *body)
{
    char head[4096];
    int n = snprintf(head, sizeof head, "HTTP/1.1 %d Status\r\n%sContent-Length: %zu\r\n\r\n", status,
                     headers, strlen(body));
    fault_raw(c, head, (size_t)n);
    fault_raw(c, body, strlen(body));
}

void fault_json(fault_connection_t *c, int status, const char *body)
{
    fault_reply(c, status, "Content-Type: application/json\r\n", body);
}

void fault_cut(fault_connection_t *c)
{
    c->cut = true;
}

void fault_sleep(fault_connection_t *c, int ms)
{
    for (; ms > 0 && !c->server->stopping; ms -= 10)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

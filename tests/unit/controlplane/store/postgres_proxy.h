/* A proxy before the private PostgreSQL server (postgres_server.h) that can lose the answer to a COMMIT, and then refuse to
 * reconnect: the outcome is open for whoever asked. */
#ifndef TESTS_POSTGRES_PROXY_H
#define TESTS_POSTGRES_PROXY_H

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "postgres_server.h"

static inline void sleep_ms(unsigned ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

typedef struct proxy {
    char folder[64];
    int listener;
    pthread_t thread;
    const char *lose_after;  /* only of a transaction that ran this statement (statements.h); NULL: of any */
    atomic_bool lose_commit; /* once: forwards COMMIT, then cuts the line when its answer comes */
    atomic_bool deaf;        /* after that, refuses connections */
    atomic_bool deaf_after;
    atomic_bool stop;
} proxy_t;

typedef struct proxy_line {
    proxy_t *proxy;
    int client, server;
} proxy_line_t;

static inline int connect_unix(const char *dir)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof to.sun_path, "%.80s/.s.PGSQL.5432", dir);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    close(fd);
    return -1;
}

typedef struct proxy_saw {
    bool commit, statement;
} proxy_saw_t;

static inline bool proxy_copy(int from, int to, const char *statement, proxy_saw_t *saw)
{
    char data[65536];
    ssize_t n = read(from, data, sizeof data);
    if (saw && n > 0) {
        saw->statement |= !statement || memmem(data, (size_t)n, statement, strlen(statement)) != NULL;
        saw->commit = memmem(data, (size_t)n, "COMMIT", 6) != NULL;
    }
    return n > 0 && send(to, data, (size_t)n, MSG_NOSIGNAL) == n;
}

static inline void *serve_line(void *arg)
{
    proxy_line_t *l = arg;
    bool losing = false;
    proxy_saw_t saw = {false, false};
    while (!atomic_load(&l->proxy->stop)) {
        struct pollfd fds[2] = {{l->client, POLLIN, 0}, {l->server, POLLIN, 0}};
        if (poll(fds, 2, 50) <= 0)
            continue;
        if (fds[0].revents && !proxy_copy(l->client, l->server, l->proxy->lose_after, &saw))
            break;
        if (saw.commit && saw.statement && atomic_exchange(&l->proxy->lose_commit, false))
            losing = true;
        if (saw.commit)
            saw = (proxy_saw_t){false, false};
        if (fds[1].revents && losing) {
            atomic_store(&l->proxy->deaf, atomic_load(&l->proxy->deaf_after));
            break; /* the server has answered: it is committed; nobody hears of it */
        }
        if (fds[1].revents && !proxy_copy(l->server, l->client, NULL, NULL))
            break;
    }
    close(l->client);
    close(l->server);
    free(l);
    return NULL;
}

static inline void *proxy_main(void *arg)
{
    proxy_t *p = arg;
    while (!atomic_load(&p->stop)) {
        struct pollfd fd = {p->listener, POLLIN, 0};
        if (poll(&fd, 1, 50) <= 0)
            continue;
        int client = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
        int server = atomic_load(&p->deaf) ? -1 : connect_unix(server_dir);
        if (server < 0) {
            close(client);
            continue;
        }
        proxy_line_t *l = calloc(1, sizeof *l);
        *l = (proxy_line_t){p, client, server};
        pthread_t thread;
        pthread_create(&thread, NULL, serve_line, l);
        pthread_detach(thread);
    }
    return NULL;
}

static inline void proxy_start(proxy_t *p)
{
    *p = (proxy_t){.folder = "/tmp/nvproxy_XXXXXX"};
    if (!mkdtemp(p->folder))
        abort();
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s/.s.PGSQL.5432", p->folder);
    p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(p->listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(p->listener, 64) != 0)
        abort();
    pthread_create(&p->thread, NULL, proxy_main, p);
}

static inline void proxy_stop(proxy_t *p)
{
    atomic_store(&p->stop, true);
    pthread_join(p->thread, NULL);
    close(p->listener);
    sleep_ms(200); /* its lines end by themselves */
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", p->folder);
    if (system(command) != 0)
        abort();
}

#endif

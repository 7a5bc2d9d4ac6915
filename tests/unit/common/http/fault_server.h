/* A loopback HTTP server for tests that does what real ones do when they misbehave. The handler writes bytes as it
 * likes: an answer, half of one, nonsense, or nothing. One thread per connection; the handler runs under a lock. */
#ifndef NV_TESTS_FAULT_SERVER_H
#define NV_TESTS_FAULT_SERVER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct fault_server fault_server_t;

typedef struct fault_request {
    char method[16];
    char path[4096]; /* with query */
    char *head;      /* request line and headers */
    char *body;      /* NUL-terminated */
    size_t body_length;
    int number; /* 1-based, over all connections */
} fault_request_t;

typedef struct fault_connection fault_connection_t;
typedef void (*fault_handler_t)(void *arg, fault_connection_t *connection, const fault_request_t *request);

fault_server_t *fault_server_start(fault_handler_t handler, void *arg);
void fault_server_stop(fault_server_t *server);
/* "http://127.0.0.1:<port>"; borrowed. */
const char *fault_server_url(const fault_server_t *server);
int fault_server_count(fault_server_t *server);

/* A whole answer; headers: lines each ending in \r\n, or "". */
void fault_reply(fault_connection_t *connection, int status, const char *headers, const char *body);
void fault_json(fault_connection_t *connection, int status, const char *body);
/* Bytes as they are. */
void fault_raw(fault_connection_t *connection, const char *bytes, size_t length);
void fault_text(fault_connection_t *connection, const char *text);
/* Closes the connection after the handler. */
void fault_cut(fault_connection_t *connection);
/* Waits, but not beyond the server's end. */
void fault_sleep(fault_connection_t *connection, int ms);

/* The value of a request header, or NULL; the result is valid until the next call on this thread. */
const char *fault_header(const fault_request_t *request, const char *name, char *buffer, size_t size);

#endif

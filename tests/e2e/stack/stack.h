/* A control plane and workers as real processes in a temporary folder, and calls to them. Aborts the test on surprises.
 *
 * STACK_STORE (a store URL, say of a PostgreSQL with an empty schema) replaces the SQLite file; SHOW_LOGS prints the ends of
 * all logs. The first argument of a test program is a filter ("a_killed*"). */
#ifndef TESTS_E2E_STACK_H
#define TESTS_E2E_STACK_H

#include "common/rpc/client.h"
#include "nuvyn/control.pb-c.h"
#include "nuvyn/worker.pb-c.h"
#include "tests/support/pki/pki.h"

#include <sys/types.h>

typedef struct plane_stack {
    nv_mem_t *ctx;
    pki_t pki;
    char *dir;     /* of the control plane */
    char *listen;  /* host:port of the control plane, the same over restarts */
    char *address; /* where workers and clients look: that, and with a standby its address, too */
    char *metrics; /* host:port for /metrics of a control plane started after it was set; NULL: none */
    pid_t control, standby;
    pid_t workers[8];
    nv_tls_paths_t op;
    nv_rpc_client_t *client; /* the operator's */
} plane_stack_t;

int stack_open(void **state);
int stack_close(void **state);

void stack_start_control(plane_stack_t *stack);
void stack_kill_control(plane_stack_t *stack, int signal);
/* A second control plane on the same (shared) database; waits until it stands by. Its log: "standby". */
void stack_start_standby(plane_stack_t *stack);
/* Workers are numbered; worker i is "w<i>" of the pool, made on first use. */
void stack_start_worker(plane_stack_t *stack, int i, const char *pool);
void stack_signal_worker(plane_stack_t *stack, int i, int signal);
void stack_kill_worker(plane_stack_t *stack, int i);

/* A client with a certificate of its own for the SPIFFE path ("tenant/acme/user/jo"). */
nv_rpc_client_t *stack_client(plane_stack_t *stack, const char *path);

/* One call, failing the test on error. method: "RunService/GetRun". */
ProtobufCMessage *stack_call(plane_stack_t *stack, const char *method, const ProtobufCMessage *request,
                             const ProtobufCMessageDescriptor *output);
/* One call by anyone: its status. */
nv_code_t stack_try(plane_stack_t *stack, nv_rpc_client_t *client, const char *method,
                    const ProtobufCMessage *request, const ProtobufCMessageDescriptor *output,
                    ProtobufCMessage **reply);

void stack_make_tenant(plane_stack_t *stack, const char *name);
void stack_make_pool(plane_stack_t *stack, const char *name, const char *dedicated_to);
/* Submits a scripted run (see tests/support/worker); its id. */
char *stack_submit(plane_stack_t *stack, const char *tenant, const char *script, const char *approval);
/* Waits until the run's state is one of the comma-separated ones; it. */
Nv__Run *stack_wait_run(plane_stack_t *stack, const char *tenant, const char *run, const char *states,
                        int seconds);

typedef struct events {
    Nv__RunEvent **list;
    size_t n, capacity;
} events_t;
/* Reads the stream after `after` until it ends or `limit` events came (0: all). False when the connection broke. */
bool stack_watch(plane_stack_t *stack, const char *tenant, const char *run, int64_t after, size_t limit,
                 events_t *out);
/* To the end, going on after the last number whenever the connection breaks. */
void stack_watch_through(plane_stack_t *stack, const char *tenant, const char *run, events_t *out);
/* How often the file has the word. */
int stack_count_words(plane_stack_t *stack, const char *path, const char *word);
/* Dense from 1, no event twice; each task done exactly once. */
void stack_check_events(const events_t *events);
int stack_count(const events_t *events, const char *kind, const char *state);
/* Waits until a task of the node (NULL: any) runs. */
void stack_wait_running(plane_stack_t *stack, const char *tenant, const char *run, const char *node);
/* Waits until the log ("control", "standby", "w0" …) has the text. */
bool stack_log_has(plane_stack_t *stack, const char *log, const char *text, int seconds);
/* The same for the control plane's. */
bool stack_logged(plane_stack_t *stack, const char *text, int seconds);

/* "127.0.0.1:<a port that is free now>" */
char *stack_free_address(plane_stack_t *stack);

char *stack_text(const char *borrowed);

#endif

#include "stack.h"

#include "common/identity/files.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define DOMAIN "spiffe://test.nuvyn/"

char *stack_text(const char *borrowed)
{
    return (char *)(uintptr_t)borrowed;
}

static void pause_ms(int ms)
{
    usleep((useconds_t)ms * 1000);
}

/* ---- processes ---- */

static pid_t spawn(plane_stack_t *stack, const char *log, char *const argv[])
{
    char *path = nv_printf(stack->ctx, "%s/%s.log", stack->dir, log);
    pid_t parent = getpid(), pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nothing behind */
    if (getppid() != parent)
        _exit(1);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, 1);
    dup2(fd, 2);
    execv(argv[0], argv);
    _exit(127);
}

static void reap(pid_t *pid)
{
    if (*pid <= 0)
        return;
    waitpid(*pid, NULL, 0);
    *pid = 0;
}

static bool read_address(plane_stack_t *stack, char **out)
{
    nv_error_t err = NV_ERROR_INIT;
    char *text;
    size_t length;
    if (!nv_read_file(stack->ctx, nv_printf(stack->ctx, "%s/address", stack->dir), 200, &text, &length, &err))
        return false;
    text[strcspn(text, "\n")] = '\0';
    *out = text;
    return true;
}

static bool serving(plane_stack_t *stack)
{
    Nv__GetStatusRequest request = NV__GET_STATUS_REQUEST__INIT;
    ProtobufCMessage *reply;
    nv_error_t err = NV_ERROR_INIT;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("status");
    return nv_rpc_client_call(stack->client, "/nuvyn.v1.AdminService/GetStatus", &request.base,
                              &nv__cluster_status__descriptor, 1000, ctx, &reply, &err);
}

static void connect_operator(plane_stack_t *stack)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_rpc_client_config_t config = {
        .address = stack->address, .tls = stack->op, .expect = NV_IDENTITY_CONTROLPLANE};
    nv_rpc_client_free(stack->client);
    if (!nv_rpc_client_new(&config, &stack->client, &err))
        fail_msg("%s", err.message);
}

static pid_t spawn_control(plane_stack_t *stack, const char *log, char *dir, char *listen)
{
    char *argv[] = {stack_text(BIN_DIR "/nuvyn-controlplane"),
                    stack_text("--state-dir"),
                    dir,
                    stack_text("--listen"),
                    listen,
                    stack_text("--lead-ttl"),
                    stack_text("1500ms"),
                    stack_text("--ca"),
                    stack->pki.ca,
                    stack_text("--cert"),
                    nv_printf(stack->ctx, "%s/plane.crt", stack->pki.dir),
                    stack_text("--key"),
                    nv_printf(stack->ctx, "%s/plane.key", stack->pki.dir),
                    stack_text("--lease"),
                    stack_text("1500ms"),
                    stack_text("--submit-rate"),
                    stack_text("0"),
                    stack_text("--store"),
                    getenv("STACK_STORE") ? getenv("STACK_STORE")
                                          : nv_printf(stack->ctx, "sqlite:%s/nuvyn.db", stack->dir),
                    stack->metrics ? stack_text("--metrics-listen") : NULL,
                    stack->metrics,
                    NULL};
    return spawn(stack, log, argv);
}

/* Free now, and nobody else's for as long as a test runs, most likely. */
char *stack_free_address(plane_stack_t *stack)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    close(fd);
    return nv_printf(stack->ctx, "127.0.0.1:%d", ntohs(address.sin_port));
}

void stack_start_standby(plane_stack_t *stack)
{
    char *dir = nv_printf(stack->ctx, "%s/standby", stack->dir), *listen = stack_free_address(stack);
    if (mkdir(dir, 0700) != 0)
        fail_msg("%s cannot be made", dir);
    stack->standby = spawn_control(stack, "standby", dir, listen);
    stack->address = nv_printf(stack->ctx, "%s,%s", stack->listen, listen);
    assert_true(stack_log_has(stack, "standby", "standing by", 10));
    connect_operator(stack);
}

void stack_start_control(plane_stack_t *stack)
{
    stack->control = spawn_control(stack, "control", stack->dir,
                                   stack->listen ? stack->listen : stack_text("127.0.0.1:0"));
    for (int i = 0; i < 500 && !stack->listen; i++, pause_ms(20))
        (void)!read_address(stack, &stack->listen);
    assert_non_null(stack->listen);
    if (!stack->address)
        stack->address = stack->listen;
    for (int i = 0; i < 500; i++, pause_ms(20)) {
        if (!stack->client || i % 10 == 0)
            connect_operator(stack);
        if (serving(stack))
            return;
    }
    fail_msg("the control plane does not serve");
}

void stack_kill_control(plane_stack_t *stack, int signal)
{
    kill(stack->control, signal);
    reap(&stack->control);
}

void stack_start_worker(plane_stack_t *stack, int i, const char *pool)
{
    char *name = nv_printf(stack->ctx, "w%d", i),
         *cert = nv_printf(stack->ctx, "%s/%s.crt", stack->pki.dir, name);
    if (access(cert, F_OK) != 0)
        pki_issue(&stack->pki, nv_printf(stack->ctx, DOMAIN "pool/%s/worker/%s", pool, name), name, false, 0,
                  3600);
    char *argv[] = {stack_text(BIN_DIR "/nuvyn-test-worker"),
                    stack->address,
                    stack->pki.ca,
                    cert,
                    nv_printf(stack->ctx, "%s/%s.key", stack->pki.dir, name),
                    stack_text("2"),
                    NULL};
    stack->workers[i] = spawn(stack, name, argv);
}

void stack_signal_worker(plane_stack_t *stack, int i, int signal)
{
    assert_int_equal(kill(stack->workers[i], signal), 0);
}

void stack_kill_worker(plane_stack_t *stack, int i)
{
    stack_signal_worker(stack, i, SIGKILL);
    reap(&stack->workers[i]);
}

int stack_open(void **state)
{
    plane_stack_t *stack = calloc(1, sizeof *stack);
    nv_rpc_quiet();
    stack->ctx = nv_mem_root("stack");
    pki_open(&stack->pki);
    pki_issue(&stack->pki, DOMAIN "controlplane", "plane", true, 0, 3600);
    stack->op = pki_issue(&stack->pki, DOMAIN "operator/test", "operator", false, 0, 3600);
    stack->dir = nv_printf(stack->ctx, "%s/state", stack->pki.dir);
    if (mkdir(stack->dir, 0700) != 0)
        return -1;
    *state = stack;
    stack_start_control(stack);
    return 0;
}

static void print_log(plane_stack_t *stack)
{
    char command[512];
    if (!getenv("SHOW_LOGS"))
        return;
    snprintf(command, sizeof command, "for f in %s/*.log; do echo \"== $f\"; tail -n 40 \"$f\"; done >&2",
             stack->dir);
    if (system(command) != 0)
        fputs("no logs\n", stderr);
}

int stack_close(void **state)
{
    plane_stack_t *stack = *state;
    print_log(stack);
    for (int i = 0; i < 8; i++)
        if (stack->workers[i] > 0)
            stack_kill_worker(stack, i);
    if (stack->control > 0)
        stack_kill_control(stack, SIGKILL);
    if (stack->standby > 0) {
        kill(stack->standby, SIGKILL);
        reap(&stack->standby);
    }
    nv_rpc_client_free(stack->client);
    pki_close(&stack->pki);
    nv_mem_free(stack->ctx);
    free(stack);
    return 0;
}

/* ---- calls ---- */

nv_rpc_client_t *stack_client(plane_stack_t *stack, const char *path)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_rpc_client_t *client;
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    char *file = nv_printf(stack->ctx, "client-%s", name);
    nv_tls_paths_t tls =
        pki_issue(&stack->pki, nv_printf(stack->ctx, DOMAIN "%s", path), file, false, 0, 3600);
    nv_rpc_client_config_t config = {
        .address = stack->address, .tls = tls, .expect = NV_IDENTITY_CONTROLPLANE};
    if (!nv_rpc_client_new(&config, &client, &err))
        fail_msg("%s", err.message);
    return client;
}

nv_code_t stack_try(plane_stack_t *stack, nv_rpc_client_t *client, const char *method,
                    const ProtobufCMessage *request, const ProtobufCMessageDescriptor *output,
                    ProtobufCMessage **reply)
{
    nv_error_t err = NV_ERROR_INIT;
    ProtobufCMessage *ignored;
    char *path = nv_printf(stack->ctx, "/nuvyn.v1.%s", method);
    return nv_rpc_client_call(client, path, request, output, 10000, stack->ctx, reply ? reply : &ignored,
                              &err)
               ? NV_OK
               : err.code;
}

ProtobufCMessage *stack_call(plane_stack_t *stack, const char *method, const ProtobufCMessage *request,
                             const ProtobufCMessageDescriptor *output)
{
    nv_error_t err = NV_ERROR_INIT;
    ProtobufCMessage *reply = NULL;
    char *path = nv_printf(stack->ctx, "/nuvyn.v1.%s", method);
    if (!nv_rpc_client_call(stack->client, path, request, output, 10000, stack->ctx, &reply, &err))
        fail_msg("%s: %s: %s", method, nv_code_name(err.code), err.message);
    return reply;
}

void stack_make_tenant(plane_stack_t *stack, const char *name)
{
    Nv__CreateTenantRequest request = NV__CREATE_TENANT_REQUEST__INIT;
    request.name = stack_text(name);
    stack_call(stack, "AdminService/CreateTenant", &request.base, &nv__tenant__descriptor);
}

void stack_make_pool(plane_stack_t *stack, const char *name, const char *dedicated_to)
{
    Nv__CreatePoolRequest request = NV__CREATE_POOL_REQUEST__INIT;
    request.name = stack_text(name);
    request.dedicated_to = stack_text(dedicated_to);
    stack_call(stack, "AdminService/CreatePool", &request.base, &nv__pool__descriptor);
}

char *stack_submit(plane_stack_t *stack, const char *tenant, const char *script, const char *approval)
{
    Nv__SubmitRunRequest request = NV__SUBMIT_RUN_REQUEST__INIT;
    Nv__RunSpec spec = NV__RUN_SPEC__INIT;
    spec.source = stack_text(script);
    spec.approval = stack_text(approval);
    request.tenant = stack_text(tenant);
    request.spec = &spec;
    return ((Nv__Run *)stack_call(stack, "RunService/SubmitRun", &request.base, &nv__run__descriptor))
        ->run_id;
}

static bool listed(const char *states, const char *state)
{
    const char *found = strstr(states, state);
    return found && *state;
}

Nv__Run *stack_wait_run(plane_stack_t *stack, const char *tenant, const char *run, const char *states,
                        int seconds)
{
    Nv__GetRunRequest request = NV__GET_RUN_REQUEST__INIT;
    ProtobufCMessage *reply = NULL;
    request.tenant = stack_text(tenant);
    request.run_id = stack_text(run);
    for (int i = 0; i < seconds * 20; i++, pause_ms(50)) {
        nv_code_t code =
            stack_try(stack, stack->client, "RunService/GetRun", &request.base, &nv__run__descriptor, &reply);
        if (code == NV_OK && listed(states, ((Nv__Run *)reply)->state))
            return (Nv__Run *)reply;
    }
    fail_msg("run %s is %s after %d s, expected %s", run, reply ? ((Nv__Run *)reply)->state : "unknown",
             seconds, states);
    return NULL;
}

/* ---- events ---- */

bool stack_watch(plane_stack_t *stack, const char *tenant, const char *run, int64_t after, size_t limit,
                 events_t *out)
{
    Nv__WatchRunRequest request = NV__WATCH_RUN_REQUEST__INIT;
    nv_error_t err = NV_ERROR_INIT;
    nv_rpc_reader_t *reader;
    size_t before = out->n;
    request.tenant = stack_text(tenant);
    request.run_id = stack_text(run);
    request.after = after;
    if (!nv_rpc_client_open(stack->client, "/nuvyn.v1.RunService/WatchRun", &request.base,
                            &nv__run_event__descriptor, 60000, &reader, &err))
        return false;
    bool ok = true;
    while (ok && (limit == 0 || out->n - before < limit)) {
        ProtobufCMessage *message;
        ok = nv_rpc_reader_next(reader, stack->ctx, &message, &err);
        if (!ok || !message)
            break;
        NV_PUSH(stack->ctx, out->list, out->n, out->capacity) = (Nv__RunEvent *)message;
    }
    nv_rpc_reader_free(reader);
    return ok;
}

void stack_watch_through(plane_stack_t *stack, const char *tenant, const char *run, events_t *out)
{
    for (int i = 0; i < 600;
         i++, pause_ms(50)) { /* on a busy machine a control plane takes its time to come back */
        int64_t last = out->n ? out->list[out->n - 1]->seq : 0;
        if (stack_watch(stack, tenant, run, last, 0, out))
            return;
    }
    fail_msg("the stream did not end");
}

int stack_count_words(plane_stack_t *stack, const char *path, const char *word)
{
    nv_error_t err = NV_ERROR_INIT;
    char *text;
    size_t length;
    int n = 0;
    if (!nv_read_file(stack->ctx, path, 1 << 20, &text, &length, &err))
        fail_msg("%s", err.message);
    for (const char *at = text; (at = strstr(at, word)); at++)
        n++;
    return n;
}

static void check_done_once(const events_t *events, const Nv__RunEvent *done)
{
    int n = 0, visits = 0;
    for (size_t i = 0; i < events->n; i++) {
        const Nv__RunEvent *event = events->list[i];
        bool same = strcmp(event->kind, "task") == 0 && strcmp(event->node, done->node) == 0 &&
                    strcmp(event->item, done->item) == 0;
        n += same && strcmp(event->state, "done") == 0;
        visits += same && strcmp(event->state, "pending") == 0;
    }
    if (n > visits)
        fail_msg("%s %s: done %d times, scheduled %d times", done->node, done->item, n, visits);
}

void stack_check_events(const events_t *events)
{
    assert_true(events->n > 0);
    for (size_t i = 0; i < events->n; i++) {
        const Nv__RunEvent *event = events->list[i];
        if (event->seq != (int64_t)i + 1)
            fail_msg("event %zu has number %lld", i + 1, (long long)event->seq);
        bool inside = strcmp(event->node, "approve") == 0; /* not scheduled: it runs in the control plane */
        if (!inside && strcmp(event->kind, "task") == 0 && strcmp(event->state, "done") == 0)
            check_done_once(events, event);
    }
}

int stack_count(const events_t *events, const char *kind, const char *state)
{
    int n = 0;
    for (size_t i = 0; i < events->n; i++)
        n += strcmp(events->list[i]->kind, kind) == 0 && strcmp(events->list[i]->state, state) == 0;
    return n;
}

void stack_wait_running(plane_stack_t *stack, const char *tenant, const char *run, const char *node)
{
    events_t events = {0};
    for (size_t seen = 0;; seen = events.n) {
        int64_t last = events.n ? events.list[events.n - 1]->seq : 0;
        if (!stack_watch(stack, tenant, run, last, 1, &events) || events.n == seen)
            fail_msg("run %s ended before %s ran", run, node ? node : "anything");
        const Nv__RunEvent *event = events.list[events.n - 1];
        if (strcmp(event->kind, "task") == 0 && strcmp(event->state, "running") == 0 &&
            (!node || strcmp(node, event->node) == 0))
            return;
    }
}

bool stack_logged(plane_stack_t *stack, const char *text, int seconds)
{
    return stack_log_has(stack, "control", text, seconds);
}

bool stack_log_has(plane_stack_t *stack, const char *name, const char *text, int seconds)
{
    for (int i = 0; i < seconds * 20; i++, pause_ms(50)) {
        NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("log");
        nv_error_t err = NV_ERROR_INIT;
        char *log;
        size_t length;
        if (nv_read_file(ctx, nv_printf(ctx, "%s/%s.log", stack->dir, name), 64 << 20, &log, &length, &err) &&
            strstr(log, text))
            return true;
    }
    return false;
}

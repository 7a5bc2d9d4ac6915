/* nuvyn-workspace: wires the parts, waits for a signal, takes them apart. */
#include "workspace/app.h"
#include "workspace/fault.h"
#include "workspace/http.h"
#include "workspace/identity.h"
#include "workspace/kernel_calls.h"
#include "workspace/options.h"
#include "workspace/scheduler.h"
#include "workspace/statement.h"
#include "workspace/unity_store.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Everything main owns. */
typedef struct server {
    nv_mem_t *mem;
    ws_options_t options;
    ws_kernel_config_t kernel_config;
    ws_token_key_t token_key;
    ws_app_t app;
    ws_http_t *http;
    int lock_fd;
} server_t;

static const char *in_state(server_t *s, const char *name)
{
    return nv_printf(s->mem, "%s/%s", s->options.state_dir, name);
}

/* Two servers on one state would ruin it. */
static bool lock_state(server_t *s, nv_error_t *err)
{
    const char *path = in_state(s, "lock");
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0) {
        return nv_fail_errno(err, errno, "%s", path);
    }
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        return nv_fail(err, NV_FAILED_PRECONDITION, "%s is in use by another nuvyn-workspace",
                       s->options.state_dir);
    }
    return true;
}

static bool open_state(server_t *s, nv_error_t *err)
{
    ws_app_t *app = &s->app;
    const char *secret_file = s->options.client_secret_file;
    app->state_dir = s->options.state_dir;
    app->unity_dir = in_state(s, "unity");
    app->client_id = s->options.client_id;
    app->chunk_bytes = s->options.chunk_bytes;
    app->token_key = &s->token_key;
    if (!lock_state(s, err) || (mkdir(in_state(s, "work"), 0700) != 0 && errno != EEXIST)) {
        return err->code != NV_OK ? false : nv_fail_errno(err, errno, "%s", in_state(s, "work"));
    }
    return ws_identity_secret(s->mem, secret_file ? secret_file : in_state(s, "client-secret"), !secret_file,
                              &app->client_secret, err) &&
           ws_identity_token_key(in_state(s, "token-key"), &s->token_key, err) &&
           ws_identity_workspace_id(s->mem, in_state(s, "workspace-id"), &app->workspace_id, err) &&
           ws_unity_open(app->unity_dir, err) && ws_db_open(in_state(s, "workspace.db"), &app->db, err);
}

static bool open_http(server_t *s, nv_error_t *err)
{
    ws_options_t *o = &s->options;
    ws_http_config_t config = {.host = o->host,
                               .port = o->port,
                               .tls_cert = o->tls_cert,
                               .tls_key = o->tls_key,
                               .connections = o->connections,
                               .request_log = o->request_log};
    int port = 0;
    if (!ws_http_open(&config, s->app.log, &s->http, &port, err)) {
        return false;
    }
    const char *url = nv_printf(s->mem, "%s://%s:%d", o->tls_cert ? "https" : "http", o->host, port);
    s->app.base_url = o->public_url ? o->public_url : url;
    return true;
}

static bool start(server_t *s, nv_error_t *err)
{
    ws_options_t *o = &s->options;
    ws_app_t *app = &s->app;
    /* Files, jobs' definitions and tokens are served without Spark too; but say at once why nothing will run. */
    if (access(o->kernel_python, X_OK) != 0) {
        nv_log(app->log, NV_ERROR, "main", "Spark cannot start", "kernel_python", o->kernel_python, "error",
               strerror(errno), NULL);
    }
    if (!open_state(s, err) || !open_http(s, err)) {
        return false;
    }
    s->kernel_config = (ws_kernel_config_t){.python = o->kernel_python,
                                            .kernel_dir = o->kernel_dir,
                                            .jars_dir = o->jars_dir,
                                            .unity_dir = app->unity_dir,
                                            .work_dir = in_state(s, "work"),
                                            .log_path = in_state(s, "kernel.log"),
                                            .memory = o->memory,
                                            .jit = o->jit,
                                            .cores = o->cores};
    app->faults = o->test_faults ? ws_faults_new() : NULL;
    app->statements = ws_statements_new(app);
    if (!ws_kernel_start(&s->kernel_config, app->log, ws_kernel_call, app, &app->kernel, err) ||
        !ws_scheduler_start(app, &app->scheduler, err)) {
        return false;
    }
    ws_http_serve(s->http, app);
    return ws_write_file(s->mem, in_state(s, "address"), nv_printf(s->mem, "%s\n", app->base_url), err);
}

static void stop(server_t *s)
{
    ws_kernel_stop(s->app.kernel); /* first, so that nobody waits for an answer */
    ws_http_close(s->http);
    ws_scheduler_stop(s->app.scheduler);
    ws_kernel_free(s->app.kernel);
    ws_statements_free(s->app.statements);
    ws_faults_free(s->app.faults);
    ws_db_close(s->app.db);
    if (s->lock_fd >= 0) {
        close(s->lock_fd);
    }
}

static void wait_for_signal(nv_log_t *log)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    int got = 0;
    sigwait(&signals, &got);
    nv_log(log, NV_INFO, "main", "stopping", "signal", strsignal(got), NULL);
}

/* Before any thread starts, so that all of them leave the signals to wait_for_signal. */
static void block_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("main");
    nv_error_t err = NV_ERROR_INIT;
    server_t s = {.mem = mem, .lock_fd = -1};
    umask(077);
    block_signals();
    if (!ws_options_parse(mem, argc, argv, &s.options, &err)) {
        fprintf(stderr, "nuvyn-workspace: %s\n", err.message);
        return nv_code_exit_status(err.code);
    }
    if (s.options.help || s.options.version) {
        fputs(s.options.help ? ws_options_usage() : "nuvyn-workspace " NV_VERSION "\n", stdout);
        return 0;
    }
    NV_LOG_SCOPE nv_log_t *log = nv_log_new(2, "nuvyn-workspace", s.options.log_level, s.options.log_format);
    s.app.log = log;
    bool ok = start(&s, &err);
    if (ok) {
        nv_log(log, NV_INFO, "main", "listening", "address", s.app.base_url, "state", s.options.state_dir,
               NULL);
        wait_for_signal(log);
    } else {
        fprintf(stderr, "nuvyn-workspace: %s\n", err.message);
    }
    stop(&s);
    return ok ? 0 : nv_code_exit_status(err.code);
}

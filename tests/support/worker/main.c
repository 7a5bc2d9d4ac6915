/* nuvyn-test-worker: the real worker shell with scripted agents, for tests of the stack and for benches.
 *
 *   nuvyn-test-worker ADDRESS CA CERT KEY [SLOTS]
 *
 * The source "tables=N,ms=M,…" of a run's spec is the script: N tables to profile, each task takes M milliseconds;
 * "fail=NODE" makes that node fail for good, "retry=NODE" makes its first attempts fail in a way that may pass,
 * "slow=NODE" makes that one take "slow_ms=" instead; "log=PATH" appends "kind item attempt" for each task done,
 * "began=PATH" for each one begun. Documents are real: what they say is the task's name.
 */
#include "common/http/http.h"
#include "worker/shell/shell.h"

#include "nuvyn/design.pb-c.h"
#include "nuvyn/profile.pb-c.h"
#include "nuvyn/sttm.pb-c.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const kinds[] = {"survey", "profile", "relate",   "design",   "review", "generate",
                                    "deploy", "execute", "validate", "evaluate", "learn"};

static long script_number(const agent_task_t *task, const char *key, long fallback)
{
    size_t length = strlen(key);
    for (const char *at = task->assignment->spec->source; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, key, length) == 0 && at[length] == '=')
            return strtol(at + length + 1, NULL, 10);
    }
    return fallback;
}

static bool script_names(const agent_task_t *task, const char *key)
{
    char pattern[64];
    snprintf(pattern, sizeof pattern, "%s=%s", key, task->assignment->kind);
    return strstr(task->assignment->spec->source, pattern) != NULL;
}

static bool work(agent_task_t *task, nv_error_t *err)
{
    long left = script_names(task, "slow") ? script_number(task, "slow_ms", 0) : script_number(task, "ms", 0);
    for (; left > 0; left -= 5) {
        struct timespec pause = {.tv_nsec = 5000000};
        if (task->ops->cancelled(task->host))
            return nv_fail(err, NV_CANCELLED, "cancelled");
        nanosleep(&pause, NULL);
    }
    return true;
}

/* key: "log=" or "began=" */
static void note(const agent_task_t *task, const char *key)
{
    const Nv__TaskAssignment *assignment = task->assignment;
    const char *found = strstr(assignment->spec->source, key);
    char path[512], line[256];
    if (!found)
        return;
    found += strlen(key);
    snprintf(path, sizeof path, "%.*s", (int)strcspn(found, ","), found);
    int n = snprintf(line, sizeof line, "%s %s %d\n", assignment->kind, assignment->item,
                     assignment->lease->attempt);
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, line, (size_t)n) != n)
        fprintf(stderr, "nuvyn-test-worker: %s: %s\n", path, strerror(errno));
    if (fd >= 0)
        close(fd);
}

static bool write_channels(agent_task_t *task, nv_error_t *err)
{
    Nv__Survey survey = NV__SURVEY__INIT;
    Nv__TableProfile profile = NV__TABLE_PROFILE__INIT;
    Nv__Relations relations = NV__RELATIONS__INIT;
    Nv__StarSchema design = NV__STAR_SCHEMA__INIT;
    Nv__Sttm sttm = NV__STTM__INIT;
    Nv__Review review = NV__REVIEW__INIT;
    Nv__Project project = NV__PROJECT__INIT;
    Nv__Deployment deployment = NV__DEPLOYMENT__INIT;
    Nv__Execution execution = NV__EXECUTION__INIT;
    Nv__Validation validation = NV__VALIDATION__INIT;
    Nv__Scorecard scorecard = NV__SCORECARD__INIT;
    const struct {
        const char *kind, *channel;
        const ProtobufCMessage *value;
    } writes[] = {{"survey", "survey", &survey.base},
                  {"profile", "profile", &profile.base},
                  {"relate", "relations", &relations.base},
                  {"design", "design", &design.base},
                  {"design", "sttm", &sttm.base},
                  {"review", "review", &review.base},
                  {"generate", "project", &project.base},
                  {"deploy", "deployment", &deployment.base},
                  {"execute", "execution", &execution.base},
                  {"validate", "validation", &validation.base},
                  {"evaluate", "scorecard", &scorecard.base}};
    profile.name = task->assignment->item;
    scorecard.score = 87.5;
    for (size_t i = 0; i < sizeof writes / sizeof *writes; i++)
        if (strcmp(writes[i].kind, task->assignment->kind) == 0 &&
            !task->ops->write(task->host, writes[i].channel, writes[i].value, err))
            return false;
    return true;
}

static bool use_host(agent_task_t *task, nv_error_t *err)
{
    const char *kind = task->assignment->kind;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("host");
    ProtobufCMessage *survey;
    task->ops->emit(task->host, "log", kind, 0, 0);
    if (strcmp(kind, "profile") == 0 &&
        !task->ops->input(task->host, ctx, "survey", 0, &nv__survey__descriptor, &survey, err))
        return false;
    if (strcmp(kind, "evaluate") != 0)
        return true;
    size_t length = 3u << 20; /* several chunks */
    char *report = nv_alloc(ctx, length);
    memset(report, 'r', length);
    return task->ops->artifact(task->host, "report.html", "text/html", report, length, err) &&
           task->ops->artifact(task->host, "notebooks/10_bronze.py", "text/x-python", "print(1)\n", 9, err);
}

static void list_tables(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out)
{
    size_t n = (size_t)script_number(task, "tables", 3);
    out->items = NV_NEW_ARRAY(ctx, const char *, n);
    for (; out->n_items < n; out->n_items++)
        out->items[out->n_items] = nv_printf(ctx, "table%zu", out->n_items);
}

static bool scripted(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    note(task, "began=");
    if (!work(task, err))
        return false;
    if (script_names(task, "fail"))
        return nv_fail(err, NV_INVALID_ARGUMENT, "scripted to fail");
    if (script_names(task, "retry") && task->assignment->lease->attempt < 2)
        return nv_fail(err, NV_UNAVAILABLE, "scripted to fail once");
    if (!use_host(task, err) || !write_channels(task, err))
        return false;
    if (strcmp(task->assignment->kind, "survey") == 0)
        list_tables(task, ctx, out);
    out->outcome = "pass";
    out->usage.milliseconds = 1;
    note(task, "log=");
    return true;
}

static agent_fn find(const char *kind)
{
    (void)kind;
    return scripted;
}

int main(int argc, char **argv)
{
    nv_error_t err = NV_ERROR_INIT;
    if (argc < 5) {
        fputs("usage: nuvyn-test-worker ADDRESS CA CERT KEY [SLOTS]\n", stderr);
        return 64;
    }
    shell_block_signals();
    signal(SIGPIPE, SIG_IGN);
    nv_log_t *log = nv_log_new(STDERR_FILENO, "nuvyn-test-worker", NV_INFO, NV_LOG_TEXT);
    const char *drain = getenv("NUVYN_TEST_DRAIN_MS");
    shell_config_t config = {.address = argv[1],
                             .tls = {argv[2], argv[3], argv[4]},
                             .slots = argc > 5 ? atoi(argv[5]) : 2,
                             .drain_ms = drain ? atoi(drain) : 3000,
                             .log = log,
                             .find = find,
                             .kinds = kinds,
                             .n_kinds = sizeof kinds / sizeof *kinds};
    nv_tracer_options_t tracing = {.endpoint = getenv("OTEL_EXPORTER_OTLP_ENDPOINT"),
                                   .service = "nuvyn-test-worker",
                                   .interval_ms = 100};
    bool ok = nv_http_global_init(&err) && nv_tracer_start(&tracing, &config.tracer, &err) &&
              shell_run(&config, &err);
    nv_tracer_stop(config.tracer);
    if (!ok)
        fprintf(stderr, "nuvyn-test-worker: %s\n", err.message);
    nv_log_free(log);
    return ok ? EXIT_SUCCESS : nv_code_exit_status(err.code);
}

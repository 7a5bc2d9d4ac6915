/* nuvyn-worker: serves a control plane, or (`analyze`) works on a folder without one. */
#include "common/config/service_options.h"
#include "common/credential/llm_credential.h"
#include "common/http/http.h"
#include "worker/local/analyze.h"
#include "worker/shell/registry.h"
#include "worker/shell/shell.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* ---- serve ---- */

static const nv_option_t serve_options[] = {
    {.name = "address",
     .env = "NUVYN_ADDRESS",
     .placeholder = "HOST:PORT[,…]",
     .help = "the control plane; several: whichever leads",
     .required = true},
    NV_IDENTITY_OPTIONS,
    {.name = "slots",
     .type = NV_OPTION_INT,
     .env = "NUVYN_SLOTS",
     .fallback = "4",
     .min = 1,
     .max = 256,
     .help = "tasks at once"},
    {.name = "statements",
     .type = NV_OPTION_INT,
     .env = "NUVYN_STATEMENTS",
     .fallback = "4",
     .min = 1,
     .max = 64,
     .help = "SQL statements that one task may have on the warehouse at a time"},
    {.name = "drain",
     .type = NV_OPTION_DURATION,
     .env = "NUVYN_DRAIN",
     .fallback = "30s",
     .min = 0,
     .max = 86400000,
     .help = "how long running tasks may finish after SIGTERM"},
    NV_TELEMETRY_OPTIONS("json"),
};

static const nv_config_schema_t serve_schema = {
    .program = "nuvyn-worker",
    .usage = "[OPTIONS]   or:  nuvyn-worker analyze --source-dir DIR",
    .summary = "Leases tasks from a control plane over one mTLS stream and does them. Keeps no state.",
    .options = serve_options,
    .n_options = sizeof serve_options / sizeof *serve_options,
};

static int report(const char *program, const nv_error_t *err)
{
    fprintf(stderr, "%s: %s\n", program, err->message);
    return nv_code_exit_status(err->code);
}

/* The workspace of the worker's own environment, for a pool that is handed no secrets. */
static const Nv__DatabricksCredential *own_workspace(nv_mem_t *ctx, const nv_config_t *config)
{
    const char *host = nv_config_environment(config, "DATABRICKS_HOST");
    const char *token = nv_config_environment(config, "DATABRICKS_TOKEN");
    if (!host || !token)
        return NULL;
    Nv__DatabricksCredential *own = NV_NEW(ctx, Nv__DatabricksCredential);
    nv__databricks_credential__init(own);
    own->host = nv_strdup(ctx, host);
    own->access_token = nv_strdup(ctx, token);
    const struct {
        const char *variable;
        char **field;
    } texts[] = {{"DATABRICKS_WAREHOUSE_ID", &own->warehouse_id},
                 {"DATABRICKS_CATALOG", &own->catalog},
                 {"DATABRICKS_SCHEMA", &own->schema},
                 {"DATABRICKS_VOLUME", &own->volume},
                 {"DATABRICKS_ROOT", &own->root}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *value = nv_config_environment(config, texts[i].variable);
        if (value)
            *texts[i].field = nv_strdup(ctx, value);
    }
    return own;
}

typedef struct lookup {
    const nv_config_t *config;
} lookup_t;

static const char *environment(void *arg, const char *variable)
{
    return nv_config_environment(((lookup_t *)arg)->config, variable);
}

static bool start_tracer(const nv_config_t *config, nv_log_t *log, nv_tracer_t **out, nv_error_t *err)
{
    nv_tracer_options_t options = {.endpoint = nv_config_string(config, "otlp-endpoint"),
                                   .headers = nv_config_string(config, "otlp-headers"),
                                   .service = "nuvyn-worker",
                                   .log = log};
    return nv_tracer_start(&options, out, err);
}

static int serve(int argc, char **argv)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("nuvyn-worker");
    shell_block_signals();
    const nv_config_t *config = nv_config_main(ctx, &serve_schema, argc, argv);
    NV_LOG_SCOPE nv_log_t *log = nv_config_log(config, "nuvyn-worker");
    lookup_t lookup = {config};
    shell_config_t shell = {.address = nv_config_string(config, "address"),
                            .tls = {.ca = nv_config_string(config, "ca"),
                                    .cert = nv_config_string(config, "cert"),
                                    .key = nv_config_string(config, "key")},
                            .slots = (int)nv_config_int(config, "slots"),
                            .statements = (int)nv_config_int(config, "statements"),
                            .drain_ms = (int)nv_config_int(config, "drain"),
                            .log = log,
                            .find = registry_find,
                            .own_databricks = own_workspace(ctx, config),
                            .own_llm = llm_credential_from_environment(ctx, environment, &lookup)};
    shell.kinds = registry_kinds(&shell.n_kinds);
    nv_error_t err = NV_ERROR_INIT;
    bool ok = start_tracer(config, log, &shell.tracer, &err) && shell_run(&shell, &err);
    nv_tracer_stop(shell.tracer);
    if (!ok) {
        nv_log(log, NV_ERROR, "worker", "stopped", "error", err.message, NULL);
        return report("nuvyn-worker", &err);
    }
    nv_log(log, NV_INFO, "worker", "stopped", NULL);
    return EX_OK;
}

/* ---- analyze ---- */

static const nv_option_t analyze_options[] = {
    {.name = "source-dir", .placeholder = "DIR", .help = "folder of raw files", .required = true},
    {.name = "format",
     .type = NV_OPTION_ENUM,
     .values = "summary|keys|json",
     .fallback = "summary",
     .help = "summary for people; keys: keys, joins and roles as JSON; json: the whole mapping"},
    {.name = "output-dir",
     .placeholder = "DIR",
     .help = "write report.html, sttm.json|md|xlsx, profile.json, design.json there"},
    {.name = "name", .help = "project name; default: from the folder"},
    {.name = "safe", .type = NV_OPTION_BOOL, .help = "only joins that are nearly certain"},
    {.name = "threads",
     .type = NV_OPTION_INT,
     .fallback = "2",
     .min = 1,
     .max = 16,
     .help = "tables profiled at once"},
    {.name = "no-llm",
     .type = NV_OPTION_BOOL,
     .help = "decide on evidence alone even if a model's key is in the environment"},
};

static const nv_config_schema_t analyze_schema = {
    .program = "nuvyn-worker analyze",
    .usage = "--source-dir DIR [OPTIONS]",
    .summary = "Profile, keys, joins, star schema and mapping of a folder, without services or Spark.",
    .options = analyze_options,
    .n_options = sizeof analyze_options / sizeof *analyze_options,
};

static analyze_format_t format_of(const char *text)
{
    if (strcmp(text, "keys") == 0)
        return ANALYZE_KEYS;
    return strcmp(text, "json") == 0 ? ANALYZE_JSON : ANALYZE_SUMMARY;
}

static int analyze(int argc, char **argv)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("nuvyn-worker analyze");
    const nv_config_t *config = nv_config_main(ctx, &analyze_schema, argc, argv);
    lookup_t lookup = {config};
    analyze_options_t options = {.source_dir = nv_config_string(config, "source-dir"),
                                 .name = nv_config_string(config, "name"),
                                 .output_dir = nv_config_string(config, "output-dir"),
                                 .format = format_of(nv_config_string(config, "format")),
                                 .safe = nv_config_bool(config, "safe"),
                                 .threads = (int)nv_config_int(config, "threads"),
                                 .out = stdout,
                                 .progress = isatty(STDERR_FILENO) ? stderr : NULL};
    if (!nv_config_bool(config, "no-llm"))
        options.llm = llm_credential_from_environment(ctx, environment, &lookup);
    nv_error_t err = NV_ERROR_INIT;
    bool ok = analyze_folder(&options, &err);
    if (fflush(stdout) != 0 && ok)
        ok = nv_fail(&err, NV_INTERNAL, "standard output cannot be written");
    return ok ? EX_OK : report("nuvyn-worker analyze", &err);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    nv_error_t err = NV_ERROR_INIT;
    if (!nv_http_global_init(&err))
        return report("nuvyn-worker", &err);
    if (argc > 1 && strcmp(argv[1], "analyze") == 0)
        return analyze(argc - 1, argv + 1);
    return serve(argc, argv);
}

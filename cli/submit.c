/* Submitting a run, and following it to its end. */
#include "cli/cli.h"
#include "common/core/path.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static const nv_option_t options[] = {
    {.name = "source",
     .placeholder = "DIR",
     .help = "folder (or URI) of raw files, as the workers reach it",
     .required = true},
    {.name = "name", .help = "project name; default: from the folder"},
    {.name = "increment-of",
     .placeholder = "PROJECT",
     .help = "bring the folder as a further batch to a project that is deployed (its name, or a run of it): "
             "design and job stay"},
    {.name = "mode",
     .type = NV_OPTION_ENUM,
     .values = "full|analyze",
     .fallback = "full",
     .help = "analyze ends with report and mapping: nothing is built"},
    {.name = "approve",
     .type = NV_OPTION_ENUM,
     .values = "auto|ask",
     .fallback = "auto",
     .help = "ask: the run waits for `interrupt answer`"},
    {.name = "max-rounds",
     .type = NV_OPTION_INT,
     .fallback = "0",
     .min = 0,
     .max = 20,
     .help = "refinement rounds; 0: 3, and 1 for a further batch"},
    {.name = "catalog", .help = "target catalog; default: the tenant's"},
    {.name = "schema", .help = "target schema; default: the tenant's, or the project's name"},
    {.name = "no-llm",
     .type = NV_OPTION_BOOL,
     .help = "decide on evidence alone even if a model is configured"},
    {.name = "no-knowledge", .type = NV_OPTION_BOOL, .help = "do not consult the knowledge base"},
    {.name = "safe", .type = NV_OPTION_BOOL, .help = "only joins that are nearly certain"},
    {.name = "pool", .help = "worker pool; default: the tenant's"},
    {.name = "request-id", .help = "the same id submits one run, however often it is sent"},
    {.name = "watch", .type = NV_OPTION_BOOL, .help = "follow the run to its end"},
    {.name = "fetch-to", .placeholder = "DIR", .help = "when it ends, download its artifacts to DIR/<run>"},
};

char *cli_random_id(nv_mem_t *ctx)
{
    unsigned char bytes[16];
    char text[33];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        abort(); /* cannot happen for up to 256 bytes once the kernel's pool is ready */
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return nv_strdup(ctx, text);
}

/* A local folder is sent as an absolute path: workers have another working directory. */
static char *source_path(cli_t *cli)
{
    const char *given = cli_option(cli, "source");
    char resolved[PATH_MAX];
    if (strstr(given, "://") || !realpath(given, resolved))
        return nv_strdup(cli->ctx, given);
    cli->source_given = nv_strndup(cli->ctx, given, nv_path_trimmed(given));
    cli->source_sent = nv_strdup(cli->ctx, resolved);
    return nv_strdup(cli->ctx, resolved);
}

/* The project that --increment-of means: a run stands for the project it was of. */
static bool find_project(cli_t *cli, Nv__RunSpec *spec, nv_error_t *err)
{
    const char *given = cli_option(cli, "increment-of");
    spec->increment_of = nv_strdup(cli->ctx, given);
    if (strncmp(given, "r-", 2) != 0)
        return true;
    Nv__Run *run = NULL;
    if (!cli_get_run(cli, "RunService/GetRun", given, &run, err))
        return nv_wrap(err, "--increment-of");
    if (!run->spec)
        return nv_fail(err, NV_FAILED_PRECONDITION, "--increment-of %s: the run does not say its project",
                       given);
    const Nv__RunSpec *of = run->spec;
    spec->increment_of = nv_strdup(cli->ctx, of->increment_of[0] ? of->increment_of
                                             : of->name[0]       ? of->name
                                                                 : nv_path_base(cli->ctx, of->source));
    if (!spec->schema[0])
        spec->schema = of->schema;
    if (!spec->catalog[0])
        spec->catalog = of->catalog;
    return true;
}

static bool fill_spec(cli_t *cli, Nv__RunSpec *spec, nv_error_t *err)
{
    nv__run_spec__init(spec);
    spec->source = source_path(cli);
    spec->name = nv_strdup(cli->ctx, cli_option(cli, "name"));
    spec->mode = nv_strdup(cli->ctx, cli_option(cli, "mode"));
    spec->approval = nv_strdup(cli->ctx, cli_option(cli, "approve"));
    spec->catalog = nv_strdup(cli->ctx, cli_option(cli, "catalog"));
    spec->schema = nv_strdup(cli->ctx, cli_option(cli, "schema"));
    const char *trace =
        nv_config_environment(cli->options, "TRACEPARENT"); /* of the program that called us */
    spec->traceparent = nv_strdup(cli->ctx, trace ? trace : "");
    spec->discovery_mode = nv_strdup(cli->ctx, nv_config_bool(cli->options, "safe") ? "safe" : "full");
    spec->max_rounds = (int32_t)nv_config_int(cli->options, "max-rounds");
    spec->use_llm = !nv_config_bool(cli->options, "no-llm");
    spec->use_knowledge = !nv_config_bool(cli->options, "no-knowledge");
    if (!find_project(cli, spec, err))
        return false;
    if (spec->increment_of[0] && spec->max_rounds == 0)
        spec->max_rounds = 1;
    return true;
}

static bool follow(cli_t *cli, const char *run_id, nv_error_t *err)
{
    Nv__Run *run = NULL;
    if (!cli_watch(cli, run_id, 0, &run, err))
        return false;
    const char *base = cli_option(cli, "fetch-to");
    if (base[0] && strcmp(run->state, "waiting") != 0) {
        size_t count = 0;
        const char *directory = nv_printf(cli->ctx, "%s/%s", base, run_id);
        bool report = false;
        if (!cli_fetch_all(cli, run_id, directory, &count, &report, err))
            return false;
        if (!cli->json && count > 0)
            printf(report ? "\n%zu files in %s; begin with %s/report.html\n" : "\n%zu files in %s\n", count,
                   directory, directory);
    }
    if (cli->json)
        cli_print_json_line(&run->base);
    if (cli->source_sent)
        run->reason = cli_as_given(cli->ctx, run->reason, cli->source_sent, cli->source_given);
    return cli_run_verdict(run, err);
}

static bool submit(cli_t *cli, nv_error_t *err)
{
    Nv__SubmitRunRequest request = NV__SUBMIT_RUN_REQUEST__INIT;
    Nv__RunSpec spec;
    if (!fill_spec(cli, &spec, err))
        return false;
    request.spec = &spec;
    request.tenant = cli_tenant(cli);
    request.pool = nv_strdup(cli->ctx, cli_option(cli, "pool"));
    const char *given = cli_option(cli, "request-id");
    request.request_id = given[0] ? nv_strdup(cli->ctx, given) : cli_random_id(cli->ctx);
    Nv__Run *run = NULL;
    if (!cli_call(cli, "RunService/SubmitRun", &request.base, &nv__run__descriptor, &run, err))
        return false;
    if (nv_config_bool(cli->options, "watch"))
        return follow(cli, run->run_id, err);
    if (!cli_print_json(cli, &run->base))
        printf("%s\n", run->run_id);
    return true;
}

const cli_command_t cli_submit_commands[] = {
    {.noun = "run",
     .verb = "submit",
     .help = "start a run over a folder of raw files",
     .run = submit,
     .options = options,
     .n_options = sizeof options / sizeof *options},
    {0},
};

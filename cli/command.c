#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static const cli_command_t *const nouns[] = {
    cli_submit_commands,    cli_run_commands,      cli_fork_commands,    cli_checkpoint_commands,
    cli_interrupt_commands, cli_artifact_commands, cli_worker_commands,  cli_pool_commands,
    cli_tenant_commands,    cli_kb_commands,       cli_cluster_commands, cli_certs_commands,
};
enum { NOUNS = sizeof nouns / sizeof nouns[0] };

/* Every command takes these. */
static const nv_option_t global_options[] = {
    {.name = "address", .env = "NUVYN_ADDRESS", .placeholder = "HOST:PORT", .help = "the control plane"},
    {.name = "state-dir",
     .env = "NUVYN_STATE",
     .placeholder = "DIR",
     .help = "a local stack: its address and operator certificate"},
    {.name = "ca", .env = "NUVYN_CA", .placeholder = "FILE", .help = "trust bundle, PEM"},
    {.name = "cert", .env = "NUVYN_CERT", .placeholder = "FILE", .help = "own certificate, PEM"},
    {.name = "key", .env = "NUVYN_KEY", .placeholder = "FILE", .help = "own private key, PEM"},
    {.name = "tenant",
     .env = "NUVYN_TENANT",
     .placeholder = "NAME",
     .help = "the tenant meant; operators must name one"},
    {.name = "output",
     .type = NV_OPTION_ENUM,
     .flag = 'o',
     .values = "table|json",
     .fallback = "table",
     .help = "for people or for programs"},
    {.name = "timeout",
     .type = NV_OPTION_DURATION,
     .fallback = "15s",
     .min = 100,
     .max = 600000,
     .help = "of one call"},
};
enum { GLOBAL_OPTIONS = sizeof global_options / sizeof global_options[0] };

const char *cli_called(void)
{
    const char *called = getenv("NUVYNCTL_CALLED");
    return called && called[0] ? called : "nuvynctl";
}

static bool has_noun(const char *noun)
{
    for (size_t n = 0; n < NOUNS; n++)
        for (const cli_command_t *command = nouns[n]; command->verb; command++)
            if (strcmp(command->noun, noun) == 0)
                return true;
    return false;
}

/* noun NULL: all commands. */
static void print_commands(FILE *to, const char *noun)
{
    for (size_t n = 0; n < NOUNS; n++)
        for (const cli_command_t *command = nouns[n]; command->verb; command++) {
            char words[80];
            if (noun && strcmp(command->noun, noun) != 0)
                continue;
            snprintf(words, sizeof words, "%s%s%s %s", command->noun, command->verb[0] ? " " : "",
                     command->verb, command->arguments ? command->arguments : "");
            fprintf(to, "  %-34s %s\n", words, command->help);
        }
}

static void print_usage(FILE *to)
{
    fprintf(to, "usage: %s NOUN VERB [OPTIONS] [ARGUMENTS]\n\n", cli_called());
    print_commands(to, NULL);
    fputs("  completion bash                    a script for bash: source <(nuvynctl completion bash)\n", to);
    fprintf(to,
            "\n`%s NOUN VERB --help` says more. Exit status: 0 done, 1 the run failed, 64 usage, 65 bad "
            "input, 66 not\n"
            "found, 69 unavailable, 70 internal, 73 exists already, 75 try again, 77 not allowed.\n",
            cli_called());
}

/* A noun whose only verb is "" (health, status) takes no verb word; *used is the number of words it took. */
static const cli_command_t *find(int argc, char **argv, int *used)
{
    for (size_t n = 0; n < NOUNS; n++)
        for (const cli_command_t *command = nouns[n]; command->verb; command++) {
            if (strcmp(command->noun, argv[1]) != 0)
                continue;
            if (command->verb[0] == '\0') {
                *used = 1;
                return command;
            }
            if (argc > 2 && strcmp(command->verb, argv[2]) == 0) {
                *used = 2;
                return command;
            }
        }
    return NULL;
}

static nv_config_t *parse(nv_mem_t *ctx, const cli_command_t *command, int argc, char **argv)
{
    nv_option_t *options = NV_NEW_ARRAY(ctx, nv_option_t, GLOBAL_OPTIONS + command->n_options);
    if (command->n_options)
        memcpy(options, command->options, command->n_options * sizeof *options);
    memcpy(options + command->n_options, global_options, sizeof global_options);
    nv_config_schema_t *schema = NV_NEW(ctx, nv_config_schema_t);
    *schema = (nv_config_schema_t){
        .program = nv_printf(ctx, "%s %s%s%s", cli_called(), command->noun, command->verb[0] ? " " : "",
                             command->verb),
        .usage = nv_printf(ctx, "[OPTIONS] %s", command->arguments ? command->arguments : ""),
        .summary = command->help,
        .options = options,
        .n_options = GLOBAL_OPTIONS + command->n_options,
        .max_arguments = command->max_arguments,
    };
    return nv_config_main(ctx, schema, argc, argv);
}

static int report(const nv_error_t *err)
{
    fprintf(stderr, "nuvynctl: %s\n", err->message);
    return nv_code_exit_status(err->code);
}

static int run(nv_mem_t *ctx, const cli_command_t *command, int argc, char **argv)
{
    cli_t cli = {.ctx = ctx, .options = parse(ctx, command, argc, argv)};
    cli.json = strcmp(nv_config_string(cli.options, "output"), "json") == 0;
    nv_error_t err = NV_ERROR_INIT;
    if (nv_config_argument_count(cli.options) < command->min_arguments) {
        fprintf(stderr, "nuvynctl %s %s: expected %s (see --help)\n", command->noun, command->verb,
                command->arguments);
        return EX_USAGE;
    }
    bool ok = command->run(&cli, &err);
    if (cli.client)
        nv_rpc_client_free(cli.client);
    if (fflush(stdout) != 0 && ok)
        ok = nv_fail(&err, NV_INTERNAL, "standard output cannot be written");
    return ok ? EX_OK : report(&err);
}

static bool is_help(const char *word)
{
    return strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* `nuvynctl run`, `nuvynctl run --help`, or words that are no command. */
static int explain(int argc, char **argv)
{
    bool noun = has_noun(argv[1]);
    if (noun && argc > 2 && is_help(argv[2])) {
        printf("usage: %s %s VERB [OPTIONS] [ARGUMENTS]\n\n", cli_called(), argv[1]);
        print_commands(stdout, argv[1]);
        return EX_OK;
    }
    if (!noun)
        fprintf(stderr, "nuvynctl: no command \"%s\"; `%s help` lists them\n", argv[1], cli_called());
    else if (argc > 2)
        fprintf(stderr, "nuvynctl %s: no verb \"%s\"; expected one of\n", argv[1], argv[2]);
    else
        fprintf(stderr, "nuvynctl %s: expected a verb, one of\n", argv[1]);
    if (noun)
        print_commands(stderr, argv[1]);
    return EX_USAGE;
}

static void print_options(const nv_option_t *options, size_t n)
{
    for (size_t i = 0; i < n; i++)
        printf(" --%s", options[i].name);
}

/* The nouns, or the verbs of one; a noun's commands may come from several tables. */
static void print_words(const char *noun)
{
    const char *last = "";
    for (size_t n = 0; n < NOUNS; n++)
        for (const cli_command_t *c = nouns[n]; c->verb; c++) {
            const char *word = noun ? c->verb : c->noun;
            if ((!noun || strcmp(noun, c->noun) == 0) && strcmp(word, last) != 0)
                printf(" %s", word);
            last = word;
        }
    puts("' ;;");
}

static void print_command_options(const cli_command_t *command)
{
    printf("    *\" %s %s\") words='", command->noun, command->verb);
    print_options(command->options, command->n_options);
    print_options(global_options, GLOBAL_OPTIONS);
    puts("' ;;");
}

/* A bash function that knows every noun, verb and option; made from the same tables as the commands. */
static int completion(int argc, char **argv)
{
    if (argc != 3 || strcmp(argv[2], "bash") != 0) {
        fprintf(stderr, "nuvynctl completion: expected bash\n");
        return EX_USAGE;
    }
    puts("_nuvynctl() {\n    local words\n    case \"$COMP_CWORD ${COMP_WORDS[1]} ${COMP_WORDS[2]}\" in");
    fputs("    \"1 \"*) words='completion help", stdout);
    print_words(NULL);
    for (size_t n = 0; n < NOUNS; n++) {
        if (n == 0 || strcmp(nouns[n]->noun, nouns[n - 1]->noun) != 0) {
            printf("    \"2 %s \"*) words='", nouns[n]->noun);
            print_words(nouns[n]->noun);
        }
        for (const cli_command_t *command = nouns[n]; command->verb; command++)
            print_command_options(command);
    }
    puts("    esac\n    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\")\n}\n"
         "complete -o default -F _nuvynctl nuvynctl");
    return EX_OK;
}

int cli_main(int argc, char **argv)
{
    nv_rpc_quiet();
    if (argc < 2 || is_help(argv[1])) {
        print_usage(argc < 2 ? stderr : stdout);
        return argc < 2 ? EX_USAGE : EX_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("nuvynctl " NV_VERSION);
        return EX_OK;
    }
    if (strcmp(argv[1], "completion") == 0)
        return completion(argc, argv);
    int used = 0;
    const cli_command_t *command = find(argc, argv, &used);
    if (!command)
        return explain(argc, argv);
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("nuvynctl");
    return run(ctx, command, argc - used, argv + used);
}

const char *cli_option(const cli_t *cli, const char *name)
{
    const char *value = nv_config_string(cli->options, name);
    return value ? value : "";
}

const char *cli_argument(const cli_t *cli, size_t index)
{
    return index < nv_config_argument_count(cli->options) ? nv_config_argument(cli->options, index) : "";
}

char *cli_tenant(const cli_t *cli)
{
    return nv_strdup(cli->ctx, cli_option(cli, "tenant"));
}

/* Reading a parsed configuration, and printing it. */
#include "common/config/config.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/config/internal.h"

static const nv_value_t *lookup(const nv_config_t *config, const char *name, const nv_option_t **option)
{
    for (size_t i = 0; i < config->schema->n_options; i++)
        if (strcmp(config->schema->options[i].name, name) == 0) {
            *option = &config->schema->options[i];
            return &config->values[i];
        }
    assert(!"option is not in the table");
    abort();
}

const char *nv_config_string(const nv_config_t *config, const char *name)
{
    const nv_option_t *option;
    const nv_value_t *value = lookup(config, name, &option);
    assert(option->type == NV_OPTION_STRING || option->type == NV_OPTION_ENUM);
    return value->text;
}

int64_t nv_config_int(const nv_config_t *config, const char *name)
{
    const nv_option_t *option;
    const nv_value_t *value = lookup(config, name, &option);
    assert(option->type == NV_OPTION_INT || option->type == NV_OPTION_DURATION ||
           option->type == NV_OPTION_SIZE);
    return value->number;
}

bool nv_config_bool(const nv_config_t *config, const char *name)
{
    const nv_option_t *option;
    const nv_value_t *value = lookup(config, name, &option);
    assert(option->type == NV_OPTION_BOOL);
    return value->number != 0;
}

size_t nv_config_list_count(const nv_config_t *config, const char *name)
{
    const nv_option_t *option;
    const nv_value_t *value = lookup(config, name, &option);
    assert(option->type == NV_OPTION_LIST);
    return value->list_count;
}

const char *nv_config_list_at(const nv_config_t *config, const char *name, size_t index)
{
    const nv_option_t *option;
    const nv_value_t *value = lookup(config, name, &option);
    assert(index < value->list_count);
    return value->list[index];
}

bool nv_config_is_set(const nv_config_t *config, const char *name)
{
    const nv_option_t *option;
    return lookup(config, name, &option)->origin != NV_ORIGIN_UNSET;
}

const char *nv_config_origin(const nv_config_t *config, const char *name)
{
    const nv_option_t *option;
    return nv_config_origin_name(lookup(config, name, &option)->origin);
}

size_t nv_config_argument_count(const nv_config_t *config)
{
    return config->argument_count;
}

const char *nv_config_argument(const nv_config_t *config, size_t index)
{
    assert(index < config->argument_count);
    return config->arguments[index];
}

bool nv_config_help_wanted(const nv_config_t *config)
{
    return config->help;
}

static const char *placeholder(const nv_option_t *option)
{
    if (option->placeholder)
        return option->placeholder;
    switch (option->type) {
    case NV_OPTION_INT:
        return "N";
    case NV_OPTION_ENUM:
        return option->values;
    case NV_OPTION_DURATION:
        return "TIME";
    case NV_OPTION_SIZE:
        return "SIZE";
    default:
        return "TEXT";
    }
}

static void print_flag(const nv_option_t *option, char *out, size_t size)
{
    char flag[8] = "    ";
    if (option->flag)
        snprintf(flag, sizeof flag, "-%c, ", option->flag);
    if (option->type == NV_OPTION_BOOL)
        snprintf(out, size, "%s--%s%s", flag,
                 option->fallback && strcmp(option->fallback, "true") == 0 ? "no-" : "", option->name);
    else if (option->secret)
        snprintf(out, size, "%s--%s-file PATH", flag, option->name);
    else
        snprintf(out, size, "%s--%s %s", flag, option->name, placeholder(option));
}

static void print_option(const nv_option_t *option, FILE *to)
{
    enum { COLUMN = 34 };
    char left[256];
    print_flag(option, left, sizeof left);
    if (strlen(left) < COLUMN - 3)
        fprintf(to, "  %-*s%s", COLUMN - 2, left, option->help);
    else
        fprintf(to, "  %s\n%*s%s", left, COLUMN, "", option->help);
    if (option->min || option->max)
        fprintf(to, "; %" PRId64 " to %" PRId64, option->min, option->max);
    if (option->fallback && *option->fallback && option->type != NV_OPTION_BOOL)
        fprintf(to, " (default %s)", option->fallback);
    if (option->required)
        fprintf(to, " (required)");
    if (option->env)
        fprintf(to, " [%s]", option->env);
    fputc('\n', to);
}

void nv_config_print_help(const nv_config_schema_t *schema, FILE *to)
{
    fprintf(to, "Usage: %s %s\n\n%s\n\nOptions:\n", schema->program, schema->usage, schema->summary);
    for (size_t i = 0; i < schema->n_options; i++)
        print_option(&schema->options[i], to);
    fprintf(to, "  -h, --help                      show this help\n"
                "      --version                   show the version\n\n"
                "Sources, strongest first: command line, environment [in brackets], .env file, default.\n");
    if (schema->epilogue)
        fprintf(to, "\n%s\n", schema->epilogue);
}

static void print_value(const nv_option_t *option, const nv_value_t *value, FILE *to)
{
    if (value->origin == NV_ORIGIN_UNSET)
        return;
    if (option->secret)
        fputs("(set)", to);
    else if (option->type == NV_OPTION_BOOL)
        fputs(value->number ? "true" : "false", to);
    else if (option->type == NV_OPTION_STRING || option->type == NV_OPTION_ENUM)
        fputs(value->text, to);
    else if (option->type == NV_OPTION_LIST)
        for (size_t i = 0; i < value->list_count; i++)
            fprintf(to, "%s%s", i ? "," : "", value->list[i]);
    else
        fprintf(to, "%" PRId64, value->number);
}

void nv_config_print(const nv_config_t *config, FILE *to)
{
    for (size_t i = 0; i < config->schema->n_options; i++) {
        fprintf(to, "%s=", config->schema->options[i].name);
        print_value(&config->schema->options[i], &config->values[i], to);
        fprintf(to, "  # %s\n", nv_config_origin_name(config->values[i].origin));
    }
}

nv_config_t *nv_config_main(nv_mem_t *ctx, const nv_config_schema_t *schema, int argc, char **argv)
{
    nv_config_input_t input = {.argc = argc, .argv = argv, .envp = environ, .env_file = ".env"};
    nv_config_t *config;
    nv_error_t err = NV_ERROR_INIT;
    if (!nv_config_parse(ctx, schema, &input, &config, &err)) {
        fprintf(stderr, "%s: %s\n", schema->program, err.message);
        exit(EX_USAGE);
    }
    if (config->help)
        nv_config_print_help(schema, stdout);
    else if (config->version)
        printf("%s %s\n", schema->program, NV_VERSION);
    else
        return config;
    exit(EX_OK);
}

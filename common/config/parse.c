/* Gathers the sources in order of strength: default, env file, environment, command line. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/config/internal.h"

static bool read_fd(nv_mem_t *ctx, int fd, const char *path, char **out, size_t *length, nv_error_t *err)
{
    char *text = nv_alloc(ctx, NV_ENV_FILE_MAX_BYTES + 2);
    size_t n = 0;
    while (n <= NV_ENV_FILE_MAX_BYTES) {
        ssize_t got = read(fd, text + n, NV_ENV_FILE_MAX_BYTES + 1 - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return nv_fail_errno(err, errno, "%s", path);
        if (got == 0)
            break;
        n += (size_t)got;
    }
    *out = text;
    *length = n;
    return true;
}

static bool read_file(nv_mem_t *ctx, const char *path, char **out, size_t *length, nv_error_t *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return nv_fail_errno(err, errno, "%s", path);
    bool ok = read_fd(ctx, fd, path, out, length, err);
    close(fd);
    return ok;
}

static bool load_env_file(nv_config_t *config, const nv_config_input_t *input, nv_error_t *err)
{
    if (!input->env_file)
        return true;
    if (!input->env_file_required && access(input->env_file, F_OK) != 0)
        return true;
    char *text;
    size_t length;
    if (!read_file(config, input->env_file, &text, &length, err))
        return false;
    if (!nv_env_file_parse(config, text, length, &config->file, &config->file_count, err))
        return nv_wrap(err, "%s", input->env_file);
    return true;
}

static void load_environment(nv_config_t *config, char *const *envp)
{
    size_t capacity = 0;
    for (; envp && *envp; envp++) {
        const char *equals = strchr(*envp, '=');
        if (!equals)
            continue;
        nv_env_pair_t pair = {nv_strndup(config, *envp, (size_t)(equals - *envp)),
                              nv_strdup(config, equals + 1)};
        NV_PUSH(config, config->environment, config->environment_count, capacity) = pair;
    }
}

/* The last one wins, as in a shell. */
static const char *find_pair(const nv_env_pair_t *pairs, size_t n, const char *key)
{
    for (size_t i = n; i-- > 0;)
        if (strcmp(pairs[i].key, key) == 0)
            return pairs[i].value;
    return NULL;
}

/* An empty variable counts as not set, so that `X= program` switches a setting of the env file off. */
static const char *find_variable(const nv_config_t *config, const char *key, nv_origin_t *origin)
{
    *origin = NV_ORIGIN_ENVIRONMENT;
    const char *value = find_pair(config->environment, config->environment_count, key);
    if (value)
        return *value ? value : NULL;
    *origin = NV_ORIGIN_ENV_FILE;
    value = find_pair(config->file, config->file_count, key);
    return value && *value ? value : NULL;
}

static bool set_from_file(nv_config_t *config, size_t index, const char *path, nv_origin_t origin,
                          nv_error_t *err)
{
    const nv_option_t *option = &config->schema->options[index];
    char *text;
    size_t length;
    if (!read_file(config, path, &text, &length, err))
        return nv_wrap(err, "--%s-file", option->name);
    while (length && (text[length - 1] == '\n' || text[length - 1] == '\r'))
        length--;
    text[length] = '\0';
    return nv_config_value_parse(config, option, text, origin, &config->values[index], err);
}

static bool set_from_variables(nv_config_t *config, size_t index, nv_error_t *err)
{
    const nv_option_t *option = &config->schema->options[index];
    if (!option->env)
        return true;
    nv_origin_t origin;
    const char *text = find_variable(config, option->env, &origin);
    if (text)
        return nv_config_value_parse(config, option, text, origin, &config->values[index], err);
    if (!option->secret)
        return true;
    const char *path = find_variable(config, nv_printf(config, "%s_FILE", option->env), &origin);
    return !path || set_from_file(config, index, path, origin, err);
}

static bool set_weak_sources(nv_config_t *config, nv_error_t *err)
{
    for (size_t i = 0; i < config->schema->n_options; i++) {
        const nv_option_t *option = &config->schema->options[i];
        if (option->fallback && !nv_config_value_parse(config, option, option->fallback, NV_ORIGIN_DEFAULT,
                                                       &config->values[i], err))
            return false;
        if (!set_from_variables(config, i, err))
            return false;
    }
    return true;
}

/* ---- the command line ---- */

typedef struct command_line {
    nv_config_t *config;
    const nv_config_input_t *input;
    int at; /* index of the argument being read */
} command_line_t;

static bool find_option(const nv_config_schema_t *schema, const char *name, size_t length, size_t *out)
{
    for (size_t i = 0; i < schema->n_options; i++)
        if (strlen(schema->options[i].name) == length && memcmp(schema->options[i].name, name, length) == 0) {
            *out = i;
            return true;
        }
    return false;
}

static bool take_argument(command_line_t *line, const char *shown, const char **out, nv_error_t *err)
{
    if (line->at + 1 >= line->input->argc)
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: expected a value after it", shown);
    *out = line->input->argv[++line->at];
    return true;
}

static bool refuse_secret(const nv_option_t *option, nv_error_t *err)
{
    return nv_fail(err, NV_INVALID_ARGUMENT,
                   "--%s is a secret and everyone on this machine can read command lines: expected it in %s%s"
                   "--%s-file PATH",
                   option->name, option->env ? option->env : "",
                   option->env ? ", or in a file named by " : "", option->name);
}

static bool set_long(command_line_t *line, size_t index, const char *value, nv_error_t *err)
{
    nv_config_t *config = line->config;
    const nv_option_t *option = &config->schema->options[index];
    if (option->secret)
        return refuse_secret(option, err);
    if (!value && option->type == NV_OPTION_BOOL)
        value = "true";
    if (!value && !take_argument(line, nv_printf(config, "--%s", option->name), &value, err))
        return false;
    return nv_config_value_parse(config, option, value, NV_ORIGIN_COMMAND_LINE, &config->values[index], err);
}

/* --name-file of a secret option. */
static bool try_secret_file(command_line_t *line, const char *name, size_t length, const char *value,
                            bool *found, nv_error_t *err)
{
    static const char suffix[] = "-file";
    size_t n = sizeof suffix - 1, index;
    *found = length > n && memcmp(name + length - n, suffix, n) == 0 &&
             find_option(line->config->schema, name, length - n, &index) &&
             line->config->schema->options[index].secret;
    if (!*found)
        return true;
    if (!value && !take_argument(line, nv_printf(line->config, "--%s", name), &value, err))
        return false;
    return set_from_file(line->config, index, value, NV_ORIGIN_COMMAND_LINE, err);
}

static bool take_long(command_line_t *line, const char *name, nv_error_t *err)
{
    nv_config_t *config = line->config;
    const char *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    const char *value = equals ? equals + 1 : NULL;
    size_t index;
    bool found;
    if (find_option(config->schema, name, length, &index))
        return set_long(line, index, value, err);
    if (strcmp(name, "help") == 0)
        return config->help = true;
    if (strcmp(name, "version") == 0)
        return config->version = true;
    if (!value && length > 3 && memcmp(name, "no-", 3) == 0 &&
        find_option(config->schema, name + 3, length - 3, &index) &&
        config->schema->options[index].type == NV_OPTION_BOOL)
        return set_long(line, index, "false", err);
    if (!try_secret_file(line, name, length, value, &found, err))
        return false;
    if (found)
        return true;
    return nv_fail(err, NV_INVALID_ARGUMENT, "--%.*s: expected an option of %s (see --help)", (int)length,
                   name, config->schema->program);
}

static bool find_flag(const nv_config_schema_t *schema, char flag, size_t *out)
{
    for (size_t i = 0; i < schema->n_options; i++)
        if (schema->options[i].flag == flag) {
            *out = i;
            return true;
        }
    return false;
}

/* -v, -ojson, -o json; booleans may be bundled (-vq). */
static bool take_short(command_line_t *line, const char *flags, nv_error_t *err)
{
    for (; *flags; flags++) {
        size_t index;
        if (!find_flag(line->config->schema, *flags, &index)) {
            if (*flags == 'h') {
                line->config->help = true;
                continue;
            }
            return nv_fail(err, NV_INVALID_ARGUMENT, "-%c: expected an option of %s (see --help)", *flags,
                           line->config->schema->program);
        }
        if (line->config->schema->options[index].type != NV_OPTION_BOOL)
            return set_long(line, index, flags[1] ? flags + 1 : NULL, err);
        if (!set_long(line, index, "true", err))
            return false;
    }
    return true;
}

static bool add_argument(nv_config_t *config, const char *text, nv_error_t *err)
{
    if (config->argument_count == config->schema->max_arguments)
        return nv_fail(err, NV_INVALID_ARGUMENT, "\"%.200s\": expected at most %zu argument%s (see --help)",
                       text, config->schema->max_arguments, config->schema->max_arguments == 1 ? "" : "s");
    NV_PUSH(config, config->arguments, config->argument_count, config->argument_capacity) =
        nv_strdup(config, text);
    return true;
}

static bool take_command_line(command_line_t *line, nv_error_t *err)
{
    bool only_arguments = false;
    for (line->at = 1; line->at < line->input->argc; line->at++) {
        const char *text = line->input->argv[line->at];
        bool ok;
        if (only_arguments || text[0] != '-' || text[1] == '\0') {
            only_arguments |= line->config->schema->stop_at_argument;
            ok = add_argument(line->config, text, err);
        } else if (strcmp(text, "--") == 0) {
            only_arguments = true;
            ok = true;
        } else if (text[1] == '-') {
            ok = take_long(line, text + 2, err);
        } else {
            ok = take_short(line, text + 1, err);
        }
        if (!ok)
            return false;
    }
    return true;
}

static bool check_required(const nv_config_t *config, nv_error_t *err)
{
    for (size_t i = 0; i < config->schema->n_options; i++) {
        const nv_option_t *option = &config->schema->options[i];
        if (!option->required || config->values[i].origin != NV_ORIGIN_UNSET)
            continue;
        char expected[256];
        nv_config_expectation(option, expected, sizeof expected);
        return nv_fail(err, NV_INVALID_ARGUMENT, "--%s%s%s%s is missing: expected %s (%s)", option->name,
                       option->env ? " (or " : "", option->env ? option->env : "", option->env ? ")" : "",
                       expected, option->help);
    }
    return true;
}

bool nv_config_parse(nv_mem_t *ctx, const nv_config_schema_t *schema, const nv_config_input_t *input,
                     nv_config_t **out, nv_error_t *err)
{
    nv_config_t *config = NV_NEW(ctx, nv_config_t);
    config->schema = schema;
    config->values = NV_NEW_ARRAY(config, nv_value_t, schema->n_options + 1);
    load_environment(config, input->envp);
    command_line_t line = {.config = config, .input = input};
    if (!load_env_file(config, input, err) || !set_weak_sources(config, err) ||
        !take_command_line(&line, err))
        return false;
    if (!config->help && !config->version && !check_required(config, err))
        return false;
    *out = config;
    return true;
}

const char *nv_config_environment(const nv_config_t *config, const char *variable)
{
    nv_origin_t origin;
    return find_variable(config, variable, &origin);
}

/* Command lines: the input's lines are the arguments. Numbers that are taken lie within their range. */
#include <stdlib.h>
#include <string.h>

#include "common/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const nv_option_t options[] = {
    {.name = "name", .min = 1, .max = 16, .help = "x"},
    {.name = "count",
     .type = NV_OPTION_INT,
     .flag = 'c',
     .fallback = "5",
     .min = -3,
     .max = 60000,
     .help = "x"},
    {.name = "verbose", .type = NV_OPTION_BOOL, .flag = 'v', .help = "x"},
    {.name = "output", .type = NV_OPTION_ENUM, .flag = 'o', .values = "text|json", .help = "x"},
    {.name = "lease", .type = NV_OPTION_DURATION, .fallback = "1s", .min = 1, .max = 1000000, .help = "x"},
    {.name = "cache", .type = NV_OPTION_SIZE, .help = "x"},
    {.name = "pool", .type = NV_OPTION_LIST, .help = "x"},
    {.name = "token", .secret = true, .env = "TOKEN", .help = "x"},
};

enum { ARGUMENTS_MAX = 32 };

static int split(char *text, char **argv)
{
    int argc = 0;
    argv[argc++] = text; /* skipped, as the program's name is */
    for (char *line = strtok(text, "\n"); line && argc < ARGUMENTS_MAX; line = strtok(NULL, "\n"))
        if (!strstr(line, "-file")) /* would open any file */
            argv[argc++] = line;
    return argc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("fuzz");
    nv_config_schema_t schema = {.program = "p",
                                 .usage = "",
                                 .summary = "",
                                 .options = options,
                                 .n_options = sizeof options / sizeof options[0],
                                 .max_arguments = 3};
    char *argv[ARGUMENTS_MAX];
    nv_config_input_t input = {.argv = argv};
    input.argc = split(nv_strndup(ctx, (const char *)data, size), argv);
    nv_config_t *config;
    nv_error_t err = NV_ERROR_INIT;
    if (!nv_config_parse(ctx, &schema, &input, &config, &err)) {
        if (err.code == NV_OK || !*err.message)
            abort();
        return 0;
    }
    int64_t count = nv_config_int(config, "count"), lease = nv_config_int(config, "lease");
    if (count < -3 || count > 60000 || lease < 1 || lease > 1000000 || nv_config_int(config, "cache") < 0)
        abort();
    if (nv_config_argument_count(config) > 3 || nv_config_is_set(config, "token"))
        abort();
    return 0;
}

/* Shared by the files of this folder only. */
#ifndef NV_CONFIG_INTERNAL_H
#define NV_CONFIG_INTERNAL_H

#include "common/config/config.h"

typedef enum nv_origin {
    NV_ORIGIN_UNSET,
    NV_ORIGIN_DEFAULT,
    NV_ORIGIN_ENV_FILE,
    NV_ORIGIN_ENVIRONMENT,
    NV_ORIGIN_COMMAND_LINE,
} nv_origin_t;

typedef struct nv_value {
    nv_origin_t origin;
    const char *text; /* STRING, ENUM */
    int64_t number;   /* INT, BOOL, DURATION, SIZE */
    const char **list;
    size_t list_count;
    size_t list_capacity;
} nv_value_t;

struct nv_config {
    const nv_config_schema_t *schema;
    nv_value_t *values; /* one per option */
    nv_env_pair_t *environment;
    size_t environment_count;
    nv_env_pair_t *file;
    size_t file_count;
    const char **arguments;
    size_t argument_count;
    size_t argument_capacity;
    bool help;
    bool version;
};

const char *nv_config_origin_name(nv_origin_t origin);

/* Parses text into value by the option's type and range. The error names the option and what was expected. */
bool nv_config_value_parse(nv_mem_t *ctx, const nv_option_t *option, const char *text, nv_origin_t origin,
                           nv_value_t *value, nv_error_t *err) NV_MUST_CHECK;

/* What a value of this option looks like ("an integer from 1 to 9"), into out. */
void nv_config_expectation(const nv_option_t *option, char *out, size_t size);

#endif

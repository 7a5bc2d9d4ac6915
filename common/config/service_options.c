#include "common/config/service_options.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

nv_log_t *nv_config_log(const nv_config_t *config, const char *process)
{
    nv_level_t level = NV_INFO;
    nv_error_t err = NV_ERROR_INIT;
    bool known = nv_level_parse(nv_config_string(config, "log-level"), &level, &err);
    assert(known); /* the option's values are the levels' names */
    (void)known;
    bool json = strcmp(nv_config_string(config, "log-format"), "json") == 0;
    return nv_log_new(STDERR_FILENO, process, level, json ? NV_LOG_JSON : NV_LOG_TEXT);
}

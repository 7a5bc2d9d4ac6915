/* Options that every long-lived process takes alike, for its table of nv_option_t, and what they mean. */
#ifndef NV_CONFIG_SERVICE_OPTIONS_H
#define NV_CONFIG_SERVICE_OPTIONS_H

#include "common/config/config.h"
#include "common/core/log.h"

/* The process's identity; paths. clang-format would break the entries in odd places. */
/* clang-format off */
#define NV_IDENTITY_OPTIONS \
    {.name = "ca", .env = "NUVYN_CA", .placeholder = "FILE", .help = "trust bundle, PEM", .required = true}, \
    {.name = "cert", .env = "NUVYN_CERT", .placeholder = "FILE", .help = "own certificate (who this is, stands in it), PEM", .required = true}, \
    {.name = "key", .env = "NUVYN_KEY", .placeholder = "FILE", .help = "own private key, PEM", .required = true}

/* format: what log-format is by default. */
#define NV_TELEMETRY_OPTIONS(format) \
    {.name = "otlp-endpoint", .env = "OTEL_EXPORTER_OTLP_ENDPOINT", .placeholder = "URL", \
     .help = "send traces there, OTLP over HTTP; default: off"}, \
    {.name = "otlp-headers", .env = "OTEL_EXPORTER_OTLP_HEADERS", .secret = true, .help = "headers for it, key=value,key=value"}, \
    {.name = "log-level", .type = NV_OPTION_ENUM, .env = "NUVYN_LOG_LEVEL", .values = "debug|info|warn|error", \
     .fallback = "info", .help = "least level written to standard error"}, \
    {.name = "log-format", .type = NV_OPTION_ENUM, .env = "NUVYN_LOG_FORMAT", .values = "text|json", .fallback = (format), \
     .help = "log lines for people or for programs"}
/* clang-format on */

/* The log to standard error that log-level and log-format ask for. */
nv_log_t *nv_config_log(const nv_config_t *config, const char *process);

#endif

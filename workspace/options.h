/* The command line of nuvyn-workspace. */
#ifndef NV_WORKSPACE_OPTIONS_H
#define NV_WORKSPACE_OPTIONS_H

#include "common/core/error.h"
#include "common/core/log.h"

#include "common/core/mem.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct ws_options {
    const char *state_dir; /* absolute */
    const char *host;
    int port;
    const char *tls_cert;
    const char *tls_key;
    const char *public_url; /* or NULL: derived from the address */
    const char *kernel_python;
    const char *kernel_dir;
    const char *jars_dir;
    const char *client_id;
    const char *client_secret_file; /* or NULL: in the state directory */
    const char *memory;
    const char *jit;
    int cores;
    int connections;
    int64_t chunk_bytes;
    nv_log_format_t log_format;
    nv_level_t log_level;
    bool test_faults;
    const char *request_log; /* or NULL */
    bool help;
    bool version;
} ws_options_t;

/* Text below mem. INVALID_ARGUMENT names the option. */
bool ws_options_parse(nv_mem_t *mem, int argc, char **argv, ws_options_t *out, nv_error_t *err) NV_MUST_CHECK;
const char *ws_options_usage(void);

#endif

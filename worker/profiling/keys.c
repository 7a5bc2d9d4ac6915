#include "worker/profiling/keys.h"

bool keys_report(nv_mem_t *ctx, const profile_options_t *options, const scan_result_t *scan,
                 Nv__TableProfile *out, nv_error_t *err)
{
    (void)ctx;
    (void)options;
    (void)scan;
    (void)out;
    (void)err;
    return true;
}

/* One trace for each run: the run's span hangs below whoever submitted it, a task's span (the worker's) below the run's.
 *
 * The run's spec keeps the caller's context, and the run's span is known by its id alone, so that neither a restart nor
 * another control plane breaks the trace.
 */
#include "controlplane/service/engine_internal.h"

#include <string.h>
#include <xxhash.h>

static void own_id(const char *run_id, uint8_t out[8])
{
    XXH64_canonical_t bytes;
    XXH64_canonicalFromHash(&bytes, XXH3_64bits(run_id, strlen(run_id)) | 1); /* never all zeros */
    memcpy(out, bytes.digest, 8);
}

void cp_trace_begin(cp_run_t *run)
{
    nv_trace_context_t context;
    nv_error_t err = NV_ERROR_INIT;
    if (nv_traceparent_parse(run->spec->traceparent, &context, &err))
        return;
    nv_trace_context_new(&context); /* none, or a broken one, which the standard says to start anew for */
    own_id(run->id, context.span_id);
    run->spec->traceparent = nv_alloc(run, NV_TRACEPARENT_LENGTH + 1);
    nv_traceparent_format(&context, run->spec->traceparent);
}

char *cp_trace_parent(nv_mem_t *ctx, const cp_run_t *run)
{
    nv_trace_context_t context;
    nv_error_t err = NV_ERROR_INIT;
    char *out = nv_alloc(ctx, NV_TRACEPARENT_LENGTH + 1);
    if (!nv_traceparent_parse(run->spec->traceparent, &context, &err))
        return nv_strdup(ctx, ""); /* begun before there were traces */
    own_id(run->id, context.span_id);
    nv_traceparent_format(&context, out);
    return out;
}

void cp_trace_end(cp_engine_t *engine, const cp_run_t *run, const nv_super_status_t *status)
{
    nv_trace_context_t parent, self;
    nv_error_t err = NV_ERROR_INIT, failed = {.code = NV_UNKNOWN};
    if (!nv_traceparent_parse(run->spec->traceparent, &parent, &err))
        return;
    self = parent;
    own_id(run->id, self.span_id);
    bool root = memcmp(self.span_id, parent.span_id, sizeof self.span_id) == 0;
    nv_span_t *span = nv_span_resume(engine->config.tracer, &self, root ? NULL : &parent, "run",
                                     NV_SPAN_SERVER, run->created_ms);
    nv_span_text(span, "nuvyn.run", run->id);
    nv_span_text(span, "nuvyn.tenant", run->tenant);
    nv_span_text(span, "nuvyn.state", nv_super_state_name(status->state));
    nv_span_int(span, "nuvyn.rounds", status->round);
    memcpy(failed.message, status->reason, sizeof failed.message);
    nv_span_end(span, status->state == NV_SUPER_SUCCEEDED ? NULL : &failed);
}

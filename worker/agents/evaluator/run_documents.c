#include "worker/agents/evaluator/run_documents.h"

#include <time.h>

static double seconds_since(int64_t unix_ms)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    double seconds = (double)now.tv_sec + (double)now.tv_nsec / 1e9 - (double)unix_ms / 1000;
    return seconds > 0 ? seconds : 0;
}

bool run_documents_load(agent_task_t *task, nv_mem_t *ctx, run_record_t *out, nv_error_t *err)
{
    const Nv__TaskAssignment *assignment = task->assignment;
    *out = (run_record_t){.spec = assignment->spec, .rounds = assignment->round};
    out->run_id = assignment->lease ? assignment->lease->run_id : "";
    if (assignment->run_usage)
        out->usage = *assignment->run_usage;
    if (assignment->run_started_unix_ms > 0)
        out->seconds = seconds_since(assignment->run_started_unix_ms);
    const struct {
        const char *channel;
        const ProtobufCMessageDescriptor *type;
        const void **slot;
    } documents[] = {
        {"survey", &nv__survey__descriptor, (const void **)&out->survey},
        {"relations", &nv__relations__descriptor, (const void **)&out->relations},
        {"design", &nv__star_schema__descriptor, (const void **)&out->design},
        {"sttm", &nv__sttm__descriptor, (const void **)&out->sttm},
        {"review", &nv__review__descriptor, (const void **)&out->review},
        {"project", &nv__project__descriptor, (const void **)&out->project},
        {"deployment", &nv__deployment__descriptor, (const void **)&out->deployment},
        {"execution", &nv__execution__descriptor, (const void **)&out->execution},
        {"validation", &nv__validation__descriptor, (const void **)&out->validation},
    };
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        ProtobufCMessage *message = NULL;
        if (!task_latest(task, ctx, documents[i].channel, documents[i].type, &message, err))
            return nv_wrap(err, "channel %s", documents[i].channel);
        *documents[i].slot = message;
    }
    if (!out->relations && out->design) /* a batch finds none of its own */
        out->relations = out->design->relations;
    Nv__TableProfile **profiles;
    if (!task_profiles(task, ctx, &profiles, &out->n_profiles, err))
        return false;
    out->profiles = (const Nv__TableProfile *const *)profiles;
    return true;
}

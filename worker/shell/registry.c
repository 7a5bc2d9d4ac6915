#include "worker/shell/registry.h"

#include "worker/agents/increment/increment.h"
#include "worker/agents/increment/increment_agents.h"

#include <string.h>

/* A run that brings a batch to a deployed project has agents of its own where there is nothing left to decide. */
#define EITHER(kind)                                                                                         \
    static bool any_##kind(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)          \
    {                                                                                                        \
        return increment_is(task) ? increment_##kind(task, ctx, out, err)                                    \
                                  : agent_##kind(task, ctx, out, err);                                       \
    }
EITHER(relate)
EITHER(design)
EITHER(review)
EITHER(generate)
EITHER(deploy)
EITHER(learn)

static const char *const kinds[] = {"survey", "profile", "relate",   "design",   "review", "generate",
                                    "deploy", "execute", "validate", "evaluate", "learn"};
static const agent_fn agents[] = {agent_survey,   agent_profile,  any_relate, any_design,
                                  any_review,     any_generate,   any_deploy, agent_execute,
                                  agent_validate, agent_evaluate, any_learn};
enum { KINDS = sizeof kinds / sizeof kinds[0] };
_Static_assert(sizeof agents / sizeof agents[0] == KINDS, "one agent per kind");

agent_fn registry_find(const char *kind)
{
    for (size_t i = 0; i < KINDS; i++)
        if (strcmp(kinds[i], kind) == 0)
            return agents[i];
    return NULL;
}

const char *const *registry_kinds(size_t *out_count)
{
    *out_count = KINDS;
    return kinds;
}

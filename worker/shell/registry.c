#include "worker/shell/registry.h"

#include <string.h>

static const char *const kinds[] = {"survey", "profile", "relate",   "design",   "review", "generate",
                                    "deploy", "execute", "validate", "evaluate", "learn"};
static const agent_fn agents[] = {agent_survey,   agent_profile,  agent_relate, agent_design,
                                  agent_review,   agent_generate, agent_deploy, agent_execute,
                                  agent_validate, agent_evaluate, agent_learn};
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

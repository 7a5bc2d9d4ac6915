/* What the agents do in a run for which increment_is() holds; each takes the place of the agent of its kind. */
#ifndef WORKER_AGENTS_INCREMENT_AGENTS_H
#define WORKER_AGENTS_INCREMENT_AGENTS_H

#include "worker/agents/task/task.h"

bool increment_relate(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err);
bool increment_design(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err);
bool increment_review(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err);
bool increment_generate(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err);
/* The Developer's: lands the batch's files and leaves notebooks and job alone. */
bool increment_deploy(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err);
bool increment_learn(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err);

#endif

/* One task: dispatch, results, failures and retries, and the checks on what a task may write. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/graph/internal.h"

bool task_is_final(nv_task_state_t state)
{
    return state == NV_TASK_DONE || state == NV_TASK_FAILED || state == NV_TASK_CANCELLED;
}

task_t *task_find(nv_graph_run_t *run, uint64_t id)
{
    size_t index = id & ((UINT64_C(1) << TASK_INDEX_BITS) - 1);
    if (index >= run->task_count || run->tasks[index].id != id)
        return NULL;
    return &run->tasks[index];
}

static bool counts_as_open_local(const nv_graph_run_t *run, const task_t *task)
{
    return task->state == NV_TASK_OPEN && run->graph->nodes[task->node].spec.local;
}

void task_set_state(nv_graph_run_t *run, task_t *task, nv_task_state_t state)
{
    run->open_count -= !task_is_final(task->state);
    run->open_local -= counts_as_open_local(run, task);
    run->interrupted -= task->state == NV_TASK_INTERRUPTED;
    task->state = state;
    task->due_ms = NV_GRAPH_NO_TIMER;
    run->open_count += !task_is_final(state);
    run->open_local += counts_as_open_local(run, task);
    run->interrupted += state == NV_TASK_INTERRUPTED;
}

static nv_graph_effect_t *add(const task_t *task, nv_graph_effect_t *effect)
{
    effect->task = task->id;
    effect->attempt = task->attempt;
    effect->node = task->node;
    effect->argument = nv_value_bytes(task->argument);
    return effect;
}

static nv_graph_effect_t *emit(nv_graph_run_t *run, const task_t *task, nv_graph_news_t news,
                               nv_graph_effects_t *effects)
{
    return add(task, effect_news(run, effects, news));
}

void task_emit(nv_graph_run_t *run, const task_t *task, nv_graph_news_t news, nv_graph_effects_t *effects)
{
    nv_graph_effect_t *effect = emit(run, task, news, effects);
    effect->outcome = task->outcome;
    effect->code = task->error_code;
    effect->text = task->error ? task->error->data : NULL;
}

void task_dispatch(nv_graph_run_t *run, task_t *task, int64_t now_ms, nv_graph_effects_t *effects, bool again)
{
    const nv_node_spec_t *spec = &run->graph->nodes[task->node].spec;
    if (spec->local) {
        task_set_state(run, task, NV_TASK_OPEN);
        return;
    }
    task_set_state(run, task, NV_TASK_QUEUED);
    if (spec->queue_timeout_ms)
        alarm_set(run, task, now_ms + spec->queue_timeout_ms);
    if (!again)
        emit(run, task, NV_NEWS_TASK_SCHEDULED, effects);
    add(task, effect_add(effects, NV_EFFECT_DISPATCH));
}

static int64_t retry_delay(const nv_retry_policy_t *policy, uint32_t failures, uint32_t random)
{
    int64_t cap = policy->cap_ms ? policy->cap_ms : 128000;
    int64_t delay = policy->initial_ms ? policy->initial_ms : 500;
    int64_t factor = policy->factor_permille ? policy->factor_permille : 2000;
    for (uint32_t i = 1; i < failures && delay < cap; i++)
        delay = delay * factor / 1000;
    delay = delay < cap ? delay : cap;
    int64_t jitter = policy->jitter_permille < 1000 ? policy->jitter_permille : 1000;
    return delay - delay * jitter / 1000 * (random % 1000) / 1000;
}

static nv_value_t *bounded_text(nv_graph_run_t *run, const char *text)
{
    if (!text || !*text)
        text = "no reason given";
    return nv_value_new(run, nv_bytes(text, strnlen(text, run->graph->limits.text_bytes)));
}

/* "profile(orders): text" */
static nv_value_t *described_error(nv_graph_run_t *run, const task_t *task)
{
    const char *name = run->graph->nodes[task->node].spec.name;
    nv_buf_reset(&run->scratch);
    nv_bytes_t argument = nv_value_bytes(task->argument);
    if (argument.length > 0 && argument.length <= 64)
        nv_buf_printf(&run->scratch, "%s(%.*s): ", name, (int)argument.length, (const char *)argument.data);
    else
        nv_buf_printf(&run->scratch, "%s: ", name);
    nv_buf_add(&run->scratch, task->error->data, task->error->length);
    return nv_value_new(run, nv_bytes(run->scratch.data, run->scratch.length));
}

static void retry_later(nv_graph_run_t *run, task_t *task, uint32_t random, int64_t now_ms,
                        nv_graph_effects_t *effects)
{
    const nv_retry_policy_t *policy = &run->graph->nodes[task->node].spec.retry;
    int64_t due = now_ms + retry_delay(policy, task->failures, random);
    task_emit(run, task, NV_NEWS_TASK_RETRYING, effects);
    effects->list[effects->count - 1].due_ms = due;
    task->attempt++;
    task_set_state(run, task, NV_TASK_BACKOFF);
    alarm_set(run, task, due);
    effect_add(effects, NV_EFFECT_PERSIST_TASK)->task = task->id;
}

static void catch_failure(nv_graph_run_t *run, task_t *task)
{
    const nv_node_spec_t *spec = &run->graph->nodes[task->node].spec;
    task->outcome = NV_GRAPH_OUTCOME_ERROR;
    task->first_write = run->write_count;
    task->write_count = 1;
    write_t write = {.channel = spec->error_channel, .value = described_error(run, task)};
    write.key = nv_value_new(run, nv_bytes_text(spec->name));
    NV_PUSH(run, run->writes, run->write_count, run->write_capacity) = write;
    task_set_state(run, task, NV_TASK_DONE);
}

void task_fail(nv_graph_run_t *run, task_t *task, const nv_graph_event_t *event, int64_t now_ms,
               nv_graph_effects_t *effects)
{
    const nv_node_spec_t *spec = &run->graph->nodes[task->node].spec;
    task->failures++;
    run_retire(run, task->error);
    task->error = bounded_text(run, event->text);
    task->error_code = event->code == NV_OK ? NV_UNKNOWN : event->code;
    if (!event->final && task->failures < spec->retry.max_attempts) {
        retry_later(run, task, event->random, now_ms, effects);
        return;
    }
    task_emit(run, task, NV_NEWS_TASK_FAILED, effects);
    effect_add(effects, NV_EFFECT_PERSIST_TASK)->task = task->id;
    if (spec->catches) {
        catch_failure(run, task);
        return;
    }
    task_set_state(run, task, NV_TASK_FAILED);
    nv_value_t *reason = described_error(run, task);
    superstep_end(run, NV_RUN_FAILED, task->error_code, reason->data, effects);
    nv_value_unref(reason);
}

static bool check_value(const nv_graph_run_t *run, nv_bytes_t value, const char *where, nv_error_t *err)
{
    if (value.length > run->graph->limits.value_bytes)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "%s: %zu bytes, more than %u", where, value.length,
                       run->graph->limits.value_bytes);
    return true;
}

/* node NV_GRAPH_NONE: the run's input, which may write any public channel. */
bool task_check_writes(const nv_graph_run_t *run, uint16_t node, const nv_graph_write_t *writes, size_t count,
                       nv_error_t *err)
{
    const nv_graph_t *graph = run->graph;
    for (size_t i = 0; i < count; i++) {
        const nv_graph_write_t *write = &writes[i];
        if (write->channel >= graph->public_channels)
            return nv_fail(err, NV_INVALID_ARGUMENT, "write %zu: there is no channel number %u", i,
                           write->channel);
        const nv_channel_spec_t *spec = &graph->channels[write->channel].spec;
        if (node != NV_GRAPH_NONE && !graph_may_write(graph, node, write->channel))
            return nv_fail(err, NV_PERMISSION_DENIED, "node \"%s\" may not write channel \"%s\"",
                           graph->nodes[node].spec.name, spec->name);
        if (!check_value(run, write->value, spec->name, err))
            return false;
        if (spec->kind == NV_CHANNEL_MERGE && (write->key.length == 0 || write->key.length > KEY_MAX_BYTES))
            return nv_fail(err, NV_INVALID_ARGUMENT, "channel \"%s\": a key of %zu bytes, expected 1 to %d",
                           spec->name, write->key.length, KEY_MAX_BYTES);
    }
    return true;
}

bool task_check_sends(const nv_graph_run_t *run, uint16_t node, const nv_graph_send_t *sends, size_t count,
                      nv_error_t *err)
{
    const nv_graph_t *graph = run->graph;
    if (count > graph->limits.tasks)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "node \"%s\" sent %zu tasks, more than %u",
                       graph->nodes[node].spec.name, count, graph->limits.tasks);
    for (size_t i = 0; i < count; i++) {
        if (sends[i].node >= graph->node_count || !graph_may_send(graph, node, sends[i].node))
            return nv_fail(err, NV_PERMISSION_DENIED, "node \"%s\" may not send to node %u",
                           graph->nodes[node].spec.name, sends[i].node);
        if (!check_value(run, sends[i].argument, "argument of a send", err))
            return false;
    }
    return true;
}

bool task_check_asks(const nv_graph_run_t *run, const task_t *task, const nv_graph_ask_t *asks, size_t count,
                     nv_error_t *err)
{
    if (count == 0)
        return nv_fail(err, NV_INVALID_ARGUMENT, "an interrupt without a question");
    if (count + task->interrupt_count > run->graph->limits.interrupts)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "a task with more than %u interrupts",
                       run->graph->limits.interrupts);
    for (size_t i = 0; i < count; i++) {
        if (asks[i].key.length == 0 || asks[i].key.length > NAME_MAX_BYTES ||
            memchr(asks[i].key.data, 0, asks[i].key.length))
            return nv_fail(err, NV_INVALID_ARGUMENT, "interrupt key of %zu bytes: expected a text of 1 to %d",
                           asks[i].key.length, NAME_MAX_BYTES);
        if (!check_value(run, asks[i].question, "question", err))
            return false;
        bool known = false;
        for (size_t k = 0; k < task->interrupt_count; k++)
            known = known || nv_bytes_equal(nv_value_bytes(task->interrupts[k].key), asks[i].key);
        for (size_t k = 0; k < i; k++)
            known = known || nv_bytes_equal(asks[k].key, asks[i].key);
        if (known)
            return nv_fail(err, NV_ALREADY_EXISTS, "interrupt \"%.*s\" was asked already",
                           (int)asks[i].key.length, (const char *)asks[i].key.data);
    }
    return true;
}

void task_store_result(nv_graph_run_t *run, task_t *task, const nv_graph_event_t *event)
{
    task->outcome = event->outcome;
    task->first_write = run->write_count;
    task->write_count = event->write_count;
    for (size_t i = 0; i < event->write_count; i++) {
        const nv_graph_write_t *given = &event->writes[i];
        write_t write = {.channel = given->channel, .number = given->number};
        nv_channel_kind_t kind = run->graph->channels[given->channel].spec.kind;
        if (kind == NV_CHANNEL_MERGE)
            write.key = nv_value_new(run, given->key);
        if (kind != NV_CHANNEL_NUMBER)
            write.value = nv_value_new(run, given->value);
        NV_PUSH(run, run->writes, run->write_count, run->write_capacity) = write;
    }
    task->first_send = run->outbox_count;
    task->send_count = event->send_count;
    for (size_t i = 0; i < event->send_count; i++)
        NV_PUSH(run, run->outbox, run->outbox_count, run->outbox_capacity) =
            (sent_t){event->sends[i].node, nv_value_new(run, event->sends[i].argument)};
}

void task_store_asks(nv_graph_run_t *run, task_t *task, const nv_graph_ask_t *asks, size_t count,
                     nv_graph_effects_t *effects)
{
    for (size_t i = 0; i < count; i++) {
        interrupt_t interrupt = {.key = nv_value_new(run, asks[i].key),
                                 .question = nv_value_new(run, asks[i].question)};
        NV_PUSH(run, task->interrupts, task->interrupt_count, task->interrupt_capacity) = interrupt;
        nv_graph_effect_t *news = emit(run, task, NV_NEWS_ASKED, effects);
        news->text = interrupt.key->data;
        news->argument = nv_value_bytes(interrupt.question);
        nv_graph_effect_t *ask = add(task, effect_add(effects, NV_EFFECT_ASK));
        ask->text = interrupt.key->data;
        ask->argument = nv_value_bytes(interrupt.question);
    }
    task->open_interrupts += count;
    task_set_state(run, task, NV_TASK_INTERRUPTED);
    effect_add(effects, NV_EFFECT_PERSIST_TASK)->task = task->id;
}

interrupt_t *task_interrupt_find(task_t *task, nv_bytes_t key)
{
    for (size_t i = 0; i < task->interrupt_count; i++)
        if (nv_bytes_equal(nv_value_bytes(task->interrupts[i].key), key))
            return &task->interrupts[i];
    return NULL;
}

void task_stop_all(nv_graph_run_t *run, nv_graph_effects_t *effects)
{
    for (size_t i = 0; i < run->task_count; i++) {
        task_t *task = &run->tasks[i];
        if (task_is_final(task->state))
            continue;
        if (task->state == NV_TASK_QUEUED || task->state == NV_TASK_RUNNING) {
            emit(run, task, NV_NEWS_TASK_CANCELLED, effects);
            add(task, effect_add(effects, NV_EFFECT_CANCEL));
        }
        task_set_state(run, task, NV_TASK_CANCELLED);
    }
    alarm_clear(run);
}

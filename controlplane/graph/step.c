/* nv_graph_step(): each event checked first, then carried out; a refused event changes nothing. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/graph/internal.h"

static bool need_phase(const nv_graph_run_t *run, nv_run_phase_t phase, nv_error_t *err)
{
    static const char *const names[] = {"new", "running", "done", "failed", "cancelled"};
    if (run->phase != phase)
        return nv_fail(err, NV_FAILED_PRECONDITION, "the run is %s, not %s", names[run->phase], names[phase]);
    return true;
}

/* The task, if this attempt is the one a worker holds. */
static task_t *held_task(nv_graph_run_t *run, const nv_graph_event_t *event, nv_error_t *err)
{
    if (!need_phase(run, NV_RUN_RUNNING, err)) {
        err->code = NV_ABORTED; /* for whoever reports on a task, this is one more way to be late */
        return NULL;
    }
    task_t *task = task_find(run, event->task);
    if (!task)
        nv_fail(err, NV_ABORTED, "stale: task %" PRIu64 " is not of superstep %" PRIu64, event->task,
                run->step + 1);
    else if (task->attempt != event->attempt)
        nv_fail(err, NV_ABORTED,
                "stale: attempt %" PRIu32 " of task %" PRIu64 ", the current one is %" PRIu32, event->attempt,
                event->task, task->attempt);
    else if (task->state != NV_TASK_QUEUED && task->state != NV_TASK_RUNNING)
        nv_fail(err, NV_ABORTED, "stale: task %" PRIu64 " is not being worked on", event->task);
    else
        return task;
    return NULL;
}

static bool on_start(nv_graph_run_t *run, const nv_graph_event_t *event, int64_t now_ms,
                     nv_graph_effects_t *effects, nv_error_t *err)
{
    if (!need_phase(run, NV_RUN_NEW, err) ||
        !task_check_writes(run, NV_GRAPH_NONE, event->writes, event->write_count, err) ||
        !superstep_input(run, event->writes, event->write_count, err))
        return false;
    run->phase = NV_RUN_RUNNING;
    effect_news(run, effects, NV_NEWS_RUN_STARTED);
    for (size_t i = 0; i < run->graph->entry_count; i++)
        chan_trigger(run, run->graph->nodes[run->graph->entries[i]].inbox);
    superstep_prepare(run, false);
    superstep_begin(run, now_ms, effects);
    return true;
}

static void after_task(nv_graph_run_t *run, int64_t now_ms, nv_graph_effects_t *effects)
{
    if (run->phase == NV_RUN_RUNNING && run->open_count == 0)
        superstep_finish(run, now_ms, effects);
}

static bool on_continue(nv_graph_run_t *run, int64_t now_ms, nv_graph_effects_t *effects, nv_error_t *err)
{
    if (!need_phase(run, NV_RUN_RUNNING, err))
        return false;
    for (size_t i = 0; i < run->task_count && run->open_local; i++)
        if (run->tasks[i].state == NV_TASK_OPEN && !task_local_run(run, &run->tasks[i], now_ms, effects))
            return true;
    after_task(run, now_ms, effects);
    return true;
}

static bool on_started(nv_graph_run_t *run, const nv_graph_event_t *event, int64_t now_ms,
                       nv_graph_effects_t *effects, nv_error_t *err)
{
    task_t *task = held_task(run, event, err);
    if (!task)
        return false;
    uint32_t timeout = run->graph->nodes[task->node].spec.timeout_ms;
    task_set_state(run, task, NV_TASK_RUNNING);
    alarm_set(run, task, timeout ? now_ms + timeout : NV_GRAPH_NO_TIMER);
    task_emit(run, task, NV_NEWS_TASK_STARTED, effects);
    return true;
}

static bool on_done(nv_graph_run_t *run, const nv_graph_event_t *event, int64_t now_ms,
                    nv_graph_effects_t *effects, nv_error_t *err)
{
    task_t *task = held_task(run, event, err);
    if (!task || !task_check_writes(run, task->node, event->writes, event->write_count, err) ||
        !task_check_sends(run, task->node, event->sends, event->send_count, err))
        return false;
    task_store_result(run, task, event);
    task_set_state(run, task, NV_TASK_DONE);
    task->error_code = NV_OK;
    run_retire(run, task->error);
    task->error = NULL;
    task_emit(run, task, NV_NEWS_TASK_DONE, effects);
    if (run->open_count) /* otherwise the checkpoint holds it */
        effect_add(effects, NV_EFFECT_PERSIST_TASK)->task = task->id;
    after_task(run, now_ms, effects);
    return true;
}

static bool on_failed(nv_graph_run_t *run, const nv_graph_event_t *event, int64_t now_ms,
                      nv_graph_effects_t *effects, nv_error_t *err)
{
    task_t *task = held_task(run, event, err);
    if (!task)
        return false;
    task_fail(run, task, event, now_ms, effects);
    after_task(run, now_ms, effects);
    return true;
}

static bool on_interrupted(nv_graph_run_t *run, const nv_graph_event_t *event, nv_graph_effects_t *effects,
                           nv_error_t *err)
{
    task_t *task = held_task(run, event, err);
    if (!task || !task_check_asks(run, task, event->asks, event->ask_count, err))
        return false;
    task_store_asks(run, task, event->asks, event->ask_count, effects);
    return true;
}

static interrupt_t *open_interrupt(nv_graph_run_t *run, const nv_graph_event_t *event, task_t **task,
                                   nv_error_t *err)
{
    if (!need_phase(run, NV_RUN_RUNNING, err))
        return NULL;
    *task = task_find(run, event->task);
    interrupt_t *interrupt = *task ? task_interrupt_find(*task, event->key) : NULL;
    if (!interrupt)
        nv_fail(err, NV_NOT_FOUND, "task %" PRIu64 " has no open interrupt \"%.*s\"", event->task,
                (int)(event->key.length < NAME_MAX_BYTES ? event->key.length : NAME_MAX_BYTES),
                event->key.data ? (const char *)event->key.data : "");
    else if (interrupt->answer)
        nv_fail(err, NV_ALREADY_EXISTS, "interrupt \"%s\" of task %" PRIu64 " has its answer already",
                interrupt->key->data, event->task);
    else if (event->answer.length > run->graph->limits.value_bytes)
        nv_fail(err, NV_RESOURCE_EXHAUSTED, "answer of %zu bytes, more than %u", event->answer.length,
                run->graph->limits.value_bytes);
    else
        return interrupt;
    return NULL;
}

static bool on_answer(nv_graph_run_t *run, const nv_graph_event_t *event, int64_t now_ms,
                      nv_graph_effects_t *effects, nv_error_t *err)
{
    task_t *task = NULL;
    interrupt_t *interrupt = open_interrupt(run, event, &task, err);
    if (!interrupt)
        return false;
    assert(task->state == NV_TASK_INTERRUPTED);
    interrupt->answer = nv_value_new(run, event->answer);
    task->open_interrupts--;
    task_emit(run, task, NV_NEWS_ANSWERED, effects);
    effects->list[effects->count - 1].text = interrupt->key->data;
    effects->list[effects->count - 1].argument = nv_value_bytes(interrupt->answer);
    effect_add(effects, NV_EFFECT_PERSIST_TASK)->task = task->id;
    if (task->open_interrupts == 0) {
        task->attempt++; /* what the asking attempt may still send is stale */
        task_dispatch(run, task, now_ms, effects, false);
    }
    return true;
}

static void time_out(nv_graph_run_t *run, task_t *task, uint32_t random, int64_t now_ms,
                     nv_graph_effects_t *effects)
{
    const nv_node_spec_t *spec = &run->graph->nodes[task->node].spec;
    bool started = task->state == NV_TASK_RUNNING;
    char text[128];
    snprintf(text, sizeof text, started ? "no result within %u ms" : "no worker took it within %u ms",
             started ? spec->timeout_ms : spec->queue_timeout_ms);
    nv_graph_effect_t *cancel = effect_add(effects, NV_EFFECT_CANCEL);
    cancel->task = task->id;
    cancel->attempt = task->attempt;
    cancel->node = task->node;
    task_fail(run, task,
              &(nv_graph_event_t){
                  .kind = NV_EVENT_TASK_FAILED, .code = NV_DEADLINE_EXCEEDED, .text = text, .random = random},
              now_ms, effects);
}

static bool on_timer(nv_graph_run_t *run, const nv_graph_event_t *event, int64_t now_ms,
                     nv_graph_effects_t *effects)
{
    run->announced_ms = NV_GRAPH_NO_TIMER; /* the caller's timer has fired */
    for (task_t *task; run->phase == NV_RUN_RUNNING && (task = alarm_pop(run, now_ms));) {
        if (task->state == NV_TASK_BACKOFF)
            task_dispatch(run, task, now_ms, effects, false);
        else
            time_out(run, task, event->random, now_ms, effects);
    }
    after_task(run, now_ms, effects);
    return true;
}

static bool on_cancel(nv_graph_run_t *run, const nv_graph_event_t *event, nv_graph_effects_t *effects,
                      nv_error_t *err)
{
    if (!need_phase(run, NV_RUN_RUNNING, err))
        return false;
    char text[NV_ERROR_TEXT_MAX];
    snprintf(text, sizeof text, "%s", event->text && *event->text ? event->text : "cancelled");
    superstep_end(run, NV_RUN_CANCELLED, NV_CANCELLED, text, effects);
    return true;
}

static bool on_retry(nv_graph_run_t *run, int64_t now_ms, nv_graph_effects_t *effects, nv_error_t *err)
{
    if (!need_phase(run, NV_RUN_FAILED, err))
        return false;
    size_t again = 0;
    for (size_t i = 0; i < run->task_count; i++)
        again += run->tasks[i].state != NV_TASK_DONE;
    if (run->broken || again == 0)
        return nv_fail(err, NV_FAILED_PRECONDITION,
                       "the run failed outside its tasks; fork it from an earlier checkpoint");
    run->phase = NV_RUN_RUNNING;
    run->reason_code = NV_OK;
    run_retire(run, run->reason);
    run->reason = NULL;
    effect_news(run, effects, NV_NEWS_RUN_RESUMED);
    for (size_t i = 0; i < run->task_count; i++) {
        task_t *task = &run->tasks[i];
        if (task->state == NV_TASK_DONE)
            continue;
        task->attempt++;
        task->failures = 0;
        task_set_state(run, task, task->open_interrupts ? NV_TASK_INTERRUPTED : NV_TASK_OPEN);
        effect_add(effects, NV_EFFECT_PERSIST_TASK)->task = task->id;
    }
    superstep_checkpoint(run, effects);
    superstep_launch(run, now_ms, effects);
    return true;
}

/* Not after the end: who follows a stream may stop at its last event. */
static bool on_note(nv_graph_run_t *run, const nv_graph_event_t *event, nv_graph_effects_t *effects,
                    nv_error_t *err)
{
    if (!need_phase(run, NV_RUN_RUNNING, err))
        return false;
    nv_graph_effect_t *news = effect_news(run, effects, NV_NEWS_NOTE);
    const task_t *task = event->task ? task_find(run, event->task) : NULL;
    news->task = event->task;
    news->attempt = event->attempt;
    news->node = task ? task->node : NV_GRAPH_NONE;
    news->code = event->code;
    if (!event->text)
        return true;
    nv_value_t *text =
        nv_value_new(run, nv_bytes(event->text, strnlen(event->text, run->graph->limits.text_bytes)));
    run_retire(run, text);
    news->text = text->data;
    return true;
}

static bool dispatch_event(nv_graph_run_t *run, const nv_graph_event_t *event, int64_t now_ms,
                           nv_graph_effects_t *effects, nv_error_t *err)
{
    switch (event->kind) {
    case NV_EVENT_START:
        return on_start(run, event, now_ms, effects, err);
    case NV_EVENT_CONTINUE:
        return on_continue(run, now_ms, effects, err);
    case NV_EVENT_TASK_STARTED:
        return on_started(run, event, now_ms, effects, err);
    case NV_EVENT_TASK_DONE:
        return on_done(run, event, now_ms, effects, err);
    case NV_EVENT_TASK_FAILED:
        return on_failed(run, event, now_ms, effects, err);
    case NV_EVENT_TASK_INTERRUPTED:
        return on_interrupted(run, event, effects, err);
    case NV_EVENT_ANSWER:
        return on_answer(run, event, now_ms, effects, err);
    case NV_EVENT_TIMER:
        return on_timer(run, event, now_ms, effects);
    case NV_EVENT_CANCEL:
        return on_cancel(run, event, effects, err);
    case NV_EVENT_RETRY:
        return on_retry(run, now_ms, effects, err);
    case NV_EVENT_NOTE:
        return on_note(run, event, effects, err);
    }
    return nv_fail(err, NV_INVALID_ARGUMENT, "unknown graph event %d", (int)event->kind);
}

/* A record of a task whose superstep ended in the same step is not needed: the checkpoint holds what it did. */
static void drop_obsolete_records(nv_graph_run_t *run, nv_graph_effects_t *effects)
{
    size_t kept = 0;
    for (size_t i = 0; i < effects->count; i++) {
        const nv_graph_effect_t *effect = &effects->list[i];
        if (effect->kind != NV_EFFECT_PERSIST_TASK || task_find(run, effect->task))
            effects->list[kept++] = *effect;
    }
    effects->count = kept;
}

static void close_step(nv_graph_run_t *run, nv_graph_effects_t *effects)
{
    drop_obsolete_records(run, effects);
    alarm_announce(run, effects);
    effects_close(effects);
    effects->more = run->phase == NV_RUN_RUNNING && run->open_local > 0;
}

bool nv_graph_step(nv_graph_run_t *run, const nv_graph_event_t *event, int64_t now_ms,
                   nv_graph_effects_t *effects, nv_error_t *err)
{
    run_drop_retired(run);
    effects_clear(effects);
    if (!dispatch_event(run, event, now_ms, effects, err))
        return false;
    close_step(run, effects);
    return true;
}

static void resume_task(nv_graph_run_t *run, task_t *task, int64_t now_ms, nv_graph_effects_t *effects)
{
    switch (task->state) {
    case NV_TASK_OPEN:
    case NV_TASK_QUEUED:
    case NV_TASK_RUNNING:
        task_dispatch(run, task, now_ms, effects, true);
        break;
    case NV_TASK_INTERRUPTED:
        for (size_t i = 0; i < task->interrupt_count; i++) {
            if (task->interrupts[i].answer)
                continue;
            nv_graph_effect_t *ask = effect_add(effects, NV_EFFECT_ASK);
            ask->task = task->id;
            ask->attempt = task->attempt;
            ask->node = task->node;
            ask->text = task->interrupts[i].key->data;
            ask->argument = nv_value_bytes(task->interrupts[i].question);
        }
        break;
    default:
        break; /* a back-off has its alarm; the rest is over */
    }
}

/* The run ended while tasks were out, and whoever was to call them back may have died before doing so. */
static void cancel_again(nv_graph_run_t *run, nv_graph_effects_t *effects)
{
    for (size_t i = 0; i < run->task_count; i++) {
        const task_t *task = &run->tasks[i];
        if (task->state != NV_TASK_CANCELLED || run->graph->nodes[task->node].spec.local)
            continue;
        nv_graph_effect_t *cancel = effect_add(effects, NV_EFFECT_CANCEL);
        cancel->task = task->id;
        cancel->attempt = task->attempt;
        cancel->node = task->node;
    }
}

bool nv_graph_resume(nv_graph_run_t *run, uint64_t last_event, int64_t now_ms, nv_graph_effects_t *effects,
                     nv_error_t *err)
{
    run_drop_retired(run);
    effects_clear(effects);
    if (run->phase == NV_RUN_NEW)
        return nv_fail(err, NV_FAILED_PRECONDITION, "nothing to resume: the run has no checkpoint");
    if (last_event < run->events)
        return nv_fail(err, NV_DATA_LOSS,
                       "the event stream ends at %" PRIu64 " but the state was saved after event %" PRIu64,
                       last_event, run->events);
    run->events = last_event;
    run->announced_ms = NV_GRAPH_NO_TIMER;
    if (run->phase != NV_RUN_RUNNING) {
        cancel_again(run, effects);
        nv_graph_effect_t *finish = effect_add(effects, NV_EFFECT_FINISH);
        finish->phase = run->phase;
        finish->code = nv_graph_run_reason(run, &finish->text);
    } else {
        for (size_t i = 0; i < run->task_count; i++)
            resume_task(run, &run->tasks[i], now_ms, effects);
        after_task(run, now_ms, effects);
    }
    close_step(run, effects);
    return true;
}

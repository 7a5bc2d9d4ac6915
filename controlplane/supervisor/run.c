/* A run: its start, and results translated into writes, sends and outcomes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/supervisor/internal.h"

nv_super_run_t *nv_super_run_new(nv_mem_t *ctx, const nv_super_t *super)
{
    nv_super_run_t *run = NV_NEW(ctx, nv_super_run_t);
    run->super = super;
    run->graph = nv_graph_run_new(run, super->graph);
    return run;
}

void nv_super_run_free(nv_super_run_t *run)
{
    nv_mem_free(run);
}

nv_graph_run_t *nv_super_graph_run(nv_super_run_t *run)
{
    return run->graph;
}

nv_bytes_t nv_super_spec_document(const nv_super_run_t *run)
{
    nv_bytes_t document;
    nv_graph_read(run->graph, CHANNEL_SPEC, &document);
    return document;
}

/* Index of text among two choices, the first also for nothing; -1: neither. */
static int choose(const char *text, const char *first, const char *second)
{
    if (!text || !*text || strcmp(text, first) == 0)
        return 0;
    return strcmp(text, second) == 0 ? 1 : -1;
}

static nv_graph_write_t number(nv_channel_id_t channel, int64_t value)
{
    return (nv_graph_write_t){.channel = channel, .number = value};
}

enum { SPEC_WRITES = 4 };

static bool write_spec(const nv_super_spec_t *spec, nv_graph_write_t out[SPEC_WRITES], nv_error_t *err)
{
    int mode = choose(spec->mode, "full", "analyze");
    int approval = choose(spec->approval, "auto", "ask");
    if (mode < 0)
        return nv_fail(err, NV_INVALID_ARGUMENT, "spec.mode \"%s\": expected full or analyze", spec->mode);
    if (approval < 0)
        return nv_fail(err, NV_INVALID_ARGUMENT, "spec.approval \"%s\": expected auto or ask",
                       spec->approval);
    if (spec->max_rounds > ROUNDS_MAX)
        return nv_fail(err, NV_INVALID_ARGUMENT, "spec.max_rounds %u: expected at most %d", spec->max_rounds,
                       ROUNDS_MAX);
    if (spec->document.length > SPEC_MAX_BYTES)
        return nv_fail(err, NV_INVALID_ARGUMENT, "spec: %zu bytes, expected at most %d",
                       spec->document.length, SPEC_MAX_BYTES);
    out[0] = (nv_graph_write_t){.channel = CHANNEL_SPEC, .value = spec->document};
    out[1] = number(CHANNEL_MODE, mode == 0 ? MODE_FULL : MODE_ANALYZE);
    out[2] = number(CHANNEL_APPROVAL, approval == 0 ? APPROVAL_AUTO : APPROVAL_ASK);
    out[3] = number(CHANNEL_MAX_ROUNDS, spec->max_rounds ? spec->max_rounds : ROUNDS_DEFAULT);
    return true;
}

bool nv_super_start(nv_super_run_t *run, const nv_super_spec_t *spec, int64_t now_ms,
                    nv_graph_effects_t *effects, nv_error_t *err)
{
    nv_graph_write_t writes[SPEC_WRITES + 1];
    if (!write_spec(spec, writes, err))
        return false;
    writes[SPEC_WRITES] = number(CHANNEL_ROUNDS, 0);
    nv_graph_event_t event = {.kind = NV_EVENT_START, .writes = writes, .write_count = SPEC_WRITES + 1};
    return nv_graph_step(run->graph, &event, now_ms, effects, err);
}

/* "design" of "design", "profile" of "profile/orders"; *stem: its length. CHANNELS: no document channel is called so. */
static nv_channel_id_t document_channel(const char *name, size_t *stem)
{
    *stem = strcspn(name, "/");
    nv_channel_id_t channel = CHANNEL_FIRST_DOCUMENT;
    while (channel < CHANNELS && (strlen(super_channel_names[channel]) != *stem ||
                                  strncmp(super_channel_names[channel], name, *stem) != 0))
        channel++;
    return channel;
}

static bool has_keys(nv_channel_id_t channel)
{
    return channel == CHANNEL_PROFILE || channel == CHANNEL_CASE;
}

static bool write_document(const nv_super_document_t *document, nv_graph_write_t *out, nv_error_t *err)
{
    size_t stem;
    nv_channel_id_t channel = document_channel(document->name, &stem);
    if (channel == CHANNELS || has_keys(channel) || document->name[stem])
        return nv_fail(err, NV_INVALID_ARGUMENT, "state.%.200s: a fork cannot change it", document->name);
    if (document->reference.length == 0 || document->reference.length > REFERENCE_MAX_BYTES)
        return nv_fail(err, NV_INVALID_ARGUMENT, "state.%s: a reference of %zu bytes: expected 1 to %d",
                       document->name, document->reference.length, REFERENCE_MAX_BYTES);
    *out = (nv_graph_write_t){.channel = channel, .value = document->reference};
    return true;
}

bool nv_super_fork(nv_super_run_t *run, const nv_super_spec_t *spec, const nv_super_document_t *documents,
                   size_t count, int64_t now_ms, nv_graph_effects_t *effects, nv_error_t *err)
{
    nv_graph_write_t writes[SPEC_WRITES + CHANNELS];
    size_t n = spec ? SPEC_WRITES : 0;
    if (count > CHANNELS)
        return nv_fail(err, NV_INVALID_ARGUMENT, "state: %zu documents: expected at most %d", count,
                       CHANNELS);
    if (spec && !write_spec(spec, writes, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!write_document(&documents[i], &writes[n++], err))
            return false;
    return nv_graph_fork(run->graph, NV_GRAPH_NONE, 0, writes, n, now_ms, effects, err);
}

bool nv_super_continue(nv_super_run_t *run, int64_t now_ms, nv_graph_effects_t *effects, nv_error_t *err)
{
    return nv_graph_step(run->graph, &(nv_graph_event_t){.kind = NV_EVENT_CONTINUE}, now_ms, effects, err);
}

bool nv_super_started(nv_super_run_t *run, uint64_t task, uint32_t attempt, int64_t now_ms,
                      nv_graph_effects_t *effects, nv_error_t *err)
{
    nv_graph_event_t event = {.kind = NV_EVENT_TASK_STARTED, .task = task, .attempt = attempt};
    return nv_graph_step(run->graph, &event, now_ms, effects, err);
}

bool nv_super_timer(nv_super_run_t *run, uint32_t random, int64_t now_ms, nv_graph_effects_t *effects,
                    nv_error_t *err)
{
    nv_graph_event_t event = {.kind = NV_EVENT_TIMER, .random = random};
    return nv_graph_step(run->graph, &event, now_ms, effects, err);
}

bool nv_super_cancel(nv_super_run_t *run, const char *reason, int64_t now_ms, nv_graph_effects_t *effects,
                     nv_error_t *err)
{
    nv_graph_event_t event = {.kind = NV_EVENT_CANCEL, .text = reason};
    return nv_graph_step(run->graph, &event, now_ms, effects, err);
}

bool nv_super_note(nv_super_run_t *run, uint64_t task, const char *text, int64_t now_ms,
                   nv_graph_effects_t *effects, nv_error_t *err)
{
    nv_graph_event_t event = {.kind = NV_EVENT_NOTE, .task = task, .text = text};
    return nv_graph_step(run->graph, &event, now_ms, effects, err);
}

/* A result on its way into the graph. */
typedef struct translation {
    nv_mem_t *ctx;
    nv_super_node_t node;
    nv_bytes_t argument;
    nv_graph_write_t *writes;
    size_t write_count, write_capacity;
    nv_graph_send_t *sends;
    uint32_t outcome;
} translation_t;

static void push(translation_t *t, nv_graph_write_t write)
{
    NV_PUSH(t->ctx, t->writes, t->write_count, t->write_capacity) = write;
}

static bool refuse(const translation_t *t, nv_error_t *err, const char *what, const char *name)
{
    return nv_fail(err, NV_INVALID_ARGUMENT, "result of %s: %s \"%.200s\"", super_nodes[t->node].name, what,
                   name);
}

static bool add_document(translation_t *t, const nv_super_document_t *document, nv_error_t *err)
{
    const char *name = document->name ? document->name : "";
    size_t stem;
    nv_channel_id_t channel = document_channel(name, &stem);
    if (channel == CHANNELS || !(super_nodes[t->node].outputs >> channel & 1))
        return refuse(t, err, "it may not write document", name);
    if (document->reference.length == 0 || document->reference.length > REFERENCE_MAX_BYTES)
        return refuse(t, err, "a bad reference for document", name);
    nv_bytes_t key = nv_bytes_text(name[stem] ? name + stem + 1 : "");
    if (has_keys(channel) != (key.length > 0))
        return refuse(t, err, has_keys(channel) ? "a key is missing, name/key, in" : "no key is expected in",
                      name);
    if (channel == CHANNEL_PROFILE && !nv_bytes_equal(key, t->argument))
        return refuse(t, err, "this is another table's", name);
    push(t, (nv_graph_write_t){.channel = channel, .key = key, .value = document->reference});
    return true;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool add_items(translation_t *t, const nv_super_result_t *result, nv_error_t *err)
{
    if (t->node != NV_SUPER_SURVEY)
        return result->item_count == 0 || refuse(t, err, "only survey sends items, not", result->items[0]);
    if (result->item_count == 0)
        return nv_fail(err, NV_NOT_FOUND, "the source holds no tables");
    const char **sorted = nv_memdup(t->ctx, result->items, result->item_count * sizeof *sorted);
    qsort(sorted, result->item_count, sizeof *sorted, compare_texts);
    t->sends = NV_NEW_ARRAY(t->ctx, nv_graph_send_t, result->item_count);
    for (size_t i = 0; i < result->item_count; i++) {
        size_t length = strlen(result->items[i]);
        if (length == 0 || length > ITEM_MAX_BYTES)
            return refuse(t, err, "a table name of 1 to 256 bytes is expected, not", result->items[i]);
        if (i && strcmp(sorted[i - 1], sorted[i]) == 0)
            return refuse(t, err, "twice the table", sorted[i]);
        t->sends[i] = (nv_graph_send_t){NV_SUPER_PROFILE, nv_bytes(result->items[i], length)};
    }
    return true;
}

/* "fail" of a node that cannot lead back is an error of the task; *failed tells. */
static bool add_outcome(translation_t *t, const nv_super_result_t *result, bool *failed, nv_error_t *err)
{
    const char *outcome = result->outcome ? result->outcome : "";
    const char *blame = result->blame ? result->blame : "";
    bool pass = !*outcome || strcmp(outcome, "pass") == 0 || strcmp(outcome, "done") == 0;
    if (!pass && strcmp(outcome, "fail") != 0)
        return refuse(t, err, "outcome pass, fail or done is expected, not", outcome);
    if (*blame && strcmp(blame, "design") != 0 && strcmp(blame, "generate") != 0)
        return refuse(t, err, "blame design or generate is expected, not", blame);
    *failed = !pass && !super_nodes[t->node].loops;
    char *summary = nv_printf(t->ctx, "%c%.*s", pass ? 'p' : 'f', SUMMARY_MAX_BYTES,
                              result->summary ? result->summary : "");
    push(t, (nv_graph_write_t){.channel = CHANNEL_OUTCOMES,
                               .key = nv_bytes_text(super_nodes[t->node].name),
                               .value = nv_bytes_text(summary)});
    t->outcome = OUTCOME_PASS;
    if (pass || *failed)
        return true;
    bool to_design = t->node == NV_SUPER_REVIEW || strcmp(blame, "design") == 0;
    t->outcome = to_design ? OUTCOME_FAIL_DESIGN : OUTCOME_FAIL_GENERATE;
    push(t, number(CHANNEL_ROUNDS, 1));
    char *text = nv_printf(t->ctx, "%s: %s", super_nodes[t->node].name,
                           result->summary && *result->summary ? summary + 1 : "it did not pass");
    push(t, (nv_graph_write_t){.channel = CHANNEL_UNSOLVED, .value = nv_bytes_text(text)});
    return true;
}

static bool fail_task(nv_super_run_t *run, const nv_super_result_t *result, nv_code_t code, const char *text,
                      bool final, int64_t now_ms, nv_graph_effects_t *effects, nv_error_t *err)
{
    nv_graph_event_t event = {.kind = NV_EVENT_TASK_FAILED,
                              .task = result->task,
                              .attempt = result->attempt,
                              .code = code,
                              .text = text,
                              .final = final,
                              .random = result->random};
    return nv_graph_step(run->graph, &event, now_ms, effects, err);
}

static bool translate(nv_super_run_t *run, const nv_super_result_t *result, translation_t *t, bool *failed,
                      nv_error_t *err)
{
    nv_task_view_t task;
    if (!nv_graph_task_find(run->graph, result->task, &task) || task.attempt != result->attempt)
        return nv_fail(err, NV_ABORTED, "stale: task %" PRIu64 " attempt %" PRIu32 " is not being worked on",
                       result->task, result->attempt);
    t->node = (nv_super_node_t)task.node;
    t->argument = task.argument;
    for (size_t i = 0; i < result->document_count; i++)
        if (!add_document(t, &result->documents[i], err))
            return false;
    return add_outcome(t, result, failed, err) && (*failed || add_items(t, result, err));
}

bool nv_super_result(nv_super_run_t *run, const nv_super_result_t *result, int64_t now_ms,
                     nv_graph_effects_t *effects, nv_error_t *err)
{
    if (!result->ok)
        return fail_task(run, result, result->code, result->error, !result->retryable, now_ms, effects, err);
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("result");
    translation_t t = {.ctx = scratch};
    bool failed = false;
    if (!translate(run, result, &t, &failed, err))
        return false;
    if (failed)
        return fail_task(run, result, NV_FAILED_PRECONDITION, result->summary, true, now_ms, effects, err);
    nv_graph_event_t event = {.kind = NV_EVENT_TASK_DONE,
                              .task = result->task,
                              .attempt = result->attempt,
                              .outcome = t.outcome,
                              .writes = t.writes,
                              .write_count = t.write_count,
                              .sends = t.sends,
                              .send_count = t.sends ? result->item_count : 0};
    return nv_graph_step(run->graph, &event, now_ms, effects, err);
}

/* What a run looks like from outside. */
#include <stdio.h>
#include <string.h>

#include "controlplane/supervisor/internal.h"

const char *nv_super_state_name(nv_super_state_t state)
{
    static const char *const names[] = {"running", "waiting", "succeeded", "failed", "cancelled"};
    return names[state];
}

bool nv_super_last_outcome(const nv_super_run_t *run, nv_super_node_t node, bool *passed, nv_bytes_t *summary)
{
    nv_bytes_t value;
    *passed = false;
    *summary = nv_bytes("", 0);
    if (!nv_graph_read_key(run->graph, CHANNEL_OUTCOMES, nv_bytes_text(super_nodes[node].name), &value) ||
        value.length == 0)
        return false;
    *passed = *(const char *)value.data == 'p';
    *summary = nv_bytes((const char *)value.data + 1, value.length - 1);
    return true;
}

static bool was_solved(const nv_super_run_t *run)
{
    bool analyze = nv_graph_read_number(run->graph, CHANNEL_MODE) == MODE_ANALYZE;
    bool passed;
    nv_bytes_t summary;
    return nv_super_last_outcome(run, analyze ? NV_SUPER_REVIEW : NV_SUPER_VALIDATE, &passed, &summary) &&
           passed && nv_graph_read_count(run->graph, CHANNEL_FAILURES) == 0;
}

static void explain_items(const nv_super_run_t *run, nv_channel_id_t channel, nv_super_status_t *out)
{
    size_t count = nv_graph_read_count(run->graph, channel);
    if (count == 0)
        return;
    nv_bytes_t first;
    nv_graph_read_item(run->graph, channel, 0, NULL, &first);
    int length = first.length < 1800 ? (int)first.length : 1800;
    if (count == 1)
        snprintf(out->reason, sizeof out->reason, "%.*s", length, (const char *)first.data);
    else
        snprintf(out->reason, sizeof out->reason, "%.*s (and %zu more)", length, (const char *)first.data,
                 count - 1);
}

static void explain_failure(const nv_super_run_t *run, nv_super_status_t *out)
{
    nv_bytes_t unsolved;
    explain_items(run, CHANNEL_FAILURES, out);
    if (out->reason[0] || !nv_graph_read(run->graph, CHANNEL_UNSOLVED, &unsolved))
        return;
    snprintf(out->reason, sizeof out->reason, "not solved after %u refinement rounds; %.*s", out->round,
             unsolved.length < 1800 ? (int)unsolved.length : 1800, (const char *)unsolved.data);
}

static nv_super_state_t finished_state(const nv_super_run_t *run, nv_super_status_t *out)
{
    const char *reason;
    switch (nv_graph_run_phase(run->graph)) {
    case NV_RUN_DONE:
        if (was_solved(run)) {
            explain_items(run, CHANNEL_WARNINGS, out);
            return NV_SUPER_SUCCEEDED;
        }
        explain_failure(run, out);
        return NV_SUPER_FAILED;
    case NV_RUN_CANCELLED:
        nv_graph_run_reason(run->graph, &reason);
        snprintf(out->reason, sizeof out->reason, "%s", reason);
        return NV_SUPER_CANCELLED;
    case NV_RUN_FAILED:
        nv_graph_run_reason(run->graph, &reason);
        snprintf(out->reason, sizeof out->reason, "%s", reason);
        return NV_SUPER_FAILED;
    default:
        return nv_graph_run_is_waiting(run->graph) ? NV_SUPER_WAITING : NV_SUPER_RUNNING;
    }
}

void nv_super_status(const nv_super_run_t *run, nv_super_status_t *out)
{
    int64_t rounds = nv_graph_read_number(run->graph, CHANNEL_ROUNDS);
    int64_t most = nv_graph_read_number(run->graph, CHANNEL_MAX_ROUNDS);
    *out = (nv_super_status_t){
        .round = (uint32_t)(rounds < most ? rounds : most),
        .max_rounds = (uint32_t)most,
        .tables = nv_graph_read_count(run->graph, CHANNEL_PROFILE),
    };
    out->state = finished_state(run, out);
}

uint64_t nv_super_retry_step(const nv_super_run_t *run)
{
    uint64_t steps = nv_graph_run_step_count(run->graph);
    if (nv_graph_run_phase(run->graph) != NV_RUN_DONE)
        return steps; /* stopped inside a superstep: that one again */
    uint64_t evaluated = nv_graph_node_visits(run->graph, NV_SUPER_EVALUATE);
    bool passed;
    nv_bytes_t summary;
    bool solved = nv_super_last_outcome(run, NV_SUPER_VALIDATE, &passed, &summary) && passed;
    if (evaluated && solved)
        return steps - 1; /* only the evaluator failed, and it was the last to run */
    uint64_t after = 1 + evaluated + nv_graph_node_visits(run->graph, NV_SUPER_LEARN);
    return steps > after ? steps - after : 0;
}

/* The engine describes a failure as "node: text" or "node(argument): text". */
static bool has_failed(const nv_super_run_t *run, nv_super_node_t node)
{
    const char *name = super_nodes[node].name;
    size_t length = strlen(name);
    nv_channel_id_t channel = node == NV_SUPER_LEARN ? CHANNEL_WARNINGS : CHANNEL_FAILURES;
    for (size_t i = 0; i < nv_graph_read_count(run->graph, channel); i++) {
        nv_bytes_t text;
        nv_graph_read_item(run->graph, channel, i, NULL, &text);
        const char *at = text.data;
        if (text.length > length && memcmp(at, name, length) == 0 && (at[length] == ':' || at[length] == '('))
            return true;
    }
    return false;
}

static const char *rest_state(const nv_super_run_t *run, nv_super_node_t node, uint32_t visits)
{
    bool passed;
    nv_bytes_t summary;
    if (visits == 0)
        return nv_graph_run_phase(run->graph) > NV_RUN_RUNNING ? "skipped" : "pending";
    if (has_failed(run, node) || (nv_super_last_outcome(run, node, &passed, &summary) && !passed))
        return "failed";
    return "done";
}

void nv_super_node_status(const nv_super_run_t *run, nv_super_node_t node, nv_super_node_status_t *out)
{
    bool active = false, interrupted = false, stopped = false;
    *out = (nv_super_node_status_t){.name = super_nodes[node].name,
                                    .visits = nv_graph_node_visits(run->graph, (nv_node_id_t)node)};
    for (size_t i = 0; i < nv_graph_task_count(run->graph); i++) {
        nv_task_view_t task;
        nv_graph_task_at(run->graph, i, &task);
        if (task.node != node)
            continue;
        out->total++;
        out->done += task.state == NV_TASK_DONE;
        interrupted = interrupted || task.state == NV_TASK_INTERRUPTED;
        stopped = stopped || task.state == NV_TASK_FAILED || task.state == NV_TASK_CANCELLED;
        active = true;
    }
    if (active) {
        out->state = stopped ? "failed" : interrupted ? "interrupted" : "running";
        return;
    }
    out->state = rest_state(run, node, out->visits);
    if (out->visits == 0)
        return;
    size_t tables = nv_graph_read_count(run->graph, CHANNEL_PROFILE);
    out->total = out->done = node == NV_SUPER_PROFILE ? (uint32_t)tables : 1;
}

static void visit_channel(const nv_super_run_t *run, nv_channel_id_t channel,
                          void (*visit)(const char *name, nv_bytes_t reference, void *user), void *user)
{
    nv_bytes_t value;
    if (channel != CHANNEL_PROFILE && channel != CHANNEL_CASE) {
        if (nv_graph_read(run->graph, channel, &value) && value.length > 0) /* empty: taken back */
            visit(super_channel_names[channel], value, user);
        return;
    }
    for (size_t i = 0; i < nv_graph_read_count(run->graph, channel); i++) {
        nv_bytes_t key;
        nv_graph_read_item(run->graph, channel, i, &key, &value);
        char name[64 + ITEM_MAX_BYTES * 2];
        snprintf(name, sizeof name, "%s/%.*s", super_channel_names[channel], (int)key.length,
                 (const char *)key.data);
        visit(name, value, user);
    }
}

void nv_super_each_input(const nv_super_run_t *run, nv_super_node_t node,
                         void (*visit)(const char *name, nv_bytes_t reference, void *user), void *user)
{
    for (nv_channel_id_t channel = CHANNEL_FIRST_DOCUMENT; channel < CHANNELS; channel++)
        if (super_nodes[node].inputs >> channel & 1)
            visit_channel(run, channel, visit, user);
}

void nv_super_each_document(const nv_super_run_t *run,
                            void (*visit)(const char *name, nv_bytes_t reference, void *user), void *user)
{
    for (nv_channel_id_t channel = CHANNEL_FIRST_DOCUMENT; channel < CHANNELS; channel++)
        visit_channel(run, channel, visit, user);
}

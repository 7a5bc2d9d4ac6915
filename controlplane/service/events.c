/* News of a run for people: one RunEvent per event number. Pure. */
#include "controlplane/service/engine_internal.h"

#include "common/contract/codec.h"

#include <string.h>

typedef struct form {
    const char *kind, *state;
} form_t;

static const form_t forms[] = {
    [NV_NEWS_RUN_STARTED] = {"run", "running"},
    [NV_NEWS_RUN_RESUMED] = {"run", "resumed"},
    [NV_NEWS_TASK_SCHEDULED] = {"task", "pending"},
    [NV_NEWS_TASK_STARTED] = {"task", "running"},
    [NV_NEWS_TASK_DONE] = {"task", "done"},
    [NV_NEWS_TASK_RETRYING] = {"task", "retrying"},
    [NV_NEWS_TASK_FAILED] = {"task", "failed"},
    [NV_NEWS_TASK_CANCELLED] = {"task", "cancelled"},
    [NV_NEWS_ASKED] = {"interrupt", "open"},
    [NV_NEWS_ANSWERED] = {"interrupt", "answered"},
    [NV_NEWS_CHECKPOINT] = {"checkpoint", "done"},
    [NV_NEWS_RUN_DONE] = {"run", "succeeded"},
    [NV_NEWS_RUN_FAILED] = {"run", "failed"},
    [NV_NEWS_RUN_CANCELLED] = {"run", "cancelled"},
    [NV_NEWS_NOTE] = {"log", ""},
};

static char *text_of(nv_mem_t *ctx, nv_bytes_t bytes)
{
    return nv_strndup(ctx, bytes.length ? bytes.data : "", bytes.length);
}

static void name_task(nv_mem_t *ctx, const cp_run_t *run, const nv_graph_effect_t *effect,
                      Nv__RunEvent *event)
{
    nv_task_view_t view;
    const nv_graph_run_t *graph = nv_super_graph_run(run->super);
    if (effect->node != NV_GRAPH_NONE)
        event->node = nv_message_text(nv_graph_node_name(nv_graph_run_graph(graph), effect->node));
    event->attempt = (int32_t)effect->attempt;
    /* A task that ended its superstep is no longer there to be asked; its news carry its argument. */
    if (effect->news >= NV_NEWS_TASK_SCHEDULED && effect->news <= NV_NEWS_TASK_CANCELLED)
        event->item = text_of(ctx, effect->argument);
    if (!effect->task || !nv_graph_task_find(graph, effect->task, &view))
        return;
    if (!*event->item)
        event->item = text_of(ctx, view.argument);
    if (effect->node == NV_GRAPH_NONE)
        event->node = nv_message_text(nv_graph_node_name(nv_graph_run_graph(graph), view.node));
}

static void describe_note(nv_mem_t *ctx, const nv_graph_effect_t *effect, const cp_change_t *change,
                          Nv__RunEvent *event)
{
    const Nv__TaskEvent *note = change->note;
    event->text = nv_strdup(ctx, effect->text ? effect->text : "");
    if (!note)
        return;
    event->kind = note->kind;
    event->text = note->text;
    event->done = note->done;
    event->total = note->total;
}

static void describe_end(nv_mem_t *ctx, const cp_run_t *run, Nv__RunEvent *event)
{
    nv_super_status_t status;
    nv_super_status(run->super, &status);
    event->state = nv_message_text(nv_super_state_name(status.state));
    event->text = nv_strdup(ctx, status.reason);
}

Nv__RunEvent *cp_event_of(nv_mem_t *ctx, const cp_run_t *run, const nv_graph_effect_t *effect,
                          const cp_change_t *change, int64_t now_ms)
{
    Nv__RunEvent *event = NV_NEW(ctx, Nv__RunEvent);
    nv__run_event__init(event);
    event->seq = (int64_t)effect->seq;
    event->unix_ms = now_ms;
    event->kind = nv_message_text(forms[effect->news].kind);
    event->state = nv_message_text(forms[effect->news].state);
    event->text = nv_strdup(ctx, effect->text ? effect->text : "");
    event->worker = nv_message_text(change->worker);
    name_task(ctx, run, effect, event);
    switch (effect->news) {
    case NV_NEWS_RUN_STARTED:
        event->text = nv_strdup(ctx, change->remark ? change->remark : "");
        break;
    case NV_NEWS_NOTE:
        describe_note(ctx, effect, change, event);
        break;
    case NV_NEWS_ASKED:
    case NV_NEWS_ANSWERED:
        event->item = nv_strdup(ctx, effect->text ? effect->text : "");
        event->text = effect->news == NV_NEWS_ASKED ? text_of(ctx, effect->argument) : nv_strdup(ctx, "");
        break;
    case NV_NEWS_CHECKPOINT:
        event->done = (int64_t)effect->step;
        break;
    case NV_NEWS_RUN_DONE:
    case NV_NEWS_RUN_FAILED:
    case NV_NEWS_RUN_CANCELLED:
        describe_end(ctx, run, event);
        break;
    default:
        break;
    }
    return event;
}

void cp_run_note_times(cp_run_t *run, const nv_graph_effect_t *effect, int64_t now_ms)
{
    const nv_graph_t *graph = nv_graph_run_graph(nv_super_graph_run(run->super));
    if (effect->kind != NV_EFFECT_EMIT || effect->node == NV_GRAPH_NONE)
        return;
    const char *name = nv_graph_node_name(graph, effect->node);
    for (int i = 0; i < NV_SUPER_NODES; i++) {
        if (strcmp(nv_super_node_name((nv_super_node_t)i), name) != 0)
            continue;
        if (effect->news == NV_NEWS_TASK_SCHEDULED && run->node_finished[i] >= run->node_started[i])
            run->node_started[i] = now_ms;
        if (effect->news == NV_NEWS_TASK_DONE || effect->news == NV_NEWS_TASK_FAILED) {
            run->node_finished[i] = now_ms;
            if (run->node_started[i] == 0)
                run->node_started[i] = now_ms; /* it ran inside, without being scheduled */
        }
    }
}

char *cp_run_take_ran(nv_mem_t *ctx, cp_run_t *run)
{
    const nv_graph_run_t *graph = nv_super_graph_run(run->super);
    nv_buf_t names = nv_buf_make(ctx, 1024);
    for (int i = 0; i < NV_SUPER_NODES; i++) {
        const char *name = nv_super_node_name((nv_super_node_t)i);
        nv_node_id_t node = nv_graph_find_node(nv_graph_run_graph(graph), name);
        uint32_t visits = node == NV_GRAPH_NONE ? 0 : nv_graph_node_visits(graph, node);
        if (visits > run->visits[i])
            nv_buf_printf(&names, "%s%s", names.length ? "," : "", name);
        run->visits[i] = visits;
    }
    return nv_strdup(ctx, nv_buf_text(&names));
}

static Nv__NodeState *node_state(nv_mem_t *ctx, const cp_run_t *run, nv_super_node_t node)
{
    nv_super_node_status_t status;
    Nv__NodeState *out = NV_NEW(ctx, Nv__NodeState);
    nv_super_node_status(run->super, node, &status);
    nv__node_state__init(out);
    out->node = nv_message_text(status.name);
    out->state = nv_message_text(status.state);
    out->done = (int32_t)status.done;
    out->total = (int32_t)status.total;
    out->visits = (int32_t)status.visits;
    out->started_unix_ms = run->node_started[node];
    out->finished_unix_ms = run->node_finished[node];
    return out;
}

nv_bytes_t cp_run_summary(nv_mem_t *ctx, const cp_run_t *run, const nv_super_status_t *status)
{
    Nv__Run *out = NV_NEW(ctx, Nv__Run);
    Nv__TaskUsage usage = run->usage;
    uint8_t *packed;
    size_t length;
    nv__run__init(out);
    out->round = (int32_t)status->round;
    out->score = run->score;
    out->usage = &usage;
    out->nodes = NV_NEW_ARRAY(ctx, Nv__NodeState *, NV_SUPER_NODES);
    for (int i = 0; i < NV_SUPER_NODES; i++)
        out->nodes[out->n_nodes++] = node_state(ctx, run, (nv_super_node_t)i);
    nv_pack(ctx, &out->base, &packed, &length);
    return nv_bytes(packed, length);
}

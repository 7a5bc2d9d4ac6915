/* Supersteps in memory: a chain of three nodes, a fan-out of five; with nodes in the engine and with tasks handed out and
 * answered; without and with checkpoints encoded. */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "controlplane/graph/checkpoint.h"
#include "controlplane/graph/run.h"

static const char payload[] = "sha256:0f343b0931126a20f133d67c2b018a3b 41230 application/x-protobuf";

static bool work(nv_node_call_t *call, void *user, nv_error_t *err)
{
    (void)user;
    (void)err;
    nv_node_call_write(call,
                       &(nv_graph_write_t){.channel = 0, .value = nv_bytes(payload, sizeof payload - 1)});
    return true;
}

static bool spread(nv_node_call_t *call, void *user, nv_error_t *err)
{
    const size_t *width = user;
    (void)err;
    for (size_t i = 0; i < *width; i++)
        nv_node_call_send(call, &(nv_graph_send_t){1, nv_bytes(payload, 8)});
    return true;
}

typedef struct subject {
    nv_graph_t *graph;
    nv_graph_effects_t *effects;
    nv_mem_t *scratch;
    bool local;
    bool encode;
    size_t steps;  /* of one run */
    size_t *width; /* of a fan-out; NULL: 5 */
    size_t encoded_bytes, checkpoints;
} subject_t;

static nv_node_id_t add(subject_t *s, const char *name, nv_node_fn *fn)
{
    static size_t five = 5;
    nv_channel_id_t log = 0;
    nv_node_spec_t spec = {
        .name = name, .user = s->width ? s->width : &five, .writes = &log, .write_count = 1};
    spec.local = s->local ? fn : NULL;
    return nv_graph_add_node(s->graph, &spec);
}

static void compile(subject_t *s)
{
    nv_error_t err = NV_ERROR_INIT;
    bench_must(nv_graph_compile(s->graph, &err), err.message);
}

static void begin(subject_t *s, const char *name, nv_channel_kind_t kind)
{
    s->graph = nv_graph_new(NULL, name);
    s->effects = nv_graph_effects_new(s->graph);
    nv_graph_add_channel(s->graph, &(nv_channel_spec_t){.name = "log", .kind = kind});
}

static subject_t chain(bool local, bool encode)
{
    subject_t s = {.local = local, .encode = encode, .steps = 3};
    begin(&s, "chain", NV_CHANNEL_LAST);
    nv_node_id_t a = add(&s, "a", work), b = add(&s, "b", work), c = add(&s, "c", work);
    nv_graph_add_edge(s.graph, NV_GRAPH_START, a);
    nv_graph_add_edge(s.graph, a, b);
    nv_graph_add_edge(s.graph, b, c);
    compile(&s);
    return s;
}

/* plan -> width x each -> sum */
static subject_t fan_of(size_t *width, bool local, bool encode)
{
    subject_t s = {.local = local, .encode = encode, .steps = 3, .width = width};
    begin(&s, "fan", NV_CHANNEL_TOPIC);
    nv_node_id_t plan = add(&s, "plan", spread), each = add(&s, "each", work), sum = add(&s, "sum", work);
    nv_graph_add_edge(s.graph, NV_GRAPH_START, plan);
    nv_graph_allow_send(s.graph, plan, each);
    nv_graph_add_edge(s.graph, each, sum);
    compile(&s);
    return s;
}

static subject_t fan(bool local, bool encode)
{
    return fan_of(NULL, local, encode);
}

static void encode(subject_t *s, const nv_graph_run_t *run)
{
    nv_error_t err;
    for (size_t i = 0; i < s->effects->count; i++) {
        const nv_graph_effect_t *effect = &s->effects->list[i];
        if (effect->kind != NV_EFFECT_PERSIST_CHECKPOINT)
            continue;
        NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("encoded");
        nv_bytes_t bytes;
        bench_must(nv_graph_encode_checkpoint(run, effect->snapshot, ctx, &bytes, &err), "encode");
        s->encoded_bytes += bytes.length;
        s->checkpoints++;
    }
}

/* A worker that answers at once. */
static nv_graph_event_t answer(const subject_t *s, const nv_graph_effect_t *given,
                               const nv_graph_write_t *write, const nv_graph_send_t *sends)
{
    bool plans = given->node == 0 && s->graph && nv_graph_channel_kind(s->graph, 0) == NV_CHANNEL_TOPIC;
    return (nv_graph_event_t){.kind = NV_EVENT_TASK_DONE,
                              .task = given->task,
                              .attempt = given->attempt,
                              .writes = write,
                              .write_count = !plans,
                              .sends = sends,
                              .send_count = plans ? 5 : 0};
}

static void drive_remote(subject_t *s, nv_graph_run_t *run)
{
    nv_error_t err;
    nv_graph_write_t write = {.channel = 0, .value = nv_bytes(payload, sizeof payload - 1)};
    nv_graph_send_t sends[5];
    for (int i = 0; i < 5; i++)
        sends[i] = (nv_graph_send_t){1, nv_bytes(payload, 8)};
    nv_graph_effect_t given[8];
    size_t count = 0, at = 0;
    do {
        for (size_t i = 0; i < s->effects->count; i++)
            if (s->effects->list[i].kind == NV_EFFECT_DISPATCH)
                given[count++] = s->effects->list[i];
        nv_graph_event_t event = answer(s, &given[at++], &write, sends);
        bench_must(nv_graph_step(run, &event, 0, s->effects, &err), "step");
        if (s->encode)
            encode(s, run);
    } while (nv_graph_run_phase(run) == NV_RUN_RUNNING);
}

static void drive_local(subject_t *s, nv_graph_run_t *run)
{
    nv_error_t err;
    while (s->effects->more) {
        bench_must(nv_graph_step(run, &(nv_graph_event_t){.kind = NV_EVENT_CONTINUE}, 0, s->effects, &err),
                   "step");
        if (s->encode)
            encode(s, run);
    }
}

static void one_run(void *user)
{
    subject_t *s = user;
    nv_error_t err;
    nv_graph_run_t *run = nv_graph_run_new(NULL, s->graph);
    bench_must(nv_graph_step(run, &(nv_graph_event_t){.kind = NV_EVENT_START}, 0, s->effects, &err), "start");
    if (s->encode)
        encode(s, run);
    if (s->local)
        drive_local(s, run);
    else
        drive_remote(s, run);
    bench_must(nv_graph_run_phase(run) == NV_RUN_DONE, "the run did not end");
    nv_graph_run_free(run);
}

/* Supersteps of a run that lives long: what one more costs, without making and freeing a run. */
typedef struct loop {
    subject_t *subject;
    nv_graph_run_t *run;
} loop_t;

static bool again(nv_node_call_t *call, void *user, nv_error_t *err)
{
    nv_node_call_outcome(call, 1);
    return work(call, user, err);
}

static void one_step(void *user)
{
    loop_t *loop = user;
    nv_error_t err;
    bench_must(nv_graph_step(loop->run, &(nv_graph_event_t){.kind = NV_EVENT_CONTINUE}, 0,
                             loop->subject->effects, &err),
               "step");
    if (loop->subject->encode)
        encode(loop->subject, loop->run);
}

static figure_t steady(bool with_encoding, size_t scale)
{
    nv_error_t err;
    subject_t s = {.local = true, .encode = with_encoding, .steps = 1};
    begin(&s, "loop", NV_CHANNEL_LAST);
    nv_node_id_t a = add(&s, "a", again);
    nv_graph_add_edge(s.graph, NV_GRAPH_START, a);
    nv_graph_add_edge_on(s.graph, a, 1, a);
    nv_graph_set_limits(s.graph, &(nv_graph_limits_t){.recursion = UINT64_C(1) << 40});
    compile(&s);
    loop_t loop = {&s, nv_graph_run_new(NULL, s.graph)};
    bench_must(nv_graph_step(loop.run, &(nv_graph_event_t){.kind = NV_EVENT_START}, 0, s.effects, &err),
               "start");
    figure_t figure = bench_measure(one_step, &loop, 5000, scale * 3 + 2);
    nv_graph_run_free(loop.run);
    nv_mem_free(s.graph);
    return figure;
}

/* What no engine can avoid for three nodes: three calls, and three values made, kept and dropped. */
static void floor_run(void *user)
{
    (void)user;
    void *values[3];
    for (int i = 0; i < 3; i++) {
        values[i] = malloc(sizeof payload);
        bench_must(values[i] != NULL, "memory");
        __builtin_memcpy(values[i], payload, sizeof payload);
        __asm__ volatile("" : : "r"(values[i]) : "memory");
    }
    for (int i = 0; i < 3; i++)
        free(values[i]);
}

static figure_t run_subject(const char *what, subject_t s, size_t scale, bool print_bytes)
{
    figure_t figure = bench_measure(one_run, &s, 500, scale * 3 + 2);
    bench_line(what, figure);
    if (print_bytes)
        printf("    %.0f bytes per checkpoint\n", (double)s.encoded_bytes / (double)s.checkpoints);
    nv_mem_free(s.graph);
    return figure;
}

static figure_t divided(figure_t figure, double by)
{
    return (figure_t){figure.median_ns / by, figure.best_ns / by};
}

/* The cost of one task must not grow with the number of its siblings. */
static void wide(size_t width, size_t scale)
{
    char what[64];
    subject_t s = fan_of(&width, true, false);
    figure_t figure = bench_measure(one_run, &s, 20, scale + 2);
    snprintf(what, sizeof what, "fan-out-%zu run, per task", width);
    bench_line(what, divided(figure, (double)width));
    nv_mem_free(s.graph);
}

static const char neograph[] = "NeoGraph README: no checkpoint, WSL2, pinned real-time core";
static const char langgraph[] = "LangGraph 1.1.10, same README, an earlier run";

void bench_graph(size_t scale)
{
    printf("state graph\n");
    figure_t lowest = bench_measure(floor_run, NULL, 10000, scale * 3 + 2);
    bench_line("floor: 3 values made and dropped", lowest);
    figure_t three = run_subject("3-node run, nodes in the engine", chain(true, false), scale, false);
    bench_ratio(three, 5000, "NeoGraph", neograph);
    bench_ratio(three, 643e3, "LangGraph", langgraph);
    printf("    %7.1f times the floor\n", three.median_ns / lowest.median_ns);
    bench_target(divided(three, 3), 2000, "superstep in memory");
    figure_t remote =
        run_subject("3-node run, tasks handed out and answered", chain(false, false), scale, false);
    bench_target(divided(remote, 3), 2000, "superstep in memory");
    figure_t five = run_subject("fan-out-5 run, nodes in the engine", fan(true, false), scale, false);
    bench_ratio(five, 11600, "NeoGraph", neograph);
    bench_ratio(five, 2262e3, "LangGraph", langgraph);
    run_subject("fan-out-5 run, tasks handed out and answered", fan(false, false), scale, false);
    wide(100, scale);
    wide(1000, scale);
    wide(9000, scale);
    figure_t step = steady(false, scale);
    bench_line("one more superstep of a long run", step);
    bench_target(step, 2000, "superstep in memory");
    bench_line("the same, its checkpoint encoded", steady(true, scale));
    run_subject("3-node run, checkpoints encoded", chain(true, true), scale, true);
    run_subject("fan-out-5 run, checkpoints encoded", fan(true, true), scale, true);
    printf("\n");
}

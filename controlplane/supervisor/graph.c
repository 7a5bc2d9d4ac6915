/* The warehouse graph: its channels, nodes and routes. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "controlplane/supervisor/internal.h"

const char *const super_channel_names[CHANNELS] = {
    [CHANNEL_SPEC] = "spec",
    [CHANNEL_MODE] = "mode",
    [CHANNEL_APPROVAL] = "approval",
    [CHANNEL_MAX_ROUNDS] = "max_rounds",
    [CHANNEL_ROUNDS] = "rounds",
    [CHANNEL_OUTCOMES] = "outcomes",
    [CHANNEL_UNSOLVED] = "unsolved",
    [CHANNEL_FAILURES] = "failures",
    [CHANNEL_WARNINGS] = "warnings",
    [CHANNEL_SURVEY] = "survey",
    [CHANNEL_PROFILE] = "profile",
    [CHANNEL_RELATIONS] = "relations",
    [CHANNEL_DESIGN] = "design",
    [CHANNEL_STTM] = "sttm",
    [CHANNEL_REVIEW] = "review",
    [CHANNEL_CRITIQUE] = "critique",
    [CHANNEL_HUMAN_DESIGN] = "human_design",
    [CHANNEL_PROJECT] = "project",
    [CHANNEL_DEPLOYMENT] = "deployment",
    [CHANNEL_EXECUTION] = "execution",
    [CHANNEL_VALIDATION] = "validation",
    [CHANNEL_SCORECARD] = "scorecard",
    [CHANNEL_CASE] = "case",
};

#define BIT(channel) (UINT32_C(1) << CHANNEL_##channel)
#define EVIDENCE (BIT(SURVEY) | BIT(PROFILE) | BIT(RELATIONS))
#define DECISION (BIT(DESIGN) | BIT(STTM))
#define OUTCOME_DOCUMENTS (BIT(DEPLOYMENT) | BIT(EXECUTION) | BIT(VALIDATION))
#define EVERYTHING (((UINT32_C(1) << CHANNELS) - 1) & ~(BIT(FIRST_DOCUMENT) - 1))

const node_info_t super_nodes[NV_SUPER_NODES] = {
    [NV_SUPER_SURVEY] = {"survey", 0, BIT(SURVEY), false},
    [NV_SUPER_PROFILE] = {"profile", BIT(SURVEY), BIT(PROFILE), false},
    [NV_SUPER_RELATE] = {"relate", BIT(SURVEY) | BIT(PROFILE), BIT(RELATIONS), false},
    [NV_SUPER_DESIGN] = {"design",
                         EVIDENCE | DECISION | BIT(REVIEW) | BIT(CRITIQUE) | BIT(HUMAN_DESIGN) |
                             OUTCOME_DOCUMENTS,
                         DECISION, false},
    [NV_SUPER_REVIEW] = {"review", EVIDENCE | DECISION, BIT(REVIEW) | BIT(CRITIQUE), true},
    [NV_SUPER_APPROVE] = {"approve", 0, BIT(HUMAN_DESIGN) | BIT(CRITIQUE), true},
    [NV_SUPER_GENERATE] = {"generate", EVIDENCE | DECISION | BIT(PROJECT) | OUTCOME_DOCUMENTS, BIT(PROJECT),
                           false},
    [NV_SUPER_DEPLOY] = {"deploy", BIT(SURVEY) | DECISION | BIT(PROJECT), BIT(DEPLOYMENT), true},
    [NV_SUPER_EXECUTE] = {"execute", BIT(SURVEY) | DECISION | BIT(PROJECT) | BIT(DEPLOYMENT),
                          BIT(EXECUTION) | BIT(CRITIQUE), true},
    [NV_SUPER_VALIDATE] = {"validate", EVIDENCE | DECISION | BIT(PROJECT) | BIT(DEPLOYMENT) | BIT(EXECUTION),
                           BIT(VALIDATION) | BIT(CRITIQUE), true},
    [NV_SUPER_EVALUATE] = {"evaluate", EVERYTHING, BIT(SCORECARD), false},
    [NV_SUPER_LEARN] = {"learn", EVERYTHING, BIT(CASE), false},
};

const char *nv_super_node_name(nv_super_node_t node)
{
    return super_nodes[node].name;
}

static bool is_unsolved(const nv_graph_run_t *run)
{
    return nv_graph_read_count(run, CHANNEL_FAILURES) > 0 ||
           nv_graph_read_number(run, CHANNEL_ROUNDS) > nv_graph_read_number(run, CHANNEL_MAX_ROUNDS);
}

/* No way forward: the evaluator scores what there is. */
static void give_up(const nv_graph_run_t *run, nv_route_t *route)
{
    nv_bytes_t survey;
    if (nv_graph_read(run, CHANNEL_SURVEY, &survey))
        nv_route_to(route, NV_SUPER_EVALUATE);
}

static void go_forward(const nv_graph_run_t *run, nv_route_t *route, nv_super_node_t node)
{
    bool full = nv_graph_read_number(run, CHANNEL_MODE) == MODE_FULL;
    switch (node) {
    case NV_SUPER_SURVEY: /* its result sent the profile tasks */
    case NV_SUPER_LEARN:
        break;
    case NV_SUPER_REVIEW: /* a run that only looks ends with its report */
        nv_route_to(route, full ? NV_SUPER_APPROVE : NV_SUPER_EVALUATE);
        break;
    case NV_SUPER_EVALUATE: /* nothing was proven that could be learned */
        if (full)
            nv_route_to(route, NV_SUPER_LEARN);
        break;
    default:
        nv_route_to(route, (nv_node_id_t)(node + 1));
    }
}

void super_route(const nv_graph_run_t *run, nv_route_t *route, void *user)
{
    nv_super_node_t node = *(const nv_super_node_t *)user;
    uint32_t outcome = nv_route_outcome(route);
    if (node == NV_SUPER_EVALUATE || node == NV_SUPER_LEARN) {
        if (outcome != NV_GRAPH_OUTCOME_ERROR)
            go_forward(run, route, node);
    } else if (outcome == NV_GRAPH_OUTCOME_ERROR || is_unsolved(run)) {
        give_up(run, route);
    } else if (outcome == OUTCOME_FAIL_DESIGN) {
        nv_route_to(route, NV_SUPER_DESIGN);
    } else if (outcome == OUTCOME_FAIL_GENERATE) {
        nv_route_to(route, NV_SUPER_GENERATE);
    } else {
        go_forward(run, route, node);
    }
}

static void add_channels(nv_graph_t *graph)
{
    for (nv_channel_id_t i = 0; i < CHANNELS; i++) {
        nv_channel_spec_t spec = {.name = super_channel_names[i], .kind = NV_CHANNEL_LAST};
        if (i == CHANNEL_MODE || i == CHANNEL_APPROVAL || i == CHANNEL_MAX_ROUNDS || i == CHANNEL_ROUNDS)
            spec.kind = NV_CHANNEL_NUMBER;
        if (i == CHANNEL_ROUNDS)
            spec.op = NV_CHANNEL_SUM;
        if (i == CHANNEL_OUTCOMES || i == CHANNEL_PROFILE || i == CHANNEL_CASE)
            spec.kind = NV_CHANNEL_MERGE;
        if (i == CHANNEL_FAILURES || i == CHANNEL_WARNINGS)
            spec.kind = NV_CHANNEL_TOPIC;
        nv_channel_id_t id = nv_graph_add_channel(graph, &spec);
        assert(id == i);
        (void)id;
    }
}

static void add_node(nv_graph_t *graph, nv_super_node_t node, const nv_super_config_t *config)
{
    nv_channel_id_t writes[CHANNELS];
    size_t count = 0;
    for (nv_channel_id_t i = CHANNEL_FIRST_DOCUMENT; i < CHANNELS; i++)
        if (super_nodes[node].outputs >> i & 1)
            writes[count++] = i;
    writes[count++] = CHANNEL_OUTCOMES;
    if (super_nodes[node].loops) {
        writes[count++] = CHANNEL_ROUNDS;
        writes[count++] = CHANNEL_UNSOLVED;
    }
    if (node == NV_SUPER_APPROVE)
        writes[count++] = CHANNEL_FAILURES;
    nv_node_spec_t spec = {
        .name = super_nodes[node].name,
        .local = node == NV_SUPER_APPROVE ? super_approve : NULL,
        .writes = writes,
        .write_count = count,
        .retry = config->retry,
        .timeout_ms = node == NV_SUPER_EXECUTE ? config->execute_timeout_ms : config->task_timeout_ms,
        .catches = true,
        .error_channel = node == NV_SUPER_LEARN ? CHANNEL_WARNINGS : CHANNEL_FAILURES,
    };
    nv_node_id_t id = nv_graph_add_node(graph, &spec);
    assert(id == node);
    (void)id;
}

static void add_routes(nv_graph_t *graph)
{
    static nv_super_node_t numbers[NV_SUPER_NODES] = {
        NV_SUPER_SURVEY,  NV_SUPER_PROFILE,  NV_SUPER_RELATE,   NV_SUPER_DESIGN,
        NV_SUPER_REVIEW,  NV_SUPER_APPROVE,  NV_SUPER_GENERATE, NV_SUPER_DEPLOY,
        NV_SUPER_EXECUTE, NV_SUPER_VALIDATE, NV_SUPER_EVALUATE, NV_SUPER_LEARN,
    };
    for (nv_node_id_t node = 0; node < NV_SUPER_NODES; node++) {
        nv_node_id_t targets[] = {NV_SUPER_DESIGN, NV_SUPER_GENERATE, NV_SUPER_EVALUATE,
                                  (nv_node_id_t)(node + 1 < NV_SUPER_NODES ? node + 1 : node)};
        nv_graph_add_router(graph, node, super_route, &numbers[node], targets,
                            sizeof targets / sizeof *targets);
    }
    nv_graph_add_edge(graph, NV_GRAPH_START, NV_SUPER_SURVEY);
    nv_graph_allow_send(graph, NV_SUPER_SURVEY, NV_SUPER_PROFILE);
}

static nv_super_config_t with_defaults(const nv_super_config_t *given)
{
    nv_super_config_t config = given ? *given : (nv_super_config_t){0};
    if (config.retry.max_attempts == 0)
        config.retry = (nv_retry_policy_t){.max_attempts = 4,
                                           .initial_ms = 1000,
                                           .factor_permille = 2000,
                                           .cap_ms = 30000,
                                           .jitter_permille = 200};
    if (config.task_timeout_ms == 0)
        config.task_timeout_ms = 10 * 60 * 1000;
    if (config.execute_timeout_ms == 0)
        config.execute_timeout_ms = 2 * 60 * 60 * 1000;
    return config;
}

nv_super_t *nv_super_new(nv_mem_t *ctx, const nv_super_config_t *given)
{
    nv_super_config_t config = with_defaults(given);
    nv_super_t *super = NV_NEW(ctx, nv_super_t);
    super->graph = nv_graph_new(super, "warehouse");
    add_channels(super->graph);
    for (nv_super_node_t node = 0; node < NV_SUPER_NODES; node++)
        add_node(super->graph, node, &config);
    add_routes(super->graph);
    nv_graph_set_limits(super->graph, &(nv_graph_limits_t){.recursion = 1000,
                                                           .snapshot_every = config.snapshot_every,
                                                           .keep_snapshots = config.keep_snapshots,
                                                           .value_bytes = SPEC_MAX_BYTES,
                                                           .items = 20000,
                                                           .checkpoint_bytes = 32u << 20});
    nv_error_t err = NV_ERROR_INIT;
    if (!nv_graph_compile(super->graph, &err)) {
        fprintf(stderr, "%s\n", err.message); /* our own definition is wrong: a defect, not a condition */
        abort();
    }
    return super;
}

const char *const *nv_super_outputs(nv_super_node_t node)
{
    static const char *const outputs[NV_SUPER_NODES][3] = {
        [NV_SUPER_SURVEY] = {"survey"},       [NV_SUPER_PROFILE] = {"profile"},
        [NV_SUPER_RELATE] = {"relations"},    [NV_SUPER_DESIGN] = {"design", "sttm"},
        [NV_SUPER_REVIEW] = {"review"},       [NV_SUPER_GENERATE] = {"project"},
        [NV_SUPER_DEPLOY] = {"deployment"},   [NV_SUPER_EXECUTE] = {"execution"},
        [NV_SUPER_VALIDATE] = {"validation"}, [NV_SUPER_EVALUATE] = {"scorecard"},
        [NV_SUPER_LEARN] = {"case"},
    };
    return outputs[node];
}

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t x = a ^ (b + UINT64_C(0x9E3779B97F4A7C15) + (a << 6) + (a >> 2));
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

static void add_documents(behaviour_t *out, nv_super_node_t node, const char *item, uint64_t value)
{
    size_t count = 0;
    for (const char *const *name = nv_super_outputs(node); *name; name++, count++) {
        bool keyed = node == NV_SUPER_PROFILE || node == NV_SUPER_LEARN;
        snprintf(out->names[count], sizeof out->names[count], keyed ? "%s/%s" : "%s", *name,
                 *item ? item : "case");
        snprintf(out->references[count], sizeof out->references[count], "%s=%016" PRIx64, *name, value);
        out->documents[count] =
            (nv_super_document_t){out->names[count], nv_bytes_text(out->references[count])};
    }
    out->result.documents = out->documents;
    out->result.document_count = count;
}

uint64_t behave_document(nv_bytes_t reference)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < reference.length; i++)
        hash = mix(hash, ((const unsigned char *)reference.data)[i]);
    return UINT64_C(1) << hash % DOCUMENTS;
}

uint64_t behave_documents(const nv_super_result_t *result)
{
    uint64_t all = 0;
    for (size_t i = 0; i < result->document_count; i++)
        all |= behave_document(result->documents[i].reference);
    return all;
}

static uint32_t failures_per_thousand(nv_super_node_t node)
{
    switch (node) {
    case NV_SUPER_REVIEW:
        return 250;
    case NV_SUPER_VALIDATE:
        return 200;
    case NV_SUPER_DEPLOY:
    case NV_SUPER_EXECUTE:
        return 80;
    default:
        return 0;
    }
}

void behave(uint64_t run_seed, nv_super_node_t node, uint64_t task, const char *item, behaviour_t *out)
{
    uint64_t value = mix(run_seed, task);
    out->result = (nv_super_result_t){.task = task, .ok = true, .outcome = "pass", .summary = ""};
    if (value % 1000 < 8 && node != NV_SUPER_EVALUATE) { /* fails for good */
        out->result.ok = false;
        out->result.code = NV_INTERNAL;
        out->result.error = "this task cannot be done";
        return;
    }
    add_documents(out, node, item, value);
    if (value / 1000 % 1000 < failures_per_thousand(node)) {
        out->result.outcome = "fail";
        out->result.blame = value & 1 ? "design" : "generate";
        out->result.summary = "it is not right yet";
    }
    if (node != NV_SUPER_SURVEY)
        return;
    out->result.item_count = 1 + value / 7 % 7;
    for (size_t i = 0; i < out->result.item_count; i++) {
        snprintf(out->item_names[i], sizeof out->item_names[i], "table%zu", i);
        out->items[i] = out->item_names[i];
    }
    out->result.items = out->items;
}

void behave_answer(uint64_t run_seed, uint64_t task, nv_super_answer_t *out)
{
    uint64_t value = mix(run_seed, task) % 100;
    *out = (nv_super_answer_t){.task = task, .key = "approve", .by = "somebody"};
    out->decision = value < 75   ? NV_SUPER_DECIDE_APPROVE
                    : value < 95 ? NV_SUPER_DECIDE_REVISE
                                 : NV_SUPER_DECIDE_REJECT;
    if (value < 20)
        out->design = nv_bytes_text("design=by hand");
}

nv_super_spec_t behave_spec(uint64_t run_seed, bool asks)
{
    return (nv_super_spec_t){.mode = run_seed % 5 == 0 ? "analyze" : "full",
                             .approval = asks ? "ask" : "auto",
                             .max_rounds = 1 + (uint32_t)(run_seed % 3),
                             .document = nv_bytes(&"seed", 4)};
}

/* Faults may cost any number of attempts; only what behave() says ends a task. */
nv_super_config_t behave_config(void)
{
    return (nv_super_config_t){
        .retry = {.max_attempts = 100000, .initial_ms = 100, .cap_ms = 1000, .jitter_permille = 300},
        .task_timeout_ms = 12000,
        .execute_timeout_ms = 12000,
        .snapshot_every = 5,
    };
}

static void add_to_digest(const char *name, nv_bytes_t reference, void *user)
{
    uint64_t *digest = user;
    for (const char *at = name; *at; at++)
        *digest = mix(*digest, (unsigned char)*at);
    for (size_t i = 0; i < reference.length; i++)
        *digest = mix(*digest, ((const unsigned char *)reference.data)[i]);
}

uint64_t behave_digest(nv_super_run_t *run)
{
    nv_super_status_t status;
    nv_super_status(run, &status);
    uint64_t digest = mix(status.state, status.round);
    add_to_digest(status.reason, nv_bytes("", 0), &digest);
    nv_super_each_document(run, add_to_digest, &digest);
    return digest;
}

typedef struct todo {
    uint64_t task;
    uint32_t attempt;
    nv_super_node_t node;
    char item[TEXT_MAX];
} todo_t;

static void must(bool ok, const nv_error_t *err)
{
    if (ok)
        return;
    fprintf(stderr, "the run without faults failed: %s\n", err->message);
    abort();
}

/* Collects dispatches and answers questions at once. */
static size_t collect(nv_super_run_t *run, uint64_t run_seed, nv_graph_effects_t *effects, todo_t *todo,
                      size_t count)
{
    nv_error_t err = NV_ERROR_INIT;
    for (;;) {
        uint64_t asked = 0;
        for (size_t i = 0; i < effects->count; i++) {
            const nv_graph_effect_t *effect = &effects->list[i];
            asked = effect->kind == NV_EFFECT_ASK ? effect->task : asked;
            if (effect->kind != NV_EFFECT_DISPATCH)
                continue;
            todo_t *next = &todo[count++];
            *next = (todo_t){effect->task, effect->attempt, (nv_super_node_t)effect->node, {0}};
            snprintf(next->item, sizeof next->item, "%.*s", (int)effect->argument.length,
                     effect->argument.data ? (const char *)effect->argument.data : "");
        }
        if (effects->more) {
            must(nv_super_continue(run, 0, effects, &err), &err);
        } else if (asked) {
            nv_super_answer_t answer;
            behave_answer(run_seed, asked, &answer);
            must(nv_super_answer(run, &answer, 0, effects, &err), &err);
        } else {
            return count;
        }
    }
}

uint64_t behave_expected(uint64_t run_seed, bool asks)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("expected");
    nv_error_t err = NV_ERROR_INIT;
    nv_super_config_t config = behave_config();
    nv_super_run_t *run = nv_super_run_new(ctx, nv_super_new(ctx, &config));
    nv_graph_effects_t *effects = nv_graph_effects_new(ctx);
    nv_super_spec_t spec = behave_spec(run_seed, asks);
    todo_t todo[64];
    must(nv_super_start(run, &spec, 0, effects, &err), &err);
    size_t count = collect(run, run_seed, effects, todo, 0);
    while (count) {
        todo_t next = todo[--count];
        behaviour_t doing;
        behave(run_seed, next.node, next.task, next.item, &doing);
        doing.result.attempt = next.attempt;
        must(nv_super_result(run, &doing.result, 0, effects, &err), &err);
        count = collect(run, run_seed, effects, todo, count);
    }
    return behave_digest(run);
}

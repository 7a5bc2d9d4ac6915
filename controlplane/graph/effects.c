/* The list of effects, and values kept alive as long as effects may point at them. */
#include "controlplane/graph/internal.h"

nv_graph_effects_t *nv_graph_effects_new(nv_mem_t *ctx)
{
    nv_graph_effects_t *effects = NV_NEW(ctx, nv_graph_effects_t);
    effects->ctx = effects;
    return effects;
}

bool nv_graph_effect_is_durable(const nv_graph_effect_t *effect)
{
    return effect->kind <= NV_EFFECT_EMIT;
}

void effects_clear(nv_graph_effects_t *effects)
{
    effects->count = 0;
    effects->later_count = 0;
    effects->more = false;
}

nv_graph_effect_t *effect_add(nv_graph_effects_t *effects, nv_graph_effect_kind_t kind)
{
    nv_graph_effect_t *effect =
        kind <= NV_EFFECT_EMIT
            ? &NV_PUSH(effects->ctx, effects->list, effects->count, effects->capacity)
            : &NV_PUSH(effects->ctx, effects->later, effects->later_count, effects->later_capacity);
    *effect = (nv_graph_effect_t){.kind = kind, .node = NV_GRAPH_NONE};
    return effect;
}

nv_graph_effect_t *effect_news(nv_graph_run_t *run, nv_graph_effects_t *effects, nv_graph_news_t news)
{
    nv_graph_effect_t *effect = effect_add(effects, NV_EFFECT_EMIT);
    effect->seq = ++run->events;
    effect->news = news;
    effect->step = run->step;
    return effect;
}

void effects_close(nv_graph_effects_t *effects)
{
    for (size_t i = 0; i < effects->later_count; i++)
        NV_PUSH(effects->ctx, effects->list, effects->count, effects->capacity) = effects->later[i];
    effects->later_count = 0;
}

void run_retire(nv_graph_run_t *run, nv_value_t *value)
{
    if (value)
        NV_PUSH(run, run->retired, run->retired_count, run->retired_capacity) = value;
}

void run_drop_retired(nv_graph_run_t *run)
{
    for (size_t i = 0; i < run->retired_count; i++)
        nv_value_unref(run->retired[i]);
    run->retired_count = 0;
}

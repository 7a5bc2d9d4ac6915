#include <math.h>

#include "worker/profiling/colstats_parts.h"

static void merge_range(colstats_t *into, const colstats_t *from)
{
    if (!from->any)
        return;
    if (into->parser->type == NV__VALUE_TYPE__VALUE_TYPE_STRING) {
        colstats_widen(into, from->min_text.text, from->min_text.length);
        colstats_widen(into, from->max_text.text, from->max_text.length);
        return;
    }
    if (!into->any) {
        into->min = from->min;
        into->max = from->max;
        into->shift = from->shift;
        into->any = true;
    }
    if (parsed_compare(into->parser, &from->min, &into->min) < 0)
        into->min = from->min;
    if (parsed_compare(into->parser, &from->max, &into->max) > 0)
        into->max = from->max;
    /* sum of (v - a)² from sums about b: Σ(v-b)² + 2(b-a)Σ(v-b) + n(b-a)² */
    double move = from->shift - into->shift;
    double n = (double)from->ok;
    into->sum_squares += from->sum_squares + 2 * move * from->sum + n * move * move;
    into->sum += from->sum + n * move;
}

static void merge_dict(dict_t *into, const dict_t *from, bool prune)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("merge");
    dict_item_t *items = dict_ranked(scratch, from, from->n_entries);
    for (size_t i = 0; i < from->n_entries; i++) {
        const dict_entry_t *e = items[i].entry;
        if (prune && into->n_entries >= into->max_entries)
            dict_prune(into, into->max_entries / 2);
        dict_add(into, e->text, e->length, e->hash, items[i].count);
    }
}

static void merge_lengths(colstats_t *into, const colstats_t *from)
{
    if (!from->length_count)
        return;
    if (!into->length_count || from->length_min < into->length_min)
        into->length_min = from->length_min;
    if (from->length_max > into->length_max)
        into->length_max = from->length_max;
    into->length_count += from->length_count;
    into->length_sum += from->length_sum;
}

/* Logs together, or sketches together. */
static void merge_distinct(colstats_t *into, colstats_t *from)
{
    if (!into->log.dropped && !from->log.dropped) {
        hashlog_merge(&into->log, &from->log);
        return;
    }
    colstats_give_up_log(into);
    colstats_give_up_log(from);
    hll_merge(into->hll, from->hll);
}

void colstats_merge(colstats_t *into, colstats_t *from)
{
    merge_lengths(into, from);
    merge_range(into, from);
    into->nulls += from->nulls;
    into->invalid += from->invalid;
    into->ok += from->ok;
    into->zero += from->zero;
    into->negative += from->negative;
    for (size_t i = 0; i < from->kmv.n; i++) {
        if (!into->kmv.pending)
            into->kmv = kmv_make(into->ctx);
        kmv_add(&into->kmv, from->kmv.pending[i]);
    }
    merge_distinct(into, from);
    merge_dict(&into->hot, &from->hot, true);
    colstats_filter_hot(into);
    merge_dict(&into->bad, &from->bad, false);
    merge_dict(&into->patterns, &from->patterns, false);
    /* Each lane's sample stands for its own count; report.c weighs them, so keep them as weights here. */
    double each = from->reservoir.n ? (double)from->reservoir.seen / (double)from->reservoir.n : 0;
    for (size_t i = 0; i < from->reservoir.n; i++)
        NV_PUSH(into->ctx, into->weights, into->n_weights, into->weights_capacity) =
            (weighted_t){from->reservoir.values[i], (int64_t)llround(each)};
}

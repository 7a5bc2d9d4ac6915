#include "worker/profiling/infer.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/profiling/infer_class.h"
#include "worker/profiling/names.h"

/* Values that do not parse may be dirt up to this share; in identifiers a stray letter is a value, not dirt. */
static const double dirt_share = 0.05;
static const double identifier_dirt_share = 0.005;

/* What all the evidence says, kind by kind. */
typedef struct tally {
    int64_t total, text, sure_null, maybe_null, truthy, falsy, number, zero_one, datetime, time;
    int64_t leading_zero, ymd, infinite;
    int64_t near[NEAR_KINDS];
    bool single_letters_only; /* every boolean word is one letter */
} tally_t;

static void tally_number(tally_t *tally, const evidence_entry_t *e)
{
    unsigned flags = class_number_flags(e->class.key);
    tally->number += e->count;
    tally->zero_one += flags & NUMBER_ZERO_ONE ? e->count : 0;
    tally->leading_zero += flags & NUMBER_LEADING_ZERO ? e->count : 0;
    tally->ymd += flags & NUMBER_YMD ? e->count : 0;
}

static void tally_word(tally_t *tally, const evidence_entry_t *e)
{
    int64_t *const by_kind[] = {NULL,           &tally->sure_null, &tally->maybe_null,
                                &tally->truthy, &tally->falsy,     &tally->infinite};
    enum word_kind kind = class_word_kind(e->class.key);
    *by_kind[kind] += e->count;
    if (word_is_boolean(kind) && strlen(word_text(class_word(e->class.key))) > 1)
        tally->single_letters_only = false;
}

static tally_t tally_up(const evidence_t *evidence)
{
    tally_t tally = {.single_letters_only = true};
    for (size_t i = 0; i < evidence->n_slots; i++) {
        const evidence_entry_t *e = &evidence->slots[i];
        if (!e->count)
            continue;
        tally.total += e->count;
        switch (class_kind(e->class.key)) {
        case CLASS_NUMBER:
            tally_number(&tally, e);
            break;
        case CLASS_WORD:
            tally_word(&tally, e);
            break;
        case CLASS_DATETIME:
            tally.datetime += e->count;
            break;
        case CLASS_TIME:
            tally.time += e->count;
            break;
        default:
            tally.text += e->count;
            tally.near[class_near(e->class.key)] += e->count;
        }
    }
    return tally;
}

/* Are `good` values enough, when sure nulls and words that would then be nulls are set aside? */
static bool enough(const tally_t *tally, int64_t good, double dirt)
{
    int64_t values = tally->total - tally->sure_null - tally->maybe_null;
    return good > 0 && (double)(values - good) <= dirt * (double)values;
}

static bool is_boolean(const tally_t *tally)
{
    int64_t words = tally->truthy + tally->falsy;
    if (!words || !enough(tally, words + tally->zero_one, dirt_share))
        return false;
    bool both = tally->truthy && tally->falsy;
    return both || !tally->single_letters_only;
}

static Nv__ParseRule *new_rule(nv_mem_t *ctx)
{
    Nv__ParseRule *rule = NV_NEW(ctx, Nv__ParseRule);
    nv__parse_rule__init(rule);
    rule->trim = true;
    rule->decimal_separator = nv_strdup(ctx, ".");
    rule->group_separator = nv_strdup(ctx, "");
    return rule;
}

void infer_add_string(nv_mem_t *ctx, char ***list, size_t *n, const char *text)
{
    *list = nv_realloc_array(ctx, *list, sizeof **list, *n + 1);
    (*list)[(*n)++] = nv_strdup(ctx, text);
}

void infer_add_format(nv_mem_t *ctx, infer_result_t *out, const char *format, int64_t count)
{
    for (size_t i = 0; i < out->n_formats; i++)
        if (strcmp(out->formats[i]->format, format) == 0) {
            out->formats[i]->count += count;
            return;
        }
    Nv__FormatCount *added = NV_NEW(ctx, Nv__FormatCount);
    nv__format_count__init(added);
    added->format = nv_strdup(ctx, format);
    added->count = count;
    out->formats = nv_realloc_array(ctx, out->formats, sizeof *out->formats, out->n_formats + 1);
    out->formats[out->n_formats++] = added;
}

/* Null spellings: the sure ones, and the possible ones where the type is not text. In the tables' order. */
static void decide_nulls(nv_mem_t *ctx, const evidence_t *evidence, infer_result_t *out)
{
    for (size_t i = 0; i < evidence->n_slots; i++) {
        const evidence_entry_t *e = &evidence->slots[i];
        if (!e->count || class_kind(e->class.key) != CLASS_WORD)
            continue;
        enum word_kind kind = class_word_kind(e->class.key);
        if (kind != WORD_NULL_SURE &&
            (kind != WORD_NULL_MAYBE || out->type == NV__VALUE_TYPE__VALUE_TYPE_STRING))
            continue;
        const char *text = word_text(class_word(e->class.key));
        infer_add_string(ctx, &out->rule->null_spellings, &out->rule->n_null_spellings, text);
        infer_add_format(ctx, out, text, e->count);
    }
}

static void decide_boolean(nv_mem_t *ctx, const evidence_t *evidence, const tally_t *tally,
                           infer_result_t *out)
{
    out->type = NV__VALUE_TYPE__VALUE_TYPE_BOOLEAN;
    for (size_t i = 0; i < evidence->n_slots; i++) {
        const evidence_entry_t *e = &evidence->slots[i];
        if (!e->count || class_kind(e->class.key) != CLASS_WORD)
            continue;
        const char *text = word_text(class_word(e->class.key));
        enum word_kind kind = class_word_kind(e->class.key);
        if (kind == WORD_TRUE)
            infer_add_string(ctx, &out->rule->true_spellings, &out->rule->n_true_spellings, text);
        else if (kind == WORD_FALSE)
            infer_add_string(ctx, &out->rule->false_spellings, &out->rule->n_false_spellings, text);
        if (word_is_boolean(kind))
            infer_add_format(ctx, out, text, e->count);
    }
    if (tally->zero_one) {
        infer_add_string(ctx, &out->rule->true_spellings, &out->rule->n_true_spellings, "1");
        infer_add_string(ctx, &out->rule->false_spellings, &out->rule->n_false_spellings, "0");
        infer_add_format(ctx, out, "0/1", tally->zero_one);
    }
}

static int by_key(const void *left, const void *right)
{
    const evidence_entry_t *a = left;
    const evidence_entry_t *b = right;
    return (a->class.key > b->class.key) - (a->class.key < b->class.key);
}

/* The entries without gaps, by key: the order of a hash table must not show in a result. */
static evidence_t in_order(nv_mem_t *ctx, const evidence_t *evidence)
{
    evidence_t out = {.ctx = ctx, .slots = NV_NEW_ARRAY(ctx, evidence_entry_t, evidence->n_used + 1)};
    for (size_t i = 0; i < evidence->n_slots; i++)
        if (evidence->slots[i].count)
            out.slots[out.n_used++] = evidence->slots[i];
    out.n_slots = out.n_used;
    qsort(out.slots, out.n_used, sizeof *out.slots, by_key);
    return out;
}

static void decide_number(nv_mem_t *ctx, const evidence_t *evidence, const tally_t *tally, double dirt,
                          infer_result_t *out)
{
    infer_result_t number = {.rule = new_rule(ctx)};
    int64_t covered = infer_number(ctx, evidence, &number);
    if (enough(tally, covered, dirt))
        *out = number;
    else if (!covered)
        out->warning =
            nv_printf(ctx, "kept as text: its numbers have more than %d digits", NUMBER_MAX_DIGITS);
    else if (tally->number > covered)
        out->warning =
            nv_printf(ctx, "kept as text: %lld of %lld numbers are written in another notation than the rest",
                      (long long)(tally->number - covered), (long long)tally->number);
}

bool infer_parses_as(const infer_result_t *a, const infer_result_t *b)
{
    if (a->type != b->type || a->scale != b->scale)
        return false;
    /* The packed rules are equal exactly when each field is. */
    size_t n = nv__parse_rule__get_packed_size(a->rule);
    if (n != nv__parse_rule__get_packed_size(b->rule))
        return false;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("rule comparison");
    uint8_t *left = nv_alloc(ctx, n + 1);
    uint8_t *right = nv_alloc(ctx, n + 1);
    nv__parse_rule__pack(a->rule, left);
    nv__parse_rule__pack(b->rule, right);
    return memcmp(left, right, n) == 0;
}

/* A column that stays text: why, where it is nearly something else. */
static void explain_text(nv_mem_t *ctx, const tally_t *tally, infer_result_t *out)
{
    infer_kinds_t kinds = {.values = tally->total - tally->sure_null - tally->maybe_null,
                           .number = tally->number,
                           .datetime = tally->datetime,
                           .time = tally->time,
                           .boolean = tally->truthy && tally->falsy ? tally->truthy + tally->falsy : 0,
                           .infinite = tally->infinite};
    memcpy(kinds.near, tally->near, sizeof kinds.near);
    if (!out->warning && !tally->leading_zero)
        infer_tell_text(ctx, &kinds, out);
}

void infer_decide(nv_mem_t *ctx, const evidence_t *evidence, const infer_hints_t *hints, infer_result_t *out)
{
    tally_t tally = tally_up(evidence);
    bool identifier = hints->name && name_is_identifier(hints->name);
    double dirt = identifier ? identifier_dirt_share : dirt_share;
    *out = (infer_result_t){.type = NV__VALUE_TYPE__VALUE_TYPE_STRING, .rule = new_rule(ctx)};
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("inference");
    evidence_t sorted = in_order(scratch, evidence);
    if (is_boolean(&tally))
        decide_boolean(ctx, &sorted, &tally, out);
    else if (hints->name && name_is_date(hints->name) && !identifier && tally.ymd &&
             tally.ymd == tally.number && enough(&tally, tally.ymd + tally.datetime, dirt_share))
        infer_datetime(ctx, &sorted, hints, true, out);
    else if (enough(&tally, tally.datetime, dirt_share))
        infer_datetime(ctx, &sorted, hints, false, out);
    else if (enough(&tally, tally.time, dirt_share))
        infer_time(ctx, &sorted, out);
    else if (enough(&tally, tally.number, dirt) && !tally.leading_zero)
        decide_number(ctx, &sorted, &tally, dirt, out);
    else if (tally.leading_zero)
        out->leading_zeros = enough(&tally, tally.number, dirt_share);
    decide_nulls(ctx, &sorted, out);
    if (out->type == NV__VALUE_TYPE__VALUE_TYPE_STRING)
        explain_text(ctx, &tally, out);
}

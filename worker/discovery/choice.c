/* Which table a column references, if any: a conditional choice among its candidates and "none".
 *
 * The two classifiers judge a candidate by itself; several tables that share a key (an entity, its one-to-one extensions and its
 * subtypes) then all look right, and only a comparison tells them apart: which of them is the tightest that holds every value, which
 * one the columns of the same name elsewhere lead to, which one the others are extensions of. Multinomial logit (McFadden 1974), fitted
 * with the other weights by tests/bench/design/fit. */
#include "worker/discovery/candidates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/discovery/keys_internal.h"
#include "worker/discovery/lexicon.h"

static const double least_p = 0.01; /* below it a candidate is no rival to anybody */

typedef struct siblings {
    double n, support, contained, reverse;
} siblings_t;

/* Columns of the same name in other tables: where do they lead? */
static siblings_t ask_siblings(const dsc_state_t *state, const join_candidate_t *join)
{
    siblings_t s = {.reverse = join->reverse};
    const dsc_column_t *from = state_column(state, join->from, join->columns[0]);
    if (join->n > 1 || from->made_up)
        return s;
    int last = -1, column = -1;
    for (size_t i = 0; i < state->n_joins; i++) {
        const join_candidate_t *other = &state->joins[i];
        if (other->n > 1 || other->from == join->from)
            continue;
        const dsc_column_t *sibling = state_column(state, other->from, other->columns[0]);
        if (sibling->header != from->header)
            continue;
        s.n += other->from != last || other->columns[0] != column;
        last = other->from;
        column = other->columns[0];
        if (other->to != join->to || other->to_columns[0] != join->to_columns[0])
            continue;
        s.support += other->p;
        s.contained += other->containment >= 0.95;
        s.reverse = fmax(s.reverse, other->reverse);
    }
    if (s.n > 0) {
        s.support /= s.n;
        s.contained /= s.n;
    }
    return s;
}

typedef struct groups {
    size_t *order; /* joins by source columns */
    size_t *first; /* start of each group in order; first[n] = end */
    size_t n;
    double *popularity;   /* per table: expected joins into it */
    siblings_t *siblings; /* per join */
} groups_t;

static void sorted_columns(const join_candidate_t *join, int *out)
{
    memcpy(out, join->columns, sizeof join->columns);
    for (int i = 1; i < join->n; i++) {
        for (int k = i; k > 0 && out[k] < out[k - 1]; k--) {
            int swap = out[k];
            out[k] = out[k - 1];
            out[k - 1] = swap;
        }
    }
}

static int compare_sources(const join_candidate_t *a, const join_candidate_t *b)
{
    int x[KEY_MAX], y[KEY_MAX];
    if (a->from != b->from)
        return a->from - b->from;
    if (a->n != b->n)
        return a->n - b->n;
    sorted_columns(a, x);
    sorted_columns(b, y);
    for (int i = 0; i < a->n; i++) {
        if (x[i] != y[i])
            return x[i] - y[i];
    }
    return 0;
}

static int by_source(const void *a, const void *b, void *arg)
{
    const dsc_state_t *state = arg;
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    int order = compare_sources(&state->joins[x], &state->joins[y]);
    return order != 0 ? order : x < y ? -1 : x > y;
}

/* A reference leads to a key: to the table's own, or to a column that is named like one. An address in another table's addresses, a
 * city in its cities, is no reference where that table has a key. */
static bool leads_to_no_key(const dsc_state_t *state, const join_candidate_t *join)
{
    const dsc_column_t *to = state_column(state, join->to, join->to_columns[0]);
    const table_keys_t *keys = &state->keys[join->to];
    if (keys->chosen < 0 || keys->list[keys->chosen].p < 0.8)
        return false;
    bool chosen =
        keys->list[keys->chosen].n == 1 && keys->list[keys->chosen].columns[0] == join->to_columns[0];
    bool code = to->kind == CLASS_TEXT && to->p->length_max <= 6 && join->speaks >= 0.8;
    return join->n == 1 && !chosen && !to->bare.keylike && !to->made_up && !code;
}

static groups_t *group_joins(nv_mem_t *ctx, dsc_state_t *state)
{
    groups_t *groups = NV_NEW(ctx, groups_t);
    groups->order = NV_NEW_ARRAY(ctx, size_t, state->n_joins + 1);
    groups->first = NV_NEW_ARRAY(ctx, size_t, state->n_joins + 2);
    groups->popularity = NV_NEW_ARRAY(ctx, double, (size_t)state->schema->n_tables + 1);
    groups->siblings = NV_NEW_ARRAY(ctx, siblings_t, state->n_joins + 1);
    size_t n = 0;
    for (size_t i = 0; i < state->n_joins; i++) {
        if (leads_to_no_key(state, &state->joins[i]))
            state->joins[i].p = fmin(state->joins[i].p, least_p / 2);
    }
    for (size_t i = 0; i < state->n_joins; i++) {
        if (state->joins[i].p < least_p)
            continue;
        groups->order[n++] = i;
        groups->siblings[i] = ask_siblings(state, &state->joins[i]);
        groups->popularity[state->joins[i].to] += state->joins[i].p;
    }
    qsort_r(groups->order, n, sizeof *groups->order, by_source, state);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 ||
            compare_sources(&state->joins[groups->order[i - 1]], &state->joins[groups->order[i]]) != 0)
            groups->first[groups->n++] = i;
    }
    groups->first[groups->n] = n;
    return groups;
}

/* The inclusion of one key in another as far as it was a candidate itself; < 0 when it was not. */
static double key_inclusion(const dsc_state_t *state, const join_candidate_t *from,
                            const join_candidate_t *to)
{
    for (size_t i = 0; i < state->n_joins; i++) {
        const join_candidate_t *join = &state->joins[i];
        if (join->from == from->to && join->to == to->to && join->n == 1 &&
            join->columns[0] == from->to_columns[0] && join->to_columns[0] == to->to_columns[0])
            return join->containment;
    }
    return -1;
}

static double logit(double p)
{
    p = fmin(1 - 1e-6, fmax(1e-6, p));
    return log(p / (1 - p));
}

/* Rivals whose keys hold this target's keys, or are held by them. */
static void key_relations(const dsc_state_t *state, const join_candidate_t *join,
                          const join_candidate_t *rival, double *f)
{
    if (join->n > 1 || join->to == rival->to)
        return;
    double inside = key_inclusion(state, join, rival), outside = key_inclusion(state, rival, join);
    double mine = state->schema->tables[join->to].records, theirs = state->schema->tables[rival->to].records;
    bool subset = inside >= 0.9995 && mine < 0.98 * theirs,
         superset = outside >= 0.9995 && theirs < 0.98 * mine;
    bool full = join->containment >= 0.9995, rival_full = rival->containment >= 0.9995;
    f[CF_SAME_KEYS] = fmax(f[CF_SAME_KEYS], inside >= 0.9995 && outside >= 0.9995);
    f[CF_KEYS_SUBSET] = fmax(f[CF_KEYS_SUBSET], subset && full);
    f[CF_KEYS_SUBSET_MISSING] = fmax(f[CF_KEYS_SUBSET_MISSING], subset && !full);
    f[CF_KEYS_SUPERSET] = fmax(f[CF_KEYS_SUPERSET], superset && rival_full);
    f[CF_KEYS_SUPERSET_MISSING] = fmax(f[CF_KEYS_SUPERSET_MISSING], superset && !rival_full);
    const table_keys_t *keys = &state->keys[join->to];
    /* The key of an extension is itself a reference. */
    for (int k = 0; k < keys->n; k++) {
        if (keys->list[k].n == 1 && keys->list[k].columns[0] == join->to_columns[0])
            f[CF_KEY_REFERS] = fmax(f[CF_KEY_REFERS], keys->list[k].out[0]);
    }
}

/* How far the source table is named after the target: EmployeePayHistory after Employee. */
static double named_after(const dsc_state_t *state, const join_candidate_t *join)
{
    const dsc_table_t *source = &state->schema->tables[join->from],
                      *target = &state->schema->tables[join->to];
    return source != target ? name_share_within(&target->name, &source->name) : 0;
}

/* Expected references to the key that a join leads to, without its own. */
static double key_popularity(const dsc_state_t *state, const join_candidate_t *join)
{
    double sum = 0;
    for (size_t i = 0; i < state->n_joins; i++) {
        const join_candidate_t *other = &state->joins[i];
        if (other != join && other->n == 1 && other->to == join->to &&
            other->to_columns[0] == join->to_columns[0])
            sum += other->p;
    }
    return sum;
}

/* "customer_id" is the key of customers, and a reference in orders. */
static double named_lead(const dsc_state_t *state, const join_candidate_t *join)
{
    const dsc_column_t *from = state_column(state, join->from, join->columns[0]);
    const dsc_column_t *to = state_column(state, join->to, join->to_columns[0]);
    double here = name_speaks_of(&from->bare, &state->schema->tables[join->from].name);
    double there = name_speaks_of(&to->bare, &state->schema->tables[join->to].name);
    return from->made_up || to->made_up ? 0 : here - there > 0.3 ? -0.6 : there - here > 0.3 ? 0.6 : 0;
}

static void own_features(const dsc_state_t *state, const groups_t *groups, const join_candidate_t *join,
                         double *f)
{
    const dsc_column_t *from = state_column(state, join->from, join->columns[0]);
    const dsc_table_t *target = &state->schema->tables[join->to];
    siblings_t s = groups->siblings[join - state->joins];
    f[CF_JOIN_SCORE] = logit(join->p) / 5;
    f[CF_JOIN_P] = join->p;
    f[CF_POPULARITY] = log1p(groups->popularity[join->to] - join->p) / 3;
    f[CF_SIBLING_SUPPORT] = s.support;
    f[CF_SIBLING_CONTAINED] = s.contained;
    f[CF_SIBLING_REVERSE] = s.reverse;
    f[CF_HAS_SIBLINGS] = s.n > 0;
    f[CF_TARGET_ROWS] = log10(1 + target->rows) / 6;
    f[CF_TARGET_COLUMNS] = log(1 + target->n_columns) / 3;
    f[CF_TARGET_EVENT] = schema_table_is(target, LEXICON_EVENT);
    f[CF_SELF] = join->from == join->to;
    f[CF_UNIQUE_SOURCE] = join->unique_source;
    f[CF_TARGET_EXTENDS] = join->features[JF_TARGET_EXTENDS];
    f[CF_TO_PRIMARY] = join->features[JF_TO_PRIMARY];
    f[CF_MADE_UP] = from->made_up;
    f[CF_MADE_UP_REVERSE] = from->made_up * join->reverse;
    f[CF_MADE_UP_SCORE] = from->made_up * logit(join->p) / 5;
    f[CF_UNNAMED_SCORE] = (join->name < 0.4) * logit(join->p) / 5;
    f[CF_COMPOSITE] = join->n > 1;
    f[CF_NAMED_AFTER] = named_after(state, join);
    f[CF_UNNAMED_SIBLING_CONTAINED] = (join->name < 0.4) * s.contained;
    /* An extension or subtype: what many refer to is rarely one. */
    double from_popularity = log1p(groups->popularity[join->from]) / 3;
    f[CF_UNIQUE_POPULARITY] = join->unique_source * from_popularity;
    f[CF_UNIQUE_POPULARITY_LEAD] = join->unique_source * (f[CF_POPULARITY] - from_popularity);
    f[CF_UNIQUE_TARGET_WIDER] =
        join->unique_source * (target->n_columns > state->schema->tables[join->from].n_columns);
    f[CF_DISTANCE] = join->distance < 0 ? 0.12 : join->distance;
    f[CF_UNIQUE_NAMED_LEAD] = join->n == 1 ? named_lead(state, join) * join->unique_source : 0;
    f[CF_KEY_POPULARITY] = join->n == 1 ? log1p(key_popularity(state, join)) / 3 : 0;
    f[CF_HEADLESS] = join->features[JF_HEADLESS];
    f[CF_TIGHTEST] = join->containment >= 0.9995;
    f[CF_NATURAL] = join->features[JF_NATURAL];
}

static void candidate_features(const dsc_state_t *state, const groups_t *groups, size_t g,
                               const join_candidate_t *join, double *f)
{
    double p = 0, name = 0, reverse = 0, containment = 0, popular = 0, support = 0, rivals = 0, affinity = 0;
    memset(f, 0, sizeof(double) * CHOICE_FEATURES);
    own_features(state, groups, join, f);
    for (size_t i = groups->first[g]; i < groups->first[g + 1]; i++) {
        const join_candidate_t *rival = &state->joins[groups->order[i]];
        if (rival == join)
            continue;
        rivals++;
        p = fmax(p, rival->p);
        name = fmax(name, rival->name);
        reverse = fmax(reverse, rival->reverse);
        containment = fmax(containment, rival->containment);
        popular = fmax(popular, groups->popularity[rival->to] - rival->p);
        /* The tightest of those that hold every value: the immediate parent in a chain of subtypes. */
        if (rival->containment >= 0.9995 &&
            state->schema->tables[rival->to].records < 0.98 * state->schema->tables[join->to].records)
            f[CF_TIGHTEST] = 0;
        support = fmax(support, groups->siblings[rival - state->joins].support);
        affinity = fmax(affinity, named_after(state, rival));
        key_relations(state, join, rival, f);
    }
    if (rivals <= 0)
        return;
    f[CF_UNIQUE_TIGHTEST] = f[CF_TIGHTEST] * join->unique_source;
    f[CF_LEADS] = join->p >= p;
    f[CF_CONTAINMENT_LEAD] = join->containment - containment;
    f[CF_ONLY_CONTAINED] = join->containment >= 0.9995 && containment < 0.9995;
    f[CF_NAME_LEAD] = join->name - name;
    f[CF_REVERSE_LEAD] = join->reverse - reverse;
    f[CF_POPULARITY_LEAD] = f[CF_POPULARITY] - log1p(popular) / 3;
    f[CF_SUPPORT_LEAD] = f[CF_SIBLING_SUPPORT] - support;
    f[CF_RIVALS] = log1p(rivals) / 3;
    f[CF_NAMED_AFTER_LEAD] = f[CF_NAMED_AFTER] - affinity;
}

static void none_features(const dsc_state_t *state, const groups_t *groups, size_t g, double *f)
{
    memset(f, 0, sizeof(double) * CHOICE_FEATURES);
    double top = 0;
    const join_candidate_t *first = &state->joins[groups->order[groups->first[g]]];
    const dsc_column_t *from = state_column(state, first->from, first->columns[0]);
    for (size_t i = groups->first[g]; i < groups->first[g + 1]; i++)
        top = fmax(top, state->joins[groups->order[i]].p);
    f[CF_NONE] = 1;
    f[CF_NONE_TOP_SCORE] = logit(top) / 5;
    f[CF_NONE_KEYLIKE] = from->bare.keylike;
    f[CF_NONE_MEASURE] = schema_mentions(from, LEXICON_MEASURE) && !from->bare.keylike;
    f[CF_NONE_RIVALS] = log1p((double)(groups->first[g + 1] - groups->first[g])) / 3;
}

static void emit_choice(const dsc_state_t *state, const join_candidate_t *join, const double *f)
{
    if (state->options->feature_sink == NULL)
        return;
    const char *line = join != NULL ? joins_describe(state, "choice", join) : "choice\t0\t0\t\t\t\t\t0";
    for (int i = 0; i < CHOICE_FEATURES; i++)
        line = nv_printf(state->ctx, "%s\t%.5g", line, f[i]);
    state->options->feature_sink(state->options->feature_arg, line);
}

/* Two tables that share a key: the one that the others refer to is the thing, the other one extends it. */
static void point_to_the_thing(dsc_state_t *state)
{
    for (size_t i = 0; i < state->n_joins; i++) {
        join_candidate_t *a = &state->joins[i];
        for (size_t k = i + 1; k < state->n_joins && a->n == 1; k++) {
            join_candidate_t *b = &state->joins[k];
            if (fmax(a->p, b->p) < 0.3 || fmin(a->p, b->p) < 0.01 || b->n != 1 || a->from != b->to ||
                a->to != b->from || a->columns[0] != b->to_columns[0] || a->to_columns[0] != b->columns[0])
                continue;
            double lead = key_popularity(state, a) - key_popularity(state, b) + named_lead(state, a);
            if ((lead > 0.5 && a->p < b->p) || (lead < -0.5 && a->p > b->p)) {
                double swap = a->p;
                a->p = b->p;
                b->p = swap;
            }
        }
    }
}

static bool is_part_of(const join_candidate_t *part, const join_candidate_t *whole)
{
    if (part->from != whole->from || part->to != whole->to || part->n >= whole->n)
        return false;
    for (int i = 0; i < part->n; i++) {
        bool found = false;
        for (int k = 0; k < whole->n; k++)
            found = found ||
                    (part->columns[i] == whole->columns[k] && part->to_columns[i] == whole->to_columns[k]);
        if (!found)
            return false;
    }
    return true;
}

/* Where a reference in several columns holds, a part of it is no reference of its own. */
static void keep_whole_references(dsc_state_t *state)
{
    for (size_t i = 0; i < state->n_joins; i++) {
        const join_candidate_t *whole = &state->joins[i];
        for (size_t k = 0; k < state->n_joins && whole->n > 1 && whole->p >= 0.5; k++) {
            if (is_part_of(&state->joins[k], whole))
                state->joins[k].p = fmin(state->joins[k].p, least_p / 2);
        }
    }
}

/* Named as another table's whole composite key and, beyond coincidence, found in it: a returned line and the line that was sold. */
static bool spells_whole_key(const dsc_state_t *state, const join_candidate_t *join)
{
    return join->n > 1 && join->counted && join->least_part >= 1 && join->coverage >= 0.99 &&
           join->combined >= 10 && key_is_chosen(state, join->to, join->to_columns, join->n) &&
           !key_is_chosen(state, join->from, join->columns, join->n);
}

/* Examples of it are too few for the choice to learn; only where one table alone answers to the description. */
static void trust_whole_keys(dsc_state_t *state, const groups_t *groups)
{
    static const double trusted = 0.9;
    for (size_t g = 0; g < groups->n; g++) {
        join_candidate_t *only = NULL;
        int n = 0;
        for (size_t i = groups->first[g]; i < groups->first[g + 1]; i++) {
            join_candidate_t *join = &state->joins[groups->order[i]];
            if (spells_whole_key(state, join)) {
                only = join;
                n++;
            }
        }
        if (n == 1)
            only->p = fmax(only->p, trusted);
    }
}

void joins_choose_targets(dsc_state_t *state)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("choice");
    groups_t *groups = group_joins(scratch, state);
    double *p = NV_NEW_ARRAY(scratch, double, state->n_joins + 1), f[CHOICE_FEATURES];
    for (size_t i = 0; i < state->n_joins; i++)
        p[i] = state->joins[i].p;
    double *scores = NV_NEW_ARRAY(scratch, double, state->n_joins + 2);
    for (size_t g = 0; g < groups->n; g++) {
        size_t first = groups->first[g], n = groups->first[g + 1] - first;
        for (size_t i = 0; i < n; i++) {
            const join_candidate_t *join = &state->joins[groups->order[first + i]];
            candidate_features(state, groups, g, join, f);
            scores[i] = model_dot(model_choice, f, CHOICE_FEATURES);
            emit_choice(state, join, f);
        }
        none_features(state, groups, g, f);
        emit_choice(state, NULL, f);
        scores[n] = model_dot(model_choice, f, CHOICE_FEATURES);
        model_softmax(scores, n + 1);
        for (size_t i = 0; i < n; i++)
            p[groups->order[first + i]] = scores[i];
    }
    for (size_t i = 0; i < state->n_joins; i++)
        state->joins[i].p = p[i];
    trust_whole_keys(state, groups);
    point_to_the_thing(state);
    keep_whole_references(state);
}

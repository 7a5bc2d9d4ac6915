/* Name and data features of a join candidate; the list follows Auto-BI's N:1 and 1:1 classifiers, plus what surrogate keys,
 * self-references and tables of a handful of rows need. */
#include "worker/discovery/candidates.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "worker/discovery/lexicon.h"
#include "worker/discovery/priors.h"

static double share_in(const dsc_column_t *column, lexicon_t list, int words)
{
    int hits = 0;
    for (int i = 0; i < words; i++)
        hits += lexicon_has(list, column->bare.word[i]);
    return words > 0 ? (double)hits / words : 0;
}

static double synonym_score(const name_words_t *from, const name_words_t *table)
{
    double best = 0;
    for (int i = 0; i < from->n; i++) {
        for (int j = 0; j < table->n; j++) {
            char a[NAME_WORD_BYTES], b[NAME_WORD_BYTES];
            memcpy(a, from->word[i], sizeof a);
            memcpy(b, table->word[j], sizeof b);
            name_singular(a);
            name_singular(b);
            if (!lexicon_synonyms(a, b))
                continue;
            double score = j + 1 == table->n ? 1.0 / table->n : 0.5 / table->n;
            best = score > best ? score : best;
        }
    }
    return best;
}

static double max2(double a, double b)
{
    return a > b ? a : b;
}

/* A short code of constant width, as airports, currencies and countries have. */
static bool is_code(const dsc_column_t *column)
{
    return column->kind == CLASS_TEXT && column->unique >= 0.9995 && column->distinct >= 5 &&
           column->p->length_max <= 6 && column->p->length_mean >= 2;
}

/* The target has a column of this very name beside its key: "win_type" beside "win_id" in win_by. */
static bool is_labelled(const dsc_table_t *target, const dsc_column_t *from, const dsc_column_t *to)
{
    for (int c = 0; c < target->n_columns && from->specific && !from->bare.keylike; c++) {
        const dsc_column_t *label = &target->columns[c];
        if (c != to->index && label->kind == CLASS_TEXT && from->kind != CLASS_TEXT &&
            name_equal(&label->bare, &from->bare))
            return true;
    }
    return false;
}

/* What a match of the column's name with the table's says. */
static void compare_table(const dsc_column_t *from, const dsc_column_t *to, const dsc_table_t *target,
                          name_evidence_t *out)
{
    name_match_t bare = name_match(&from->bare, &target->name), full = name_match(&from->name, &target->name);
    name_match_t best = full.score > bare.score ? full : bare;
    bool named_as_table =
        (bare.score >= 0.999 && bare.unused <= 0) || (full.score >= 0.999 && full.unused <= 0);
    out->natural = named_as_table && (!to->specific || is_code(to)) && to->unique >= 0.95;
    out->speaks = best.score;
    out->unused = best.score > 0 ? best.unused : 1;
    out->headless = best.score >= 0.5 && !best.head;
}

/* "time_id" says nothing by itself, but is what time_by_day is about. */
static bool named_within(const dsc_column_t *to, const dsc_table_t *target)
{
    for (int i = 0; i < target->name.n && to->bare.keylike && to->bare.core == 1; i++) {
        if (strcmp(target->name.word[i], to->bare.word[0]) == 0)
            return target->name.n >= 3;
    }
    return false;
}

/* The key column's own name is evidence only if it names a thing: "album_id" yes, "id" or "code" no. */
static void compare_columns(const dsc_column_t *from, const dsc_column_t *to, const dsc_table_t *target,
                            name_evidence_t *out)
{
    double worth = to->specific || named_within(to, target) ? 1 : 0;
    out->equal = worth * (name_equal(&from->bare, &to->bare) || name_equal(&from->name, &to->name) ? 1 : 0);
    out->suffix =
        worth * (name_ends_with(&from->bare, &to->bare) || name_ends_with(&from->name, &to->name) ? 1 : 0);
    name_words_t stem_from = from->bare, stem_to = to->bare;
    stem_from.n = stem_from.core;
    stem_to.n = stem_to.core;
    if (out->equal == 0 && worth > 0 && name_equal(&stem_from, &stem_to))
        out->equal = 0.9;
    out->jaccard = worth * max2(name_jaccard(&from->bare, &to->bare), name_jaccard(&from->name, &to->name));
    char a[NAME_WORDS_MAX * NAME_WORD_BYTES], b[NAME_WORDS_MAX * NAME_WORD_BYTES];
    out->crossed = to->name.n >= 2 && to->name.n > to->bare.n && name_equal(&from->bare, &to->name);
    name_join(&from->bare, a, sizeof a);
    name_join(&to->bare, b, sizeof b);
    out->jaro = worth * name_jaro_winkler(a, b);
}

void joins_name_evidence(const dsc_state_t *state, const dsc_column_t *from, const dsc_column_t *to,
                         name_evidence_t *out)
{
    memset(out, 0, sizeof *out);
    if (from->made_up || to->made_up)
        return;
    const dsc_table_t *target = &state->schema->tables[to->table], *own = &state->schema->tables[from->table];
    compare_columns(from, to, target, out);
    compare_table(from, to, target, out);
    /* "customer_email" speaks of customers, but its like in that table is not the key. */
    bool key_column = to->bare.keylike || to->bare.core == 0 || is_code(to) || out->natural > 0 ||
                      name_speaks_of(&to->bare, &target->name) > 0.7;
    if (!key_column)
        out->speaks *= 0.4;
    if (!from->bare.keylike && share_in(from, LEXICON_DESCRIPTIVE, from->bare.n) > 0)
        out->speaks *= 0.5;
    out->labelled = is_labelled(target, from, to);
    out->synonym = key_column ? synonym_score(&from->bare, &target->name) : 0;
    if (from->table != to->table && from->bare.keylike)
        out->own = max2(name_speaks_of(&from->bare, &own->name), from->bare.core == 0 ? 1 : 0);
    out->person = share_in(from, LEXICON_PERSON_ROLE, from->bare.core) > 0 &&
                  schema_table_is(target, LEXICON_PERSON) && !schema_mentions(from, LEXICON_MEASURE);
    out->self_hint = from->table == to->table && schema_mentions(from, LEXICON_SELF);
    out->any = max2(max2(out->equal, 0.95 * out->suffix), out->speaks * (1 - 0.25 * out->unused));
    out->any = max2(out->any, max2(0.65 * out->synonym, 0.6 * out->person));
    out->any = max2(out->any, max2(0.6 * out->self_hint, 0.85 * out->natural));
    out->any = max2(out->any, max2(0.85 * out->crossed, 0.5 * out->labelled));
}

static void name_features(const dsc_state_t *state, const join_candidate_t *join, double *f)
{
    name_evidence_t sum = {0};
    double keylike_from = 0, keylike_to = 0, header = 0, measure = 0;
    for (int i = 0; i < join->n; i++) {
        const dsc_column_t *from = state_column(state, join->from, join->columns[i]);
        const dsc_column_t *to = state_column(state, join->to, join->to_columns[i]);
        name_evidence_t e;
        joins_name_evidence(state, from, to, &e);
        sum.equal += e.equal / join->n;
        sum.suffix += e.suffix / join->n;
        sum.jaccard += e.jaccard / join->n;
        sum.jaro += e.jaro / join->n;
        sum.speaks += e.speaks / join->n;
        sum.unused += e.unused / join->n;
        sum.synonym += e.synonym / join->n;
        sum.own += e.own / join->n;
        sum.person += e.person / join->n;
        sum.self_hint += e.self_hint / join->n;
        sum.headless += e.headless / join->n;
        sum.labelled += e.labelled / join->n;
        sum.natural += e.natural / join->n;
        sum.crossed += e.crossed / join->n;
        keylike_from += (double)from->bare.keylike / join->n;
        keylike_to += (double)to->bare.keylike / join->n;
        header += from->header_share / join->n;
        measure += schema_mentions(from, LEXICON_MEASURE) && !from->bare.keylike ? 1.0 / join->n : 0;
    }
    double no_name = join->name < 0.4;
    f[JF_NAME_EQUAL] = sum.equal;
    f[JF_NAME_SUFFIX] = sum.suffix;
    f[JF_NAME_JACCARD] = sum.jaccard;
    f[JF_NAME_JARO] = sum.jaro;
    f[JF_SPEAKS] = sum.speaks;
    f[JF_SPEAKS_FULLY] = sum.speaks > 0.95 && sum.unused < 0.01;
    f[JF_SYNONYM] = sum.synonym;
    f[JF_FROM_KEYLIKE] = keylike_from;
    f[JF_TO_KEYLIKE] = keylike_to;
    f[JF_SPEAKS_OF_OWN] = sum.own;
    f[JF_BETTER_ALTERNATIVE] = fmax(0, join->alternative - join->name);
    f[JF_HEADER_SHARE] = header;
    f[JF_NAME] = join->name;
    f[JF_UNNAMED] = no_name;
    f[JF_MEASURE] = measure;
    f[JF_PERSON] = sum.person;
    f[JF_SELF_HINT] = sum.self_hint;
    f[JF_CLEAR_ALTERNATIVE] = join->alternative > 0.6 && join->alternative > join->name + 0.05;
    f[JF_SPEAKS_UNUSED] = sum.speaks * sum.unused;
    f[JF_HEADLESS] = sum.headless;
    f[JF_LABELLED] = sum.labelled;
    f[JF_NATURAL] = sum.natural;
    f[JF_CROSSED] = sum.crossed;
}

static void data_features(const dsc_state_t *state, const join_candidate_t *join, double *f)
{
    const dsc_column_t *from = state_column(state, join->from, join->columns[0]);
    const dsc_column_t *to = state_column(state, join->to, join->to_columns[0]);
    const dsc_table_t *source = &state->schema->tables[join->from],
                      *target = &state->schema->tables[join->to];
    bool no_name = join->name < 0.4;
    f[JF_CONTAINMENT] = join->containment;
    f[JF_CONTAINED] = join->containment >= 0.9995;
    f[JF_NOT_CONTAINED] = fmax(0, 0.95 - join->containment) * 4;
    f[JF_REVERSE] = join->reverse;
    f[JF_SURPRISE] = join->surprise / 40;
    f[JF_COINCIDENCE] = join->surprise < 8 && no_name;
    f[JF_DISTANCE] = join->distance < 0 ? 0.12 : join->distance;
    f[JF_FROM_DISTINCT] = log10(1 + from->distinct) / 6;
    f[JF_TO_ROWS] = log10(1 + target->rows) / 6;
    f[JF_ROWS_RATIO] = fmin(3, fmax(-3, log10((1 + source->rows) / (1 + target->rows)))) / 3;
    f[JF_INTEGER] = from->kind == CLASS_INTEGER;
    f[JF_TEXT] = from->kind == CLASS_TEXT;
    f[JF_UNIQUE_SOURCE] = join->unique_source;
    f[JF_UNIQUE_FIRST] = from->index == 0 && join->unique_source && join->n == 1;
    f[JF_NULL_SHARE] = from->null_share;
    f[JF_FEW_VALUES] = from->distinct < 5;
    f[JF_KINDS_DIFFER] = from->kind != to->kind;
    double la = from->p->length_mean, lb = to->p->length_mean;
    f[JF_LENGTHS_DIFFER] = fmin(2, fabs(log((1 + la) / (1 + lb))));
    f[JF_WHOLE_COINCIDENCE] = join->reverse >= 0.9 && join->surprise < 8;
    f[JF_UNNAMED_REVERSE] = no_name * join->reverse;
    f[JF_SURPRISING] = join->surprise >= 20;
    f[JF_BOTH_RUN] = to->density > 0.9 && to->points[0] <= 1 && from->points[0] <= 1;
}

/* "ss_item_sk" and "i_item_sk" end in the same word for a key; "order_number" and "c_customer_sk" do not. */
static bool same_key_word(const dsc_column_t *from, const dsc_column_t *to)
{
    return strcmp(from->bare.word[from->bare.n - 1], to->bare.word[to->bare.n - 1]) == 0;
}

/* The target's key is itself named after another table that has the same key: an extension, not the thing itself. */
static double target_extends(const dsc_state_t *state, const join_candidate_t *join)
{
    const dsc_column_t *to = state_column(state, join->to, join->to_columns[0]);
    double best = 0, own = name_speaks_of(&to->name, &state->schema->tables[join->to].name);
    for (int u = 0; u < state->schema->n_tables && join->n == 1 && to->bare.core > 0; u++) {
        if (u != join->to)
            best = fmax(best, name_speaks_of(&to->name, &state->schema->tables[u].name));
    }
    return fmax(0, best - own);
}

/* Numbers that begin and end where the key does: what is drawn from all of a key looks so, a measure hardly ever. */
static bool ends_agree(const dsc_column_t *from, const dsc_column_t *to)
{
    if (from->kind != CLASS_INTEGER || to->kind != CLASS_INTEGER || !from->has_points || !to->has_points ||
        to->distinct < 20)
        return false;
    double least = to->points[0], most = to->points[SKETCH_POINTS - 1], slack = 0.03 * (most - least);
    return fabs(from->points[SKETCH_POINTS - 1] - most) <= slack && fabs(from->points[0] - least) <= slack;
}

/* How surely a natural key is referred to like a primary one. */
static const double natural_key = 0.9;

static void structure_features(const dsc_state_t *state, const join_candidate_t *join, double *f)
{
    const dsc_column_t *from = state_column(state, join->from, join->columns[0]);
    const dsc_column_t *to = state_column(state, join->to, join->to_columns[0]);
    const table_keys_t *keys = &state->keys[join->to];
    double primary = 0;
    for (int k = 0; k < keys->n; k++) {
        if (keys->list[k].n == join->n && keys->list[k].columns[0] == join->to_columns[0])
            primary = fmax(primary, keys->list[k].p);
    }
    double own_key = 0;
    const table_keys_t *own = &state->keys[join->from];
    for (int k = 0; k < own->n && join->n == 1; k++) {
        if (own->list[k].n == 1 && own->list[k].columns[0] == join->columns[0])
            own_key = own->list[k].p;
    }
    f[JF_TO_PRIMARY] = priors_natural_key(state, join) ? fmax(primary, natural_key) : primary;
    f[JF_TO_FIRST] = to->index == 0;
    f[JF_SELF] = join->from == join->to;
    f[JF_SELF_UNHINTED] = join->from == join->to && f[JF_SELF_HINT] < 0.5;
    f[JF_MADE_UP] = from->made_up || to->made_up;
    f[JF_MADE_UP_SURPRISE] = f[JF_MADE_UP] * join->surprise / 40;
    f[JF_MADE_UP_REVERSE] = f[JF_MADE_UP] * join->reverse;
    f[JF_COMPOSITE] = join->n > 1;
    f[JF_FROM_PRIMARY] = own_key;
    f[JF_FROM_PRIMARY_NAMED] = own_key * (join->alternative < join->name ? 1 : 0);
    f[JF_VACUOUS] = join->vacuous;
    f[JF_VACUOUS_NAME] = join->vacuous * join->name;
    f[JF_DATE] = from->kind == CLASS_DATE;
    f[JF_TO_REPEATS] = join->to_key_unique ? 0 : 1;
    f[JF_RIVAL_LEAD] = fmax(0, join->rival_speaks - join->speaks);
    f[JF_RIVAL_LAG] = join->rival_speaks > 0 ? fmax(0, join->speaks - join->rival_speaks) : 0;
    f[JF_TARGET_EXTENDS] = target_extends(state, join);
    bool keys_named = from->bare.keylike && to->bare.keylike, unnamed = join->name < 0.4;
    f[JF_SAME_KEY_WORD] = keys_named && same_key_word(from, to);
    f[JF_OTHER_KEY_WORD] = keys_named && !same_key_word(from, to);
    f[JF_UNNAMED_OTHER_KEY_WORD] = unnamed * f[JF_OTHER_KEY_WORD];
    f[JF_UNNAMED_STRONG_KEY] =
        unnamed * (from->bare.keylike && lexicon_has(LEXICON_STRONG_KEY, from->bare.word[from->bare.n - 1]));
    f[JF_UNNAMED_SAME_KEY_WORD] = unnamed * f[JF_SAME_KEY_WORD];
    f[JF_UNNAMED_SPECIFIC_COINCIDENCE] = unnamed * from->specific * (join->surprise < 8);
    f[JF_UNNAMED_SPECIFIC_KEY] = unnamed * from->specific * from->bare.keylike;
    bool ends = join->n == 1 && ends_agree(from, to);
    f[JF_ENDS_AGREE] = ends;
    f[JF_ENDS_AGREE_UNNAMED] = ends * unnamed;
    f[JF_LEAST_PART] = join->n > 1 ? join->least_part : 0;
    f[JF_COMBINED] = join->n > 1 ? join->combined / 40 : 0;
    f[JF_COVERED] = join->n > 1 && join->coverage >= 0.9995;
    f[JF_SELF_UNHINTED_SPEAKS] = f[JF_SELF_UNHINTED] * f[JF_SPEAKS];
}

char *joins_describe(const dsc_state_t *state, const char *kind, const join_candidate_t *join)
{
    char *line = nv_printf(state->ctx, "%s\t%d\t%d\t%s\t", kind, join->unique_source + 2 * join->few, join->n,
                           state->schema->tables[join->from].p->name);
    for (int i = 0; i < join->n; i++)
        line = nv_printf(state->ctx, "%s%s%s", line, i ? "," : "",
                         state_column(state, join->from, join->columns[i])->p->name);
    line = nv_printf(state->ctx, "%s\t%s\t", line, state->schema->tables[join->to].p->name);
    for (int i = 0; i < join->n; i++)
        line = nv_printf(state->ctx, "%s%s%s", line, i ? "," : "",
                         state_column(state, join->to, join->to_columns[i])->p->name);
    return nv_printf(state->ctx, "%s\t%.6f", line, join->p);
}

static void emit_features(const dsc_state_t *state, const join_candidate_t *join)
{
    if (state->options->feature_sink == NULL || !state->emit)
        return;
    char *line = joins_describe(state, "join", join);
    for (int i = 0; i < JOIN_FEATURES; i++)
        line = nv_printf(state->ctx, "%s\t%.5g", line, join->features[i]);
    state->options->feature_sink(state->options->feature_arg, line);
}

void joins_score(dsc_state_t *state)
{
    bool export = priors_export(state->schema);
    for (size_t i = 0; i < state->n_joins; i++) {
        join_candidate_t *join = &state->joins[i];
        double *f = join->features;
        memset(f, 0, sizeof join->features);
        f[JF_BIAS] = 1;
        name_features(state, join, f);
        if (!join->vacuous)
            data_features(state, join, f);
        structure_features(state, join, f);
        join->few = export && priors_few(&state->schema->tables[join->to]) && !join->vacuous;
        double score = model_dot(join->unique_source ? model_join_11 : model_join_n1, f, JOIN_FEATURES);
        /* Two opinions of a handful of rows: of all references alike, and of those into so few rows. */
        if (join->few)
            score = (score + model_dot(model_join_few, f, JOIN_FEATURES)) / 2;
        join->p = model_logistic(score);
        emit_features(state, join);
    }
}

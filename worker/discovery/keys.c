/* Primary-key candidates and the choice among them, once from names and values alone, then together with the joins. */
#include "worker/discovery/keys_internal.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "worker/discovery/lexicon.h"
#include "worker/discovery/priors.h"

static const double least_uniqueness = 0.95;

bool key_may_be(const dsc_column_t *column)
{
    if (column->loader || column->kind == CLASS_BOOLEAN || column->kind == CLASS_NONE ||
        column->p->type == NV__VALUE_TYPE__VALUE_TYPE_DOUBLE ||
        column->p->type == NV__VALUE_TYPE__VALUE_TYPE_TIME)
        return false;
    if (column->kind == CLASS_NUMBER && column->p->scale > 0)
        return false;
    return column->kind != CLASS_TEXT || column->p->length_mean <= 80;
}

bool key_same_set(const key_candidate_t *key, const int *columns, int n)
{
    if (key->n != n)
        return false;
    for (int i = 0; i < n; i++) {
        bool found = false;
        for (int j = 0; j < n; j++)
            found = found || key->columns[i] == columns[j];
        if (!found)
            return false;
    }
    return true;
}

bool key_is_chosen(const dsc_state_t *state, int table, const int *columns, int n)
{
    const table_keys_t *keys = &state->keys[table];
    return keys->chosen >= 0 && key_same_set(&keys->list[keys->chosen], columns, n);
}

key_candidate_t *key_add(table_keys_t *keys, int table, const int *columns, int n)
{
    for (int i = 0; i < keys->n; i++) {
        if (key_same_set(&keys->list[i], columns, n))
            return NULL;
    }
    if (keys->n == KEYS_PER_TABLE_MAX)
        return NULL;
    key_candidate_t *key = &keys->list[keys->n++];
    *key = (key_candidate_t){.table = table, .n = n, .uniqueness = 1, .exact = true};
    memcpy(key->columns, columns, sizeof *columns * (size_t)n);
    return key;
}

/* A table that keeps several versions of a thing has a column that dates them. */
static bool has_version_column(const dsc_table_t *table)
{
    for (int c = 0; c < table->n_columns; c++) {
        if (table->columns[c].kind == CLASS_DATE && schema_mentions(&table->columns[c], LEXICON_VERSION))
            return true;
    }
    return false;
}

/* Snapshots: several files that each hold about as many rows as there are things, and together many more. */
static bool is_told_by_each_file(const dsc_table_t *table, const dsc_column_t *column)
{
    int64_t most = 0, least = INT64_MAX;
    for (size_t i = 0; i < table->p->n_files; i++) {
        most = table->p->files[i]->rows > most ? table->p->files[i]->rows : most;
        least = table->p->files[i]->rows < least ? table->p->files[i]->rows : least;
    }
    return table->p->n_files >= 2 && column->distinct >= (double)most &&
           column->distinct <= 1.3 * (double)most && (double)least >= 0.5 * (double)most &&
           table->rows >= 1.5 * column->distinct;
}

static void collect_singles(dsc_state_t *state, int t)
{
    const dsc_table_t *table = &state->schema->tables[t];
    bool versions = has_version_column(table);
    for (int c = 0; c < table->n_columns; c++) {
        const dsc_column_t *column = &table->columns[c];
        bool own = key_names_own(state, column);
        bool by_file = own && column->unique < 0.9 && is_told_by_each_file(table, column);
        double least = by_file ? 0 : own ? (versions ? 0.6 : 0.9) : least_uniqueness;
        if (!key_may_be(column) || column->unique < least || column->null_share > 0.05)
            continue;
        key_candidate_t *key = key_add(&state->keys[t], t, &c, 1);
        if (key == NULL)
            continue;
        double records = fmax(1, fmin(table->records, column->filled));
        key->uniqueness = column->unique;
        key->exact = column->p->distinct_exact;
        key->violations = key->exact ? fmax(0, records - column->distinct) : 0;
        key->null_share = column->null_share;
        key->by_file = by_file;
        if (by_file) {
            key->uniqueness = 1;
            key->violations = 0;
        }
    }
}

static void collect_sets(dsc_state_t *state, int t)
{
    const dsc_table_t *table = &state->schema->tables[t];
    for (size_t i = 0; i < table->p->n_unique_sets; i++) {
        const Nv__CompositeCandidate *set = table->p->unique_sets[i];
        int columns[KEY_MAX];
        bool fits = set->n_columns >= 2 && set->n_columns <= KEY_MAX && set->uniqueness >= least_uniqueness;
        for (size_t j = 0; fits && j < set->n_columns; j++) {
            columns[j] = schema_find_column(table, set->columns[j]);
            fits = columns[j] >= 0 && key_may_be(&table->columns[columns[j]]);
        }
        key_candidate_t *key = fits ? key_add(&state->keys[t], t, columns, (int)set->n_columns) : NULL;
        if (key == NULL)
            continue;
        key->uniqueness = set->uniqueness;
        key->exact = set->exact;
        key->violations = round((1 - set->uniqueness) * table->records);
        for (int j = 0; j < key->n; j++)
            key->null_share = fmax(key->null_share, table->columns[columns[j]].null_share);
    }
}

/* An empty table shows nothing but names. */
static void collect_named(dsc_state_t *state, int t)
{
    const dsc_table_t *table = &state->schema->tables[t];
    int columns[KEY_MAX], n = 0;
    for (int c = 0; c < table->n_columns; c++) {
        if (key_names_own(state, &table->columns[c]) || c == 0)
            key_add(&state->keys[t], t, &c, 1);
        if (table->columns[c].bare.keylike && n < KEY_MAX)
            columns[n++] = c;
    }
    if (n >= 2)
        key_add(&state->keys[t], t, columns, n);
}

void keys_collect(dsc_state_t *state)
{
    for (int t = 0; t < state->schema->n_tables; t++) {
        state->keys[t].chosen = -1;
        if (state->schema->tables[t].rows > 0) {
            collect_singles(state, t);
            collect_sets(state, t);
        } else {
            collect_named(state, t);
        }
    }
}

static void emit_key(const dsc_state_t *state, int t, const key_candidate_t *key, bool joined,
                     const double *f, double p)
{
    if (state->options->feature_sink == NULL || !state->emit)
        return;
    char *line = nv_printf(state->ctx, "key\t%d\t%s\t", joined, state->schema->tables[t].p->name);
    for (int i = 0; key != NULL && i < key->n; i++)
        line = nv_printf(state->ctx, "%s%s%s", line, i ? "," : "",
                         state_column(state, t, key->columns[i])->p->name);
    line = nv_printf(state->ctx, "%s\t%.6f", line, p);
    for (int i = 0; i < KEY_FEATURES; i++)
        line = nv_printf(state->ctx, "%s\t%.5g", line, f[i]);
    state->options->feature_sink(state->options->feature_arg, line);
}

/* Counts the rows of a header from one, zero or ten on, and references nothing: a line number. */
static bool is_counter(const dsc_state_t *state, const dsc_column_t *column)
{
    return column->kind == CLASS_INTEGER && column->has_points && column->points[0] >= 0 &&
           column->points[0] <= 10 && schema_mentions(column, LEXICON_SEQUENCE) &&
           key_strongest_out(state, column->table, column->index) < 0.5;
}

static int count_counters(const dsc_state_t *state, const key_candidate_t *key)
{
    int n = 0;
    for (int i = 0; i < key->n; i++)
        n += is_counter(state, state_column(state, key->table, key->columns[i]));
    return n;
}

/* A header and the number that counts within it are the key of its lines: (order, line) with a few dirty rows rather than (order, line,
 * product), which merely hides them; and (order, line) rather than (order, product), which some orders repeat. */
static void prefer_counted_set(const dsc_state_t *state, table_keys_t *keys)
{
    key_candidate_t *key = keys->chosen >= 0 ? &keys->list[keys->chosen] : NULL;
    for (int k = 0; key != NULL && key->n >= 2 && k < keys->n; k++) {
        key_candidate_t *other = &keys->list[k];
        int shared = key_shared(key, other);
        bool smaller = other->n >= 2 && other->n < key->n && shared == other->n && other->uniqueness >= 0.99;
        bool instead = other->n == key->n && shared == key->n - 1 && key->violations > 0 &&
                       other->violations <= 0 && count_counters(state, key) == 0 &&
                       state->schema->tables[key->table].records >= 20;
        if ((!smaller && !instead) || count_counters(state, other) != 1)
            continue;
        other->p += key->p;
        key->p = 0;
        keys->chosen = k;
        return;
    }
}

/* "semester" is no time without its year: what identifies with the one alone does so in these rows only. */
static void prefer_whole_time(const dsc_state_t *state, table_keys_t *keys)
{
    key_candidate_t *key = keys->chosen >= 0 ? &keys->list[keys->chosen] : NULL;
    if (key == NULL || key->n < 2 || key->n == KEY_MAX)
        return;
    int columns[KEY_MAX],
        year = priors_missing_year(&state->schema->tables[key->table], key->columns, key->n);
    memcpy(columns, key->columns, sizeof columns);
    columns[key->n] = year;
    for (int k = 0; year >= 0 && k < keys->n; k++) {
        if (!key_same_set(&keys->list[k], columns, key->n + 1))
            continue;
        keys->list[k].p += key->p;
        key->p = 0;
        keys->chosen = k;
        return;
    }
}

static void score_table(dsc_state_t *state, int t, const double *weights, bool joined)
{
    table_keys_t *keys = &state->keys[t];
    double scores[KEYS_PER_TABLE_MAX + 1];
    key_features_fill(state, t, joined);
    for (int k = 0; k < keys->n; k++)
        scores[k] = model_dot(weights, keys->list[k].features, KEY_FEATURES);
    scores[keys->n] = model_dot(weights, keys->none_features, KEY_FEATURES);
    priors_of_keys(state, t, scores);
    model_softmax(scores, (size_t)keys->n + 1);
    keys->p_none = scores[keys->n];
    keys->chosen = -1;
    /* Several sets may be equally good keys: the question is first whether there is any, then which. */
    double best = 0;
    for (int k = 0; k < keys->n; k++) {
        keys->list[k].p = scores[k];
        emit_key(state, t, &keys->list[k], joined, keys->list[k].features, scores[k]);
        if (scores[k] > best && keys->p_none < 0.5) {
            best = scores[k];
            keys->chosen = k;
        }
    }
    emit_key(state, t, NULL, joined, keys->none_features, keys->p_none);
    prefer_counted_set(state, keys);
    prefer_whole_time(state, keys);
}

void keys_score(dsc_state_t *state, bool with_joins)
{
    for (int t = 0; t < state->schema->n_tables; t++)
        score_table(state, t, with_joins ? model_key_joined : model_key_alone, with_joins);
}

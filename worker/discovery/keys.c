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

static bool speaks_of_own_table(const dsc_state_t *state, const dsc_column_t *column)
{
    const dsc_table_t *table = &state->schema->tables[column->table];
    return column->bare.keylike &&
           (column->bare.core == 0 || name_speaks_of(&column->bare, &table->name) >= 0.75 ||
            name_speaks_of(&column->name, &table->name) >= 0.75);
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
        bool own = speaks_of_own_table(state, column);
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
        if (speaks_of_own_table(state, &table->columns[c]) || c == 0)
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

/* Strongest join out of a column to another table. */
double key_strongest_out(const dsc_state_t *state, int table, int column)
{
    double best = 0;
    for (size_t i = 0; i < state->n_joins; i++) {
        const join_candidate_t *join = &state->joins[i];
        if (join->from != table || join->to == table)
            continue;
        for (int k = 0; k < join->n; k++) {
            if (join->columns[k] == column)
                best = fmax(best, join->p);
        }
    }
    return best;
}

static double strongest_in(const dsc_state_t *state, const key_candidate_t *key)
{
    double best = 0;
    for (size_t i = 0; i < state->n_joins; i++) {
        const join_candidate_t *join = &state->joins[i];
        if (join->to == key->table && join->n == key->n && join->from != key->table &&
            key_same_set(key, join->to_columns, join->n))
            best = fmax(best, join->p);
    }
    return best;
}

/* Strongest composite join out of just these columns: a return line is identified by the sale line it belongs to. */
static double strongest_composite_out(const dsc_state_t *state, const key_candidate_t *key)
{
    double best = 0;
    for (size_t i = 0; i < state->n_joins; i++) {
        const join_candidate_t *join = &state->joins[i];
        if (join->from == key->table && join->n == key->n && key_same_set(key, join->columns, join->n))
            best = fmax(best, join->p);
    }
    return best;
}

bool key_names_other(const dsc_state_t *state, const dsc_column_t *column)
{
    for (int u = 0; u < state->schema->n_tables; u++) {
        if (u != column->table && name_speaks_of(&column->bare, &state->schema->tables[u].name) >= 0.8)
            return true;
    }
    return false;
}

static void column_features(const dsc_state_t *state, const key_candidate_t *key, double *f)
{
    const dsc_table_t *table = &state->schema->tables[key->table];
    double share = 1.0 / key->n, position = 0;
    int foreign = 0;
    for (int i = 0; i < key->n; i++) {
        const dsc_column_t *column = &table->columns[key->columns[i]];
        bool strong =
            column->bare.keylike && lexicon_has(LEXICON_STRONG_KEY, column->bare.word[column->bare.n - 1]);
        position += share * key->columns[i] / fmax(1, table->n_columns - 1);
        f[KF_KEYLIKE] += share * column->bare.keylike;
        f[KF_STRONG_KEY_WORD] += share * strong;
        f[KF_INTEGERS] += share * (column->kind == CLASS_INTEGER);
        f[KF_LONG_TEXTS] += share * (column->kind == CLASS_TEXT && column->p->length_mean > 20 &&
                                     strcmp(column->p->semantic, "uuid") != 0);
        f[KF_DATES] += share * (column->kind == CLASS_DATE);
        f[KF_MEASURES] += share * (!column->bare.keylike && schema_mentions(column, LEXICON_MEASURE));
        f[KF_DESCRIPTIVE] += share * (!column->bare.keylike && schema_mentions(column, LEXICON_DESCRIPTIVE));
        bool out = key_names_other(state, column) && !speaks_of_own_table(state, column);
        f[KF_NAMES_OTHER] += share * out;
        f[KF_SEQUENCE] = fmax(f[KF_SEQUENCE], key->n > 1 && schema_mentions(column, LEXICON_SEQUENCE));
        f[KF_REFERS] += share * key->out[i];
        foreign += key->out[i] >= 0.5;
    }
    f[KF_POSITION] = position;
    f[KF_SINGLE_NAMES_OTHER] = key->n == 1 ? f[KF_NAMES_OTHER] : 0;
    f[KF_ALL_REFER] = key->n > 1 && foreign == key->n;
    f[KF_SINGLE_REFERS] = key->n == 1 ? f[KF_REFERS] : 0;
    f[KF_SEQUENCE_REFERS] = key->n > 1 ? f[KF_SEQUENCE] * f[KF_REFERS] : 0;
    f[KF_DESCRIBES] = key->n > 1 ? f[KF_MEASURES] + f[KF_DESCRIPTIVE] : 0;
    f[KF_UNRELATED] = key->n > 1 && foreign == 0 && f[KF_NAMES_OTHER] < 0.01;
}

/* A smaller set is as good as unique: what was added to it only hides dirt. */
static bool contains_smaller(const table_keys_t *keys, const key_candidate_t *key)
{
    for (int k = 0; k < keys->n; k++) {
        const key_candidate_t *other = &keys->list[k];
        int inside = 0;
        for (int i = 0; i < other->n; i++) {
            for (int j = 0; j < key->n; j++)
                inside += other->columns[i] == key->columns[j];
        }
        if (other->n < key->n && inside == other->n && other->uniqueness >= 0.97)
            return true;
    }
    return false;
}

/* What makes an only nearly unique smaller set a key: a number that counts within it (then it belongs there), or anything else (then
 * it only hides dirt). */
static void read_additions(const dsc_state_t *state, const table_keys_t *keys, const key_candidate_t *key,
                           double *f)
{
    for (int k = 0; k < keys->n; k++) {
        const key_candidate_t *other = &keys->list[k];
        int inside = 0, counting = 0;
        for (int j = 0; j < key->n; j++) {
            bool found = false;
            for (int i = 0; i < other->n; i++)
                found = found || other->columns[i] == key->columns[j];
            inside += found;
            counting +=
                !found && schema_mentions(state_column(state, key->table, key->columns[j]), LEXICON_SEQUENCE);
        }
        if (other->n >= key->n || inside != other->n || other->violations <= 0 || other->uniqueness < 0.97)
            continue;
        f[KF_ADDS_COUNTER] = fmax(f[KF_ADDS_COUNTER], counting > 0 && other->uniqueness < 0.9995);
        f[KF_ADDS_OTHER] = fmax(f[KF_ADDS_OTHER], counting == 0);
    }
}

static int shared_columns(const key_candidate_t *a, const key_candidate_t *b)
{
    int n = 0;
    for (int i = 0; i < a->n; i++) {
        for (int j = 0; j < b->n; j++)
            n += a->columns[i] == b->columns[j];
    }
    return n;
}

/* Does the other table have a column of every name in the set? Lines, returns and attendances repeat what identifies their parent. */
bool key_repeats_names(const dsc_table_t *table, const dsc_table_t *other, const int *columns, int n)
{
    for (int i = 0; i < n; i++) {
        bool found = false;
        for (int c = 0; c < other->n_columns && !found; c++)
            found = other->columns[c].header == table->columns[columns[i]].header;
        if (!found)
            return false;
    }
    return true;
}

static int count_repeats(const dsc_state_t *state, const key_candidate_t *key)
{
    const dsc_table_t *table = &state->schema->tables[key->table];
    int repeats = 0;
    for (int u = 0; u < state->schema->n_tables && key->n > 1 && !table->made_up; u++)
        repeats +=
            u != key->table && key_repeats_names(table, &state->schema->tables[u], key->columns, key->n);
    return repeats;
}

/* What its names say about a set of columns: do other tables repeat it, or repeat more than it; does it hold a date's key? */
static void repeat_features(const dsc_state_t *state, const table_keys_t *keys, const key_candidate_t *key,
                            double *f)
{
    f[KF_REPEATED] = fmin(key->repeats, 3) / 3;
    for (int k = 0; k < keys->n && key->repeats > 0; k++) {
        const key_candidate_t *other = &keys->list[k];
        if (other->n > key->n && shared_columns(key, other) == key->n)
            f[KF_INSIDE_REPEATED] = fmax(f[KF_INSIDE_REPEATED], fmin(other->repeats, 3) / 3);
    }
    for (int i = 0; i < key->n && key->n > 1; i++) {
        const dsc_column_t *column = state_column(state, key->table, key->columns[i]);
        const char *noun = column->bare.core > 0 ? column->bare.word[column->bare.core - 1] : "";
        f[KF_DATE_KEY] += (strcmp(noun, "date") == 0 || strcmp(noun, "time") == 0) && column->bare.keylike;
    }
    f[KF_COMPOSITE_REFERS_WIDE] = key->n > 1 ? fmax(0, key->n - 2) * (f[KF_COMPOSITE_REFERS] > 0.5) : 0;
}

static void key_features(const dsc_state_t *state, const key_candidate_t *key, const table_keys_t *keys,
                         double *f)
{
    const dsc_table_t *table = &state->schema->tables[key->table];
    const dsc_column_t *first = &table->columns[key->columns[0]];
    memset(f, 0, sizeof key->features);
    bool prefix = true;
    for (int i = 0; i < key->n; i++)
        prefix = prefix && key->columns[i] < key->n;
    f[KF_BIAS] = 1;
    f[KF_VIOLATED] = key->violations > 0;
    f[KF_VIOLATIONS] = fmin(1, key->violations / fmax(1, table->records) * 5);
    f[KF_NULLS] = key->null_share > 0;
    f[KF_PREFIX] = prefix;
    f[KF_PLAIN_KEY_WORD] = key->n == 1 && first->bare.core == 0 && first->bare.keylike;
    f[KF_OWN_NAME] = key->n == 1 && speaks_of_own_table(state, first);
    column_features(state, key, f);
    f[KF_EXTRA_COLUMNS] = key->n - 1;
    f[KF_ROWS] = log10(1 + table->rows) / 6;
    f[KF_FEW_ROWS_UNKEYLIKE] = table->rows < 10 && key->n == 1 && !first->bare.keylike;
    f[KF_CANDIDATES] = log(1 + keys->n);
    f[KF_REFERENCED] = key->referenced;
    f[KF_RUNS] = key->n == 1 && first->kind == CLASS_INTEGER && first->density > 0.9;
    f[KF_ALL_COLUMNS] = key->n == table->n_columns;
    f[KF_MADE_UP_FIRST] = first->made_up && key->n == 1 && key->columns[0] == 0;
    f[KF_SINGLE] = key->n == 1;
    f[KF_CONSTANT_WIDTH] = key->n == 1 && first->p->constant_width;
    f[KF_FEW_ROWS] = table->rows < 10;
    f[KF_SINGLE_FIRST] = key->n == 1 && first->index == 0;
    f[KF_PREFIX_NAMES_OTHER] = key->n > 1 && prefix ? f[KF_NAMES_OTHER] : 0;
    f[KF_EMPTY] = table->rows <= 0;
    f[KF_CONTAINS_SMALLER] = contains_smaller(keys, key);
    f[KF_EMPTY_COMPOSITE] = table->rows <= 0 && key->n > 1;
    f[KF_EMPTY_NAMES_OTHER] = f[KF_EMPTY_COMPOSITE] * f[KF_NAMES_OTHER];
    f[KF_DATED_REFERENCE] = key->n > 1 && f[KF_DATES] > 0 && f[KF_NAMES_OTHER] > 0;
    f[KF_OWN_NAME_UNIQUE] = key->n == 1 ? f[KF_OWN_NAME] * (first->unique >= 0.9995) : 0;
    f[KF_KEYLIKE_PREFIX] = key->n > 1 ? f[KF_KEYLIKE] * f[KF_PREFIX] : 0;
    f[KF_COMPOSITE_REFERS] = key->composite_out;
    read_additions(state, keys, key, f);
    repeat_features(state, keys, key, f);
    f[KF_HEADER_SHARE] = key->n == 1 && first->bare.core > 0 ? first->header_share : 0;
    f[KF_HEADER_SHARE_POSITION] = f[KF_HEADER_SHARE] * f[KF_POSITION];
}

static void none_features(const dsc_state_t *state, int t, double *f)
{
    const dsc_table_t *table = &state->schema->tables[t];
    const table_keys_t *keys = &state->keys[t];
    memset(f, 0, sizeof(double) * KEY_FEATURES);
    bool single = false, keylike = false;
    for (int k = 0; k < keys->n; k++) {
        single = single || keys->list[k].n == 1;
        keylike = keylike ||
                  (keys->list[k].n == 1 && state_column(state, t, keys->list[k].columns[0])->bare.keylike);
    }
    f[KF_NONE] = 1;
    f[KF_NONE_ROWS] = log10(1 + table->rows) / 6;
    f[KF_NONE_FEW_ROWS] = table->rows < 10;
    f[KF_NONE_NO_SINGLE] = !single;
    f[KF_NONE_NO_KEYLIKE] = single && !keylike;
    f[KF_NONE_LOG] = schema_table_is(table, LEXICON_LOG);
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
        int shared = shared_columns(key, other);
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
    for (int k = 0; k < keys->n; k++) {
        key_candidate_t *key = &keys->list[k];
        key->referenced = joined ? strongest_in(state, key) : 0;
        for (int i = 0; i < key->n; i++)
            key->out[i] = joined ? key_strongest_out(state, t, key->columns[i]) : 0;
        key->composite_out = joined && key->n > 1 ? strongest_composite_out(state, key) : 0;
        key->repeats = count_repeats(state, key);
    }
    for (int k = 0; k < keys->n; k++) {
        key_candidate_t *key = &keys->list[k];
        key_features(state, key, keys, key->features);
        scores[k] = model_dot(weights, key->features, KEY_FEATURES);
    }
    none_features(state, t, keys->none_features);
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

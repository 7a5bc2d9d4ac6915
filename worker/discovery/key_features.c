/* What the model of keys sees of a table's candidates: names, types and place, what refers to them and what they refer to, and whether
 * chance alone could have kept them from repeating. */
#include "worker/discovery/keys_internal.h"

#include <math.h>
#include <string.h>

#include "worker/discovery/chance.h"
#include "worker/discovery/lexicon.h"

bool key_names_own(const dsc_state_t *state, const dsc_column_t *column)
{
    const dsc_table_t *table = &state->schema->tables[column->table];
    return column->bare.keylike &&
           (column->bare.core == 0 || name_speaks_of(&column->bare, &table->name) >= 0.75 ||
            name_speaks_of(&column->name, &table->name) >= 0.75);
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

bool key_may_be_accident(const dsc_state_t *state, const key_candidate_t *key)
{
    static const double possible = 0.05;
    const dsc_column_t *column = state_column(state, key->table, key->columns[0]);
    return key->n == 1 && !key_names_own(state, column) &&
           (key_names_other(state, column) || key_strongest_out(state, key->table, column->index) >= 0.5) &&
           exp(-chance_repeats(state, key)) >= possible;
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
        bool out = key_names_other(state, column) && !key_names_own(state, column);
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

int key_shared(const key_candidate_t *a, const key_candidate_t *b)
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
        if (other->n > key->n && key_shared(key, other) == key->n)
            f[KF_INSIDE_REPEATED] = fmax(f[KF_INSIDE_REPEATED], fmin(other->repeats, 3) / 3);
    }
    for (int i = 0; i < key->n && key->n > 1; i++) {
        const dsc_column_t *column = state_column(state, key->table, key->columns[i]);
        const char *noun = column->bare.core > 0 ? column->bare.word[column->bare.core - 1] : "";
        f[KF_DATE_KEY] += (strcmp(noun, "date") == 0 || strcmp(noun, "time") == 0) && column->bare.keylike;
    }
    f[KF_COMPOSITE_REFERS_WIDE] = key->n > 1 ? fmax(0, key->n - 2) * (f[KF_COMPOSITE_REFERS] > 0.5) : 0;
}

static double share_of_scale(double repeats)
{
    static const double certain = 12; /* bits */
    return fmax(-0.5, fmin(1, log2(repeats) / certain));
}

/* Refers to another table, or is named as if it did. */
static bool is_reference(const dsc_state_t *state, const dsc_column_t *column)
{
    return column->bare.keylike && !key_names_own(state, column) &&
           (key_names_other(state, column) || key_strongest_out(state, column->table, column->index) >= 0.5);
}

static int count_references(const dsc_state_t *state, int t)
{
    const dsc_table_t *table = &state->schema->tables[t];
    int n = 0;
    for (int c = 0; c < table->n_columns; c++)
        n += is_reference(state, &table->columns[c]);
    return n;
}

/* An id by its name, by the tool that made it up, or because it grows from row to row. */
static bool is_own_id(const dsc_state_t *state, const key_candidate_t *key)
{
    const dsc_column_t *column = state_column(state, key->table, key->columns[0]);
    bool grows = column->kind == CLASS_INTEGER && column->p->monotonic && column->bare.keylike &&
                 !key_names_other(state, column);
    return column->loader_id || grows || key_names_own(state, column);
}

/* Is the set unique although chance would have made it repeat, or may it be unique by accident? */
static void chance_features(const dsc_state_t *state, const table_keys_t *keys, const key_candidate_t *key,
                            double *f)
{
    const dsc_table_t *table = &state->schema->tables[key->table];
    const dsc_column_t *first = &table->columns[key->columns[0]];
    double repeats = key->repeats_by_chance, accident = exp(-repeats);
    if (key->n == 1) {
        f[KF_SINGLE_ACCIDENT] = repeats > 0 ? accident : 0;
        f[KF_SINGLE_SURPRISE] = share_of_scale((1 + repeats) / (1 + key->violations));
        double refers = fmax(f[KF_SINGLE_REFERS], f[KF_SINGLE_NAMES_OTHER]);
        f[KF_SINGLE_REFERS_ACCIDENT] = refers * accident;
        f[KF_SINGLE_AMONG_REFERENCES] =
            refers * fmin(1, (keys->references - is_reference(state, first)) / 2.0);
        f[KF_SINGLE_AMONG_REFERENCES_ACCIDENT] = f[KF_SINGLE_AMONG_REFERENCES] * accident;
        f[KF_MONOTONIC] = first->kind == CLASS_INTEGER && first->p->monotonic && table->records > 2;
        return;
    }
    double combinations = 1;
    for (int i = 0; i < key->n; i++)
        combinations *= fmax(1, table->columns[key->columns[i]].distinct);
    f[KF_REPEATS_EXPECTED] = share_of_scale(1 + repeats);
    f[KF_ACCIDENT] = accident;
    f[KF_SURPRISE] = share_of_scale((1 + repeats) / (1 + key->violations));
    f[KF_GRID] = fmin(1, table->records / combinations);
    f[KF_MEASURES_ACCIDENT] = (f[KF_MEASURES] + f[KF_DESCRIPTIVE]) * accident;
    f[KF_DATES_ACCIDENT] = f[KF_DATES] * accident;
    for (int k = 0; k < keys->n; k++) {
        const key_candidate_t *part = &keys->list[k];
        if (part->n >= key->n || part->violations > 0 || key_shared(part, key) != part->n)
            continue;
        f[KF_AROUND_OWN] = fmax(f[KF_AROUND_OWN], part->n == 1 && is_own_id(state, part));
        f[KF_AROUND_ACCIDENT] = fmax(f[KF_AROUND_ACCIDENT], exp(-part->repeats_by_chance));
        f[KF_AROUND_KEY] = fmax(f[KF_AROUND_KEY], share_of_scale(1 + part->repeats_by_chance));
    }
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
    f[KF_OWN_NAME] = key->n == 1 && key_names_own(state, first);
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
    chance_features(state, keys, key, f);
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

/* What the joins found so far and the names of other tables say of a candidate. */
static void read_surroundings(const dsc_state_t *state, key_candidate_t *key, bool joined)
{
    key->referenced = joined ? strongest_in(state, key) : 0;
    for (int i = 0; i < key->n; i++)
        key->out[i] = joined ? key_strongest_out(state, key->table, key->columns[i]) : 0;
    key->composite_out = joined && key->n > 1 ? strongest_composite_out(state, key) : 0;
    key->repeats = count_repeats(state, key);
    key->repeats_by_chance = chance_repeats(state, key);
}

void key_features_fill(const dsc_state_t *state, int table, bool joined)
{
    table_keys_t *keys = &state->keys[table];
    keys->references = count_references(state, table);
    for (int k = 0; k < keys->n; k++)
        read_surroundings(state, &keys->list[k], joined);
    for (int k = 0; k < keys->n; k++)
        key_features(state, &keys->list[k], keys, keys->list[k].features);
    none_features(state, table, keys->none_features);
}

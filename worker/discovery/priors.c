#include "worker/discovery/priors.h"

#include <string.h>

#include "worker/discovery/keys_internal.h"
#include "worker/discovery/lexicon.h"
#include "worker/discovery/priors_internal.h"

/* In units of the models' scores (log odds). */
static const double key_step = 3, role_step = 3;

bool priors_few(const dsc_table_t *table)
{
    return table->records <= PRIORS_FEW_RECORDS;
}

bool priors_export(const dsc_schema_t *schema)
{
    int few = 0;
    for (int t = 0; t < schema->n_tables; t++)
        few += priors_few(&schema->tables[t]);
    return few * 10 >= schema->n_tables * 8;
}

static bool ends_as_history(const dsc_table_t *table)
{
    return table->name.n > 0 && lexicon_has(LEXICON_HISTORY, table->name.word[table->name.n - 1]);
}

/* "plan_history" keeps plans. */
name_words_t priors_thing(const dsc_table_t *table)
{
    name_words_t name = table->name;
    if (name.n > 1 && ends_as_history(table))
        name.n--;
    name.core = name.n;
    return name;
}

double priors_names_thing(const dsc_column_t *column, const dsc_table_t *table)
{
    name_words_t thing = priors_thing(table);
    return name_speaks_of(&column->bare, &thing);
}

bool priors_names_own(const dsc_state_t *state, const dsc_column_t *column)
{
    return column->bare.keylike &&
           (column->bare.core == 0 ||
            priors_names_thing(column, &state->schema->tables[column->table]) >= 0.75);
}

bool priors_names_other(const dsc_state_t *state, const dsc_column_t *column)
{
    for (int u = 0; u < state->schema->n_tables && !column->made_up; u++) {
        if (u != column->table && priors_names_thing(column, &state->schema->tables[u]) >= 0.8)
            return true;
    }
    return false;
}

static bool is_word_of_table(const dsc_table_t *table, const dsc_column_t *column)
{
    for (int i = 0; i < table->name.n; i++) {
        for (int k = 0; k < column->bare.core; k++) {
            if (name_word_similarity(column->bare.word[k], table->name.word[i]) >= 0.99)
                return true;
        }
    }
    return false;
}

/* "category", "type_id", "is_primary": says how two things are linked, and is no thing itself. */
static bool qualifies_link(const dsc_column_t *column)
{
    return schema_mentions(column, LEXICON_LINK_QUALIFIER) || column->kind == CLASS_BOOLEAN ||
           column->kind == CLASS_NONE;
}

/* "user_id", or what a join found; "group_name" in user_group. */
static bool is_end_of_link(const dsc_state_t *state, const dsc_column_t *column)
{
    const dsc_table_t *table = &state->schema->tables[column->table];
    if (column->kind == CLASS_DATE || column->kind == CLASS_BOOLEAN || column->kind == CLASS_NUMBER)
        return false;
    bool keylike = column->bare.keylike && column->bare.core > 0;
    return key_strongest_out(state, column->table, column->index) >= 0.5 ||
           (keylike && (priors_names_other(state, column) || is_word_of_table(table, column))) ||
           (is_word_of_table(table, column) && column->bare.n == 2 &&
            strcmp(column->bare.word[1], "name") == 0 && table->name.n >= 2);
}

/* "index", "line_number": a small whole number that is named for nothing but counting. */
static bool counts_rows(const dsc_column_t *column)
{
    static const char *const words[] = {"index", "idx", "line", "seq", "sequence", "ordinal", "position"};
    bool counts = false;
    for (size_t i = 0; i < sizeof words / sizeof words[0] && column->bare.n > 0; i++)
        counts = counts || strcmp(column->bare.word[0], words[i]) == 0;
    return counts && column->bare.n <= 2 && column->kind == CLASS_INTEGER && column->has_points &&
           column->points[0] >= 0 && column->points[0] <= 1;
}

prior_shape_t priors_shape(const dsc_state_t *state, int t)
{
    const dsc_table_t *table = &state->schema->tables[t];
    prior_shape_t shape = {.history = ends_as_history(table), .counter = -1, .version = -1};
    int attributes = 0, measures = 0, dates = 0;
    for (int c = 0; c < table->n_columns; c++) {
        const dsc_column_t *column = &table->columns[c];
        bool own = priors_names_own(state, column) && key_strongest_out(state, t, c) < 0.5;
        if (column->loader && shape.n_leading == 0)
            shape.n_leading = c;
        shape.own_id = shape.own_id || own || column->loader_id;
        if (column->loader || own || column->loader_id)
            continue;
        if (shape.version < 0 && shape.history && column->kind == CLASS_DATE && column->null_share <= 0 &&
            schema_mentions(column, LEXICON_VERSION))
            shape.version = c;
        if (shape.counter < 0 && counts_rows(column))
            shape.counter = c;
        if (is_end_of_link(state, column)) {
            if (shape.n_references < KEY_MAX)
                shape.references[shape.n_references] = c;
            shape.n_references++;
            shape.n_named += is_word_of_table(table, column);
        } else if (!qualifies_link(column)) {
            attributes++;
            dates += column->kind == CLASS_DATE;
            measures += column->kind == CLASS_NUMBER || schema_mentions(column, LEXICON_ADDITIVE);
        }
    }
    if (shape.own_id || shape.n_references == 0)
        shape.counter = -1;
    shape.link = !table->made_up && !shape.own_id && shape.n_references >= 2 && attributes <= 1 &&
                 measures == 0 && (dates == 0 || shape.n_named >= 2 || !shape.history);
    shape.n_leading = shape.n_leading <= KEY_MAX ? shape.n_leading : 0;
    return shape;
}

static bool is_set(const key_candidate_t *key, const int *columns, int n)
{
    return n <= KEY_MAX && key_same_set(key, columns, n);
}

/* Just the columns before those of the loader. */
static bool leads(const prior_shape_t *shape, const key_candidate_t *key)
{
    bool all = key->n == shape->n_leading && key->n > 1;
    for (int i = 0; i < key->n; i++)
        all = all && key->columns[i] < shape->n_leading;
    return all;
}

static int count_dates(const dsc_state_t *state, const key_candidate_t *key)
{
    int dates = 0;
    for (int i = 0; i < key->n; i++)
        dates += state_column(state, key->table, key->columns[i])->kind == CLASS_DATE;
    return dates;
}

/* The ends of a link; in a record of links with the time of the version. */
static bool is_ends(const prior_shape_t *shape, const key_candidate_t *key)
{
    int columns[KEY_MAX + 1], n = shape->n_references;
    if (n > KEY_MAX)
        return false;
    memcpy(columns, shape->references, sizeof *columns * (size_t)n);
    if (shape->version >= 0)
        columns[n++] = shape->version;
    return is_set(key, columns, n);
}

/* "candidate_id" with the "index" that counts within it. */
static bool is_counted(const dsc_state_t *state, const prior_shape_t *shape, const key_candidate_t *key)
{
    bool counter = false, reference = false;
    for (int i = 0; i < key->n; i++) {
        counter = counter || key->columns[i] == shape->counter;
        reference = reference || (key->columns[i] != shape->counter &&
                                  is_end_of_link(state, state_column(state, key->table, key->columns[i])));
    }
    return key->n == 2 && shape->counter >= 0 && counter && reference;
}

/* What identifies in a handful of rows: the ends of a link; an id, or what is referred to, with the time of the version. */
static double key_shift(const dsc_state_t *state, const prior_shape_t *shape, const key_candidate_t *key)
{
    const dsc_column_t *first = state_column(state, key->table, key->columns[0]);
    int dates = count_dates(state, key);
    double shift = 0;
    if (shape->link && is_ends(shape, key))
        return 1.5 * key_step;
    if (leads(shape, key) && (!shape->own_id || shape->history))
        return key_step;
    if (key->n == 1 && !priors_names_own(state, first) && !first->loader_id) {
        bool reference = priors_names_other(state, first) || key->out[0] >= 0.5;
        shift -= reference && (shape->link || shape->history || shape->own_id || shape->counter >= 0)
                     ? key_step
                     : 0;
        shift -=
            dates > 0 || (!first->bare.keylike && !reference && first->kind != CLASS_TEXT) ? key_step : 0;
    }
    /* "application_id" in application_history: the same thing again in each version. */
    shift -= key->n == 1 && shape->version >= 0 && first->bare.keylike && first->bare.core > 0 &&
                     priors_names_own(state, first)
                 ? key_step
                 : 0;
    shift -= key->n == 1 && key->violations > 0 ? key_step : 0;
    if (is_counted(state, shape, key))
        return key_step;
    if (key->n > 1 && dates == key->n)
        shift -= key_step;
    /* The first column says what a record of changes tells of. */
    bool of_first = (key->columns[0] == 0 || key->columns[1] == 0) &&
                    state_column(state, key->table, 0)->kind != CLASS_DATE;
    if (key->n > 1 && dates == 1 && shape->history)
        shift += of_first ? key_step : key_step / 2;
    return shift;
}

static bool is_year(const dsc_column_t *column)
{
    for (int i = 0; i < column->bare.n; i++) {
        if (strcmp(column->bare.word[i], "year") == 0)
            return column->kind == CLASS_INTEGER && column->null_share <= 0;
    }
    return false;
}

int priors_missing_year(const dsc_table_t *table, const int *columns, int n)
{
    bool part = false;
    for (int i = 0; i < n; i++) {
        const dsc_column_t *column = &table->columns[columns[i]];
        if (is_year(column) || column->kind == CLASS_DATE)
            return -1;
        part = part || schema_mentions(column, LEXICON_WITHIN_YEAR);
    }
    for (int c = 0; part && c < table->n_columns; c++) {
        if (is_year(&table->columns[c]))
            return c;
    }
    return -1;
}

/* "id", first of all columns, in every row and in none twice, says of itself that it is the key, however long its texts. */
static bool is_plain_id(const dsc_state_t *state, const key_candidate_t *key)
{
    const dsc_column_t *first = state_column(state, key->table, key->columns[0]);
    return key->n == 1 && first->index == 0 && first->bare.keylike && first->bare.core == 0 &&
           lexicon_has(LEXICON_STRONG_KEY, first->bare.word[first->bare.n - 1]) && key->violations <= 0 &&
           key->null_share <= 0;
}

void priors_of_keys(const dsc_state_t *state, int t, double *scores)
{
    const table_keys_t *keys = &state->keys[t];
    const dsc_table_t *table = &state->schema->tables[t];
    if (table->rows <= 0 || table->made_up)
        return;
    if (!priors_few(table)) {
        for (int k = 0; k < keys->n; k++)
            scores[k] += is_plain_id(state, &keys->list[k]) ? key_step : 0;
        return;
    }
    prior_shape_t shape = priors_shape(state, t);
    for (int k = 0; k < keys->n; k++)
        scores[k] += key_shift(state, &shape, &keys->list[k]);
    /* What was said against single columns says nothing for no key at all. */
    scores[keys->n] -= shape.link || shape.history || shape.n_leading > 0 ? key_step : 0;
}

void priors_of_roles(const dsc_state_t *state, int t, double *scores)
{
    enum { FACT, DIMENSION, BRIDGE };
    const dsc_table_t *table = &state->schema->tables[t];
    prior_shape_t shape = priors_shape(state, t);
    if (table->made_up || table->rows <= 0 || !priors_few(table))
        return;
    if (shape.link && (!shape.history || shape.n_named >= 2)) {
        scores[BRIDGE] += role_step;
        scores[DIMENSION] -= role_step / 2;
    } else if (shape.history && !shape.own_id && shape.n_references > 0) {
        scores[FACT] += role_step;
    }
}

#include "worker/discovery/priors.h"

#include <string.h>

#include "worker/discovery/keys_internal.h"
#include "worker/discovery/lexicon.h"

/* In units of the models' scores (log odds). */
static const double key_step = 3, role_step = 3;
static const double unlikely = 0.3, hardly = 0.1;

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
static name_words_t thing_of(const dsc_table_t *table)
{
    name_words_t name = table->name;
    if (name.n > 1 && ends_as_history(table))
        name.n--;
    name.core = name.n;
    return name;
}

static double names_thing(const dsc_column_t *column, const dsc_table_t *table)
{
    name_words_t thing = thing_of(table);
    return name_speaks_of(&column->bare, &thing);
}

static bool names_own(const dsc_state_t *state, const dsc_column_t *column)
{
    return column->bare.keylike &&
           (column->bare.core == 0 || names_thing(column, &state->schema->tables[column->table]) >= 0.75);
}

static bool names_other(const dsc_state_t *state, const dsc_column_t *column)
{
    for (int u = 0; u < state->schema->n_tables && !column->made_up; u++) {
        if (u != column->table && names_thing(column, &state->schema->tables[u]) >= 0.8)
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
           (keylike && (names_other(state, column) || is_word_of_table(table, column))) ||
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
        bool own = names_own(state, column) && key_strongest_out(state, t, c) < 0.5;
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
    if (key->n == 1 && !names_own(state, first) && !first->loader_id) {
        bool reference = names_other(state, first) || key->out[0] >= 0.5;
        shift -= reference && (shape->link || shape->history || shape->own_id || shape->counter >= 0)
                     ? key_step
                     : 0;
        shift -=
            dates > 0 || (!first->bare.keylike && !reference && first->kind != CLASS_TEXT) ? key_step : 0;
    }
    /* "application_id" in application_history: the same thing again in each version. */
    shift -= key->n == 1 && shape->version >= 0 && first->bare.keylike && first->bare.core > 0 &&
                     names_own(state, first)
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

void priors_of_keys(const dsc_state_t *state, int t, double *scores)
{
    const table_keys_t *keys = &state->keys[t];
    const dsc_table_t *table = &state->schema->tables[t];
    if (!priors_few(table) || table->rows <= 0 || table->made_up)
        return;
    prior_shape_t shape = priors_shape(state, t);
    for (int k = 0; k < keys->n; k++)
        scores[k] += key_shift(state, &shape, &keys->list[k]);
    /* What was said against single columns says nothing for no key at all. */
    scores[keys->n] -= shape.link || shape.history || shape.n_leading > 0 ? key_step : 0;
}

static bool is_time_part(const dsc_column_t *column)
{
    return schema_mentions(column, LEXICON_TIME_PART) || column->kind == CLASS_DATE;
}

/* The column refers to a table that is neither end of the join. */
static bool leads_elsewhere(const dsc_state_t *state, const join_candidate_t *join, int table, int column)
{
    for (size_t i = 0; i < state->n_joins; i++) {
        const join_candidate_t *other = &state->joins[i];
        bool third = other->from == table && other->to != join->from && other->to != join->to;
        for (int k = 0; third && other->p >= 0.5 && other->n < join->n && k < other->n; k++) {
            if (other->columns[k] == column)
                return true;
        }
    }
    return false;
}

static bool is_named_after(const dsc_table_t *child, const dsc_table_t *parent)
{
    int found = 0;
    for (int k = 0; k < parent->name.n; k++) {
        for (int i = 0; i < child->name.n; i++) {
            if (name_word_similarity(child->name.word[i], parent->name.word[k]) >= 0.99) {
                found++;
                break;
            }
        }
    }
    return found == parent->name.n;
}

/* Two records of the same happenings: the key of the target is a time and what other tables are about, and no identifier of its own. That
 * one's combinations are all found in the other is then no wonder, and no reference. */
static bool is_same_grain(const dsc_state_t *state, const join_candidate_t *join)
{
    bool time = false, third = false;
    if (is_named_after(&state->schema->tables[join->from], &state->schema->tables[join->to]))
        return false;
    for (int i = 0; i < join->n; i++) {
        const dsc_column_t *to = state_column(state, join->to, join->to_columns[i]);
        bool is_time = is_time_part(to);
        bool elsewhere = leads_elsewhere(state, join, join->to, join->to_columns[i]) ||
                         leads_elsewhere(state, join, join->from, join->columns[i]);
        if (!is_time && !elsewhere && !schema_mentions(to, LEXICON_SEQUENCE))
            return false;
        time = time || is_time;
        third = third || (elsewhere && !is_time);
    }
    return time && third;
}

static bool is_chosen_key(const dsc_state_t *state, const join_candidate_t *join)
{
    const table_keys_t *keys = &state->keys[join->to];
    return keys->chosen >= 0 && keys->list[keys->chosen].n == 1 &&
           keys->list[keys->chosen].columns[0] == join->to_columns[0];
}

/* A link, a history, or what has an id beside the column: none is the thing that the column names. */
static bool holds_no_thing(const dsc_state_t *state, int table)
{
    prior_shape_t shape = priors_shape(state, table);
    return shape.own_id || shape.link || shape.history;
}

/* A row's own key with one of its attributes, found in a table that refers to the row: that one is about it, and not the other way round. */
static bool is_backwards(const dsc_state_t *state, const join_candidate_t *join)
{
    const table_keys_t *own = &state->keys[join->from];
    const key_candidate_t *key = own->chosen >= 0 ? &own->list[own->chosen] : NULL;
    for (size_t i = 0; key != NULL && key->n == 1 && i < state->n_joins; i++) {
        const join_candidate_t *back = &state->joins[i];
        if (back->n != 1 || back->from != join->to || back->to != join->from || back->p < 0.5 ||
            back->to_columns[0] != key->columns[0])
            continue;
        for (int k = 0; k < join->n; k++) {
            if (join->to_columns[k] == back->columns[0] && join->columns[k] == key->columns[0])
                return true;
        }
    }
    return false;
}

/* "week", "calendar_year_id": a number that counts time is found in every run of numbers, and refers to none that is not named so. */
static bool counts_time(const dsc_column_t *column)
{
    int time = 0;
    for (int i = 0; i < column->bare.n; i++)
        time += lexicon_has(LEXICON_TIME_PART, column->bare.word[i]);
    return column->kind == CLASS_INTEGER && time > 0;
}

/* "entity_id" beside "entity_type": which table is meant changes from row to row. */
static bool is_polymorphic(const dsc_state_t *state, const dsc_column_t *column)
{
    const dsc_table_t *table = &state->schema->tables[column->table];
    for (int c = 0; c < table->n_columns && column->bare.keylike && column->bare.core > 0; c++) {
        const dsc_column_t *type = &table->columns[c];
        bool same = type->kind == CLASS_TEXT && type->distinct >= 2 &&
                    type->bare.n == column->bare.core + 1 &&
                    strcmp(type->bare.word[type->bare.n - 1], "type") == 0;
        for (int i = 0; same && i < column->bare.core; i++)
            same = strcmp(type->bare.word[i], column->bare.word[i]) == 0;
        if (same)
            return true;
    }
    return false;
}

/* The target itself has a column of this name, and it is another one: that is what both mean. */
static bool has_namesake(const dsc_state_t *state, const join_candidate_t *join, const dsc_column_t *from,
                         const dsc_column_t *to)
{
    const dsc_table_t *target = &state->schema->tables[to->table];
    /* "manager_id" of employees is a reference of theirs, and may be another table's reference to them. */
    bool meant = join->name < 0.4 || names_thing(from, target) >= 0.75;
    if (from->table == to->table || !from->specific || !from->bare.keylike || !meant ||
        name_equal(&from->name, &to->name) ||
        (to->specific && is_chosen_key(state, join) && name_ends_with(&from->bare, &to->bare)))
        return false;
    for (int c = 0; c < target->n_columns; c++) {
        const dsc_column_t *column = &target->columns[c];
        if (column != to && name_equal(&column->name, &from->name) && column->kind == from->kind)
            return true;
    }
    return false;
}

/* Running numbers: the row's own, or those of another table that the name says outright. */
static bool is_number_of_other(const dsc_state_t *state, const dsc_column_t *from)
{
    bool own = from->specific && names_own(state, from) && from->unique >= 0.9995 && from->density > 0.9;
    if (own || !from->specific || !from->bare.keylike)
        return own;
    for (int u = 0; u < state->schema->n_tables; u++) {
        name_words_t thing = thing_of(&state->schema->tables[u]);
        name_match_t match = name_match(&from->bare, &thing);
        if (u != from->table && match.score >= 0.95 && match.head)
            return true;
    }
    return false;
}

/* What tells that whole numbers, found in the target's key, do not mean it. */
static bool is_other_number(const dsc_state_t *state, const join_candidate_t *join, const dsc_column_t *from,
                            const dsc_column_t *to)
{
    if (from->kind != CLASS_INTEGER || to->kind != CLASS_INTEGER || join->name >= 0.4)
        return false;
    return counts_time(from) || is_number_of_other(state, from);
}

/* In a handful of rows whole numbers meet by accident: the name must say which. */
static bool is_number_of_few(const dsc_state_t *state, const join_candidate_t *join, const dsc_column_t *from,
                             const dsc_column_t *to)
{
    return from->kind == CLASS_INTEGER && to->kind == CLASS_INTEGER && from->specific && join->name < 0.2 &&
           priors_few(&state->schema->tables[join->to]) && (join->surprise < 16 || from->distinct <= 2);
}

double priors_join_bound(const dsc_state_t *state, const join_candidate_t *join)
{
    if (join->n > 1)
        return is_same_grain(state, join) || is_backwards(state, join) ? hardly : 1;
    const dsc_column_t *from = state_column(state, join->from, join->columns[0]);
    const dsc_column_t *to = state_column(state, join->to, join->to_columns[0]);
    if (from->made_up || to->made_up || join->vacuous)
        return 1;
    if (is_other_number(state, join, from, to))
        return hardly;
    if ((join->name < 0.5 && is_polymorphic(state, from)) || has_namesake(state, join, from, to) ||
        is_number_of_few(state, join, from, to))
        return unlikely;
    /* Unique in three rows, and named after another table than the one that is meant: a reference itself. */
    const dsc_table_t *target = &state->schema->tables[join->to];
    bool side = priors_few(target) && !names_own(state, to);
    if (side && join->speaks < 0.75 && names_other(state, to) &&
        (!is_chosen_key(state, join) || holds_no_thing(state, join->to)))
        return unlikely;
    if (side && !is_chosen_key(state, join) && holds_no_thing(state, join->to))
        return unlikely;
    /* A few small numbers are found in every key: the name must say which. */
    bool numbers = from->kind == CLASS_INTEGER && to->kind == CLASS_INTEGER;
    return numbers && from->distinct <= 8 && from->specific && join->name < 0.2 && join->surprise < 16
               ? unlikely
               : 1;
}

bool priors_natural_key(const dsc_state_t *state, const join_candidate_t *join)
{
    const dsc_column_t *to = state_column(state, join->to, join->to_columns[0]);
    const dsc_column_t *from = state_column(state, join->from, join->columns[0]);
    const table_keys_t *keys = &state->keys[join->to];
    if (join->n > 1 || join->from == join->to || to->made_up || from->header != to->header || !to->specific ||
        !to->bare.keylike || to->unique < 0.9995 || to->filled < 20)
        return false;
    bool surrogate = false;
    for (int k = 0; k < keys->n; k++) {
        const dsc_column_t *key = state_column(state, join->to, keys->list[k].columns[0]);
        surrogate = surrogate || (keys->list[k].n == 1 && key->bare.keylike && key->bare.core == 0);
    }
    int others = 0;
    for (int u = 0; u < state->schema->n_tables && surrogate; u++) {
        const dsc_table_t *table = &state->schema->tables[u];
        for (int c = 0; c < table->n_columns && u != join->to; c++) {
            if (table->columns[c].header != to->header)
                continue;
            if (table->columns[c].distinct > to->distinct)
                return false;
            others++;
        }
    }
    return surrogate && others >= 2;
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

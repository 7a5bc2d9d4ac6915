#include "worker/discovery/priors.h"

#include <string.h>

#include "worker/discovery/keys_internal.h"
#include "worker/discovery/lexicon.h"
#include "worker/discovery/priors_internal.h"

/* What a join's probability may be at most: refuted by what is known otherwise, or no better than a guess. */
static const double hardly = 0.1, unlikely = 0.3;

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

/* Two records of the same happenings: the key of the target is a time and what other tables are about, and no identifier of its own. That
 * one's combinations are all found in the other is then no wonder, and no reference. */
static bool is_same_grain(const dsc_state_t *state, const join_candidate_t *join)
{
    bool time = false, third = false;
    if (name_share_within(&state->schema->tables[join->to].name, &state->schema->tables[join->from].name) >=
        1)
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

/* "entity_type" of "entity_id", "content_type_id" of "object_id". */
static bool is_type_of(const dsc_column_t *type, const dsc_column_t *column)
{
    if (type->bare.n < 2 || type->distinct < 2)
        return false;
    if (type->bare.keylike && type->bare.core == 2 && strcmp(type->bare.word[0], "content") == 0)
        return strcmp(type->bare.word[1], "type") == 0 && column->bare.core == 1 &&
               strcmp(column->bare.word[0], "object") == 0;
    bool same = type->kind == CLASS_TEXT && type->bare.n == column->bare.core + 1 &&
                strcmp(type->bare.word[type->bare.n - 1], "type") == 0;
    for (int i = 0; same && i < column->bare.core; i++)
        same = strcmp(type->bare.word[i], column->bare.word[i]) == 0;
    return same;
}

/* "entity_id" beside "entity_type": which table is meant changes from row to row. */
static bool is_polymorphic(const dsc_state_t *state, const dsc_column_t *column)
{
    const dsc_table_t *table = &state->schema->tables[column->table];
    for (int c = 0; c < table->n_columns && column->bare.keylike && column->bare.core > 0; c++) {
        if (is_type_of(&table->columns[c], column))
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
    bool meant = join->name < 0.4 || priors_names_thing(from, target) >= 0.75;
    if (from->table == to->table || !from->specific || !from->bare.keylike || !meant ||
        name_equal(&from->name, &to->name) ||
        (to->specific && key_is_chosen(state, join->to, join->to_columns, join->n) &&
         name_ends_with(&from->bare, &to->bare)))
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
    bool own =
        from->specific && priors_names_own(state, from) && from->unique >= 0.9995 && from->density > 0.9;
    if (own || !from->specific || !from->bare.keylike)
        return own;
    for (int u = 0; u < state->schema->n_tables; u++) {
        name_words_t thing = priors_thing(&state->schema->tables[u]);
        name_match_t match = name_match(&from->bare, &thing);
        if (u != from->table && match.score >= 0.95 && match.head)
            return true;
    }
    return false;
}

/* "calendar_week_id" is no time of day: a part of time refers to what is named after that part. */
static bool is_part_of_time(const dsc_state_t *state, const dsc_column_t *from, const dsc_column_t *to)
{
    const char *noun = from->bare.core > 0 ? from->bare.word[from->bare.core - 1] : "";
    const name_words_t *names[] = {&to->name, &state->schema->tables[to->table].name};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        for (int k = 0; k < names[i]->n; k++) {
            if (name_word_similarity(noun, names[i]->word[k]) >= 0.9)
                return false;
        }
    }
    return lexicon_has(LEXICON_TIME_PART, noun);
}

/* What tells that whole numbers, found in the target's key, do not mean it. */
static bool is_other_number(const dsc_state_t *state, const join_candidate_t *join, const dsc_column_t *from,
                            const dsc_column_t *to)
{
    if (from->kind != CLASS_INTEGER || to->kind != CLASS_INTEGER)
        return false;
    if (join->name >= 0.4)
        return is_part_of_time(state, from, to);
    return counts_time(from) || is_number_of_other(state, from);
}

/* Two tables with ids named after themselves, in whole numbers: that one's are found among the other's says nothing. */
static bool are_own_ids(const dsc_state_t *state, const dsc_column_t *from, const dsc_column_t *to)
{
    return from->table != to->table && from->kind == CLASS_INTEGER && to->kind == CLASS_INTEGER &&
           from->specific && to->specific && from->unique >= 0.9995 && priors_names_own(state, from) &&
           priors_names_own(state, to) && priors_names_thing(from, &state->schema->tables[to->table]) < 0.75;
}

/* "product_id" of products, beside the key of its rows: the thing that a row is a version of, and no other row. */
static bool is_thing_of_rows(const dsc_state_t *state, const dsc_column_t *from, const dsc_column_t *to)
{
    name_words_t thing = priors_thing(&state->schema->tables[from->table]);
    name_match_t match = name_match(&from->bare, &thing);
    return from->table == to->table && from->specific && from->bare.keylike && match.score >= 0.75 &&
           match.unused <= 0;
}

/* In a handful of rows whole numbers meet by accident: the name must say which. */
static bool is_number_of_few(const dsc_state_t *state, const join_candidate_t *join, const dsc_column_t *from,
                             const dsc_column_t *to)
{
    return from->kind == CLASS_INTEGER && to->kind == CLASS_INTEGER && from->specific && join->name < 0.2 &&
           priors_few(&state->schema->tables[join->to]) && (join->surprise < 16 || from->distinct <= 2);
}

/* The first or last word of a table's name is one of two. */
static bool is_marked(const dsc_table_t *table, const char *word, const char *other)
{
    const name_words_t *name = &table->name;
    for (int i = 0; name->n > 1 && i < name->n; i += name->n - 1) {
        if (strcmp(name->word[i], word) == 0 || strcmp(name->word[i], other) == 0)
            return true;
    }
    return false;
}

/* In a Data Vault (Linstedt & Olschimke 2015) nothing refers to a satellite: it describes a hub or a link, which has the same key. */
static bool is_satellite(const dsc_state_t *state, const dsc_table_t *table)
{
    if (!is_marked(table, "sat", "satellite"))
        return false;
    for (int u = 0; u < state->schema->n_tables; u++) {
        if (is_marked(&state->schema->tables[u], "hub", "link"))
            return true;
    }
    return false;
}

double priors_join_bound(const dsc_state_t *state, const join_candidate_t *join)
{
    if (is_satellite(state, &state->schema->tables[join->to]))
        return hardly;
    if (join->n > 1)
        return is_same_grain(state, join) || is_backwards(state, join) ? hardly : 1;
    const dsc_column_t *from = state_column(state, join->from, join->columns[0]);
    const dsc_column_t *to = state_column(state, join->to, join->to_columns[0]);
    if (from->made_up || to->made_up || join->vacuous)
        return 1;
    if (is_other_number(state, join, from, to))
        return hardly;
    if (are_own_ids(state, from, to) || is_thing_of_rows(state, from, to))
        return unlikely;
    if ((join->name < 0.5 && is_polymorphic(state, from)) || has_namesake(state, join, from, to) ||
        is_number_of_few(state, join, from, to))
        return unlikely;
    /* Unique in three rows, and named after another table than the one that is meant: a reference itself. */
    const dsc_table_t *target = &state->schema->tables[join->to];
    bool side = priors_few(target) && !priors_names_own(state, to);
    if (side && join->speaks < 0.75 && priors_names_other(state, to) &&
        (!key_is_chosen(state, join->to, join->to_columns, join->n) || holds_no_thing(state, join->to)))
        return unlikely;
    if (side && !key_is_chosen(state, join->to, join->to_columns, join->n) && holds_no_thing(state, join->to))
        return unlikely;
    /* A few small numbers are found in every key: the name must say which. */
    bool numbers = from->kind == CLASS_INTEGER && to->kind == CLASS_INTEGER;
    return numbers && from->distinct <= 8 && from->specific && join->name < 0.2 && join->surprise < 16
               ? unlikely
               : 1;
}

/* Some of the column's values are found in another column of the table, which is its key. */
static bool may_mean_key(const dsc_state_t *state, const join_candidate_t *join)
{
    for (size_t i = 0; i < state->n_joins; i++) {
        const join_candidate_t *other = &state->joins[i];
        if (other->n == 1 && other->from == join->from && other->to == join->to &&
            other->columns[0] == join->columns[0] && other->to_columns[0] != join->to_columns[0] &&
            key_is_chosen(state, other->to, other->to_columns, other->n))
            return true;
    }
    return false;
}

/* Texts that are all found, beyond coincidence, in a unique column of the table that their name speaks of, and nothing in its key: the
 * code of a country whose rows are numbered. */
static bool is_found_by_code(const dsc_state_t *state, const join_candidate_t *join, const dsc_column_t *from,
                             const dsc_column_t *to)
{
    static const double beyond_coincidence = 16; /* bits */
    return from->kind == CLASS_TEXT && to->kind == CLASS_TEXT && join->name >= 0.6 && !join->unique_source &&
           join->containment >= 0.99 && join->surprise >= beyond_coincidence && to->unique >= 0.9995 &&
           to->filled >= 20 && !may_mean_key(state, join);
}

bool priors_natural_key(const dsc_state_t *state, const join_candidate_t *join)
{
    const dsc_column_t *to = state_column(state, join->to, join->to_columns[0]);
    const dsc_column_t *from = state_column(state, join->from, join->columns[0]);
    const table_keys_t *keys = &state->keys[join->to];
    if (join->n == 1 && join->from != join->to && !to->made_up && is_found_by_code(state, join, from, to))
        return true;
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

/* Join candidates: every column against every key, cut down by type, range, sketch and name before anything is counted. */
#include "worker/discovery/candidates.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const double least_containment = 0.7;
static const double least_extension = 0.3;

static bool types_fit(const dsc_column_t *from, const dsc_column_t *to, double name)
{
    if (from->kind == CLASS_BOOLEAN || to->kind == CLASS_BOOLEAN)
        return false;
    if (from->filled == 0)
        return to->kind != CLASS_NUMBER;
    if (from->kind == CLASS_NUMBER && from->p->scale > 0)
        return false;
    if (from->kind == to->kind)
        return from->kind != CLASS_TEXT || from->p->length_mean <= 80;
    if (from->kind == CLASS_NUMBER || to->kind == CLASS_NUMBER)
        return from->kind == CLASS_INTEGER || to->kind == CLASS_INTEGER;
    bool mixed = (from->kind == CLASS_INTEGER && to->kind == CLASS_TEXT) ||
                 (from->kind == CLASS_TEXT && to->kind == CLASS_INTEGER);
    return mixed && name >= 0.8;
}

static bool ranges_fit(const dsc_column_t *from, const dsc_column_t *to)
{
    if (!from->has_points || !to->has_points)
        return true;
    return from->points[1] >= to->points[0] &&
           from->points[SKETCH_POINTS - 2] <= to->points[SKETCH_POINTS - 1];
}

/* Bits of evidence that the inclusion is no coincidence: how unlikely a value of this kind hits the target by chance, over
 * the distinct values. Running numbers inside running numbers prove nothing; ten codes of six letters prove much. */
static double surprise_bits(const dsc_column_t *from, const dsc_column_t *to)
{
    double values = fmin(from->distinct, 64), bits = 0, offset = 0;
    if (to->kind == CLASS_INTEGER && to->has_points) {
        double range = to->points[SKETCH_POINTS - 1] - to->points[0] + 1;
        bits = -log2(fmin(1, fmax(1e-6, to->density)));
        if (to->points[0] > 100)
            offset = fmin(12, 2 * log2(fmax(1, fabs(to->points[SKETCH_POINTS - 1]) / range)) + 2);
    } else if (to->kind == CLASS_TEXT) {
        double letters = fmin(8, fmax(1, to->p->length_mean));
        double room = 3 * letters; /* of words; codes use every letter alike */
        if (to->p->constant_width && from->p->constant_width && letters <= 3)
            room = log2(26) * letters;
        bits = fmax(0.1, room - log2(1 + to->distinct));
    } else if (to->kind == CLASS_DATE && to->has_points) {
        double range = to->points[SKETCH_POINTS - 1] - to->points[0] + 1;
        bits = -log2(fmin(1, to->distinct / fmax(1, range)));
    }
    return fmin(60, values * bits + offset);
}

static join_candidate_t *add_join(dsc_state_t *state)
{
    if (state->n_joins >= JOINS_MAX)
        return NULL;
    join_candidate_t *join = &NV_PUSH(state->ctx, state->joins, state->n_joins, state->cap_joins);
    memset(join, 0, sizeof *join);
    return join;
}

/* A key that a table may be addressed by: unique but for dirt, or the business key of a history. */
static bool is_target(const key_candidate_t *key)
{
    return key->n == 1 && (key->uniqueness >= 0.95 || key->p >= 0.3);
}

static bool worth_considering(const dsc_column_t *from, const dsc_column_t *to, double name, double surprise,
                              double reverse)
{
    if (from->made_up || to->made_up)
        return surprise >= 6 || reverse >= 0.5;
    if (name >= 0.3 || surprise >= 12)
        return true;
    return from->bare.keylike && reverse >= 0.3;
}

/* A row refers to another one of its own table by the table's key, and by a column that is no key itself and says so: a hint
 * (parent, previous), the table's own noun, or at least a word for a key. */
static bool may_refer_to_itself(const dsc_state_t *state, const dsc_column_t *from,
                                const key_candidate_t *key, const name_evidence_t *names)
{
    const table_keys_t *keys = &state->keys[from->table];
    for (int k = 0; k < keys->n; k++) {
        if (&keys->list[k] != key && keys->list[k].n == 1 && keys->list[k].p > key->p + 0.2)
            return false;
    }
    return names->self_hint > 0 || names->suffix > 0 || from->made_up ||
           (from->unique < 0.9995 && (names->speaks >= 0.5 || from->bare.keylike));
}

static void consider(dsc_state_t *state, const dsc_column_t *from, const key_candidate_t *key)
{
    const dsc_column_t *to = state_column(state, key->table, key->columns[0]);
    if (from == to || from->loader || from->loader_id || to->loader || to->loader_id)
        return;
    name_evidence_t names;
    joins_name_evidence(state, from, to, &names);
    bool vacuous = from->filled == 0;
    if (!types_fit(from, to, names.any) || (vacuous && names.any < 0.9))
        return;
    if (!vacuous && (to->filled == 0 || !ranges_fit(from, to)))
        return;
    if (from->table == to->table && !may_refer_to_itself(state, from, key, &names))
        return;
    size_t judged = 0, back = 0;
    double containment = vacuous ? 1 : sketch_containment(&from->sketch, &to->sketch, &judged);
    double reverse = vacuous ? 0 : sketch_containment(&to->sketch, &from->sketch, &back);
    if (back == 0 && !vacuous)
        reverse = fmin(1, from->distinct / fmax(1, to->distinct));
    if (judged >= 3 && containment < (names.any >= 0.6 ? 0.5 : least_containment))
        return;
    double surprise = vacuous ? 0 : surprise_bits(from, to);
    if (!worth_considering(from, to, names.any, surprise, reverse))
        return;
    join_candidate_t *join = add_join(state);
    if (join == NULL)
        return;
    *join = (join_candidate_t){.from = from->table,
                               .to = key->table,
                               .n = 1,
                               .columns = {from->index},
                               .to_columns = {to->index},
                               .containment = containment,
                               .coverage = containment,
                               .reverse = reverse,
                               .vacuous = vacuous,
                               .name = names.any,
                               .speaks = names.speaks,
                               .surprise = surprise,
                               .to_key_unique = key->uniqueness >= 0.9995};
    join->unique_source = !vacuous && from->unique >= 0.9995 && from->null_share < 0.5;
    join->exact = vacuous || (from->sketch.complete && to->sketch.complete);
    join->counted = vacuous || (join->exact && containment >= 1);
    join->distance = from->has_points && to->has_points && !vacuous
                         ? sketch_quantile_distance(from->points, to->points)
                         : -1;
}

/* The best name evidence of the same source column for any other table: a rival that the name prefers. */
static void find_rivals(dsc_state_t *state, size_t first)
{
    size_t i = first;
    while (i < state->n_joins) {
        size_t end = i;
        while (end < state->n_joins && state->joins[end].from == state->joins[i].from &&
               state->joins[end].columns[0] == state->joins[i].columns[0])
            end++;
        for (size_t a = i; a < end; a++) {
            for (size_t b = i; b < end; b++) {
                if (state->joins[b].to != state->joins[a].to)
                    state->joins[a].alternative = fmax(state->joins[a].alternative, state->joins[b].name);
                if (state->joins[b].to != state->joins[a].to && state->joins[b].name > 0.4)
                    state->joins[a].rival_speaks = fmax(state->joins[a].rival_speaks, state->joins[b].speaks);
            }
        }
        i = end;
    }
}

void joins_enumerate(dsc_state_t *state)
{
    const dsc_schema_t *schema = state->schema;
    size_t first = state->n_joins;
    for (int t = 0; t < schema->n_tables; t++) {
        for (int c = 0; c < schema->tables[t].n_columns; c++) {
            const dsc_column_t *from = &schema->tables[t].columns[c];
            if (from->kind == CLASS_NONE && from->filled > 0)
                continue;
            for (int u = 0; u < schema->n_tables; u++) {
                for (int k = 0; k < state->keys[u].n; k++) {
                    if (is_target(&state->keys[u].list[k]))
                        consider(state, from, &state->keys[u].list[k]);
                }
            }
        }
    }
    find_rivals(state, first);
}

/* "blockfloor" is the floor of a block. */
static bool is_run_together(const name_words_t *from, const name_words_t *table, const name_words_t *to)
{
    char whole[NAME_WORDS_MAX * NAME_WORD_BYTES], front[sizeof whole], back[sizeof whole];
    name_join(from, whole, sizeof whole);
    name_join(table, front, sizeof front);
    name_join(to, back, sizeof back);
    size_t n = strlen(front);
    return n >= 3 && strncmp(whole, front, n) == 0 && strcmp(whole + n, back) == 0;
}

/* Parts of a composite are often generic: "year_key" for "yearID", "teamIDwinner" for "teamID". */
static double part_name_score(const dsc_state_t *state, const dsc_column_t *from, const dsc_column_t *to)
{
    /* (state, nation) for the key (name, nation) of states: better than another column "name". */
    if (!to->specific && !from->made_up && name_equal(&from->bare, &state->schema->tables[to->table].name))
        return 1.05;
    if (to->name.n > to->bare.n && to->name.n >= 2 && name_equal(&from->bare, &to->name))
        return 0.97;
    name_words_t a = from->bare, b = to->bare;
    if (a.core > 0 && b.core > 0) {
        a.n = a.core;
        b.n = b.core;
        if (name_equal(&a, &b))
            return 0.9;
    }
    if (is_run_together(&from->bare, &state->schema->tables[to->table].name, &to->bare))
        return 0.97;
    bool starts = from->bare.n > to->bare.n && to->bare.n > 0;
    for (int i = 0; starts && i < to->bare.n; i++)
        starts = strcmp(from->bare.word[i], to->bare.word[i]) == 0;
    return starts ? 0.8 : 0;
}

/* The column of `table` that best stands for one key column of another table; -1 when none does. */
static int best_counterpart(const dsc_state_t *state, int table, const dsc_column_t *to, const int *taken,
                            int n_taken, const bool *avoid, double *name)
{
    int best = -1;
    *name = 0.55;
    for (int c = 0; c < state->schema->tables[table].n_columns; c++) {
        const dsc_column_t *from = state_column(state, table, c);
        bool used = avoid[c];
        for (int i = 0; i < n_taken; i++)
            used = used || taken[i] == c;
        if (used)
            continue;
        name_evidence_t e;
        joins_name_evidence(state, from, to, &e);
        /* Within a composite the generic parts count too: year and year, line and line. */
        bool equal = name_equal(&from->bare, &to->bare) || name_equal(&from->name, &to->name);
        double score = fmax(equal, fmax(fmax(e.equal, 0.95 * e.suffix), part_name_score(state, from, to)));
        size_t judged = 0;
        if (score <= *name || !types_fit(from, to, score) || !ranges_fit(from, to) || from->filled == 0)
            continue;
        if (sketch_containment(&from->sketch, &to->sketch, &judged) < 0.5 && judged >= 3)
            continue;
        best = c;
        *name = score;
    }
    return best;
}

/* How unlikely combinations of values that occur apart are all in the parent by chance. */
static double combined_bits(double records, double combinations, double distinct)
{
    double bits = -log2(fmin(1, fmax(1e-6, records / combinations)));
    return fmin(60, fmin(64, distinct) * bits);
}

/* Fills join with the columns of `table` for a composite key; avoided columns play another role already. */
static bool match_composite(const dsc_state_t *state, int table, const key_candidate_t *key,
                            const bool *avoid, join_candidate_t *join, bool *role)
{
    *join = (join_candidate_t){.from = table,
                               .to = key->table,
                               .n = key->n,
                               .containment = 1,
                               .name = 1,
                               .distance = -1,
                               .to_key_unique = key->uniqueness >= 0.9995};
    *role = false;
    double combinations = 1, distinct = 0;
    for (int i = 0; i < key->n; i++) {
        const dsc_column_t *to = state_column(state, key->table, key->columns[i]);
        double name = 0;
        int c = best_counterpart(state, table, to, join->columns, i, avoid, &name);
        if (c < 0)
            return false;
        const dsc_column_t *from = state_column(state, table, c);
        size_t judged = 0;
        join->columns[i] = c;
        join->to_columns[i] = key->columns[i];
        join->containment = fmin(join->containment, sketch_containment(&from->sketch, &to->sketch, &judged));
        join->name = fmin(join->name, name);
        join->surprise = fmin(60, join->surprise + surprise_bits(from, to));
        *role = *role || name < 1;
        combinations *= fmax(1, to->distinct);
        distinct = fmax(distinct, from->distinct);
    }
    join->least_part = fmin(1, join->name);
    join->combined = combined_bits(state->schema->tables[key->table].records, combinations, distinct);
    join->coverage = join->containment;
    return true;
}

static bool is_known(const dsc_state_t *state, const join_candidate_t *join)
{
    for (size_t i = 0; i < state->n_joins; i++) {
        const join_candidate_t *other = &state->joins[i];
        if (other->from == join->from && other->to == join->to && other->n == join->n &&
            memcmp(other->columns, join->columns, sizeof join->columns) == 0 &&
            memcmp(other->to_columns, join->to_columns, sizeof join->to_columns) == 0)
            return true;
    }
    return false;
}

/* A table may hold the same composite reference in several roles: winner and loser of a series. */
static void consider_composite(dsc_state_t *state, int table, const key_candidate_t *key)
{
    enum { ROLES_MAX = 4 };
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("composite");
    bool *avoid = NV_NEW_ARRAY(scratch, bool, (size_t)state->schema->tables[table].n_columns + 1);
    join_candidate_t join;
    bool role = true;
    for (int r = 0; r < ROLES_MAX && role && match_composite(state, table, key, avoid, &join, &role); r++) {
        for (int i = 0; i < join.n; i++) {
            const dsc_column_t *from = state_column(state, table, join.columns[i]);
            const dsc_column_t *to = state_column(state, key->table, join.to_columns[i]);
            avoid[join.columns[i]] = !name_equal(&from->bare, &to->bare);
        }
        join_candidate_t *added = is_known(state, &join) ? NULL : add_join(state);
        if (added != NULL)
            *added = join;
    }
}

void joins_enumerate_composite(dsc_state_t *state)
{
    /* Not only of the key chosen so far: which set others refer to is what decides between equally unique ones. */
    enum { KEYS_TRIED = 3 };
    for (int u = 0; u < state->schema->n_tables; u++) {
        const table_keys_t *keys = &state->keys[u];
        int tried = 0;
        for (int k = 0; k < keys->n && tried < KEYS_TRIED; k++) {
            if (keys->list[k].n < 2 || (k != keys->chosen && keys->list[k].p < 0.1))
                continue;
            tried++;
            for (int t = 0; t < state->schema->n_tables; t++) {
                if (t != u)
                    consider_composite(state, t, &keys->list[k]);
            }
        }
    }
}

static void fill_check(const dsc_state_t *state, const join_candidate_t *join, discovery_check_t *check)
{
    *check = (discovery_check_t){.from = state->schema->tables[join->from].p->name,
                                 .to = state->schema->tables[join->to].p->name,
                                 .n = join->n};
    for (int i = 0; i < join->n; i++) {
        check->columns[i] = state_column(state, join->from, join->columns[i])->p->name;
        check->to_columns[i] = state_column(state, join->to, join->to_columns[i])->p->name;
    }
}

static void take_counts(const dsc_state_t *state, join_candidate_t *join, const discovery_counts_t *counts)
{
    if (!counts->answered || counts->rows == 0)
        return;
    double distinct = fmax(1, (double)counts->distinct);
    join->containment = (double)counts->distinct_found / distinct;
    join->coverage = 1 - (double)counts->missing / (double)counts->rows;
    join->orphans = (double)counts->missing;
    if (join->n > 1) {
        double records = fmax(1, state->schema->tables[join->to].records);
        join->reverse = fmin(1, (double)counts->distinct_found / records);
        /* Few rows that each refer to another one of many, like returned lines, are no extension of what they refer to. */
        join->unique_source = counts->distinct == counts->rows && join->reverse >= least_extension;
    } else {
        const dsc_column_t *to = state_column(state, join->to, join->to_columns[0]);
        join->reverse = fmin(1, (double)counts->distinct_found / fmax(1, to->distinct));
    }
    join->exact = join->counted = true;
}

bool joins_count(dsc_state_t *state, size_t first, nv_error_t *err)
{
    const discovery_exact_t *exact = state->options->exact;
    if (exact == NULL)
        return true;
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("exact checks");
    discovery_check_t *checks = NV_NEW_ARRAY(scratch, discovery_check_t, state->n_joins + 1);
    discovery_counts_t *counts = NV_NEW_ARRAY(scratch, discovery_counts_t, state->n_joins + 1);
    size_t *where = NV_NEW_ARRAY(scratch, size_t, state->n_joins + 1), n = 0;
    for (size_t i = first; i < state->n_joins; i++) {
        const join_candidate_t *join = &state->joins[i];
        /* Decided without counting: full inclusion proven by complete sketches, or hopeless. */
        if (join->counted || join->vacuous || (join->n == 1 && join->p < 0.02))
            continue;
        fill_check(state, join, &checks[n]);
        where[n++] = i;
    }
    if (n > 0 && !exact->count(exact->self, checks, n, counts, err))
        return nv_wrap(err, "counting %zu join candidates", n);
    for (size_t i = 0; i < n; i++)
        take_counts(state, &state->joins[where[i]], &counts[i]);
    return true;
}

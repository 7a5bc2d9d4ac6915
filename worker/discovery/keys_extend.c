/* Composite keys beyond those of the profile: sets of references and counters, names that tables repeat, and what refers to a composite
 * key itself. Proposed here, counted by the executor. */
#include <math.h>
#include <string.h>

#include "worker/discovery/keys_internal.h"
#include "worker/discovery/lexicon.h"
#include "worker/discovery/priors.h"

/* Each question costs a pass over the table. */
enum { LARGE_TABLE = 50000, PER_TABLE_MAX = 60, PER_LARGE_TABLE_MAX = 6 };

typedef struct proposal {
    int table, n;
    int columns[KEY_MAX];
} proposal_t;

typedef struct proposals {
    proposal_t *list;
    size_t n, cap;
} proposals_t;

/* Sets that were counted, and what came of it. */
typedef struct asked {
    proposals_t sets;
    discovery_counts_t *counts;
    size_t cap_counts;
} asked_t;

enum { PARTS_MAX = 7, SET_MAX = 4 };

static const double least_uniqueness = 0.97;

static bool covers_known_key(const table_keys_t *keys, const int *columns, int n)
{
    for (int k = 0; k < keys->n; k++) {
        int inside = 0;
        for (int i = 0; i < keys->list[k].n; i++) {
            for (int j = 0; j < n; j++)
                inside += keys->list[k].columns[i] == columns[j];
        }
        if (inside == keys->list[k].n && keys->list[k].violations <= 0)
            return true;
    }
    return false;
}

static bool is_asked(const proposals_t *sets, int t, const int *columns, int n)
{
    for (size_t i = 0; i < sets->n; i++) {
        key_candidate_t known = {.n = sets->list[i].n};
        memcpy(known.columns, sets->list[i].columns, sizeof known.columns);
        if (sets->list[i].table == t && key_same_set(&known, columns, n))
            return true;
    }
    return false;
}

static void propose_set(dsc_state_t *state, proposals_t *out, int t, const int *columns, int n)
{
    const table_keys_t *keys = &state->keys[t];
    for (int k = 0; k < keys->n; k++) {
        if (key_same_set(&keys->list[k], columns, n))
            return;
    }
    if (is_asked(out, t, columns, n))
        return;
    proposal_t *p = &NV_PUSH(state->ctx, out->list, out->n, out->cap);
    *p = (proposal_t){.table = t, .n = n};
    memcpy(p->columns, columns, sizeof *columns * (size_t)n);
}

static void propose(dsc_state_t *state, proposals_t *out, int t, const int *columns, int n)
{
    /* Supersets of a single unique column are no keys; supersets of a composite may be the declared one. */
    if (n > 3 && covers_known_key(&state->keys[t], columns, n))
        return;
    propose_set(state, out, t, columns, n);
}

static bool is_part(const dsc_state_t *state, const dsc_column_t *column, double out)
{
    if (!key_may_be(column) || column->null_share > 0.02 || column->distinct < 2)
        return false;
    return out >= 0.3 || column->bare.keylike || schema_mentions(column, LEXICON_SEQUENCE) ||
           column->kind == CLASS_DATE || schema_mentions(column, LEXICON_VERSION) ||
           key_names_other(state, column) ||
           (column->index < 3 && column->kind != CLASS_NUMBER && column->p->length_mean <= 20);
}

/* Fewer combinations than records: cannot identify them. */
static bool may_identify(const dsc_table_t *table, const int *columns, int n)
{
    double combinations = 1;
    for (int i = 0; i < n; i++)
        combinations *= fmax(1, table->columns[columns[i]].distinct);
    return combinations >= 0.97 * table->records;
}

/* In a large table each question costs; where the profile already found composite keys, only sets of references are asked about. */
static bool is_settled(const dsc_table_t *table)
{
    bool composite = false;
    for (size_t i = 0; i < table->p->n_unique_sets; i++)
        composite = composite || (table->p->unique_sets[i]->n_columns > 1 && table->p->unique_sets[i]->exact);
    return table->rows > LARGE_TABLE && composite;
}

/* Where the larger set repeats, so do its parts. */
static bool is_refuted(const proposals_t *asked, const discovery_counts_t *counts, int t, const int *columns,
                       int n)
{
    for (size_t i = 0; counts != NULL && i < asked->n; i++) {
        const proposal_t *p = &asked->list[i];
        if (p->table != t || p->n <= n || !counts[i].answered || counts[i].rows == 0 ||
            (double)counts[i].distinct >= least_uniqueness * (double)counts[i].rows)
            continue;
        int inside = 0;
        for (int k = 0; k < n; k++) {
            for (int j = 0; j < p->n; j++)
                inside += p->columns[j] == columns[k];
        }
        if (inside == n)
            return true;
    }
    return false;
}

/* In a table of some size the large sets are asked about first: most are refuted, and their parts with them. */
static bool goes_down(const dsc_table_t *table)
{
    return !priors_few(table) && table->rows <= LARGE_TABLE;
}

static void propose_for_table(dsc_state_t *state, const asked_t *asked, proposals_t *out, int t, int least,
                              int greatest)
{
    const dsc_table_t *table = &state->schema->tables[t];
    int parts[PARTS_MAX], n = 0;
    bool settled = is_settled(table);
    for (int c = 0; c < table->n_columns && n < PARTS_MAX; c++) {
        double strongest = key_strongest_out(state, t, c);
        if (is_part(state, &table->columns[c], strongest) && (!settled || strongest >= 0.5))
            parts[n++] = c;
    }
    size_t most = out->n + (table->rows > LARGE_TABLE ? PER_LARGE_TABLE_MAX : PER_TABLE_MAX);
    for (int size = least; n >= 2 && size <= greatest && size <= n; size++) {
        for (unsigned mask = 1; mask < 1u << n && out->n < most; mask++) {
            int columns[KEY_MAX], m = 0;
            if (__builtin_popcount(mask) != size)
                continue;
            for (int i = 0; i < n; i++) {
                if (mask & (1u << i))
                    columns[m++] = parts[i];
            }
            bool larger = size > 2 && table->rows > 5000 && covers_known_key(&state->keys[t], columns, m);
            if (may_identify(table, columns, m) && !larger && !is_asked(&asked->sets, t, columns, m) &&
                !is_refuted(&asked->sets, asked->counts, t, columns, m))
                propose(state, out, t, columns, m);
        }
    }
}

/* A column that identifies by itself makes every set that holds it a pointless key. */
static bool holds_single_key(const dsc_table_t *table, const int *columns, int n)
{
    for (int i = 0; i < n; i++) {
        if (table->columns[columns[i]].unique >= 0.9995)
            return true;
    }
    return false;
}

/* The columns that a table shares by name with another one, as far as they may identify a row. */
static void propose_repeated(dsc_state_t *state, proposals_t *out, int t)
{
    const dsc_table_t *table = &state->schema->tables[t];
    size_t most = out->n + (table->rows > LARGE_TABLE ? PER_LARGE_TABLE_MAX : PER_TABLE_MAX);
    for (int u = 0; u < state->schema->n_tables && !table->made_up && !is_settled(table) && out->n < most;
         u++) {
        const dsc_table_t *other = &state->schema->tables[u];
        int columns[KEY_MAX], n = 0;
        for (int c = 0; c < table->n_columns && n <= KEY_MAX && u != t; c++) {
            const dsc_column_t *column = &table->columns[c];
            if (!key_may_be(column) || column->null_share > 0.02 || column->distinct < 2 ||
                column->kind == CLASS_DATE || !key_repeats_names(table, other, &c, 1))
                continue;
            if (n < KEY_MAX)
                columns[n] = c;
            n++;
        }
        if (n >= 2 && n <= KEY_MAX && !holds_single_key(table, columns, n) && may_identify(table, columns, n))
            propose_set(state, out, t, columns, n);
    }
}

/* What refers to a composite key, alone or with one column more: the lines of a header that is itself identified within another. */
static void propose_referring(dsc_state_t *state, proposals_t *out, const join_candidate_t *join)
{
    const dsc_table_t *table = &state->schema->tables[join->from];
    int columns[KEY_MAX];
    memcpy(columns, join->columns, sizeof columns);
    size_t most = out->n + (table->rows > LARGE_TABLE ? PER_LARGE_TABLE_MAX : PER_TABLE_MAX);
    if (holds_single_key(table, columns, join->n) || is_settled(table))
        return;
    if (may_identify(table, columns, join->n))
        propose_set(state, out, join->from, columns, join->n);
    for (int c = 0; c < table->n_columns && join->n < KEY_MAX && out->n < most; c++) {
        bool used = !is_part(state, &table->columns[c], key_strongest_out(state, join->from, c));
        for (int i = 0; i < join->n; i++)
            used = used || join->columns[i] == c;
        columns[join->n] = c;
        if (!used && table->columns[c].unique < 0.9995 && may_identify(table, columns, join->n + 1))
            propose_set(state, out, join->from, columns, join->n + 1);
    }
}

static void propose_with(dsc_state_t *state, proposals_t *out, int t, const int *columns, int n, int more)
{
    int all[KEY_MAX];
    if (more < 0 || n >= KEY_MAX)
        return;
    memcpy(all, columns, sizeof *all * (size_t)n);
    all[n] = more;
    propose_set(state, out, t, all, n + 1);
}

/* In a handful of rows: the ends of a link, and what stands before the loader's columns. */
static void propose_of_shape(dsc_state_t *state, proposals_t *out, int t)
{
    const dsc_table_t *table = &state->schema->tables[t];
    if (!priors_few(table) || table->made_up)
        return;
    prior_shape_t shape = priors_shape(state, t);
    if (shape.link && shape.n_references <= KEY_MAX) {
        propose_set(state, out, t, shape.references, shape.n_references);
        propose_with(state, out, t, shape.references, shape.n_references, shape.version);
    }
    if (shape.counter >= 0 && shape.n_references > 0)
        propose_set(state, out, t, (int[]){shape.references[0], shape.counter}, 2);
    if (shape.version > 0 && key_may_be(&table->columns[0]))
        propose_set(state, out, t, (int[]){0, shape.version}, 2);
    int columns[KEY_MAX], n = 0;
    for (int c = 0; c < shape.n_leading; c++) {
        if (!key_may_be(&table->columns[c]))
            return;
        columns[n++] = c;
    }
    if (n >= 2)
        propose_set(state, out, t, columns, n);
}

/* A handful of rows makes nothing certain: there the sets cost nothing, too. */
static bool has_good_single(const dsc_state_t *state, int t)
{
    const table_keys_t *keys = &state->keys[t];
    double enough = priors_few(&state->schema->tables[t]) ? 0.995 : 0.9;
    for (int k = 0; k < keys->n; k++) {
        if (keys->list[k].n == 1 && keys->list[k].p > enough && !key_may_be_accident(state, &keys->list[k]))
            return true;
    }
    return false;
}

/* Keeps the small sets first, so that a table with many parts fills its candidates with the likely ones. */
static void take_unique(dsc_state_t *state, const proposals_t *proposals, const discovery_counts_t *counts)
{
    for (int size = 2; size <= KEY_MAX; size++) {
        for (size_t i = 0; i < proposals->n; i++) {
            const proposal_t *p = &proposals->list[i];
            const dsc_table_t *table = &state->schema->tables[p->table];
            if (p->n != size || !counts[i].answered || counts[i].rows == 0)
                continue;
            double uniqueness = (double)counts[i].distinct / (double)counts[i].rows;
            if (uniqueness < least_uniqueness || (double)counts[i].missing > 0.02 * table->records)
                continue;
            key_candidate_t *key = key_add(&state->keys[p->table], p->table, p->columns, p->n);
            if (key == NULL)
                continue;
            key->uniqueness = uniqueness;
            key->violations = (double)(counts[i].rows - counts[i].distinct);
            key->null_share = (double)counts[i].missing / fmax(1, table->records);
        }
    }
}

/* Counts the proposals and adds them to what was asked. */
static bool count_proposals(dsc_state_t *state, const proposals_t *proposals_in, asked_t *asked,
                            nv_error_t *err)
{
    const discovery_exact_t *exact = state->options->exact;
    proposals_t proposals = *proposals_in;
    if (proposals.n == 0)
        return true;
    discovery_check_t *checks = NV_NEW_ARRAY(state->ctx, discovery_check_t, proposals.n);
    discovery_counts_t *counts = NV_NEW_ARRAY(state->ctx, discovery_counts_t, proposals.n);
    for (size_t i = 0; i < proposals.n; i++) {
        const proposal_t *p = &proposals.list[i];
        checks[i] = (discovery_check_t){.from = state->schema->tables[p->table].p->name, .n = p->n};
        for (int j = 0; j < p->n; j++)
            checks[i].columns[j] = state_column(state, p->table, p->columns[j])->p->name;
    }
    if (!exact->count(exact->self, checks, proposals.n, counts, err))
        return nv_wrap(err, "counting %zu key candidates", proposals.n);
    for (size_t i = 0; i < proposals.n; i++) {
        size_t n = asked->sets.n;
        NV_PUSH(state->ctx, asked->sets.list, asked->sets.n, asked->sets.cap) = proposals.list[i];
        NV_PUSH(state->ctx, asked->counts, n, asked->cap_counts) = counts[i];
    }
    return true;
}

/* One step down: the sets of `size` columns whose larger ones were not refuted. */
static bool extend_down(dsc_state_t *state, asked_t *asked, int size, nv_error_t *err)
{
    proposals_t proposals = {0};
    for (int t = 0; t < state->schema->n_tables; t++) {
        const dsc_table_t *table = &state->schema->tables[t];
        if (table->rows >= 2 && goes_down(table) && !has_good_single(state, t))
            propose_for_table(state, asked, &proposals, t, size, size);
    }
    return count_proposals(state, &proposals, asked, err);
}

/* "semester" is no time without its year: what identifies with it does so with both, and in some rows without by accident. */
static void complete_years(dsc_state_t *state)
{
    for (int t = 0; t < state->schema->n_tables; t++) {
        table_keys_t *keys = &state->keys[t];
        for (int k = 0, n = keys->n; k < n; k++) {
            const key_candidate_t *part = &keys->list[k];
            int columns[KEY_MAX],
                year = priors_missing_year(&state->schema->tables[t], part->columns, part->n);
            if (year < 0 || part->n < 2 || part->n == KEY_MAX || part->violations > 0)
                continue;
            memcpy(columns, part->columns, sizeof columns);
            columns[part->n] = year;
            (void)key_add(keys, t, columns, part->n + 1);
        }
    }
}

bool keys_extend(dsc_state_t *state, nv_error_t *err)
{
    proposals_t proposals = {0};
    asked_t asked = {0};
    if (state->options->exact == NULL)
        return true;
    for (int t = 0; t < state->schema->n_tables; t++) {
        const dsc_table_t *table = &state->schema->tables[t];
        if (table->rows < 2)
            continue;
        propose_of_shape(state, &proposals, t);
        if (has_good_single(state, t))
            continue;
        propose_repeated(state, &proposals, t);
        if (!goes_down(table))
            propose_for_table(state, &asked, &proposals, t, 2, SET_MAX);
    }
    bool ok = count_proposals(state, &proposals, &asked, err);
    for (int size = SET_MAX; ok && size >= 2; size--)
        ok = extend_down(state, &asked, size, err);
    take_unique(state, &asked.sets, asked.counts);
    complete_years(state);
    return ok;
}

bool keys_extend_by_references(dsc_state_t *state, nv_error_t *err)
{
    proposals_t proposals = {0};
    if (state->options->exact == NULL)
        return true;
    for (size_t i = 0; i < state->n_joins; i++) {
        const join_candidate_t *join = &state->joins[i];
        if (join->n > 1 && join->p >= 0.3 && !has_good_single(state, join->from) &&
            state->schema->tables[join->from].rows >= 2)
            propose_referring(state, &proposals, join);
    }
    asked_t asked = {0};
    if (!count_proposals(state, &proposals, &asked, err))
        return false;
    take_unique(state, &asked.sets, asked.counts);
    complete_years(state);
    return true;
}

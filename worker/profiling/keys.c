#include "worker/profiling/keys.h"

#include <stdlib.h>
#include <string.h>

enum { SAMPLE_ROWS = 4096, MAX_CANDIDATES = 64, MAX_TRIPLE_CANDIDATES = 24 };
static const double near_unique = 0.95;
static const double near_unique_composite = 0.98; /* many pairs are nearly unique by chance */

/* A set of hashes with open addressing; 0 is kept apart. */
typedef struct hash_set {
    uint64_t *slots;
    size_t mask;
    bool zero;
} hash_set_t;

static hash_set_t set_make(nv_mem_t *ctx, size_t n)
{
    size_t slots = 64;
    while (slots < 2 * n)
        slots *= 2;
    return (hash_set_t){.slots = NV_NEW_ARRAY(ctx, uint64_t, slots), .mask = slots - 1};
}

static bool set_add(hash_set_t *set, uint64_t hash)
{
    if (!hash) {
        bool added = !set->zero;
        set->zero = true;
        return added;
    }
    size_t at = hash & set->mask;
    while (set->slots[at]) {
        if (set->slots[at] == hash)
            return false;
        at = (at + 1) & set->mask;
    }
    set->slots[at] = hash;
    return true;
}

uint32_t *keys_distinct_rows(nv_mem_t *ctx, uint64_t *const *hashes, size_t n_columns, size_t n_rows,
                             size_t *n)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("distinct rows");
    uint32_t *out = NV_NEW_ARRAY(ctx, uint32_t, n_rows);
    uint64_t *sums = NV_NEW_ARRAY(scratch, uint64_t, n_rows);
    for (size_t c = 0; c < n_columns; c++)
        for (size_t r = 0; r < n_rows; r++)
            sums[r] = keys_mix(sums[r], hashes[c][r]);
    hash_set_t set = set_make(scratch, n_rows);
    *n = 0;
    for (size_t r = 0; r < n_rows; r++)
        if (set_add(&set, sums[r]))
            out[(*n)++] = (uint32_t)r;
    return out;
}

static uint64_t combined(const key_rows_t *rows, const key_set_t *set, size_t row)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < set->n; i++)
        sum = keys_mix(sum, rows->hashes[set->columns[i]][rows->rows[row]]);
    return sum;
}

/* Share of distinct combinations among the first n rows; 0 as soon as it cannot reach near_unique. */
static double uniqueness(const key_rows_t *rows, const key_set_t *set, size_t n)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("uniqueness");
    hash_set_t seen = set_make(scratch, n);
    double allowed = (1 - near_unique) * (double)n;
    size_t repeated = 0;
    for (size_t row = 0; row < n; row++) {
        repeated += !set_add(&seen, combined(rows, set, row));
        if ((double)repeated > allowed)
            return 0;
    }
    return n ? (double)(n - repeated) / (double)n : 0;
}

static double judge_rows(void *arg, const key_set_t *set)
{
    const key_rows_t *rows = arg;
    if (rows->n_rows > 2 * SAMPLE_ROWS && uniqueness(rows, set, SAMPLE_ROWS) == 0)
        return 0;
    return uniqueness(rows, set, rows->n_rows);
}

/* A found set makes its supersets pointless: exact ones always, near ones unless the larger one is exact. */
static bool is_covered(const key_set_t *found, size_t n_found, const key_set_t *set, double own)
{
    for (size_t f = 0; f < n_found; f++) {
        size_t inside = 0;
        for (size_t i = 0; i < found[f].n; i++)
            for (size_t j = 0; j < set->n; j++)
                inside += found[f].columns[i] == set->columns[j];
        if (inside == found[f].n && (found[f].uniqueness == 1 || own < 1))
            return true;
    }
    return false;
}

typedef struct search {
    const key_judge_t *judge;
    size_t n_rows;
    const key_column_t *columns;
    size_t candidates[MAX_CANDIDATES];
    size_t n_candidates;
    key_set_t *found;
    size_t n_found;
} search_t;

/* Enough combinations for a key, and none of them found already. */
static bool is_possible(const search_t *search, const key_set_t *set)
{
    if (search->n_found == KEYS_MAX_SETS || is_covered(search->found, search->n_found, set, 1))
        return false;
    double product = 1;
    for (size_t i = 0; i < set->n; i++)
        product *= (double)search->columns[set->columns[i]].distinct;
    return product >= near_unique * (double)search->n_rows;
}

static void try_set(search_t *search, key_set_t *set)
{
    if (!is_possible(search, set))
        return;
    set->uniqueness = search->judge->uniqueness(search->judge->arg, set);
    double least = set->n == 1 ? near_unique : near_unique_composite;
    if (set->uniqueness >= least && !is_covered(search->found, search->n_found, set, set->uniqueness))
        search->found[search->n_found++] = *set;
}

/* All sets of one size, those first that the judge has to know of. */
static void try_level(search_t *search, key_set_t *sets, size_t n)
{
    size_t possible = 0;
    for (size_t i = 0; i < n; i++)
        if (is_possible(search, &sets[i]))
            sets[possible++] = sets[i];
    if (search->judge->announce && possible)
        search->judge->announce(search->judge->arg, sets, possible);
    for (size_t i = 0; i < possible; i++)
        try_set(search, &sets[i]);
}

static void try_pairs(search_t *search)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("pairs");
    size_t m = search->n_candidates;
    key_set_t *sets = NV_NEW_ARRAY(scratch, key_set_t, m * m + 1);
    size_t n = 0;
    for (size_t i = 0; i < m; i++)
        for (size_t j = i + 1; j < m; j++) {
            sets[n] = (key_set_t){.columns = {search->candidates[i], search->candidates[j]}, .n = 2};
            n++;
        }
    try_level(search, sets, n);
}

static void try_triples(search_t *search)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("triples");
    size_t m = search->n_candidates < MAX_TRIPLE_CANDIDATES ? search->n_candidates : MAX_TRIPLE_CANDIDATES;
    key_set_t *sets = NV_NEW_ARRAY(scratch, key_set_t, m * m * m + 1);
    size_t n = 0;
    for (size_t i = 0; i < m; i++)
        for (size_t j = i + 1; j < m; j++)
            for (size_t k = j + 1; k < m; k++) {
                sets[n] = (key_set_t){
                    .columns = {search->candidates[i], search->candidates[j], search->candidates[k]}, .n = 3};
                n++;
            }
    try_level(search, sets, n);
}

static bool any_exact(const search_t *search)
{
    for (size_t i = 0; i < search->n_found; i++)
        if (search->found[i].uniqueness == 1)
            return true;
    return false;
}

size_t keys_find(const key_rows_t *rows, const key_column_t *columns, size_t n_columns,
                 key_set_t out[KEYS_MAX_SETS])
{
    key_rows_t held = *rows;
    key_judge_t judge = {.uniqueness = judge_rows, .arg = &held};
    return keys_search(&judge, rows->n_rows, columns, n_columns, out);
}

size_t keys_search(const key_judge_t *judge, size_t n_rows, const key_column_t *columns, size_t n_columns,
                   key_set_t out[KEYS_MAX_SETS])
{
    search_t search = {.judge = judge, .n_rows = n_rows, .columns = columns, .found = out};
    if (n_rows < 2)
        return 0;
    for (size_t i = 0; i < n_columns; i++) {
        key_set_t set = {.columns = {i}, .n = 1};
        if (columns[i].single)
            try_set(&search, &set);
    }
    for (size_t i = 0; i < n_columns && search.n_candidates < MAX_CANDIDATES; i++) {
        key_set_t set = {.columns = {i}, .n = 1};
        bool exact = columns[i].composite && is_covered(out, search.n_found, &set, 1);
        if (columns[i].composite && !exact && columns[i].distinct > 1)
            search.candidates[search.n_candidates++] = i;
    }
    try_pairs(&search);
    if (!any_exact(&search))
        try_triples(&search);
    return search.n_found;
}

key_column_t keys_column(const Nv__ColumnProfile *column, int64_t row_count)
{
    bool measure = column->type == NV__VALUE_TYPE__VALUE_TYPE_DOUBLE ||
                   (column->type == NV__VALUE_TYPE__VALUE_TYPE_DECIMAL && column->scale > 0);
    bool prose = column->length_mean > 40;
    return (key_column_t){
        .single = !measure && column->null_count * 20 <= row_count,
        .composite = !measure && !prose && column->null_count == 0,
        .distinct = column->distinct_count,
    };
}

#include "worker/profiling/dependencies.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_COLUMNS = 64, SAMPLE_WORK = 40 << 20, SAMPLE_MOST = 20000 };
static const double allowed_share = 0.02; /* of the rows in groups of two or more */
static const double least_support = 0.05;

/* One column as small numbers: equal values have equal codes; code 0 is empty. */
typedef struct coded {
    uint32_t *codes; /* [row] */
    uint32_t n_codes;
} coded_t;

/* Rows ordered by the code of a determinant. */
typedef struct grouping {
    uint32_t *order;           /* row numbers */
    uint32_t *starts;          /* [code] first position; one past the last code at the end */
    int64_t groups, in_groups; /* groups of value; rows in those of two or more */
} grouping_t;

typedef struct slot {
    uint64_t hash;
    uint32_t code;
} slot_t;

static coded_t encode(nv_mem_t *ctx, const key_rows_t *rows, size_t column, size_t n)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("encode");
    size_t n_slots = 64;
    while (n_slots < 2 * n)
        n_slots *= 2;
    slot_t *slots = NV_NEW_ARRAY(scratch, slot_t, n_slots);
    coded_t out = {.codes = NV_NEW_ARRAY(ctx, uint32_t, n), .n_codes = 1};
    for (size_t row = 0; row < n; row++) {
        uint64_t hash = rows->hashes[column][rows->rows[row]];
        if (!hash)
            continue;
        size_t at = hash & (n_slots - 1);
        while (slots[at].code && slots[at].hash != hash)
            at = (at + 1) & (n_slots - 1);
        if (!slots[at].code)
            slots[at] = (slot_t){hash, out.n_codes++};
        out.codes[row] = slots[at].code;
    }
    return out;
}

static grouping_t group(nv_mem_t *ctx, const coded_t *column, size_t n)
{
    grouping_t out = {.order = NV_NEW_ARRAY(ctx, uint32_t, n),
                      .starts = NV_NEW_ARRAY(ctx, uint32_t, column->n_codes + 2)};
    for (size_t row = 0; row < n; row++)
        out.starts[column->codes[row] + 1]++;
    for (uint32_t code = 0; code <= column->n_codes; code++) {
        uint32_t count = out.starts[code + 1];
        if (code > 0 && count) {
            out.groups++;
            out.in_groups += count > 1 ? count : 0;
        }
        out.starts[code + 1] += out.starts[code];
    }
    uint32_t *next = NV_NEW_ARRAY(ctx, uint32_t, column->n_codes + 2);
    memcpy(next, out.starts, (column->n_codes + 2) * sizeof *next);
    for (size_t row = 0; row < n; row++)
        out.order[next[column->codes[row]]++] = (uint32_t)row;
    nv_mem_free(next);
    return out;
}

/* Rows to take away so that each group has one value of the dependent; stops once over the limit. counts is zeroed. */
static int64_t violations(const grouping_t *groups, const coded_t *from, const coded_t *to, uint32_t *counts,
                          double limit)
{
    int64_t sum = 0;
    for (uint32_t code = 1; code < from->n_codes; code++) {
        uint32_t start = groups->starts[code];
        uint32_t end = groups->starts[code + 1];
        if (end - start < 2)
            continue;
        uint32_t most = 0;
        for (uint32_t i = start; i < end; i++) {
            uint32_t count = ++counts[to->codes[groups->order[i]]];
            most = count > most ? count : most;
        }
        for (uint32_t i = start; i < end; i++)
            counts[to->codes[groups->order[i]]] = 0;
        sum += end - start - most;
        if ((double)sum > limit)
            return sum;
    }
    return sum;
}

/* Tests every wanted pair on the first n rows; keeps in pairs those that hold. With out, reports them. */
static size_t test_pairs(const key_rows_t *rows, size_t n, const size_t *columns, size_t n_columns,
                         bool *pairs, dependency_t *out)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("dependencies");
    coded_t *coded = NV_NEW_ARRAY(ctx, coded_t, n_columns);
    for (size_t i = 0; i < n_columns; i++)
        coded[i] = encode(ctx, rows, columns[i], n);
    uint32_t *counts = NV_NEW_ARRAY(ctx, uint32_t, n + 2);
    size_t found = 0;
    for (size_t a = 0; a < n_columns; a++) {
        grouping_t groups = group(ctx, &coded[a], n);
        double support = n ? (double)groups.in_groups / (double)n : 0;
        for (size_t b = 0; b < n_columns; b++) {
            bool *pair = &pairs[a * n_columns + b];
            bool possible = *pair && a != b && groups.groups > 1 && (support >= least_support || !out);
            double limit = allowed_share * (double)groups.in_groups;
            int64_t broken = possible ? violations(&groups, &coded[a], &coded[b], counts, limit) : 0;
            *pair = possible && (double)broken <= limit && (!out || coded[b].n_codes > 2);
            if (!*pair || !out || found == DEPENDENCIES_MAX)
                continue;
            out[found++] = (dependency_t){columns[a], columns[b], broken, groups.groups, support};
        }
        nv_mem_free(groups.order);
        nv_mem_free(groups.starts);
    }
    return found;
}

int dependencies_by_support(const void *left, const void *right)
{
    const dependency_t *a = left;
    const dependency_t *b = right;
    if (a->support != b->support)
        return a->support < b->support ? 1 : -1;
    if (a->determinant != b->determinant)
        return a->determinant < b->determinant ? -1 : 1;
    return (a->dependent > b->dependent) - (a->dependent < b->dependent);
}

size_t dependencies_find(const key_rows_t *rows, const bool *usable, size_t n_columns,
                         dependency_t out[DEPENDENCIES_MAX])
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("dependencies");
    size_t columns[MAX_COLUMNS];
    size_t n = 0;
    for (size_t i = 0; i < n_columns && n < MAX_COLUMNS; i++)
        if (usable[i])
            columns[n++] = i;
    if (n < 2 || rows->n_rows < 3)
        return 0;
    bool *pairs = NV_NEW_ARRAY(ctx, bool, n *n);
    memset(pairs, true, n * n);
    size_t sample = (size_t)SAMPLE_WORK / (n * n);
    sample = sample < SAMPLE_MOST ? sample : SAMPLE_MOST;
    if (sample * 2 < rows->n_rows)
        test_pairs(rows, sample, columns, n, pairs, NULL);
    size_t found = test_pairs(rows, rows->n_rows, columns, n, pairs, out);
    qsort(out, found, sizeof *out, dependencies_by_support);
    return found;
}

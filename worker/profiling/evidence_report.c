#include "worker/profiling/evidence_report.h"

#include "worker/profiling/dependencies.h"
#include "worker/profiling/keys.h"

void evidence_add_set(nv_mem_t *ctx, const key_set_t *set, bool exact, Nv__TableProfile *out)
{
    Nv__CompositeCandidate *added = NV_NEW(ctx, Nv__CompositeCandidate);
    nv__composite_candidate__init(added);
    added->columns = NV_NEW_ARRAY(ctx, char *, set->n);
    added->n_columns = set->n;
    for (size_t i = 0; i < set->n; i++)
        added->columns[i] = nv_strdup(ctx, out->columns[set->columns[i]]->name);
    added->uniqueness = set->uniqueness;
    added->exact = exact;
    out->unique_sets =
        nv_realloc_array(ctx, out->unique_sets, sizeof *out->unique_sets, out->n_unique_sets + 1);
    out->unique_sets[out->n_unique_sets++] = added;
}

/* A table larger than the trace: single columns by their exact distinct count, sets as the scan counted them. A column
 * whose distinct values had to be estimated repeats itself too often for a key. */
static void report_large(nv_mem_t *ctx, const scan_result_t *scan, Nv__TableProfile *out)
{
    double rows = (double)scan->distinct_rows;
    if (scan->distinct_rows <= 0)
        return;
    for (size_t i = 0; i < out->n_columns; i++) {
        const Nv__ColumnProfile *column = out->columns[i];
        key_set_t set = {.columns = {i}, .n = 1, .uniqueness = (double)column->distinct_count / rows};
        if (column->distinct_exact && keys_column(column, out->row_count).single && set.uniqueness >= 0.95)
            evidence_add_set(ctx, &set, true, out);
    }
    for (size_t i = 0; i < scan->n_sets; i++) {
        key_set_t set = scan->sets[i].set;
        set.uniqueness = (double)scan->sets[i].distinct / rows;
        if (scan->sets[i].distinct > 0 && set.uniqueness >= 0.98)
            evidence_add_set(ctx, &set, true, out);
    }
}

static void report_keys(nv_mem_t *ctx, const scan_result_t *scan, const key_rows_t *rows,
                        Nv__TableProfile *out)
{
    if (!scan->trace.complete) {
        report_large(ctx, scan, out);
        return;
    }
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("keys");
    key_column_t *columns = NV_NEW_ARRAY(scratch, key_column_t, out->n_columns);
    for (size_t i = 0; i < out->n_columns; i++)
        columns[i] = keys_column(out->columns[i], out->row_count);
    key_set_t sets[KEYS_MAX_SETS];
    size_t n = keys_find(rows, columns, out->n_columns, sets);
    for (size_t i = 0; i < n; i++)
        evidence_add_set(ctx, &sets[i], true, out);
}

void evidence_put_dependencies(nv_mem_t *ctx, const dependency_t *found, size_t n, Nv__TableProfile *out)
{
    out->dependencies = NV_NEW_ARRAY(ctx, Nv__FunctionalDependency *, n);
    out->n_dependencies = n;
    for (size_t i = 0; i < n; i++) {
        Nv__FunctionalDependency *d = NV_NEW(ctx, Nv__FunctionalDependency);
        nv__functional_dependency__init(d);
        d->determinant = NV_NEW_ARRAY(ctx, char *, 1);
        d->determinant[0] = nv_strdup(ctx, out->columns[found[i].determinant]->name);
        d->n_determinant = 1;
        d->dependent = nv_strdup(ctx, out->columns[found[i].dependent]->name);
        d->violations = found[i].violations;
        d->groups = found[i].groups;
        d->support = found[i].support;
        out->dependencies[i] = d;
    }
}

static void report_dependencies(nv_mem_t *ctx, const key_rows_t *rows, Nv__TableProfile *out)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("dependencies");
    bool *usable = NV_NEW_ARRAY(scratch, bool, out->n_columns);
    for (size_t i = 0; i < out->n_columns; i++)
        usable[i] =
            out->columns[i]->distinct_count > 1 && out->columns[i]->type != NV__VALUE_TYPE__VALUE_TYPE_DOUBLE;
    dependency_t *found = NV_NEW_ARRAY(scratch, dependency_t, DEPENDENCIES_MAX);
    size_t n = dependencies_find(rows, usable, out->n_columns, found);
    evidence_put_dependencies(ctx, found, n, out);
}

void evidence_report(nv_mem_t *ctx, const scan_result_t *scan, Nv__TableProfile *out)
{
    if (scan->trace.rows < 2)
        return;
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("evidence");
    key_rows_t rows = {.hashes = scan->trace.hashes};
    size_t n = scan->trace.rows;
    if (!scan->trace.complete && n > EVIDENCE_SAMPLE_ROWS)
        n = EVIDENCE_SAMPLE_ROWS;
    rows.rows = keys_distinct_rows(scratch, scan->trace.hashes, out->n_columns, n, &rows.n_rows);
    report_keys(ctx, scan, &rows, out);
    report_dependencies(ctx, &rows, out);
}

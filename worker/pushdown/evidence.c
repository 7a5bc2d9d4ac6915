/* Unique sets, dependencies and file order, counted in the warehouse. */
#include <stdlib.h>
#include <string.h>

#include "worker/profiling/dependencies.h"
#include "worker/profiling/evidence_report.h"
#include "worker/profiling/keys.h"
#include "worker/pushdown/job.h"
#include "worker/pushdown/scan.h"

enum { SAMPLE_ROWS = 4096, SETS = 400, COUNTED = 4096, MAX_COLUMNS = 64, PAIRS = 40 };
static const double allowed_share = 0.02, least_support = 0.05; /* as in dependencies.c */

static bool count_distinct_rows(pushdown_job_t *job, nv_error_t *err)
{
    profile_part_t all = job_all(job);
    pushdown_rows_t rows;
    if (!job_query(job, profile_distinct_rows_sql(job->scratch, &all), &rows, err))
        return nv_wrap(err, "counting distinct rows");
    job->distinct_rows = rows.n_rows ? pushdown_number(&rows, 0, 0) : 0;
    job->out->duplicate_row_count = job->out->row_count - job->distinct_rows;
    return true;
}

/* The judge of the key search: sets counted so far. */
typedef struct counter {
    pushdown_job_t *job;
    key_set_t counted[COUNTED];
    size_t n;
    nv_error_t *err;
    bool failed;
} counter_t;

static bool same_set(const key_set_t *a, const key_set_t *b)
{
    return a->n == b->n && memcmp(a->columns, b->columns, a->n * sizeof a->columns[0]) == 0;
}

/* Distinct combinations / rows of the sets, over the first `rows` rows (0: all). */
static bool count_sets(counter_t *counter, key_set_t *sets, size_t n, int64_t rows)
{
    profile_part_t all = job_all(counter->job);
    for (size_t first = 0; first < n; first += SETS) {
        size_t m = n - first < SETS ? n - first : SETS;
        profile_set_t *asked = NV_NEW_ARRAY(counter->job->scratch, profile_set_t, m);
        pushdown_rows_t answer;
        for (size_t i = 0; i < m; i++) {
            asked[i].n = sets[first + i].n;
            memcpy(asked[i].columns, sets[first + i].columns, sizeof asked[i].columns);
        }
        if (!job_query(counter->job, profile_sets_sql(counter->job->scratch, &all, asked, m, rows), &answer,
                       counter->err))
            return false;
        for (size_t r = 0; r < answer.n_rows; r++) {
            size_t i = (size_t)pushdown_number(&answer, r, 0);
            double of = (double)pushdown_number(&answer, r, 2);
            if (i < m)
                sets[first + i].uniqueness = of > 0 ? (double)pushdown_number(&answer, r, 1) / of : 0;
        }
    }
    return true;
}

/* Counts a level at once: on a sample first, so that few sets are counted over all rows. */
static void announce(void *arg, const key_set_t *sets, size_t n)
{
    counter_t *counter = arg;
    pushdown_job_t *job = counter->job;
    key_set_t *asked = NV_NEW_ARRAY(job->scratch, key_set_t, n);
    memcpy(asked, sets, n * sizeof *asked);
    if (counter->failed)
        return;
    if (job->out->row_count > 2 * SAMPLE_ROWS) {
        if (!count_sets(counter, asked, n, SAMPLE_ROWS)) {
            counter->failed = true;
            return;
        }
        size_t kept = 0;
        for (size_t i = 0; i < n; i++)
            if (asked[i].uniqueness >= 0.95)
                asked[kept++] = asked[i];
        n = kept;
    }
    if (n && !count_sets(counter, asked, n, 0)) {
        counter->failed = true;
        return;
    }
    for (size_t i = 0; i < n && counter->n < COUNTED; i++)
        counter->counted[counter->n++] = asked[i];
}

static double uniqueness(void *arg, const key_set_t *set)
{
    counter_t *counter = arg;
    const pushdown_job_t *job = counter->job;
    if (set->n == 1) { /* every distinct text is a combination, and so is the empty one */
        size_t c = set->columns[0];
        int64_t combinations = job->texts[c] + (job->values[c] < job->out->row_count);
        return job->distinct_rows ? (double)combinations / (double)job->distinct_rows : 0;
    }
    for (size_t i = 0; i < counter->n; i++)
        if (same_set(&counter->counted[i], set))
            return counter->counted[i].uniqueness;
    return 0;
}

static bool find_keys(pushdown_job_t *job, nv_error_t *err)
{
    Nv__TableProfile *out = job->out;
    counter_t *counter = NV_NEW(job->scratch, counter_t);
    key_column_t *columns = NV_NEW_ARRAY(job->scratch, key_column_t, out->n_columns);
    key_set_t sets[KEYS_MAX_SETS];
    key_judge_t judge = {.announce = announce, .uniqueness = uniqueness, .arg = counter};
    counter->job = job;
    counter->err = err;
    for (size_t i = 0; i < out->n_columns; i++)
        columns[i] = keys_column(out->columns[i], out->row_count);
    size_t n = keys_search(&judge, (size_t)job->distinct_rows, columns, out->n_columns, sets);
    if (counter->failed)
        return nv_wrap(err, "counting column sets");
    for (size_t i = 0; i < n; i++)
        evidence_add_set(job->ctx, &sets[i], true, out);
    return true;
}

/* Columns that may take part in a dependency. */
static size_t usable_columns(const pushdown_job_t *job, size_t columns[MAX_COLUMNS])
{
    size_t n = 0;
    for (size_t i = 0; i < job->out->n_columns && n < MAX_COLUMNS; i++) {
        const Nv__ColumnProfile *column = job->out->columns[i];
        if (column->distinct_count > 1 && column->type != NV__VALUE_TYPE__VALUE_TYPE_DOUBLE)
            columns[n++] = i;
    }
    return n;
}

/* What is left after the groups were looked at: exact dependencies, and those with few bad groups. */
typedef struct candidates {
    dependency_t *list;
    size_t n;
    size_t *open; /* whose violations are still to be counted */
    size_t n_open;
    double *limits;
} candidates_t;

static void judge_groups(pushdown_job_t *job, const size_t *columns, size_t n, int64_t rows,
                         const pushdown_rows_t *groups, candidates_t *out)
{
    for (size_t r = 0; r < groups->n_rows; r++) {
        size_t a = (size_t)pushdown_number(groups, r, 0);
        int64_t n_groups = pushdown_number(groups, r, 1), in_groups = pushdown_number(groups, r, 2);
        double support = rows ? (double)in_groups / (double)rows : 0;
        for (size_t b = 0; b < n; b++) {
            int64_t bad = pushdown_number(groups, r, 3 + b);
            if (a >= n || a == b || n_groups < 2 || support < least_support || job->texts[columns[b]] < 2 ||
                (double)bad > allowed_share * (double)in_groups)
                continue;
            out->list[out->n] = (dependency_t){columns[a], columns[b], 0, n_groups, support};
            out->limits[out->n] = allowed_share * (double)in_groups;
            if (bad)
                out->open[out->n_open++] = out->n;
            out->n++;
        }
    }
}

static bool count_violations(pushdown_job_t *job, candidates_t *c, int64_t sample, nv_error_t *err)
{
    profile_part_t all = job_all(job);
    for (size_t first = 0; first < c->n_open; first += PAIRS) {
        size_t n = c->n_open - first < PAIRS ? c->n_open - first : PAIRS;
        profile_pair_t pairs[PAIRS];
        pushdown_rows_t rows;
        for (size_t i = 0; i < n; i++) {
            const dependency_t *d = &c->list[c->open[first + i]];
            pairs[i] = (profile_pair_t){d->determinant, d->dependent};
        }
        if (!job_query(job, profile_violations_sql(job->scratch, &all, pairs, n, sample), &rows, err))
            return nv_wrap(err, "counting violations");
        for (size_t r = 0; r < rows.n_rows; r++) {
            size_t i = (size_t)pushdown_number(&rows, r, 0);
            if (i < n)
                c->list[c->open[first + i]].violations = pushdown_number(&rows, r, 1);
        }
    }
    return true;
}

static bool find_dependencies(pushdown_job_t *job, nv_error_t *err)
{
    profile_part_t all = job_all(job);
    size_t columns[MAX_COLUMNS];
    size_t n = usable_columns(job, columns);
    pushdown_rows_t groups;
    bool sampled = job->out->row_count > EVIDENCE_SAMPLE_ROWS;
    int64_t sample = sampled ? EVIDENCE_SAMPLE_ROWS : 0;
    if (n < 2 || job->distinct_rows < 3)
        return true;
    if (!job_query(job, profile_dependencies_sql(job->scratch, &all, columns, n, sample), &groups, err))
        return nv_wrap(err, "counting groups");
    candidates_t c = {.list = NV_NEW_ARRAY(job->scratch, dependency_t, n * n),
                      .open = NV_NEW_ARRAY(job->scratch, size_t, n * n),
                      .limits = NV_NEW_ARRAY(job->scratch, double, n *n)};
    judge_groups(job, columns, n, sampled ? EVIDENCE_SAMPLE_ROWS : job->distinct_rows, &groups, &c);
    if (!count_violations(job, &c, sample, err))
        return false;
    size_t kept = 0;
    for (size_t i = 0; i < c.n; i++)
        if ((double)c.list[i].violations <= c.limits[i])
            c.list[kept++] = c.list[i];
    qsort(c.list, kept, sizeof *c.list, dependencies_by_support);
    evidence_put_dependencies(job->ctx, c.list, kept < DEPENDENCIES_MAX ? kept : DEPENDENCIES_MAX, job->out);
    if (sampled)
        job_warn(job, "dependencies between columns were established on %d of %lld rows",
                 EVIDENCE_SAMPLE_ROWS, (long long)job->out->row_count);
    return true;
}

static bool all_digits(const char *text)
{
    size_t n = strspn(text, "0123456789");
    return n > 0 && n <= 18 && !text[n];
}

/* As within a file: numbers as numbers, other texts of one length by their bytes. */
static bool increases(const char *a, const char *b)
{
    if (all_digits(a) && all_digits(b))
        return strtoll(a, NULL, 10) < strtoll(b, NULL, 10);
    return strlen(a) == strlen(b) && strcmp(a, b) < 0;
}

/* The answer's row about a file, or n_rows. */
static size_t row_of(pushdown_job_t *job, const pushdown_rows_t *rows, size_t file)
{
    size_t r = 0;
    while (r < rows->n_rows &&
           strcmp(scan_path(job->scratch, pushdown_cell(rows, r, 0)), job->out->files[file]->path) != 0)
        r++;
    return r;
}

static bool is_ordered(pushdown_job_t *job, const pushdown_rows_t *rows, size_t column)
{
    const char *last = NULL;
    for (size_t f = 0; f < job->out->n_files; f++) {
        size_t r = row_of(job, rows, f);
        if (r == rows->n_rows)
            continue;
        const char *first = pushdown_cell(rows, r, 2 + 3 * column);
        if (pushdown_number(rows, r, 1 + 3 * column) || !first || (last && !increases(last, first)))
            return false;
        last = pushdown_cell(rows, r, 3 + 3 * column);
    }
    return last != NULL;
}

/* Whether columns of distinct values without gaps increase from file to file and within each. A table has no order. */
static bool find_order(pushdown_job_t *job, nv_error_t *err)
{
    profile_part_t all = job_all(job);
    Nv__TableProfile *out = job->out;
    size_t columns[PROFILE_COLUMNS], n = 0;
    pushdown_rows_t rows;
    if (strcmp(out->dialect->format, "table") == 0)
        return true;
    for (size_t i = 0; i < out->n_columns && n < PROFILE_COLUMNS; i++)
        if (job->values[i] == out->row_count && job->texts[i] == out->row_count && out->row_count > 1 &&
            out->columns[i]->length_max <= 32)
            columns[n++] = i;
    if (!n)
        return true;
    if (!job_query(job, profile_order_sql(job->scratch, &all, columns, n), &rows, err))
        return nv_wrap(err, "order of values");
    for (size_t i = 0; i < n; i++)
        out->columns[columns[i]]->monotonic = is_ordered(job, &rows, i);
    return true;
}

bool job_evidence(pushdown_job_t *job, nv_error_t *err)
{
    return count_distinct_rows(job, err) && find_keys(job, err) && find_dependencies(job, err) &&
           find_order(job, err);
}

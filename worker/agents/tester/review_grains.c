/* Grains of a design, held against the data. */
#include "worker/agents/tester/review.h"
#include "worker/design/design.h"

#include <inttypes.h>
#include <string.h>

/* A key that repeats in more than this share of the records is none; where they are versions of a member, more may. */
static const double most_repeated = 0.05;
static const double most_versions = 0.4;

static const Nv__TableProfile *find_table(const reviewing_t *r, const char *name)
{
    for (size_t i = 0; i < r->profile->n_tables; i++) {
        if (strcmp(r->profile->tables[i]->name, name) == 0)
            return r->profile->tables[i];
    }
    return NULL;
}

/* A grain that nobody can count from here. */
static void leave_grain_open(reviewing_t *r, const char *subject, bool whole_row)
{
    Nv__Check *open =
        review_add(r, "grain_unique", subject,
                   whole_row ? NV__CHECK_STATUS__CHECK_STATUS_PASS : NV__CHECK_STATUS__CHECK_STATUS_WARN);
    open->message =
        nv_strdup(r->ctx, whole_row ? "the whole record is the grain: unique once duplicates are dropped"
                                    : "could not be counted from here");
}

/* The table holds its members version by version, dated or in files of several days. */
static bool holds_versions(const reviewing_t *r, const char *table)
{
    for (size_t i = 0; i < r->star->n_dimensions; i++)
        if (strcmp(r->star->dimensions[i]->source, table) == 0 &&
            r->star->dimensions[i]->effective_from[0] != '\0')
            return true;
    const Nv__TableProfile *profile = find_table(r, table);
    const Nv__Relations *relations = r->star->relations;
    for (size_t i = 0;
         profile != NULL && profile->n_files > 1 && relations != NULL && i < relations->n_changes; i++)
        if (strcmp(relations->changes[i]->table, table) == 0)
            return true;
    return false;
}

/* A grain that repeats in a few records is dirt that the load settles by keeping the latest; more is a wrong grain, unless they are
 * versions. */
static bool check_grain(reviewing_t *r, const char *table, char *const *columns, size_t n, nv_error_t *err)
{
    const char *subject = design_grain_subject(r->ctx, table, columns, n);
    const Nv__TableProfile *profile = find_table(r, table);
    discovery_check_t check = {.from = table, .n = (int)n};
    discovery_counts_t counts = {0};
    if (n <= DISCOVERY_KEY_COLUMNS_MAX && r->raw != NULL) {
        for (size_t i = 0; i < n; i++)
            check.columns[i] = columns[i];
        if (!counting_count(r->raw, &check, &counts, err))
            return nv_wrap(err, "grain of %s", table);
    }
    if (!counts.answered) {
        leave_grain_open(r, subject, profile != NULL && n >= profile->n_columns);
        return true;
    }
    int64_t repeated = counts.rows - counts.distinct;
    Nv__Check *unique =
        review_add(r, "grain_unique", subject,
                   repeated == 0 ? NV__CHECK_STATUS__CHECK_STATUS_PASS : NV__CHECK_STATUS__CHECK_STATUS_WARN);
    unique->sql = nv_strdup(r->ctx, counting_last_sql(r->raw));
    unique->actual =
        nv_printf(r->ctx, "%" PRId64 " distinct in %" PRId64 " records", counts.distinct, counts.rows);
    double most = holds_versions(r, table) ? most_versions : most_repeated;
    if ((double)repeated > most * (double)counts.rows)
        review_fail(r, unique, "one record per key", unique->actual, "Choose another grain for this table.");
    return true;
}

/* What makes a row of a dimension's source: the business key, and where the source is kept version by version their date. */
static size_t key_of_rows(const reviewing_t *r, const Nv__DimensionDesign *dimension, char ***out)
{
    size_t n = dimension->n_business_key;
    *out = NV_NEW_ARRAY(r->ctx, char *, n + 1);
    for (size_t i = 0; i < n; i++)
        (*out)[i] = dimension->business_key[i];
    const Nv__SttmSource *source = review_source(r, dimension->source);
    if (source != NULL && dimension->effective_from[0] != '\0' &&
        review_is_key_part(source, dimension->effective_from))
        (*out)[n++] = dimension->effective_from;
    return n;
}

bool review_grains(reviewing_t *r, nv_error_t *err)
{
    for (size_t i = 0; i < r->star->n_facts; i++) {
        if (!check_grain(r, r->star->facts[i]->source, r->star->facts[i]->grain_columns,
                         r->star->facts[i]->n_grain_columns, err))
            return false;
    }
    for (size_t i = 0; i < r->star->n_bridges; i++) {
        if (!check_grain(r, r->star->bridges[i]->source, r->star->bridges[i]->grain_columns,
                         r->star->bridges[i]->n_grain_columns, err))
            return false;
    }
    for (size_t i = 0; i < r->star->n_dimensions; i++) {
        const Nv__DimensionDesign *dimension = r->star->dimensions[i];
        char **key = NULL;
        size_t n = key_of_rows(r, dimension, &key);
        if (!dimension->from_flat && !check_grain(r, dimension->source, key, n, err))
            return false;
    }
    return true;
}

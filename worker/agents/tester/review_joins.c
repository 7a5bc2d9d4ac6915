/* Joins of a design, held against the data. */
#include "worker/agents/tester/review.h"
#include "worker/design/design.h"

#include <inttypes.h>
#include <string.h>

/* A lookup that misses more than this share of its rows is wrong, not dirty. */
static const double least_lookup = 0.8;
static const double warn_lookup = 0.98;

static bool same_join(const Nv__Join *a, const Nv__Join *b)
{
    if (strcmp(a->from, b->from) != 0 || strcmp(a->to, b->to) != 0 || a->n_columns != b->n_columns)
        return false;
    for (size_t i = 0; i < a->n_columns; i++) {
        if (strcmp(a->columns[i], b->columns[i]) != 0 || strcmp(a->to_columns[i], b->to_columns[i]) != 0)
            return false;
    }
    return true;
}

static bool was_checked(Nv__Join *const *seen, size_t n, const Nv__Join *join)
{
    for (size_t i = 0; i < n; i++) {
        if (same_join(seen[i], join))
            return true;
    }
    return false;
}

static bool count_join(reviewing_t *r, const Nv__Join *join, discovery_counts_t *counts, nv_error_t *err)
{
    discovery_check_t check = {.from = join->from, .to = join->to, .n = (int)join->n_columns};
    *counts = (discovery_counts_t){0};
    if (r->raw == NULL || join->n_columns > DISCOVERY_KEY_COLUMNS_MAX)
        return true;
    for (size_t i = 0; i < join->n_columns; i++) {
        check.columns[i] = join->columns[i];
        check.to_columns[i] = join->to_columns[i];
    }
    return counting_count(r->raw, &check, counts, err);
}

/* Does the key of the target repeat among its distinct records? Silver keeps one record per key, so a repeated key is dirt that the
 * load settles; it multiplies nothing. Only a target that is addressed by something else than its silver key can. */
static bool is_silver_key(const reviewing_t *r, const Nv__Join *join)
{
    const Nv__SttmSource *target = review_source(r, join->to);
    if (target == NULL || target->n_key == 0)
        return false;
    size_t found = 0;
    for (size_t i = 0; i < join->n_to_columns; i++)
        found += review_is_key_part(target, join->to_columns[i]);
    return found == target->n_key;
}

/* A lookup by the business key of a dimension finds exactly one row, however many versions of a record the source has: the
 * current one, or the one of its day. */
static bool is_dimension_key(const reviewing_t *r, const Nv__Join *join)
{
    for (size_t i = 0; i < r->star->n_dimensions; i++) {
        const Nv__DimensionDesign *dimension = r->star->dimensions[i];
        if (strcmp(dimension->source, join->to) != 0 || dimension->n_business_key != join->n_to_columns)
            continue;
        size_t found = 0;
        for (size_t k = 0; k < dimension->n_business_key; k++)
            for (size_t j = 0; j < join->n_to_columns; j++)
                found += strcmp(dimension->business_key[k], join->to_columns[j]) == 0;
        if (found == dimension->n_business_key)
            return true;
    }
    return false;
}

/* From a thing to its one-to-one extension: not every thing needs to have one. */
static bool leads_to_extension(const reviewing_t *r, const Nv__Join *join)
{
    const Nv__Relations *relations = r->star->relations;
    for (size_t i = 0; relations != NULL && i < relations->n_joins; i++) {
        const Nv__Join *other = relations->joins[i];
        if (other->cardinality == NV__CARDINALITY__CARDINALITY_ONE_TO_ONE &&
            strcmp(other->from, join->to) == 0 && strcmp(other->to, join->from) == 0 &&
            other->n_columns == join->n_columns && strcmp(other->columns[0], join->to_columns[0]) == 0 &&
            strcmp(other->to_columns[0], join->columns[0]) == 0)
            return true;
    }
    return false;
}

/* A value may find several rows of the raw target where the load leaves one of them, or one at a time. */
static void check_fan_out(reviewing_t *r, const Nv__Join *join, const char *subject, int64_t most)
{
    Nv__Check *check = review_add(r, "fan_out", subject, NV__CHECK_STATUS__CHECK_STATUS_PASS);
    if (most <= 1)
        check->actual = nv_strdup(r->ctx, "1 target row per value");
    else if (is_silver_key(r, join))
        check->actual =
            nv_printf(r->ctx, "1 target row per value, once repeated rows (up to %" PRId64 ") are one", most);
    else if (is_dimension_key(r, join))
        check->actual =
            nv_printf(r->ctx, "1 target row per value at any time, of up to %" PRId64 " versions", most);
    else
        review_fail(r, check, "exactly 1 target row per value",
                    nv_printf(r->ctx, "up to %" PRId64 " target rows per value", most),
                    "Drop this join or join to the key of the target.");
}

static bool check_join(reviewing_t *r, const Nv__Join *join, nv_error_t *err)
{
    discovery_counts_t counts;
    if (strcmp(join->from, join->to) == 0)
        return true;
    if (!count_join(r, join, &counts, err))
        return nv_wrap(err, "review of %s", join->from);
    const char *subject = design_join_subject(r->ctx, join);
    if (!counts.answered) {
        review_add(r, "join_holds", subject, NV__CHECK_STATUS__CHECK_STATUS_WARN)->message =
            nv_strdup(r->ctx, "could not be counted from here");
        return true;
    }
    double found = counts.rows > 0 ? 1 - (double)counts.missing / (double)counts.rows : 1;
    Nv__Check *holds = review_add(r, "join_holds", subject,
                                  found >= warn_lookup ? NV__CHECK_STATUS__CHECK_STATUS_PASS
                                                       : NV__CHECK_STATUS__CHECK_STATUS_WARN);
    holds->sql = nv_strdup(r->ctx, counting_last_sql(r->raw));
    holds->actual = nv_printf(r->ctx, "%" PRId64 " of %" PRId64 " rows find their target",
                              counts.rows - counts.missing, counts.rows);
    if (found < least_lookup && !leads_to_extension(r, join))
        review_fail(r, holds,
                    nv_printf(r->ctx, "at least %.0f%% of the rows to find their target", 100 * least_lookup),
                    holds->actual, "Drop this join.");
    check_fan_out(r, join, subject, counts.fan_out);
    return true;
}

/* Every join that the design makes use of; some more than once. */
static size_t joins_of(const reviewing_t *r, Nv__Join ***out)
{
    size_t n = 0, cap = 0;
    const Nv__StarSchema *star = r->star;
    *out = NULL;
    for (size_t i = 0; i < star->n_dimensions; i++)
        for (size_t k = 0; k < star->dimensions[i]->n_flattened; k++)
            NV_PUSH(r->ctx, *out, n, cap) = star->dimensions[i]->flattened[k];
    for (size_t i = 0; i < star->n_facts; i++) {
        for (size_t k = 0; k < star->facts[i]->n_parents; k++)
            NV_PUSH(r->ctx, *out, n, cap) = star->facts[i]->parents[k];
        for (size_t k = 0; k < star->facts[i]->n_dimensions; k++)
            NV_PUSH(r->ctx, *out, n, cap) = star->facts[i]->dimensions[k]->join;
    }
    for (size_t i = 0; i < star->n_bridges; i++)
        for (size_t k = 0; k < star->bridges[i]->n_dimensions; k++)
            NV_PUSH(r->ctx, *out, n, cap) = star->bridges[i]->dimensions[k]->join;
    return n;
}

bool review_joins(reviewing_t *r, nv_error_t *err)
{
    Nv__Join **all;
    size_t n = joins_of(r, &all);
    for (size_t i = 0; i < n; i++) {
        if (task_cancelled(r->task))
            return nv_fail(err, NV_CANCELLED, "review was cancelled");
        if (!was_checked(all, i, all[i]) && !check_join(r, all[i], err))
            return false;
    }
    return true;
}

/* review: does the mapping hold before any code exists? Its own consistency, then what it claims against the data by DuckDB: grains
 * unique, joins that hold, no join that multiplies rows, lookups that find their members. */
#include "common/core/buf.h"
#include "worker/agents/remote/counting.h"
#include "worker/agents/task/task.h"
#include "worker/design/design.h"
#include "worker/design/sttm_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A lookup that misses more than this share of its rows is wrong, not dirty. */
static const double least_lookup = 0.8;
static const double warn_lookup = 0.98;
/* A key that repeats in more than this share of the records is none; where they are versions of a member, more may. */
static const double most_repeated = 0.05;
static const double most_versions = 0.4;
enum { CRITIQUE_MAX = 8 * 1024 };

typedef struct reviewing {
    agent_task_t *task;
    nv_mem_t *ctx;
    Nv__Profile *profile;
    Nv__StarSchema *star;
    Nv__Sttm *sttm;
    Nv__Review *review;
    size_t cap;
    counting_t *raw;
    nv_buf_t critique;
} reviewing_t;

static Nv__Check *add_check(reviewing_t *r, const char *name, const char *subject, Nv__CheckStatus status)
{
    Nv__Check *check = NV_NEW(r->ctx, Nv__Check);
    nv__check__init(check);
    check->id = nv_printf(r->ctx, "R%03zu", r->review->n_checks + 1);
    check->name = nv_strdup(r->ctx, name);
    check->subject = nv_strdup(r->ctx, subject);
    check->status = status;
    NV_PUSH(r->ctx, r->review->checks, r->review->n_checks, r->cap) = check;
    return check;
}

static void fail_check(reviewing_t *r, Nv__Check *check, const char *expected, const char *actual,
                       const char *advice)
{
    check->status = NV__CHECK_STATUS__CHECK_STATUS_FAIL;
    check->expected = nv_strdup(r->ctx, expected);
    check->actual = nv_strdup(r->ctx, actual);
    check->message = nv_printf(r->ctx, "%s: expected %s, found %s", check->subject, expected, actual);
    check->blame = nv_strdup(r->ctx, "design");
    nv_buf_printf(&r->critique, "%s %s: expected %s, found %s. %s\n", check->name, check->subject, expected,
                  actual, advice);
}

static void check_consistency(reviewing_t *r)
{
    sttm_problems_t problems = sttm_find_problems(r->ctx, r->sttm, r->profile);
    if (problems.n == 0) {
        Nv__Check *check = add_check(r, "mapping_consistent", "sttm", NV__CHECK_STATUS__CHECK_STATUS_PASS);
        check->actual =
            nv_printf(r->ctx, "%zu sources, %zu targets, every column mapped or left out with a reason",
                      r->sttm->n_sources, r->sttm->n_targets);
    }
    for (size_t i = 0; i < problems.n; i++)
        fail_check(r, add_check(r, "mapping_consistent", "sttm", NV__CHECK_STATUS__CHECK_STATUS_FAIL),
                   "a consistent mapping", problems.text[i], "Mend the mapping at this place.");
}

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
    for (size_t i = 0; i < r->sttm->n_sources; i++) {
        const Nv__SttmSource *source = r->sttm->sources[i];
        if (strcmp(source->name, join->to) != 0 || source->n_key == 0 || source->n_key > join->n_to_columns)
            continue;
        for (size_t k = 0; k < source->n_key; k++) {
            bool found = false;
            for (size_t c = 0; c < source->n_columns; c++) {
                for (size_t j = 0; j < join->n_to_columns; j++)
                    found = found || (strcmp(source->columns[c]->silver_name, source->key[k]) == 0 &&
                                      strcmp(source->columns[c]->name, join->to_columns[j]) == 0);
            }
            if (!found)
                return false;
        }
        return true;
    }
    return false;
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
    Nv__Check *check = add_check(r, "fan_out", subject, NV__CHECK_STATUS__CHECK_STATUS_PASS);
    if (most <= 1)
        check->actual = nv_strdup(r->ctx, "1 target row per value");
    else if (is_silver_key(r, join))
        check->actual =
            nv_printf(r->ctx, "1 target row per value, once repeated rows (up to %" PRId64 ") are one", most);
    else if (is_dimension_key(r, join))
        check->actual =
            nv_printf(r->ctx, "1 target row per value at any time, of up to %" PRId64 " versions", most);
    else
        fail_check(r, check, "exactly 1 target row per value",
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
        add_check(r, "join_holds", subject, NV__CHECK_STATUS__CHECK_STATUS_WARN)->message =
            nv_strdup(r->ctx, "could not be counted from here");
        return true;
    }
    double found = counts.rows > 0 ? 1 - (double)counts.missing / (double)counts.rows : 1;
    Nv__Check *holds = add_check(r, "join_holds", subject,
                                 found >= warn_lookup ? NV__CHECK_STATUS__CHECK_STATUS_PASS
                                                      : NV__CHECK_STATUS__CHECK_STATUS_WARN);
    holds->sql = nv_strdup(r->ctx, counting_last_sql(r->raw));
    holds->actual = nv_printf(r->ctx, "%" PRId64 " of %" PRId64 " rows find their target",
                              counts.rows - counts.missing, counts.rows);
    if (found < least_lookup && !leads_to_extension(r, join))
        fail_check(r, holds,
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

static bool check_joins(reviewing_t *r, nv_error_t *err)
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
        add_check(r, "grain_unique", subject,
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
        add_check(r, "grain_unique", subject,
                  repeated == 0 ? NV__CHECK_STATUS__CHECK_STATUS_PASS : NV__CHECK_STATUS__CHECK_STATUS_WARN);
    unique->sql = nv_strdup(r->ctx, counting_last_sql(r->raw));
    unique->actual =
        nv_printf(r->ctx, "%" PRId64 " distinct in %" PRId64 " records", counts.distinct, counts.rows);
    double most = holds_versions(r, table) ? most_versions : most_repeated;
    if ((double)repeated > most * (double)counts.rows)
        fail_check(r, unique, "one record per key", unique->actual, "Choose another grain for this table.");
    return true;
}

static bool is_part_of_key(const reviewing_t *r, const char *table, const char *column)
{
    for (size_t i = 0; i < r->sttm->n_sources; i++) {
        const Nv__SttmSource *source = r->sttm->sources[i];
        for (size_t c = 0; c < source->n_columns && strcmp(source->name, table) == 0; c++)
            for (size_t k = 0; k < source->n_key && strcmp(source->columns[c]->name, column) == 0; k++)
                if (strcmp(source->key[k], source->columns[c]->silver_name) == 0)
                    return true;
    }
    return false;
}

/* What makes a row of a dimension's source: the business key, and where the source is kept version by version their date. */
static size_t key_of_rows(const reviewing_t *r, const Nv__DimensionDesign *dimension, char ***out)
{
    size_t n = dimension->n_business_key;
    *out = NV_NEW_ARRAY(r->ctx, char *, n + 1);
    for (size_t i = 0; i < n; i++)
        (*out)[i] = dimension->business_key[i];
    if (dimension->effective_from[0] != '\0' &&
        is_part_of_key(r, dimension->source, dimension->effective_from))
        (*out)[n++] = dimension->effective_from;
    return n;
}

static bool check_grains(reviewing_t *r, nv_error_t *err)
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

static bool read_input(reviewing_t *r, const char *channel, const ProtobufCMessageDescriptor *type,
                       ProtobufCMessage **out, nv_error_t *err)
{
    if (!task_latest(r->task, r->ctx, channel, type, out, err))
        return false;
    return *out != NULL || nv_fail(err, NV_FAILED_PRECONDITION, "review: no %s to review", channel);
}

static bool read_inputs(reviewing_t *r, nv_error_t *err)
{
    ProtobufCMessage *star = NULL, *sttm = NULL;
    if (!read_input(r, "design", &nv__star_schema__descriptor, &star, err) ||
        !read_input(r, "sttm", &nv__sttm__descriptor, &sttm, err))
        return false;
    r->star = (Nv__StarSchema *)star;
    r->sttm = (Nv__Sttm *)sttm;
    r->profile = NV_NEW(r->ctx, Nv__Profile);
    nv__profile__init(r->profile);
    return task_profiles(r->task, r->ctx, &r->profile->tables, &r->profile->n_tables, err);
}

static void open_data(reviewing_t *r)
{
    nv_error_t err = NV_ERROR_INIT;
    if (!counting_open(r->task, r->ctx, r->profile, &r->raw, &err)) {
        r->raw = NULL;
        task_say(r->task, "log", "review without counting: %s", err.message);
    }
}

/* What the Evaluator learns from, should a later round pass. */
static bool leave_critique(reviewing_t *r, nv_error_t *err)
{
    if (r->review->passed)
        return true;
    Nv__Validation critique = NV__VALIDATION__INIT;
    critique.critique = r->review->critique;
    critique.blame = (char *)"design";
    critique.n_checks = r->review->n_checks;
    critique.checks = r->review->checks;
    return task_write(r->task, "critique", &critique.base, err);
}

/* "49 checks of the mapping: 46 passed, 3 warned, 0 failed" */
static void conclude(reviewing_t *r)
{
    size_t passed = 0, warned = 0, n = r->review->n_checks;
    for (size_t i = 0; i < n; i++) {
        passed += r->review->checks[i]->status == NV__CHECK_STATUS__CHECK_STATUS_PASS;
        warned += r->review->checks[i]->status == NV__CHECK_STATUS__CHECK_STATUS_WARN;
    }
    r->review->passed = passed + warned == n;
    r->review->critique = nv_strdup(r->ctx, nv_buf_text(&r->critique));
    task_say(r->task, r->review->passed ? "log" : "finding",
             "%zu checks of the mapping: %zu passed, %zu warned, %zu failed", n, passed, warned,
             n - passed - warned);
}

bool agent_review(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    reviewing_t r = {.task = task, .ctx = ctx, .critique = nv_buf_make(ctx, CRITIQUE_MAX)};
    *out = (agent_result_t){.outcome = "fail", .blame = "design"};
    nv__task_usage__init(&out->usage);
    r.review = NV_NEW(ctx, Nv__Review);
    nv__review__init(r.review);
    if (!read_inputs(&r, err))
        return nv_wrap(err, "review");
    open_data(&r);
    check_consistency(&r);
    bool ok = check_grains(&r, err) && check_joins(&r, err);
    nv_mem_free(r.raw);
    if (!ok)
        return nv_wrap(err, "review");
    conclude(&r);
    if (!task_write(task, "review", &r.review->base, err) || !leave_critique(&r, err))
        return nv_wrap(err, "review");
    if (r.review->passed)
        *out = (agent_result_t){.outcome = "pass", .usage = out->usage};
    return true;
}

/* review: does the mapping hold before any code exists? Its own consistency, then what it claims against the data by DuckDB: grains
 * unique, joins that hold, no join that multiplies rows, lookups that find their members. */
#include "worker/agents/tester/review.h"
#include "worker/design/sttm_check.h"

#include <string.h>

enum { CRITIQUE_MAX = 8 * 1024 };

Nv__Check *review_add(reviewing_t *r, const char *name, const char *subject, Nv__CheckStatus status)
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

void review_fail(reviewing_t *r, Nv__Check *check, const char *expected, const char *actual,
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

const Nv__SttmSource *review_source(const reviewing_t *r, const char *table)
{
    for (size_t i = 0; i < r->sttm->n_sources; i++)
        if (strcmp(r->sttm->sources[i]->name, table) == 0)
            return r->sttm->sources[i];
    return NULL;
}

bool review_is_key_part(const Nv__SttmSource *source, const char *column)
{
    for (size_t c = 0; c < source->n_columns; c++)
        for (size_t k = 0; k < source->n_key && strcmp(source->columns[c]->name, column) == 0; k++)
            if (strcmp(source->key[k], source->columns[c]->silver_name) == 0)
                return true;
    return false;
}

static void check_consistency(reviewing_t *r)
{
    sttm_problems_t problems = sttm_find_problems(r->ctx, r->sttm, r->profile);
    if (problems.n == 0) {
        Nv__Check *check = review_add(r, "mapping_consistent", "sttm", NV__CHECK_STATUS__CHECK_STATUS_PASS);
        check->actual =
            nv_printf(r->ctx, "%zu sources, %zu targets, every column mapped or left out with a reason",
                      r->sttm->n_sources, r->sttm->n_targets);
    }
    for (size_t i = 0; i < problems.n; i++)
        review_fail(r, review_add(r, "mapping_consistent", "sttm", NV__CHECK_STATUS__CHECK_STATUS_FAIL),
                    "a consistent mapping", problems.text[i], "Mend the mapping at this place.");
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
    bool ok = review_grains(&r, err) && review_joins(&r, err);
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

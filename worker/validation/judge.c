/* Comparing the two sides. */
#include "common/core/buf.h"
#include "worker/validation/validation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CRITIQUE_MAX = 16 * 1024, CRITIQUE_LINES = 20 };

static bool about_equal(const char *a, const char *b)
{
    double x = strtod(a, NULL);
    double y = strtod(b, NULL);
    return fabs(x - y) <= 1e-9 * fmax(1.0, fmax(fabs(x), fabs(y)));
}

static bool is_zero(const char *text)
{
    return text && strcmp(text, "0") == 0;
}

static bool agree(validation_compare_t compare, const char *warehouse, const char *oracle)
{
    if (!warehouse || !oracle)
        return warehouse == oracle;
    return strcmp(warehouse, oracle) == 0 || (compare == VALIDATION_ABOUT && about_equal(warehouse, oracle));
}

static Nv__CheckStatus status_of(const validation_check_t *check, const char *warehouse, const char *oracle)
{
    switch (check->compare) {
    case VALIDATION_ZERO:
        return is_zero(warehouse) ? NV__CHECK_STATUS__CHECK_STATUS_PASS : NV__CHECK_STATUS__CHECK_STATUS_FAIL;
    case VALIDATION_WARN:
        return is_zero(warehouse) ? NV__CHECK_STATUS__CHECK_STATUS_PASS : NV__CHECK_STATUS__CHECK_STATUS_WARN;
    default:
        return agree(check->compare, warehouse, oracle) ? NV__CHECK_STATUS__CHECK_STATUS_PASS
                                                        : NV__CHECK_STATUS__CHECK_STATUS_FAIL;
    }
}

Nv__Check *validation_judge(nv_mem_t *ctx, const validation_group_t *group, const validation_check_t *check,
                            const validation_answers_t *answers, size_t id)
{
    Nv__Check *out = NV_NEW(ctx, Nv__Check);
    nv__check__init(out);
    const char *warehouse = answers->warehouse[check->warehouse_at];
    const char *oracle = check->oracle && answers->oracle ? answers->oracle[check->oracle_at] : NULL;
    bool unanswered = check->oracle && !answers->oracle;
    out->id = nv_printf(ctx, "V%04zu", id);
    out->name = nv_strdup(ctx, check->name);
    out->subject = nv_strdup(ctx, check->subject);
    out->actual = nv_strdup(ctx, warehouse ? warehouse : "null");
    out->expected = nv_strdup(ctx, check->oracle ? (oracle ? oracle : "null") : "0");
    out->status = unanswered ? NV__CHECK_STATUS__CHECK_STATUS_WARN : status_of(check, warehouse, oracle);
    out->sql = nv_printf(ctx, "SELECT %s -- %s", check->warehouse, group->table);
    out->milliseconds = group->n_checks ? answers->milliseconds / (int64_t)group->n_checks : 0;
    bool failed = out->status == NV__CHECK_STATUS__CHECK_STATUS_FAIL;
    out->blame = nv_strdup(ctx, failed ? check->blame : "");
    if (unanswered)
        out->message = nv_printf(ctx, "not compared with the raw files: %s", answers->not_comparable);
    else if (out->status == NV__CHECK_STATUS__CHECK_STATUS_PASS)
        out->message = nv_strdup(ctx, "");
    else if (validation_is_unknown_share(out))
        out->message = nv_printf(ctx, "%s: %s rows refer to nothing that is there, so they point to -1",
                                 out->subject, out->actual);
    else if (!check->oracle)
        out->message = nv_printf(ctx, "%s of %s: broken by %s rows", out->name, out->subject, out->actual);
    else
        out->message = nv_printf(ctx, "%s of %s: expected %s, found %s", out->name, out->subject,
                                 out->expected, out->actual);
    return out;
}

static const char *worse(const char *a, const char *b)
{
    if (strcmp(a, "design") == 0 || strcmp(b, "design") == 0)
        return "design";
    return a[0] ? a : b;
}

void validation_conclude(nv_mem_t *ctx, Nv__Validation *validation)
{
    nv_buf_t critique = nv_buf_make(ctx, CRITIQUE_MAX);
    const char *blame = "";
    size_t failed = 0;
    for (size_t i = 0; i < validation->n_checks; i++) {
        const Nv__Check *check = validation->checks[i];
        if (check->status != NV__CHECK_STATUS__CHECK_STATUS_FAIL &&
            check->status != NV__CHECK_STATUS__CHECK_STATUS_ERROR)
            continue;
        blame = worse(blame, check->blame);
        if (failed++ < CRITIQUE_LINES)
            nv_buf_printf(&critique, "%s%s", critique.length ? "\n" : "", check->message);
    }
    if (failed > CRITIQUE_LINES)
        nv_buf_printf(&critique, "\nand %zu more", failed - CRITIQUE_LINES);
    validation->passed = failed == 0;
    validation->blame = nv_strdup(ctx, blame);
    validation->critique = nv_strdup(ctx, nv_buf_text(&critique));
}

/* From which day to which the date dimension reaches: the mapping's span, and whole years as far as the dates do that keys are made
 * of. */
#include "worker/validation/plan.h"

char *calendar_span(const planner_t *p, const Nv__SttmTarget *dates)
{
    model_date_use_t *uses;
    size_t n = model_date_uses(p->ctx, p->in->sttm, &uses);
    nv_buf_t days = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    nv_buf_puts(&days, "SELECT CAST(NULL AS DATE) AS nuvyn_day");
    for (size_t i = 0; i < n; i++)
        nv_buf_printf(&days, " UNION ALL SELECT CAST(%s AS DATE) FROM %s",
                      sql_identifier(p->ctx, p->oracle, uses[i].column), planner_clean(p, uses[i].source));
    return nv_printf(
        p->ctx,
        "SELECT least(CAST(%s AS DATE), CAST(date_trunc('year', min(nuvyn_day)) AS DATE)) AS nuvyn_first, "
        "greatest(CAST(%s AS DATE), CAST(date_trunc('year', max(nuvyn_day)) + INTERVAL 1 YEAR - INTERVAL 1 "
        "DAY "
        "AS DATE)) AS nuvyn_last FROM (%s) AS used WHERE nuvyn_day BETWEEN CAST('%s' AS DATE) AND CAST('%s' "
        "AS "
        "DATE)",
        sql_literal(p->ctx, p->oracle, dates->date_first), sql_literal(p->ctx, p->oracle, dates->date_last),
        nv_buf_text(&days), MODEL_FIRST_DAY, MODEL_LAST_DAY);
}

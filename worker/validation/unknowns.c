/* Rows that refer to nothing that is there, told once per reference of the sources: one orphan order shows in every fact and every
 * dimension that is reached through it. */
#include "worker/codegen/model.h"
#include "worker/validation/validation.h"

#include <string.h>

typedef struct orphan_group {
    char *reference; /* "orders.customer_id" */
    const char *last_table, *last_rows;
    char *tables; /* "54 of fact_order_item, 23 of fact_order" */
} orphan_group_t;

/* "orders.customer_id", "returns(order_id, line_no)": the columns of the sources that the lookup begins with. */
static char *reference_of(nv_mem_t *ctx, const Nv__Sttm *sttm, const char *table, const char *column)
{
    const Nv__SttmTarget *target = model_target(sttm, table);
    const Nv__SttmColumn *found = target ? model_column(target, column) : NULL;
    const Nv__Transform *lookup = found ? found->transform : NULL;
    if (!lookup || lookup->n_inputs == 0 || !lookup->inputs[0]->source[0])
        return nv_printf(ctx, "%s.%s", table, column);
    char **columns = NV_NEW_ARRAY(ctx, char *, lookup->n_inputs);
    for (size_t i = 0; i < lookup->n_inputs; i++)
        columns[i] = lookup->inputs[i]->source_column;
    const char *source = lookup->inputs[0]->source;
    return lookup->n_inputs == 1
               ? nv_printf(ctx, "%s.%s", source, columns[0])
               : nv_printf(ctx, "%s(%s)", source, nv_join(ctx, ", ", columns, lookup->n_inputs));
}

static orphan_group_t *group_of(orphan_group_t *groups, size_t *n, char *reference)
{
    for (size_t i = 0; i < *n; i++)
        if (strcmp(groups[i].reference, reference) == 0)
            return &groups[i];
    groups[*n] = (orphan_group_t){.reference = reference};
    return &groups[(*n)++];
}

/* Two dimensions that a table reaches by the same reference (a customer, and their address of the day) mostly miss the same rows. */
static void add_table(nv_mem_t *ctx, orphan_group_t *group, char *table, const char *column, const char *rows)
{
    bool again = group->last_table && strcmp(group->last_table, table) == 0;
    if (again && strcmp(group->last_rows, rows) == 0)
        return;
    char *where = again ? nv_printf(ctx, "%s.%s", table, column) : table;
    group->tables = group->tables ? nv_printf(ctx, "%s, %s of %s", group->tables, rows, where)
                                  : nv_printf(ctx, "%s of %s", rows, where);
    group->last_table = table;
    group->last_rows = rows;
}

const char **validation_unknowns(nv_mem_t *ctx, const Nv__Sttm *sttm, const Nv__Validation *validation,
                                 size_t *out_count)
{
    orphan_group_t *groups = NV_NEW_ARRAY(ctx, orphan_group_t, validation->n_checks + 1);
    *out_count = 0;
    for (size_t i = 0; i < validation->n_checks; i++) {
        const Nv__Check *check = validation->checks[i];
        const char *dot = strchr(check->subject, '.');
        if (!validation_is_unknown_share(check) || check->status != NV__CHECK_STATUS__CHECK_STATUS_WARN ||
            !dot)
            continue;
        char *table = nv_strndup(ctx, check->subject, (size_t)(dot - check->subject));
        orphan_group_t *group = group_of(groups, out_count, reference_of(ctx, sttm, table, dot + 1));
        add_table(ctx, group, table, dot + 1, check->actual);
    }
    const char **texts = NV_NEW_ARRAY(ctx, const char *, *out_count + 1);
    for (size_t i = 0; i < *out_count; i++)
        texts[i] =
            nv_printf(ctx, "%s: rows whose reference finds nothing point to the unknown member (-1): %s",
                      groups[i].reference, groups[i].tables);
    return texts;
}

bool validation_is_unknown_share(const Nv__Check *check)
{
    return strcmp(check->name, "unknown_share") == 0;
}

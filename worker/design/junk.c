/* Junk dimensions: the flags and indicators of a fact, gathered into one small dimension of the combinations that occur (Kimball &
 * Ross, The Data Warehouse Toolkit, 3rd ed., ch. 6). One key on the fact instead of many short texts. Of a header one flag is enough:
 * as a dimension it reaches the lines, so that revenue by sales channel needs no detour over the header's own fact. */
#include <string.h>

#include "worker/design/plan.h"
#include "worker/discovery/discovery.h"

enum { FLAGS_LEAST = 3, FLAGS_MAX = 8, VALUES_MAX = 20, LETTERS_MAX = 40 };

/* More combinations than that are no junk, and more than a quarter of the rows save nothing. */
static const double combinations_max = 2000, combinations_share = 0.25;

typedef struct flags {
    int columns[FLAGS_MAX];
    int n;
    double combinations; /* at most */
} flags_t;

static bool is_flag(const plan_t *plan, int t, int c)
{
    const plan_table_t *table = &plan->tables[t];
    const dsc_column_t *column = &table->t->columns[c];
    bool kind = column->kind == CLASS_TEXT || column->kind == CLASS_BOOLEAN || column->kind == CLASS_INTEGER;
    /* An empty flag has no combination to stand for: it stays on the fact. */
    return kind && !table->covered[c] && column->distinct >= 2 && column->distinct <= VALUES_MAX &&
           column->null_share <= 0 && column->p->length_mean <= LETTERS_MAX && !column->bare.keylike &&
           column->p->pii[0] == '\0' && !column_is_measure(column) && !plan_is_key(table, column->p->name) &&
           plan_join_of(plan, t, column->p->name) == NULL &&
           column_junk_reason(table, column, plan->ctx) == NULL;
}

static flags_t collect(const plan_t *plan, int t)
{
    const dsc_table_t *table = plan->tables[t].t;
    flags_t flags = {.combinations = 1};
    for (int c = 0; c < table->n_columns && flags.n < FLAGS_MAX; c++) {
        double combinations = flags.combinations * table->columns[c].distinct;
        if (!is_flag(plan, t, c) || combinations > combinations_max ||
            combinations > combinations_share * table->rows)
            continue;
        flags.columns[flags.n++] = c;
        flags.combinations = combinations;
    }
    return flags;
}

static bool is_header(const plan_t *plan, int t)
{
    for (size_t j = 0; j < plan->n_joins; j++) {
        const plan_join_t *join = &plan->joins[j];
        if (join->to == t && plan->tables[join->from].kind == PLAN_FACT && plan_leads_to_header(plan, join))
            return true;
    }
    return false;
}

static Nv__DimensionDesign *make_dimension(plan_t *plan, int t, const flags_t *flags)
{
    nv_mem_t *ctx = plan->ctx;
    const plan_table_t *table = &plan->tables[t];
    Nv__DimensionDesign *out = NV_NEW(ctx, Nv__DimensionDesign);
    nv__dimension_design__init(out);
    out->name = namer_take(&plan->names, nv_printf(ctx, "dim_%s_profile", plan_base_name(plan, t)));
    out->source = nv_strdup(ctx, table->t->p->name);
    out->from_flat = true;
    out->business_key = NV_NEW_ARRAY(ctx, char *, (size_t)flags->n);
    for (int i = 0; i < flags->n; i++) {
        const char *column = table->t->columns[flags->columns[i]].p->name;
        out->business_key[out->n_business_key++] = nv_strdup(ctx, column);
        plan_cover(plan, t, column);
    }
    out->description =
        nv_printf(ctx, "One row per combination of %d flag%s of %s that occurs (junk dimension).", flags->n,
                  flags->n == 1 ? "" : "s", table->t->p->name);
    out->confidence = 0.9;
    out->evidence = NV_NEW_ARRAY(ctx, Nv__Evidence *, 1);
    out->evidence[out->n_evidence++] = discovery_evidence(
        ctx, "junk", 0.5, "%d columns of few values, at most %.0f combinations over %.0f rows", flags->n,
        flags->combinations, table->t->rows);
    return out;
}

void star_gather_junk(plan_t *plan)
{
    size_t cap = plan->star->n_dimensions;
    for (int t = 0; t < plan->n_tables; t++) {
        /* Rows without a key are told apart by their flags, too: those stay. A header without numbers is absorbed by its lines, and
         * its flags with it. */
        if (plan->tables[t].kind != PLAN_FACT || plan->tables[t].key == NULL || !plan_has_measure(plan, t))
            continue;
        flags_t flags = collect(plan, t);
        if (flags.n >= (is_header(plan, t) ? 1 : FLAGS_LEAST))
            NV_PUSH(plan->ctx, plan->star->dimensions, plan->star->n_dimensions, cap) =
                make_dimension(plan, t, &flags);
    }
}

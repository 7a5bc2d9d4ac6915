/* Bridges: tables that only link dimensions, many to many. */
#include <string.h>

#include "worker/design/plan.h"
#include "worker/discovery/discovery.h"

static void use_dimensions(plan_t *plan, int t, Nv__BridgeDesign *out)
{
    size_t cap = 0;
    for (size_t j = 0; j < plan->n_joins; j++) {
        const plan_join_t *join = &plan->joins[j];
        if (join->from != t || join->avoided || join->to == t || plan->tables[join->to].dimension == NULL)
            continue;
        Nv__DimensionUse *use = NV_NEW(plan->ctx, Nv__DimensionUse);
        nv__dimension_use__init(use);
        use->dimension = nv_strdup(plan->ctx, plan->tables[join->to].dimension->name);
        use->role = nv_strdup(plan->ctx, join->join->role[0] != '\0'
                                             ? identifier_make(plan->ctx, join->join->role, "other")
                                             : "");
        for (size_t i = 0; i < out->n_dimensions; i++) {
            if (strcmp(out->dimensions[i]->dimension, use->dimension) == 0 &&
                strcmp(out->dimensions[i]->role, use->role) == 0)
                use->role = identifier_make(plan->ctx, join->join->columns[0], "other");
        }
        use->join = plan_copy_join(plan->ctx, join->join);
        NV_PUSH(plan->ctx, out->dimensions, out->n_dimensions, cap) = use;
        for (size_t i = 0; i < join->join->n_columns; i++)
            plan_cover(plan, t, join->join->columns[i]);
    }
}

static void make_bridge(plan_t *plan, int t, size_t *cap)
{
    const plan_table_t *table = &plan->tables[t];
    Nv__BridgeDesign *out = NV_NEW(plan->ctx, Nv__BridgeDesign);
    nv__bridge_design__init(out);
    out->name = namer_take(&plan->names, nv_printf(plan->ctx, "bridge_%s", plan_base_name(plan, t)));
    out->source = nv_strdup(plan->ctx, table->t->p->name);
    use_dimensions(plan, t, out);
    out->grain_columns = NV_NEW_ARRAY(plan->ctx, char *, (size_t)table->t->n_columns + 1);
    out->attributes = NV_NEW_ARRAY(plan->ctx, Nv__ColumnRef *, (size_t)table->t->n_columns + 1);
    for (int c = 0; c < table->t->n_columns; c++) {
        const char *name = table->t->columns[c].p->name;
        const char *junk = column_junk_reason(table, &table->t->columns[c], plan->ctx);
        if (junk != NULL) {
            plan_leave_out(plan, t, name, junk);
            continue;
        }
        if (table->key == NULL || plan_is_key(table, name))
            out->grain_columns[out->n_grain_columns++] = nv_strdup(plan->ctx, name);
        if (!table->covered[c])
            out->attributes[out->n_attributes++] = plan_ref(plan->ctx, table->t->p->name, name);
        plan_cover(plan, t, name);
    }
    out->confidence = table->role_confidence;
    out->description = nv_printf(plan->ctx, "Links %zu dimensions, one row per pair found in %s.",
                                 out->n_dimensions, table->t->p->name);
    out->evidence = NV_NEW_ARRAY(plan->ctx, Nv__Evidence *, 1);
    out->evidence[out->n_evidence++] = discovery_evidence(
        plan->ctx, "key", 0.5, "%zu of %d columns form its key", out->n_grain_columns, table->t->n_columns);
    NV_PUSH(plan->ctx, plan->star->bridges, plan->star->n_bridges, *cap) = out;
}

void star_make_bridges(plan_t *plan)
{
    size_t cap = plan->star->n_bridges;
    for (int t = 0; t < plan->n_tables; t++) {
        if (plan->tables[t].kind == PLAN_BRIDGE)
            make_bridge(plan, t, &cap);
    }
}

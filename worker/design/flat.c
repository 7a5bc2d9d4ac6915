/* Flat tables: a column that determines others of its own table ("customer_id" -> "customer_name") is the key of a dimension
 * that was written out again in every row. Functional dependencies propose; support and names decide, because with few rows
 * nearly everything determines something. */
#include <stdlib.h>
#include <string.h>

#include "worker/design/plan.h"
#include "worker/discovery/discovery.h"
#include "worker/discovery/lexicon.h"

enum { DEPENDENTS_MAX = 64 };

static const double least_support = 0.5;

typedef struct split {
    int key; /* column */
    int dependents[DEPENDENTS_MAX];
    int n;
    double support;
} split_t;

/* Rows without a key are told apart by what stays with them, so what leaves them must follow from it without exception. */
static bool holds(const Nv__FunctionalDependency *fd, const plan_table_t *table)
{
    double rows = table->t->rows;
    double violations_max = table->key != NULL ? 0.002 * rows : 0;
    return fd->n_determinant == 1 && fd->support >= least_support && fd->groups >= 2 &&
           (double)fd->violations <= violations_max && (double)fd->groups <= 0.7 * rows;
}

/* A word that names the thing, shared by key and attribute: customer_id, customer_city. */
static bool share_a_noun(const dsc_column_t *a, const dsc_column_t *b)
{
    for (int i = 0; i < a->name.core; i++) {
        for (int k = 0; k < b->name.n; k++) {
            if (!lexicon_has(LEXICON_GENERIC, a->name.word[i]) &&
                name_word_similarity(a->name.word[i], b->name.word[k]) >= 0.9)
                return true;
        }
    }
    return false;
}

static bool may_split(const plan_t *plan, int t, int c)
{
    const plan_table_t *table = &plan->tables[t];
    const dsc_column_t *column = &table->t->columns[c];
    bool single_key = table->key != NULL && table->key->n_columns == 1 && plan_is_key(table, column->p->name);
    return !single_key && plan_join_of(plan, t, column->p->name) == NULL && column->null_share <= 0.05 &&
           column->kind != CLASS_DATE && column->kind != CLASS_NUMBER && column->kind != CLASS_BOOLEAN &&
           column->bare.core > 0 && (column->bare.keylike || column->kind == CLASS_TEXT) &&
           !column_is_measure(column);
}

static bool is_taken(const split_t *splits, int n, int c)
{
    for (int i = 0; i < n; i++) {
        if (splits[i].key == c)
            return true;
        for (int k = 0; k < splits[i].n; k++) {
            if (splits[i].dependents[k] == c)
                return true;
        }
    }
    return false;
}

/* All that column c determines and that is named after the same thing. */
static split_t collect(const plan_t *plan, int t, int c, const split_t *earlier, int n_earlier)
{
    const plan_table_t *table = &plan->tables[t];
    split_t split = {.key = c, .support = 1};
    for (size_t i = 0; i < table->t->p->n_dependencies && split.n < DEPENDENTS_MAX; i++) {
        const Nv__FunctionalDependency *fd = table->t->p->dependencies[i];
        if (!holds(fd, table) || strcmp(fd->determinant[0], table->t->columns[c].p->name) != 0)
            continue;
        int d = schema_find_column(table->t, fd->dependent);
        if (d < 0 || d == c || is_taken(earlier, n_earlier, d) || plan_is_key(table, fd->dependent) ||
            plan_join_of(plan, t, fd->dependent) != NULL)
            continue;
        if (!share_a_noun(&table->t->columns[c], &table->t->columns[d]))
            continue;
        split.dependents[split.n++] = d;
        split.support = fd->support < split.support ? fd->support : split.support;
    }
    return split;
}

static Nv__AttributeDesign *attribute_of(plan_t *plan, int t, int c, namer_t *columns)
{
    const plan_table_t *table = &plan->tables[t];
    Nv__AttributeDesign *attribute = NV_NEW(plan->ctx, Nv__AttributeDesign);
    nv__attribute_design__init(attribute);
    attribute->source = plan_ref(plan->ctx, table->t->p->name, table->t->columns[c].p->name);
    attribute->name = namer_take(columns, identifier_make(plan->ctx, table->t->columns[c].label, "column"));
    attribute->scd = NV__SCD_TYPE__SCD_TYPE_1;
    attribute->reason =
        nv_strdup(plan->ctx, "written out in every row of a flat table: the last value counts");
    attribute->pii = nv_strdup(plan->ctx, table->t->columns[c].p->pii);
    attribute->description =
        nv_printf(plan->ctx, "%s of %s", table->t->columns[c].p->name, table->t->p->name);
    plan_cover(plan, t, table->t->columns[c].p->name);
    return attribute;
}

static char *thing_name(plan_t *plan, const dsc_column_t *key)
{
    char *text = nv_strdup(plan->ctx, "");
    bool drop_last = key->name.core > 1 && lexicon_has(LEXICON_GENERIC, key->name.word[key->name.core - 1]);
    for (int i = 0; i < key->name.core - drop_last; i++)
        text = nv_printf(plan->ctx, "%s%s%s", text, i > 0 ? "_" : "", key->name.word[i]);
    return identifier_make(plan->ctx, text, "part");
}

static Nv__DimensionDesign *make_dimension(plan_t *plan, int t, const split_t *split)
{
    const plan_table_t *table = &plan->tables[t];
    const dsc_column_t *key = &table->t->columns[split->key];
    Nv__DimensionDesign *out = NV_NEW(plan->ctx, Nv__DimensionDesign);
    nv__dimension_design__init(out);
    namer_t columns = namer_make(plan->ctx);
    char *thing = thing_name(plan, key);
    char *wanted = nv_printf(plan->ctx, "dim_%s", thing);
    for (int u = 0; u < plan->n_tables; u++) {
        if (u != t && strcmp(plan_base_name(plan, u), thing) == 0)
            wanted = nv_printf(plan->ctx, "dim_%s_%s", plan_base_name(plan, t), thing);
    }
    out->name = namer_take(&plan->names, wanted);
    out->source = nv_strdup(plan->ctx, table->t->p->name);
    out->from_flat = true;
    out->business_key = NV_NEW_ARRAY(plan->ctx, char *, 1);
    out->business_key[out->n_business_key++] = nv_strdup(plan->ctx, key->p->name);
    out->attributes = NV_NEW_ARRAY(plan->ctx, Nv__AttributeDesign *, (size_t)split->n + 1);
    for (int i = 0; i < split->n; i++)
        out->attributes[out->n_attributes++] = attribute_of(plan, t, split->dependents[i], &columns);
    out->description = nv_printf(plan->ctx, "One row per %s, split out of %s.", thing, table->t->p->name);
    out->confidence = split->support;
    out->evidence = NV_NEW_ARRAY(plan->ctx, Nv__Evidence *, 1);
    out->evidence[out->n_evidence++] =
        discovery_evidence(plan->ctx, "dependency", split->support,
                           "\"%s\" determines %d columns that are named after it (support %.2f)",
                           key->p->name, split->n, split->support);
    plan_cover(plan, t, key->p->name);
    return out;
}

void star_split_flat(plan_t *plan)
{
    enum { SPLITS_MAX = 12 };
    size_t cap = plan->star->n_dimensions;
    for (int t = 0; t < plan->n_tables; t++) {
        const plan_table_t *table = &plan->tables[t];
        if (table->kind != PLAN_FACT || table->t->p->n_dependencies == 0)
            continue;
        split_t splits[SPLITS_MAX];
        int n = 0;
        /* Keys first ("customer_id"), then names that act as one ("store"). */
        for (int pass = 0; pass < 2; pass++) {
            for (int c = 0; c < table->t->n_columns && n < SPLITS_MAX; c++) {
                if (table->t->columns[c].bare.keylike != (pass == 0) || !may_split(plan, t, c) ||
                    is_taken(splits, n, c))
                    continue;
                split_t split = collect(plan, t, c, splits, n);
                if (split.n >= (pass == 0 ? 1 : 2))
                    splits[n++] = split;
            }
        }
        for (int i = 0; i < n; i++)
            NV_PUSH(plan->ctx, plan->star->dimensions, plan->star->n_dimensions, cap) =
                make_dimension(plan, t, &splits[i]);
    }
}

split_part_t star_split_part(const plan_t *plan, int t, const char *column)
{
    for (size_t i = 0; i < plan->star->n_dimensions; i++) {
        const Nv__DimensionDesign *dimension = plan->star->dimensions[i];
        if (!dimension->from_flat || strcmp(dimension->source, plan->tables[t].t->p->name) != 0)
            continue;
        for (size_t k = 0; k < dimension->n_business_key; k++)
            if (strcmp(dimension->business_key[k], column) == 0)
                return SPLIT_KEY;
        for (size_t k = 0; k < dimension->n_attributes; k++)
            if (strcmp(dimension->attributes[k]->source->column, column) == 0)
                return SPLIT_ATTRIBUTE;
    }
    return SPLIT_NONE;
}

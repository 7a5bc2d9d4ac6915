#include "worker/discovery/changes.h"

#include <string.h>

enum { COLUMNS_MAX = 60 };

typedef struct observing {
    nv_mem_t *ctx;
    const discovery_exact_t *exact;
    Nv__Relations *relations;
    size_t cap;
} observing_t;

static const Nv__TableProfile *find_table(const Nv__Profile *profile, const char *name)
{
    for (size_t i = 0; i < profile->n_tables; i++) {
        if (strcmp(profile->tables[i]->name, name) == 0)
            return profile->tables[i];
    }
    return NULL;
}

static const Nv__ColumnProfile *find_column(const Nv__TableProfile *table, const char *name)
{
    for (size_t i = 0; i < table->n_columns; i++) {
        if (strcmp(table->columns[i]->name, name) == 0)
            return table->columns[i];
    }
    return NULL;
}

static bool is_date(const Nv__ColumnProfile *column)
{
    return column != NULL && (column->type == NV__VALUE_TYPE__VALUE_TYPE_DATE ||
                              column->type == NV__VALUE_TYPE__VALUE_TYPE_TIMESTAMP);
}

/* The key without its dates: what the records are about. False where each record is a thing of its own. */
static bool thing_of(const Nv__PrimaryKey *key, const Nv__TableProfile *table, discovery_check_t *out)
{
    *out = (discovery_check_t){.from = table->name};
    for (size_t i = 0; i < key->n_columns; i++) {
        if (is_date(find_column(table, key->columns[i])))
            continue;
        if (out->n + 1 >= DISCOVERY_KEY_COLUMNS_MAX) /* one place is for the column that is looked at */
            return false;
        out->columns[out->n++] = key->columns[i];
    }
    return out->n > 0 && ((size_t)out->n < key->n_columns || key->violations > 0);
}

static bool is_part(const Nv__PrimaryKey *key, const char *column)
{
    for (size_t i = 0; i < key->n_columns; i++) {
        if (strcmp(key->columns[i], column) == 0)
            return true;
    }
    return false;
}

static void note(observing_t *o, const discovery_check_t *check, const discovery_counts_t *things,
                 const discovery_counts_t *pairs)
{
    if (!things->answered || !pairs->answered || things->rows <= things->distinct)
        return;
    Nv__ObservedChange *change = NV_NEW(o->ctx, Nv__ObservedChange);
    nv__observed_change__init(change);
    change->table = nv_strdup(o->ctx, check->from);
    change->column = nv_strdup(o->ctx, check->columns[check->n - 1]);
    change->keys = things->distinct;
    change->records = things->rows;
    change->changes = pairs->distinct > things->distinct ? pairs->distinct - things->distinct : 0;
    NV_PUSH(o->ctx, o->relations->changes, o->relations->n_changes, o->cap) = change;
}

/* Pairs of thing and value beyond one for each thing are changes. */
static bool observe(observing_t *o, const Nv__PrimaryKey *key, const Nv__TableProfile *table, nv_error_t *err)
{
    discovery_check_t checks[COLUMNS_MAX + 1];
    discovery_counts_t counts[COLUMNS_MAX + 1] = {{0}};
    size_t n = 1;
    if (!thing_of(key, table, &checks[0]))
        return true;
    for (size_t c = 0; c < table->n_columns && n <= COLUMNS_MAX; c++) {
        const Nv__ColumnProfile *column = table->columns[c];
        if (is_part(key, column->name) || column->distinct_count < 1)
            continue;
        checks[n] = checks[0];
        checks[n].columns[checks[n].n++] = column->name;
        n++;
    }
    if (!o->exact->count(o->exact->self, checks, n, counts, err))
        return nv_wrap(err, "changes of %s", table->name);
    for (size_t i = 1; i < n; i++)
        note(o, &checks[i], &counts[0], &counts[i]);
    return true;
}

static bool is_dimension(const Nv__Relations *relations, const char *table)
{
    for (size_t i = 0; i < relations->n_roles; i++) {
        if (strcmp(relations->roles[i]->table, table) == 0)
            return relations->roles[i]->role == NV__TABLE_ROLE__TABLE_ROLE_DIMENSION;
    }
    return false;
}

bool changes_observe(nv_mem_t *ctx, const Nv__Profile *profile, const discovery_exact_t *exact,
                     Nv__Relations *relations, nv_error_t *err)
{
    observing_t o = {.ctx = ctx, .exact = exact, .relations = relations};
    for (size_t i = 0; exact != NULL && i < relations->n_primary_keys; i++) {
        const Nv__PrimaryKey *key = relations->primary_keys[i];
        const Nv__TableProfile *table = find_table(profile, key->table);
        if (table != NULL && is_dimension(relations, key->table) && !observe(&o, key, table, err))
            return false;
    }
    return true;
}

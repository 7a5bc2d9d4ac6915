#include "tests/bench/design/truth.h"

#include <cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 16, TRUTH_MAX_BYTES = 16 * 1024 * 1024 };

typedef struct columns {
    const char *name[COLUMNS_MAX];
    size_t n;
} columns_t;

typedef struct truth_fk {
    const char *from, *to;
    columns_t columns, to_columns;
    bool optional, vacuous;
} truth_fk_t;

typedef struct truth_table {
    const char *name, *role;
    columns_t key, roles_also;
    columns_t *alternates;
    size_t n_alternates;
} truth_table_t;

struct truth {
    truth_table_t *tables;
    truth_fk_t *fks;
    size_t n_tables, n_fks, cap_fks;
};

static columns_t read_columns(nv_mem_t *ctx, const cJSON *list)
{
    columns_t out = {0};
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, list)
    {
        if (cJSON_IsString(item) && out.n < COLUMNS_MAX)
            out.name[out.n++] = nv_strdup(ctx, item->valuestring);
    }
    return out;
}

static const char *text_of(nv_mem_t *ctx, const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    return nv_strdup(ctx, text != NULL ? text : "");
}

static void read_fks(nv_mem_t *ctx, truth_t *truth, const cJSON *list, bool optional)
{
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, list)
    {
        NV_PUSH(ctx, truth->fks, truth->n_fks, truth->cap_fks) = (truth_fk_t){
            .from = text_of(ctx, item, "from"),
            .to = text_of(ctx, item, "to"),
            .columns = read_columns(ctx, cJSON_GetObjectItemCaseSensitive(item, "columns")),
            .to_columns = read_columns(ctx, cJSON_GetObjectItemCaseSensitive(item, "to_columns")),
            .vacuous = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(item, "vacuous")),
            .optional = optional};
    }
}

static void read_tables(nv_mem_t *ctx, truth_t *truth, const cJSON *list)
{
    const cJSON *item = NULL;
    truth->tables = NV_NEW_ARRAY(ctx, truth_table_t, (size_t)cJSON_GetArraySize(list) + 1);
    cJSON_ArrayForEach(item, list)
    {
        truth_table_t *table = &truth->tables[truth->n_tables++];
        table->name = text_of(ctx, item, "name");
        table->role = text_of(ctx, item, "role");
        table->key = read_columns(ctx, cJSON_GetObjectItemCaseSensitive(item, "primary_key"));
        table->roles_also = read_columns(ctx, cJSON_GetObjectItemCaseSensitive(item, "role_also"));
        const cJSON *alternates = cJSON_GetObjectItemCaseSensitive(item, "alternate_keys"), *one = NULL;
        table->alternates = NV_NEW_ARRAY(ctx, columns_t, (size_t)cJSON_GetArraySize(alternates) + 1);
        cJSON_ArrayForEach(one, alternates)
        {
            table->alternates[table->n_alternates++] = read_columns(ctx, one);
        }
    }
}

bool truth_read(nv_mem_t *ctx, const char *path, truth_t **out, nv_error_t *err)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return nv_fail_errno(err, errno, "%s", path);
    char *text = nv_alloc(ctx, TRUTH_MAX_BYTES + 1);
    size_t n = fread(text, 1, TRUTH_MAX_BYTES, file);
    (void)fclose(file);
    cJSON *root = cJSON_ParseWithLength(text, n);
    if (root == NULL)
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: expected JSON", path);
    truth_t *truth = NV_NEW(ctx, truth_t);
    read_tables(ctx, truth, cJSON_GetObjectItemCaseSensitive(root, "tables"));
    read_fks(ctx, truth, cJSON_GetObjectItemCaseSensitive(root, "foreign_keys"), false);
    read_fks(ctx, truth, cJSON_GetObjectItemCaseSensitive(root, "optional_foreign_keys"), true);
    cJSON_Delete(root);
    nv_mem_free(text);
    *out = truth;
    return true;
}

static bool same_columns(const columns_t *a, const columns_t *b)
{
    bool same = a->n == b->n;
    for (size_t i = 0; same && i < a->n; i++)
        same = strcmp(a->name[i], b->name[i]) == 0;
    return same;
}

static bool is_known_fk(const truth_t *truth, size_t n, const truth_fk_t *fk)
{
    for (size_t i = 0; i < n; i++) {
        const truth_fk_t *other = &truth->fks[i];
        if (strcmp(other->from, fk->from) == 0 && strcmp(other->to, fk->to) == 0 &&
            same_columns(&other->columns, &fk->columns) && same_columns(&other->to_columns, &fk->to_columns))
            return true;
    }
    return false;
}

void truth_merge(truth_t *truth, const char *part, const char *whole)
{
    size_t tables = 0, fks = 0;
    bool known = false;
    for (size_t i = 0; i < truth->n_tables; i++) {
        truth_table_t table = truth->tables[i];
        table.name = strcmp(table.name, part) == 0 ? whole : table.name;
        bool is_whole = strcmp(table.name, whole) == 0;
        if (!is_whole || !known)
            truth->tables[tables++] = table;
        known = known || is_whole;
    }
    for (size_t i = 0; i < truth->n_fks; i++) {
        truth_fk_t fk = truth->fks[i];
        fk.from = strcmp(fk.from, part) == 0 ? whole : fk.from;
        fk.to = strcmp(fk.to, part) == 0 ? whole : fk.to;
        if (!is_known_fk(truth, fks, &fk))
            truth->fks[fks++] = fk;
    }
    truth->n_tables = tables;
    truth->n_fks = fks;
}

static bool same_pairs(const truth_fk_t *fk, const Nv__Join *join)
{
    if (fk->columns.n != join->n_columns || strcmp(fk->from, join->from) != 0 ||
        strcmp(fk->to, join->to) != 0)
        return false;
    for (size_t i = 0; i < fk->columns.n; i++) {
        bool found = false;
        for (size_t k = 0; k < join->n_columns; k++)
            found = found || (strcmp(fk->columns.name[i], join->columns[k]) == 0 &&
                              strcmp(fk->to_columns.name[i], join->to_columns[k]) == 0);
        if (!found)
            return false;
    }
    return true;
}

static const truth_fk_t *find_fk(const truth_t *truth, const Nv__Join *join)
{
    for (size_t i = 0; i < truth->n_fks; i++) {
        if (same_pairs(&truth->fks[i], join))
            return &truth->fks[i];
    }
    return NULL;
}

int truth_join_label(const truth_t *truth, const Nv__Join *join)
{
    const truth_fk_t *fk = find_fk(truth, join);
    return fk == NULL ? 0 : fk->optional ? -1 : 1;
}

static const truth_table_t *find_table(const truth_t *truth, const char *name)
{
    for (size_t i = 0; i < truth->n_tables; i++) {
        if (strcmp(truth->tables[i].name, name) == 0)
            return &truth->tables[i];
    }
    return NULL;
}

static bool same_set(const columns_t *a, char *const *columns, size_t n)
{
    if (a->n != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        bool found = false;
        for (size_t k = 0; k < n; k++)
            found = found || strcmp(a->name[i], columns[k]) == 0;
        if (!found)
            return false;
    }
    return true;
}

int truth_key_label(const truth_t *truth, const char *table, char *const *columns, size_t n)
{
    const truth_table_t *t = find_table(truth, table);
    if (t == NULL)
        return -1;
    if (same_set(&t->key, columns, n))
        return 2;
    for (size_t i = 0; i < t->n_alternates; i++) {
        if (same_set(&t->alternates[i], columns, n))
            return 1;
    }
    return 0;
}

int truth_role_label(const truth_t *truth, const char *table, const char *role)
{
    const truth_table_t *t = find_table(truth, table);
    if (t == NULL)
        return 0;
    if (strcmp(t->role, role) == 0)
        return 2;
    for (size_t i = 0; i < t->roles_also.n; i++) {
        if (strcmp(t->roles_also.name[i], role) == 0)
            return 1;
    }
    return 0;
}

static void print_columns(const char *const *names, size_t n)
{
    printf("(");
    for (size_t i = 0; i < n; i++)
        printf("%s%s", i ? ", " : "", names[i]);
    printf(")");
}

static void score_joins(const truth_t *truth, const Nv__Relations *found, bool verbose, score_t *score)
{
    for (size_t i = 0; i < found->n_joins; i++) {
        const Nv__Join *join = found->joins[i];
        int label = truth_join_label(truth, join);
        if (label < 0)
            continue;
        score->fk_found++;
        score->fk_right += label;
        if (label == 1 || !verbose)
            continue;
        printf("    wrong join  %s", join->from);
        print_columns((const char *const *)join->columns, join->n_columns);
        printf(" -> %s", join->to);
        print_columns((const char *const *)join->to_columns, join->n_to_columns);
        printf("  P=%.3f\n", join->probability);
    }
    for (size_t i = 0; i < truth->n_fks; i++) {
        const truth_fk_t *fk = &truth->fks[i];
        bool hit = false;
        for (size_t k = 0; k < found->n_joins; k++)
            hit = hit || same_pairs(fk, found->joins[k]);
        if (fk->optional || (fk->vacuous && !hit))
            continue;
        score->fk_truth++;
        score->fk_recalled += hit;
        if (hit || !verbose)
            continue;
        printf("    missed join %s", fk->from);
        print_columns(fk->columns.name, fk->columns.n);
        printf(" -> %s", fk->to);
        print_columns(fk->to_columns.name, fk->to_columns.n);
        for (size_t k = 0; k < found->n_undecided; k++) {
            if (same_pairs(fk, found->undecided[k]))
                printf("  undecided, P=%.3f", found->undecided[k]->probability);
        }
        printf("\n");
    }
}

static const Nv__PrimaryKey *found_key(const Nv__Relations *found, const char *table)
{
    for (size_t i = 0; i < found->n_primary_keys; i++) {
        if (strcmp(found->primary_keys[i]->table, table) == 0)
            return found->primary_keys[i];
    }
    return NULL;
}

static const char *role_word(Nv__TableRole role)
{
    switch (role) {
    case NV__TABLE_ROLE__TABLE_ROLE_FACT:
        return "fact";
    case NV__TABLE_ROLE__TABLE_ROLE_DIMENSION:
        return "dimension";
    case NV__TABLE_ROLE__TABLE_ROLE_BRIDGE:
        return "bridge";
    default:
        return "other";
    }
}

static void score_tables(const truth_t *truth, const Nv__Relations *found, bool verbose, score_t *score)
{
    for (size_t i = 0; i < truth->n_tables; i++) {
        const truth_table_t *table = &truth->tables[i];
        const Nv__PrimaryKey *key = found_key(found, table->name);
        bool right =
            truth_key_label(truth, table->name, key ? key->columns : NULL, key ? key->n_columns : 0) > 0;
        score->pk_tables++;
        score->pk_right += right;
        if (!right && verbose) {
            printf("    wrong key   %s: expected ", table->name);
            print_columns(table->key.name, table->key.n);
            printf(", found ");
            print_columns(key ? (const char *const *)key->columns : NULL, key ? key->n_columns : 0);
            printf("  P=%.3f\n", key ? key->confidence : 0);
        }
        for (size_t k = 0; k < found->n_roles; k++) {
            if (strcmp(found->roles[k]->table, table->name) != 0)
                continue;
            const char *role = role_word(found->roles[k]->role);
            bool fits = truth_role_label(truth, table->name, role) > 0;
            score->role_right += fits;
            if (!fits && verbose)
                printf("    wrong role  %s: expected %s, found %s  P=%.3f\n", table->name, table->role, role,
                       found->roles[k]->confidence);
        }
        score->role_tables++;
    }
}

void truth_score(const truth_t *truth, const Nv__Relations *found, bool verbose, score_t *score)
{
    score_joins(truth, found, verbose, score);
    score_tables(truth, found, verbose, score);
}

double score_precision(const score_t *score)
{
    return score->fk_found > 0 ? (double)score->fk_right / score->fk_found : 1;
}

double score_recall(const score_t *score)
{
    return score->fk_truth > 0 ? (double)score->fk_recalled / score->fk_truth : 1;
}

double score_f1(const score_t *score)
{
    double p = score_precision(score), r = score_recall(score);
    return p + r > 0 ? 2 * p * r / (p + r) : 0;
}

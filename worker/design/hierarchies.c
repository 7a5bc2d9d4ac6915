/* Hierarchies: the fixed-depth ways to drill up in a dimension (Kimball & Ross, The Data Warehouse Toolkit, 3rd ed., ch. 7). A level
 * belongs to exactly one member of the next because a reference says so (product -> category -> parent category) or because no row of
 * a source contradicts it (city -> country), and too many rows agree for an accident. */
#include <math.h>
#include <string.h>

#include "worker/design/plan.h"
#include "worker/discovery/discovery.h"
#include "worker/discovery/lexicon.h"

enum { NODES_MAX = 40, LEVELS_MAX = 12, LETTERS_MAX = 40 };

/* A dependency that holds by accident with less than this probability is taken for one. */
static const double accident_max = 1e-6;

/* A table as it stands in the dimension: the driving one, or flattened into it; the same one may stand there twice. */
typedef struct node {
    int table;
    int occurrence;
    int parent; /* node whose rows refer to it; -1: the driving one */
    const Nv__Join *join;
    bool has_children;
} node_t;

typedef struct tree {
    plan_t *plan;
    Nv__DimensionDesign *dimension;
    node_t nodes[NODES_MAX];
    int n;
    size_t cap;
} tree_t;

typedef struct path {
    Nv__HierarchyLevel *levels[LEVELS_MAX];
    size_t n;
} path_t;

static int last_node_of(const tree_t *tree, int table)
{
    for (int i = tree->n - 1; i >= 0; i--) {
        if (tree->nodes[i].table == table)
            return i;
    }
    return -1;
}

static void add_node(tree_t *tree, int table, const Nv__Join *join, int parent)
{
    int occurrence = 0;
    for (int i = 0; i < tree->n; i++)
        occurrence += tree->nodes[i].table == table;
    tree->nodes[tree->n++] =
        (node_t){.table = table, .occurrence = occurrence, .parent = parent, .join = join};
    if (parent >= 0)
        tree->nodes[parent].has_children = true;
}

static tree_t tree_of(plan_t *plan, Nv__DimensionDesign *dimension)
{
    tree_t tree = {.plan = plan, .dimension = dimension, .cap = dimension->n_hierarchies};
    add_node(&tree, plan_find(plan, dimension->source), NULL, -1);
    for (size_t i = 0; i < dimension->n_flattened && tree.n < NODES_MAX; i++) {
        const Nv__Join *join = dimension->flattened[i];
        int parent = last_node_of(&tree, plan_find(plan, join->from));
        if (parent >= 0)
            add_node(&tree, plan_find(plan, join->to), join, parent);
    }
    return tree;
}

/* The attribute that a column of the node became; NULL: none. */
static const Nv__AttributeDesign *attribute_of(const tree_t *tree, const node_t *node, const char *column)
{
    const char *table = tree->plan->tables[node->table].t->p->name;
    int seen = 0;
    for (size_t i = 0; i < tree->dimension->n_attributes; i++) {
        const Nv__AttributeDesign *attribute = tree->dimension->attributes[i];
        if (strcmp(attribute->source->table, table) == 0 && strcmp(attribute->source->column, column) == 0 &&
            seen++ == node->occurrence)
            return attribute;
    }
    return NULL;
}

/* A level of one member says nothing, and one with as many members as it has rows below it is those rows under another name. */
static void push_level(const tree_t *tree, path_t *path, const char *column, double members, double below)
{
    if (path->n == LEVELS_MAX || members < 2 || members >= below)
        return;
    Nv__HierarchyLevel *level = NV_NEW(tree->plan->ctx, Nv__HierarchyLevel);
    nv__hierarchy_level__init(level);
    level->column = nv_strdup(tree->plan->ctx, column);
    level->members = (int64_t)members;
    if (path->n > 0 && level->members > path->levels[path->n - 1]->members)
        level->members = path->levels[path->n - 1]->members; /* no more of them are reached from here */
    path->levels[path->n++] = level;
}

/* People are told apart by their keys. */
static bool is_told(const dsc_column_t *column)
{
    return column->kind == CLASS_TEXT && strcmp(column->p->pii, "direct") != 0 &&
           column->p->length_mean <= LETTERS_MAX;
}

/* The column that says what a row is called, where no two rows are called the same. */
static const dsc_column_t *name_of(const dsc_table_t *table)
{
    static const char *const words[] = {"name", "title", "label", "description"};
    for (size_t w = 0; w < sizeof words / sizeof words[0]; w++)
        for (int c = 0; c < table->n_columns; c++) {
            const dsc_column_t *column = &table->columns[c];
            if (is_told(column) && column->bare.n > 0 && column->distinct >= table->records &&
                strcmp(column->bare.word[column->bare.n - 1], words[w]) == 0)
                return column;
        }
    return NULL;
}

static const dsc_column_t *column_of(const tree_t *tree, int table, const char *name)
{
    const dsc_table_t *t = tree->plan->tables[table].t;
    return &t->columns[schema_find_column(t, name)];
}

/* The level of the node's own rows: what they are called, else the key that stands for them in the dimension. */
static void push_members(const tree_t *tree, path_t *path, const node_t *node)
{
    const dsc_table_t *table = tree->plan->tables[node->table].t;
    const Nv__DimensionDesign *dimension = tree->dimension;
    const dsc_column_t *name = name_of(table);
    const Nv__AttributeDesign *attribute = name != NULL ? attribute_of(tree, node, name->p->name) : NULL;
    if (node->join == NULL) {
        const char *key = dimension->n_business_key == 1 ? dimension->business_key[0] : NULL;
        if (attribute != NULL)
            push_level(tree, path, attribute->name, table->records, INFINITY);
        else if (key != NULL)
            push_level(tree, path, key, column_of(tree, node->table, key)->distinct, INFINITY);
        return;
    }
    if (node->join->n_columns != 1)
        return;
    const node_t *parent = &tree->nodes[node->parent];
    const char *reference = node->join->columns[0];
    if (attribute == NULL)
        attribute = attribute_of(tree, parent, reference);
    if (attribute != NULL)
        push_level(tree, path, attribute->name, column_of(tree, parent->table, reference)->distinct,
                   tree->plan->tables[parent->table].t->records);
}

static bool is_level(const tree_t *tree, const node_t *node, const dsc_column_t *column)
{
    return is_told(column) && column->distinct >= 2 && column->null_share <= 0.05 &&
           attribute_of(tree, node, column->p->name) != NULL;
}

/* Of the rows that share their determinant with another, at least half had to agree with an earlier one, each by chance as often as
 * the most frequent value occurs. */
static bool is_no_accident(const Nv__FunctionalDependency *fd, const dsc_table_t *table,
                           const dsc_column_t *dependent)
{
    double most =
        dependent->p->n_top > 0 ? (double)dependent->p->top[0]->count : table->rows / dependent->distinct;
    return fd->support * table->rows / 2 * log(table->rows / most) >= -log(accident_max);
}

/* The finest level above a column of the node; -1: none. */
static int level_above(const tree_t *tree, const node_t *node, int from)
{
    const dsc_table_t *table = tree->plan->tables[node->table].t;
    int best = -1;
    for (size_t i = 0; i < table->p->n_dependencies; i++) {
        const Nv__FunctionalDependency *fd = table->p->dependencies[i];
        int c = schema_find_column(table, fd->dependent);
        if (c < 0 || fd->n_determinant != 1 || fd->violations > 0 ||
            strcmp(fd->determinant[0], table->columns[from].p->name) != 0)
            continue;
        const dsc_column_t *above = &table->columns[c];
        if (is_level(tree, node, above) && above->distinct < table->columns[from].distinct &&
            is_no_accident(fd, table, above) && (best < 0 || above->distinct > table->columns[best].distinct))
            best = c;
    }
    return best;
}

/* The way up is part of one that is known. */
static bool is_known(const Nv__DimensionDesign *dimension, const path_t *path)
{
    for (size_t i = 0; i < dimension->n_hierarchies; i++) {
        const Nv__Hierarchy *known = dimension->hierarchies[i];
        size_t k = 0;
        while (k < path->n && k < known->n_levels &&
               strcmp(known->levels[k]->column, path->levels[k]->column) == 0)
            k++;
        if (k == path->n)
            return true;
    }
    return false;
}

static void finish(tree_t *tree, const path_t *path, double weight, const char *how)
{
    nv_mem_t *ctx = tree->plan->ctx;
    if (path->n < 2 || is_known(tree->dimension, path))
        return;
    Nv__Hierarchy *hierarchy = NV_NEW(ctx, Nv__Hierarchy);
    nv__hierarchy__init(hierarchy);
    hierarchy->levels = NV_NEW_ARRAY(ctx, Nv__HierarchyLevel *, path->n);
    hierarchy->n_levels = path->n;
    memcpy(hierarchy->levels, path->levels, path->n * sizeof *path->levels);
    hierarchy->evidence = NV_NEW_ARRAY(ctx, Nv__Evidence *, 1);
    hierarchy->evidence[hierarchy->n_evidence++] = discovery_evidence(ctx, "hierarchy", weight, "%s", how);
    NV_PUSH(ctx, tree->dimension->hierarchies, tree->dimension->n_hierarchies, tree->cap) = hierarchy;
}

/* The levels from the driving rows to those of the node. */
static path_t path_to(const tree_t *tree, int node)
{
    int way[NODES_MAX], n = 0;
    path_t path = {0};
    for (int i = node; i >= 0; i = tree->nodes[i].parent)
        way[n++] = i;
    while (n > 0)
        push_members(tree, &path, &tree->nodes[way[--n]]);
    return path;
}

/* Each chain of dependencies among the node's columns, begun by a column that no other one of them is below. */
static int follow_dependencies(tree_t *tree, int node)
{
    const node_t *at = &tree->nodes[node];
    const dsc_table_t *table = tree->plan->tables[at->table].t;
    bool *above = NV_NEW_ARRAY(tree->plan->ctx, bool, (size_t)table->n_columns + 1);
    int found = 0;
    for (int c = 0; c < table->n_columns; c++) {
        int up = is_level(tree, at, &table->columns[c]) ? level_above(tree, at, c) : -1;
        if (up >= 0)
            above[up] = true;
    }
    for (int c = 0; c < table->n_columns; c++) {
        if (above[c] || !is_level(tree, at, &table->columns[c]) || level_above(tree, at, c) < 0)
            continue;
        path_t path = path_to(tree, node);
        double rows = at->join == NULL && path.n > 0 ? (double)path.levels[0]->members : table->records;
        for (int up = c; up >= 0; up = level_above(tree, at, up))
            push_level(tree, &path, attribute_of(tree, at, table->columns[up].p->name)->name,
                       table->columns[up].distinct, rows);
        finish(tree, &path, 1 - accident_max,
               nv_printf(tree->plan->ctx, "no row of %s contradicts %s and what is above it", table->p->name,
                         table->columns[c].p->name));
        found++;
    }
    return found;
}

static void find_in(tree_t *tree)
{
    for (int i = 0; i < tree->n; i++) {
        const node_t *node = &tree->nodes[i];
        if (plan_is_calendar(&tree->plan->tables[node->table]) || follow_dependencies(tree, i) > 0 ||
            node->has_children || node->join == NULL)
            continue;
        path_t path = path_to(tree, i);
        finish(tree, &path, node->join->probability,
               nv_printf(tree->plan->ctx, "each level refers to the next, at last %s",
                         design_join_subject(tree->plan->ctx, node->join)));
    }
}

void star_find_hierarchies(plan_t *plan)
{
    for (size_t d = 0; d < plan->star->n_dimensions; d++) {
        tree_t tree = tree_of(plan, plan->star->dimensions[d]);
        find_in(&tree);
    }
}

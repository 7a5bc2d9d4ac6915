/* The tables of a schema of the Unity Catalog as sources: each is a table already, and stands for one file. */
#include <stdlib.h>
#include <string.h>

#include "worker/profiling/names.h"
#include "worker/pushdown/remote_survey.h"

typedef struct place {
    char *catalog, *schema;
    char *table; /* NULL: all of the schema */
} place_t;

static bool split(nv_mem_t *ctx, const char *source, place_t *out, nv_error_t *err)
{
    char *parts[4] = {NULL};
    size_t n = 0;
    const char *at = source + strlen(SOURCE_CATALOG_PREFIX);
    for (; n < 4 && *at && *at != '/'; n++) {
        size_t length = strcspn(at, "/");
        parts[n] = nv_strndup(ctx, at, length);
        at += length + (at[length] == '/');
    }
    *out = (place_t){parts[0], parts[1], parts[2]};
    return (n >= 2 && n <= 3 && !*at) ||
           nv_fail(err, NV_INVALID_ARGUMENT,
                   "source %s: expected uc://catalog.schema or uc://catalog.schema.table", source);
}

static void skip(nv_mem_t *ctx, Nv__Survey *survey, const char *path, const char *reason)
{
    Nv__SkippedFile *skipped = NV_NEW(ctx, Nv__SkippedFile);
    nv__skipped_file__init(skipped);
    skipped->path = nv_strdup(ctx, path);
    skipped->reason = nv_strdup(ctx, reason);
    survey->skipped[survey->n_skipped++] = skipped;
}

static void add(nv_mem_t *ctx, Nv__Survey *survey, const char *name, const char *path, const char *type,
                names_unique_t *names)
{
    Nv__SurveyTable *table = NV_NEW(ctx, Nv__SurveyTable);
    nv__survey_table__init(table);
    table->name = names_unique_add(names, ctx, name);
    table->grouping = nv_printf(ctx, "a table of the Unity Catalog (%s)", type);
    table->files = NV_NEW_ARRAY(ctx, Nv__SourceFile *, 1);
    table->files[0] = NV_NEW(ctx, Nv__SourceFile);
    nv__source_file__init(table->files[0]);
    table->files[0]->path = nv_strdup(ctx, path);
    table->n_files = 1;
    survey->tables[survey->n_tables++] = table;
}

static const char *short_name(const databricks_table_t *table)
{
    const char *dot = strrchr(table->full_name, '.');
    return dot ? dot + 1 : table->full_name;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(short_name(a), short_name(b));
}

bool catalog_survey(nv_mem_t *ctx, databricks_t *db, const char *source, Nv__Survey **out, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("catalog survey");
    place_t place = {0};
    databricks_table_t *tables;
    size_t n;
    if (!split(scratch, source, &place, err))
        return false;
    if (!databricks_list_tables(db, scratch, place.catalog, place.schema, &tables, &n, err))
        return nv_wrap(err, "source schema %s.%s", place.catalog, place.schema);
    if (n)
        qsort(tables, n, sizeof *tables, by_name);
    Nv__Survey *survey = NV_NEW(ctx, Nv__Survey);
    nv__survey__init(survey);
    survey->source = nv_printf(ctx, SOURCE_CATALOG_PREFIX "%s/%s", place.catalog, place.schema);
    survey->tables = NV_NEW_ARRAY(ctx, Nv__SurveyTable *, n + 1);
    survey->skipped = NV_NEW_ARRAY(ctx, Nv__SkippedFile *, n + 1);
    names_unique_t *names = names_unique_new(scratch);
    for (size_t i = 0; i < n; i++) {
        const char *name = short_name(&tables[i]);
        char *path = nv_printf(scratch, "%s/%s", survey->source, name);
        if (place.table && strcmp(place.table, name) != 0)
            continue;
        if (!place.table && strcmp(tables[i].type, "VIEW") == 0)
            skip(ctx, survey, path,
                 "a view, and what it shows lies in tables; to profile it, name it as the source");
        else
            add(ctx, survey, name, path, tables[i].type, names);
    }
    *out = survey;
    if (survey->n_tables)
        return true;
    return place.table ? nv_fail(err, NV_NOT_FOUND, "source table %s.%s.%s does not exist", place.catalog,
                                 place.schema, place.table)
                       : nv_fail(err, NV_NOT_FOUND, "source schema %s.%s holds no table", place.catalog,
                                 place.schema);
}

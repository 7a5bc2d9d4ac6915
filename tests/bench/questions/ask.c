/* Which questions there are, and whether both sides give the same answer. */
#include "tests/bench/questions/questions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COLUMNS_MAX = 400, GROUPS_MAX = 100, SCRIPT_MAX = 1024 * 1024 };

typedef struct column {
    const char *name;
    bool number, date, key;
} column_t;

typedef struct asker {
    const set_t *set;
    question_t *questions;
    size_t n, cap;
} asker_t;

static bool one_value(const set_t *set, const char **out, nv_error_t *err, const char *sql)
{
    return star_value(set->ctx, set->db, sql, out, err);
}

static bool is_key(const set_t *set, const char *table, const char *column)
{
    for (size_t i = 0; i < set->truth.n_references; i++) {
        const reference_t *r = &set->truth.references[i];
        for (size_t k = 0; k < r->n; k++)
            if ((strcmp(r->from, table) == 0 && strcmp(r->columns[k], column) == 0) ||
                (strcmp(r->to, table) == 0 && strcmp(r->to_columns[k], column) == 0))
                return true;
    }
    for (size_t i = 0; i < set->truth.n_tables; i++)
        for (size_t k = 0; k < set->truth.tables[i].n_key && strcmp(set->truth.tables[i].name, table) == 0;
             k++)
            if (strcmp(set->truth.tables[i].key[k], column) == 0)
                return true;
    return false;
}

static char *raw_table(const set_t *set, const char *table)
{
    return nv_printf(set->ctx, "raw.%s", sql_identifier(set->ctx, SQL_DUCKDB, table));
}

/* The columns of a raw table with what they are good for: few values to group by, numbers, dates. */
static bool columns_of(const set_t *set, const char *table, column_t **out, size_t *n, nv_error_t *err)
{
    const char *count, *name, *type, *groups;
    char *where = nv_printf(set->ctx, "FROM duckdb_columns() WHERE schema_name = 'raw' AND table_name = %s",
                            sql_literal(set->ctx, SQL_DUCKDB, table));
    *n = 0;
    *out = NV_NEW_ARRAY(set->ctx, column_t, COLUMNS_MAX);
    if (!one_value(set, &count, err, nv_printf(set->ctx, "SELECT count(*) %s", where)))
        return false;
    for (int i = 0; i < atoi(count) && *n < COLUMNS_MAX; i++) {
        if (!one_value(set, &name, err,
                       nv_printf(set->ctx, "SELECT column_name %s AND column_index = %d", where, i + 1)) ||
            !one_value(set, &type, err,
                       nv_printf(set->ctx, "SELECT data_type %s AND column_index = %d", where, i + 1)) ||
            !one_value(set, &groups, err,
                       nv_printf(set->ctx, "SELECT count(DISTINCT %s) FROM %s",
                                 sql_identifier(set->ctx, SQL_DUCKDB, name), raw_table(set, table))))
            return false;
        bool date = strcmp(type, "DATE") == 0 || strncmp(type, "TIMESTAMP", 9) == 0;
        bool number = strstr(type, "INT") || strstr(type, "DECIMAL") || strcmp(type, "DOUBLE") == 0;
        if (atoi(groups) >= 2)
            (*out)[(*n)++] = (column_t){.name = name,
                                        .number = number,
                                        .date = date,
                                        .key = is_key(set, table, name) ||
                                               (!number && !date && atoi(groups) > GROUPS_MAX)};
    }
    return true;
}

static void add(asker_t *asker, const question_t *question)
{
    static const char *const aggregates[] = {"sum", "avg", "max", "sum"};
    question_t copy = *question;
    copy.aggregate = question->measure ? aggregates[asker->n % 4] : "count";
    NV_PUSH(asker->set->ctx, asker->questions, asker->n, asker->cap) = copy;
}

/* Each attribute and date of the table at the end of the path, by each measure, and by how many. */
static bool add_attributes(asker_t *asker, const question_t *so_far, const column_t *measures,
                           size_t n_measures, nv_error_t *err)
{
    const char *table = so_far->n_path ? so_far->path[so_far->n_path - 1]->to : so_far->fact;
    column_t *columns;
    size_t n;
    if (!columns_of(asker->set, table, &columns, &n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        question_t question = *so_far;
        bool groups = !columns[i].key && (columns[i].date || !columns[i].number);
        question.attribute = columns[i].name;
        question.month = columns[i].date;
        if (!groups || (so_far->n_path == 0 && !columns[i].date))
            continue;
        add(asker, &question);
        for (size_t m = 0; m < n_measures; m++) {
            question.measure = measures[m].name;
            if (measures[m].number && !measures[m].key)
                add(asker, &question);
        }
    }
    return true;
}

static bool walk(asker_t *asker, question_t *so_far, const column_t *measures, size_t n_measures,
                 nv_error_t *err)
{
    const char *table = so_far->n_path ? so_far->path[so_far->n_path - 1]->to : so_far->fact;
    if (!add_attributes(asker, so_far, measures, n_measures, err))
        return false;
    for (size_t i = 0; so_far->n_path < PATH_MAX_STEPS && i < asker->set->truth.n_references; i++) {
        const reference_t *reference = &asker->set->truth.references[i];
        if (strcmp(reference->from, table) != 0)
            continue;
        so_far->path[so_far->n_path++] = reference;
        if (!walk(asker, so_far, measures, n_measures, err))
            return false;
        so_far->n_path--;
    }
    return true;
}

bool questions_of(const set_t *set, question_t **out, size_t *n, nv_error_t *err)
{
    asker_t asker = {.set = set};
    for (size_t i = 0; i < set->truth.n_tables; i++) {
        question_t question = {.fact = set->truth.tables[i].name};
        column_t *measures;
        size_t n_measures;
        if (set->truth.tables[i].is_event && (!columns_of(set, question.fact, &measures, &n_measures, err) ||
                                              !walk(&asker, &question, measures, n_measures, err)))
            return false;
    }
    *out = asker.questions;
    *n = asker.n;
    return true;
}

/* Rows of one side that the other lacks, groups null-safe, numbers to nine digits. */
static bool agree(const set_t *set, const char *raw, const char *star, bool *out, nv_error_t *err)
{
    const char *differing;
    char *sql =
        nv_printf(set->ctx,
                  "SELECT count(*) FROM (%s) AS a FULL JOIN (%s) AS b ON a.g IS NOT DISTINCT FROM b.g WHERE "
                  "(a.v IS NULL) <> (b.v IS NULL) OR abs(a.v - b.v) > 1e-9 * greatest(1, abs(a.v))",
                  raw, star);
    if (!one_value(set, &differing, err, sql))
        return false;
    *out = strcmp(differing, "0") == 0;
    return true;
}

static bool ask_pair(const set_t *set, const char *text, const char *raw, const char *star, bool verbose,
                     tally_t *tally, nv_error_t *err)
{
    bool same;
    if (!agree(set, raw, star, &same, err))
        return nv_wrap(err, "%s", text);
    if (set->export && !export_question(set->export, text, raw, star, err))
        return false;
    tally->asked++;
    tally->agreed += same;
    if (!same)
        printf("  DIFFERS  %s\n           raw  %s\n           star %s\n", text, raw, star);
    else if (verbose)
        printf("  agrees   %s\n", text);
    return true;
}

static bool ask_drawn(const set_t *set, const question_t *question, bool verbose, tally_t *tally,
                      nv_error_t *err)
{
    int raw_joins = 0, star_joins = 0;
    char *text = question_text(set, question);
    char *raw = question_raw(set, question, &raw_joins);
    char *star = question_star(set, question, &star_joins);
    if (!star) {
        tally->lost++;
        printf("  LOST     %s\n", text);
        return true;
    }
    tally->raw_joins += raw_joins;
    tally->star_joins += star_joins;
    return ask_pair(set, text, raw, star, verbose, tally, err);
}

static int joins_in(const char *sql)
{
    int n = 0;
    for (const char *at = sql; (at = strstr(at, " JOIN ")); at++)
        n++;
    return n;
}

/* Blocks "? text", "raw SELECT …", "star SELECT …", a line each; others are comments. */
static bool ask_written(const set_t *set, bool verbose, tally_t *tally, nv_error_t *err)
{
    char *path = nv_printf(set->ctx, QUESTIONS_DIR "/%s.questions", set->truth.name);
    char *line = nv_alloc(set->ctx, SCRIPT_MAX), *text = NULL, *raw = NULL;
    FILE *file = fopen(path, "rb");
    bool ok = true;
    while (file && ok && fgets(line, SCRIPT_MAX, file)) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "? ", 2) == 0)
            text = nv_strdup(set->ctx, line + 2);
        else if (strncmp(line, "raw ", 4) == 0)
            raw = nv_strdup(set->ctx, line + 4);
        else if (strncmp(line, "star ", 5) == 0 && text && raw) {
            tally->raw_joins += joins_in(raw);
            tally->star_joins += joins_in(line + 5);
            ok = ask_pair(set, text, raw, nv_strdup(set->ctx, line + 5), verbose, tally, err);
        }
    }
    if (file)
        fclose(file);
    return ok;
}

bool set_ask(const set_t *set, size_t most, bool verbose, tally_t *tally, nv_error_t *err)
{
    question_t *questions;
    size_t n;
    if (!questions_of(set, &questions, &n, err) || !ask_written(set, verbose, tally, err))
        return false;
    size_t drawn = n < most ? n : most;
    for (size_t i = 0; i < drawn; i++)
        if (!ask_drawn(set, &questions[i * n / drawn], verbose, tally, err))
            return false;
    return true;
}

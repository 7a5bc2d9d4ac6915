#include "worker/pushdown/counts.h"

#include <string.h>

#include "worker/pushdown/scan.h"
#include "worker/pushdown/sql.h"

enum { BATCH = 200, LONGEST_KEY = 200 };

struct pushdown_counts {
    const pushdown_engine_t *engine;
    const Nv__Profile *profile;
    char *sql;
};

/* One side of a question: columns of a table, over all rows or over those that differ from each other. */
typedef struct side {
    int table;
    const char *const *columns;
    int n;
    bool distinct;
} side_t;

/* The sides of one statement, each once. */
typedef struct sides {
    side_t *list;
    size_t n, capacity;
} sides_t;

pushdown_counts_t *pushdown_counts(nv_mem_t *ctx, const pushdown_engine_t *engine, const Nv__Profile *profile)
{
    pushdown_counts_t *counts = NV_NEW(ctx, pushdown_counts_t);
    counts->engine = engine;
    counts->profile = profile;
    return counts;
}

const char *pushdown_counts_last_sql(const pushdown_counts_t *counts)
{
    return counts->sql ? counts->sql : "";
}

static int find_table(const Nv__Profile *profile, const char *name)
{
    for (size_t t = 0; t < profile->n_tables; t++)
        if (strcmp(profile->tables[t]->name, name) == 0)
            return (int)t;
    return -1;
}

static int find_column(const Nv__TableProfile *table, const char *name)
{
    for (size_t c = 0; c < table->n_columns; c++)
        if (strcmp(table->columns[c]->name, name) == 0)
            return (int)c;
    return -1;
}

/* Floating point and long texts are no keys; as worker/rawdata has it. */
static bool can_answer(const pushdown_counts_t *counts, const side_t *side)
{
    for (int i = 0; side->table >= 0 && i < side->n; i++) {
        const Nv__TableProfile *table = counts->profile->tables[side->table];
        int c = find_column(table, side->columns[i]);
        if (c < 0 || table->columns[c]->type == NV__VALUE_TYPE__VALUE_TYPE_DOUBLE ||
            table->columns[c]->length_mean > LONGEST_KEY)
            return false;
    }
    return side->table >= 0 && side->n > 0;
}

static bool same_side(const side_t *a, const side_t *b)
{
    if (a->table != b->table || a->n != b->n || a->distinct != b->distinct)
        return false;
    for (int i = 0; i < a->n; i++)
        if (strcmp(a->columns[i], b->columns[i]) != 0)
            return false;
    return true;
}

static size_t add_side(nv_mem_t *ctx, sides_t *sides, const side_t *side)
{
    size_t i = 0;
    while (i < sides->n && !same_side(&sides->list[i], side))
        i++;
    if (i == sides->n)
        NV_PUSH(ctx, sides->list, sides->n, sides->capacity) = *side;
    return i;
}

/* The columns' canonical values as one text, NULL where one of them is: equal texts are equal keys, whatever the types. */
static char *key_sql(const pushdown_counts_t *counts, nv_mem_t *ctx, const side_t *side)
{
    const Nv__TableProfile *table = counts->profile->tables[side->table];
    sql_dialect_t dialect = counts->engine->dialect;
    nv_buf_t text = nv_buf_make(ctx, PUSHDOWN_SQL_MAX), filled = nv_buf_make(ctx, PUSHDOWN_SQL_MAX);
    for (int i = 0; i < side->n; i++) {
        int c = find_column(table, side->columns[i]);
        char *value = parse_rule_sql(ctx, dialect, table->columns[c], nv_printf(ctx, "r%d", c));
        nv_buf_printf(&text, "%s%s", i ? ", chr(31), " : "",
                      sql_canonical(ctx, dialect, table->columns[c], value));
        nv_buf_printf(&filled, "%s(%s) IS NOT NULL", i ? " AND " : "", value);
    }
    if (side->n == 1)
        return nv_strdup(ctx, nv_buf_text(&text));
    return nv_printf(ctx, "CASE WHEN %s THEN concat(%s) END", nv_buf_text(&filled), nv_buf_text(&text));
}

/* The table's rows; those that differ from each other where exact duplicates were seen. */
static char *rows_sql(const pushdown_counts_t *counts, nv_mem_t *ctx, int t, bool distinct)
{
    const Nv__TableProfile *table = counts->profile->tables[t];
    char *from = scan_sql(ctx, counts->engine->dialect, table, false);
    if (!distinct || table->duplicate_row_count == 0)
        return nv_printf(ctx, "%s z", from);
    nv_buf_t list = nv_buf_make(ctx, PUSHDOWN_SQL_MAX);
    for (size_t c = 0; c < table->n_columns; c++)
        nv_buf_printf(&list, "%s%s AS r%zu", c ? ", " : "",
                      sql_trimmed(ctx, counts->engine->dialect, nv_printf(ctx, "r%zu", c)), c);
    return nv_printf(ctx, "(SELECT DISTINCT %s FROM %s z) y", nv_buf_text(&list), from);
}

/* k: how often each key of each side occurs: a (the side), k, n. Every table is read once. */
static char *keys_sql(const pushdown_counts_t *counts, nv_mem_t *ctx, const sides_t *sides)
{
    nv_buf_t out = nv_buf_make(ctx, PUSHDOWN_SQL_MAX);
    for (size_t t = 0; t < 2 * counts->profile->n_tables; t++) {
        char **items = NV_NEW_ARRAY(ctx, char *, sides->n);
        size_t *indices = NV_NEW_ARRAY(ctx, size_t, sides->n);
        size_t n = 0;
        for (size_t i = 0; i < sides->n; i++) {
            if ((size_t)sides->list[i].table != t / 2 || sides->list[i].distinct != (t % 2 != 0))
                continue;
            indices[n] = i;
            items[n++] = key_sql(counts, ctx, &sides->list[i]);
        }
        if (n)
            nv_buf_printf(&out, "%sSELECT c AS a, t AS k, count(*) AS n FROM (%s) u GROUP BY c, t",
                          out.length ? " UNION ALL " : "",
                          sql_unpivot(ctx, counts->engine->dialect, items, indices, n,
                                      rows_sql(counts, ctx, (int)(t / 2), t % 2 != 0)));
    }
    return nv_strdup(ctx, nv_buf_text(&out));
}

/* A question of a batch, by its sides. */
typedef struct question {
    size_t check, from, to;
    bool inclusion;
} question_t;

static void put_questions(nv_mem_t *ctx, nv_buf_t *out, const question_t *questions, size_t n)
{
    nv_buf_t pairs = nv_buf_make(ctx, PUSHDOWN_SQL_MAX), singles = nv_buf_make(ctx, PUSHDOWN_SQL_MAX);
    for (size_t i = 0; i < n; i++)
        if (questions[i].inclusion)
            nv_buf_printf(&pairs, "%s(%zu, %zu, %zu)", pairs.length ? ", " : "", i, questions[i].from,
                          questions[i].to);
        else
            nv_buf_printf(&singles, "%s(%zu, %zu)", singles.length ? ", " : "", i, questions[i].from);
    if (pairs.length)
        nv_buf_printf(
            out,
            "SELECT p.id, sum(s.n), sum(CASE WHEN d.k IS NULL THEN s.n ELSE 0 END), count(*), count(d.k), "
            "coalesce(max(d.n), 0) FROM (VALUES %s) AS p(id, i, j) JOIN k s ON s.a = p.i AND s.k IS NOT "
            "NULL LEFT JOIN k d ON d.a = p.j AND d.k = s.k GROUP BY p.id",
            nv_buf_text(&pairs));
    if (singles.length)
        nv_buf_printf(
            out,
            "%sSELECT p.id, sum(CASE WHEN s.k IS NULL THEN 0 ELSE s.n END), sum(CASE WHEN s.k IS NULL THEN "
            "s.n ELSE 0 END), count(s.k), count(s.k), coalesce(max(CASE WHEN s.k IS NOT NULL THEN s.n "
            "END), 0) FROM (VALUES %s) AS p(id, i) JOIN k s ON s.a = p.i GROUP BY p.id",
            pairs.length ? " UNION ALL " : "", nv_buf_text(&singles));
}

static bool ask(pushdown_counts_t *counts, nv_mem_t *ctx, const sides_t *sides, const question_t *questions,
                size_t n, discovery_counts_t *out, nv_error_t *err)
{
    nv_buf_t sql = nv_buf_make(ctx, PUSHDOWN_SQL_MAX);
    pushdown_rows_t rows;
    nv_buf_printf(&sql, "WITH k AS (%s) ", keys_sql(counts, ctx, sides));
    put_questions(ctx, &sql, questions, n);
    nv_mem_free(counts->sql);
    counts->sql = nv_strdup(counts, nv_buf_text(&sql));
    if (!counts->engine->query(counts->engine->arg, ctx, counts->sql, &rows, err))
        return nv_wrap(err, "counting keys");
    for (size_t i = 0; i < n; i++) /* no key at all gives no row */
        out[questions[i].check] = (discovery_counts_t){.answered = true};
    for (size_t r = 0; r < rows.n_rows; r++) {
        size_t id = (size_t)pushdown_number(&rows, r, 0);
        if (id < n)
            out[questions[id].check] = (discovery_counts_t){.rows = pushdown_number(&rows, r, 1),
                                                            .missing = pushdown_number(&rows, r, 2),
                                                            .distinct = pushdown_number(&rows, r, 3),
                                                            .distinct_found = pushdown_number(&rows, r, 4),
                                                            .fan_out = pushdown_number(&rows, r, 5),
                                                            .answered = true};
    }
    return true;
}

static bool count_batch(pushdown_counts_t *counts, const discovery_check_t *checks, size_t first, size_t n,
                        discovery_counts_t *out, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("counts");
    sides_t sides = {0};
    question_t *questions = NV_NEW_ARRAY(ctx, question_t, n);
    size_t asked = 0;
    for (size_t i = first; i < first + n; i++) {
        const discovery_check_t *check = &checks[i];
        side_t from = {find_table(counts->profile, check->from), check->columns, check->n, check->to == NULL};
        side_t to = {check->to ? find_table(counts->profile, check->to) : -1, check->to_columns, check->n,
                     false};
        out[i] = (discovery_counts_t){0};
        if (!can_answer(counts, &from) || (check->to && !can_answer(counts, &to)))
            continue;
        questions[asked++] = (question_t){i, add_side(ctx, &sides, &from),
                                          check->to ? add_side(ctx, &sides, &to) : 0, check->to != NULL};
    }
    return asked == 0 || ask(counts, ctx, &sides, questions, asked, out, err);
}

static bool count_all(void *self, const discovery_check_t *checks, size_t n, discovery_counts_t *out,
                      nv_error_t *err)
{
    for (size_t first = 0; first < n; first += BATCH)
        if (!count_batch(self, checks, first, n - first < BATCH ? n - first : BATCH, out, err))
            return false;
    return true;
}

discovery_exact_t pushdown_counts_exact(pushdown_counts_t *counts)
{
    return (discovery_exact_t){.self = counts, .count = count_all};
}

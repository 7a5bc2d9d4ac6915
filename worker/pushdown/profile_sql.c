#include "worker/pushdown/profile_sql.h"

#include <inttypes.h>

#include "worker/pushdown/fold.h"
#include "worker/pushdown/sql.h"

static char *trimmed(nv_mem_t *ctx, const profile_part_t *part, size_t column)
{
    return sql_trimmed(ctx, part->dialect, nv_printf(ctx, "r%zu", column));
}

/* v: every distinct text of every column with its count. */
static char *texts_sql(nv_mem_t *ctx, const profile_part_t *part)
{
    char **items = NV_NEW_ARRAY(ctx, char *, part->n);
    size_t *indices = NV_NEW_ARRAY(ctx, size_t, part->n);
    for (size_t i = 0; i < part->n; i++) {
        indices[i] = part->first + i;
        items[i] = trimmed(ctx, part, indices[i]);
    }
    return nv_printf(ctx, "v AS (SELECT c, t, count(*) AS n FROM (%s) u WHERE t <> '' GROUP BY c, t)",
                     sql_unpivot(ctx, part->dialect, items, indices, part->n, part->from));
}

char *profile_classes_sql(nv_mem_t *ctx, const profile_part_t *part)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("classes");
    return nv_printf(ctx,
                     "WITH %s, f AS (SELECT c, f, sum(n) AS n, count(*) AS m FROM (SELECT c, n, %s AS f FROM "
                     "v) x GROUP BY "
                     "c, f) SELECT c, f, n, all_n, all_m FROM (SELECT c, f, n, sum(n) OVER (PARTITION BY c) "
                     "AS all_n, sum(m) "
                     "OVER (PARTITION BY c) AS all_m, row_number() OVER (PARTITION BY c ORDER BY n DESC, f) "
                     "AS r FROM f) y "
                     "WHERE r <= %d",
                     texts_sql(scratch, part), fold_sql(scratch, part->dialect, "t"), PROFILE_CLASSES);
}

static bool has_order(Nv__ValueType type)
{
    return type >= NV__VALUE_TYPE__VALUE_TYPE_INT64 && type <= NV__VALUE_TYPE__VALUE_TYPE_TIME;
}

/* k: parsed, as canonical text; z: a null spelling. */
static char *parsed_sql(nv_mem_t *ctx, const profile_part_t *part)
{
    nv_buf_t value = nv_buf_make(ctx, PUSHDOWN_SQL_MAX), null = nv_buf_make(ctx, PUSHDOWN_SQL_MAX);
    for (size_t i = part->first; i < part->first + part->n; i++) {
        const Nv__ColumnProfile *column = part->table->columns[i];
        nv_buf_printf(
            &value, " WHEN %zu THEN %s", i,
            sql_canonical(ctx, part->dialect, column, parse_rule_sql(ctx, part->dialect, column, "t")));
        nv_buf_printf(&null, " WHEN %zu THEN %s", i, parse_null_sql(ctx, part->dialect, column, "t"));
    }
    return nv_printf(ctx, "p AS (SELECT c, t, n, CASE c%s END AS k, CASE c%s END AS z FROM v)",
                     nv_buf_text(&value), nv_buf_text(&null));
}

/* The canonical text as a number that keeps the order (parser_number): days, microseconds. */
static char *number_sql(nv_mem_t *ctx, const profile_part_t *part)
{
    nv_buf_t out = nv_buf_make(ctx, PUSHDOWN_SQL_MAX);
    sql_dialect_t d = part->dialect;
    nv_buf_puts(&out, "CASE c");
    for (size_t i = part->first; i < part->first + part->n; i++) {
        Nv__ValueType type = part->table->columns[i]->type;
        const char *number = "CAST(k AS DOUBLE)";
        if (!has_order(type))
            continue;
        if (type == NV__VALUE_TYPE__VALUE_TYPE_DATE)
            number = SQL_PICK(d, "CAST(date_diff('day', DATE '1970-01-01', CAST(k AS DATE)) AS DOUBLE)",
                              "CAST(unix_date(CAST(k AS DATE)) AS DOUBLE)");
        else if (type == NV__VALUE_TYPE__VALUE_TYPE_TIMESTAMP)
            number = SQL_PICK(d, "CAST(epoch_us(CAST(k AS TIMESTAMP)) AS DOUBLE)",
                              "CAST(unix_micros(CAST(k AS TIMESTAMP)) AS DOUBLE)");
        else if (type == NV__VALUE_TYPE__VALUE_TYPE_TIME)
            number = SQL_PICK(d, "CAST(epoch_us(CAST('1970-01-01 ' || k AS TIMESTAMP)) AS DOUBLE)",
                              "CAST(unix_micros(CAST(concat('1970-01-01 ', k) AS TIMESTAMP)) AS DOUBLE)");
        nv_buf_printf(&out, " WHEN %zu THEN %s", i, number);
    }
    return out.length > 6 ? nv_printf(ctx, "%s END", nv_buf_text(&out)) : NULL;
}

static char *number_list(nv_mem_t *ctx, const profile_part_t *part, bool whole_only)
{
    nv_buf_t out = nv_buf_make(ctx, PUSHDOWN_SQL_MAX);
    nv_buf_puts(&out, "-1");
    for (size_t i = part->first; i < part->first + part->n; i++) {
        Nv__ValueType type = part->table->columns[i]->type;
        bool fractional =
            type == NV__VALUE_TYPE__VALUE_TYPE_DECIMAL || type == NV__VALUE_TYPE__VALUE_TYPE_DOUBLE;
        if (has_order(type) && !(whole_only && fractional))
            nv_buf_printf(&out, ", %zu", i);
    }
    return nv_strdup(ctx, nv_buf_text(&out));
}

/* Mean, deviation, quantiles and histogram of columns that have an order; nothing where there is none. */
static void put_distribution(nv_mem_t *ctx, const profile_part_t *part, nv_buf_t *with, nv_buf_t *select)
{
    static const char *const shares[] = {"0.05", "0.25", "0.5", "0.75", "0.95"};
    char *number = number_sql(ctx, part);
    const char *text = SQL_PICK(part->dialect, "VARCHAR", "STRING");
    if (!number)
        return;
    nv_buf_printf(
        with,
        ", d AS (SELECT c, k, n, %s AS d FROM w WHERE c IN (%s)), o AS (SELECT c, k, n, d, sum(n) OVER "
        "(PARTITION BY c ORDER BY d, k ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS below, "
        "sum(n) OVER (PARTITION BY c) AS total, sum(n * d) OVER (PARTITION BY c) / sum(n) OVER "
        "(PARTITION BY c) AS m, min(d) OVER (PARTITION BY c) AS lo, max(d) OVER (PARTITION BY c) AS hi "
        "FROM d), b AS (SELECT *, CASE WHEN hi <= lo THEN 1 WHEN c IN (%s) AND hi - lo + 1 < 20 THEN hi "
        "- lo + 1 ELSE 20 END AS bins FROM o)",
        number, number_list(ctx, part, false), number_list(ctx, part, true));
    nv_buf_printf(
        select,
        " UNION ALL SELECT 'moment', c, concat_ws('|', CAST(max(m) AS %s), CAST(coalesce(sqrt(sum(n * (d "
        "- m) * (d - m)) / nullif(max(total) - 1, 0)), 0) AS %s), CAST(sum(CASE WHEN d = 0 THEN n ELSE 0 "
        "END) AS %s), CAST(sum(CASE WHEN d < 0 THEN n ELSE 0 END) AS %s), CAST(max(lo) AS %s), "
        "CAST(max(hi) AS %s)",
        text, text, text, text, text, text);
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        char *share = nv_printf(ctx, "CAST('%s' AS DOUBLE) * total", shares[i]);
        nv_buf_printf(select, ", max(CASE WHEN below - n < %s AND below >= %s THEN k END)", share, share);
    }
    nv_buf_puts(select, "), 0 FROM o GROUP BY c");
    nv_buf_printf(
        select,
        " UNION ALL SELECT 'hist', c, CAST(bin AS %s), sum(n) FROM (SELECT c, n, CASE WHEN bins = 1 THEN 0 "
        "ELSE CAST(least(bins - 1, floor((d - lo) / (hi - lo) * bins)) AS INT) END AS bin FROM b) h GROUP "
        "BY c, bin",
        text);
}

/* The most frequent texts of each column. */
static void put_ranked(nv_buf_t *select, const char *kind, const char *text, const char *from, size_t most)
{
    nv_buf_printf(
        select,
        " UNION ALL SELECT '%s', c, x, n FROM (SELECT c, x, n, row_number() OVER (PARTITION BY c ORDER BY "
        "n DESC, x) AS r FROM (SELECT c, x, sum(n) AS n FROM (SELECT c, n, %s AS x FROM %s) s GROUP BY c, "
        "x) g) q WHERE r <= %zu",
        kind, text, from, most);
}

/* The shape of a text (colstats_pattern): A letter, 9 digit, runs folded with "+". Places are held by control characters,
 * so that what stands for letters is not taken for one. */
static const char *pattern_sql(nv_mem_t *ctx, sql_dialect_t dialect)
{
    static const char *const steps[][2] = {{"(?:[A-Za-z]|[^\\x00-\\x7F]){2,}|[^\\x00-\\x7F]", "\x01"},
                                           {"[A-Za-z]", "\x02"},
                                           {"[0-9]{2,}", "9+"},
                                           {"[0-9]", "9"},
                                           {"\x01", "A+"},
                                           {"\x02", "A"}};
    const char *out = "t";
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        out = sql_replace_all(ctx, dialect, out, steps[i][0], steps[i][1]);
    return nv_printf(ctx, "left(%s, 63)", out);
}

/* Least and greatest value by the column's own type, never through a double. */
static void put_range(nv_mem_t *ctx, const profile_part_t *part, nv_buf_t *with, nv_buf_t *select)
{
    nv_buf_t found = nv_buf_make(ctx, PUSHDOWN_SQL_MAX);
    char **items = NV_NEW_ARRAY(ctx, char *, 2 * part->n);
    size_t *indices = NV_NEW_ARRAY(ctx, size_t, 2 * part->n);
    for (size_t i = 0; i < part->n; i++) {
        const Nv__ColumnProfile *column = part->table->columns[part->first + i];
        char *value = parse_rule_sql(ctx, part->dialect, column, "t");
        nv_buf_printf(
            &found,
            "%smin(CASE WHEN c = %zu THEN %s END) AS a%zu, max(CASE WHEN c = %zu THEN %s END) AS b%zu",
            i ? ", " : "", part->first + i, value, i, part->first + i, value, i);
        for (size_t k = 0; k < 2; k++) {
            indices[2 * i + k] = 2 * (part->first + i) + k;
            items[2 * i + k] =
                sql_canonical(ctx, part->dialect, column, nv_printf(ctx, k ? "b%zu" : "a%zu", i));
        }
    }
    nv_buf_printf(with, ", x AS (SELECT %s FROM v)", nv_buf_text(&found));
    nv_buf_printf(
        select,
        " UNION ALL SELECT CASE WHEN c %% 2 = 0 THEN 'min' ELSE 'max' END, CAST(floor(c / 2) AS INT), "
        "left(t, 256), 0 FROM (%s) y",
        sql_unpivot(ctx, part->dialect, items, indices, 2 * part->n, "x"));
}

char *profile_values_sql(nv_mem_t *ctx, const profile_part_t *part, size_t kmv, size_t top, size_t patterns)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("values");
    const char *text = SQL_PICK(part->dialect, "VARCHAR", "STRING");
    nv_buf_t with = nv_buf_make(scratch, PUSHDOWN_SQL_MAX), select = nv_buf_make(scratch, PUSHDOWN_SQL_MAX);
    nv_buf_printf(&with,
                  "WITH %s, %s, w AS (SELECT c, k, sum(n) AS n FROM p WHERE k IS NOT NULL GROUP BY c, k)",
                  texts_sql(scratch, part), parsed_sql(scratch, part));
    nv_buf_printf(
        &select,
        " SELECT 'stat' AS kind, c, concat_ws('|', CAST(sum(n) AS %s), CAST(sum(CASE WHEN z THEN n ELSE 0 "
        "END) AS %s), CAST(sum(CASE WHEN NOT z AND k IS NULL THEN n ELSE 0 END) AS %s), "
        "CAST(min(length(t)) AS %s), CAST(max(length(t)) AS %s), CAST(sum(length(t) * n) AS %s)) AS k, 0 "
        "AS n FROM p GROUP BY c UNION ALL SELECT 'distinct', c, '', count(*) FROM w GROUP BY c",
        text, text, text, text, text, text);
    put_ranked(&select, "top", "k", "w", top);
    put_ranked(&select, "bad", "t", "p WHERE k IS NULL AND NOT z", 20);
    put_ranked(&select, "pattern", pattern_sql(scratch, part->dialect), "p", patterns);
    /* Hashes are unsigned: the negative ones come last. */
    nv_buf_printf(
        &select,
        " UNION ALL SELECT 'kmv', c, CAST(h AS %s), 0 FROM (SELECT c, h, row_number() OVER (PARTITION BY c "
        "ORDER BY CASE WHEN h < 0 THEN 1 ELSE 0 END, h) AS r FROM (SELECT c, %s AS h FROM w) s) q WHERE r "
        "<= %zu",
        text, sql_hash(scratch, part->dialect, "k"), kmv);
    put_distribution(scratch, part, &with, &select);
    put_range(scratch, part, &with, &select);
    return nv_printf(ctx, "%s%s", nv_buf_text(&with), nv_buf_text(&select));
}

char *profile_files_sql(nv_mem_t *ctx, const profile_part_t *part, const char *from_rejected)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("files");
    nv_buf_t out = nv_buf_make(scratch, PUSHDOWN_SQL_MAX);
    const char *good = SQL_PICK(part->dialect, "true", "nuvyn_corrupt IS NULL");
    nv_buf_printf(
        &out, "SELECT nuvyn_file, sum(CASE WHEN %s THEN 1 ELSE 0 END), sum(CASE WHEN %s THEN 0 ELSE 1 END)",
        good, good);
    for (size_t i = part->first; i < part->first + part->n; i++)
        nv_buf_printf(&out, ", sum(CASE WHEN %s AND length(r%zu) <> length(%s) THEN 1 ELSE 0 END)", good, i,
                      trimmed(scratch, part, i));
    return nv_printf(ctx, "%s FROM %s z GROUP BY nuvyn_file", nv_buf_text(&out), from_rejected);
}

/* r0 is of no use but to Spark, which refuses to read nothing of a file but its corrupt records. */
char *profile_rejected_sql(nv_mem_t *ctx, const char *from_rejected, int most)
{
    return nv_printf(
        ctx,
        "SELECT nuvyn_file, left(nuvyn_corrupt, 200), left(r0, 1) FROM %s z WHERE nuvyn_corrupt IS "
        "NOT NULL LIMIT %d",
        from_rejected, most);
}

/* The distinct rows of the first `rows`, every column trimmed, an empty one as ''. */
static char *rows_sql(nv_mem_t *ctx, const profile_part_t *all, int64_t rows, bool distinct)
{
    nv_buf_t out = nv_buf_make(ctx, PUSHDOWN_SQL_MAX);
    for (size_t i = 0; i < all->n; i++)
        nv_buf_printf(&out, "%scoalesce(%s, '') AS t%zu", i ? ", " : "", trimmed(ctx, all, i), i);
    const char *limit = rows > 0 ? nv_printf(ctx, " LIMIT %" PRId64, rows) : "";
    return nv_printf(ctx, "SELECT %s%s FROM (SELECT * FROM %s z%s) y", distinct ? "DISTINCT " : "",
                     nv_buf_text(&out), all->from, limit);
}

char *profile_distinct_rows_sql(nv_mem_t *ctx, const profile_part_t *all)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("distinct rows");
    return nv_printf(ctx, "SELECT count(*) FROM (%s) d", rows_sql(scratch, all, 0, true));
}

char *profile_order_sql(nv_mem_t *ctx, const profile_part_t *all, const size_t *columns, size_t n)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("order");
    nv_buf_t out = nv_buf_make(scratch, PUSHDOWN_SQL_MAX), inner = nv_buf_make(scratch, PUSHDOWN_SQL_MAX);
    nv_buf_puts(&out, "SELECT nuvyn_file");
    nv_buf_puts(&inner, "SELECT nuvyn_file, nuvyn_row");
    for (size_t i = 0; i < n; i++) {
        char *t = trimmed(scratch, all, columns[i]);
        nv_buf_printf(&inner,
                      ", %s AS t%zu, lag(%s) OVER (PARTITION BY nuvyn_file ORDER BY nuvyn_row) AS b%zu", t, i,
                      t, i);
        char *digits =
            nv_printf(scratch, "%s AND %s",
                      sql_matches(scratch, all->dialect, nv_printf(scratch, "b%zu", i), "^[0-9]{1,18}$"),
                      sql_matches(scratch, all->dialect, nv_printf(scratch, "t%zu", i), "^[0-9]{1,18}$"));
        nv_buf_printf(
            &out,
            ", sum(CASE WHEN b%zu IS NULL THEN 0 WHEN %s THEN CASE WHEN CAST(b%zu AS BIGINT) < CAST(t%zu "
            "AS BIGINT) THEN 0 ELSE 1 END WHEN length(b%zu) = length(t%zu) AND b%zu < t%zu THEN 0 ELSE 1 "
            "END), min_by(t%zu, nuvyn_row), max_by(t%zu, nuvyn_row)",
            i, digits, i, i, i, i, i, i, i, i);
    }
    return nv_printf(ctx, "%s FROM (%s FROM (SELECT *, %s AS nuvyn_row FROM %s z) y) x GROUP BY nuvyn_file",
                     nv_buf_text(&out), nv_buf_text(&inner),
                     SQL_PICK(all->dialect, "row_number() OVER ()", "monotonically_increasing_id()"),
                     all->from);
}

static char *column_hash(nv_mem_t *ctx, const profile_part_t *all, size_t column)
{
    return nv_printf(ctx, "CAST(CASE WHEN t%zu = '' THEN 0 ELSE %s END AS %s)", column,
                     sql_hash(ctx, all->dialect, nv_printf(ctx, "t%zu", column)),
                     SQL_PICK(all->dialect, "HUGEINT", "BIGINT"));
}

char *profile_sets_sql(nv_mem_t *ctx, const profile_part_t *all, const profile_set_t *sets, size_t n,
                       int64_t rows)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("sets");
    char **items = NV_NEW_ARRAY(scratch, char *, n);
    for (size_t i = 0; i < n; i++) {
        nv_buf_t item = nv_buf_make(scratch, PUSHDOWN_SQL_MAX);
        for (size_t k = 0; k < sets[i].n; k++)
            nv_buf_printf(&item, "%st%zu", k ? ", " : "", sets[i].columns[k]);
        items[i] = nv_printf(scratch, SQL_PICK(all->dialect, "hash(%s)", "xxhash64(%s)"), nv_buf_text(&item));
    }
    char *from = nv_printf(scratch, "(%s) d", rows_sql(scratch, all, rows, true));
    return nv_printf(
        ctx,
        "SELECT c, count(*), (SELECT count(*) FROM %s) FROM (SELECT DISTINCT c, t FROM (%s) u) e "
        "GROUP BY c",
        from, sql_unpivot(scratch, all->dialect, items, NULL, n, from));
}

/* e: for every determinant a row of every value: c, t (its hash) and the hashes of the columns h0 … */
static char *determinants_sql(nv_mem_t *ctx, const profile_part_t *all, const size_t *columns, size_t n,
                              int64_t rows)
{
    char **items = NV_NEW_ARRAY(ctx, char *, n);
    nv_buf_t hashes = nv_buf_make(ctx, PUSHDOWN_SQL_MAX);
    for (size_t i = 0; i < n; i++) {
        items[i] = nv_printf(ctx, "h%zu", i);
        nv_buf_printf(&hashes, "%s%s AS h%zu", i ? ", " : "", column_hash(ctx, all, columns[i]), i);
    }
    char *from =
        nv_printf(ctx, "(SELECT %s FROM (%s) d) g", nv_buf_text(&hashes), rows_sql(ctx, all, rows, true));
    nv_buf_t numbers = nv_buf_make(ctx, PUSHDOWN_SQL_MAX), values = nv_buf_make(ctx, PUSHDOWN_SQL_MAX);
    for (size_t i = 0; i < n; i++) {
        nv_buf_printf(&numbers, "%s%zu", i ? ", " : "", i);
        nv_buf_printf(&values, all->dialect == SQL_DUCKDB ? "%sh%zu" : "%s%zu, h%zu", i ? ", " : "", i, i);
    }
    if (all->dialect == SQL_DUCKDB)
        return nv_printf(ctx, "SELECT unnest([%s]) AS c, unnest([%s]) AS t, g.* FROM %s",
                         nv_buf_text(&numbers), nv_buf_text(&values), from);
    return nv_printf(ctx, "SELECT stack(%zu, %s) AS (c, t), * FROM %s", n, nv_buf_text(&values), from);
}

char *profile_dependencies_sql(nv_mem_t *ctx, const profile_part_t *all, const size_t *columns, size_t n,
                               int64_t rows)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("dependencies");
    nv_buf_t several = nv_buf_make(scratch, PUSHDOWN_SQL_MAX), sums = nv_buf_make(scratch, PUSHDOWN_SQL_MAX);
    for (size_t i = 0; i < n; i++) {
        nv_buf_printf(&several, ", CASE WHEN min(h%zu) <> max(h%zu) THEN 1 ELSE 0 END AS s%zu", i, i, i);
        nv_buf_printf(&sums, ", sum(s%zu)", i);
    }
    return nv_printf(
        ctx,
        "SELECT c, count(*), sum(CASE WHEN n > 1 THEN n ELSE 0 END)%s FROM (SELECT c, t, count(*) AS "
        "n%s FROM (%s) e WHERE t <> 0 GROUP BY c, t) f GROUP BY c",
        nv_buf_text(&sums), nv_buf_text(&several), determinants_sql(scratch, all, columns, n, rows));
}

char *profile_violations_sql(nv_mem_t *ctx, const profile_part_t *all, const profile_pair_t *pairs, size_t n,
                             int64_t rows)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("violations");
    char *distinct = nv_printf(scratch, "(%s) d", rows_sql(scratch, all, rows, true));
    nv_buf_t p = nv_buf_make(scratch, PUSHDOWN_SQL_MAX), a = nv_buf_make(scratch, PUSHDOWN_SQL_MAX);
    nv_buf_t b = nv_buf_make(scratch, PUSHDOWN_SQL_MAX), each = nv_buf_make(scratch, PUSHDOWN_SQL_MAX);
    for (size_t i = 0; i < n; i++) {
        const char *comma = i ? ", " : "";
        nv_buf_printf(&p, "%s%zu", comma, i);
        nv_buf_printf(&a, "%st%zu", comma, pairs[i].determinant);
        nv_buf_printf(&b, "%st%zu", comma, pairs[i].dependent);
        nv_buf_printf(&each, ", %zu, t%zu, t%zu", i, pairs[i].determinant, pairs[i].dependent);
    }
    const char *unpivoted =
        all->dialect == SQL_DUCKDB
            ? nv_printf(scratch, "SELECT unnest([%s]) AS p, unnest([%s]) AS a, unnest([%s]) AS b FROM %s",
                        nv_buf_text(&p), nv_buf_text(&a), nv_buf_text(&b), distinct)
            : nv_printf(scratch, "SELECT stack(%zu%s) AS (p, a, b) FROM %s", n, nv_buf_text(&each), distinct);
    return nv_printf(
        ctx,
        "SELECT p, sum(m - most) FROM (SELECT p, a, sum(n) AS m, max(n) AS most FROM (SELECT p, a, b, "
        "count(*) AS n FROM (%s) u WHERE a <> '' GROUP BY p, a, b) g GROUP BY p, a) h GROUP BY p",
        unpivoted);
}

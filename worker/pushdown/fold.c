#include "worker/pushdown/fold.h"

#include "worker/profiling/infer.h"
#include "worker/profiling/words.h"
#include "worker/pushdown/sql.h"

static const char *const some_text = "'a text'";

typedef struct fold {
    nv_mem_t *ctx;
    sql_dialect_t dialect;
} fold_t;

static const char *replaced(const fold_t *f, const char *value, const char *pattern, const char *with)
{
    return sql_replace_all(f->ctx, f->dialect, value, pattern, with);
}

static const char *matches(const fold_t *f, const char *value, const char *pattern)
{
    return sql_matches(f->ctx, f->dialect, value, pattern);
}

/* Every digit from the first that is not zero becomes 2: leading zeros, lengths and separators are what counts. */
static const char *folded_digits(const fold_t *f, const char *t)
{
    const char *zeros =
        nv_printf(f->ctx, SQL_PICK(f->dialect, "regexp_extract(%s, %s)", "regexp_extract(%s, %s, 0)"), t,
                  sql_literal(f->ctx, f->dialect, "^[^1-9]*"));
    return nv_printf(f->ctx, "concat(%s, %s)", zeros,
                     replaced(f, nv_printf(f->ctx, "substr(%s, length(%s) + 1)", t, zeros), "[0-9]", "2"));
}

/* Times of day: minutes, seconds and fractions are alike; of hours, those before and after noon. */
static const char *folded_time(const fold_t *f, const char *t)
{
    static const char *const steps[][2] = {
        {":[0-5][0-9]", ":10"},        {":10[.][0-9]{1,9}\\b", ":10.1"}, {":10[.][0-9]{1,9}Z", ":10.1Z"},
        {" (1[3-9]|2[0-3]):", " 13:"}, {" (0[1-9]|1[0-2]):", " 10:"},    {"T(1[3-9]|2[0-3]):", "T13:"},
        {"T(0[1-9]|1[0-2]):", "T10:"}, {"^(1[3-9]|2[0-3]):", "13:"},     {"^(0[1-9]|1[0-2]):", "10:"},
    };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        t = replaced(f, t, steps[i][0], steps[i][1]);
    return t;
}

/* Dates up to the 28th exist in every month and year; of day and month, whether a number can be a month is what counts. */
static const char *folded_date(const fold_t *f, const char *t)
{
    static const char separators[] = "-/.";
    static const char *const parts[][2] = {{"(1[3-9]|2[0-8])", "13"}, {"(0[1-9]|1[0-2])", "10"}};
    t = folded_time(f, t);
    for (const char *s = separators; *s; s++) {
        t = replaced(f, t,
                     nv_printf(f->ctx, "^[1-9][0-9]{3}[%c](0[1-9]|1[0-2])[%c](0[1-9]|1[0-9]|2[0-8])", *s, *s),
                     nv_printf(f->ctx, "2020%c01%c01", *s, *s));
        for (int i = 0; i < 8; i++) {
            const char *const *a = parts[i & 1], *const *b = parts[i >> 1 & 1];
            bool two = i & 4;
            t = replaced(f, t,
                         nv_printf(f->ctx, "^%s[%c]%s[%c]%s", a[0], *s, b[0], *s,
                                   two ? "[0-9]{2}\\b" : "[1-9][0-9]{3}"),
                         nv_printf(f->ctx, "%s%c%s%c%s", a[1], *s, b[1], *s, two ? "20" : "2020"));
        }
    }
    return t;
}

/* The year of a date with a month's name, except on a day that not every year has. */
static const char *folded_named_date(const fold_t *f, const char *t)
{
    const char *year = replaced(f, folded_time(f, t), "\\b(19|20)[0-9]{2}\\b", "2020");
    return nv_printf(f->ctx, "CASE WHEN %s THEN %s ELSE %s END", matches(f, t, "29"), t, year);
}

static const char *word_list(const fold_t *f, bool any_case)
{
    nv_buf_t out = nv_buf_make(f->ctx, PUSHDOWN_SQL_MAX);
    const char *text;
    for (size_t i = 0; i < word_count(); i++) {
        text = word_text(i);
        if ((word_kind_of(i) >= WORD_TRUE) == any_case)
            nv_buf_printf(&out, "%s%s", out.length ? ", " : "", sql_literal(f->ctx, f->dialect, text));
    }
    return nv_buf_text(&out);
}

/* Runs of letters that a number or a date can hold, and what must stand around some of them. */
#define MONTHS                                                                                               \
    "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|january|february|march|april|june|july|august|"         \
    "september|october|november|december"
#define CURRENCIES "us|r|a|c|usd|eur|gbp|chf|jpy|cny|inr|cad|aud|sek|nok|dkk|pln|brl|mxn|kr|z|rs"
#define LETTERS MONTHS "|" CURRENCIES "|am|pm|t|e"

/* Texts with letters. What must stand around a run of letters rules out codes such as "A-100". */
static const char *with_letters(const fold_t *f, const char *t)
{
    const char *lower = nv_printf(f->ctx, "lower(%s)", t);
    const char *runs = nv_printf(f->ctx, "trim(%s)", replaced(f, lower, "[^a-z]+", " "));
    const char *no_time = nv_printf(f->ctx, "%s NOT LIKE '%%:%%' AND ", t);
    const struct {
        const char *also;
        const char *text;
        const char *pattern;
    } surely_text[] = {
        {"", lower, "(^|[^a-z])(us|r|a|c)($|[^a-z$])"}, {"", lower, "(^|[^a-z0-9.])e($|[^a-z])"},
        {"", lower, "(^|[^a-z])e($|[^a-z0-9+-])"},      {no_time, lower, "(^|[^a-z])(t|am|pm)($|[^a-z])"},
        {no_time, lower, "(^|[^a-z])z($|[^a-zł])"},
    };
    nv_buf_t out = nv_buf_make(f->ctx, PUSHDOWN_SQL_MAX);
    nv_buf_printf(&out, "CASE WHEN %s THEN '2020-01-01 10:10 CET'",
                  matches(f, t,
                          "^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2})? "
                          "([A-Z]{3,4}|[A-Za-z_]+/[A-Za-z_/]+)$"));
    nv_buf_printf(&out, " WHEN NOT %s THEN %s", matches(f, runs, "^(" LETTERS ")( (" LETTERS "))*$"),
                  some_text);
    for (size_t i = 0; i < sizeof surely_text / sizeof surely_text[0]; i++)
        nv_buf_printf(&out, " WHEN %s%s THEN %s", surely_text[i].also,
                      matches(f, surely_text[i].text, surely_text[i].pattern), some_text);
    nv_buf_printf(&out, " WHEN %s THEN %s", matches(f, runs, "(^| )(" MONTHS ")( |$)"),
                  folded_named_date(f, t));
    nv_buf_printf(&out, " WHEN %s THEN %s ELSE %s END", matches(f, runs, "(^| )(t|z|am|pm)( |$)"),
                  folded_date(f, t), folded_digits(f, t));
    return nv_buf_text(&out);
}

/* Digits and signs only. */
static const char *without_letters(const fold_t *f, const char *t)
{
    nv_buf_t out = nv_buf_make(f->ctx, PUSHDOWN_SQL_MAX);
    nv_buf_printf(&out, "CASE WHEN %s AND %s > '9223372036854775807' THEN '9999999999999999999'",
                  matches(f, t, "^9[0-9]{18}$"), t);
    nv_buf_printf(&out, " WHEN %s THEN %s", matches(f, t, "9[0-9]{18}"), t);
    nv_buf_printf(&out, " WHEN %s THEN '20200101'",
                  matches(f, t,
                          "^(19[0-9]{2}|20[0-9]{2}|2100)((0[1-9]|1[0-2])(0[1-9]|1[0-9]|2[0-8])|"
                          "(0[13-9]|1[0-2])(29|30)|(0[13578]|1[02])31)$"));
    nv_buf_printf(&out, " WHEN %s THEN %s", matches(f, t, "^(19|20|21)[0-9]{2}0229$"), t);
    nv_buf_printf(&out, " WHEN %s OR %s THEN %s ELSE %s END",
                  matches(f, t, "^[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}($|[ ,])"),
                  matches(f, t, "^[0-9]{1,2}:"), folded_date(f, t), folded_digits(f, t));
    return nv_buf_text(&out);
}

char *fold_sql(nv_mem_t *ctx, sql_dialect_t dialect, const char *text)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("fold");
    fold_t f = {scratch, dialect};
    nv_buf_t out = nv_buf_make(scratch, PUSHDOWN_SQL_MAX);
    nv_buf_printf(&out, "CASE WHEN %s > %d THEN CASE WHEN %s THEN '%0*d' ELSE %s END",
                  sql_bytes(scratch, dialect, text), VALUE_CLASS_MAX, matches(&f, text, "^[+-]?[0-9.,]*$"),
                  VALUE_CLASS_MAX + 1, 0, some_text);
    nv_buf_printf(&out, " WHEN %s IN ('0', '1', %s) THEN %s", text, word_list(&f, false), text);
    nv_buf_printf(&out, " WHEN lower(%s) IN (%s) THEN %s", text, word_list(&f, true), text);
    nv_buf_printf(&out, " WHEN %s THEN %s", matches(&f, text, "[^\\x00-\\x7F€£¥₹₩ł]"), some_text);
    nv_buf_printf(&out, " WHEN %s THEN %s ELSE %s END", matches(&f, text, "[A-Za-z]"), with_letters(&f, text),
                  without_letters(&f, text));
    return nv_strdup(ctx, nv_buf_text(&out));
}

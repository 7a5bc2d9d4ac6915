/* The Analyst's question. */
#include "worker/prompts/prompts.h"
#include "worker/prompts/quote.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* How much is said; each level says less than the one before. */
typedef enum detail {
    DETAIL_SAMPLES,
    DETAIL_STATISTICS,
    DETAIL_NAMES,
    DETAIL_FEW_COLUMNS,
    DETAIL_LEVELS
} detail_t;

enum { FEW_COLUMNS = 12, MANY_COLUMNS = 200, MANY_JOINS = 200, SAMPLES = 3, CASES = 3 };

static const char *role_name(Nv__TableRole role)
{
    static const char *const names[] = {"unknown", "fact", "dimension", "bridge", "other"};
    size_t i = (size_t)role;
    return i < sizeof names / sizeof names[0] ? names[i] : "unknown";
}

/* Of values that hardly repeat the extent says more than any three of them. */
static bool is_spread(const Nv__ColumnProfile *c)
{
    return *c->min && *c->max && c->distinct_count > 20 && c->type != NV__VALUE_TYPE__VALUE_TYPE_STRING &&
           c->type != NV__VALUE_TYPE__VALUE_TYPE_UNSPECIFIED;
}

static void add_values(nv_buf_t *out, const Nv__ColumnProfile *c)
{
    if (is_spread(c)) {
        nv_buf_puts(out, ", from ");
        quote_add(out, c->min, QUOTE_VALUE_MAX);
        nv_buf_puts(out, " to ");
        quote_add(out, c->max, QUOTE_VALUE_MAX);
        return;
    }
    for (size_t i = 0; i < c->n_top && i < SAMPLES; i++) {
        nv_buf_puts(out, i ? ", " : ", e.g. ");
        quote_add(out, c->top[i]->value, QUOTE_VALUE_MAX);
    }
}

static void add_column(nv_buf_t *out, const Nv__ColumnProfile *c, int64_t rows, detail_t detail)
{
    nv_buf_puts(out, "  ");
    quote_add(out, c->name, QUOTE_NAME_MAX);
    nv_buf_printf(out, " %s", quote_type_name(c->type));
    if (detail <= DETAIL_STATISTICS) {
        nv_buf_printf(out, ", %" PRId64 " distinct", c->distinct_count);
        if (c->null_count)
            nv_buf_printf(out, ", %.3g%% null",
                          rows > 0 ? 100.0 * (double)c->null_count / (double)rows : 0.0);
        if (*c->semantic)
            nv_buf_printf(out, ", looks like %.40s", c->semantic);
    }
    /* values of people are nobody's business here */
    if (detail == DETAIL_SAMPLES && !*c->pii)
        add_values(out, c);
    nv_buf_putc(out, '\n');
}

static void add_key(nv_buf_t *out, const Nv__Relations *relations, const char *table)
{
    for (size_t i = 0; relations && i < relations->n_primary_keys; i++)
        if (strcmp(relations->primary_keys[i]->table, table) == 0) {
            nv_buf_puts(out, ", key (");
            quote_add_list(out, relations->primary_keys[i]->columns, relations->primary_keys[i]->n_columns,
                           QUOTE_NAME_MAX);
            nv_buf_putc(out, ')');
        }
    for (size_t i = 0; relations && i < relations->n_roles; i++)
        if (strcmp(relations->roles[i]->table, table) == 0)
            nv_buf_printf(out, ", taken for %s (confidence %.2f)", role_name(relations->roles[i]->role),
                          relations->roles[i]->confidence);
}

static void add_table(nv_buf_t *out, const prompt_design_evidence_t *e, const Nv__TableProfile *t,
                      detail_t detail)
{
    size_t most = detail == DETAIL_FEW_COLUMNS ? FEW_COLUMNS : MANY_COLUMNS;
    nv_buf_puts(out, "table ");
    quote_add(out, t->name, QUOTE_NAME_MAX);
    nv_buf_printf(out, ": %" PRId64 " rows", t->row_count);
    add_key(out, e->relations, t->name);
    nv_buf_putc(out, '\n');
    for (size_t i = 0; i < t->n_columns && i < most; i++)
        add_column(out, t->columns[i], t->row_count, detail);
    if (t->n_columns > most)
        nv_buf_printf(out, "  … and %zu more columns\n", t->n_columns - most);
}

static void add_join(nv_buf_t *out, const Nv__Join *j)
{
    quote_add(out, j->from, QUOTE_NAME_MAX);
    nv_buf_puts(out, ".(");
    quote_add_list(out, j->columns, j->n_columns, QUOTE_NAME_MAX);
    nv_buf_puts(out, ") -> ");
    quote_add(out, j->to, QUOTE_NAME_MAX);
    nv_buf_puts(out, ".(");
    quote_add_list(out, j->to_columns, j->n_to_columns, QUOTE_NAME_MAX);
    nv_buf_puts(out, ")");
}

static void add_undecided(nv_buf_t *out, const Nv__Relations *r, size_t most, bool evidence)
{
    if (r->n_undecided)
        nv_buf_puts(out, "undecided joins:\n");
    for (size_t i = 0; i < r->n_undecided && i < most; i++) {
        const Nv__Join *j = r->undecided[i];
        nv_buf_printf(out, "  J%zu ", i + 1);
        add_join(out, j);
        nv_buf_printf(out, " probability %.2f, %.4g%% of rows find a target", j->probability,
                      100.0 * j->coverage);
        for (size_t k = 0; evidence && k < j->n_evidence && k < 3; k++) {
            nv_buf_puts(out, k ? "; " : "; evidence: ");
            quote_add(out, j->evidence[k]->text, 160);
        }
        nv_buf_putc(out, '\n');
    }
    if (r->n_undecided > most)
        nv_buf_printf(out, "  … and %zu more\n", r->n_undecided - most);
}

static void add_joins(nv_buf_t *out, const Nv__Relations *r, size_t most)
{
    nv_buf_puts(out, r->n_joins ? "joins found:\n" : "no joins found\n");
    for (size_t i = 0; i < r->n_joins && i < most; i++) {
        nv_buf_puts(out, "  ");
        add_join(out, r->joins[i]);
        nv_buf_putc(out, '\n');
    }
    if (r->n_joins > most)
        nv_buf_printf(out, "  … and %zu more\n", r->n_joins - most);
}

static void add_cases(nv_buf_t *out, Nv__KnowledgeHit *const *hits, size_t n)
{
    if (n > 0)
        nv_buf_puts(out, "\nLessons from earlier runs that looked like this one:\n<data>\n");
    for (size_t i = 0; i < n && i < CASES; i++)
        if (hits[i]->found) {
            nv_buf_printf(out, "- (similarity %.2f) ", hits[i]->similarity);
            quote_add(out, hits[i]->found->lesson, QUOTE_TEXT_MAX);
            nv_buf_putc(out, '\n');
        }
    if (n > 0)
        nv_buf_puts(out, "</data>\n");
}

/* Lines as the model reads them. */
/* clang-format off */
static const char relations_system[] =
    "You review how raw tables relate before a star schema is designed from them. A program has read every\n"
    "value and decided what values can decide: keys, joins and roles below are its findings. You settle only\n"
    "what takes the meaning of names and values.\n"
    "Give:\n"
    "- joins: an entry for each undecided join, by its id (J1, J2 …). JOIN_ANSWER_YES: the columns on the left\n"
    "  refer to rows of the table on the right. JOIN_ANSWER_NO: the values agree by accident, as small counters\n"
    "  and shared codes do. Leave out those that names and values do not settle.\n"
    "- roles: only tables whose role is wrong. TABLE_ROLE_FACT: its rows are events or measurements.\n"
    "  TABLE_ROLE_DIMENSION: its rows describe the things that events are about. TABLE_ROLE_BRIDGE: it only\n"
    "  links two tables many to many. TABLE_ROLE_OTHER: none of these, such as a program's log.\n"
    "- tables, columns, measures: leave empty; that is asked later.\n"
    "An empty list is a good answer. Every item is counted against the data, and what the data contradicts is\n"
    "refused.\n";

static const char meaning_system[] =
    "You say what raw tables mean, for the documentation of a star schema and for its measures. A program has\n"
    "read every value; keys, joins and roles below are settled.\n"
    "Give:\n"
    "- tables: for each table a business name in the singular (\"Sales order line\") and one sentence that says\n"
    "  what one row is.\n"
    "- columns: a business name and a description only where the column's own name leaves a newcomer guessing\n"
    "  (abbreviations, codes, other languages).\n"
    "- measures: only numeric columns that measure something; no keys, codes, years or positions.\n"
    "  ADDITIVITY_ADDITIVE: may be summed over everything (amounts, quantities). ADDITIVITY_SEMI: over\n"
    "  everything but time (balances, stock). ADDITIVITY_NON: never (prices, rates, percentages, ratios).\n"
    "  unit: a currency code, a unit or \"count\"; empty where neither name nor values show it.\n"
    "- joins, roles: leave empty.\n"
    "Write only what names and values show. What you would have to guess is better missing than invented.\n";
/* clang-format on */

static const char exact_names[] = "Use table and column names exactly as given, without the quotes.\n";

/* The user part at one level of detail; tables, joins: how many of them are shown at most. */
static void render(nv_buf_t *out, const prompt_design_evidence_t *e, detail_t detail, size_t tables,
                   size_t joins)
{
    nv_buf_puts(out, "<data>\n");
    for (size_t i = 0; i < tables; i++)
        add_table(out, e, e->tables[i], detail);
    if (tables < e->n_tables)
        nv_buf_printf(out, "… and %zu more tables\n", e->n_tables - tables);
    if (e->relations)
        add_joins(out, e->relations, joins);
    if (e->relations && e->about == PROMPT_ABOUT_RELATIONS)
        add_undecided(out, e->relations, joins, detail < DETAIL_FEW_COLUMNS);
    nv_buf_puts(out, "</data>\n");
    if (e->critique && *e->critique) {
        nv_buf_puts(out, "\nThe last design was found wrong in this:\n<data>\n");
        quote_add(out, e->critique, 2000);
        nv_buf_puts(out, "\n</data>\n");
    }
    if (detail < DETAIL_FEW_COLUMNS)
        add_cases(out, e->hits, e->n_hits);
    nv_buf_puts(out, e->about == PROMPT_ABOUT_RELATIONS ? "\nGive joins and roles.\n"
                                                        : "\nGive tables, columns and measures.\n");
}

bool prompt_design(nv_mem_t *ctx, const prompt_design_evidence_t *e, size_t max_bytes, prompt_t *out,
                   nv_error_t *err)
{
    size_t maximum = max_bytes ? max_bytes : PROMPT_DEFAULT_BYTES;
    nv_buf_t user = nv_buf_make(ctx, maximum);
    int level = DETAIL_SAMPLES;
    size_t tables = e->n_tables;
    size_t joins = MANY_JOINS;
    for (;;) {
        nv_buf_reset(&user);
        render(&user, e, (detail_t)level, tables, joins);
        if (!user.overflowed)
            break;
        if (level + 1 < DETAIL_LEVELS)
            level++;
        else if (tables > 0)
            tables /= 2;
        else if (joins > 0)
            joins /= 2;
        else
            return nv_buf_ok(&user, "the evidence for the model", err);
    }
    const char *task = e->about == PROMPT_ABOUT_RELATIONS ? relations_system : meaning_system;
    *out = (prompt_t){.system = nv_printf(ctx, "%s%s%s", task, exact_names, quote_warning),
                      .user = nv_buf_text(&user),
                      .complete = level == DETAIL_SAMPLES && tables == e->n_tables &&
                                  (!e->relations ||
                                   (e->relations->n_joins <= joins && e->relations->n_undecided <= joins))};
    return true;
}

const Nv__Join *prompt_join_of(const Nv__Relations *relations, const char *id)
{
    char *end;
    if (id[0] != 'J' || id[1] < '1' || id[1] > '9')
        return NULL;
    unsigned long number = strtoul(id + 1, &end, 10);
    return *end == '\0' && number <= relations->n_undecided ? relations->undecided[number - 1] : NULL;
}

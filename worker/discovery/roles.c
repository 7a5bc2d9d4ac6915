#include "worker/discovery/roles.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "worker/discovery/lexicon.h"
#include "worker/discovery/priors.h"

typedef struct facts_of_table {
    int out, in, self, one_to_one;
    double largest_parent, largest_child;
    bool event_child, line_child;
    int measures, dates, texts, plain;
    bool person, event_date, snapshot, named, year_key, version_key;
    double key_foreign; /* share of key columns that are foreign */
    int key_columns;
    double names_of_others;
} facts_of_table_t;

static bool in_key(const dsc_state_t *state, int t, int column)
{
    const table_keys_t *keys = &state->keys[t];
    for (int i = 0; keys->chosen >= 0 && i < keys->list[keys->chosen].n; i++) {
        if (keys->list[keys->chosen].columns[i] == column)
            return true;
    }
    return false;
}

static bool is_foreign(const dsc_state_t *state, int t, int column)
{
    for (size_t i = 0; i < state->n_joins; i++) {
        const join_candidate_t *join = &state->joins[i];
        for (int k = 0; join->chosen && join->from == t && k < join->n; k++) {
            if (join->columns[k] == column)
                return true;
        }
    }
    return false;
}

static void read_joins(const dsc_state_t *state, int t, facts_of_table_t *x)
{
    for (size_t i = 0; i < state->n_joins; i++) {
        const join_candidate_t *join = &state->joins[i];
        if (!join->chosen || (join->from != t && join->to != t))
            continue;
        const dsc_table_t *other = &state->schema->tables[join->from == t ? join->to : join->from];
        if (join->from == join->to) {
            x->self++;
        } else if (join->from == t) {
            x->out++;
            x->largest_parent = fmax(x->largest_parent, other->rows);
            x->one_to_one += join->unique_source && join->n == 1 && in_key(state, t, join->columns[0]);
        } else {
            x->in++;
            x->largest_child = fmax(x->largest_child, other->rows);
            x->event_child = x->event_child || schema_table_is(other, LEXICON_EVENT);
            x->line_child = x->line_child || schema_table_is(other, LEXICON_LINE);
        }
    }
}

/* Dates that describe a thing (birth, hire, release) or a row version are no events. */
static bool is_event_date(const dsc_column_t *column)
{
    static const char *const not_event[] = {
        "birth",   "dob",      "hire",    "hired",     "born",    "death",     "debut", "founded", "release",
        "updated", "modified", "created", "synced",    "valid",   "effective", "load",  "update",  "begin",
        "end",     "last",     "publish", "published", "pubdate", "deleted",   NULL};
    if (column->kind != CLASS_DATE || column->null_share > 0.5)
        return false;
    for (int i = 0; i < column->bare.n; i++) {
        for (int k = 0; not_event[k] != NULL; k++) {
            if (strcmp(column->bare.word[i], not_event[k]) == 0)
                return false;
        }
    }
    return true;
}

static bool is_period(const dsc_column_t *column)
{
    static const char *const words[] = {"week", "month", "day", "quarter", "period", "hour", NULL};
    for (int i = 0; i < column->bare.n; i++) {
        for (int k = 0; words[k] != NULL; k++) {
            if (strcmp(column->bare.word[i], words[k]) == 0)
                return true;
        }
    }
    return false;
}

static void read_columns(const dsc_state_t *state, int t, facts_of_table_t *x)
{
    const dsc_table_t *table = &state->schema->tables[t];
    for (int c = 0; c < table->n_columns; c++) {
        const dsc_column_t *column = &table->columns[c];
        bool key = in_key(state, t, c), foreign = is_foreign(state, t, c);
        if (key) {
            /* The start of a week is the time of what was summed up over it, not of a version. */
            bool period = column->kind == CLASS_DATE && is_period(column);
            x->version_key = x->version_key || (column->kind == CLASS_DATE && !period &&
                                                schema_mentions(column, LEXICON_VERSION));
            x->event_date = x->event_date || period || is_event_date(column);
            x->key_columns++;
            x->key_foreign += foreign;
            x->year_key = x->year_key || (strcmp(column->bare.word[0], "year") == 0 ||
                                          strcmp(column->bare.word[0], "season") == 0);
        }
        if (foreign && column->bare.core > 0 && strcmp(column->bare.word[column->bare.core - 1], "date") == 0)
            x->event_date = true;
        if (key || foreign || column->loader)
            continue;
        x->plain++;
        bool number = column->kind == CLASS_INTEGER || column->kind == CLASS_NUMBER;
        bool snapshot = schema_mentions(column, LEXICON_SNAPSHOT);
        x->measures +=
            number && !column->bare.keylike &&
            (column->kind == CLASS_NUMBER || schema_mentions(column, LEXICON_ADDITIVE) || snapshot);
        x->snapshot = x->snapshot || (number && snapshot);
        x->dates += column->kind == CLASS_DATE;
        x->event_date = x->event_date || is_event_date(column);
        x->texts += column->kind == CLASS_TEXT;
        x->person = x->person || strcmp(column->p->semantic, "email") == 0 ||
                    strcmp(column->p->semantic, "phone") == 0 ||
                    strcmp(column->p->semantic, "person_name") == 0;
        const char *last = column->bare.n > 0 ? column->bare.word[column->bare.n - 1] : "";
        x->named = x->named || strcmp(last, "name") == 0 || strcmp(last, "title") == 0 ||
                   strcmp(last, "description") == 0;
    }
}

/* "low_qty" and "high_qty", "min_lvl" and "max_lvl": bounds of a range. */
static bool has_range_pair(const dsc_table_t *table)
{
    static const char *const pairs[][2] = {{"low", "high"}, {"lo", "hi"},     {"min", "max"},
                                           {"from", "to"},  {"start", "end"}, {"lower", "upper"}};
    for (int a = 0; a < table->n_columns; a++) {
        for (int b = 0; b < table->n_columns && table->n_columns <= 200; b++) {
            const dsc_column_t *x = &table->columns[a], *y = &table->columns[b];
            bool numbers = x->kind != CLASS_TEXT && x->kind != CLASS_DATE && y->kind != CLASS_TEXT &&
                           y->kind != CLASS_DATE;
            for (size_t k = 0; a != b && numbers && k < sizeof pairs / sizeof pairs[0]; k++) {
                size_t n = strlen(pairs[k][0]), m = strlen(pairs[k][1]);
                if (strncasecmp(x->p->name, pairs[k][0], n) == 0 &&
                    strncasecmp(y->p->name, pairs[k][1], m) == 0 &&
                    strcmp(x->p->name + n, y->p->name + m) == 0)
                    return true;
            }
        }
    }
    return false;
}

/* How many other tables' names stand in this one's: "playlist_track". */
static double names_of_others(const dsc_state_t *state, int t)
{
    const name_words_t *mine = &state->schema->tables[t].name;
    int found = 0;
    for (int u = 0; u < state->schema->n_tables; u++) {
        const name_words_t *other = &state->schema->tables[u].name;
        if (u == t || other->n == 0 || other->n >= mine->n)
            continue;
        double best = 0;
        for (int i = 0; i < mine->n; i++)
            best = fmax(best, name_word_similarity(mine->word[i], other->word[other->n - 1]));
        found += best >= 0.95;
    }
    return found;
}

static double cap(double value, double most)
{
    return fmin(value, most) / most;
}

/* Is the other table named as the lines of this one: "invoice_line_item" after "invoice"? */
static bool is_named_line_of(const dsc_table_t *other, const dsc_table_t *table)
{
    if (other->name.n <= table->name.n || table->name.n == 0)
        return false;
    for (int i = 0; i < table->name.n; i++) {
        if (name_word_similarity(other->name.word[i], table->name.word[i]) < 0.99)
            return false;
    }
    return lexicon_has(LEXICON_LINE, other->name.word[table->name.n]);
}

/* What names say where so few rows prove nothing: a reference is one although its value is missing in the sample of its target. */
static void named_features(const dsc_state_t *state, int t, const facts_of_table_t *x, double *f)
{
    const dsc_table_t *table = &state->schema->tables[t];
    prior_shape_t shape = priors_shape(state, t);
    int in = 0, event = 0;
    bool header = false, lines = false;
    for (int u = 0; u < state->schema->n_tables; u++) {
        const dsc_table_t *other = &state->schema->tables[u];
        bool refers = false;
        for (int c = 0; c < other->n_columns && u != t; c++) {
            const dsc_column_t *column = &other->columns[c];
            refers = refers || (column->bare.keylike && column->bare.core > 0 &&
                                name_speaks_of(&column->bare, &table->name) >= 0.95);
        }
        in += refers;
        header = header || (u != t && is_named_line_of(other, table));
        lines = lines || (u != t && is_named_line_of(table, other));
    }
    for (int i = 0; i < table->name.n; i++)
        event += lexicon_has(LEXICON_EVENT, table->name.word[i]);
    f[RF_HEADER] = header;
    f[RF_LINES] = lines;
    f[RF_NAMED_REFERS] = cap(shape.n_references, 5);
    f[RF_NAMED_REFERENCED] = cap(in, 5);
    f[RF_OWN_ID] = shape.own_id;
    f[RF_NAMED_LINK] = shape.link;
    f[RF_HISTORY] = shape.history;
    f[RF_NAMED_EVENT_PART] = event > 0;
    f[RF_NAMED_REFERS_DATED] = shape.n_references >= 2 && x->event_date;
    f[RF_NAMED_REFERS_MEASURED] = shape.n_references >= 1 && x->measures > 0;
    f[RF_NAMED_REFERS_NO_ID] = !shape.own_id && shape.n_references >= 2;
    f[RF_NAMED_REFERS_NOT] = shape.n_references == 0;
    f[RF_NAMED_ONLY_REFERENCED] = in > 0 && shape.n_references == 0;
}

static bool mentions_table(const dsc_table_t *table, lexicon_t list)
{
    name_words_t name;
    name_split(table->p->name, &name);
    for (int i = 0; i < name.n; i++) {
        if (lexicon_has(list, name.word[i]))
            return true;
    }
    return false;
}

static void join_features(const dsc_table_t *table, const facts_of_table_t *x, double *f)
{
    f[RF_REFERS] = cap(x->out, 5);
    f[RF_REFERENCED] = cap(x->in, 5);
    f[RF_ONLY_REFERS] = x->out > 0 && x->in == 0;
    f[RF_ONLY_REFERENCED] = x->in > 0 && x->out == 0;
    f[RF_ALONE] = x->in == 0 && x->out == 0;
    f[RF_KEY_OF_REFERENCES] = x->key_columns >= 2 && x->key_foreign == x->key_columns;
    f[RF_ONLY_LINKS] = f[RF_KEY_OF_REFERENCES] && x->measures == 0 && !x->event_date;
    f[RF_EVENTS_REFER] = x->event_child;
    f[RF_ROWS_TO_PARENT] =
        x->out > 0 ? fmax(-1, fmin(1, log10((1 + table->rows) / (1 + x->largest_parent)) / 3)) : 0;
    f[RF_ROWS_TO_CHILD] =
        x->in > 0 ? fmax(-1, fmin(1, log10((1 + x->largest_child) / (1 + table->rows)) / 3)) : 0;
    f[RF_SMALL_LIST] = table->n_columns <= 3 && x->in > 0 && x->out == 0;
    f[RF_EXTENDS] = x->one_to_one > 0;
}

/* False when the table has nothing that a fact consists of. */
static bool role_features(const dsc_state_t *state, int t, double typical, double *f)
{
    const dsc_table_t *table = &state->schema->tables[t];
    facts_of_table_t x = {0};
    read_joins(state, t, &x);
    read_columns(state, t, &x);
    memset(f, 0, sizeof(double) * ROLE_FEATURES);
    bool event = schema_table_is(table, LEXICON_EVENT), entity = schema_table_is(table, LEXICON_ENTITY);
    f[RF_BIAS] = 1;
    f[RF_ROWS] = log10(1 + table->rows) / 6;
    f[RF_ROWS_RATIO] = fmax(-1, fmin(1, log10((1 + table->rows) / (1 + typical)) / 3));
    join_features(table, &x, f);
    f[RF_PLAIN] = log(1 + x.plain) / 3;
    f[RF_MEASURES] = cap(x.measures, 5);
    f[RF_HAS_MEASURES] = x.measures > 0;
    f[RF_EVENT_DATE] = x.event_date;
    f[RF_DATES] = cap(x.dates, 4);
    f[RF_TEXTS] = cap(x.texts, 5);
    f[RF_NAMED_EVENT] = event && !entity;
    f[RF_NAMED_ENTITY] = entity && !event;
    f[RF_NAMED_LOG] = schema_table_is(table, LEXICON_LOG) || mentions_table(table, LEXICON_LOG);
    f[RF_NAMED_LINE] = schema_table_is(table, LEXICON_LINE) &&
                       (x.out > 0 || (x.measures > 0 && priors_shape(state, t).n_references > 0));
    f[RF_MARKED_DIMENSION] = mentions_table(table, LEXICON_DIM_MARK);
    f[RF_MARKED_FACT] = mentions_table(table, LEXICON_FACT_MARK);
    f[RF_MARKED_BRIDGE] = mentions_table(table, LEXICON_BRIDGE_MARK);
    f[RF_PERSON] = x.person;
    f[RF_EMPTY] = table->rows <= 0;
    f[RF_NO_KEY] = state->keys[t].chosen < 0;
    f[RF_COMPOSITE_KEY] = x.key_columns > 1;
    f[RF_FEW_ROWS] = table->rows < 10;
    f[RF_NAMED_AFTER_OTHERS] = cap(names_of_others(state, t), 2);
    f[RF_BARE_REFERENCES] = x.out >= 2 && x.plain <= 2;
    f[RF_DATED_REFERENCES] = x.out >= 2 && x.event_date;
    f[RF_MEASURED_REFERENCES] = x.out >= 1 && x.measures > 0 && !entity;
    f[RF_LEVELS] = x.snapshot && x.out > 0;
    f[RF_YEAR_KEY] = x.year_key;
    f[RF_NAMED_ROWS] = x.named;
    bool alone = x.in == 0 && x.out == 0;
    f[RF_VERSION_KEY] = x.version_key && x.measures == 0;
    f[RF_ALONE_DATED_NUMBERS] = alone && x.measures >= 2 && x.event_date;
    f[RF_NO_KEY_NO_DATE] = state->keys[t].chosen < 0 && !x.event_date;
    f[RF_ALONE_NO_NUMBERS] = alone && x.measures == 0;
    f[RF_NAMED_BETWEEN] = x.in > 0 && x.out > 0 && x.named && !x.event_date;
    f[RF_NUMBERS_BY_VERSION] = x.version_key && x.measures > 0;
    f[RF_RANGE] = has_range_pair(table);
    f[RF_RANGE_RATE] = f[RF_RANGE] && !x.event_date && x.in == 0;
    named_features(state, t, &x, f);
    return x.out > 0 || x.measures > 0 || x.dates > 0 || x.event_date;
}

static void emit_role(const dsc_state_t *state, int t, bool few, const double *f, const double *p)
{
    if (state->options->feature_sink == NULL || !state->emit)
        return;
    char *line = nv_printf(state->ctx, "role\t%d\t%s", few, state->schema->tables[t].p->name);
    for (int i = 0; i < ROLE_CLASSES; i++)
        line = nv_printf(state->ctx, "%s\t%.6f", line, p[i]);
    for (int i = 0; i < ROLE_FEATURES; i++)
        line = nv_printf(state->ctx, "%s\t%.5g", line, f[i]);
    state->options->feature_sink(state->options->feature_arg, line);
}

#define FEATURE_WORDS(id, words) [id] = words,
static const char *const feature_words[ROLE_FEATURES] = {ROLE_FEATURE_LIST(FEATURE_WORDS)};
#undef FEATURE_WORDS

/* The three features that spoke most for the winner against the runner-up, in words. */
static Nv__Evidence **role_evidence(nv_mem_t *ctx, const double weights[ROLE_FEATURES][ROLE_CLASSES],
                                    const double *f, int best, int second, size_t *n)
{
    Nv__Evidence **list = NV_NEW_ARRAY(ctx, Nv__Evidence *, 3);
    bool used[ROLE_FEATURES] = {false};
    for (*n = 0; *n < 3;) {
        int top = -1;
        double most = 0.05;
        for (int i = RF_BIAS + 1; i < ROLE_FEATURES; i++) {
            double gain = f[i] * (weights[i][best] - weights[i][second]);
            if (!used[i] && f[i] > 0 && gain > most) {
                most = gain;
                top = i;
            }
        }
        if (top < 0)
            break;
        used[top] = true;
        list[(*n)++] = discovery_evidence(ctx, "role", fmin(1, most / 4), "%s", feature_words[top]);
    }
    return list;
}

static double typical_rows(const dsc_schema_t *schema)
{
    double sum = 0;
    for (int t = 0; t < schema->n_tables; t++)
        sum += log(1 + schema->tables[t].rows);
    return schema->n_tables > 0 ? exp(sum / schema->n_tables) : 1;
}

Nv__SourceRole **roles_decide(const dsc_state_t *state, nv_mem_t *ctx)
{
    static const Nv__TableRole roles[ROLE_CLASSES] = {
        NV__TABLE_ROLE__TABLE_ROLE_FACT, NV__TABLE_ROLE__TABLE_ROLE_DIMENSION,
        NV__TABLE_ROLE__TABLE_ROLE_BRIDGE, NV__TABLE_ROLE__TABLE_ROLE_OTHER};
    int n = state->schema->n_tables;
    double typical = typical_rows(state->schema);
    bool export = priors_export(state->schema);
    Nv__SourceRole **list = NV_NEW_ARRAY(ctx, Nv__SourceRole *, (size_t)n + 1);
    for (int t = 0; t < n; t++) {
        double f[ROLE_FEATURES], p[ROLE_CLASSES];
        bool has_matter = role_features(state, t, typical, f);
        bool few = export && priors_few(&state->schema->tables[t]);
        const double(*weights)[ROLE_CLASSES] = few ? model_role_few : model_role;
        model_role_scores(weights, f, p);
        priors_of_roles(state, t, p);
        if (!has_matter)
            p[0] -= 8; /* a fact has a measure, a reference or a date */
        model_softmax(p, ROLE_CLASSES);
        int best = 0, second = 1;
        for (int k = 1; k < ROLE_CLASSES; k++)
            best = p[k] > p[best] ? k : best;
        second = best == 0 ? 1 : 0;
        for (int k = 0; k < ROLE_CLASSES; k++)
            second = k != best && p[k] > p[second] ? k : second;
        emit_role(state, t, few, f, p);
        Nv__SourceRole *role = NV_NEW(ctx, Nv__SourceRole);
        nv__source_role__init(role);
        role->table = nv_strdup(ctx, state->schema->tables[t].p->name);
        role->role = roles[best];
        role->confidence = round(p[best] * 1e4) / 1e4;
        role->evidence = role_evidence(ctx, weights, f, best, second, &role->n_evidence);
        list[t] = role;
    }
    return list;
}

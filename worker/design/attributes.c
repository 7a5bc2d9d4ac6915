/* What a column is worth in a star: measure, attribute, event date, or nothing; and how it changes. */
#include <stdio.h>
#include <string.h>

#include "worker/design/plan.h"
#include "worker/discovery/lexicon.h"

static bool has_word(const dsc_column_t *column, const char *words)
{
    for (int i = 0; i < column->bare.n; i++) {
        char needle[NAME_WORD_BYTES + 2];
        snprintf(needle, sizeof needle, " %s ", column->bare.word[i]);
        if (strstr(words, needle) != NULL)
            return true;
    }
    return false;
}

/* The word as it stands: "days" is no "day". */
static bool says(const dsc_column_t *column, lexicon_t list)
{
    for (int i = 0; i < column->bare.n; i++) {
        if (lexicon_has(list, column->bare.word[i]))
            return true;
    }
    return false;
}

/* Words written as one, as in PRICEEACH or ORDERLINENUMBER: the first or last of them, where it is long enough to be no accident. */
static bool is_glued(const dsc_column_t *column, const char *part, bool first)
{
    const char *word = column->bare.n == 1 ? column->bare.word[0] : "";
    size_t n = strlen(word), m = strlen(part);
    return n >= m + 3 && (strncmp(word + n - m, part, m) == 0 || (first && strncmp(word, part, m) == 0));
}

/* The same for EXTENDEDPRICE and TOTALPRICE, which are amounts. */
static bool begins_with(const dsc_column_t *column, const char *part)
{
    return column->bare.n == 1 && strncmp(column->bare.word[0], part, strlen(part)) == 0;
}

/* "day_high", "52_week_low": the extreme of a price. */
static bool is_extreme(const dsc_column_t *column)
{
    const char *last = column->bare.n > 1 ? column->bare.word[column->bare.n - 1] : "";
    return strcmp(last, "high") == 0 || strcmp(last, "low") == 0;
}

/* Where something is describes it, although it is a number. */
static bool is_coordinate(const dsc_column_t *column)
{
    return has_word(column, " latitude longitude lat lng lon ");
}

static bool is_number(const dsc_column_t *column)
{
    return column->kind == CLASS_INTEGER || column->kind == CLASS_NUMBER;
}

/* A quantity that is 1 in every row so far is a quantity. */
static bool is_constant(const plan_table_t *table, const dsc_column_t *column)
{
    bool measures = is_number(column) && table->kind == PLAN_FACT && column_is_measure(column) &&
                    schema_mentions(column, LEXICON_MEASURE);
    return column->distinct == 1 && column->null_share <= 0 && table->t->rows >= 20 &&
           column->kind != CLASS_DATE && column->kind != CLASS_NUMBER && !measures;
}

const char *column_junk_reason(const plan_table_t *table, const dsc_column_t *column, nv_mem_t *ctx)
{
    if (plan_is_key(table, column->p->name))
        return NULL;
    if (column->filled <= 0 && table->t->rows > 0)
        return "holds no value in any row";
    /* Rows without a key may differ in nothing else. */
    bool loader = column->loader && table->key != NULL;
    if (loader || (says(column, LEXICON_LOADED) && column->kind == CLASS_DATE))
        return "bookkeeping of the export, not of the business";
    if (strcmp(column->bare.n > 0 ? column->bare.word[0] : "", "rowguid") == 0)
        return "replication identifier without meaning";
    if (is_constant(table, column))
        return nv_printf(ctx, "constant: every one of %.0f rows holds the same value", table->t->rows);
    return NULL;
}

bool column_is_measure(const dsc_column_t *column)
{
    if (!is_number(column) || column->bare.keylike || column->loader || is_coordinate(column))
        return false;
    if (column->kind == CLASS_INTEGER && (says(column, LEXICON_LABEL) || is_glued(column, "number", false)))
        return false;
    if (strcmp(column->p->semantic, "year") == 0 || strcmp(column->p->semantic, "postal_code") == 0)
        return false;
    /* Two or fewer small whole numbers without a measure's name are a flag. */
    return !(column->kind == CLASS_INTEGER && column->distinct <= 2 &&
             !schema_mentions(column, LEXICON_MEASURE));
}

/* A discount of 0.15 is a rate, one of 15.00 an amount: the values tell. */
static bool is_rate_by_value(const dsc_column_t *column)
{
    return says(column, LEXICON_FRACTION) && column->kind == CLASS_NUMBER && column->has_points &&
           column->points[0] >= 0 && column->points[SKETCH_POINTS - 1] <= 1 && column->distinct >= 2;
}

Nv__Additivity column_additivity(const dsc_column_t *column, const char **reason)
{
    if (schema_mentions(column, LEXICON_SNAPSHOT)) {
        *reason = "a level at a point in time: may be summed over everything but time";
        return NV__ADDITIVITY__ADDITIVITY_SEMI;
    }
    /* A unit price or a rate stays one whatever it is called besides; "price" loses to "total_price". */
    bool total =
        says(column, LEXICON_TOTAL) || begins_with(column, "extended") || begins_with(column, "total");
    bool price = schema_mentions(column, LEXICON_NON_ADDITIVE) || is_glued(column, "price", true) ||
                 is_glued(column, "percent", false) || is_extreme(column);
    if (price && !total) {
        *reason = "a price, rate, share, rank or position: a sum of it means nothing; weight or average it";
        return NV__ADDITIVITY__ADDITIVITY_NON;
    }
    if (is_rate_by_value(column)) {
        *reason = "a rate: every value lies between 0 and 1; a sum of it means nothing";
        return NV__ADDITIVITY__ADDITIVITY_NON;
    }
    *reason = schema_mentions(column, LEXICON_ADDITIVE) || total
                  ? "an amount or count of the event itself: may be summed over everything"
                  : "a number of the event; nothing in its name speaks against summing";
    return NV__ADDITIVITY__ADDITIVITY_ADDITIVE;
}

const char *column_unit(const dsc_column_t *column)
{
    static const struct {
        const char *words, *unit;
    } units[] = {
        {" qty quantity count cnt units ordered items ", "count"},
        {" kg kilograms ", "kg"},
        {" lb lbs pounds ", "lb"},
        {" km kilometers ", "km"},
        {" miles mi ", "mi"},
        {" milliseconds ms millis ", "ms"},
        {" seconds sec secs ", "s"},
        {" minutes mins ", "min"},
        {" hours hrs ", "h"},
        {" days ", "d"},
        {" bytes ", "bytes"},
        {" percent pct percentage discount_pct ", "%"},
        {" weight ", "weight"},
    };
    static const struct {
        const char *words, *unit;
    } areas[] = {{" km ", "km²"},
                 {" m meter meters metre metres ", "m²"},
                 {" ft feet foot ", "ft²"},
                 {" mi mile miles ", "mi²"}};
    if (column->p->parse != NULL && column->p->parse->n_currency_marks > 0)
        return column->p->parse->currency_marks[0];
    for (size_t i = 0; has_word(column, " sq square ") && i < sizeof areas / sizeof areas[0]; i++) {
        if (has_word(column, areas[i].words))
            return areas[i].unit;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (has_word(column, units[i].words))
            return units[i].unit;
    }
    if (has_word(column,
                 " amount amt price cost total revenue tax freight fee salary subtotal payment charge ") ||
        strcmp(column->p->semantic, "money") == 0)
        return "currency";
    return "";
}

static Nv__ScdType scd_by_nature(const dsc_column_t *column, const char **reason)
{
    if (says(column, LEXICON_ORIGIN) && column->kind == CLASS_DATE) {
        *reason = "a date of origin: does not change";
        return NV__SCD_TYPE__SCD_TYPE_0;
    }
    if (says(column, LEXICON_TRACKED) || strcmp(column->p->semantic, "country") == 0 ||
        strcmp(column->p->semantic, "postal_code") == 0) {
        *reason = "analysts ask what it was at the time of the event: a change makes a new version";
        return NV__SCD_TYPE__SCD_TYPE_2;
    }
    if (column->kind == CLASS_NUMBER && says(column, LEXICON_IN_FORCE)) {
        *reason = "a value in force for a time: a change makes a new version";
        return NV__SCD_TYPE__SCD_TYPE_2;
    }
    *reason = "a change is a correction: overwritten";
    return NV__SCD_TYPE__SCD_TYPE_1;
}

static const Nv__ObservedChange *observed(const plan_t *plan, const plan_table_t *table, const char *column)
{
    const Nv__Relations *relations = plan->input->relations;
    for (size_t i = 0; i < relations->n_changes; i++) {
        if (strcmp(relations->changes[i]->table, table->t->p->name) == 0 &&
            strcmp(relations->changes[i]->column, column) == 0)
            return relations->changes[i];
    }
    return NULL;
}

/* Later records of things, with a change or without: so many must be seen before what never changed is believed not to, and before the
 * records of a table without dates count as versions. */
enum { LATER_RECORDS_LEAST = 20 };

/* A counter or a level moves all the time: its versions would be as many as its records. */
static bool is_volatile(const dsc_column_t *column, const Nv__ObservedChange *seen)
{
    return is_number(column) && !says(column, LEXICON_IN_FORCE) && !says(column, LEXICON_TRACKED) &&
           2 * seen->changes > seen->records - seen->keys;
}

static bool scd_as_observed(const plan_t *plan, const plan_table_t *table, const dsc_column_t *column,
                            Nv__ScdType *out, const char **reason)
{
    const Nv__ObservedChange *seen = observed(plan, table, column->p->name);
    if (seen == NULL)
        return false;
    int64_t later = seen->records - seen->keys;
    size_t files = table->t->p->n_files;
    char *words = nv_printf(plan->ctx, "%lld changes observed in %lld later records of %lld keys%s",
                            (long long)seen->changes, (long long)later, (long long)seen->keys,
                            files > 1 ? nv_printf(plan->ctx, " in %zu files", files) : "");
    /* Without dates, and in one file, several records of a key are slips. */
    if (!table->history && (later < LATER_RECORDS_LEAST || files < 2))
        return false;
    if (seen->changes > 0) {
        bool volatile_ = !table->history && is_volatile(column, seen);
        *out = volatile_ ? NV__SCD_TYPE__SCD_TYPE_1 : NV__SCD_TYPE__SCD_TYPE_2;
        *reason = nv_printf(plan->ctx, "%s: %s", words,
                            volatile_ ? "a number that moves all the time is overwritten"
                                      : "each makes a new version");
        return true;
    }
    if (later < LATER_RECORDS_LEAST)
        return false;
    *out = scd_by_nature(column, reason);
    *reason = nv_printf(plan->ctx, "%s; %s", words, *reason);
    return true;
}

Nv__ScdType column_scd(const plan_t *plan, int t, const dsc_column_t *column, const char **reason)
{
    const plan_table_t *table = &plan->tables[t];
    Nv__ScdType scd = NV__SCD_TYPE__SCD_TYPE_2;
    if (plan_is_key(table, column->p->name)) {
        *reason = "business key";
        return NV__SCD_TYPE__SCD_TYPE_0;
    }
    if (table->version != NULL && strcmp(table->version, column->p->name) == 0) {
        *reason = "dates the version itself";
        return NV__SCD_TYPE__SCD_TYPE_1;
    }
    if (scd_as_observed(plan, table, column, &scd, reason))
        return scd;
    Nv__ScdType nature = scd_by_nature(column, reason);
    if (!table->history || nature == NV__SCD_TYPE__SCD_TYPE_0)
        return nature;
    *reason = "the source itself keeps several versions of one key";
    return NV__SCD_TYPE__SCD_TYPE_2;
}

bool column_is_event_date(const dsc_column_t *column)
{
    return column->kind == CLASS_DATE && column->p->type != NV__VALUE_TYPE__VALUE_TYPE_TIME &&
           column->filled > 0 && !says(column, LEXICON_BIRTH) && !says(column, LEXICON_LOADED) &&
           !column->loader;
}

bool column_dates_events(const dsc_column_t *column)
{
    return column->null_share <= 0.01;
}

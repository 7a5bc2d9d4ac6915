#include "worker/profiling/infer_class.h"

#include <string.h>

enum { MAX_FORMATS = 16 };

/* Which end of a numeric date comes first. */
static const uint32_t day_first_set = 1U << DATETIME_DMY_SLASH | 1U << DATETIME_DMY_DASH |
                                      1U << DATETIME_DMY_DOT | 1U << DATETIME_DMY2_SLASH |
                                      1U << DATETIME_DMY2_DASH | 1U << DATETIME_DMY2_DOT;
static const uint32_t month_first_set =
    1U << DATETIME_MDY_SLASH | 1U << DATETIME_MDY_DASH | 1U << DATETIME_MDY2_SLASH | 1U << DATETIME_MDY2_DASH;

/* One format of the column: a date format with time, gap and zone of `class`. */
typedef struct candidate {
    int date;
    datetime_class_t class;
    int64_t count;
} candidate_t;

/* The column's evidence as dates, each entry with a flag once a chosen format explains it. */
typedef struct dates {
    const evidence_t *evidence;
    bool *done;
    bool plain;
    int lean; /* > 0: day first where both fit */
} dates_t;

static bool as_date(const dates_t *dates, size_t i, datetime_class_t *class)
{
    const evidence_entry_t *e = &dates->evidence->slots[i];
    if (!e->count)
        return false;
    if (class_kind(e->class.key) == CLASS_DATETIME) {
        *class = class_datetime(e->class.key);
        return true;
    }
    if (dates->plain && class_kind(e->class.key) == CLASS_NUMBER &&
        class_number_flags(e->class.key) & NUMBER_YMD) {
        *class = (datetime_class_t){.dates = 1U << DATETIME_YMD_PLAIN};
        return true;
    }
    return false;
}

static bool same_time(const datetime_class_t *a, const datetime_class_t *b)
{
    return a->time == b->time && a->gap == b->gap && a->zone == b->zone;
}

static int64_t remaining(const dates_t *dates, int date, const datetime_class_t *like)
{
    int64_t sum = 0;
    datetime_class_t class;
    for (size_t i = 0; i < dates->evidence->n_slots; i++)
        if (!dates->done[i] && as_date(dates, i, &class) && same_time(&class, like) &&
            class.dates >> date & 1)
            sum += dates->evidence->slots[i].count;
    return sum;
}

/* Counts equal: the leaning decides, then the order of the formats. */
static bool better(const dates_t *dates, const candidate_t *a, const candidate_t *b)
{
    if (a->count != b->count)
        return a->count > b->count;
    uint32_t wanted = dates->lean > 0 ? day_first_set : month_first_set;
    return (wanted >> a->date & 1) > (wanted >> b->date & 1);
}

static candidate_t next_format(const dates_t *dates)
{
    candidate_t best = {.date = -1};
    datetime_class_t class;
    for (size_t i = 0; i < dates->evidence->n_slots; i++) {
        if (dates->done[i] || !as_date(dates, i, &class))
            continue;
        for (int date = 0; date < DATETIME_N_DATES; date++) {
            if (!(class.dates >> date & 1))
                continue;
            candidate_t candidate = {date, class, remaining(dates, date, &class)};
            if (best.date < 0 || better(dates, &candidate, &best))
                best = candidate;
        }
    }
    return best;
}

static void mark_done(dates_t *dates, const candidate_t *format)
{
    datetime_class_t class;
    for (size_t i = 0; i < dates->evidence->n_slots; i++)
        if (as_date(dates, i, &class) && same_time(&class, &format->class) && class.dates >> format->date & 1)
            dates->done[i] = true;
}

/* Values that only one of the two orders explains, over all separators and times. */
static void count_votes(const dates_t *dates, infer_result_t *out, int64_t *either)
{
    datetime_class_t class;
    for (size_t i = 0; i < dates->evidence->n_slots; i++) {
        if (!as_date(dates, i, &class))
            continue;
        bool day = class.dates & day_first_set & ~(1U << DATETIME_DMY_DOT | 1U << DATETIME_DMY2_DOT);
        bool month = class.dates & month_first_set;
        int64_t count = dates->evidence->slots[i].count;
        out->only_day_first += day && !month ? count : 0;
        out->only_month_first += month && !day ? count : 0;
        *either += day && month ? count : 0;
    }
}

static int lean_of(const infer_result_t *votes, const infer_hints_t *hints)
{
    if (votes->only_day_first != votes->only_month_first)
        return votes->only_day_first > votes->only_month_first ? 1 : -1;
    return hints->day_first;
}

static void explain(nv_mem_t *ctx, const dates_t *dates, const infer_hints_t *hints, int64_t either,
                    infer_result_t *out)
{
    const char *order = dates->lean > 0 ? "day first" : "month first";
    if (out->only_day_first && out->only_month_first)
        out->warning = nv_printf(
            ctx,
            "day and month are mixed: %lld values are only right with the day first, %lld only "
            "with the month first; the %lld that could be either are read %s",
            (long long)out->only_day_first, (long long)out->only_month_first, (long long)either, order);
    else if (either && !out->only_day_first && !out->only_month_first) {
        out->ambiguous_dates = true;
        out->warning = nv_printf(ctx, "day and month cannot be told apart in any of %lld values; read %s%s",
                                 (long long)either, order,
                                 hints->day_first ? ", as the table's other dates say" : " by default");
    }
}

void infer_datetime(nv_mem_t *ctx, const evidence_t *evidence, const infer_hints_t *hints, bool plain,
                    infer_result_t *out)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("date inference");
    dates_t dates = {
        .evidence = evidence, .done = NV_NEW_ARRAY(scratch, bool, evidence->n_slots + 1), .plain = plain};
    int64_t either = 0;
    int64_t zoned[2] = {0}; /* values without and with a time zone */
    count_votes(&dates, out, &either);
    dates.lean = lean_of(out, hints);
    out->type = NV__VALUE_TYPE__VALUE_TYPE_DATE;
    for (int i = 0; i < MAX_FORMATS; i++) {
        candidate_t format = next_format(&dates);
        if (format.date < 0)
            break;
        char text[DATETIME_FORMAT_MAX];
        datetime_format(format.date, &format.class, text);
        infer_add_string(ctx, &out->rule->datetime_formats, &out->rule->n_datetime_formats, text);
        infer_add_format(ctx, out, text, format.count);
        if (format.class.time)
            out->type = NV__VALUE_TYPE__VALUE_TYPE_TIMESTAMP;
        zoned[format.class.zone != 0] += format.count;
        mark_done(&dates, &format);
    }
    explain(ctx, &dates, hints, either, out);
    if (zoned[0] && zoned[1] && !out->warning)
        out->warning =
            nv_printf(ctx, "%lld values name no time zone beside %lld that do; they are read as UTC",
                      (long long)zoned[0], (long long)zoned[1]);
}

void infer_time(nv_mem_t *ctx, const evidence_t *evidence, infer_result_t *out)
{
    out->type = NV__VALUE_TYPE__VALUE_TYPE_TIME;
    for (size_t i = 0; i < evidence->n_slots; i++) {
        const evidence_entry_t *e = &evidence->slots[i];
        if (!e->count || class_kind(e->class.key) != CLASS_TIME)
            continue;
        datetime_class_t class = class_datetime(e->class.key);
        char text[DATETIME_FORMAT_MAX];
        datetime_format(-1, &class, text);
        infer_add_string(ctx, &out->rule->datetime_formats, &out->rule->n_datetime_formats, text);
        infer_add_format(ctx, out, text, e->count);
    }
}

#include "worker/codegen/transform.h"

#include <string.h>

static const struct {
    const char *name;
    const char *expression;
} attributes[] = {
    {"date_key", "F.date_format(\"d.day\", \"yyyyMMdd\")"},
    {"date", "F.col(\"d.day\")"},
    {"full_date", "F.col(\"d.day\")"},
    {"year", "F.year(\"d.day\")"},
    {"half", "F.ceil(F.month(\"d.day\") / 6)"},
    {"half_year", "F.ceil(F.month(\"d.day\") / 6)"},
    {"quarter", "F.quarter(\"d.day\")"},
    {"quarter_name", "F.concat(F.lit(\"Q\"), F.quarter(\"d.day\"))"},
    {"year_quarter", "F.concat(F.year(\"d.day\"), F.lit(\"-Q\"), F.quarter(\"d.day\"))"},
    {"month", "F.month(\"d.day\")"},
    {"month_name", "F.date_format(\"d.day\", \"MMMM\")"},
    {"month_short", "F.date_format(\"d.day\", \"MMM\")"},
    {"year_month", "F.date_format(\"d.day\", \"yyyy-MM\")"},
    {"month_start", "F.trunc(\"d.day\", \"month\")"},
    {"month_end", "F.last_day(\"d.day\")"},
    {"week", "F.weekofyear(\"d.day\")"},
    {"week_of_year", "F.weekofyear(\"d.day\")"},
    {"iso_week", "F.weekofyear(\"d.day\")"},
    {"iso_year", "F.extract(F.lit(\"YEAROFWEEK\"), F.col(\"d.day\"))"},
    {"week_start", "F.trunc(\"d.day\", \"week\")"},
    {"day", "F.dayofmonth(\"d.day\")"},
    {"day_of_month", "F.dayofmonth(\"d.day\")"},
    {"day_of_year", "F.dayofyear(\"d.day\")"},
    {"day_of_week", "F.weekday(\"d.day\") + 1"},
    {"day_name", "F.date_format(\"d.day\", \"EEEE\")"},
    {"day_short", "F.date_format(\"d.day\", \"EEE\")"},
    {"is_weekend", "F.weekday(\"d.day\") >= 5"},
    {"is_month_start", "F.dayofmonth(\"d.day\") == 1"},
    {"is_month_end", "F.last_day(\"d.day\") == F.col(\"d.day\")"},
};

const char *calendar_expression(const char *name)
{
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++)
        if (strcmp(attributes[i].name, name) == 0)
            return attributes[i].expression;
    return NULL;
}

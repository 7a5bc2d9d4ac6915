/* Any lines as the values of a column: a type is found, every value is null, read or invalid, and the canonical text of
 * what was read reads back as the same value. */
#include <stdlib.h>
#include <string.h>

#include "worker/profiling/infer.h"
#include "worker/profiling/parse_sql.h"
#include "worker/profiling/parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

typedef void (*line_fn)(void *arg, const char *text, size_t length);

static void each_line(const uint8_t *data, size_t size, line_fn fn, void *arg)
{
    const char *at = (const char *)data;
    const char *end = at + size;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        const char *text = at;
        size_t length = (size_t)(stop - at);
        text_trim(&text, &length);
        if (length)
            fn(arg, text, length);
        at = stop + 1;
    }
}

static void add_value(void *arg, const char *text, size_t length)
{
    value_class_t class = value_classify(text, length);
    check(class.key != 0);
    evidence_add(arg, &class, 1);
}

/* The rule that reads canonical text. */
static parser_t canonical_parser(nv_mem_t *ctx, const parser_t *parser)
{
    const char *const *formats[] = {
        (const char *const[]){"%Y-%m-%d", NULL},
        (const char *const[]){"%H:%M:%S", "%H:%M:%S.%f", NULL},
        (const char *const[]){"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", NULL},
    };
    Nv__ParseRule *rule = NV_NEW(ctx, Nv__ParseRule);
    nv__parse_rule__init(rule);
    bool date = parser->type == NV__VALUE_TYPE__VALUE_TYPE_DATE;
    bool time = parser->type == NV__VALUE_TYPE__VALUE_TYPE_TIME;
    const char *const *wanted = formats[date ? 0 : time ? 1 : 2];
    rule->datetime_formats = NV_NEW_ARRAY(ctx, char *, 2);
    for (; *wanted; wanted++)
        rule->datetime_formats[rule->n_datetime_formats++] = nv_strdup(ctx, *wanted);
    rule->true_spellings = NV_NEW_ARRAY(ctx, char *, 1);
    rule->true_spellings[rule->n_true_spellings++] = nv_strdup(ctx, "true");
    rule->false_spellings = NV_NEW_ARRAY(ctx, char *, 1);
    rule->false_spellings[rule->n_false_spellings++] = nv_strdup(ctx, "false");
    return parser_make(parser->type, parser->precision, parser->scale, rule);
}

static void check_value(void *arg, const char *text, size_t length)
{
    const parser_t *parser = arg;
    parsed_t value;
    if (parser_parse(parser, text, length, &value) != PARSE_OK ||
        parser->type == NV__VALUE_TYPE__VALUE_TYPE_STRING)
        return;
    char canonical[PARSED_TEXT_MAX];
    size_t n = parser_text(parser, &value, canonical);
    check(n > 0 && n < sizeof canonical && canonical[n] == '\0');
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("value");
    parser_t again = canonical_parser(ctx, parser);
    parsed_t second;
    /* a zone may shift a moment out of the years that canonical text can hold */
    bool edge = strncmp(canonical, "0000", 4) == 0 || strlen(canonical) < 4;
    if (parser->type == NV__VALUE_TYPE__VALUE_TYPE_TIMESTAMP && edge)
        return;
    if (parser_parse(&again, canonical, n, &second) != PARSE_OK)
        abort();
    check(parsed_compare(parser, &value, &second) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1 << 14)
        return 0;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("fuzz");
    evidence_t evidence = {.ctx = ctx};
    each_line(data, size, add_value, &evidence);
    infer_result_t result;
    infer_decide(ctx, &evidence, &(infer_hints_t){.name = "order_date"}, &result);
    check(result.rule && result.type >= NV__VALUE_TYPE__VALUE_TYPE_STRING);
    check(result.precision <= 38 && result.scale <= result.precision);
    parser_t parser = parser_make(result.type, result.precision, result.scale, result.rule);
    each_line(data, size, check_value, &parser);
    Nv__ColumnProfile column = NV__COLUMN_PROFILE__INIT;
    column.type = result.type;
    column.precision = result.precision;
    column.scale = result.scale;
    column.parse = result.rule;
    check(parse_rule_sql(ctx, SQL_DUCKDB, &column, "raw")[0] &&
          parse_invalid_sql(ctx, SQL_SPARK, &column, "raw")[0]);
    return 0;
}

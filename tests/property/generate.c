/* Schemas: dimensions with surrogate, coded or self-referring keys, their histories and extensions, headers with lines, role-played
 * references, bridges. Dirt: doubled and superseded rows, orphans, nulls, mixed dates, currency, padding, unreadable values. */
#include "tests/property/case.h"

#include <stdio.h>
#include <string.h>

typedef enum value_kind { KEY, TEXT, WORD, DAY, AMOUNT, COUNT, REFERENCE } value_kind_t;

typedef struct column_plan {
    value_kind_t kind;
    const char *name;
    struct table_plan *to; /* REFERENCE */
    int style;             /* of days and amounts */
} column_plan_t;

typedef struct table_plan {
    case_table_t *out;
    column_plan_t columns[12];
    size_t n_columns;
    int rows;    /* of the first batch */
    int offset;  /* of the keys */
    bool coded;  /* keys are "CU-0001", not numbers */
    double dirt; /* share of cells and rows that are touched */
    const char *entity;
} table_plan_t;

typedef struct maker {
    nv_mem_t *ctx;
    dice_t dice;
    source_case_t *out;
    table_plan_t *dims[3];
    int n_dims;
} maker_t;

uint64_t dice_next(dice_t *dice)
{
    uint64_t z = (dice->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int dice_below(dice_t *dice, int n)
{
    return (int)(dice_next(dice) % (uint64_t)n);
}

bool dice_chance(dice_t *dice, double share)
{
    return (double)(dice_next(dice) >> 11) / 9007199254740992.0 < share;
}

static const char *const entities[] = {"customer", "product", "store", "supplier", "campaign", "vehicle"};
static const char *const words[] = {"amber", "basalt", "cedar",  "delta",
                                    "ember", "fjord",  "garnet", "harbor"};

/* ---- values ---- */

static cell_t key_cell(maker_t *m, const table_plan_t *table, int i)
{
    const char *text = table->coded ? nv_printf(m->ctx, "%c%c-%04d", table->entity[0] - 32,
                                                table->entity[1] - 32, table->offset + i)
                                    : nv_printf(m->ctx, "%d", table->offset + i);
    return (cell_t){.raw = text, .means = text};
}

static cell_t day_cell(maker_t *m, int style, int day)
{
    int year = 2024 + day / 336, month = day / 28 % 12 + 1, dom = day % 28 + 1;
    const char *iso = nv_printf(m->ctx, "%04d-%02d-%02d", year, month, dom);
    bool other = style == 1 && dice_chance(&m->dice, 0.3);
    return (cell_t){.raw = other ? nv_printf(m->ctx, "%02d.%02d.%04d", dom, month, year) : iso, .means = iso};
}

static cell_t amount_cell(maker_t *m, int style)
{
    int cents = 1 + dice_below(&m->dice, dice_chance(&m->dice, 0.1) ? 500000 : 20000);
    int whole = cents / 100, rest = cents % 100;
    bool negative = cents % 7 == 0; /* in each style its own way: a sign, a minus behind, parentheses */
    const char *means = nv_printf(m->ctx, "%s%d.%02d", negative ? "-" : "", whole, rest);
    if (style == 0)
        return (cell_t){.raw = means, .means = means};
    char sep = style == 1 ? '.' : ',', point = style == 1 ? ',' : '.';
    const char *grouped = whole >= 1000 ? nv_printf(m->ctx, "%d%c%03d", whole / 1000, sep, whole % 1000)
                                        : nv_printf(m->ctx, "%d", whole);
    const char *raw = nv_printf(m->ctx, "%s%c%02d", grouped, point, rest);
    if (style == 1)
        raw = nv_printf(m->ctx, negative ? "%s-" : "%s €", raw);
    else
        raw = nv_printf(m->ctx, negative ? "$(%s)" : "$%s", raw);
    return (cell_t){.raw = raw, .means = means};
}

static cell_t text_cell(maker_t *m, int i)
{
    const char *text =
        nv_printf(m->ctx, "%s %s %d", words[dice_below(&m->dice, 8)], words[dice_below(&m->dice, 8)], i);
    bool padded = dice_chance(&m->dice, 0.05);
    return (cell_t){.raw = padded ? nv_printf(m->ctx, "  %s ", text) : text, .means = text};
}

static cell_t plain(const char *text)
{
    return (cell_t){.raw = text, .means = text};
}

static cell_t reference_cell(maker_t *m, const table_plan_t *from, const column_plan_t *column)
{
    const table_plan_t *to = column->to;
    if (dice_chance(&m->dice, from->dirt / 2))
        return (cell_t){.raw = dice_chance(&m->dice, 0.5) ? "" : "N/A"};
    if (dice_chance(&m->dice, from->dirt / 2))
        return key_cell(m, to, to->rows + 5000 + dice_below(&m->dice, 5));
    return key_cell(m, to, dice_below(&m->dice, to->rows));
}

static cell_t make_cell(maker_t *m, const table_plan_t *table, const column_plan_t *column, int i)
{
    bool spoil = dice_chance(&m->dice, table->dirt / 4);
    switch (column->kind) {
    case KEY:
        return key_cell(m, table, i);
    case DAY:
        return spoil ? (cell_t){.raw = "2024-02-31", .bad = true}
                     : day_cell(m, column->style, dice_below(&m->dice, 400));
    case AMOUNT:
        return spoil ? (cell_t){.raw = "free", .bad = true} : amount_cell(m, column->style);
    case COUNT:
        return plain(nv_printf(m->ctx, "%d", 1 + dice_below(&m->dice, 9)));
    case WORD:
        return spoil ? (cell_t){.raw = "N/A"} : plain(words[dice_below(&m->dice, 4)]);
    case REFERENCE:
        return reference_cell(m, table, column);
    default:
        return text_cell(m, i);
    }
}

/* ---- tables ---- */

static void add_column(table_plan_t *table, value_kind_t kind, const char *name, table_plan_t *to, int style)
{
    table->columns[table->n_columns++] =
        (column_plan_t){.kind = kind, .name = name, .to = to, .style = style};
}

static table_plan_t *add_table(maker_t *m, const char *name, int rows)
{
    table_plan_t *table = NV_NEW(m->ctx, table_plan_t);
    table->rows = rows;
    table->offset = 1;
    table->dirt = dice_chance(&m->dice, 0.6) ? 0.06 : 0;
    table->out = NV_NEW(m->ctx, case_table_t);
    table->out->name = name;
    table->out->parts = dice_chance(&m->dice, 0.2) ? 2 : 1;
    table->entity = name;
    NV_PUSH(m->ctx, m->out->tables, m->out->n_tables, m->out->cap_tables) = table->out;
    return table;
}

static void name_columns(maker_t *m, table_plan_t *table)
{
    table->out->n_columns = table->n_columns;
    table->out->columns = NV_NEW_ARRAY(m->ctx, const char *, table->n_columns);
    for (size_t c = 0; c < table->n_columns; c++)
        table->out->columns[c] = table->columns[c].name;
}

static case_row_t *add_row(maker_t *m, table_plan_t *table, int batch)
{
    case_table_t *out = table->out;
    case_row_t row = {.cells = NV_NEW_ARRAY(m->ctx, cell_t, table->n_columns),
                      .batch = batch,
                      .file = batch == 2        ? 0
                              : out->n_rows < 2 ? (int)out->n_rows % out->parts
                                                : dice_below(&m->dice, out->parts)};
    NV_PUSH(m->ctx, out->rows, out->n_rows, out->cap_rows) = row;
    return &out->rows[out->n_rows - 1];
}

static case_row_t *fill_row(maker_t *m, table_plan_t *table, int batch, int i)
{
    case_row_t *row = add_row(m, table, batch);
    for (size_t c = 0; c < table->n_columns; c++)
        row->cells[c] = make_cell(m, table, &table->columns[c], i);
    return row;
}

/* Another row of the same key, new in everything else. */
static void supersede(maker_t *m, table_plan_t *table, int batch, size_t key_columns)
{
    cell_t *old = table->out->rows[(size_t)dice_below(&m->dice, (int)table->out->n_rows)].cells;
    case_row_t *row = fill_row(m, table, batch, 1 + dice_below(&m->dice, 1000));
    for (size_t c = 0; c < key_columns; c++)
        row->cells[c] = old[c];
}

static void repeat(maker_t *m, table_plan_t *table, int batch)
{
    size_t n = table->out->n_rows;
    case_row_t *row = add_row(m, table, batch);
    memcpy(row->cells, table->out->rows[(size_t)dice_below(&m->dice, (int)n)].cells,
           table->n_columns * sizeof(cell_t));
}

/* Day 1, its dirt, and what day 2 brings: new rows, changed ones, old ones again. */
static void fill_keyed(maker_t *m, table_plan_t *table, size_t key_columns)
{
    int changes = table->rows / 8 + 1;
    name_columns(m, table);
    for (int i = 0; i < table->rows; i++)
        fill_row(m, table, 1, i);
    for (int i = 0; table->dirt > 0 && i < table->rows / 15; i++)
        repeat(m, table, 1);
    if (table->dirt > 0 && dice_chance(&m->dice, 0.3)) {
        table->out->conflicts = true;
        supersede(m, table, 1, key_columns);
    }
    if (dice_chance(&m->dice, 0.3))
        return; /* day 2 brings no file of this table */
    for (int i = 0; i < changes; i++)
        fill_row(m, table, 2, table->rows + i);
    for (int i = 0; i < changes; i++)
        supersede(m, table, 2, key_columns);
    repeat(m, table, 2);
}

static table_plan_t *add_dimension(maker_t *m, const char *entity)
{
    table_plan_t *table = add_table(m, nv_printf(m->ctx, "%ss", entity), 8 + dice_below(&m->dice, 25));
    table->entity = entity;
    table->coded = dice_chance(&m->dice, 0.3);
    table->offset = dice_chance(&m->dice, 0.5) ? 1 : 1000 * (1 + dice_below(&m->dice, 5));
    add_column(table, KEY, nv_printf(m->ctx, "%s_%s", entity, table->coded ? "code" : "id"), NULL, 0);
    add_column(table, TEXT, nv_printf(m->ctx, "%s_name", entity), NULL, 0);
    add_column(table, WORD, "segment", NULL, 0);
    if (dice_chance(&m->dice, 0.4))
        add_column(table, DAY, "created_on", NULL, dice_below(&m->dice, 2));
    if (dice_chance(&m->dice, 0.3))
        add_column(table, AMOUNT, "list_price", NULL, dice_below(&m->dice, 3));
    if (dice_chance(&m->dice, 0.2))
        add_column(table, REFERENCE, nv_printf(m->ctx, "parent_%s", table->columns[0].name), table, 0);
    fill_keyed(m, table, 1);
    return table;
}

/* A version per change: key and start of validity identify a row. */
static void add_history(maker_t *m, table_plan_t *of)
{
    table_plan_t *table = add_table(m, nv_printf(m->ctx, "%s_addresses", of->entity), 0);
    table->dirt = 0;
    add_column(table, REFERENCE, of->columns[0].name, of, 0);
    add_column(table, DAY, "valid_from", NULL, 0);
    add_column(table, WORD, "city", NULL, 0);
    add_column(table, TEXT, "street", NULL, 0);
    name_columns(m, table);
    for (int i = 0; i < of->rows; i++) {
        int day = dice_below(&m->dice, 60), versions = 1 + dice_below(&m->dice, 3);
        for (int v = 0; v < versions; v++, day += 1 + dice_below(&m->dice, 90)) {
            case_row_t *row = add_row(m, table, v == 2 ? 2 : 1);
            row->cells[0] = key_cell(m, of, i);
            row->cells[1] = day_cell(m, 0, day);
            row->cells[2] = plain(words[dice_below(&m->dice, 5)]);
            row->cells[3] = text_cell(m, i);
        }
    }
}

/* One to one with a part of the dimension. */
static void add_extension(maker_t *m, table_plan_t *of)
{
    table_plan_t *table = add_table(m, nv_printf(m->ctx, "%s_details", of->entity), 0);
    table->dirt = 0;
    add_column(table, REFERENCE, of->columns[0].name, of, 0);
    add_column(table, TEXT, "remark", NULL, 0);
    add_column(table, COUNT, "rating", NULL, 0);
    name_columns(m, table);
    for (int i = 0; i < of->rows; i += 1 + dice_chance(&m->dice, 0.2)) {
        case_row_t *row = fill_row(m, table, 1, i);
        row->cells[0] = key_cell(m, of, i);
    }
}

static void add_bridge(maker_t *m)
{
    table_plan_t *a = m->dims[0], *b = m->dims[1];
    table_plan_t *table = add_table(m, nv_printf(m->ctx, "%s_%s", a->entity, b->entity), 0);
    table->dirt = 0;
    add_column(table, REFERENCE, a->columns[0].name, a, 0);
    add_column(table, REFERENCE, b->columns[0].name, b, 0);
    name_columns(m, table);
    for (int i = 0; i < a->rows; i++)
        for (int k = 0; k < b->rows; k++)
            if (dice_chance(&m->dice, 0.15)) {
                case_row_t *row = add_row(m, table, dice_chance(&m->dice, 0.1) ? 2 : 1);
                row->cells[0] = key_cell(m, a, i);
                row->cells[1] = key_cell(m, b, k);
            }
}

static table_plan_t *add_fact(maker_t *m)
{
    table_plan_t *table = add_table(m, "orders", 40 + dice_below(&m->dice, 110));
    table->entity = "order";
    table->offset = 70001;
    add_column(table, KEY, "order_id", NULL, 0);
    for (int i = 0; i < m->n_dims && i < 2; i++)
        add_column(table, REFERENCE, m->dims[i]->columns[0].name, m->dims[i], 0);
    if (dice_chance(&m->dice, 0.25))
        add_column(table, REFERENCE, nv_printf(m->ctx, "billing_%s", m->dims[0]->columns[0].name), m->dims[0],
                   0);
    add_column(table, DAY, "order_date", NULL, dice_below(&m->dice, 2));
    if (dice_chance(&m->dice, 0.3))
        add_column(table, DAY, "shipped_on", NULL, 0);
    add_column(table, WORD, "status", NULL, 0);
    add_column(table, AMOUNT, "order_total", NULL, dice_below(&m->dice, 3));
    fill_keyed(m, table, 1);
    return table;
}

static void add_lines(maker_t *m, table_plan_t *header)
{
    table_plan_t *product = m->dims[m->n_dims - 1];
    table_plan_t *table = add_table(m, "order_lines", 0);
    table->entity = "line";
    add_column(table, REFERENCE, "order_id", header, 0);
    add_column(table, COUNT, "line_no", NULL, 0);
    add_column(table, REFERENCE, product->columns[0].name, product, 0);
    add_column(table, COUNT, "quantity", NULL, 0);
    add_column(table, AMOUNT, "line_amount", NULL, dice_below(&m->dice, 3));
    name_columns(m, table);
    for (int i = 0; i < header->rows; i++)
        for (int line = 1, n = 1 + dice_below(&m->dice, 3); line <= n; line++) {
            case_row_t *row = fill_row(m, table, i % 11 == 10 ? 2 : 1, i);
            row->cells[0] = key_cell(m, header, i);
            row->cells[1] = plain(nv_printf(m->ctx, "%d", line));
        }
    for (int i = 0; table->dirt > 0 && i < 4; i++)
        repeat(m, table, 1);
}

/* What a table's files are, and how the second day's header differs. Thrown with dice of their own: what a case holds stays what it
 * was before files could differ. */
static void dress(nv_mem_t *ctx, case_table_t *table, dice_t *dice)
{
    table->json = dice_chance(dice, 0.2);
    table->packing = dice_chance(dice, 0.3) ? (case_packing_t)(1 + dice_below(dice, 2)) : CASE_PLAIN;
    table->added = dice_chance(dice, 0.25) ? "loaded_by" : NULL;
    if (!dice_chance(dice, 0.4))
        return;
    table->later = NV_NEW_ARRAY(ctx, size_t, table->n_columns);
    for (size_t i = 0; i < table->n_columns; i++) {
        size_t k = (size_t)dice_below(dice, (int)i + 1); /* Fisher, Yates, inside out */
        table->later[i] = table->later[k];
        table->later[k] = i;
    }
}

source_case_t *case_generate(nv_mem_t *ctx, uint64_t seed)
{
    maker_t m = {
        .ctx = ctx, .dice = {.state = seed * 0x2545f4914f6cdd1du + 1}, .out = NV_NEW(ctx, source_case_t)};
    m.out->seed = seed;
    int wanted = 1 + dice_below(&m.dice, 3), first = dice_below(&m.dice, 6);
    while (m.n_dims < wanted) {
        m.dims[m.n_dims] = add_dimension(&m, entities[(first + m.n_dims) % 6]);
        m.n_dims++;
    }
    if (dice_chance(&m.dice, 0.3))
        add_history(&m, m.dims[0]);
    if (dice_chance(&m.dice, 0.2))
        add_extension(&m, m.dims[0]);
    if (m.n_dims > 1 && dice_chance(&m.dice, 0.3))
        add_bridge(&m);
    table_plan_t *orders = add_fact(&m);
    if (dice_chance(&m.dice, 0.5))
        add_lines(&m, orders);
    dice_t dice = {.state = seed ^ 0x6a09e667f3bcc908u};
    for (size_t i = 0; i < m.out->n_tables; i++)
        dress(ctx, m.out->tables[i], &dice);
    return m.out;
}

#include "format_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "duck.h"

static const char *const orders =
    "i AS order_id, 'C' || lpad(CAST(i * 7 % 311 AS VARCHAR), 4, '0') AS customer, "
    "DATE '2024-01-01' + CAST(i % 400 AS INTEGER) AS day, CAST(i * 37 % 9999 AS DECIMAL(10,2)) / 4 AS "
    "amount, "
    "i % 3 = 0 AS paid, CASE WHEN i % 11 = 0 THEN NULL ELSE 'note ' || (i % 50) END AS note";

/* Nested values, moments with and without a time zone, big numbers, quotes and names with all kinds of characters. */
static const char *const odd =
    "SELECT i AS id, {'a': i, 'b': 'x \"' || i} AS nested, [i, i + 1] AS list, "
    "CAST('2024-03-01 10:00:00' AS TIMESTAMP) + to_minutes(CAST(i AS INTEGER)) AS at, "
    "CAST('2024-03-01 10:00:00.5+02' AS TIMESTAMPTZ) + to_minutes(CAST(i AS INTEGER)) AS at_zone, "
    "i * 9007199254740993 AS big, i * CAST('12345678901234567890.123' AS DECIMAL(35,3)) AS wide, "
    "i / 8 AS eighths, 'it''s' || chr(9) || '\\ü' AS \"we ird`name\" FROM range(300) t(i)";

typedef struct writer {
    nv_mem_t *ctx;
    const char *folder;
    pushdown_engine_t duck;
} writer_t;

static void run(const writer_t *w, const char *sql)
{
    nv_error_t err = NV_ERROR_INIT;
    pushdown_rows_t rows;
    if (!w->duck.query(w->duck.arg, w->ctx, sql, &rows, &err))
        fail_msg("%s", err.message);
}

static void write_as(const writer_t *w, const char *select, const char *file, const char *options)
{
    run(w, nv_printf(w->ctx, "COPY (%s) TO '%s/%s' (%s)", select, w->folder, file, options));
}

static void write_text(const writer_t *w, const char *file, const char *text)
{
    FILE *out = fopen(nv_printf(w->ctx, "%s/%s", w->folder, file), "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

static char *range(nv_mem_t *ctx, int from, int to)
{
    return nv_printf(ctx, "SELECT %s FROM range(%d, %d) t(i)", orders, from, to);
}

void format_files_write(nv_mem_t *ctx, const char *folder)
{
    writer_t w = {ctx, folder, duck_engine(ctx)};
    run(&w, "SET TimeZone = 'UTC'");
    write_as(&w, range(ctx, 0, 5000), "plain.csv.gz", "FORMAT csv, HEADER, COMPRESSION gzip");
    write_as(&w, range(ctx, 0, 5000), "squeezed.csv.zst",
             "FORMAT csv, HEADER, DELIMITER ';', COMPRESSION zstd");
    write_as(&w, range(ctx, 0, 3000), "lines.jsonl", "FORMAT json");
    write_as(&w, range(ctx, 0, 3000), "lines_packed.jsonl.gz", "FORMAT json, COMPRESSION gzip");
    write_as(&w, range(ctx, 0, 3000), "lines_tight.ndjson.zst", "FORMAT json, COMPRESSION zstd");
    write_as(&w, range(ctx, 0, 2500), "sales_2024.parquet", "FORMAT parquet");
    write_as(&w, range(ctx, 2500, 5000), "sales_2025.parquet", "FORMAT parquet");
    write_as(&w, odd, "odd.parquet", "FORMAT parquet");
    write_text(&w, "dirty.jsonl",
               "{\"id\": 1, \"name\": \"a\"}\n"
               "no object\n"
               "\n"
               "{\"id\": 2, \"late\": {\"x\": [1, 2]}, \"name\": null}\r\n"
               "{\"id\": 2, \"late\": {\"x\": [1, 2]}, \"name\": null}\n"
               "[1, 2]\n"
               "{\"name\": \" padded \", \"id\": 3, \"flag\": true, \"ID\": 9}\n");
}

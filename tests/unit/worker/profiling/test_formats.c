/* The same table as CSV, packed CSV, JSON lines and Parquet has the same profile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>
#include <zlib.h>
#include <zstd.h>

#include "common/contract/codec.h"
#include "support.h"

enum { ROWS = 5000 };

/* ---- writing the formats ---- */

static const char *make_csv(nv_mem_t *ctx)
{
    static const char *const names[] = {"Ann \"A\" Lee", "José, jr.", "O'Neil", "N/A", "Zoë\nNew"};
    char *out = nv_alloc(ctx, ROWS * 160);
    char *at = out + sprintf(out, "id,customer_code,name,amount,ordered_at,due,active,score,note\n");
    for (int i = 0; i < ROWS; i++) {
        const char *name = names[i % 5];
        at += sprintf(at, "%d,%06d,\"", i + 1, i * 7 % 1000);
        for (; *name; name++)
            at += sprintf(at, *name == '"' ? "\"\"" : "%c", *name);
        at += sprintf(at, "\",$%d.%02d,2024-%02d-%02d %02d:30:00,%02d/%02d/2024,%s,", i % 900, i % 100,
                      1 + i % 12, 1 + i % 28, i % 24, 1 + i % 12, 1 + i % 28, i % 3 ? "yes" : "no");
        at += i % 10 ? sprintf(at, "%d.%03d,", i % 50, i % 1000) : sprintf(at, ",");
        at += sprintf(at, "text %d\n", i);
    }
    return out;
}

static const char *pack_gzip(nv_mem_t *ctx, const char *folder, const char *name, const char *text,
                             size_t length)
{
    char *path = nv_printf(ctx, "%s/%s", folder, name);
    gzFile file = gzopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, text, (unsigned)length), length);
    assert_int_equal(gzclose(file), Z_OK);
    return path;
}

static const char *pack_zstd(nv_mem_t *ctx, const char *folder, const char *name, const char *text,
                             size_t length)
{
    size_t room = ZSTD_compressBound(length);
    char *packed = nv_alloc(ctx, room);
    size_t n = ZSTD_compress(packed, room, text, length, 3);
    assert_false(ZSTD_isError(n));
    return support_write(ctx, folder, name, packed, n);
}

/* The CSV's texts as another format, by DuckDB. */
static void convert(nv_mem_t *ctx, const char *csv, const char *to, const char *columns, const char *options)
{
    (void)support_query(
        ctx,
        nv_printf(ctx, "COPY (SELECT %s FROM read_csv('%s', all_varchar = true, header = true)) TO '%s' (%s)",
                  columns, csv, to, options));
}

/* ---- comparing ---- */

/* A profile as text, without what a format must differ in. */
static const char *stripped(nv_mem_t *ctx, Nv__TableProfile *table)
{
    table->seconds = 0;
    table->n_files = 0;
    table->dialect = NULL;
    char *text;
    nv_error_t err = NV_ERROR_INIT;
    if (!nv_json_encode(ctx, &table->base, 0, &text, NULL, &err))
        fail_msg("%s", err.message);
    return text;
}

static void expect_same(nv_mem_t *ctx, const char *wanted, const char *folder, const char *format,
                        const char *compression)
{
    Nv__TableProfile *table = support_profile(ctx, folder, NULL);
    assert_string_equal(table->dialect->format, format);
    assert_string_equal(table->dialect->compression, compression);
    assert_int_equal(table->n_files, 1);
    assert_int_equal(strlen(table->files[0]->sha256), 64);
    support_agrees(table);
    const char *text = stripped(ctx, table);
    if (strcmp(text, wanted) == 0)
        return;
    size_t at = 0;
    while (text[at] == wanted[at])
        at++;
    size_t from = at > 200 ? at - 200 : 0;
    fail_msg("%s %s differs:\n%.400s\nfrom\n%.400s", format, compression, text + from, wanted + from);
}

static void test_one_table_in_all_formats(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    const char *text = make_csv(ctx);
    const char *csv_folder = support_folder(ctx);
    const char *csv = support_text(ctx, csv_folder, "t.csv", text);
    Nv__TableProfile *table = support_profile(ctx, csv_folder, NULL);
    assert_int_equal(table->row_count, ROWS);
    const char *wanted = stripped(ctx, table);

    const char *folder = support_folder(ctx);
    pack_gzip(ctx, folder, "t.csv.gz", text, strlen(text));
    expect_same(ctx, wanted, folder, "csv", "gzip");
    folder = support_folder(ctx);
    pack_zstd(ctx, folder, "t.csv.zst", text, strlen(text));
    expect_same(ctx, wanted, folder, "csv", "zstd");
    folder = support_folder(ctx);
    convert(ctx, csv, nv_printf(ctx, "%s/t.parquet", folder), "*", "FORMAT parquet");
    expect_same(ctx, wanted, folder, "parquet", "");
    folder = support_folder(ctx);
    convert(ctx, csv, nv_printf(ctx, "%s/t.jsonl", folder), "*", "FORMAT json");
    expect_same(ctx, wanted, folder, "jsonl", "");
    folder = support_folder(ctx);
    convert(ctx, csv, nv_printf(ctx, "%s/t.ndjson.gz", folder), "*", "FORMAT json, COMPRESSION gzip");
    expect_same(ctx, wanted, folder, "jsonl", "gzip");
    folder = support_folder(ctx);
    convert(ctx, csv, nv_printf(ctx, "%s/t.jsonl.zst", folder), "*", "FORMAT json, COMPRESSION zstd");
    expect_same(ctx, wanted, folder, "jsonl", "zstd");
}

/* With types of their own the values still are the same; only what says how they were written may differ. */
static void test_typed_columns(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    const char *folder = support_folder(ctx);
    (void)support_query(
        ctx,
        nv_printf(ctx,
                  "COPY (SELECT i AS id, i * 1.25::DECIMAL(12,2) AS amount, i / 7.0::DOUBLE AS ratio, "
                  "DATE '2024-01-01' + i::INT AS day, TIMESTAMP '2024-01-01 10:00:00' + to_minutes(i) AS at, "
                  "TIMESTAMPTZ '2024-01-01 10:00:00+02' AS moment, i %% 2 = 0 AS even, [i, i + 1] AS pair, "
                  "{'a': i} AS record, "
                  "CASE WHEN i %% 3 = 0 THEN NULL ELSE 'x' || i END AS maybe, TIME '10:00:00' AS clock "
                  "FROM range(3000) r(i)) TO '%s/t.parquet' (FORMAT parquet)",
                  folder));
    Nv__TableProfile *table = support_profile(ctx, folder, NULL);
    assert_int_equal(table->row_count, 3000);
    assert_int_equal(support_column(table, "id")->type, NV__VALUE_TYPE__VALUE_TYPE_INT64);
    assert_int_equal(support_column(table, "amount")->type, NV__VALUE_TYPE__VALUE_TYPE_DECIMAL);
    assert_int_equal(support_column(table, "day")->type, NV__VALUE_TYPE__VALUE_TYPE_DATE);
    assert_int_equal(support_column(table, "at")->type, NV__VALUE_TYPE__VALUE_TYPE_TIMESTAMP);
    assert_string_equal(support_column(table, "moment")->min, "2024-01-01T08:00:00");
    assert_int_equal(support_column(table, "even")->type, NV__VALUE_TYPE__VALUE_TYPE_BOOLEAN);
    assert_string_equal(support_column(table, "pair")->max, "[999,1000]");
    assert_string_equal(support_column(table, "record")->min, "{\"a\":0}");
    assert_int_equal(support_column(table, "maybe")->null_count, 1000);
    assert_int_equal(table->n_warnings, 2);
    assert_string_equal(table->warnings[0], "pair holds nested values, which are kept as JSON text");
    support_agrees(table);
}

/* ---- JSON lines ---- */

static Nv__TableProfile *profile_json(nv_mem_t *ctx, const char *text)
{
    const char *folder = support_folder(ctx);
    support_text(ctx, folder, "t.jsonl", text);
    return support_profile(ctx, folder, NULL);
}

static void test_json_values(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    Nv__TableProfile *t =
        profile_json(ctx, "{\"id\": 1, \"s\": \"a\\u00e9\\n\\\"q\\\"\", \"e\": \"\", \"b\": true, \"o\": { "
                          "\"a\": [1, \"x y\"] }}\r\n"
                          "\n"
                          " {\"id\":9007199254740993,\"s\":\"\\ud83d\\ude00\",\"b\":false,\"o\":[ ]}\n"
                          "{\"id\":3,\"id\":4,\"s\":null,\"n\":-1.50e2}\n");
    assert_int_equal(t->row_count, 3);
    assert_int_equal(t->rejected_count, 0);
    assert_int_equal(t->n_columns, 6);
    assert_string_equal(support_column(t, "id")->max, "9007199254740993");
    assert_int_equal(support_column(t, "id")->distinct_count, 3);
    assert_string_equal(support_column(t, "s")->min, "aé\n\"q\"");
    assert_string_equal(support_column(t, "s")->max, "😀");
    assert_int_equal(support_column(t, "s")->null_count, 1);
    assert_int_equal(support_column(t, "e")->null_count, 3);
    assert_string_equal(support_column(t, "o")->max, "{\"a\":[1,\"x y\"]}");
    assert_int_equal(support_column(t, "n")->null_count, 2);
    assert_int_equal(support_column(t, "b")->type, NV__VALUE_TYPE__VALUE_TYPE_BOOLEAN);
}

static void test_broken_lines_are_refused(void **state)
{
    (void)state;
    static const char *const broken[] = {"not json",
                                         "[1,2]",
                                         "{\"a\":1",
                                         "{\"a\":01}",
                                         "{\"a\":1.}",
                                         "{\"a\":\"x}",
                                         "{\"a\":\"\\q\"}",
                                         "{\"a\" 1}",
                                         "{\"a\":1,}",
                                         "{\"a\":1} x",
                                         "{\"a\":\"\\ud800\"}",
                                         "{\"a\":\"\\u0000\"}",
                                         "{\"a\":[1,]}",
                                         "{\"a\":{\"b\"}}",
                                         "{\"a\":\"\t\"}",
                                         "{\"a\":\"\xff\"}",
                                         "{\"a\":nul}",
                                         "{a:1}",
                                         "{\"a\":+1}"};
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    char *text = nv_strdup(ctx, "");
    size_t n = sizeof broken / sizeof broken[0];
    for (size_t i = 0; i < n; i++)
        text = nv_printf(ctx, "%s{\"a\":%zu}\n%s\n", text, i, broken[i]);
    char *deep = nv_alloc(ctx, 4000);
    memset(deep, '[', 3000);
    deep[3000] = '\0';
    text = nv_printf(ctx, "%s{\"a\":%s\n", text, deep);
    Nv__TableProfile *t = profile_json(ctx, text);

    assert_int_equal(t->row_count, n);
    assert_int_equal(t->rejected_count, n + 1);
    assert_int_equal(t->rejected[0]->line, 2);
    assert_string_equal(t->rejected[0]->text, "not json");
    assert_string_equal(t->rejected[0]->reason, "JSON: the line is no object");
}

/* A name that turns up only behind the first megabytes is a column all the same. */
static void test_late_names(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    const int rows = 120000;
    char *text = nv_alloc(ctx, (size_t)rows * 80);
    char *at = text;
    for (int i = 0; i < rows; i++)
        at += sprintf(at, "{\"id\":%d,\"filler\":\"some text to fill the line %d\"%s}\n", i, i % 100,
                      i == rows - 5 ? ",\"late\":\"here\"" : "");
    const char *folder = support_folder(ctx);
    support_write(ctx, folder, "t.jsonl", text, (size_t)(at - text));
    Nv__TableProfile *t = support_profile(ctx, folder, NULL);
    assert_int_equal(t->n_columns, 3);
    assert_string_equal(t->columns[2]->name, "late");
    assert_int_equal(t->columns[2]->null_count, rows - 1);
    assert_int_equal(t->row_count, rows);
    support_agrees(t);
}

static void test_names_of_json(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    Nv__TableProfile *t =
        profile_json(ctx, "{\"id\":1,\"ID\":2,\"\":3,\"a/b~c\":\"x\",\"select\":4,\"q\\\"uo'te\":5,\"😀\":6}\n"
                          "{\"id\":2,\"a/b~c\":\"y\",\"q\\\"uo'te\":7,\"😀\":8,\"select\":4}\n");
    assert_int_equal(t->n_columns, 5);
    assert_int_equal(t->n_warnings, 2);
    assert_non_null(strstr(t->warnings[0], "ID was left out"));
    assert_non_null(strstr(t->warnings[1], "without a name was left out"));
    support_agrees(t);
}

/* ---- files that are not what they seem ---- */

static void expect_refused(nv_mem_t *ctx, const char *folder, const char *words)
{
    nv_error_t err = NV_ERROR_INIT;
    Nv__Survey *survey;
    Nv__TableProfile *table;
    bool ok = survey_folder(ctx, folder, NULL, &survey, &err) &&
              profile_table(ctx, NULL, survey->tables[0], &table, &err);
    assert_false(ok);
    if (!strstr(err.message, words))
        fail_msg("\"%s\" does not say \"%s\"", err.message, words);
}

static void test_broken_packing(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    const char *folder = support_folder(ctx);
    support_text(ctx, folder, "t.csv.gz", "id,name\n1,a\n");
    expect_refused(ctx, folder, "t.csv.gz: not whole gzip data");
    folder = support_folder(ctx);
    support_text(ctx, folder, "t.csv.zst", "id,name\n1,a\n");
    expect_refused(ctx, folder, "t.csv.zst: not whole zstd data");
    folder = support_folder(ctx);
    support_text(ctx, folder, "t.parquet", "PAR1 but nothing else PAR1");
    expect_refused(ctx, folder, "t.parquet: not a Parquet file");
    /* cut off where the survey does not look */
    char *large = nv_alloc(ctx, 8 << 20);
    char *at = large + sprintf(large, "id,x\n");
    uint64_t seed = 1;
    while (at < large + (7 << 20)) {
        seed = seed * UINT64_C(6364136223846793005) + 1;
        at += sprintf(at, "%llu,%llu\n", (unsigned long long)seed, (unsigned long long)seed >> 7);
    }
    folder = support_folder(ctx);
    const char *path = pack_gzip(ctx, folder, "t.csv.gz", large, (size_t)(at - large));
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(truncate(path, info.st_size - 1000), 0);
    expect_refused(ctx, folder, "it ends in the middle");
}

/* Two members in one gzip file are one text (RFC 1952), as from `cat a.gz b.gz`. */
static void test_gzip_members(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    const char *folder = support_folder(ctx);
    const char *path = pack_gzip(ctx, folder, "t.csv.gz", "id,x\n1,2\n", 9);
    gzFile file = gzopen(path, "ab");
    assert_int_equal(gzwrite(file, "2,3\n3,4\n", 8), 8);
    assert_int_equal(gzclose(file), Z_OK);
    Nv__TableProfile *t = support_profile(ctx, folder, NULL);
    assert_int_equal(t->row_count, 3);
    support_agrees(t);
}

/* 3 GiB of nothing in a few kilobytes. */
static void test_bomb(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    const char *folder = support_folder(ctx);
    FILE *file = fopen(nv_printf(ctx, "%s/t.csv.zst", folder), "wb");
    assert_non_null(file);
    char *zeros = nv_alloc(ctx, 1 << 20);
    memset(zeros, 'x', 1 << 20);
    zeros[(1 << 20) - 1] = '\n';
    char *out = nv_alloc(ctx, 1 << 20);
    ZSTD_CCtx *packer = ZSTD_createCCtx();
    ZSTD_inBuffer head = {"id\n1\n2\n3\n", 9, 0};
    for (int i = 0; i <= 3072; i++) {
        ZSTD_inBuffer in = i ? (ZSTD_inBuffer){zeros, 1 << 20, 0} : head;
        ZSTD_outBuffer to = {out, 1 << 20, 0};
        assert_int_equal(
            ZSTD_isError(ZSTD_compressStream2(packer, &to, &in, i == 3072 ? ZSTD_e_end : ZSTD_e_continue)),
            0);
        assert_int_equal(fwrite(out, 1, to.pos, file), to.pos);
    }
    ZSTD_freeCCtx(packer);
    assert_int_equal(fclose(file), 0);
    expect_refused(ctx, folder, "decompression bomb");
}

/* What lies there is no longer what was surveyed. */
static void test_changed_files(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    const char *folder = support_folder(ctx);
    const char *path = support_text(ctx, folder, "t.csv", "id,x\n1,2\n2,3\n");
    nv_error_t err = NV_ERROR_INIT;
    Nv__Survey *survey;
    Nv__TableProfile *table;
    assert_true(survey_folder(ctx, folder, NULL, &survey, &err));
    assert_true(profile_table(ctx, NULL, survey->tables[0], &table, &err));
    assert_int_equal(truncate(path, 9), 0);
    assert_false(profile_table(ctx, NULL, survey->tables[0], &table, &err));
    assert_non_null(strstr(err.message, "has changed since it was surveyed: it had 13 bytes and has 9 now"));
    support_text(ctx, folder, "t.csv", "id,x\n1,2\n2,4\n");
    struct utimbuf times = {1000, 1000};
    assert_int_equal(utime(path, &times), 0);
    assert_false(profile_table(ctx, NULL, survey->tables[0], &table, &err));
    assert_non_null(strstr(err.message, "was written again"));
    assert_int_equal(unlink(path), 0);
    assert_false(profile_table(ctx, NULL, survey->tables[0], &table, &err));
    assert_non_null(strstr(err.message, "No such file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_table_in_all_formats),
        cmocka_unit_test(test_typed_columns),
        cmocka_unit_test(test_json_values),
        cmocka_unit_test(test_broken_lines_are_refused),
        cmocka_unit_test(test_late_names),
        cmocka_unit_test(test_names_of_json),
        cmocka_unit_test(test_broken_packing),
        cmocka_unit_test(test_gzip_members),
        cmocka_unit_test(test_bomb),
        cmocka_unit_test(test_changed_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

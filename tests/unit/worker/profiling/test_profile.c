/* Profiles of whole files: what a hostile or careless export may hold. */
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/core/buf.h"
#include "worker/profiling/sketch.h"

static bool has_warning(const Nv__TableProfile *table, const char *part)
{
    for (size_t i = 0; i < table->n_warnings; i++)
        if (strstr(table->warnings[i], part))
            return true;
    return false;
}

static bool has_key(const Nv__TableProfile *table, const char *a, const char *b)
{
    for (size_t i = 0; i < table->n_unique_sets; i++) {
        const Nv__CompositeCandidate *set = table->unique_sets[i];
        if (set->uniqueness == 1 && set->n_columns == (b ? 2U : 1U) && strcmp(set->columns[0], a) == 0 &&
            (!b || strcmp(set->columns[1], b) == 0))
            return true;
    }
    return false;
}

static void test_statistics(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    Nv__TableProfile *t =
        support_profile_text(ctx, "id,price,name,day\n1,2.50, Ann "
                                  ",2024-01-01\n2,0,Bob,2024-01-03\n3,-1.25,,2024-01-02\n4,2.50,Ann,N/A\n");
    assert_int_equal(t->row_count, 4);
    const Nv__ColumnProfile *price = support_column(t, "price");
    assert_int_equal(price->type, NV__VALUE_TYPE__VALUE_TYPE_DECIMAL);
    assert_int_equal(price->precision, 3);
    assert_int_equal(price->scale, 2);
    assert_string_equal(price->min, "-1.25");
    assert_string_equal(price->max, "2.5");
    assert_int_equal(price->distinct_count, 3);
    assert_int_equal(price->zero_count, 1);
    assert_int_equal(price->negative_count, 1);
    assert_true(price->mean > 0.9374 && price->mean < 0.9376);
    assert_int_equal(price->n_quantiles, 5);
    assert_string_equal(price->quantiles[2], "0");
    const Nv__ColumnProfile *name = support_column(t, "name");
    assert_int_equal(name->null_count, 1);
    assert_int_equal(name->padded_count, 1);
    assert_string_equal(name->top[0]->value, "Ann");
    assert_int_equal(name->top[0]->count, 2);
    assert_int_equal(name->kmv.len, 16);
    uint64_t least =
        sketch_hash("Ann", 3) < sketch_hash("Bob", 3) ? sketch_hash("Ann", 3) : sketch_hash("Bob", 3);
    assert_memory_equal(name->kmv.data, &least, 8);
    const Nv__ColumnProfile *day = support_column(t, "day");
    assert_int_equal(day->type, NV__VALUE_TYPE__VALUE_TYPE_DATE);
    assert_int_equal(day->null_count, 1);
    assert_true(support_column(t, "id")->monotonic);
    assert_false(day->monotonic);
    assert_true(has_key(t, "id", NULL));
}

static void test_duplicates_and_keys(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    Nv__TableProfile *t =
        support_profile_text(ctx, "o,l,city,zip\n1,1,a,x\n1,2,a,x\n2,1,b,y\n2,2,b,y\n2,2,b,y\n3,1,a,x\n");
    assert_int_equal(t->duplicate_row_count, 1);
    assert_true(has_key(t, "o", "l"));
    bool found = false;
    for (size_t i = 0; i < t->n_dependencies; i++)
        found |= strcmp(t->dependencies[i]->determinant[0], "o") == 0 &&
                 strcmp(t->dependencies[i]->dependent, "city") == 0 && t->dependencies[i]->violations == 0;
    assert_true(found);
}

static void test_header_only(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    Nv__TableProfile *t = support_profile_text(ctx, "id,name\n");
    assert_int_equal(t->row_count, 0);
    assert_int_equal(t->n_columns, 2);
    assert_true(t->header_detected);
    support_agrees(t);
}

static void test_headerless(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    Nv__TableProfile *t = support_profile_text(ctx, "1,2024-01-01,3.5\n2,2024-01-02,4.5\n3,2024-01-03,5.5\n");
    assert_false(t->header_detected);
    assert_int_equal(t->row_count, 3);
    assert_string_equal(t->columns[0]->name, "column1");
}

static void test_names(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    char wide[400];
    memset(wide, 'x', 300);
    wide[300] = '\0';
    Nv__TableProfile *t = support_profile_text(
        ctx,
        nv_printf(ctx, "id,ID, name ,,\"a \"\"b\"\"\",\xF0\x9F\x98\x80,%s\n1,2,c,d,e,f,g\n3,4,c,d,e,f,g\n",
                  wide));
    assert_string_equal(t->columns[0]->name, "id");
    assert_string_equal(t->columns[1]->name, "ID_2");
    assert_string_equal(t->columns[2]->name, "name");
    assert_string_equal(t->columns[3]->name, "column4");
    assert_string_equal(t->columns[4]->name, "a \"b\"");
    assert_string_equal(t->columns[5]->name, "\xF0\x9F\x98\x80");
    assert_string_equal(t->columns[6]->name, wide);
    assert_true(has_warning(t, "more than once"));
    support_agrees(t);
}

static void test_rejected_lines_are_shown(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    Nv__TableProfile *t = support_profile_text(
        ctx, "a,b,c\n1,\"x\ny\",3\n4,5\n6,7,8\n9,10,11,12\n13,\"14\" z,15\n16,\xFF,17\n18,caf\xC3\xA9,19\n");
    assert_int_equal(t->row_count, 3);
    assert_int_equal(t->rejected_count, 4);
    assert_int_equal(t->n_rejected, 4);
    assert_int_equal(t->rejected[0]->line, 4);
    assert_string_equal(t->rejected[0]->text, "4,5");
    assert_string_equal(t->rejected[0]->reason, "2 fields where 3 were expected");
    assert_int_equal(t->rejected[1]->line, 6);
    assert_int_equal(t->rejected[2]->line, 7);
    assert_string_equal(t->rejected[2]->reason, "text after a closing quote");
    assert_int_equal(t->rejected[3]->line, 8);
    assert_string_equal(t->rejected[3]->reason, "invalid UTF-8");
    assert_string_equal(t->rejected[3]->text, "16,?,17");
}

static void test_unclosed_quote(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    Nv__TableProfile *t = support_profile_text(ctx, "a,b\n1,x\n2,\"open\n3,y\n4,z\n");
    assert_int_equal(t->row_count, 3);
    assert_int_equal(t->rejected_count, 1);
    assert_int_equal(t->rejected[0]->line, 3);
    assert_string_equal(t->rejected[0]->reason, "a quote is never closed");
}

/* Lines that end in two ways are rows all the same, for the second reader too. */
static void test_mixed_line_ends(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    const char *folder = support_folder(ctx);
    support_text(ctx, folder, "t.csv", "id,name\r\n1,a\n2,\"b\r\nc\"\r\n3,c\n4,\"d\"\"e\"\r\n");
    Nv__TableProfile *table = support_profile(ctx, folder, NULL);
    assert_int_equal(table->row_count, 4);
    assert_true(table->dialect->mixed_line_ends);
    assert_true(has_warning(table, "some with LF"));
    support_agrees(table);
    assert_false(support_profile_text(ctx, "id,name\r\n1,a\r\n2,b")->dialect->mixed_line_ends);
}

static void test_remarks(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    nv_buf_t buf = nv_buf_make(ctx, 1 << 20);
    nv_buf_puts(&buf, "id,price,created_at,amount_ms,logged_ts\n");
    for (int i = 0; i < 100; i++) {
        nv_buf_printf(&buf, "%d,", i);
        if (i % 12)
            nv_buf_printf(&buf, "%d.50,", i);
        else
            nv_buf_puts(&buf, "on request,");
        nv_buf_printf(&buf, "%lld,%d,%d\n", 1700000000000 + i * 86400000LL, i, 1700000000 + i);
    }
    Nv__TableProfile *t = support_profile_text(ctx, nv_buf_text(&buf));
    assert_true(
        has_warning(t, "price: kept as text: only 91 of 100 values are numbers; another is \"on request\""));
    assert_true(has_warning(
        t, "created_at: its numbers look like milliseconds since 1970 (2023-11-14 to 2024-02-21)"));
    assert_true(has_warning(t, "logged_ts: its numbers look like seconds since 1970"));
    assert_false(has_warning(t, "amount_ms"));
    assert_false(has_warning(t, "id:"));
}

static void test_blank_before_a_quote(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    const char *folder = support_folder(ctx);
    support_text(ctx, folder, "t.csv", "id, name\n1, \"a, b\"\n2, \"c\"\n3, \"d\"\n");
    Nv__TableProfile *table = support_profile(ctx, folder, NULL);
    assert_true(has_warning(table, "blanks stand before quotes"));
    assert_int_equal(table->row_count, 2);
    assert_int_equal(table->rejected_count, 1);
    folder = support_folder(ctx);
    support_text(ctx, folder, "t.csv", "id,name\n1,\"a, \"\"b\"\n2,\"c, \"\n3,\"d, \"\n");
    assert_false(has_warning(support_profile(ctx, folder, NULL), "blanks stand before quotes"));
}

static void test_nul_byte(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    const char *folder = support_folder(ctx);
    nv_buf_t buf = nv_buf_make(ctx, 1 << 20);
    nv_buf_puts(&buf, "a,b\n");
    for (int i = 0; i < 1000; i++)
        nv_buf_printf(&buf, "%d,text%d\n", i, i);
    nv_buf_add(&buf, "1000,te\0xt\n", 11);
    nv_buf_puts(&buf, "1001,last\n");
    support_write(ctx, folder, "t.csv", buf.data, buf.length);
    Nv__TableProfile *t = support_profile(ctx, folder, NULL);
    assert_int_equal(t->row_count, 1001);
    assert_int_equal(t->rejected_count, 1);
    assert_string_equal(t->rejected[0]->reason, "a NUL byte");
    support_agrees(t);
}

static void test_encodings(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    Nv__TableProfile *t = support_profile_text(ctx, "id,name\n1,M\xFCller\n2,Jos\xE9\n3,Ann\n");
    assert_string_equal(t->dialect->encoding, "latin-1");
    assert_string_equal(support_column(t, "name")->max, "M\xC3\xBCller");
    assert_int_equal(support_column(t, "name")->length_max, 6);
    assert_int_equal(t->rejected_count, 0);
    support_agrees(t);
    t = support_profile_text(ctx, "\xEF\xBB\xBFid,name\n1,M\xC3\xBCller\n2,Ann\n");
    assert_string_equal(t->dialect->encoding, "utf-8");
    assert_string_equal(t->columns[0]->name, "id");
    const char *folder = support_folder(ctx);
    static const char ascii[] = "id,name\n1,Ann\n2,Bob\n3,\xFC\n";
    char wide[2 * sizeof ascii];
    wide[0] = (char)0xFF;
    wide[1] = (char)0xFE;
    for (size_t i = 0; i + 1 < sizeof ascii; i++) {
        wide[2 + 2 * i] = ascii[i];
        wide[3 + 2 * i] = 0;
    }
    support_write(ctx, folder, "u.csv", wide, 2 * sizeof ascii);
    t = support_profile(ctx, folder, NULL);
    assert_string_equal(t->dialect->encoding, "utf-16");
    assert_int_equal(t->row_count, 3);
    assert_string_equal(support_column(t, "name")->max, "\xC3\xBC");
}

static void test_late_latin1(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    const char *folder = support_folder(ctx);
    nv_buf_t buf = nv_buf_make(ctx, 16 << 20);
    nv_buf_puts(&buf, "id,name\n");
    for (int i = 0; buf.length < (3 << 20); i++)
        nv_buf_printf(&buf, "%d,plain text %d\n", i, i);
    nv_buf_puts(&buf, "-1,M\xFCller\n");
    support_write(ctx, folder, "t.csv", buf.data, buf.length);
    Nv__TableProfile *t = support_profile(ctx, folder, NULL);
    assert_string_equal(t->dialect->encoding, "latin-1");
    assert_int_equal(t->rejected_count, 0);
    nv_buf_puts(&buf, "-2,\x93quoted\x94\n");
    support_write(ctx, folder, "t.csv", buf.data, buf.length);
    Nv__Survey *survey;
    Nv__TableProfile *table;
    nv_error_t err = NV_ERROR_INIT;
    assert_true(survey_folder(ctx, folder, NULL, &survey, &err));
    assert_false(profile_table(ctx, NULL, survey->tables[0], &table, &err));
    assert_non_null(strstr(err.message, "t.csv: text in Windows-1252"));
}

static void test_delimiters(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    Nv__TableProfile *t = support_profile_text(ctx, "id;price;note\n1;1,50;a,b\n2;22,75;c\n3;1.000,00;d\n");
    assert_string_equal(t->dialect->delimiter, ";");
    assert_string_equal(support_column(t, "price")->parse->decimal_separator, ",");
    assert_string_equal(support_column(t, "price")->max, "1000");
    t = support_profile_text(ctx, "id\tname\n1\tAnn, Bob\n2\tCid; Dan\n");
    assert_string_equal(t->dialect->delimiter, "\t");
    t = support_profile_text(ctx, "name\nAnn\nBob\n");
    assert_int_equal(t->n_columns, 1);
    assert_int_equal(t->row_count, 2);
    t = support_profile_text(ctx, "id,name\r1,Ann\r2,Bob\r");
    assert_int_equal(t->row_count, 2);
    assert_true(has_warning(t, "CR alone"));
    t = support_profile_text(ctx, "id,name\n1,'a, b'\n2,'c'\n3,'d, e'\n");
    assert_string_equal(t->dialect->quote, "'");
    assert_int_equal(t->row_count, 3);
}

/* The type changes after the first megabytes: the column is read again, and the result is that of the whole file. */
static void test_type_from_the_whole_file(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    const char *folder = support_folder(ctx);
    nv_buf_t buf = nv_buf_make(ctx, 64 << 20);
    nv_buf_puts(&buf, "id,value,code\n");
    int rows = 500000;
    for (int i = 0; i < rows; i++)
        nv_buf_printf(&buf, i < 450000 ? "%d,%d,%d\n" : "%d,%d.5,K%d\n", i, i, i);
    support_write(ctx, folder, "t.csv", buf.data, buf.length);
    Nv__TableProfile *t = support_profile(ctx, folder, NULL);
    assert_int_equal(t->row_count, rows);
    const Nv__ColumnProfile *value = support_column(t, "value");
    assert_int_equal(value->type, NV__VALUE_TYPE__VALUE_TYPE_DECIMAL);
    assert_int_equal(value->invalid_count, 0);
    assert_int_equal(value->distinct_count, rows);
    assert_true(value->distinct_exact);
    assert_string_equal(value->max, "499999.5");
    assert_int_equal(support_column(t, "code")->type, NV__VALUE_TYPE__VALUE_TYPE_STRING);
    assert_true(support_column(t, "id")->monotonic);
    assert_int_equal(support_column(t, "id")->kmv.len, 8 * 1024);
    assert_true(has_key(t, "id", NULL));
    double median = strtod(support_column(t, "id")->quantiles[2], NULL);
    assert_true(median > 240000 && median < 260000);
}

static void test_results_do_not_depend_on_timing(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    const char *folder = support_folder(ctx);
    nv_buf_t buf = nv_buf_make(ctx, 64 << 20);
    nv_buf_puts(&buf, "a,b,c\n");
    for (unsigned i = 0; i < 400000; i++)
        nv_buf_printf(&buf, "%u,%u.%02u,\"t %u\"\n", i * 7919U % 90001, i * 31U % 5000, i % 100,
                      i * 2654435761U);
    support_write(ctx, folder, "t.csv", buf.data, buf.length);
    profile_options_t options = {.threads = 3};
    uint8_t *packed[2];
    size_t length[2];
    for (int i = 0; i < 2; i++) {
        Nv__TableProfile *t = support_profile(ctx, folder, &options);
        t->seconds = 0;
        length[i] = nv__table_profile__get_packed_size(t);
        packed[i] = nv_alloc(ctx, length[i]);
        nv__table_profile__pack(t, packed[i]);
    }
    assert_int_equal(length[0], length[1]);
    assert_memory_equal(packed[0], packed[1], length[0]);
}

static void test_many_columns(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    const char *folder = support_folder(ctx);
    nv_buf_t buf = nv_buf_make(ctx, 64 << 20);
    for (int row = 0; row < 20; row++)
        for (int i = 0; i < 10000; i++)
            nv_buf_printf(&buf, row ? "%s%d" : "%sc%d", i ? "," : (row ? "\n" : ""), row ? row * i : i);
    support_write(ctx, folder, "t.csv", buf.data, buf.length);
    Nv__TableProfile *t = support_profile(ctx, folder, NULL);
    assert_int_equal(t->n_columns, 10000);
    assert_int_equal(t->row_count, 19);
    assert_string_equal(t->columns[9999]->name, "c9999");
}

static void test_long_line(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    const char *folder = support_folder(ctx);
    const char *path = support_text(ctx, folder, "t.csv", "a,b\n1,x\n");
    FILE *file = fopen(path, "ab");
    assert_non_null(file);
    char *chunk = nv_alloc(ctx, 1 << 20);
    memset(chunk, 'y', 1 << 20);
    for (int i = 0; i < 40; i++)
        assert_int_equal(fwrite(chunk, 1, 1 << 20, file), 1 << 20);
    fputs("\n3,z\n", file);
    fclose(file);
    profile_options_t options = {.max_line_bytes = 4 << 20};
    Nv__TableProfile *t = support_profile(ctx, folder, &options);
    assert_int_equal(t->row_count, 2);
    assert_int_equal(t->rejected_count, 1);
    assert_int_equal(t->rejected[0]->line, 3);
    assert_string_equal(t->rejected[0]->reason, "the line is longer than allowed");
}

static bool always(void *arg)
{
    (void)arg;
    return true;
}

static void test_cancel(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    const char *folder = support_folder(ctx);
    support_text(ctx, folder, "t.csv", "a,b\n1,2\n");
    nv_error_t err = NV_ERROR_INIT;
    Nv__Survey *survey;
    assert_true(survey_folder(ctx, folder, NULL, &survey, &err));
    profile_options_t options = {.cancelled = always};
    Nv__TableProfile *t;
    assert_false(profile_table(ctx, &options, survey->tables[0], &t, &err));
    assert_int_equal(err.code, NV_CANCELLED);
}

static void test_paths_stay_below_the_root(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    const char *folder = support_folder(ctx);
    const char *other = support_folder(ctx);
    const char *path = support_text(ctx, other, "secret.csv", "a,b\n1,2\n");
    Nv__SourceFile file = NV__SOURCE_FILE__INIT;
    file.path = nv_printf(ctx, "%s/../%s", folder, strrchr(other, '/') + 1);
    file.path = nv_printf(ctx, "%s/secret.csv", file.path);
    Nv__SourceFile *files[] = {&file};
    Nv__SurveyTable table = NV__SURVEY_TABLE__INIT;
    table.name = nv_strdup(ctx, "secret");
    table.files = files;
    table.n_files = 1;
    nv_error_t err = NV_ERROR_INIT;
    Nv__TableProfile *t;
    profile_options_t options = {.root = folder};
    assert_false(profile_table(ctx, &options, &table, &t, &err));
    assert_int_equal(err.code, NV_PERMISSION_DENIED);
    (void)path;
}

static void test_separator_line(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    static const char *const texts[] = {"sep=;\nid;v\n1;2,5\n2;3,5\n",
                                        "SEP=;\r\nid;v;w\r\n1;2,5;a\r\n2;3,5;b\r\n"};
    for (size_t i = 0; i < 2; i++) {
        Nv__TableProfile *t = support_profile_text(ctx, texts[i]);
        assert_int_equal(t->row_count, 2);
        assert_int_equal(t->dialect->skip_lines, 1);
        assert_string_equal(support_column(t, "v")->max, "3.5");
        support_agrees(t);
    }
    /* a first line that only looks alike */
    assert_int_equal(support_profile_text(ctx, "sep=,id\n1,2\n2,3\n")->dialect->skip_lines, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statistics),
        cmocka_unit_test(test_duplicates_and_keys),
        cmocka_unit_test(test_header_only),
        cmocka_unit_test(test_headerless),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_rejected_lines_are_shown),
        cmocka_unit_test(test_unclosed_quote),
        cmocka_unit_test(test_mixed_line_ends),
        cmocka_unit_test(test_blank_before_a_quote),
        cmocka_unit_test(test_remarks),
        cmocka_unit_test(test_nul_byte),
        cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_late_latin1),
        cmocka_unit_test(test_delimiters),
        cmocka_unit_test(test_type_from_the_whole_file),
        cmocka_unit_test(test_results_do_not_depend_on_timing),
        cmocka_unit_test(test_many_columns),
        cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_paths_stay_below_the_root),
        cmocka_unit_test(test_separator_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

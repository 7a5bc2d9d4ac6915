#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/core/utf8.h"
#include "worker/report/html.h"
#include "worker/report/report.h"

static char hostile[] = "<script>alert(\"x\")</script>|&'";

/* A star of one fact with a lookup to one dimension, every name hostile. */
typedef struct star {
    Nv__Sttm sttm;
    Nv__SttmTarget fact, dimension;
    Nv__SttmTarget *targets[2];
    Nv__SttmColumn key;
    Nv__SttmColumn *fact_columns[1];
    Nv__Transform lookup;
} star_t;

static void make_star(star_t *star)
{
    nv__sttm__init(&star->sttm);
    nv__sttm_target__init(&star->fact);
    nv__sttm_target__init(&star->dimension);
    nv__sttm_column__init(&star->key);
    nv__transform__init(&star->lookup);
    star->lookup.op = NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP;
    star->lookup.dimension = hostile;
    star->key.name = hostile;
    star->key.role = hostile;
    star->key.key_role = NV__KEY_ROLE__KEY_ROLE_FOREIGN;
    star->key.transform = &star->lookup;
    star->fact_columns[0] = &star->key;
    star->fact.name = (char *)"fact";
    star->fact.kind = NV__TARGET_KIND__TARGET_KIND_FACT;
    star->fact.n_columns = 1;
    star->fact.columns = star->fact_columns;
    star->dimension.name = hostile;
    star->dimension.kind = NV__TARGET_KIND__TARGET_KIND_DIMENSION;
    star->targets[0] = &star->fact;
    star->targets[1] = &star->dimension;
    star->sttm.n_targets = 2;
    star->sttm.targets = star->targets;
    star->sttm.name = hostile;
}

static void html_never_lets_markup_through(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    nv_buf_t buf = nv_buf_make(ctx, 1024);
    html_text(&buf, hostile);
    assert_string_equal(nv_buf_text(&buf), "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;|&amp;&#39;");
}

static void counts_are_grouped(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    nv_buf_t buf = nv_buf_make(ctx, 1024);
    html_count(&buf, 0);
    nv_buf_putc(&buf, ' ');
    html_count(&buf, 1234567);
    nv_buf_putc(&buf, ' ');
    html_count(&buf, INT64_MIN);
    assert_string_equal(nv_buf_text(&buf), "0 1,234,567 -9,223,372,036,854,775,808");
}

static void the_picture_survives_hostile_names(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    star_t star;
    make_star(&star);
    nv_error_t err = NV_ERROR_INIT;
    char *svg = NULL;
    assert_true(report_er_svg(ctx, &star.sttm, &svg, &err));
    assert_ptr_equal(strstr(svg, "<svg"), svg);
    assert_null(strstr(svg, "<script"));
    assert_non_null(strstr(svg, "class=\"edge\"")); /* from fact to dimension */
}

static void the_page_is_whole_and_escaped(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    star_t star;
    make_star(&star);
    run_record_t record = {.run_id = hostile, .sttm = &star.sttm};
    Nv__Scorecard *card = scorecard_make(ctx, &record);
    nv_buf_t buf = nv_buf_make(ctx, REPORT_MAX_BYTES);
    nv_error_t err = NV_ERROR_INIT;
    assert_true(report_html(&buf, &record, card, NULL, &err));
    assert_null(strstr(nv_buf_text(&buf), "<script"));
    assert_non_null(strstr(nv_buf_text(&buf), "no language model took part"));
    assert_non_null(strstr(nv_buf_text(&buf), "</html>"));
    assert_null(strstr(nv_buf_text(&buf), "Nothing was built"));
}

static void a_note_does_not_repeat_its_subject(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    Nv__Check check = NV__CHECK__INIT, *checks[] = {&check};
    Nv__Validation validation = NV__VALIDATION__INIT;
    check.subject = (char *)"fact.key", check.message = (char *)"fact.key: 3 rows refer to nothing";
    validation.checks = checks, validation.n_checks = 1;
    run_record_t record = {.run_id = "r", .validation = &validation};
    Nv__Scorecard *card = scorecard_make(ctx, &record);
    nv_buf_t buf = nv_buf_make(ctx, REPORT_MAX_BYTES);
    nv_error_t err = NV_ERROR_INIT;
    assert_true(report_html(&buf, &record, card, NULL, &err));
    assert_non_null(strstr(nv_buf_text(&buf), "<td>fact.key</td>"));
    assert_non_null(strstr(nv_buf_text(&buf), "<td class=\"dim\">3 rows refer to nothing</td>"));
}

static void a_run_that_only_looked_says_so(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    star_t star;
    make_star(&star);
    Nv__RunSpec spec = NV__RUN_SPEC__INIT;
    spec.mode = nv_strdup(ctx, "analyze");
    run_record_t record = {.run_id = "r", .sttm = &star.sttm, .spec = &spec};
    nv_buf_t buf = nv_buf_make(ctx, REPORT_MAX_BYTES);
    nv_error_t err = NV_ERROR_INIT;
    assert_true(report_html(&buf, &record, scorecard_make(ctx, &record), NULL, &err));
    assert_non_null(strstr(nv_buf_text(&buf), "Nothing was built"));
}

static void text_is_cut_between_characters(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    nv_buf_t buf = nv_buf_make(ctx, 1024);
    html_short(&buf, "a<b", 3);
    nv_buf_putc(&buf, ' ');
    html_short(&buf, "ab\xF0\x9F\x98\x80", 4);
    assert_string_equal(nv_buf_text(&buf), "a&lt;b ab…");
}

/* A column of values that are longer than what is shown, none of whose characters fits the limit evenly. */
static void long_values_stay_utf8(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    char value[400] = "x";
    for (size_t i = 1; i + 3 < sizeof value; i += 3)
        memcpy(value + i, "€", 4);
    Nv__ValueCount top = NV__VALUE_COUNT__INIT, *tops[] = {&top};
    Nv__ColumnProfile column = NV__COLUMN_PROFILE__INIT, *columns[] = {&column};
    Nv__TableProfile table = NV__TABLE_PROFILE__INIT;
    const Nv__TableProfile *tables[] = {&table};
    column.name = column.min = column.max = top.value = value;
    column.n_top = table.n_columns = 1;
    column.top = tops;
    table.columns = columns;
    table.name = value;
    run_record_t record = {.run_id = "r", .n_profiles = 1, .profiles = tables};
    nv_buf_t buf = nv_buf_make(ctx, REPORT_MAX_BYTES);
    nv_error_t err = NV_ERROR_INIT;
    assert_true(report_html(&buf, &record, scorecard_make(ctx, &record), NULL, &err));
    assert_true(nv_utf8_valid(buf.data, buf.length));
    assert_non_null(strstr(nv_buf_text(&buf), "€…"));
}

static void the_contents_list_what_is_there(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    star_t star;
    make_star(&star);
    run_record_t record = {.run_id = "r", .sttm = &star.sttm};
    nv_buf_t buf = nv_buf_make(ctx, REPORT_MAX_BYTES);
    nv_error_t err = NV_ERROR_INIT;
    assert_true(report_html(&buf, &record, scorecard_make(ctx, &record), "<svg></svg>", &err));
    const char *page = nv_buf_text(&buf);
    size_t links = 0;
    for (const char *p = page; (p = strstr(p, "href=\"#")) != NULL; links++) {
        p += strlen("href=\"#");
        char *section = nv_printf(ctx, "<section id=\"%.*s\">", (int)strcspn(p, "\""), p);
        assert_non_null(strstr(page, section));
    }
    assert_int_equal(links, 4); /* star, findings, mapping, score */
    assert_null(strstr(page, "src="));
    assert_null(strstr(page, "http"));
    assert_null(strstr(page, "@import"));
}

static void the_matrix_says_which_fact_has_which_dimension(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    star_t star;
    make_star(&star);
    star.dimension.name = star.lookup.dimension = (char *)"dim_day";
    star.key.role = (char *)"ordered";
    run_record_t record = {.run_id = "r", .sttm = &star.sttm};
    nv_buf_t buf = nv_buf_make(ctx, REPORT_MAX_BYTES);
    nv_error_t err = NV_ERROR_INIT;
    assert_true(report_html(&buf, &record, scorecard_make(ctx, &record), "<svg></svg>", &err));
    assert_non_null(strstr(nv_buf_text(&buf), "<th scope=\"row\">fact</th><td>ordered</td></tr>"));
    nv_buf_reset(&buf);
    star.key.role = (char *)"";
    assert_true(report_html(&buf, &record, scorecard_make(ctx, &record), "<svg></svg>", &err));
    assert_non_null(strstr(nv_buf_text(&buf), "aria-label=\"yes\">✓"));
}

static void the_picture_names_its_parts_and_cuts_long_names(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    char name[301];
    memset(name, 'n', 300);
    name[300] = '\0';
    star_t star;
    make_star(&star);
    star.dimension.name = star.lookup.dimension = (char *)"dim_day";
    star.key.name = name;
    nv_error_t err = NV_ERROR_INIT;
    char *svg = NULL;
    assert_true(report_er_svg(ctx, &star.sttm, &svg, &err));
    assert_non_null(strstr(svg, "<title>dim_day&#45;&gt;fact</title>"));
    assert_null(strstr(svg, name + 200));
    assert_non_null(strstr(svg, "nnn…"));
}

static void a_page_over_its_limit_is_an_error_not_a_torso(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    run_record_t record = {.run_id = "r"};
    Nv__Scorecard *card = scorecard_make(ctx, &record);
    nv_buf_t buf = nv_buf_make(ctx, 100);
    nv_error_t err = NV_ERROR_INIT;
    assert_false(report_html(&buf, &record, card, NULL, &err));
    assert_int_equal(err.code, NV_RESOURCE_EXHAUSTED);
}

static void a_pipe_cannot_break_the_markdown_table(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    star_t star;
    make_star(&star);
    nv_buf_t buf = nv_buf_make(ctx, 65536);
    report_sttm_markdown(&buf, &star.sttm);
    assert_non_null(strstr(nv_buf_text(&buf), "</script>\\|&'"));
}

static void the_workbook_is_a_zip_with_content(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    star_t star;
    make_star(&star);
    void *data = NULL;
    size_t length = 0;
    nv_error_t err = NV_ERROR_INIT;
    assert_true(report_sttm_workbook(ctx, &star.sttm, &data, &length, &err));
    assert_true(length > 4000);
    assert_memory_equal(data, "PK\x03\x04", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(html_never_lets_markup_through),
        cmocka_unit_test(counts_are_grouped),
        cmocka_unit_test(the_picture_survives_hostile_names),
        cmocka_unit_test(the_page_is_whole_and_escaped),
        cmocka_unit_test(a_note_does_not_repeat_its_subject),
        cmocka_unit_test(a_run_that_only_looked_says_so),
        cmocka_unit_test(text_is_cut_between_characters),
        cmocka_unit_test(long_values_stay_utf8),
        cmocka_unit_test(the_contents_list_what_is_there),
        cmocka_unit_test(the_matrix_says_which_fact_has_which_dimension),
        cmocka_unit_test(the_picture_names_its_parts_and_cuts_long_names),
        cmocka_unit_test(a_page_over_its_limit_is_an_error_not_a_torso),
        cmocka_unit_test(a_pipe_cannot_break_the_markdown_table),
        cmocka_unit_test(the_workbook_is_a_zip_with_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

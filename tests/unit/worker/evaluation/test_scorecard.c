#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/evaluation/data_quality.h"

/* One source table with three columns: one mapped, one left out with a reason, one forgotten. */
static Nv__ColumnProfile columns[3] = {NV__COLUMN_PROFILE__INIT, NV__COLUMN_PROFILE__INIT,
                                       NV__COLUMN_PROFILE__INIT};
static Nv__ColumnProfile *column_list[3] = {&columns[0], &columns[1], &columns[2]};
static Nv__TableProfile table = NV__TABLE_PROFILE__INIT;
static const Nv__TableProfile *profile_list[1] = {&table};

static char id_name[] = "id", note_name[] = "note", lost_name[] = "lost", table_name[] = "orders";

static void make_profile(void)
{
    nv__table_profile__init(&table);
    for (size_t i = 0; i < 3; i++)
        nv__column_profile__init(&columns[i]);
    columns[0].name = id_name;
    columns[1].name = note_name;
    columns[2].name = lost_name;
    table.name = table_name;
    table.n_columns = 3;
    table.columns = column_list;
    table.row_count = 100;
}

static Nv__SttmInput input = NV__STTM_INPUT__INIT;
static Nv__SttmInput *input_list[1] = {&input};
static Nv__Transform transform = NV__TRANSFORM__INIT;
static Nv__SttmColumn target_column = NV__STTM_COLUMN__INIT;
static Nv__SttmColumn *target_column_list[1] = {&target_column};
static Nv__SttmTarget target = NV__STTM_TARGET__INIT;
static Nv__SttmTarget *target_list[1] = {&target};
static Nv__ColumnRef unmapped_ref = NV__COLUMN_REF__INIT;
static Nv__UnmappedSource unmapped = NV__UNMAPPED_SOURCE__INIT;
static Nv__UnmappedSource *unmapped_list[1] = {&unmapped};
static Nv__Sttm sttm = NV__STTM__INIT;

static void make_sttm(void)
{
    input.source = table_name;
    input.source_column = id_name;
    transform.n_inputs = 1;
    transform.inputs = input_list;
    target_column.transform = &transform;
    target.n_columns = 1;
    target.columns = target_column_list;
    unmapped_ref.table = table_name;
    unmapped_ref.column = note_name;
    unmapped.source = &unmapped_ref;
    sttm.n_targets = 1;
    sttm.targets = target_list;
    sttm.n_unmapped = 1;
    sttm.unmapped = unmapped_list;
}

static const Nv__ScoreLine *line(const Nv__Scorecard *card, const char *name)
{
    for (size_t i = 0; i < card->n_lines; i++)
        if (strcmp(card->lines[i]->name, name) == 0)
            return card->lines[i];
    fail_msg("no line %s", name);
    return NULL;
}

static void coverage_counts_mapped_and_excused_but_not_forgotten(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    make_profile();
    make_sttm();
    run_record_t record = {.profiles = profile_list, .n_profiles = 1, .sttm = &sttm};
    Nv__Scorecard *card = scorecard_make(ctx, &record);
    assert_float_equal(line(card, "mapping coverage")->value, 2.0 / 3.0, 1e-9);
}

static void a_run_that_stopped_early_scores_what_it_reached(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    make_profile();
    make_sttm();
    run_record_t record = {.profiles = profile_list, .n_profiles = 1, .sttm = &sttm};
    Nv__Scorecard *card = scorecard_make(ctx, &record);
    assert_false(card->succeeded);
    assert_float_equal(line(card, "reconciliation")->value, 0, 1e-9);
    assert_non_null(strstr(line(card, "reconciliation")->detail, "did not get there"));
    assert_true(card->score < 50);
}

static void an_analysis_is_not_blamed_for_a_pipeline_it_never_ran(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    Nv__RunSpec spec = NV__RUN_SPEC__INIT;
    char mode[] = "analyze";
    spec.mode = mode;
    Nv__Review review = NV__REVIEW__INIT;
    review.passed = true;
    run_record_t record = {.spec = &spec, .review = &review};
    Nv__Scorecard *card = scorecard_make(ctx, &record);
    assert_true(card->succeeded);
    for (size_t i = 0; i < card->n_lines; i++)
        assert_string_not_equal(card->lines[i]->name, "reconciliation");
}

static void only_a_passing_check_counts(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    Nv__Check good = NV__CHECK__INIT, bad = NV__CHECK__INIT;
    char name[] = "reconcile_sum";
    good.name = bad.name = name;
    good.status = NV__CHECK_STATUS__CHECK_STATUS_PASS;
    bad.status = NV__CHECK_STATUS__CHECK_STATUS_ERROR;
    Nv__Check *checks[] = {&good, &bad};
    Nv__Validation validation = NV__VALIDATION__INIT;
    validation.n_checks = 2;
    validation.checks = checks;
    run_record_t record = {.validation = &validation};
    Nv__Scorecard *card = scorecard_make(ctx, &record);
    assert_float_equal(line(card, "reconciliation")->value, 0.5, 1e-9);
}

static void findings_name_the_dirt_heaviest_first(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    make_profile();
    table.duplicate_row_count = 3;
    columns[1].padded_count = 40;
    run_record_t record = {.profiles = profile_list, .n_profiles = 1};
    size_t count = 0;
    char **findings = findings_list(ctx, &record, &count);
    assert_int_equal(count, 2);
    assert_string_equal(findings[0], "orders.note: 40 values padded with blanks");
    assert_string_equal(findings[1], "orders: 3 rows repeat an earlier row exactly");
}

static void a_table_without_rows_is_told_first(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    Nv__TableProfile empty = NV__TABLE_PROFILE__INIT;
    empty.name = (char *)"orders";
    const Nv__TableProfile *tables[] = {&empty};
    run_record_t record = {.run_id = "r", .n_profiles = 1, .profiles = tables};
    size_t count = 0;
    char **findings = findings_list(ctx, &record, &count);
    assert_int_equal(count, 1);
    assert_non_null(strstr(findings[0], "orders: no rows"));
}

static void keys_are_named_whole(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    char *names[] = {(char *)"order_id", (char *)"line_no"};
    Nv__PrimaryKey key = NV__PRIMARY_KEY__INIT, *keys[] = {&key};
    Nv__Join join = NV__JOIN__INIT, *joins[] = {&join};
    Nv__Relations relations = NV__RELATIONS__INIT;
    key.table = (char *)"lines", key.columns = names, key.n_columns = 2, key.violations = 2;
    join.from = (char *)"returns", join.to = (char *)"lines", join.columns = names, join.orphans = 1;
    join.n_columns = 2;
    relations.primary_keys = keys, relations.n_primary_keys = 1;
    relations.joins = joins, relations.n_joins = 1;
    run_record_t record = {.relations = &relations};
    size_t count = 0;
    char **findings = findings_list(ctx, &record, &count);
    assert_int_equal(count, 2);
    assert_string_equal(findings[0], "lines: 2 rows share the key (order_id, line_no) with a different row");
    assert_string_equal(findings[1], "returns(order_id, line_no): 1 row points to no row of lines");
}

/* Half a file lost is half, however many other tables are sound. */
static void the_data_are_as_good_as_their_worst_table(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    Nv__TableProfile sound = NV__TABLE_PROFILE__INIT, half = NV__TABLE_PROFILE__INIT;
    sound.name = (char *)"customers", sound.row_count = 1000, sound.duplicate_row_count = 400;
    half.name = (char *)"orders", half.row_count = 500, half.rejected_count = 500;
    const Nv__TableProfile *tables[] = {&sound, &half};
    run_record_t record = {.n_profiles = 2, .profiles = tables};
    Nv__Scorecard *card = scorecard_make(ctx, &record);
    assert_float_equal(card->data_score, 50, 1e-9);
    assert_string_equal(data_quality_text(ctx, card), "WARNING: Data quality 50 of 100: orders: 500 of 1000 "
                                                      "lines could not be read as rows.");
    half.rejected_count = 1;
    card = scorecard_make(ctx, &record);
    assert_int_equal(data_quality_shown(card), 99); /* 100 is for data without a fault */
    half.rejected_count = 0;
    card = scorecard_make(ctx, &record);
    assert_string_equal(data_quality_text(ctx, card),
                        "Data quality 100 of 100: no row, value or reference is lost.");
}

static void lost_rows_values_and_references_count_alike(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    make_profile();
    columns[1].invalid_count = 9;
    columns[1].null_count = 10;
    run_record_t record = {.n_profiles = 1, .profiles = profile_list};
    assert_float_equal(scorecard_make(ctx, &record)->data_score, 90, 1e-9);
    char *names[] = {(char *)"id"};
    Nv__Join join = NV__JOIN__INIT, *joins[] = {&join};
    join.from = (char *)"orders", join.to = (char *)"lines", join.columns = names, join.n_columns = 1;
    join.orphans = 20;
    Nv__Relations relations = NV__RELATIONS__INIT;
    relations.joins = joins, relations.n_joins = 1;
    record.relations = &relations;
    assert_float_equal(scorecard_make(ctx, &record)->data_score, 80, 1e-9);
    Nv__TableLoad load = NV__TABLE_LOAD__INIT, *loads[] = {&load};
    load.table = (char *)"main.shop.orders", load.source_rows = 100, load.quarantined = 70;
    Nv__Validation validation = NV__VALIDATION__INIT;
    validation.tables = loads, validation.n_tables = 1;
    record.validation = &validation;
    Nv__Scorecard *card = scorecard_make(ctx, &record);
    assert_float_equal(card->data_score, 30, 1e-9);
    assert_non_null(
        strstr(data_quality_text(ctx, card), "main.shop.orders: 70 of 100 rows are in quarantine"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coverage_counts_mapped_and_excused_but_not_forgotten),
        cmocka_unit_test(a_run_that_stopped_early_scores_what_it_reached),
        cmocka_unit_test(an_analysis_is_not_blamed_for_a_pipeline_it_never_ran),
        cmocka_unit_test(only_a_passing_check_counts),
        cmocka_unit_test(findings_name_the_dirt_heaviest_first),
        cmocka_unit_test(a_table_without_rows_is_told_first),
        cmocka_unit_test(keys_are_named_whole),
        cmocka_unit_test(the_data_are_as_good_as_their_worst_table),
        cmocka_unit_test(lost_rows_values_and_references_count_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

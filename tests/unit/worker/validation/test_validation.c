/* The oracle on a small dirty export whose answers can be told by hand, and the comparison. */
#include "tests/unit/worker/validation/mapping.h"
#include "worker/validation/oracle.h"
#include "worker/validation/validation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* 5 rows: 7 twice (the later since wins), one line too short, one bad date. */
static const char customers[] = "id,\"it's \"\"name\"\"\",since\n"
                                "7,old,2024-01-01\n"
                                "8, N/A ,31.01.2024\n"
                                "9,bad,2024-02-31\n"
                                "7,new,2024-03-01\n"
                                "10\n";
/* 7 rows: 1 twice, 3 negative (refused), 4 not a number (refused), 5 an orphan of another year, 6 without customer. */
static const char orders[] = "no;customer;day;amount\n"
                             "1;7;2024-05-01;1.234,56\n"
                             "1;7;2024-05-01;1.234,56\n"
                             "2;8;2024-05-02;€ 10,00\n"
                             "3;8;2024-05-02;-1,00\n"
                             "4;8;2024-05-02;much\n"
                             "5;99;2025-05-02;0,44\n"
                             "6;;2024-05-02;5\n";

typedef struct fixture {
    nv_mem_t *ctx;
    char folder[64];
    Nv__Sttm *sttm;
    Nv__TableProfile profile;
    validation_plan_t *plan;
    oracle_t *oracle;
} fixture_t;

static int set_up(void **state)
{
    nv_mem_t *ctx = nv_mem_root("test");
    fixture_t *f = NV_NEW(ctx, fixture_t);
    nv_error_t err = NV_ERROR_INIT;
    f->ctx = ctx;
    strcpy(f->folder, "/tmp/nuvyn-validation-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    test_write_file(f->folder, "customers.csv", customers);
    test_write_file(f->folder, "orders.csv", orders);
    f->sttm = test_mapping(ctx, "mapping.json", f->folder);
    nv__table_profile__init(&f->profile);
    f->profile.name = nv_strdup(ctx, "customers");
    f->profile.rejected_count = 1;
    const Nv__TableProfile **profiles = NV_NEW_ARRAY(ctx, const Nv__TableProfile *, 1);
    profiles[0] = &f->profile;
    validation_input_t input = {
        .sttm = f->sttm, .profiles = profiles, .n_profiles = 1, .catalog = "main", .schema = "it`s"};
    f->plan = validation_plan(ctx, &input);
    assert_true(oracle_open(ctx, 1024, NULL, &f->oracle, &err));
    for (size_t i = 0; i < f->plan->n_setup; i++)
        if (!oracle_run(f->oracle, f->plan->setup[i], &err))
            fail_msg("%s\n%s", f->plan->setup[i], err.message);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture_t *f = *state;
    char path[256];
    snprintf(path, sizeof path, "%s/customers.csv", f->folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/orders.csv", f->folder);
    unlink(path);
    rmdir(f->folder);
    nv_mem_free(f->ctx);
    return 0;
}

static const validation_group_t *group_of(const fixture_t *f, const char *table)
{
    for (size_t i = 0; i < f->plan->n_groups; i++)
        if (strcmp(f->plan->groups[i].table, table) == 0)
            return &f->plan->groups[i];
    fail_msg("no group %s", table);
    return NULL;
}

static const validation_check_t *check_of(const validation_group_t *group, const char *name,
                                          const char *subject)
{
    for (size_t i = 0; i < group->n_checks; i++)
        if (strcmp(group->checks[i].name, name) == 0 && strcmp(group->checks[i].subject, subject) == 0)
            return &group->checks[i];
    fail_msg("no check %s of %s", name, subject);
    return NULL;
}

static void expect(const fixture_t *f, const char *table, const char *name, const char *subject,
                   const char *expected)
{
    nv_error_t err = NV_ERROR_INIT;
    const char **cells = NULL;
    size_t n = 0;
    const validation_group_t *group = group_of(f, table);
    if (!oracle_row(f->oracle, f->ctx, group->oracle_sql, &cells, &n, &err))
        fail_msg("%s", err.message);
    assert_string_equal(cells[check_of(group, name, subject)->oracle_at], expected);
}

static void counts_rows_of_sources(void **state)
{
    const fixture_t *f = *state;
    expect(f, "silver_customers", "reconcile_source", "customers", "5");
    expect(f, "silver_customers", "reconcile_loaded", "customers", "2");
    expect(f, "silver_customers", "reconcile_quarantined", "customers", "2");
    expect(f, "silver_customers", "reconcile_duplicates", "customers", "1");
    expect(f, "silver_orders", "reconcile_source", "orders", "7");
    expect(f, "silver_orders", "reconcile_loaded", "orders", "4");
    expect(f, "silver_orders", "reconcile_quarantined", "orders", "2");
    expect(f, "silver_orders", "reconcile_duplicates", "orders", "1");
}

static void computes_what_tables_must_hold(void **state)
{
    const fixture_t *f = *state;
    expect(f, "dim_date", "reconcile_rows", "dim_date", "731");
    expect(f, "dim_date", "reconcile_span", "dim_date", "20240101-20251231");
    expect(f, "dim_customer", "reconcile_rows", "dim_customer", "2");
    expect(f, "fact_order", "reconcile_rows", "fact_order", "4");
    expect(f, "fact_order", "reconcile_sum", "fact_order.amount", "1250.00");
    expect(f, "fact_order", "reconcile_unknown", "fact_order.customer_key", "1/1");
}

/* The checksum of "new" and of the default for N/A, told by md5sum(1). */
static void sums_contents(void **state)
{
    const fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    const char **cells = NULL;
    size_t n = 0;
    const char *sql = "SELECT concat('2:', CAST('0x' || substr(md5('new'), 1, 12) AS BIGINT) + "
                      "CAST('0x' || substr(md5('o''none'), 1, 12) AS BIGINT))";
    assert_true(oracle_row(f->oracle, f->ctx, sql, &cells, &n, &err));
    expect(f, "dim_customer", "reconcile_content", "dim_customer.name", cells[0]);
    assert_true(oracle_row(f->oracle, f->ctx, "SELECT substr(md5('new'), 1, 12)", &cells, &n, &err));
    assert_string_equal(cells[0], "22af645d1859");
}

static void quotes_names(void **state)
{
    const fixture_t *f = *state;
    for (size_t i = 0; i < f->plan->n_groups; i++)
        assert_non_null(strstr(f->plan->groups[i].warehouse_sql, "`main`.`it``s`."));
}

static Nv__Check *judged(const fixture_t *f, const char *table, const char *name, const char *subject,
                         const char *warehouse, const char *oracle, const char *why)
{
    const validation_group_t *group = group_of(f, table);
    const validation_check_t *check = check_of(group, name, subject);
    const char **left = NV_NEW_ARRAY(f->ctx, const char *, group->n_checks);
    const char **right = NV_NEW_ARRAY(f->ctx, const char *, group->n_checks);
    left[check->warehouse_at] = warehouse;
    right[check->oracle_at] = oracle;
    validation_answers_t answers = {.warehouse = left, .oracle = why ? NULL : right, .not_comparable = why};
    return validation_judge(f->ctx, group, check, &answers, 1);
}

static void judges(void **state)
{
    const fixture_t *f = *state;
    Nv__Check *check =
        judged(f, "fact_order", "reconcile_sum", "fact_order.amount", "1250.00", "1250.00", NULL);
    assert_int_equal(check->status, NV__CHECK_STATUS__CHECK_STATUS_PASS);
    check = judged(f, "fact_order", "reconcile_sum", "fact_order.amount", "1250.01", "1250.00", NULL);
    assert_int_equal(check->status, NV__CHECK_STATUS__CHECK_STATUS_FAIL);
    assert_string_equal(check->blame, "generate");
    assert_string_equal(check->message,
                        "reconcile_sum of fact_order.amount: expected 1250.00, found 1250.01");
    check = judged(f, "fact_order", "reconcile_sum", "fact_order.amount", NULL, "1250.00", NULL);
    assert_int_equal(check->status, NV__CHECK_STATUS__CHECK_STATUS_FAIL);
    check = judged(f, "fact_order", "reconcile_sum", "fact_order.amount", "1250.01", NULL, "no files");
    assert_int_equal(check->status, NV__CHECK_STATUS__CHECK_STATUS_WARN);
    check = judged(f, "fact_order", "grain_unique", "fact_order", "2", NULL, NULL);
    assert_int_equal(check->status, NV__CHECK_STATUS__CHECK_STATUS_FAIL);
    assert_string_equal(check->blame, "design");
    check = judged(f, "fact_order", "unknown_share", "fact_order.customer_key", "2", NULL, NULL);
    assert_int_equal(check->status, NV__CHECK_STATUS__CHECK_STATUS_WARN);
}

/* What the oracle does not compute is not compared, and said, instead of being found wrong. */
static void says_what_it_does_not_follow(void **state)
{
    const fixture_t *f = *state;
    validation_input_t input = {.sttm = f->sttm, .catalog = "main", .schema = "shop"};
    Nv__SourcePolicy policy = NV__SOURCE_POLICY__INIT;
    validation_plan_t *plan = validation_plan(f->ctx, &input);
    assert_null(plan->not_told[0]);
    assert_null(plan->not_told[1]);
    policy.changed_types = NV__DRIFT_ACTION__DRIFT_ACTION_WIDEN;
    f->sttm->sources[0]->policy = &policy;
    plan = validation_plan(f->ctx, &input);
    assert_non_null(strstr(plan->not_told[0], "widened"));
    policy = (Nv__SourcePolicy)NV__SOURCE_POLICY__INIT;
    policy.deletes = NV__DELETE_MODE__DELETE_MODE_SNAPSHOT;
    input.profiles = (const Nv__TableProfile *const[]){&f->profile};
    input.n_profiles = 1;
    plan = validation_plan(f->ctx, &input);
    f->sttm->sources[0]->policy = NULL;
    assert_non_null(strstr(plan->not_told[0], "no rows"));
    assert_null(plan->not_told[1]);
}

/* A refusal that hangs on what a reference leads to is known only as far as it leads anywhere. */
static void says_which_rules_it_does_not_follow(void **state)
{
    const fixture_t *f = *state;
    validation_input_t input = {.sttm = f->sttm, .catalog = "main", .schema = "shop"};
    Nv__QualityRule rule = NV__QUALITY_RULE__INIT, *rules[] = {&rule};
    Nv__SttmTarget *fact = f->sttm->targets[2];
    rule.kind = NV__RULE_KIND__RULE_KIND_RANGE;
    rule.severity = NV__SEVERITY__SEVERITY_DROP;
    rule.columns = (char *[]){(char *)"customer_key"};
    rule.n_columns = 1;
    rule.low = (char *)"0";
    fact->rules = rules;
    fact->n_rules = 1;
    validation_plan_t *plan = validation_plan(f->ctx, &input);
    const char *known = plan->groups[plan->n_groups - 1].not_told;
    rule.low = (char *)"1000";
    plan = validation_plan(f->ctx, &input);
    fact->n_rules = 0;
    assert_null(known);
    assert_non_null(strstr(plan->groups[plan->n_groups - 1].not_told, "does not know"));
    assert_null(plan->groups[plan->n_groups - 2].not_told);
}

/* Where only the workspace reaches the files, the same plan is Spark SQL that leaves nothing behind. */
static void speaks_spark(void **state)
{
    const fixture_t *f = *state;
    static const char *const foreign[] = {"QUALIFY",    "strftime",   "rowid", "read_csv",
                                          "AS VARCHAR", "TEMP TABLE", "::"};
    validation_input_t input = {.sttm = f->sttm, .catalog = "main", .schema = "shop", .pushed_down = true};
    validation_plan_t *plan = validation_plan(f->ctx, &input);
    size_t created = 0;
    for (size_t i = 0; i < plan->n_setup; i++) {
        created += strncmp(plan->setup[i], "CREATE TABLE `main`.`shop`.`nuvyn_proof_", 40) == 0;
        for (size_t k = 0; k < sizeof foreign / sizeof foreign[0]; k++)
            assert_null(strstr(plan->setup[i], foreign[k]));
    }
    for (size_t i = 0; i < plan->n_groups; i++)
        for (size_t k = 0; plan->groups[i].oracle_sql && k < sizeof foreign / sizeof foreign[0]; k++)
            assert_null(strstr(plan->groups[i].oracle_sql, foreign[k]));
    assert_true(created > 0);
    assert_int_equal(created, plan->n_cleanup);
    Nv__SourcePolicy policy = NV__SOURCE_POLICY__INIT;
    policy.changed_types = NV__DRIFT_ACTION__DRIFT_ACTION_WIDEN;
    f->sttm->sources[1]->policy = &policy;
    const char *widths = validation_widths_sql(f->ctx, f->sttm->sources[1], true);
    f->sttm->sources[1]->policy = NULL;
    assert_non_null(strstr(widths, "read_files("));
    for (size_t k = 0; k < sizeof foreign / sizeof foreign[0]; k++)
        assert_null(strstr(widths, foreign[k]));
    if (getenv("SHOW_SQL"))
        for (size_t i = 0; i < plan->n_setup; i++)
            print_message("%s\n", plan->setup[i]);
    if (getenv("SHOW_SQL"))
        for (size_t i = 0; i < plan->n_groups; i++)
            print_message("%s\n", plan->groups[i].oracle_sql ? plan->groups[i].oracle_sql : "-");
}

static void concludes(void **state)
{
    const fixture_t *f = *state;
    Nv__Check *checks[] = {judged(f, "fact_order", "reconcile_rows", "fact_order", "4", "4", NULL),
                           judged(f, "fact_order", "reconcile_rows", "fact_order", "5", "4", NULL),
                           judged(f, "fact_order", "grain_unique", "fact_order", "1", NULL, NULL)};
    Nv__Validation validation = NV__VALIDATION__INIT;
    validation.checks = checks;
    validation.n_checks = 1;
    validation_conclude(f->ctx, &validation);
    assert_true(validation.passed);
    assert_string_equal(validation.blame, "");
    validation.n_checks = 2;
    validation_conclude(f->ctx, &validation);
    assert_false(validation.passed);
    assert_string_equal(validation.blame, "generate");
    validation.n_checks = 3;
    validation_conclude(f->ctx, &validation);
    assert_string_equal(validation.blame, "design");
    assert_non_null(strstr(validation.critique, "grain_unique of fact_order"));
}

/* Each orphan is told once, however many tables and dimensions are reached by it. */
static void tells_unknowns_per_reference(void **state)
{
    const fixture_t *f = *state;
    Nv__SttmInput input = NV__STTM_INPUT__INIT, *inputs[] = {&input};
    input.source = (char *)"orders", input.source_column = (char *)"customer";
    Nv__Transform lookup = NV__TRANSFORM__INIT;
    lookup.op = NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP, lookup.inputs = inputs, lookup.n_inputs = 1;
    Nv__SttmColumn customer = NV__STTM_COLUMN__INIT, address = NV__STTM_COLUMN__INIT;
    customer.name = (char *)"customer_key", address.name = (char *)"address_key";
    customer.transform = address.transform = &lookup;
    Nv__SttmColumn *columns[] = {&customer, &address};
    Nv__SttmTarget order = NV__STTM_TARGET__INIT, line = NV__STTM_TARGET__INIT;
    order.name = (char *)"fact_order", line.name = (char *)"fact_line";
    order.columns = line.columns = columns, order.n_columns = line.n_columns = 2;
    Nv__SttmTarget *targets[] = {&order, &line};
    Nv__Sttm sttm = NV__STTM__INIT;
    sttm.targets = targets, sttm.n_targets = 2;
    const char *subjects[] = {"fact_order.customer_key", "fact_order.address_key", "fact_line.customer_key",
                              "fact_line.address_key"};
    const char *rows[] = {"2", "2", "7", "9"};
    Nv__Check checks[4], *list[4];
    for (int i = 0; i < 4; i++) {
        checks[i] = (Nv__Check)NV__CHECK__INIT;
        checks[i].name = (char *)"unknown_share", checks[i].subject = (char *)subjects[i];
        checks[i].actual = (char *)rows[i], checks[i].status = NV__CHECK_STATUS__CHECK_STATUS_WARN;
        list[i] = &checks[i];
    }
    Nv__Validation validation = NV__VALIDATION__INIT;
    validation.checks = list, validation.n_checks = 4;
    size_t n;
    const char **texts = validation_unknowns(f->ctx, &sttm, &validation, &n);
    assert_int_equal(n, 1);
    assert_string_equal(texts[0], "orders.customer: rows whose reference finds nothing point to the unknown "
                                  "member (-1): 2 of fact_order, 7 of fact_line, 9 of fact_line.address_key");
    checks[0].status = checks[1].status = checks[2].status = checks[3].status =
        NV__CHECK_STATUS__CHECK_STATUS_PASS;
    validation_unknowns(f->ctx, &sttm, &validation, &n);
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_rows_of_sources),
        cmocka_unit_test(computes_what_tables_must_hold),
        cmocka_unit_test(sums_contents),
        cmocka_unit_test(quotes_names),
        cmocka_unit_test(judges),
        cmocka_unit_test(says_what_it_does_not_follow),
        cmocka_unit_test(says_which_rules_it_does_not_follow),
        cmocka_unit_test(speaks_spark),
        cmocka_unit_test(concludes),
        cmocka_unit_test(tells_unknowns_per_reference),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* Every policy that a mapping can declare, over days: the reference must hold what can be told by hand, and the Tester's own
 * computation, which sees only the files and which batch brought them, must agree with it without leaving anything out. */
#include "tests/support/star/star.h"
#include "tests/unit/worker/validation/mapping.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

enum { CUSTOMERS, PRODUCTS, ORDERS, BUNDLES, SOURCES };
enum { DIM_DATE, DIM_CUSTOMER, DIM_PRODUCT, FACT_LINE };

static const char *const first_day[] = {
    "id,city,phone,since\n7,Bern,1,2024-01-01\n7,Basel,2,2024-03-01\n8,Chur,4,2024-01-01\n",
    "sku,kind,price\nA,toy,1.50\nB,book,20.00\nC,toy,99.00\n",
    ("no,line,customer,sku,day,quantity,amount\n1,1,7,A,2024-02-01,1,1.50\n1,2,7,B,2024-02-01,2,40.00\n"
     "2,1,8,C,2024-05-01,1,99.00\n"),
    "sku,part\nA,B\nA,C\n"};

typedef struct fixture {
    nv_mem_t *ctx;
    char folder[64];
    star_t star;
    oracle_t *db;
    int day;
    Nv__SourcePolicy policy;
} fixture_t;

static int set_up(void **state)
{
    nv_mem_t *ctx = nv_mem_root("policies");
    fixture_t *f = NV_NEW(ctx, fixture_t);
    nv_error_t err = NV_ERROR_INIT;
    f->ctx = ctx;
    strcpy(f->folder, "/tmp/nuvyn-policies-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    f->star.sttm = test_mapping(ctx, "shop.json", f->folder);
    for (size_t i = 0; i < f->star.sttm->n_sources; i++)
        f->star.sttm->sources[i]->n_files = 0;
    nv__source_policy__init(&f->policy);
    assert_true(star_open(ctx, &f->db, &err));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture_t *f = *state;
    char *command = nv_printf(f->ctx, "rm -r %s", f->folder);
    int removed = system(command);
    nv_mem_free(f->ctx);
    return removed;
}

/* A file of the mapping as later batches have it, and of the batch that the reference loads. */
static Nv__SourceFile *add_file(fixture_t *f, int source, const char *text)
{
    Nv__SttmSource *s = f->star.sttm->sources[source];
    char *folder = nv_printf(f->ctx, "%s/day%d", f->folder, f->day),
         *name = nv_printf(f->ctx, "%s.csv", s->name);
    mkdir(folder, 0755);
    test_write_file(folder, name, text);
    Nv__SourceFile *file = star_file(f->ctx, nv_printf(f->ctx, "%s/%s", folder, name));
    Nv__SourceFile **files = NV_NEW_ARRAY(f->ctx, Nv__SourceFile *, s->n_files + 1);
    for (size_t i = 0; i < s->n_files; i++)
        files[i] = s->files[i];
    file->sha256 = nv_printf(f->ctx, "%d-%d", source, f->day);
    file->batch = f->day - 1;
    files[s->n_files++] = file;
    s->files = files;
    return file;
}

/* Loads a day; texts by source, NULL: brings none. header (may be NULL): the files' own, when it is not the table's. */
static bool load_as(fixture_t *f, const char *const *texts, const char *const *header, nv_error_t *err)
{
    const Nv__SourceFile *files[SOURCES + 1] = {NULL};
    size_t n = 0;
    f->day++;
    for (int i = 0; i < SOURCES; i++) {
        if (!texts[i])
            continue;
        Nv__SourceFile *file = add_file(f, i, texts[i]), *plain = star_file(f->ctx, file->path);
        for (size_t k = 0; header && header[k]; k++)
            file->n_columns++;
        file->columns = (char **)header;
        plain->columns = file->columns;
        plain->n_columns = file->n_columns;
        files[n++] = plain;
    }
    reference_batch_t batch = {.number = f->day,
                               .time = nv_printf(f->ctx, "2024-06-%02d 00:00:00", f->day),
                               .files = files,
                               .n_files = n};
    return (f->day > 1 || star_create(f->db, &f->star, "star", err)) &&
           star_load(f->db, &f->star, "star", &batch, err);
}

static void load(fixture_t *f, const char *const *texts)
{
    nv_error_t err = NV_ERROR_INIT;
    if (!load_as(f, texts, NULL, &err))
        fail_msg("%s", err.message);
}

static void expect(const fixture_t *f, const char *expected, const char *sql)
{
    nv_error_t err = NV_ERROR_INIT;
    const char *found;
    assert_true(oracle_run(f->db, "USE " STAR_CATALOG ".star", &err));
    if (!star_value(f->ctx, f->db, sql, &found, &err))
        fail_msg("%s", err.message);
    assert_true(oracle_run(f->db, "USE memory.main", &err));
    if (strcmp(found, expected) != 0)
        fail_msg("%s: expected %s, found %s", sql, expected, found);
}

static void stops(fixture_t *f, const char *const *texts, const char *why)
{
    nv_error_t err = NV_ERROR_INIT;
    assert_false(load_as(f, texts, NULL, &err));
    if (!strstr(err.message, why))
        fail_msg("expected \"%s\", got: %s", why, err.message);
}

/* The Tester agrees, of all tables. */
static void prove(const fixture_t *f)
{
    nv_error_t err = NV_ERROR_INIT;
    Nv__Validation *validation;
    validation_input_t input = star_input(&f->star, "star");
    const validation_plan_t *plan = validation_plan(f->ctx, &input);
    for (size_t i = 0; i < f->star.sttm->n_sources; i++)
        if (plan->not_told[i])
            fail_msg("%s", plan->not_told[i]);
    for (size_t i = 0; i < plan->n_groups; i++)
        if (plan->groups[i].not_told)
            fail_msg("%s", plan->groups[i].not_told);
    if (!star_prove(f->ctx, f->db, &f->star, "star", &validation, &err))
        fail_msg("%s", err.message);
    for (size_t i = 0; i < validation->n_checks; i++)
        if (validation->checks[i]->status == NV__CHECK_STATUS__CHECK_STATUS_FAIL ||
            strcmp(validation->checks[i]->name, "source_files") == 0)
            assert_string_equal(validation->checks[i]->message, "");
}

/* Some damage must be seen by the check that is there for it. */
static void sees(const fixture_t *f, const char *sql, const char *name, const char *subject)
{
    nv_error_t err = NV_ERROR_INIT;
    Nv__Validation *validation = NULL;
    const Nv__Check *seen = NULL;
    assert_true(oracle_run(f->db, "USE " STAR_CATALOG ".star", &err) && oracle_run(f->db, "BEGIN", &err));
    if (!oracle_run(f->db, sql, &err) || !oracle_run(f->db, "USE memory.main", &err) ||
        !star_prove(f->ctx, f->db, &f->star, "star", &validation, &err) ||
        !oracle_run(f->db, "ROLLBACK", &err))
        fail_msg("%s", err.message);
    for (size_t i = 0; i < validation->n_checks; i++)
        if (strcmp(validation->checks[i]->name, name) == 0 &&
            strcmp(validation->checks[i]->subject, subject) == 0)
            seen = validation->checks[i];
    if (!seen || seen->status != NV__CHECK_STATUS__CHECK_STATUS_FAIL)
        fail_msg("%s of %s does not see: %s", name, subject, sql);
}

static Nv__QualityRule *add_rule(fixture_t *f, int source, Nv__RuleKind kind, Nv__Severity severity,
                                 const char *column)
{
    Nv__SttmSource *s = f->star.sttm->sources[source];
    Nv__QualityRule *rule = NV_NEW(f->ctx, Nv__QualityRule);
    Nv__QualityRule **rules = NV_NEW_ARRAY(f->ctx, Nv__QualityRule *, s->n_rules + 1);
    nv__quality_rule__init(rule);
    for (size_t i = 0; i < s->n_rules; i++)
        rules[i] = s->rules[i];
    rule->id = nv_printf(f->ctx, "X%zu", s->n_rules);
    rule->kind = kind;
    rule->severity = severity;
    rule->columns = NV_NEW_ARRAY(f->ctx, char *, 1);
    rule->columns[0] = nv_strdup(f->ctx, column);
    rule->n_columns = 1;
    rules[s->n_rules++] = rule;
    s->rules = rules;
    return rule;
}

static Nv__SttmColumn *add_audit(fixture_t *f, int target, const char *what, Nv__ValueType type)
{
    Nv__SttmTarget *t = f->star.sttm->targets[target];
    Nv__SttmColumn *column = NV_NEW(f->ctx, Nv__SttmColumn);
    Nv__SttmColumn **columns = NV_NEW_ARRAY(f->ctx, Nv__SttmColumn *, t->n_columns + 1);
    nv__sttm_column__init(column);
    memcpy(columns, t->columns, t->n_columns * sizeof *columns);
    column->name = nv_strdup(f->ctx, what);
    column->type = type;
    column->transform = NV_NEW(f->ctx, Nv__Transform);
    nv__transform__init(column->transform);
    column->transform->op = NV__TRANSFORM_OP__TRANSFORM_OP_AUDIT;
    column->transform->constant = column->name;
    columns[t->n_columns++] = column;
    t->columns = columns;
    return column;
}

/* ---- tiers ---- */

static void drops_rows(void **state)
{
    fixture_t *f = *state;
    Nv__QualityRule *rule =
        add_rule(f, ORDERS, NV__RULE_KIND__RULE_KIND_RANGE, NV__SEVERITY__SEVERITY_DROP, "quantity");
    rule->high = nv_strdup(f->ctx, "1");
    add_rule(f, ORDERS, NV__RULE_KIND__RULE_KIND_PARSES, NV__SEVERITY__SEVERITY_DROP, "amount");
    load(f, first_day);
    load(f,
         (const char *[]){
             NULL, NULL,
             "no,line,customer,sku,day,quantity,amount\n3,1,7,A,2024-02-01,1,free\n4,1,7,A,2024-02-02,1,-2\n",
             NULL});
    expect(f, "2", "SELECT count(*) FROM fact_line");
    expect(f, "1", "SELECT count(*) FROM nuvyn_quarantine WHERE source = 'orders'");
    prove(f);
}

static void only_warns(void **state)
{
    fixture_t *f = *state;
    add_rule(f, ORDERS, NV__RULE_KIND__RULE_KIND_PARSES, NV__SEVERITY__SEVERITY_WARN, "quantity");
    load(f, first_day);
    load(f, (const char *[]){NULL, NULL,
                             "no,line,customer,sku,day,quantity,amount\n3,1,7,A,2024-02-01,few,3\n", NULL});
    expect(f, "1", "SELECT count(*) FROM fact_line WHERE no = 3 AND quantity IS NULL");
    prove(f);
}

static void fails_the_load(void **state)
{
    fixture_t *f = *state;
    Nv__QualityRule *rule =
        add_rule(f, PRODUCTS, NV__RULE_KIND__RULE_KIND_RANGE, NV__SEVERITY__SEVERITY_FAIL, "price");
    rule->high = nv_strdup(f->ctx, "100");
    load(f, first_day);
    prove(f);
    sees(f, "UPDATE silver_products SET price = 101 WHERE sku = 'A'", "tier_fail", "products.price");
    stops(f, (const char *[]){NULL, "sku,kind,price\nD,toy,101\n", NULL, NULL},
          "silver_products: X0 is broken");
}

static void stops_at_a_share(void **state)
{
    fixture_t *f = *state;
    Nv__QualityRule *rule =
        add_rule(f, ORDERS, NV__RULE_KIND__RULE_KIND_PARSES, NV__SEVERITY__SEVERITY_QUARANTINE, "amount");
    rule->threshold = 0.5;
    load(f, first_day);
    load(f,
         (const char *[]){
             NULL, NULL,
             "no,line,customer,sku,day,quantity,amount\n3,1,7,A,2024-02-01,1,free\n4,1,7,A,2024-02-02,1,2\n",
             NULL});
    prove(f);
    stops(f,
          (const char *[]){NULL, NULL,
                           "no,line,customer,sku,day,quantity,amount\n5,1,7,A,2024-02-01,1,free\n", NULL},
          "silver_orders: amount: parses is broken");
}

static void refuse_orders_of_nobody(fixture_t *f)
{
    Nv__QualityRule *refers = add_rule(f, ORDERS, NV__RULE_KIND__RULE_KIND_REFERENCE,
                                       NV__SEVERITY__SEVERITY_QUARANTINE, "customer");
    refers->ref_target = nv_strdup(f->ctx, "customers");
    refers->ref_columns = NV_NEW_ARRAY(f->ctx, char *, 1);
    refers->ref_columns[refers->n_ref_columns++] = nv_strdup(f->ctx, "id");
}

/* Order 1 refers to nobody until customer 99 arrives; of two products called the same the newer is loaded. */
static void quarantines_for_others(void **state)
{
    fixture_t *f = *state;
    refuse_orders_of_nobody(f);
    add_rule(f, PRODUCTS, NV__RULE_KIND__RULE_KIND_UNIQUE, NV__SEVERITY__SEVERITY_QUARANTINE, "price");
    load(f,
         (const char *[]){
             first_day[CUSTOMERS], first_day[PRODUCTS],
             "no,line,customer,sku,day,quantity,amount\n1,1,99,A,2024-02-01,1,1.50\n2,1,,B,2024-02-01,1,3\n",
             first_day[BUNDLES]});
    expect(f, "1", "SELECT count(*) FROM fact_line");
    expect(f, "1", "SELECT count(*) FROM nuvyn_quarantine WHERE source = 'orders'");
    prove(f);
    load(f, (const char *[]){"id,city,phone,since\n99,Thun,1,2024-01-01\n", NULL, NULL, NULL});
    expect(f, "2", "SELECT count(*) FROM fact_line");
    expect(f, "0", "SELECT count(*) FROM nuvyn_quarantine");
    prove(f);
}

static void keeps_one_of_equals(void **state)
{
    fixture_t *f = *state;
    add_rule(f, PRODUCTS, NV__RULE_KIND__RULE_KIND_UNIQUE, NV__SEVERITY__SEVERITY_QUARANTINE, "price");
    load(f, (const char *[]){first_day[CUSTOMERS], "sku,kind,price\nA,toy,1\nB,toy,1\nC,toy,\nD,toy,\n",
                             first_day[ORDERS], first_day[BUNDLES]});
    expect(f, "B,C,D", "SELECT string_agg(sku, ',' ORDER BY sku) FROM silver_products");
    expect(f, "1", "SELECT count(*) FROM nuvyn_quarantine WHERE source = 'products'");
    prove(f);
}

static void refuses_at_the_table(void **state)
{
    fixture_t *f = *state;
    Nv__SttmTarget *fact = f->star.sttm->targets[FACT_LINE];
    Nv__QualityRule *held =
        add_rule(f, BUNDLES, NV__RULE_KIND__RULE_KIND_RANGE, NV__SEVERITY__SEVERITY_QUARANTINE, "amount");
    Nv__QualityRule *dropped =
        add_rule(f, BUNDLES, NV__RULE_KIND__RULE_KIND_RANGE, NV__SEVERITY__SEVERITY_DROP, "customer_key");
    f->star.sttm->sources[BUNDLES]->n_rules = 0;
    held->high = nv_strdup(f->ctx, "50");
    dropped->low = nv_strdup(f->ctx, "0");
    fact->rules = (Nv__QualityRule *[]){held, dropped};
    fact->n_rules = 2;
    load(f, first_day);
    load(f, (const char *[]){NULL, NULL,
                             "no,line,customer,sku,day,quantity,amount\n3,1,99,A,2024-02-01,1,3\n", NULL});
    expect(f, "1/1,1/2", "SELECT string_agg(no || '/' || line, ',' ORDER BY no, line) FROM fact_line");
    expect(f, "2", "SELECT no FROM fact_line_refused");
    prove(f);
    sees(f, "DELETE FROM fact_line_refused", "reconcile_refused", "fact_line");
}

/* ---- deletes ---- */

static void marks_delete(void **state)
{
    fixture_t *f = *state;
    f->policy.deletes = NV__DELETE_MODE__DELETE_MODE_MARKER;
    f->policy.delete_column = (char *)"kind";
    f->policy.delete_values = (char *[]){(char *)"gone"};
    f->policy.n_delete_values = 1;
    f->star.sttm->sources[PRODUCTS]->policy = &f->policy;
    add_audit(f, DIM_PRODUCT, "deleted_at", NV__VALUE_TYPE__VALUE_TYPE_TIMESTAMP);
    load(f, first_day);
    load(f, (const char *[]){NULL, "sku,kind,price\nB,gone,\nZ,gone,\n", NULL, NULL});
    expect(f, "B 2024-06-02 00:00:00",
           "SELECT sku || ' ' || deleted_at FROM dim_product WHERE deleted_at IS NOT NULL");
    expect(f, "3", "SELECT count(*) FROM dim_product WHERE product_key >= 0");
    expect(f, "2",
           "SELECT count(*) FROM fact_line f JOIN dim_product USING (product_key) WHERE deleted_at IS NULL "
           "AND product_key >= 0");
    prove(f);
    sees(f, "UPDATE silver_products SET _deleted_at = NULL", "reconcile_deleted", "products");
    sees(f, "UPDATE dim_product SET deleted_at = NULL", "reconcile_deleted", "dim_product");
    load(f, (const char *[]){NULL, "sku,kind,price\nB,book,21\n", NULL, NULL});
    expect(f, "21.00", "SELECT price FROM dim_product WHERE sku = 'B' AND deleted_at IS NULL");
    prove(f);
}

static void snapshots_delete(void **state)
{
    fixture_t *f = *state;
    f->policy.deletes = NV__DELETE_MODE__DELETE_MODE_SNAPSHOT;
    f->star.sttm->sources[ORDERS]->policy = &f->policy;
    load(f, first_day);
    load(f, (const char *[]){NULL, NULL,
                             "no,line,customer,sku,day,quantity,amount\n1,1,7,A,2024-02-01,1,1.50\n2,1,8,C,"
                             "2024-05-01,1,98.00\n",
                             NULL});
    expect(f, "99.50", "SELECT sum(amount) FROM fact_line");
    expect(f, "1", "SELECT count(*) FROM silver_orders WHERE _deleted_at = TIMESTAMP '2024-06-02'");
    prove(f);
    load(f, (const char *[]){NULL, NULL,
                             "no,line,customer,sku,day,quantity,amount\n1,1,7,A,2024-02-01,1,1.50\n1,2,7,B,"
                             "2024-02-01,2,40.00\n2,1,8,C,2024-05-01,1,98.00\n",
                             NULL});
    expect(f, "139.50", "SELECT sum(amount) FROM fact_line");
    prove(f);
    stops(f,
          (const char *[]){NULL, NULL,
                           "no,line,customer,sku,day,quantity,amount\n1,1,7,A,2024-02-01,1,1.50\n", NULL},
          "lacks too many");
}

/* Order 1 is held back until customer 99 is there, and by then the source has dropped it: nothing that lived got lost. */
static void what_never_lived_is_not_missed(void **state)
{
    fixture_t *f = *state;
    f->policy.deletes = NV__DELETE_MODE__DELETE_MODE_SNAPSHOT;
    f->star.sttm->sources[ORDERS]->policy = &f->policy;
    refuse_orders_of_nobody(f);
    load(f,
         (const char *[]){
             first_day[CUSTOMERS], first_day[PRODUCTS],
             "no,line,customer,sku,day,quantity,amount\n1,1,99,A,2024-02-01,1,1.50\n2,1,7,B,2024-02-01,1,3\n",
             first_day[BUNDLES]});
    load(f, (const char *[]){"id,city,phone,since\n99,Thun,1,2024-01-01\n", NULL,
                             "no,line,customer,sku,day,quantity,amount\n2,1,7,B,2024-02-01,1,3\n", NULL});
    expect(f, "1", "SELECT no FROM silver_orders WHERE _deleted_at IS NOT NULL");
    expect(f, "3.00", "SELECT sum(amount) FROM fact_line");
    prove(f);
}

/* A history that the batches date: 8 is gone on day 2 and back on day 3; what refers to it finds its last version all the while. */
static void deletes_close_versions(void **state)
{
    fixture_t *f = *state;
    Nv__SttmSource *customers = f->star.sttm->sources[CUSTOMERS];
    f->policy.deletes = NV__DELETE_MODE__DELETE_MODE_SNAPSHOT;
    customers->policy = &f->policy;
    customers->n_key = 1;
    customers->latest_by = (char *[]){(char *)"since"};
    customers->n_latest_by = 1;
    f->star.sttm->targets[DIM_CUSTOMER]->effective_from = (char *)"";
    load(f, first_day);
    load(f, (const char *[]){"id,city,phone,since\n7,Basel,3,2024-04-01\n", NULL, NULL, NULL});
    expect(f, "7 1900-01-01 , 8 1900-01-01 2024-06-02",
           "SELECT string_agg(concat_ws(' ', id, valid_from, coalesce(CAST(valid_to AS VARCHAR), '')), ', ' "
           "ORDER BY id) FROM dim_customer WHERE customer_key >= 0");
    expect(f, "3", "SELECT DISTINCT phone FROM dim_customer WHERE id = 7");
    expect(f, "0", "SELECT count(*) FROM fact_line WHERE customer_key < 0");
    prove(f);
    sees(f, "UPDATE dim_customer SET is_current = true, valid_to = NULL WHERE id = 8", "reconcile_rows",
         "dim_customer");
    load(f, (const char *[]){"id,city,phone,since\n7,Basel,3,2024-04-01\n8,Chur,5,2024-05-01\n", NULL, NULL,
                             NULL});
    load(f, (const char *[]){NULL, NULL, NULL, NULL});
    expect(f, "1900-01-01-2024-06-02,2024-06-03-",
           "SELECT string_agg(concat(valid_from, '-', valid_to), ',' ORDER BY valid_from) FROM dim_customer "
           "WHERE id = 8");
    prove(f);
}

/* Dated by the data, a deletion ends the last version; the Tester does not know when the batch came. */
static void deletes_end_dated_members(void **state)
{
    fixture_t *f = *state;
    f->policy.deletes = NV__DELETE_MODE__DELETE_MODE_SNAPSHOT;
    f->policy.max_delete_share = 0.9;
    f->star.sttm->sources[CUSTOMERS]->policy = &f->policy;
    load(f, first_day);
    load(f, (const char *[]){"id,city,phone,since\n8,Chur,4,2024-01-01\n", NULL, NULL, NULL});
    expect(f, "2024-01-01-2024-03-01,2024-03-01-2024-06-02",
           "SELECT string_agg(concat(valid_from, '-', valid_to), ',' ORDER BY valid_from) FROM dim_customer "
           "WHERE id = 7");
    validation_input_t input = star_input(&f->star, "star");
    const validation_plan_t *plan = validation_plan(f->ctx, &input);
    for (size_t i = 0; i < plan->n_groups; i++) {
        const char *table = plan->groups[i].table;
        bool concerned = strcmp(table, "dim_customer") == 0 || strcmp(table, "fact_line") == 0;
        assert_int_equal(plan->groups[i].not_told != NULL, concerned);
    }
}

/* A member that comes and goes within one batch leaves no version; the Tester does not say who that is. */
static void marked_members_may_leave_nothing(void **state)
{
    fixture_t *f = *state;
    f->policy.deletes = NV__DELETE_MODE__DELETE_MODE_MARKER;
    f->policy.delete_column = (char *)"city";
    f->policy.delete_values = (char *[]){(char *)"gone"};
    f->policy.n_delete_values = 1;
    f->star.sttm->sources[CUSTOMERS]->policy = &f->policy;
    f->star.sttm->sources[CUSTOMERS]->n_key = 1;
    f->star.sttm->sources[CUSTOMERS]->latest_by = (char *[]){(char *)"since"};
    f->star.sttm->sources[CUSTOMERS]->n_latest_by = 1;
    f->star.sttm->targets[DIM_CUSTOMER]->effective_from = (char *)"";
    load(f, first_day);
    load(f, (const char *[]){
                "id,city,phone,since\n9,Thun,1,2024-02-01\n9,gone,1,2024-03-01\n8,gone,4,2024-05-01\n", NULL,
                NULL, NULL});
    expect(f, "7,8",
           "SELECT string_agg(DISTINCT id, ',' ORDER BY id) FROM dim_customer WHERE customer_key >= 0");
    expect(f, "2024-06-02", "SELECT valid_to FROM dim_customer WHERE id = 8");
    validation_input_t input = star_input(&f->star, "star");
    const validation_plan_t *plan = validation_plan(f->ctx, &input);
    for (size_t i = 0; i < plan->n_groups; i++)
        if (strcmp(plan->groups[i].table, "dim_customer") == 0)
            assert_non_null(strstr(plan->groups[i].not_told, "leaves no version"));
}

static void mark_customers(fixture_t *f, size_t n_key)
{
    static char *gone[] = {(char *)"gone"};
    f->policy.deletes = NV__DELETE_MODE__DELETE_MODE_MARKER;
    f->policy.delete_column = (char *)"city";
    f->policy.delete_values = gone;
    f->policy.n_delete_values = 1;
    f->star.sttm->sources[CUSTOMERS]->policy = &f->policy;
    f->star.sttm->sources[CUSTOMERS]->n_key = n_key;
}

static void expect_customers(const fixture_t *f, const char *expected)
{
    expect(f, expected,
           "SELECT string_agg(concat(id, ' ', city, ' ', valid_from, '-', valid_to), ', ' ORDER BY id, "
           "valid_from) "
           "FROM dim_customer WHERE customer_key >= 0");
}

/* The source has a row per version: a marker ends the member at its date until another version begins, in any order of arrival; one
 * with the date of the last version or with none ends it with its batch. */
static void marks_end_versions(void **state)
{
    fixture_t *f = *state;
    mark_customers(f, 2);
    load(f, first_day);
    load(f,
         (const char *[]){"id,city,phone,since\n7,gone,,2024-05-01\n8,gone,,2024-01-01\n9,Thun,1,2024-02-01\n"
                          "9,gone,,\n",
                          NULL, NULL, NULL});
    expect_customers(
        f, "7 Bern 2024-01-01-2024-03-01, 7 Basel 2024-03-01-2024-05-01, 8 Chur 2024-01-01-2024-06-02, "
           "9 Thun 2024-02-01-2024-06-02");
    expect(f, "0", "SELECT count(*) FROM dim_customer WHERE is_current AND customer_key >= 0");
    expect(f, "0", "SELECT count(*) FROM fact_line WHERE customer_key < 0");
    load(f, (const char *[]){
                "id,city,phone,since\n7,Genf,1,2024-05-20\n7,gone,,2024-02-10\n8,Chur,4,2024-01-01\n", NULL,
                NULL, NULL});
    expect_customers(f, "7 Bern 2024-01-01-2024-02-10, 7 Basel 2024-03-01-2024-05-01, 7 Genf 2024-05-20-, "
                        "8 Chur 2024-01-01-, 9 Thun 2024-02-01-2024-06-02");
    load(f, (const char *[]){NULL, NULL, NULL, NULL});
    expect(f, "2", "SELECT count(*) FROM dim_customer WHERE is_current AND customer_key >= 0");
}

/* The source has a row per member. What the table holds of a former end stays, until the member lives from before it. */
static void marks_end_dated_members(void **state)
{
    fixture_t *f = *state;
    mark_customers(f, 1);
    load(f, (const char *[]){
                "id,city,phone,since\n7,Bern,1,2024-01-01\n8,Chur,4,2024-01-01\n9,Thun,4,2024-01-01\n",
                first_day[PRODUCTS], first_day[ORDERS], first_day[BUNDLES]});
    load(f, (const char *[]){
                "id,city,phone,since\n7,gone,1,2024-04-01\n8,gone,4,2024-01-01\n9,gone,,2024-04-01\n", NULL,
                NULL, NULL});
    expect_customers(
        f, "7 Bern 2024-01-01-2024-04-01, 8 Chur 2024-01-01-2024-06-02, 9 Thun 2024-01-01-2024-04-01");
    load(f, (const char *[]){
                "id,city,phone,since\n7,Genf,1,2024-05-01\n8,Chur,4,2024-01-01\n9,Basel,1,2024-02-01\n", NULL,
                NULL, NULL});
    expect_customers(f, "7 Bern 2024-01-01-2024-04-01, 7 Genf 2024-05-01-, 8 Chur 2024-01-01-, 9 Thun "
                        "2024-01-01-2024-02-01, 9 Basel 2024-02-01-");
    load(f, (const char *[]){NULL, NULL, NULL, NULL});
    expect(f, "3", "SELECT count(*) FROM dim_customer WHERE is_current AND customer_key >= 0");
}

/* ---- inferred members ---- */

static void infers_members(void **state)
{
    fixture_t *f = *state;
    add_audit(f, DIM_PRODUCT, "inferred", NV__VALUE_TYPE__VALUE_TYPE_BOOLEAN);
    load(f, first_day);
    load(f, (const char *[]){NULL, NULL, "no,line,customer,sku,day,quantity,amount\n3,1,7,Z,2024-02-01,1,5\n",
                             "sku,part\nA,Y\n"});
    expect(f, "Y,Z",
           "SELECT string_agg(sku, ',' ORDER BY sku) FROM dim_product WHERE inferred AND kind IS NULL");
    expect(f, "0", "SELECT count(*) FROM fact_line WHERE product_key < 0");
    prove(f);
    sees(f, "UPDATE dim_product SET inferred = false", "reconcile_inferred", "dim_product");
    load(f, (const char *[]){NULL, "sku,kind,price\nZ,toy,4\n", NULL, NULL});
    expect(f, "Y", "SELECT string_agg(sku, ',' ORDER BY sku) FROM dim_product WHERE inferred");
    expect(f, "toy", "SELECT kind FROM dim_product JOIN fact_line USING (product_key) WHERE no = 3");
    prove(f);
}

static void infers_versions(void **state)
{
    fixture_t *f = *state;
    add_audit(f, DIM_CUSTOMER, "inferred", NV__VALUE_TYPE__VALUE_TYPE_BOOLEAN);
    load(f, first_day);
    load(f, (const char *[]){NULL, NULL,
                             "no,line,customer,sku,day,quantity,amount\n3,1,99,A,2024-02-01,1,5\n", NULL});
    expect(f, "1900-01-01 true",
           "SELECT valid_from || ' ' || is_current FROM dim_customer WHERE inferred AND id = 99");
    prove(f);
    load(f, (const char *[]){"id,city,phone,since\n99,Thun,1,2024-01-15\n", NULL, NULL, NULL});
    expect(f, "2024-01-15 false", "SELECT valid_from || ' ' || inferred FROM dim_customer WHERE id = 99");
    prove(f);
}

/* ---- drift ---- */

static void other_headers(void **state)
{
    static const char *const header[] = {"note", "phone", "since", "id", NULL};
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    f->policy.new_columns = NV__DRIFT_ACTION__DRIFT_ACTION_ADD;
    f->policy.missing_columns = NV__DRIFT_ACTION__DRIFT_ACTION_NULL;
    f->star.sttm->sources[CUSTOMERS]->policy = &f->policy;
    load(f, first_day);
    if (!load_as(f, (const char *[]){"note,phone,since,id\nnew,9,2024-05-01,8\n", NULL, NULL, NULL}, header,
                 &err))
        fail_msg("%s", err.message);
    expect(f, "9 none",
           "SELECT phone || ' ' || coalesce(city, 'none') FROM dim_customer WHERE id = 8 AND is_current");
    prove(f);
}

static void changed_types_fail(void **state)
{
    fixture_t *f = *state;
    f->policy.changed_types = NV__DRIFT_ACTION__DRIFT_ACTION_FAIL;
    f->star.sttm->sources[PRODUCTS]->policy = &f->policy;
    load(f, first_day);
    prove(f);
    stops(f, (const char *[]){NULL, "sku,kind,price\nD,toy,cheap\n", NULL, NULL}, "price: parses is broken");
}

/* Day 2 has wider numbers than the mapping: a fraction, one beyond 64 bits, more digits on both sides of the point. */
static void numbers_widen(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    reference_batch_t whole = {.number = 1, .time = "2024-06-01 00:00:00"};
    f->policy.changed_types = NV__DRIFT_ACTION__DRIFT_ACTION_WIDEN;
    f->star.sttm->sources[ORDERS]->policy = &f->policy;
    f->star.sttm->sources[PRODUCTS]->policy = &f->policy;
    f->day = 1;
    for (int i = 0; i < SOURCES; i++)
        add_file(f, i, first_day[i]);
    f->day = 2;
    add_file(f, ORDERS,
             "no,line,customer,sku,day,quantity,amount\n3,1,7,A,2024-02-01,2.5,1.2345\n4,1,7,A,2024-02-01,"
             "9223372036854775808,123456789012345.5\n5,1,7,A,2024-02-01,1e3,1\n")
        ->batch = 0;
    validation_input_t input = star_input(&f->star, "star");
    assert_non_null(strstr(validation_plan(f->ctx, &input)->not_told[ORDERS], "widened"));
    if (!star_widen(f->db, &f->star, &err) || !star_create(f->db, &f->star, "star", &err) ||
        !star_load(f->db, &f->star, "star", &whole, &err))
        fail_msg("%s", err.message);
    expect(f, "DECIMAL(38,1) DECIMAL(38,4)",
           "SELECT DISTINCT typeof(quantity) || ' ' || typeof(amount) FROM fact_line");
    expect(f, "DECIMAL(10,2)", "SELECT DISTINCT typeof(price) FROM dim_product");
    expect(f, "2.5 1.2345", "SELECT quantity || ' ' || amount FROM fact_line WHERE no = 3");
    expect(f, "9223372036854775808.0 123456789012345.5000",
           "SELECT quantity || ' ' || amount FROM fact_line WHERE no = 4");
    expect(f, "1", "SELECT count(*) FROM nuvyn_quarantine WHERE source = 'orders'");
    prove(f);
    sees(f, "UPDATE fact_line SET quantity = quantity + 0.1 WHERE no = 3", "reconcile_sum",
         "fact_line.quantity");
}

/* The calendar grows by whole years; a typing error does not stretch it. */
static void calendar_grows(void **state)
{
    fixture_t *f = *state;
    load(f, first_day);
    expect(f, "366", "SELECT count(*) FROM dim_date WHERE date_key >= 0");
    load(f, (const char *[]){
                NULL, NULL,
                "no,line,customer,sku,day,quantity,amount\n3,1,7,A,2026-02-01,1,5\n4,1,7,A,9999-12-31,1,5\n",
                NULL});
    expect(f, "1096", "SELECT count(*) FROM dim_date WHERE date_key >= 0");
    expect(f, "-1,20260201", "SELECT string_agg(day_key, ',' ORDER BY day_key) FROM fact_line WHERE no > 2");
    prove(f);
    sees(f, "DELETE FROM dim_date WHERE date_key >= 20260000", "reconcile_rows", "dim_date");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(drops_rows),
        TEST(only_warns),
        TEST(fails_the_load),
        TEST(stops_at_a_share),
        TEST(quarantines_for_others),
        TEST(keeps_one_of_equals),
        TEST(refuses_at_the_table),
        TEST(marks_delete),
        TEST(snapshots_delete),
        TEST(what_never_lived_is_not_missed),
        TEST(deletes_close_versions),
        TEST(deletes_end_dated_members),
        TEST(marked_members_may_leave_nothing),
        TEST(marks_end_versions),
        TEST(marks_end_dated_members),
        TEST(infers_members),
        TEST(infers_versions),
        TEST(other_headers),
        TEST(changed_types_fail),
        TEST(numbers_widen),
        TEST(calendar_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

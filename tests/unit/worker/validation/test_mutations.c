/* Every kind of damage to loaded tables is seen: the reference stands in for the warehouse, one thing in it is broken at a
 * time, and the Tester's plan must fail on the check that is there for it, naming the table. The last test is the other way
 * round: each kind of check that the plan knows is one that some damage has broken. */
#include "tests/support/star/star.h"
#include "tests/unit/worker/validation/mapping.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Customer 7 moves, then changes nothing; 8 stays. */
static const char *const files[][2] = {
    {"customers", "id,city,phone,since\n7,Bern,1,2024-01-01\n7,Basel,2,2024-03-01\n7,Basel,3,2024-04-01\n"
                  "8,Chur,4,2024-01-01\n9,Genf,5,2024-02-01\n9,Genf,5,2024-02-01\n"},
    {"products", "sku,kind,price\nA,toy,1.50\nB,book,20.00\nC,toy,99.00\n"},
    {"orders",
     "no,line,customer,sku,day,quantity,amount\n1,1,7,A,2024-02-01,1,1.50\n1,2,7,B,2024-02-01,2,40.00\n"
     "2,1,7,C,2024-05-01,1,99.00\n3,1,8,A,2024-05-02,3,4.50\n4,1,99,A,2024-05-02,1,1.50\n"
     "5,1,,B,2024-05-03,1,20.00\n6,1,8,A,2024-05-03,1,-1.00\n6,2,8,A,2024-05-03,1,free\n"
     "1,1,7,A,2024-02-01,1,1.50\n"},
    {"bundles", "sku,part\nA,B\nA,C\n"},
};

/* What is done to the tables, and the check that must fail for it. */
typedef struct mutation {
    const char *what, *sql, *check, *subject;
} mutation_t;

static const mutation_t mutations[] = {
    {"a row of silver is lost", "DELETE FROM silver_orders WHERE no = 3", "reconcile_loaded", "orders"},
    {"a row of silver is doubled", "INSERT INTO silver_products SELECT * FROM silver_products LIMIT 1",
     "reconcile_loaded", "products"},
    {"a refused row is forgotten", "DELETE FROM nuvyn_quarantine WHERE source = 'orders'",
     "reconcile_quarantined", "orders"},
    {"bronze holds a line twice", "INSERT INTO bronze_orders SELECT * FROM bronze_orders LIMIT 1",
     "reconcile_source", "orders"},
    {"bronze lost a duplicate", "DELETE FROM bronze_customers WHERE rowid = 0", "reconcile_duplicates",
     "customers"},
    {"bronze holds another file", "INSERT INTO bronze_orders VALUES ('x.csv', 'unknown')", "source_files",
     "orders"},
    {"a row of a fact is lost", "DELETE FROM fact_line WHERE no = 1 AND line = 1", "reconcile_rows",
     "fact_line"},
    {"a row of a fact is doubled", "INSERT INTO fact_line SELECT * FROM fact_line WHERE no = 2",
     "grain_unique", "fact_line"},
    {"a measure is changed", "UPDATE fact_line SET amount = amount + 0.01 WHERE no = 2", "reconcile_sum",
     "fact_line.amount"},
    {"a measure becomes null", "UPDATE fact_line SET quantity = NULL WHERE no = 2", "reconcile_sum",
     "fact_line.quantity"},
    {"an unmeasured column is changed", "UPDATE dim_product SET kind = 'book' WHERE sku = 'A'",
     "reconcile_content", "dim_product.kind"},
    {"two rows swap their measures",
     "UPDATE fact_line SET amount = CASE no WHEN 2 THEN 4.50 ELSE 99.00 END WHERE no IN (2, 3)",
     "reconcile_records", "fact_line"},
    {"two rows swap their references",
     "UPDATE fact_line f SET product_key = (SELECT p.product_key FROM dim_product p WHERE p.sku = CASE f.no "
     "WHEN 2 "
     "THEN 'A' ELSE 'C' END) WHERE no IN (2, 3)",
     "reconcile_reference", "fact_line.product_key"},
    {"a date is moved", "UPDATE fact_line SET day_key = 20240504 WHERE no = 3", "reconcile_content",
     "fact_line.day_key"},
    {"a date leads nowhere", "UPDATE fact_line SET day_key = 20250101 WHERE no = 3", "referential_integrity",
     "fact_line.day_key"},
    {"a reference leads nowhere", "UPDATE fact_line SET product_key = 4242 WHERE no = 3",
     "referential_integrity", "fact_line.product_key"},
    {"a reference leads to another member",
     "UPDATE fact_line SET product_key = (SELECT product_key FROM dim_product WHERE sku = 'B') WHERE no = 3",
     "reconcile_reference", "fact_line.product_key"},
    {"a reference leads to the wrong version",
     "UPDATE fact_line SET customer_key = (SELECT customer_key FROM dim_customer WHERE id = 7 AND NOT "
     "is_current) "
     "WHERE no = 2",
     "reconcile_reference", "fact_line.customer_key"},
    {"a known member becomes unknown", "UPDATE fact_line SET product_key = -1 WHERE no = 3",
     "reconcile_unknown", "fact_line.product_key"},
    {"an unknown member becomes none", "UPDATE fact_line SET customer_key = -2 WHERE no = 4",
     "reconcile_unknown", "fact_line.customer_key"},
    {"references lead nowhere in the data", "SELECT 1", "unknown_share", "fact_line.customer_key"},
    {"a reference is null", "UPDATE fact_line SET product_key = NULL WHERE no = 3", "not_null",
     "fact_line.product_key"},
    {"a business key is null", "UPDATE dim_product SET sku = NULL WHERE sku = 'A'", "not_null",
     "dim_product.sku"},
    {"a surrogate key is null", "UPDATE dim_product SET product_key = NULL WHERE sku = 'A'", "not_null",
     "dim_product.product_key"},
    {"two members share a surrogate key",
     "UPDATE dim_product SET product_key = (SELECT product_key FROM dim_product WHERE sku = 'A') WHERE sku = "
     "'B'",
     "key_unique", "dim_product.product_key"},
    {"the unknown member is gone", "DELETE FROM dim_product WHERE product_key = -1", "unknown_members",
     "dim_product"},
    {"the unknown day is gone", "DELETE FROM dim_date WHERE date_key = -1", "unknown_members", "dim_date"},
    {"a day is missing", "DELETE FROM dim_date WHERE date_key = 20240229", "reconcile_rows", "dim_date"},
    {"a day is another", "UPDATE dim_date SET date_key = 20250101 WHERE date_key = 20241231",
     "reconcile_span", "dim_date"},
    {"a member is lost", "DELETE FROM dim_product WHERE sku = 'C'", "reconcile_rows", "dim_product"},
    {"a member is there twice",
     "INSERT INTO dim_product SELECT product_key + 1, sku, kind, price FROM dim_product "
     "WHERE sku = 'C'",
     "grain_unique", "dim_product"},
    {"a member belongs to two of the next level",
     "INSERT INTO dim_product SELECT product_key + 1, sku, 'book', price FROM dim_product WHERE sku = 'A'",
     "hierarchy_holds", "dim_product.sku -> kind"},
    {"a value is outside its list", "UPDATE dim_product SET kind = 'car' WHERE sku = 'A'", "accepted_values",
     "dim_product.kind"},
    {"a value is outside its range", "UPDATE dim_product SET price = 100.01 WHERE sku = 'A'", "range",
     "dim_product.price"},
    {"a version begins too late",
     "UPDATE dim_customer SET valid_from = '2024-03-02' WHERE id = 7 AND is_current", "history_intervals",
     "dim_customer"},
    {"a version ends too early",
     "UPDATE dim_customer SET valid_to = '2024-02-01' WHERE id = 7 AND NOT is_current", "history_intervals",
     "dim_customer"},
    {"two versions are current", "UPDATE dim_customer SET is_current = true WHERE id = 7",
     "history_intervals", "dim_customer"},
    {"no version is current", "UPDATE dim_customer SET is_current = NULL WHERE id = 8", "history_intervals",
     "dim_customer"},
    {"the last version has an end", "UPDATE dim_customer SET valid_to = '2024-12-01' WHERE id = 8",
     "history_intervals", "dim_customer"},
    {"two versions agree on a wrong day",
     "UPDATE dim_customer SET valid_to = CASE WHEN is_current THEN NULL ELSE DATE '2024-03-02' END, "
     "valid_from = CASE "
     "WHEN is_current THEN DATE '2024-03-02' ELSE valid_from END WHERE id = 7",
     "reconcile_versions", "dim_customer"},
    {"a closed version is changed", "UPDATE dim_customer SET city = 'Biel' WHERE id = 7 AND NOT is_current",
     "reconcile_versions", "dim_customer"},
    {"a closed version is lost", "DELETE FROM dim_customer WHERE id = 7 AND NOT is_current",
     "reconcile_versions", "dim_customer"},
    {"a link of a bridge is lost", "DELETE FROM bridge_bundle WHERE part = 'C'", "reconcile_rows",
     "bridge_bundle"},
    {"a link of a bridge leads elsewhere", "UPDATE bridge_bundle SET part_key = product_key WHERE part = 'C'",
     "reconcile_reference", "bridge_bundle.part_key"},
};

enum { MUTATIONS = sizeof mutations / sizeof mutations[0] };

typedef struct fixture {
    nv_mem_t *ctx;
    char folder[64];
    star_t star;
    oracle_t *db;
    validation_plan_t *plan;
} fixture_t;

static void run(const fixture_t *f, const char *sql)
{
    nv_error_t err = NV_ERROR_INIT;
    if (!oracle_run(f->db, sql, &err))
        fail_msg("%s\n%s", sql, err.message);
}

static int set_up(void **state)
{
    nv_mem_t *ctx = nv_mem_root("mutations");
    fixture_t *f = NV_NEW(ctx, fixture_t);
    nv_error_t err = NV_ERROR_INIT;
    reference_batch_t first = {.number = 1, .time = "2024-06-01 00:00:00"};
    f->ctx = ctx;
    strcpy(f->folder, "/tmp/nuvyn-mutations-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        test_write_file(f->folder, nv_printf(ctx, "%s.csv", files[i][0]), files[i][1]);
    f->star.sttm = test_mapping(ctx, "shop.json", f->folder);
    if (!star_open(ctx, &f->db, &err) || !star_create(f->db, &f->star, "star", &err) ||
        !star_load(f->db, &f->star, "star", &first, &err))
        fail_msg("%s", err.message);
    validation_input_t input = star_input(&f->star, "star");
    f->plan = validation_plan(ctx, &input);
    for (size_t i = 0; i < f->plan->n_setup; i++)
        run(f, f->plan->setup[i]);
    run(f, "USE " STAR_CATALOG ".star");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture_t *f = *state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        unlink(nv_printf(f->ctx, "%s/%s.csv", f->folder, files[i][0]));
    rmdir(f->folder);
    nv_mem_free(f->ctx);
    return 0;
}

static Nv__Validation *judged(const fixture_t *f)
{
    nv_error_t err = NV_ERROR_INIT;
    Nv__Validation *validation = NULL;
    if (!star_judge(f->ctx, f->db, f->plan, &validation, &err))
        fail_msg("%s", err.message);
    return validation;
}

static const Nv__Check *find(const Nv__Validation *validation, const char *name, const char *subject)
{
    for (size_t i = 0; i < validation->n_checks; i++)
        if (strcmp(validation->checks[i]->name, name) == 0 &&
            strcmp(validation->checks[i]->subject, subject) == 0)
            return validation->checks[i];
    fail_msg("no check %s of %s", name, subject);
    return NULL;
}

/* The reference is what the oracle says, so nothing fails; only what the data themselves have wrong is a warning. */
static void sound_tables_pass(void **state)
{
    const fixture_t *f = *state;
    const Nv__Validation *validation = judged(f);
    for (size_t i = 0; i < validation->n_checks; i++)
        if (validation->checks[i]->status == NV__CHECK_STATUS__CHECK_STATUS_FAIL)
            fail_msg("%s", validation->checks[i]->message);
    assert_true(validation->passed);
}

static void damage_is_seen(void **state)
{
    const fixture_t *f = *state;
    for (size_t i = 0; i < MUTATIONS; i++) {
        const mutation_t *m = &mutations[i];
        bool only_warns = strcmp(m->check, "source_files") == 0 || strcmp(m->check, "unknown_share") == 0 ||
                          strcmp(m->check, "hierarchy_holds") == 0;
        run(f, "BEGIN");
        run(f, m->sql);
        const Nv__Validation *validation = judged(f);
        run(f, "ROLLBACK");
        const Nv__Check *check = find(validation, m->check, m->subject);
        Nv__CheckStatus wanted =
            only_warns ? NV__CHECK_STATUS__CHECK_STATUS_WARN : NV__CHECK_STATUS__CHECK_STATUS_FAIL;
        if (check->status != wanted || (!only_warns && validation->passed))
            fail_msg("%s: %s of %s does not see it", m->what, m->check, m->subject);
        if (!strstr(check->message, m->subject))
            fail_msg("%s: \"%s\" does not name %s", m->what, check->message, m->subject);
    }
}

static bool is_broken_by_some(const char *check)
{
    for (size_t i = 0; i < MUTATIONS; i++)
        if (strcmp(mutations[i].check, check) == 0)
            return true;
    return false;
}

static void every_check_can_fail(void **state)
{
    const fixture_t *f = *state;
    for (size_t i = 0; i < f->plan->n_groups; i++)
        for (size_t k = 0; k < f->plan->groups[i].n_checks; k++)
            if (!is_broken_by_some(f->plan->groups[i].checks[k].name))
                fail_msg("nothing breaks %s", f->plan->groups[i].checks[k].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_tables_pass),
        cmocka_unit_test(damage_is_seen),
        cmocka_unit_test(every_check_can_fail),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

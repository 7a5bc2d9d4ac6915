/* Small systems of raw tables, each with a trap. */
#include "tests/unit/worker/discovery/relate_fixture.h"

static char *customer(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "%d,Name %d,c%d@example.com,City %d", i, i, i, i % 7);
}

static char *product(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "%d,Product %d,%d.50", i, i, 3 + i % 9);
}

static char *order(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "%d,%d,2024-%02d-%02d,%d.25", 1000 + i, 1 + i * 7 % 40, 1 + i % 12, 1 + i % 28,
                     i % 90);
}

static char *line(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "%d,%d,%d,%d,%d.00", 1001 + (i - 1) / 3, (i - 1) % 3 + 1, 1 + i * 11 % 30,
                     1 + i % 5, i % 50);
}

/* All ids run from 1: every small set lies inside every larger one, and quantity lies inside them all. */
static void add_shop(fixture_t *f)
{
    add(f, "customers", rows(f, "customer_id,name,email,city", 40, customer));
    add(f, "products", rows(f, "product_id,product_name,price", 30, product));
    add(f, "orders", rows(f, "order_id,customer_id,order_date,freight", 100, order));
    add(f, "order_items", rows(f, "order_id,line_no,product_id,quantity,amount", 300, line));
}

static void test_surrogate_traps(void **state)
{
    fixture_t *f = *state;
    add_shop(f);
    relate(f, false);
    expect_join(f, "orders", "customer_id", "customers");
    expect_join(f, "order_items", "order_id", "orders");
    expect_join(f, "order_items", "product_id", "products");
    assert_null(join(f, "order_items", "quantity"));
    assert_null(join(f, "order_items", "line_no"));
    assert_null(join(f, "products", "product_id"));
    assert_int_equal(f->found->n_joins, 3);
}

static void test_keys(void **state)
{
    fixture_t *f = *state;
    add_shop(f);
    relate(f, false);
    assert_string_equal(key(f, "customers")->columns[0], "customer_id");
    const Nv__PrimaryKey *lines = key(f, "order_items");
    assert_non_null(lines);
    assert_int_equal(lines->n_columns, 2);
    assert_string_equal(lines->columns[0], "order_id");
    assert_string_equal(lines->columns[1], "line_no");
    assert_int_equal(lines->violations, 0);
}

static void test_roles(void **state)
{
    fixture_t *f = *state;
    add_shop(f);
    relate(f, false);
    assert_int_equal(role(f, "order_items"), NV__TABLE_ROLE__TABLE_ROLE_FACT);
    assert_int_equal(role(f, "orders"), NV__TABLE_ROLE__TABLE_ROLE_FACT);
    assert_int_equal(role(f, "customers"), NV__TABLE_ROLE__TABLE_ROLE_DIMENSION);
    assert_int_equal(role(f, "products"), NV__TABLE_ROLE__TABLE_ROLE_DIMENSION);
}

static char *employee(nv_mem_t *ctx, int i)
{
    return i == 1 ? nv_strdup(ctx, "1,Ann,") : nv_printf(ctx, "%d,Name %d,%d", i, i, 1 + (i - 2) / 3);
}

static void test_self_reference(void **state)
{
    fixture_t *f = *state;
    add(f, "employees", rows(f, "employee_id,name,reports_to", 20, employee));
    add_shop(f);
    relate(f, false);
    expect_join(f, "employees", "reports_to", "employees");
}

static char *airport(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "%c%c%c,Airport %d", 'A' + i % 26, 'A' + i * 7 % 26, 'A' + i * 3 % 26, i);
}

static char *flight(nv_mem_t *ctx, int i)
{
    int a = 1 + i % 20, b = 1 + (i * 3 + 1) % 20;
    return nv_printf(ctx, "%d,%c%c%c,%c%c%c,2024-01-%02d,%d", i, 'A' + a % 26, 'A' + a * 7 % 26,
                     'A' + a * 3 % 26, 'A' + b % 26, 'A' + b * 7 % 26, 'A' + b * 3 % 26, 1 + i % 28, 100 + i);
}

static void test_role_playing(void **state)
{
    fixture_t *f = *state;
    add(f, "airports", rows(f, "code,airport_name", 20, airport));
    add(f, "flights",
        rows(f, "flight_id,origin_airport,destination_airport,flight_date,distance", 120, flight));
    relate(f, false);
    expect_join(f, "flights", "origin_airport", "airports");
    expect_join(f, "flights", "destination_airport", "airports");
    assert_string_equal(join(f, "flights", "origin_airport")->role, "origin");
    assert_string_equal(join(f, "flights", "destination_airport")->role, "destination");
}

static void test_empty_tables_by_name_only(void **state)
{
    fixture_t *f = *state;
    add_shop(f);
    add(f, "customer_groups", "group_id,description\n");
    add(f, "customer_group_members", "customer_id,group_id\n");
    relate(f, false);
    const Nv__Join *found = join(f, "customer_group_members", "customer_id");
    if (found != NULL)
        assert_string_equal(found->to, "customers");
    assert_null(join(f, "customers", "customer_id"));
}

static void test_dirty_key_and_duplicates(void **state)
{
    fixture_t *f = *state;
    char *csv = rows(f, "customer_id,name,email,city", 200, customer);
    /* one exact duplicate row, and one key that comes again with another city */
    csv = nv_printf(f->ctx, "%s%s\n%s\n", csv, "5,Name 5,c5@example.com,City 5",
                    "9,Name 9,c9@example.com,Elsewhere");
    add(f, "customers", csv);
    add(f, "orders", rows(f, "order_id,customer_id,order_date,freight", 100, order));
    relate(f, false);
    const Nv__PrimaryKey *found = key(f, "customers");
    assert_non_null(found);
    assert_string_equal(found->columns[0], "customer_id");
    assert_int_equal(found->violations, 1);
    expect_join(f, "orders", "customer_id", "customers");
}

static void test_safe_is_a_subset(void **state)
{
    fixture_t *f = *state;
    add_shop(f);
    add(f, "employees", rows(f, "employee_id,name,reports_to", 20, employee));
    relate(f, false);
    size_t full = f->found->n_joins;
    relate(f, true);
    assert_true(f->found->n_joins <= full);
    double sum = 0;
    for (size_t i = 0; i < f->found->n_joins; i++)
        sum += f->found->joins[i]->probability;
    assert_true(f->found->n_joins == 0 || sum / (double)f->found->n_joins >= 0.98);
}

static void test_deterministic(void **state)
{
    fixture_t *f = *state;
    add_shop(f);
    relate(f, false);
    size_t n = nv__relations__get_packed_size(f->found);
    uint8_t *first = nv_alloc(f->ctx, n), *second = nv_alloc(f->ctx, n);
    nv__relations__pack(f->found, first);
    relate(f, false);
    assert_int_equal(nv__relations__get_packed_size(f->found), n);
    nv__relations__pack(f->found, second);
    assert_memory_equal(first, second, n);
}

static void test_doubled_tables_are_refused(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    add(f, "a", "id\n1\n");
    add(f, "a", "id\n1\n");
    assert_false(discovery_relate(f->ctx, mini_profile(f->mini), NULL, &f->found, &err));
    assert_int_equal(err.code, NV_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "profile.tables[1].name"));
}

static bool never_counts(void *self, const discovery_check_t *checks, size_t n, discovery_counts_t *out,
                         nv_error_t *err)
{
    (void)self, (void)checks, (void)n, (void)out;
    return nv_fail(err, NV_UNAVAILABLE, "disk full");
}

static void test_failed_counting_is_an_error(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    discovery_exact_t exact = {.count = never_counts};
    discovery_options_t options = {.exact = &exact};
    add_shop(f);
    assert_false(discovery_relate(f->ctx, mini_profile(f->mini), &options, &f->found, &err));
    assert_int_equal(err.code, NV_UNAVAILABLE);
    assert_non_null(strstr(err.message, "disk full"));
}

static char *bin_line(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "%d,%d,%d,%d.5", (i - 1) / 60 + 1, (i - 1) / 6 % 10 + 1, (i - 1) % 6 + 1, i % 7);
}

static char *aisle_line(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "%d,%d,side %c", (i - 1) / 10 + 1, (i - 1) % 10 + 1, 'a' + i % 5);
}

static char *count_line(nv_mem_t *ctx, int i)
{
    int k = i * 7 % 300;
    return nv_printf(ctx, "%d,%d,%d,%d,%d", i, k / 60 + 1, k / 6 % 10 + 1, k % 6 + 1, i * 13 % 97);
}

/* A count refers to its bin; that the bin's aisle holds it too follows from that and is not said again. */
static void test_a_chain_of_composite_keys(void **state)
{
    fixture_t *f = *state;
    add(f, "aisle", rows(f, "zone_no,aisle_no,label", 50, aisle_line));
    add(f, "bin", rows(f, "zone_no,aisle_no,bin_no,height", 300, bin_line));
    add(f, "stock_count", rows(f, "count_id,zone_no,aisle_no,bin_no,quantity", 900, count_line));
    relate(f, false);
    const Nv__Join *whole = NULL;
    for (size_t i = 0; i < f->found->n_joins; i++) {
        const Nv__Join *found = f->found->joins[i];
        if (strcmp(found->from, "stock_count") != 0)
            continue;
        assert_string_not_equal(found->to, "aisle");
        if (strcmp(found->to, "bin") == 0 && found->n_columns == 3)
            whole = found;
    }
    assert_non_null(whole);
    expect_join(f, "bin", "zone_no", "aisle");
}

/* Every column is unique in a handful of rows: names and structure tell a link from a thing, and a loader's columns tell nothing. */
static void test_a_handful_of_rows(void **state)
{
    fixture_t *f = *state;
    add(f, "board",
        "id,_fivetran_synced,name\n5,2020-11-22 12:00:01,Alpha\n7,2020-11-22 12:00:02,Beta\n9,2020-11-22 "
        "12:00:03,Gamma\n");
    add(f, "project",
        "id,_fivetran_synced,name\n10004,2020-11-22 12:00:01,One\n10006,2020-11-22 "
        "12:00:02,Two\n10007,2020-11-22 12:00:03,Three\n");
    add(f, "project_board",
        "board_id,project_id,_fivetran_synced\n7,10006,2020-11-22 12:00:01\n5,10004,2020-11-22 "
        "12:00:02\n9,10007,2020-11-22 12:00:03\n");
    relate(f, false);
    assert_int_equal(role(f, "project_board"), NV__TABLE_ROLE__TABLE_ROLE_BRIDGE);
    assert_int_equal(key(f, "project_board")->n_columns, 2);
    expect_join(f, "project_board", "board_id", "board");
    expect_join(f, "project_board", "project_id", "project");
    assert_null(join(f, "project_board", "_fivetran_synced"));
    assert_null(join(f, "board", "_fivetran_synced"));
}

static char *player_line(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "%d,ply%02dx,Name %d", i, i, i);
}

static char *batting_line(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "ply%02dx,%d,%d", 1 + i % 60, 1990 + i / 60, (i * 7) % 50);
}

static char *salary_line(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "ply%02dx,%d,%d", 1 + i % 40, 1990 + i / 60, 1000 * ((i * 13) % 90));
}

/* Statistics of the same seasons: the player is referred to by the key that all tables use, and no statistic refers to another. */
static void test_statistics_of_the_same_seasons(void **state)
{
    fixture_t *f = *state;
    add(f, "people", rows(f, "ID,playerID,fullName", 60, player_line));
    add(f, "batting", rows(f, "playerID,yearID,hits", 480, batting_line));
    add(f, "salaries", rows(f, "playerID,yearID,salary", 480, salary_line));
    add(f, "pitching", rows(f, "playerID,yearID,wins", 480, batting_line));
    relate(f, false);
    expect_join(f, "batting", "playerID", "people");
    expect_join(f, "salaries", "playerID", "people");
    for (size_t i = 0; i < f->found->n_joins; i++)
        assert_string_equal(f->found->joins[i]->to, "people");
}

/* One customer a line in each of three files; some have moved in between. */
static char *snapshot_line(nv_mem_t *ctx, int i)
{
    int customer = (i - 1) % 60 + 1, file = (i - 1) / 60;
    return nv_printf(ctx, "%d,Name %d,%s %d", customer, customer,
                     file > 0 && customer % 3 == file - 1 ? "moved" : "city", customer % 7);
}

static char *bought_line(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "%d,%d,2024-01-%02d,%d.50", i, i * 7 % 60 + 1, i % 28 + 1, i);
}

/* Snapshots in files: a key that repeats in every file is one all the same, and what changed in between is counted. */
static void test_snapshots_in_files(void **state)
{
    fixture_t *f = *state;
    Nv__SourceFile file = NV__SOURCE_FILE__INIT;
    Nv__SourceFile *files[] = {&file, &file, &file};
    file.rows = 60;
    add(f, "customers", rows(f, "customer_id,name,city", 180, snapshot_line));
    add(f, "orders", rows(f, "order_id,customer_id,ordered_on,amount", 120, bought_line));
    relate(f, false);
    assert_true(key(f, "customers") == NULL ||
                key(f, "customers")->n_columns > 1); /* in one file it is none */
    Nv__TableProfile *customers = mini_profile(f->mini)->tables[0];
    customers->files = files;
    customers->n_files = 3;
    relate(f, false);
    assert_non_null(key(f, "customers"));
    assert_int_equal(key(f, "customers")->n_columns, 1);
    assert_string_equal(key(f, "customers")->columns[0], "customer_id");
    assert_true(key(f, "customers")->violations > 0);
    expect_join(f, "orders", "customer_id", "customers");
    assert_int_equal(f->found->n_changes, 2);
    assert_string_equal(f->found->changes[0]->column, "name");
    assert_int_equal(f->found->changes[0]->changes, 0);
    assert_int_equal(f->found->changes[1]->changes, 40); /* a third moved on each of two days */
    assert_int_equal(f->found->changes[1]->keys, 60);
    customers->files = NULL;
    customers->n_files = 0;
}

/* Employee i reports to (i + 1) / 3. */
static char *reporting(nv_mem_t *ctx, int i)
{
    return i == 1 ? nv_strdup(ctx, "1,Name 1,") : nv_printf(ctx, "%d,Name %d,%d", i, i, (i + 1) / 3);
}

/* Each employee with all above, nearest first. */
static char *closure(nv_mem_t *ctx, int i)
{
    char *lines = nv_printf(ctx, "%d,%d,0", i, i);
    int above = i, distance = 0;
    while (above > 1) {
        above = (above + 1) / 3;
        lines = nv_printf(ctx, "%s\n%d,%d,%d", lines, i, above, ++distance);
    }
    return lines;
}

/* Who reports to whom is found in the closure of it, which refers to employees, and not they to it. */
static void test_a_closure_is_not_referred_to(void **state)
{
    fixture_t *f = *state;
    add(f, "employee", rows(f, "employee_id,full_name,supervisor_id", 300, reporting));
    add(f, "employee_closure", rows(f, "employee_id,supervisor_id,distance", 300, closure));
    relate(f, false);
    expect_join(f, "employee_closure", "employee_id", "employee");
    for (size_t i = 0; i < f->found->n_joins; i++)
        assert_string_not_equal(f->found->joins[i]->to, "employee_closure");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_surrogate_traps),
        TEST(test_keys),
        TEST(test_roles),
        TEST(test_self_reference),
        TEST(test_role_playing),
        TEST(test_empty_tables_by_name_only),
        TEST(test_dirty_key_and_duplicates),
        TEST(test_safe_is_a_subset),
        TEST(test_deterministic),
        TEST(test_doubled_tables_are_refused),
        TEST(test_failed_counting_is_an_error),
        TEST(test_a_handful_of_rows),
        TEST(test_statistics_of_the_same_seasons),
        TEST(test_snapshots_in_files),
        TEST(test_a_closure_is_not_referred_to),
        TEST(test_a_chain_of_composite_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Dimensions of a warehouse that names its columns after abbreviations of their tables and dates by keys of a calendar. */
#include "tests/unit/worker/design/fixture.h"

static int set_up(void **state)
{
    fixture_t *f = fixture_new();
    bool ok =
        fixture_csv(f, "date_dim",
                    "d_date_sk,d_date,d_year,d_day_name\n1,2024-01-01,2024,Monday\n2,2024-01-02,2024,"
                    "Tuesday\n3,2024-01-03,2024,Wednesday\n") &&
        fixture_csv(f, "customer_address",
                    "ca_address_sk,ca_city,ca_zip\n7,Bonn,53111\n8,Lyon,69001\n9,Nice,06000\n") &&
        fixture_csv(f, "customer",
                    "c_customer_sk,c_name,c_current_addr_sk,c_first_sales_date_sk\n1,Ann,7,1\n2,Bob,8,3\n") &&
        fixture_csv(f, "web_page", "wp_web_page_sk,wp_url,wp_customer_sk\n1,/a,1\n2,/b,2\n3,/c,1\n") &&
        fixture_csv(f, "web_sales",
                    "ws_order_number,ws_sold_date_sk,ws_customer_sk,ws_addr_sk,ws_web_page_sk,ws_quantity\n"
                    "1,1,1,7,1,5\n2,2,2,8,2,3\n3,3,1,9,3,9\n4,3,2,8,1,2\n");
    fixture_key(f, "date_dim", "d_date_sk", NULL);
    fixture_key(f, "customer_address", "ca_address_sk", NULL);
    fixture_key(f, "customer", "c_customer_sk", NULL);
    fixture_key(f, "web_page", "wp_web_page_sk", NULL);
    fixture_key(f, "web_sales", "ws_order_number", NULL);
    fixture_join(f, "customer", "c_current_addr_sk", "customer_address", "ca_address_sk");
    fixture_join(f, "customer", "c_first_sales_date_sk", "date_dim", "d_date_sk");
    fixture_join(f, "web_page", "wp_customer_sk", "customer", "c_customer_sk");
    fixture_join(f, "web_sales", "ws_sold_date_sk", "date_dim", "d_date_sk");
    fixture_join(f, "web_sales", "ws_customer_sk", "customer", "c_customer_sk");
    fixture_join(f, "web_sales", "ws_addr_sk", "customer_address", "ca_address_sk");
    fixture_join(f, "web_sales", "ws_web_page_sk", "web_page", "wp_web_page_sk");
    fixture_role(f, "date_dim", NV__TABLE_ROLE__TABLE_ROLE_DIMENSION);
    fixture_role(f, "customer_address", NV__TABLE_ROLE__TABLE_ROLE_DIMENSION);
    fixture_role(f, "customer", NV__TABLE_ROLE__TABLE_ROLE_DIMENSION);
    fixture_role(f, "web_page", NV__TABLE_ROLE__TABLE_ROLE_DIMENSION);
    fixture_role(f, "web_sales", NV__TABLE_ROLE__TABLE_ROLE_FACT);
    *state = f;
    if (ok)
        fixture_must_design(f);
    return ok ? 0 : -1;
}

static int tear_down(void **state)
{
    fixture_t *f = *state;
    nv_mem_free(f->ctx);
    return 0;
}

static bool has_attribute(const Nv__DimensionDesign *dimension, const char *name)
{
    for (size_t i = 0; i < dimension->n_attributes; i++) {
        if (strcmp(dimension->attributes[i]->name, name) == 0)
            return true;
    }
    return false;
}

static void test_of_a_calendar_only_the_day_is_repeated(void **state)
{
    const Nv__DimensionDesign *customer = fixture_dimension(*state, "dim_customer");
    assert_non_null(fixture_dimension(*state, "dim_date"));
    assert_true(has_attribute(customer, "first_sales_date"));
    for (size_t i = 0; i < customer->n_attributes; i++) {
        assert_string_not_equal(customer->attributes[i]->source->column, "d_year");
        assert_string_not_equal(customer->attributes[i]->source->column, "d_day_name");
    }
}

static void test_what_lies_behind_a_dimension_stays_there(void **state)
{
    const Nv__DimensionDesign *customer = fixture_dimension(*state, "dim_customer"),
                              *page = fixture_dimension(*state, "dim_web_page");
    assert_true(has_attribute(customer, "customer_address_city"));
    assert_true(has_attribute(page, "customer_name"));
    assert_int_equal(page->n_flattened, 1);
    for (size_t i = 0; i < page->n_attributes; i++) {
        assert_string_not_equal(page->attributes[i]->source->table, "customer_address");
        assert_string_not_equal(page->attributes[i]->source->table, "date_dim");
        assert_string_not_equal(page->attributes[i]->source->column, "c_current_addr_sk");
    }
}

static void test_names_without_abbreviations_of_their_tables(void **state)
{
    fixture_t *f = *state;
    assert_true(has_attribute(fixture_dimension(f, "dim_customer_address"), "city"));
    assert_true(has_attribute(fixture_dimension(f, "dim_web_page"), "url"));
    const Nv__FactDesign *sale = fixture_fact(f, "fact_web_sale");
    assert_int_equal(sale->n_measures, 1);
    assert_string_equal(sale->measures[0]->name, "quantity");
}

/* Relations are a document that may come from elsewhere. */
static void test_a_join_over_unknown_columns_is_dropped(void **state)
{
    fixture_t *f = *state;
    fixture_join(f, "customer", "c_birth_date_sk", "date_dim", "d_date_sk");
    fixture_must_design(f);
    assert_int_equal(f->star->n_notes, 1);
    assert_non_null(strstr(f->star->notes[0], "customer(c_birth_date_sk)"));
}

static void test_what_is_too_much_for_a_dimension_is_said(void **state)
{
    (void)state;
    fixture_t *f = fixture_new();
    char *header = nv_strdup(f->ctx, "sensor_id"), *a = nv_strdup(f->ctx, "1"), *b = nv_strdup(f->ctx, "2");
    for (int i = 0; i < 402; i++) {
        header = nv_printf(f->ctx, "%s,label%d", header, i);
        a = nv_printf(f->ctx, "%s,x%d", a, i);
        b = nv_printf(f->ctx, "%s,y%d", b, i);
    }
    assert_true(fixture_csv(f, "sensors", nv_printf(f->ctx, "%s\n%s\n%s\n", header, a, b)));
    assert_true(fixture_csv(f, "readings", "reading_id,sensor_id,level\n1,1,5\n2,2,6\n3,1,7\n"));
    fixture_key(f, "sensors", "sensor_id", NULL);
    fixture_key(f, "readings", "reading_id", NULL);
    fixture_join(f, "readings", "sensor_id", "sensors", "sensor_id");
    fixture_role(f, "sensors", NV__TABLE_ROLE__TABLE_ROLE_DIMENSION);
    fixture_role(f, "readings", NV__TABLE_ROLE__TABLE_ROLE_FACT);
    fixture_must_design(f);
    assert_int_equal(fixture_dimension(f, "dim_sensor")->n_attributes, 400);
    assert_int_equal(f->star->n_left_out, 2);
    assert_string_equal(f->star->left_out[0]->reason,
                        "dim_sensor has 400 attributes already, the most that a dimension gets");
    nv_mem_free(f->ctx);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

/* "alias.column" that a column of a dimension copies; "" where there is no such column. */
static const char *copied(const fixture_t *f, const char *dimension, const char *name)
{
    for (size_t t = 0; t < f->sttm->n_targets; t++)
        for (size_t i = 0; i < f->sttm->targets[t]->n_columns; i++) {
            const Nv__SttmColumn *column = f->sttm->targets[t]->columns[i];
            if (strcmp(f->sttm->targets[t]->name, dimension) == 0 && strcmp(column->name, name) == 0)
                return nv_printf(f->ctx, "%s.%s", column->transform->inputs[0]->alias,
                                 column->transform->inputs[0]->column);
        }
    return "";
}

static void test_members_say_what_their_parents_are_called(void **state)
{
    (void)state;
    fixture_t *f = fixture_new();
    assert_true(
        fixture_csv(f, "category", "category_id,category_name,parent_id\n1,Food,\n2,Tea,1\n3,Green,2\n") &&
        fixture_csv(f, "product", "product_id,title,category_id\n7,Sencha,3\n8,Assam,2\n9,Bread,1\n") &&
        fixture_csv(f, "employee", "employee_id,name,manager_id\n1,Ann,\n2,Bob,1\n3,Cyd,1\n") &&
        fixture_csv(f, "sale",
                    "sale_id,product_id,employee_id,quantity\n1,7,1,5\n2,8,2,3\n3,9,3,9\n4,7,2,2\n"));
    fixture_key(f, "category", "category_id", NULL);
    fixture_key(f, "product", "product_id", NULL);
    fixture_key(f, "employee", "employee_id", NULL);
    fixture_key(f, "sale", "sale_id", NULL);
    fixture_join(f, "category", "parent_id", "category", "category_id");
    fixture_join(f, "product", "category_id", "category", "category_id");
    fixture_join(f, "employee", "manager_id", "employee", "employee_id")->role = nv_strdup(f->ctx, "manager");
    fixture_join(f, "sale", "product_id", "product", "product_id");
    fixture_join(f, "sale", "employee_id", "employee", "employee_id");
    fixture_role(f, "category", NV__TABLE_ROLE__TABLE_ROLE_DIMENSION);
    fixture_role(f, "product", NV__TABLE_ROLE__TABLE_ROLE_DIMENSION);
    fixture_role(f, "employee", NV__TABLE_ROLE__TABLE_ROLE_DIMENSION);
    fixture_role(f, "sale", NV__TABLE_ROLE__TABLE_ROLE_FACT);
    fixture_must_design(f);
    assert_string_equal(copied(f, "dim_product", "category_name"), "category.category_name");
    assert_string_equal(copied(f, "dim_product", "parent_category_name"), "parent_category.category_name");
    assert_string_equal(copied(f, "dim_employee", "employee_name"), "d.name");
    assert_string_equal(copied(f, "dim_employee", "manager_name"), "manager_employee.name");
    nv_mem_free(f->ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_of_a_calendar_only_the_day_is_repeated),
        TEST(test_what_lies_behind_a_dimension_stays_there),
        TEST(test_names_without_abbreviations_of_their_tables),
        TEST(test_a_join_over_unknown_columns_is_dropped),
        cmocka_unit_test(test_what_is_too_much_for_a_dimension_is_said),
        cmocka_unit_test(test_members_say_what_their_parents_are_called),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

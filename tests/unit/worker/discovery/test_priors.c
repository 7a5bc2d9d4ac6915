/* What names and structure say where values prove nothing, each beside a case where the values do mean it. */
#include "tests/unit/worker/discovery/relate_fixture.h"

static void expect_key(const fixture_t *f, const char *table, size_t n, const char *const *columns)
{
    const Nv__PrimaryKey *found = key(f, table);
    if (found == NULL)
        fail_msg("%s: no key", table);
    assert_int_equal(found->n_columns, n);
    for (size_t i = 0; i < n; i++) {
        bool in = false;
        for (size_t k = 0; k < n; k++)
            in = in || strcmp(found->columns[k], columns[i]) == 0;
        if (!in)
            fail_msg("%s: %s is not in the key", table, columns[i]);
    }
}

static char *county(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "%d,County %d", i, i);
}

static char *ward(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "%d,Ward %d,%d", i, i, 1 + i % 40);
}

static char *place(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "%d,%s,%d,%d.25,%d.5", i, i % 3 == 0 ? "county" : "ward", 1 + i * 7 % 40, i % 90,
                     i);
}

/* Which table "entity_id" means changes with entity_type: it refers to none, and "county_id" does. */
static void test_a_reference_to_one_of_several(void **state)
{
    fixture_t *f = *state;
    add(f, "counties", rows(f, "id,name", 40, county));
    add(f, "wards", rows(f, "id,name,county_id", 200, ward));
    add(f, "coordinates", rows(f, "id,entity_type,entity_id,latitude,longitude", 80, place));
    relate(f, false);
    expect_join(f, "wards", "county_id", "counties");
    assert_null(join(f, "coordinates", "entity_id"));
}

static char *drink(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "%d,%d,Drink %d,%d.50", i, (i - 1) % 30 + 1, (i - 1) % 30 + 1, 2 + i % 4);
}

static char *sip(nv_mem_t *ctx, int i)
{
    int version = i % 60 + 1;
    return nv_printf(ctx, "%d,%d,%d,%d", i, version, (version - 1) % 30 + 1, 1 + i % 4);
}

/* Two prices of each product: "product_id" means the product_id there, not the row that "product_record_id" refers to. */
static void test_a_namesake_in_the_target(void **state)
{
    fixture_t *f = *state;
    add(f, "dim_products", rows(f, "record_id,product_id,name,price", 60, drink));
    add(f, "order_lines", rows(f, "order_line_id,product_record_id,product_id,quantity", 400, sip));
    relate(f, false);
    expect_join(f, "order_lines", "product_record_id", "dim_products");
    const Nv__Join *found = join(f, "order_lines", "product_id");
    if (found != NULL)
        assert_string_not_equal(found->to_columns[0], "record_id");
}

static char *staff(nv_mem_t *ctx, int i)
{
    return i == 1 ? nv_strdup(ctx, "101,Name 1,")
                  : nv_printf(ctx, "%d,Name %d,%d", 100 + i, i, 100 + (i + 2) / 4);
}

static char *department(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "%d,Department %d,%d", i * 10, i, 100 + i * 7 % 60 + 1);
}

/* Both have a manager_id, and both mean an employee. */
static void test_a_namesake_that_refers_too(void **state)
{
    fixture_t *f = *state;
    add(f, "employees", rows(f, "employee_id,full_name,manager_id", 60, staff));
    add(f, "departments", rows(f, "department_id,department_name,manager_id", 25, department));
    relate(f, false);
    expect_join(f, "employees", "manager_id", "employees");
    expect_join(f, "departments", "manager_id", "employees");
}

static char *visit(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "%d,%d,2024-01-%02d,%d", i, 1 + i % 90, 1 + i % 28, 1950 + i % 50);
}

static char *person(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "%d,Name %d,%d,%d", i, i, 1940 + i % 60, 1 + i % 52);
}

/* A year of birth is found among the numbers of many visits, and one event's running number among another's. */
static void test_numbers_that_mean_something_else(void **state)
{
    fixture_t *f = *state;
    add(f, "person", rows(f, "person_id,full_name,year_of_birth,week_of_birth", 90, person));
    add(f, "visit", rows(f, "visit_id,person_id,visit_date,score", 2500, visit));
    add(f, "observation", rows(f, "observation_id,person_id,observation_date,score", 700, visit));
    relate(f, false);
    expect_join(f, "visit", "person_id", "person");
    expect_join(f, "observation", "person_id", "person");
    assert_null(join(f, "person", "year_of_birth"));
    assert_null(join(f, "person", "week_of_birth"));
    assert_null(join(f, "observation", "observation_id"));
}

static char *section(nv_mem_t *ctx, int i)
{
    static const char *const terms[] = {"Spring", "Summer", "Fall"};
    int n = i - 1;
    return nv_printf(ctx, "C-%d,%d,%s,%d,Room %d", 100 + n % 4, n / 4 % 2 + 1, terms[n / 8], 2016 + n % 3,
                     n * 5 % 7);
}

/* A semester is no time without its year, although no section of one semester comes again in another year here. */
static void test_a_part_of_the_year(void **state)
{
    fixture_t *f = *state;
    add(f, "section", rows(f, "course_id,sec_id,semester,year,room", 24, section));
    relate(f, false);
    expect_key(f, "section", 4, (const char *[]){"course_id", "sec_id", "semester", "year"});
}

static const char candidates[] = "id,_fivetran_synced,name\n"
                                 "193001,2020-12-18 09:40:52,Ann\n193107,2020-12-18 09:40:53,Bob\n"
                                 "194220,2020-12-18 09:40:54,Cid\n";

/* What counts within a reference belongs to the key, though no one has a second address here. */
static void test_counted_within_a_reference(void **state)
{
    fixture_t *f = *state;
    add(f, "candidate", candidates);
    add(f, "candidate_email_address",
        "candidate_id,index,_fivetran_synced,type,value\n193001,0,2020-12-18 09:40:52,other,a@example.com\n"
        "194220,0,2020-12-18 09:40:53,other,c@example.com\n");
    relate(f, false);
    expect_key(f, "candidate_email_address", 2, (const char *[]){"candidate_id", "index"});
    expect_key(f, "candidate", 1, (const char *[]){"id"});
}

/* A history tells of the same thing again in each version: so of an application, and of a link between two things. */
static void test_versions_in_a_handful_of_rows(void **state)
{
    fixture_t *f = *state;
    add(f, "candidate", candidates);
    add(f, "application_history",
        "application_id,updated_at,_fivetran_synced,new_status\n2269,2021-02-01 14:34:32,2021-02-01 "
        "15:08:57,hired\n"
        "2406,2021-01-30 12:00:00,2021-02-02 09:08:35,hired\n");
    add(f, "candidate_tag_history",
        "candidate_id,tag_id,candidate_updated_at,_fivetran_synced\n193001,7,2021-02-01 14:34:32,2021-02-01 "
        "15:08:57\n"
        "193107,9,2021-01-30 12:00:00,2021-02-02 09:08:35\n");
    add(f, "tag", "id,_fivetran_synced,name\n7,2021-02-02 09:08:35,red\n9,2021-02-02 09:08:36,blue\n");
    relate(f, false);
    expect_key(f, "application_history", 2, (const char *[]){"application_id", "updated_at"});
    expect_key(f, "candidate_tag_history", 3,
               (const char *[]){"candidate_id", "tag_id", "candidate_updated_at"});
}

/* In three rows numbers meet by accident; a name that says which is believed. */
static void test_numbers_of_a_handful_of_rows(void **state)
{
    fixture_t *f = *state;
    add(f, "location",
        "id,_fivetran_synced,name\n3001,2025-07-18 11:00:00,North\n3002,2025-07-18 "
        "11:01:00,South\n3003,2025-07-18 11:02:00,West\n");
    add(f, "stock",
        "id,_fivetran_synced,location_id,variant_id,amount\n11,2025-07-18 11:00:00,3001,3003,4\n"
        "12,2025-07-18 11:01:00,3003,3002,9\n13,2025-07-18 11:02:00,3002,3001,7\n");
    relate(f, false);
    expect_join(f, "stock", "location_id", "location");
    assert_null(join(f, "stock", "variant_id"));
}

/* The lines' parent is found nowhere, and is a happening by what its lines are called and by its date. */
static void test_roles_by_names(void **state)
{
    fixture_t *f = *state;
    add(f, "invoice",
        "id,customer_id,invoice_date,amount,_fivetran_synced\nin1,cu9,2024-03-01,10.50,2024-03-02 10:00:00\n"
        "in2,cu7,2024-03-04,20.25,2024-03-05 10:00:00\n");
    add(f, "invoice_line_item",
        "id,invoice_id,description,quantity,amount,_fivetran_synced\nli1,in8,A thing,1,10.50,2024-03-02 "
        "10:00:00\n"
        "li2,in9,Another,2,20.25,2024-03-05 10:00:00\n");
    add(f, "customer",
        "id,name,email,_fivetran_synced\ncu1,Ann,ann@example.com,2024-03-02 10:00:00\n"
        "cu2,Bob,bob@example.com,2024-03-02 10:00:00\n");
    relate(f, false);
    assert_int_equal(role(f, "invoice"), NV__TABLE_ROLE__TABLE_ROLE_FACT);
    assert_int_equal(role(f, "invoice_line_item"), NV__TABLE_ROLE__TABLE_ROLE_FACT);
    assert_int_equal(role(f, "customer"), NV__TABLE_ROLE__TABLE_ROLE_DIMENSION);
}

static char *block(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "%d,%d,Ward %d", (i - 1) / 3 + 1, (i - 1) % 3 + 1, i);
}

static char *ward_room(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "%d,%d,%d,bed %d", 100 + i, (i - 1) / 12 % 12 + 1, i % 3 + 1, i % 4);
}

/* "blockfloor" is the floor of a block. */
static void test_names_run_together(void **state)
{
    fixture_t *f = *state;
    add(f, "block", rows(f, "floor,code,label", 36, block));
    add(f, "room", rows(f, "roomnumber,blockfloor,blockcode,kind", 144, ward_room));
    relate(f, false);
    expect_join(f, "room", "blockfloor", "block");
    assert_int_equal(join(f, "room", "blockfloor")->n_columns, 2);
}

static char *submission(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "%d,Talk %d", i, i);
}

static char *activity(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "%d,%d,%d,2024-03-%02d", i, 10 + i % 3, 1 + i * 7 % 60, 1 + i % 28);
}

/* As frameworks write it: the type is a reference itself. */
static void test_a_reference_whose_type_is_one(void **state)
{
    fixture_t *f = *state;
    add(f, "submission", rows(f, "id,title", 60, submission));
    add(f, "activity_log", rows(f, "id,content_type_id,object_id,logged_on", 300, activity));
    relate(f, false);
    assert_null(join(f, "activity_log", "object_id"));
}

static char *day(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "%d,2024-%02d-%02d,%d,%d", i, (i - 1) / 28 + 1, (i - 1) % 28 + 1, 1 + i / 7,
                     1 + i / 29);
}

static char *minute(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "%d,%d,%d", i, i / 60, i % 60);
}

/* A week is none of the minutes of the day, nor a row of its own table; and the versions of a product are no references. */
static void test_parts_of_time_and_versions(void **state)
{
    fixture_t *f = *state;
    add(f, "DimDate", rows(f, "SK_DateID,Day,CalendarWeekID,CalendarMonthID", 330, day));
    add(f, "DimTime", rows(f, "SK_TimeID,Hour,Minute", 1439, minute));
    add(f, "dim_products", rows(f, "record_id,product_id,name,price", 60, drink));
    relate(f, false);
    assert_null(join(f, "DimDate", "CalendarWeekID"));
    assert_null(join(f, "DimDate", "CalendarMonthID"));
    assert_null(join(f, "dim_products", "product_id"));
}

static char *country(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "%d,Country %d,%c%c", 3041565 + i * 7919, i, 'A' + i * 7 % 26, 'A' + i / 26);
}

static char *city(nv_mem_t *ctx, int i)
{
    int n = 1 + i * 7 % 180;
    return nv_printf(ctx, "%d,City %d,%c%c", i, i, 'A' + n * 7 % 26, 'A' + n / 26);
}

/* Countries are numbered, and referred to by their code. */
static void test_a_code_beside_the_key(void **state)
{
    fixture_t *f = *state;
    add(f, "country", rows(f, "geonameid,name,iso", 180, country));
    add(f, "city", rows(f, "city_id,city_name,country_code", 900, city));
    relate(f, false);
    expect_join(f, "city", "country_code", "country");
    assert_string_equal(join(f, "city", "country_code")->to_columns[0], "iso");
}

static char *watcher(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "%d,Watcher %d", i, i);
}

static char *watch(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "%d,%d,2024-%02d-%02d", 1 + i * 739 % 4000, 1 + i * 13 % 20, 1 + i % 12,
                     1 + i % 28);
}

/* No customer watches two things in these rows, which few customers of so many would. */
static void test_a_reference_unique_by_accident(void **state)
{
    fixture_t *f = *state;
    add(f, "customer", rows(f, "customer_id,full_name", 4000, watcher));
    add(f, "security", rows(f, "security_id,security_name", 20, watcher));
    add(f, "watches", rows(f, "customer_id,security_id,placed_on", 60, watch));
    relate(f, false);
    expect_key(f, "watches", 2, (const char *[]){"customer_id", "security_id"});
}

/* Keys of a Data Vault are hashes of business keys. */
static unsigned hash_key(int i)
{
    return (unsigned)i * 2654435761U;
}

static char *hub_row(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "%08x,C-%05d", hash_key(i), i);
}

static char *satellite_row(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "%08x,2024-05-%02d,Name %d,%s,%d.25", hash_key(i), 1 + i % 28, i,
                     i % 3 == 0 ? "retail" : "trade", i * 7 % 500);
}

static char *hub_order_row(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "%08x,O-%06d", hash_key(i + 5000), i);
}

static char *link_row(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "%08x,%08x,%08x", hash_key(i + 20000), hash_key(i + 5000),
                     hash_key(1 + i * 13 % 120));
}

/* The satellite has the hub's keys and most of what is known, and still nothing refers to it. */
static void test_references_lead_to_the_hub(void **state)
{
    fixture_t *f = *state;
    add(f, "hub_customer", rows(f, "hk_customer,customer_no", 120, hub_row));
    add(f, "sat_customer", rows(f, "hk_customer,load_dts,name,segment,balance", 120, satellite_row));
    add(f, "hub_order", rows(f, "hk_order,order_no", 600, hub_order_row));
    add(f, "link_order_customer", rows(f, "hk_order_customer,hk_order,hk_customer", 600, link_row));
    relate(f, false);
    expect_join(f, "link_order_customer", "hk_customer", "hub_customer");
    expect_join(f, "sat_customer", "hk_customer", "hub_customer");
    assert_null(join(f, "hub_customer", "hk_customer"));
}

static char *bus(nv_mem_t *ctx, int i)
{
    return nv_printf(ctx, "HV1 Bus %d,%d,HV1", i, i % 3 == 0 ? 110 : 20);
}

static char *breaker(nv_mem_t *ctx, int i)
{
    bool alone = i <= 260;
    return nv_printf(ctx, "HV1-MV1.%d-Trafo CB HV-Side,HV1 Bus %d,HV1 Bus %d,CB,%d", 100 + i, 1 + i * 7 % 200,
                     alone ? i : 260 + (i - 260 + 1) / 2, alone ? 1 : i % 2);
}

/* A pair of columns that no two rows share is no key beside a column that is called id. */
static void test_a_column_called_id(void **state)
{
    fixture_t *f = *state;
    add(f, "node", rows(f, "id,volt_lvl,subnet", 450, bus));
    add(f, "switch", rows(f, "id,nodeA,nodeB,type,cond", 620, breaker));
    relate(f, false);
    expect_key(f, "switch", 1, (const char *[]){"id"});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_reference_to_one_of_several),
        TEST(test_a_namesake_in_the_target),
        TEST(test_a_namesake_that_refers_too),
        TEST(test_numbers_that_mean_something_else),
        TEST(test_a_part_of_the_year),
        TEST(test_counted_within_a_reference),
        TEST(test_versions_in_a_handful_of_rows),
        TEST(test_numbers_of_a_handful_of_rows),
        TEST(test_roles_by_names),
        TEST(test_names_run_together),
        TEST(test_a_reference_whose_type_is_one),
        TEST(test_parts_of_time_and_versions),
        TEST(test_a_code_beside_the_key),
        TEST(test_a_reference_unique_by_accident),
        TEST(test_references_lead_to_the_hub),
        TEST(test_a_column_called_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

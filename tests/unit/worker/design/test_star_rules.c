#include "tests/unit/worker/design/fixture.h"
#include "worker/design/star_rules.h"

static void expect_broken(fixture_t *f, const char *part)
{
    star_rules_t rules = star_find_broken_rules(f->ctx, f->star);
    for (size_t i = 0; i < rules.n; i++) {
        if (strstr(rules.text[i], part) != NULL)
            return;
    }
    fail_msg("no broken rule says \"%s\"; the first of %zu: %s", part, rules.n,
             rules.n > 0 ? rules.text[0] : "none");
}

static void test_our_own_star_keeps_the_rules(void **state)
{
    fixture_t *f = *state;
    star_rules_t rules = star_find_broken_rules(f->ctx, f->star);
    if (rules.n > 0)
        fail_msg("%s", rules.text[0]);
}

static void test_grain(void **state)
{
    fixture_t *f = *state;
    fixture_fact(f, "fact_order_item")->n_grain_columns = 0;
    expect_broken(f, "fact_order_item: expected a declared grain");
}

static void test_header_amount_on_its_lines(void **state)
{
    fixture_t *f = *state;
    Nv__FactDesign *line = fixture_fact(f, "fact_order_item"), *header = fixture_fact(f, "fact_order");
    line->measures[0]->source = header->measures[0]->source;
    expect_broken(f, "comes from orders: expected an amount at the grain of order_items");
}

static void test_additivity(void **state)
{
    fixture_t *f = *state;
    fixture_fact(f, "fact_order")->measures[0]->additivity = NV__ADDITIVITY__ADDITIVITY_UNSPECIFIED;
    expect_broken(f, "expected its additivity");
}

static void test_factless(void **state)
{
    fixture_t *f = *state;
    fixture_fact(f, "fact_order")->n_measures = 0;
    expect_broken(f, "expected a factless fact to have none, and one without to be called so");
}

static void test_kinds(void **state)
{
    fixture_t *f = *state;
    Nv__FactDesign *line = fixture_fact(f, "fact_order_item");
    line->kind = nv_strdup(f->ctx, "periodic_snapshot");
    expect_broken(f, "expected a level");
    line->kind = nv_strdup(f->ctx, "accumulating");
    line->n_dates = 1;
    expect_broken(f, "an accumulating snapshot of 1 dates");
}

static void test_hierarchies(void **state)
{
    fixture_t *f = *state;
    Nv__HierarchyLevel city = NV__HIERARCHY_LEVEL__INIT, country = NV__HIERARCHY_LEVEL__INIT;
    Nv__HierarchyLevel *levels[] = {&city, &country};
    Nv__Hierarchy hierarchy = NV__HIERARCHY__INIT, *hierarchies[] = {&hierarchy};
    city.column = (char *)"city", city.members = 2;
    country.column = (char *)"country_name", country.members = 5;
    hierarchy.levels = levels, hierarchy.n_levels = 2;
    Nv__DimensionDesign *customer = fixture_dimension(f, "dim_customer");
    customer->hierarchies = hierarchies, customer->n_hierarchies = 1;
    expect_broken(f, "country_name stands above city");
}

static void test_roles(void **state)
{
    fixture_t *f = *state;
    Nv__FactDesign *line = fixture_fact(f, "fact_order_item");
    assert_int_equal(line->n_dates, 2);
    line->dates[1]->role = line->dates[0]->role;
    expect_broken(f, "two dates in the role");
    line->dimensions[1] = line->dimensions[0];
    expect_broken(f, "twice in the role");
}

static void test_conformed_dimension(void **state)
{
    fixture_t *f = *state;
    assert_true(f->star->n_dimensions >= 2);
    f->star->dimensions[1]->source = f->star->dimensions[0]->source;
    expect_broken(f, "expected one conformed dimension");
}

static void test_unused_dimension(void **state)
{
    fixture_t *f = *state;
    fixture_dimension(f, "dim_tag")->name = (char *)"dim_label";
    expect_broken(f, "dim_label: no fact and no bridge refers to it");
}

static void test_attributes_say_how_changes_are_kept(void **state)
{
    fixture_t *f = *state;
    f->star->dimensions[0]->attributes[0]->scd = NV__SCD_TYPE__SCD_TYPE_UNSPECIFIED;
    expect_broken(f, "expected how its changes are kept");
}

static void test_bridge(void **state)
{
    fixture_t *f = *state;
    assert_true(f->star->n_bridges >= 1);
    f->star->bridges[0]->n_dimensions = 1;
    expect_broken(f, "expected a bridge to link at least two");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up_designed, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_our_own_star_keeps_the_rules),
        TEST(test_grain),
        TEST(test_header_amount_on_its_lines),
        TEST(test_additivity),
        TEST(test_factless),
        TEST(test_kinds),
        TEST(test_hierarchies),
        TEST(test_roles),
        TEST(test_conformed_dimension),
        TEST(test_unused_dimension),
        TEST(test_attributes_say_how_changes_are_kept),
        TEST(test_bridge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a person decided in one design is noted there, and carries over to the next one of the same columns, and nothing else does. */
#include "tests/unit/worker/design/fixture.h"

#include "common/contract/codec.h"
#include "worker/design/carry.h"

static Nv__AttributeDesign *attribute(const Nv__StarSchema *star, const char *table, const char *column)
{
    for (size_t d = 0; d < star->n_dimensions; d++)
        for (size_t a = 0; a < star->dimensions[d]->n_attributes; a++) {
            Nv__AttributeDesign *found = star->dimensions[d]->attributes[a];
            if (strcmp(found->source->table, table) == 0 && strcmp(found->source->column, column) == 0)
                return found;
        }
    fail_msg("no attribute from %s.%s", table, column);
    return NULL;
}

static Nv__MeasureDesign *measure(const Nv__StarSchema *star, const char *column)
{
    for (size_t i = 0; i < star->n_facts; i++)
        for (size_t k = 0; k < star->facts[i]->n_measures; k++)
            if (strcmp(star->facts[i]->measures[k]->source->column, column) == 0)
                return star->facts[i]->measures[k];
    fail_msg("no measure from %s", column);
    return NULL;
}

static Nv__StarSchema *copy_of(const fixture_t *f)
{
    return (Nv__StarSchema *)nv_message_copy(f->ctx, &f->star->base);
}

/* The person keeps cities as they are now, and does not sum freight. */
static Nv__StarSchema *corrected(const fixture_t *f)
{
    Nv__StarSchema *human = copy_of(f);
    Nv__AttributeDesign *city = attribute(human, "customers", "city");
    Nv__MeasureDesign *freight = measure(human, "freight");
    assert_int_equal(city->scd, NV__SCD_TYPE__SCD_TYPE_2);
    assert_int_not_equal(freight->additivity, NV__ADDITIVITY__ADDITIVITY_NON);
    city->scd = NV__SCD_TYPE__SCD_TYPE_1;
    freight->additivity = NV__ADDITIVITY__ADDITIVITY_NON;
    freight->unit = nv_strdup(f->ctx, "EUR");
    return human;
}

static void what_differs_is_noted(void **state)
{
    const fixture_t *f = *state;
    Nv__StarSchema *human = corrected(f);
    design_mark_decisions(f->ctx, f->star, human);
    assert_string_equal(attribute(human, "customers", "city")->reason, "decided by a person");
    assert_string_equal(measure(human, "freight")->reason, "decided by a person");
    assert_string_not_equal(attribute(human, "customers", "name")->reason, "decided by a person");
    /* Nothing to compare with: nothing is noted. */
    Nv__StarSchema *alone = corrected(f);
    design_mark_decisions(f->ctx, NULL, alone);
    assert_string_not_equal(attribute(alone, "customers", "city")->reason, "decided by a person");
}

static void only_what_was_noted_carries_over(void **state)
{
    const fixture_t *f = *state;
    Nv__StarSchema *human = corrected(f), *now = copy_of(f);
    assert_int_equal(design_carry(f->ctx, human, "r-1", now), 0);
    design_mark_decisions(f->ctx, f->star, human);
    assert_int_equal(design_carry(f->ctx, human, "r-1", now), 3); /* a type, a sum and a unit */
    assert_int_equal(attribute(now, "customers", "city")->scd, NV__SCD_TYPE__SCD_TYPE_1);
    assert_string_equal(attribute(now, "customers", "city")->reason, "as a person decided in r-1");
    assert_int_equal(measure(now, "freight")->additivity, NV__ADDITIVITY__ADDITIVITY_NON);
    assert_string_equal(measure(now, "freight")->unit, "EUR");
    assert_int_equal(attribute(f->star, "customers", "city")->scd, NV__SCD_TYPE__SCD_TYPE_2);
    /* What agrees already is no decision any more. */
    assert_int_equal(design_carry(f->ctx, human, "r-1", now), 0);
}

static void it_carries_over_a_second_time(void **state)
{
    const fixture_t *f = *state;
    Nv__StarSchema *human = corrected(f), *second = copy_of(f), *third = copy_of(f);
    design_mark_decisions(f->ctx, f->star, human);
    design_carry(f->ctx, human, "r-1", second);
    assert_int_equal(design_carry(f->ctx, second, "r-2", third), 3);
    assert_string_equal(measure(third, "freight")->reason, "as a person decided in r-2");
}

static void another_table_of_the_same_column_is_left_alone(void **state)
{
    const fixture_t *f = *state;
    Nv__StarSchema *human = corrected(f), *now = copy_of(f);
    design_mark_decisions(f->ctx, f->star, human);
    attribute(human, "customers", "city")->source->table = nv_strdup(f->ctx, "suppliers");
    measure(human, "freight")->source->column = nv_strdup(f->ctx, "weight");
    assert_int_equal(design_carry(f->ctx, human, "r-1", now), 0);
}

static void versions_of_a_history_are_the_datas_own(void **state)
{
    const fixture_t *f = *state;
    Nv__StarSchema *human = corrected(f), *now = copy_of(f);
    design_mark_decisions(f->ctx, f->star, human);
    for (size_t i = 0; i < now->n_dimensions; i++)
        now->dimensions[i]->effective_from = nv_strdup(f->ctx, "valid_from");
    assert_int_equal(design_carry(f->ctx, human, "r-1", now), 2); /* the measure's */
    assert_int_equal(attribute(now, "customers", "city")->scd, NV__SCD_TYPE__SCD_TYPE_2);
}

static void joins_and_roles_of_a_person_are_told_apart(void **state)
{
    const fixture_t *f = *state;
    Nv__StarSchema *asked = copy_of(f), *human = copy_of(f);
    asked->relations = (Nv__Relations *)nv_message_copy(f->ctx, &f->relations->base);
    human->relations = (Nv__Relations *)nv_message_copy(f->ctx, &f->relations->base);
    human->relations->joins[0]->to_columns[0] = nv_strdup(f->ctx, "name");
    human->relations->roles[7]->role = NV__TABLE_ROLE__TABLE_ROLE_DIMENSION;
    design_mark_decisions(f->ctx, asked, human);
    design_mark_decisions(f->ctx, asked, human); /* twice is once */
    assert_int_equal(human->relations->roles[7]->n_evidence, 1);
    const Nv__Relations *decided = design_decided_relations(f->ctx, human->relations);
    assert_int_equal(decided->n_joins, 1);
    assert_string_equal(decided->joins[0]->to_columns[0], "name");
    assert_int_equal(decided->n_roles, 1);
    assert_string_equal(decided->roles[0]->table, "settings");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up_designed, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_differs_is_noted),
        TEST(only_what_was_noted_carries_over),
        TEST(it_carries_over_a_second_time),
        TEST(another_table_of_the_same_column_is_left_alone),
        TEST(versions_of_a_history_are_the_datas_own),
        TEST(joins_and_roles_of_a_person_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/worker/design/fixture.h"
#include "worker/design/proposal.h"

static void test_stricter_yes_looser_no(void **state)
{
    (void)state;
    fixture_t *f = fixture_shop();
    nv_error_t err = NV_ERROR_INIT;
    assert_true(fixture_design(f, &err));
    Nv__MeasureDecision stricter = NV__MEASURE_DECISION__INIT, looser = NV__MEASURE_DECISION__INIT;
    stricter.table = looser.table = (char *)"order_items";
    stricter.column = (char *)"quantity";
    stricter.unit = (char *)"pieces";
    stricter.additivity = NV__ADDITIVITY__ADDITIVITY_SEMI;
    stricter.reason = (char *)"stock";
    looser.column = (char *)"unit_price";
    looser.additivity = NV__ADDITIVITY__ADDITIVITY_ADDITIVE;
    Nv__MeasureDecision *measures[] = {&stricter, &looser};
    Nv__TableNaming naming = NV__TABLE_NAMING__INIT, unknown = NV__TABLE_NAMING__INIT;
    naming.table = (char *)"customers";
    naming.business_name = (char *)"Customer";
    naming.description = (char *)"Who\nbuys.";
    unknown.table = (char *)"no such";
    unknown.description = (char *)"x";
    Nv__TableNaming *tables[] = {&naming, &unknown};
    Nv__DesignProposal proposal = NV__DESIGN_PROPOSAL__INIT;
    proposal.measures = measures;
    proposal.n_measures = 2;
    proposal.tables = tables;
    proposal.n_tables = 2;
    design_outcome_t outcome;
    design_apply_proposal(f->ctx, &proposal, "llm", f->star, &outcome);
    assert_int_equal(outcome.taken, 2);
    assert_int_equal(outcome.refused, 2);
    assert_string_equal(fixture_dimension(f, "dim_customer")->description, "Customer: Who buys.");
    const Nv__FactDesign *line = fixture_fact(f, "fact_order_item");
    for (size_t i = 0; i < line->n_measures; i++) {
        bool price = strcmp(line->measures[i]->name, "unit_price") == 0;
        assert_int_equal(line->measures[i]->additivity,
                         price ? NV__ADDITIVITY__ADDITIVITY_NON : NV__ADDITIVITY__ADDITIVITY_SEMI);
    }
    nv_mem_free(f->ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stricter_yes_looser_no)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

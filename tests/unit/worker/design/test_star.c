#include "tests/unit/worker/design/fixture.h"
#include "worker/design/star_rules.h"
#include "worker/design/sttm_check.h"

static void test_line_grain_with_header(void **state)
{
    fixture_t *f = *state;
    fixture_must_design(f);
    const Nv__FactDesign *line = fixture_fact(f, "fact_order_item"), *header = fixture_fact(f, "fact_order");
    assert_non_null(line);
    assert_non_null(header);
    assert_int_equal(line->n_grain_columns, 2);
    assert_int_equal(line->n_parents, 1);
    assert_string_equal(line->parents[0]->to, "orders");
    assert_int_equal(line->n_dimensions, 2); /* product directly, customer through the header */
    assert_int_equal(line->n_dates, 2);
    assert_int_equal(line->n_measures, 2); /* freight stays with the header's own fact */
    assert_int_equal(header->n_measures, 1);
    assert_string_equal(header->measures[0]->name, "freight");
}

static void test_additivity(void **state)
{
    fixture_t *f = *state;
    fixture_must_design(f);
    const Nv__FactDesign *line = fixture_fact(f, "fact_order_item");
    for (size_t i = 0; i < line->n_measures; i++) {
        bool price = strcmp(line->measures[i]->name, "unit_price") == 0;
        assert_int_equal(line->measures[i]->additivity,
                         price ? NV__ADDITIVITY__ADDITIVITY_NON : NV__ADDITIVITY__ADDITIVITY_ADDITIVE);
        assert_true(line->measures[i]->reason[0] != '\0');
    }
}

static void test_snowflake_is_flattened(void **state)
{
    fixture_t *f = *state;
    fixture_must_design(f);
    const Nv__DimensionDesign *customer = fixture_dimension(f, "dim_customer");
    assert_non_null(customer);
    assert_null(fixture_dimension(f, "dim_country"));
    assert_int_equal(customer->n_flattened, 1);
    bool found = false;
    for (size_t i = 0; i < customer->n_attributes; i++) {
        found = found || strcmp(customer->attributes[i]->name, "country_name") == 0;
        if (strcmp(customer->attributes[i]->name, "birth_date") == 0)
            assert_int_equal(customer->attributes[i]->scd, NV__SCD_TYPE__SCD_TYPE_0);
        if (strcmp(customer->attributes[i]->name, "city") == 0)
            assert_int_equal(customer->attributes[i]->scd, NV__SCD_TYPE__SCD_TYPE_2);
    }
    assert_true(found);
}

static void test_conformed_once(void **state)
{
    fixture_t *f = *state;
    fixture_must_design(f);
    int n = 0;
    for (size_t i = 0; i < f->star->n_dimensions; i++)
        n += strcmp(f->star->dimensions[i]->source, "customers") == 0;
    assert_int_equal(n, 1);
}

static void test_bridge_and_date(void **state)
{
    fixture_t *f = *state;
    fixture_must_design(f);
    assert_int_equal(f->star->n_bridges, 1);
    assert_int_equal(f->star->bridges[0]->n_dimensions, 2);
    assert_string_equal(f->star->date->first_day, "2024-01-01");
    assert_string_equal(f->star->date->last_day, "2024-12-31");
}

static void test_technical_table_is_left_out_with_reason(void **state)
{
    fixture_t *f = *state;
    fixture_must_design(f);
    bool found = false;
    for (size_t i = 0; i < f->star->n_left_out; i++)
        found = found || (strcmp(f->star->left_out[i]->source->table, "settings") == 0 &&
                          f->star->left_out[i]->reason[0] != '\0');
    assert_true(found);
}

/* The last review failed this check. */
static void criticise(fixture_t *f, const char *check, const char *subject)
{
    Nv__Review *review = NV_NEW(f->ctx, Nv__Review);
    nv__review__init(review);
    review->checks = NV_NEW_ARRAY(f->ctx, Nv__Check *, 1);
    review->checks[review->n_checks] = NV_NEW(f->ctx, Nv__Check);
    nv__check__init(review->checks[review->n_checks]);
    review->checks[review->n_checks]->name = nv_strdup(f->ctx, check);
    review->checks[review->n_checks]->status = NV__CHECK_STATUS__CHECK_STATUS_FAIL;
    review->checks[review->n_checks++]->subject = nv_strdup(f->ctx, subject);
    f->input.review = review;
}

static void test_critique_drops_a_join(void **state)
{
    fixture_t *f = *state;
    const char *subject = design_join_subject(f->ctx, f->relations->joins[3]);
    assert_string_equal(subject, "order_items(product_id) -> products(product_id)");
    criticise(f, "fan_out", subject);
    fixture_must_design(f);
    const Nv__FactDesign *line = fixture_fact(f, "fact_order_item");
    for (size_t i = 0; i < line->n_dimensions; i++)
        assert_string_not_equal(line->dimensions[i]->dimension, "dim_product");
    assert_true(f->star->n_notes > 0);
}

static void test_critique_drops_a_grain(void **state)
{
    fixture_t *f = *state;
    criticise(f, "grain_unique", "order_items(order_id, line_no)");
    fixture_must_design(f);
    assert_int_equal(fixture_fact(f, "fact_order_item")->n_grain_columns, 5);
}

static void test_header_without_measures_goes_to_its_lines(void **state)
{
    (void)state;
    fixture_t *f = fixture_new();
    assert_true(fixture_csv(f, "orders", "order_id,order_date,note\n10,2024-01-02,a\n11,2024-02-03,b\n"));
    assert_true(fixture_csv(f, "order_lines", "order_id,line_no,amount\n10,1,3.00\n10,2,1.00\n11,1,2.00\n"));
    fixture_key(f, "orders", "order_id", NULL);
    fixture_key(f, "order_lines", "order_id", "line_no");
    fixture_join(f, "order_lines", "order_id", "orders", "order_id");
    fixture_role(f, "orders", NV__TABLE_ROLE__TABLE_ROLE_FACT);
    fixture_role(f, "order_lines", NV__TABLE_ROLE__TABLE_ROLE_FACT);
    fixture_must_design(f);
    assert_int_equal(f->star->n_facts, 1);
    const Nv__FactDesign *line = fixture_fact(f, "fact_order_line");
    assert_int_equal(line->n_dates, 1);
    assert_int_equal(line->n_attributes, 1);
    assert_string_equal(line->attributes[0]->column, "note");
    nv_mem_free(f->ctx);
}

static void test_nothing_to_design(void **state)
{
    (void)state;
    fixture_t *f = fixture_new();
    nv_error_t err = NV_ERROR_INIT;
    assert_true(fixture_csv(f, "notes", "a,b\nx,y\nx,z\n"));
    fixture_role(f, "notes", NV__TABLE_ROLE__TABLE_ROLE_OTHER);
    assert_false(design_star(f->ctx, &f->input, &f->star, &err));
    assert_int_equal(err.code, NV_FAILED_PRECONDITION);
    nv_mem_free(f->ctx);
}

static void test_edited_star_is_checked(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    fixture_must_design(f);
    char *kept = f->star->facts[0]->dates[0]->source->column;
    f->star->facts[0]->dates[0]->source->column = (char *)"no_such";
    assert_false(design_check_star(f->input.profile, f->star, &err));
    assert_non_null(strstr(err.message, "design.facts[0].dates[0].source"));
    f->star->facts[0]->dates[0]->source->column = kept;
    assert_true(design_check_star(f->input.profile, f->star, &err));
    f->star->dimensions[0]->name = (char *)"select";
    assert_false(design_check_star(f->input.profile, f->star, &err));
}

/* What changes about a customer, dated: a dimension of its own, and each fact that knows its day refers to the version of it. */
static fixture_t *shop_with_history(void)
{
    fixture_t *f = fixture_shop();
    assert_non_null(f);
    assert_true(
        fixture_csv(f, "customer_addresses",
                    "customer_id,valid_from,street\n1,2020-01-01,A\n1,2024-01-01,B\n2,2021-01-01,C\n"));
    fixture_key(f, "customer_addresses", "customer_id", "valid_from");
    fixture_join(f, "customer_addresses", "customer_id", "customers", "id");
    fixture_role(f, "customer_addresses", NV__TABLE_ROLE__TABLE_ROLE_DIMENSION);
    return f;
}

static const Nv__DimensionUse *use_of(const Nv__FactDesign *fact, const char *dimension)
{
    for (size_t i = 0; i < fact->n_dimensions; i++) {
        if (strcmp(fact->dimensions[i]->dimension, dimension) == 0)
            return fact->dimensions[i];
    }
    return NULL;
}

static void test_facts_refer_to_the_history_of_a_member(void **state)
{
    (void)state;
    fixture_t *f = shop_with_history();
    fixture_must_design(f);
    const Nv__DimensionDesign *address = fixture_dimension(f, "dim_customer_address");
    assert_non_null(address);
    assert_int_equal(address->n_flattened, 0); /* the customer is a dimension of its own */
    assert_int_equal(address->n_outriggers, 1);
    assert_int_equal(address->n_attributes, 1); /* the date of the version is its start */
    const Nv__DimensionUse *use = use_of(fixture_fact(f, "fact_order_item"), "dim_customer_address");
    assert_non_null(use);
    assert_string_equal(use->join->from, "orders"); /* through the header, as the customer is */
    assert_string_equal(use->join->columns[0], "customer_id");
    assert_string_equal(use->join->to_columns[0], "customer_id");
    const Nv__SttmTarget *order = fixture_target(f, "fact_order");
    const Nv__SttmColumn *key = fixture_column(order, "customer_address_key");
    assert_non_null(key);
    assert_string_equal(key->transform->as_of, "d.order_date");
    const Nv__SttmTarget *target = fixture_target(f, "dim_customer_address");
    assert_int_equal(target->load, NV__LOAD_STRATEGY__LOAD_STRATEGY_SCD2);
    assert_string_equal(fixture_column(target, "valid_from")->transform->inputs[0]->column, "valid_from");
    assert_null(fixture_column(target, "valid_from_2"));
    assert_int_equal(sttm_find_problems(f->ctx, f->sttm, f->input.profile).n, 0);
    nv_mem_free(f->ctx);
}

static void saw(fixture_t *f, const char *column, int64_t records, int64_t changes)
{
    Nv__ObservedChange *seen = NV_NEW(f->ctx, Nv__ObservedChange);
    nv__observed_change__init(seen);
    seen->table = nv_strdup(f->ctx, "customer_addresses");
    seen->column = nv_strdup(f->ctx, column);
    seen->keys = 100;
    seen->records = records;
    seen->changes = changes;
    size_t cap = f->relations->n_changes;
    NV_PUSH(f->ctx, f->relations->changes, f->relations->n_changes, cap) = seen;
}

static const Nv__AttributeDesign *attribute_of(const Nv__DimensionDesign *dimension, const char *name)
{
    for (size_t i = 0; i < dimension->n_attributes; i++) {
        if (strcmp(dimension->attributes[i]->name, name) == 0)
            return dimension->attributes[i];
    }
    fail_msg("no %s", name);
    return NULL;
}

/* What was seen to change makes versions; what was not, in records enough, is kept as its nature says; few records prove nothing. */
static void test_types_by_observed_change(void **state)
{
    (void)state;
    for (int enough = 0; enough < 2; enough++) {
        fixture_t *f = fixture_shop();
        assert_non_null(f);
        assert_true(
            fixture_csv(f, "customer_addresses",
                        "customer_id,valid_from,street,nickname,opened_on\n1,2020-01-01,A,x,2001-01-01\n"
                        "1,2024-01-01,B,x,2001-01-01\n2,2021-01-01,C,y,2002-01-01\n"));
        fixture_key(f, "customer_addresses", "customer_id", "valid_from");
        fixture_role(f, "customer_addresses", NV__TABLE_ROLE__TABLE_ROLE_DIMENSION);
        saw(f, "street", enough ? 140 : 110, 7);
        saw(f, "nickname", enough ? 140 : 110, 0);
        saw(f, "opened_on", enough ? 140 : 110, 0);
        fixture_must_design(f);
        const Nv__DimensionDesign *address = fixture_dimension(f, "dim_customer_address");
        assert_non_null(address);
        const Nv__AttributeDesign *street = attribute_of(address, "street");
        assert_int_equal(street->scd, NV__SCD_TYPE__SCD_TYPE_2);
        assert_non_null(strstr(street->reason, enough ? "7 changes observed in 40 later records of 100 keys"
                                                      : "7 changes observed in 10 later records"));
        assert_int_equal(attribute_of(address, "nickname")->scd,
                         enough ? NV__SCD_TYPE__SCD_TYPE_1 : NV__SCD_TYPE__SCD_TYPE_2);
        assert_int_equal(attribute_of(address, "opened_on")->scd, NV__SCD_TYPE__SCD_TYPE_0);
        assert_int_equal(sttm_find_problems(f->ctx, f->sttm, f->input.profile).n, 0);
        const Nv__SttmColumn *column = fixture_column(fixture_target(f, "dim_customer_address"), "street");
        assert_string_equal(column->evidence[0]->text, street->reason);
        nv_mem_free(f->ctx);
    }
}

/* The review counted that too few orders find an address: the reference is dropped, and the dimension says why nothing uses it. */
static void test_critique_drops_the_reference_to_a_history(void **state)
{
    (void)state;
    fixture_t *f = shop_with_history();
    criticise(f, "join_holds", "orders(customer_id) -> customer_addresses(customer_id)");
    fixture_must_design(f);
    assert_null(use_of(fixture_fact(f, "fact_order"), "dim_customer_address"));
    const Nv__DimensionDesign *address = fixture_dimension(f, "dim_customer_address");
    assert_string_equal(address->evidence[address->n_evidence - 1]->kind, "unused");
    assert_int_equal(star_find_broken_rules(f->ctx, f->star).n, 0);
    nv_mem_free(f->ctx);
}

/* What stands beside a table that is flattened goes with it. */
static void test_extension_of_a_flattened_table(void **state)
{
    fixture_t *f = *state;
    assert_true(fixture_csv(f, "country_info", "code,anthem\nDE,Lied\nFR,Marseillaise\n"));
    fixture_key(f, "country_info", "code", NULL);
    fixture_join(f, "country_info", "code", "countries", "code")->cardinality =
        NV__CARDINALITY__CARDINALITY_ONE_TO_ONE;
    fixture_role(f, "country_info", NV__TABLE_ROLE__TABLE_ROLE_DIMENSION);
    fixture_must_design(f);
    assert_null(fixture_dimension(f, "dim_country_info"));
    assert_non_null(fixture_column(fixture_target(f, "dim_customer"), "country_info_anthem"));
    assert_int_equal(sttm_find_problems(f->ctx, f->sttm, f->input.profile).n, 0);
}

/* Lines whose key a row repeats are dirt: what refers to a line still finds its product. */
static void test_reference_to_a_line_brings_its_product(void **state)
{
    fixture_t *f = *state;
    assert_true(
        fixture_csv(f, "returns", "return_id,order_id,line_no,returned_on,refund\n1,10,1,2024-02-01,1.50\n"));
    fixture_key(f, "returns", "return_id", NULL);
    fixture_role(f, "returns", NV__TABLE_ROLE__TABLE_ROLE_FACT);
    Nv__Join *join = fixture_join(f, "returns", "order_id", "order_items", "order_id");
    join->columns = (char *[]){(char *)"order_id", (char *)"line_no"};
    join->to_columns = (char *[]){(char *)"order_id", (char *)"line_no"};
    join->n_columns = join->n_to_columns = 2;
    f->relations->primary_keys[6]->violations = 1;
    assert_string_equal(f->relations->primary_keys[6]->table, "order_items");
    fixture_must_design(f);
    assert_non_null(use_of(fixture_fact(f, "fact_return"), "dim_product"));
    assert_int_equal(sttm_find_problems(f->ctx, f->sttm, f->input.profile).n, 0);
}

static Nv__Additivity additivity_of(const Nv__FactDesign *fact, const char *measure)
{
    for (size_t i = 0; fact != NULL && i < fact->n_measures; i++) {
        if (strcmp(fact->measures[i]->name, measure) == 0)
            return fact->measures[i]->additivity;
    }
    return NV__ADDITIVITY__ADDITIVITY_UNSPECIFIED;
}

/* A discount of 0.15 is a rate and one of 1.50 an amount; words written as one are read; a quantity that was always 1 is kept, a
 * number that names is no measure, and in a snapshot all that was counted is a level. */
static void test_measures_by_their_values(void **state)
{
    (void)state;
    fixture_t *f = fixture_new();
    char *sales =
        nv_strdup(f->ctx, "sale_id,saledate,quantity,discount,tax,PRICEEACH,ORDERLINENUMBER,EXTENDEDPRICE,"
                          "day_high,latitude\n");
    char *balances = nv_strdup(f->ctx, "account_no,booked_on,amount\n");
    char *stock = nv_strdup(f->ctx, "snapshot_date,shelf,on_hand,reserved,units_sold\n");
    for (int i = 1; i <= 30; i++) {
        sales = nv_printf(f->ctx, "%s%d,2024-01-%02d,1,0.%02d,%d.50,%d.25,%d,%d.75,%d.1,4%d.5\n", sales, i, i,
                          i, i, i, i % 7, i, i, i % 5);
        stock = nv_printf(f->ctx, "%s2024-01-%02d,s%d,%d,%d,%d\n", stock, i, i, i * 3, i * 2, i + 5);
        balances = nv_printf(f->ctx, "%sA%d,2024-01-%02d,%d.10\n", balances, i % 3, i, i * 11);
    }
    assert_true(fixture_csv(f, "account_balances", balances));
    fixture_key(f, "account_balances", "account_no", "booked_on");
    fixture_role(f, "account_balances", NV__TABLE_ROLE__TABLE_ROLE_FACT);
    assert_true(fixture_csv(f, "sales", sales));
    assert_true(fixture_csv(f, "stock", stock));
    fixture_key(f, "sales", "sale_id", NULL);
    fixture_key(f, "stock", "snapshot_date", "shelf");
    fixture_role(f, "sales", NV__TABLE_ROLE__TABLE_ROLE_FACT);
    fixture_role(f, "stock", NV__TABLE_ROLE__TABLE_ROLE_FACT);
    fixture_must_design(f);
    const Nv__FactDesign *sale = fixture_fact(f, "fact_sale"), *level = fixture_fact(f, "fact_stock");
    assert_int_equal(additivity_of(sale, "quantity"), NV__ADDITIVITY__ADDITIVITY_ADDITIVE);
    assert_int_equal(additivity_of(sale, "discount"), NV__ADDITIVITY__ADDITIVITY_NON);
    assert_int_equal(additivity_of(sale, "tax"), NV__ADDITIVITY__ADDITIVITY_ADDITIVE);
    assert_int_equal(additivity_of(sale, "priceeach"), NV__ADDITIVITY__ADDITIVITY_NON);
    assert_int_equal(additivity_of(sale, "orderlinenumber"), NV__ADDITIVITY__ADDITIVITY_UNSPECIFIED);
    assert_int_equal(additivity_of(sale, "extendedprice"), NV__ADDITIVITY__ADDITIVITY_ADDITIVE);
    assert_int_equal(additivity_of(sale, "day_high"), NV__ADDITIVITY__ADDITIVITY_NON);
    assert_int_equal(additivity_of(sale, "latitude"), NV__ADDITIVITY__ADDITIVITY_UNSPECIFIED);
    const Nv__FactDesign *balance = fixture_fact(f, "fact_account_balance");
    assert_string_equal(balance->kind, "periodic_snapshot");
    assert_int_equal(additivity_of(balance, "amount"), NV__ADDITIVITY__ADDITIVITY_SEMI);
    assert_string_equal(level->kind, "periodic_snapshot");
    assert_int_equal(additivity_of(level, "reserved"), NV__ADDITIVITY__ADDITIVITY_SEMI);
    assert_int_equal(additivity_of(level, "units_sold"), NV__ADDITIVITY__ADDITIVITY_ADDITIVE);
    nv_mem_free(f->ctx);
}

/* How a table was written down is no part of the star's names, unless it tells two of them apart. */
static void test_names_say_what_a_table_holds(void **state)
{
    fixture_t *f = *state;
    static const char *const tables[] = {"spend_flat",      "visits_v2",     "order_history",
                                         "sales_fact_1997", "deal_pipeline", "deal_pipeline_stage"};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        assert_true(
            fixture_csv(f, tables[i], "event_id,seen_on,amount\n1,2024-02-01,1.50\n2,2024-02-02,2.50\n"));
        fixture_key(f, tables[i], "event_id", NULL);
        fixture_role(f, tables[i], NV__TABLE_ROLE__TABLE_ROLE_FACT);
    }
    fixture_must_design(f);
    assert_non_null(fixture_fact(f, "fact_spend"));
    assert_non_null(fixture_fact(f, "fact_visit"));
    assert_non_null(fixture_fact(f, "fact_order"));
    assert_non_null(fixture_fact(f, "fact_order_history"));
    assert_non_null(fixture_fact(f, "fact_sale_1997"));
    assert_non_null(fixture_fact(f, "fact_deal_pipeline"));
    assert_non_null(fixture_fact(f, "fact_deal_pipeline_stage"));
}

/* Three flags of few values become one small dimension; two stay on the fact. */
static const char *sales_of(nv_mem_t *ctx, int flags)
{
    char *csv = nv_strdup(ctx, flags == 3 ? "sale_id,channel,gift,paid_by,amount\n"
                                          : "sale_id,channel,gift,amount\n");
    for (int i = 1; i <= 60; i++) {
        csv = nv_printf(ctx, "%s%d,%s,%s", csv, i, i % 2 ? "web" : "store", i % 3 ? "yes" : "no");
        csv = flags == 3 ? nv_printf(ctx, "%s,%s,%d.50\n", csv, i % 5 ? "card" : "cash", i)
                         : nv_printf(ctx, "%s,%d.50\n", csv, i);
    }
    return csv;
}

static Nv__StarSchema *design_sales(fixture_t *f, int flags)
{
    *f = *fixture_new();
    assert_true(fixture_csv(f, "sales", sales_of(f->ctx, flags)));
    fixture_key(f, "sales", "sale_id", NULL);
    fixture_role(f, "sales", NV__TABLE_ROLE__TABLE_ROLE_FACT);
    fixture_must_design(f);
    return f->star;
}

static void test_flags_are_gathered(void **state)
{
    (void)state;
    fixture_t f = {0};
    const Nv__StarSchema *star = design_sales(&f, 3);
    const Nv__DimensionDesign *junk = fixture_dimension(&f, "dim_sale_profile");
    assert_non_null(junk);
    assert_int_equal(junk->n_business_key, 3);
    assert_int_equal(star->n_facts, 1);
    assert_int_equal(star->facts[0]->n_dimensions, 1);
    assert_string_equal(star->facts[0]->dimensions[0]->dimension, "dim_sale_profile");
    assert_int_equal(star->facts[0]->dimensions[0]->join->n_columns, 3);
    assert_int_equal(star->facts[0]->n_attributes, 0);
    assert_int_equal(sttm_find_problems(f.ctx, f.sttm, f.input.profile).n, 0);
    nv_mem_free(f.ctx);
}

/* One flag of a header is worth a dimension: its lines refer to it, too. */
static void test_flag_of_a_header_reaches_its_lines(void **state)
{
    (void)state;
    fixture_t *f = fixture_new();
    char *orders = nv_strdup(f->ctx, "order_id,channel,fee\n");
    char *lines = nv_strdup(f->ctx, "order_id,line_no,amount\n");
    for (int i = 1; i <= 40; i++) {
        orders = nv_printf(f->ctx, "%s%d,%s,%d.50\n", orders, i, i % 2 ? "web" : "store", i);
        lines = nv_printf(f->ctx, "%s%d,1,%d.25\n%d,2,%d.75\n", lines, i, i, i, i);
    }
    assert_true(fixture_csv(f, "orders", orders));
    assert_true(fixture_csv(f, "order_lines", lines));
    fixture_key(f, "orders", "order_id", NULL);
    fixture_key(f, "order_lines", "order_id", "line_no");
    fixture_join(f, "order_lines", "order_id", "orders", "order_id");
    fixture_role(f, "orders", NV__TABLE_ROLE__TABLE_ROLE_FACT);
    fixture_role(f, "order_lines", NV__TABLE_ROLE__TABLE_ROLE_FACT);
    fixture_must_design(f);
    const Nv__DimensionDesign *profile = fixture_dimension(f, "dim_order_profile");
    assert_non_null(profile);
    assert_true(profile->conformed);
    assert_int_equal(fixture_fact(f, "fact_order")->n_attributes, 0);
    assert_non_null(use_of(fixture_fact(f, "fact_order"), "dim_order_profile"));
    assert_non_null(use_of(fixture_fact(f, "fact_order_line"), "dim_order_profile"));
    const Nv__SttmColumn *key = fixture_column(fixture_target(f, "fact_order_line"), "order_profile_key");
    assert_non_null(key);
    assert_string_equal(key->transform->inputs[0]->alias, "orders");
    assert_int_equal(sttm_find_problems(f->ctx, f->sttm, f->input.profile).n, 0);
    nv_mem_free(f->ctx);
}

static void test_two_flags_stay_on_the_fact(void **state)
{
    (void)state;
    fixture_t f = {0};
    const Nv__StarSchema *star = design_sales(&f, 2);
    assert_int_equal(star->n_dimensions, 0);
    assert_int_equal(star->facts[0]->n_attributes, 2);
    nv_mem_free(f.ctx);
}

/* Rows without a key: their flags stay with them, because they tell them apart. */
static void test_rows_without_a_key_keep_their_flags(void **state)
{
    (void)state;
    fixture_t f = {0};
    design_sales(&f, 3);
    f.relations->n_primary_keys = 0;
    fixture_must_design(&f);
    assert_int_equal(f.star->n_dimensions, 0);
    assert_int_equal(f.star->facts[0]->n_grain_columns, 5);
    assert_int_equal(sttm_find_problems(f.ctx, f.sttm, f.input.profile).n, 0);
    nv_mem_free(f.ctx);
}

static void add_dependency(fixture_t *f, Nv__TableProfile *table, const char *determinant,
                           const char *dependent, int64_t violations)
{
    Nv__FunctionalDependency *fd = NV_NEW(f->ctx, Nv__FunctionalDependency);
    nv__functional_dependency__init(fd);
    fd->determinant = NV_NEW_ARRAY(f->ctx, char *, 1);
    fd->determinant[fd->n_determinant++] = nv_strdup(f->ctx, determinant);
    fd->dependent = nv_strdup(f->ctx, dependent);
    fd->support = 0.99;
    fd->groups = 20;
    fd->violations = violations;
    size_t cap = table->n_dependencies;
    NV_PUSH(f->ctx, table->dependencies, table->n_dependencies, cap) = fd;
}

/* A flat file without a key: what follows from a customer's number moves away, the number itself stays in the grain. */
static Nv__StarSchema *design_flat(fixture_t *f, int64_t violations)
{
    *f = *fixture_new();
    char *csv = nv_strdup(f->ctx, "customer_id,customer_name,customer_city,quantity,amount\n");
    for (int i = 0; i < 90; i++)
        csv = nv_printf(f->ctx, "%sC%02d,Name %d,City %d,%d,%d.50\n", csv, i % 20, i % 20, i % 4, i % 7, i);
    assert_true(fixture_csv(f, "sales", csv));
    fixture_role(f, "sales", NV__TABLE_ROLE__TABLE_ROLE_FACT);
    Nv__TableProfile *table = f->input.profile->tables[0];
    add_dependency(f, table, "customer_id", "customer_name", violations);
    add_dependency(f, table, "customer_id", "customer_city", violations);
    fixture_must_design(f);
    return f->star;
}

static void test_flat_rows_without_a_key(void **state)
{
    (void)state;
    fixture_t f = {0};
    const Nv__StarSchema *star = design_flat(&f, 0);
    const Nv__DimensionDesign *customer = fixture_dimension(&f, "dim_customer");
    assert_non_null(customer);
    assert_int_equal(customer->n_attributes, 2);
    const Nv__FactDesign *fact = star->facts[0];
    assert_int_equal(fact->n_grain_columns, 3);
    assert_string_equal(fact->grain_columns[0], "customer_id");
    assert_int_equal(fact->n_degenerate, 1);
    assert_int_equal(sttm_find_problems(f.ctx, f.sttm, f.input.profile).n, 0);
    nv_mem_free(f.ctx);
}

/* One row that breaks the rule could be told from its twin by the name alone: nothing moves away. */
static void test_flat_rows_without_a_key_and_with_an_exception(void **state)
{
    (void)state;
    fixture_t f = {0};
    const Nv__StarSchema *star = design_flat(&f, 1);
    assert_int_equal(star->n_dimensions, 0);
    assert_int_equal(star->facts[0]->n_grain_columns, 5);
    nv_mem_free(f.ctx);
}

/* A loader's column that discovery took into a key is kept: the grain needs it. */
static void test_key_of_bookkeeping_is_kept(void **state)
{
    (void)state;
    fixture_t f = *fixture_new();
    assert_true(fixture_csv(&f, "history",
                            "plan_code,_fivetran_synced,amount\na,2024-01-01 10:00:00,1.50\n"
                            "a,2024-01-02 10:00:00,2.50\nb,2024-01-01 10:00:00,3.50\n"));
    fixture_key(&f, "history", "plan_code", "_fivetran_synced");
    fixture_role(&f, "history", NV__TABLE_ROLE__TABLE_ROLE_FACT);
    fixture_must_design(&f);
    assert_int_equal(f.star->facts[0]->n_grain_columns, 2);
    nv_mem_free(f.ctx);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rows_without_a_key_keep_their_flags),
        TEST(test_flat_rows_without_a_key),
        TEST(test_flat_rows_without_a_key_and_with_an_exception),
        TEST(test_key_of_bookkeeping_is_kept),
        TEST(test_line_grain_with_header),
        TEST(test_additivity),
        TEST(test_snowflake_is_flattened),
        TEST(test_conformed_once),
        TEST(test_bridge_and_date),
        TEST(test_technical_table_is_left_out_with_reason),
        TEST(test_critique_drops_a_join),
        TEST(test_critique_drops_a_grain),
        cmocka_unit_test(test_header_without_measures_goes_to_its_lines),
        cmocka_unit_test(test_facts_refer_to_the_history_of_a_member),
        cmocka_unit_test(test_types_by_observed_change),
        cmocka_unit_test(test_critique_drops_the_reference_to_a_history),
        cmocka_unit_test(test_measures_by_their_values),
        TEST(test_names_say_what_a_table_holds),
        TEST(test_extension_of_a_flattened_table),
        TEST(test_reference_to_a_line_brings_its_product),
        cmocka_unit_test(test_nothing_to_design),
        TEST(test_edited_star_is_checked),
        cmocka_unit_test(test_flags_are_gathered),
        cmocka_unit_test(test_flag_of_a_header_reaches_its_lines),
        cmocka_unit_test(test_two_flags_stay_on_the_fact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

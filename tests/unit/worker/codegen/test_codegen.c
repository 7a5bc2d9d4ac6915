/* The generator as a whole, on the mapping of the sample data: what it emits is kept beside this test (golden/), and
 * what contradicts itself is refused with the place named. NV_UPDATE_GOLDEN=1 writes the golden files anew. */
#include "common/contract/codec.h"
#include "worker/codegen/codegen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FILE_MAX = 4 * 1024 * 1024 };

static char *read_file(nv_mem_t *ctx, const char *path)
{
    char *text = nv_alloc(ctx, FILE_MAX);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s cannot be read", path);
    text[fread(text, 1, FILE_MAX - 1, file)] = '\0';
    fclose(file);
    return text;
}

static Nv__Sttm *mapping(nv_mem_t *ctx)
{
    nv_error_t err = NV_ERROR_INIT;
    ProtobufCMessage *message = NULL;
    char *json = read_file(ctx, CODEGEN_TEST_DIR "/ecommerce.json");
    if (!nv_json_decode(ctx, &nv__sttm__descriptor, "sttm", json, strlen(json), NV_CODEC_DEFAULT, &message,
                        &err))
        fail_msg("%s", err.message);
    return (Nv__Sttm *)message;
}

static Nv__Project *generate(nv_mem_t *ctx, const Nv__Sttm *sttm)
{
    nv_error_t err = NV_ERROR_INIT;
    Nv__Project *project = NULL;
    if (!codegen_project(ctx, sttm, &project, &err))
        fail_msg("%s", err.message);
    return project;
}

static const Nv__ProjectFile *file_of(const Nv__Project *project, const char *path)
{
    for (size_t i = 0; i < project->n_files; i++)
        if (strcmp(project->files[i]->path, path) == 0)
            return project->files[i];
    fail_msg("%s was not generated", path);
    return NULL;
}

static void same_mapping_same_bytes(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    Nv__Project *a = generate(ctx, mapping(ctx));
    Nv__Project *b = generate(ctx, mapping(ctx));
    assert_int_equal(a->n_files, b->n_files);
    for (size_t i = 0; i < a->n_files; i++) {
        assert_string_equal(a->files[i]->path, b->files[i]->path);
        assert_string_equal(a->files[i]->content, b->files[i]->content);
    }
    assert_string_equal(a->job_settings, b->job_settings);
}

static void emits_what_was_reviewed(void **state)
{
    (void)state;
    static const char *const reviewed[] = {
        "30_dim_customer.py",    "30_dim_customer_address.py",     "30_dim_date.py", "30_dim_product.py",
        "40_fact_order_line.py", "50_bridge_product_promotion.py", "90_quality.py",  "nuvyn_sources.py"};
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    Nv__Project *project = generate(ctx, mapping(ctx));
    for (size_t i = 0; i < sizeof reviewed / sizeof reviewed[0]; i++) {
        const Nv__ProjectFile *file = file_of(project, nv_printf(ctx, "notebooks/%s", reviewed[i]));
        char *golden = nv_printf(ctx, "%s/golden/%s", CODEGEN_TEST_DIR, reviewed[i]);
        if (getenv("NV_UPDATE_GOLDEN")) {
            FILE *out = fopen(golden, "wb");
            assert_non_null(out);
            fputs(file->content, out);
            fclose(out);
        }
        assert_string_equal(file->content, read_file(ctx, golden));
    }
}

static void every_notebook_has_its_header_and_task(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    Nv__Project *project = generate(ctx, mapping(ctx));
    size_t notebooks = 0;
    for (size_t i = 0; i < project->n_files; i++) {
        const Nv__ProjectFile *file = project->files[i];
        if (!file->notebook)
            continue;
        notebooks++;
        assert_int_equal(strncmp(file->content, "# Databricks notebook source\n", 29), 0);
        char *name = nv_strndup(ctx, file->path, strlen(file->path) - 3);
        bool shared = strstr(name, "nuvyn_") || strstr(name, "95_") || strstr(name, "96_");
        assert_int_equal(strstr(project->job_settings, nv_printf(ctx, "\"%s\"", name)) == NULL, shared);
    }
    assert_int_equal(notebooks, 25);
    assert_non_null(file_of(project, "README.md"));
    assert_non_null(file_of(project, "databricks.yml"));
    assert_non_null(file_of(project, "tests/test_pipeline.py"));
}

static void expect_refusal(const Nv__Sttm *sttm, const char *message)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("refusal");
    nv_error_t err = NV_ERROR_INIT;
    Nv__Project *project = NULL;
    assert_false(codegen_project(ctx, sttm, &project, &err));
    if (!strstr(err.message, message))
        fail_msg("expected \"%s\" in \"%s\"", message, err.message);
}

static Nv__SttmTarget *target(const Nv__Sttm *sttm, const char *name)
{
    for (size_t i = 0; i < sttm->n_targets; i++)
        if (strcmp(sttm->targets[i]->name, name) == 0)
            return sttm->targets[i];
    fail_msg("no target %s", name);
    return NULL;
}

static Nv__SourcePolicy *policy_of_orders(nv_mem_t *ctx, Nv__Sttm *sttm)
{
    Nv__SourcePolicy *policy = NV_NEW(ctx, Nv__SourcePolicy);
    nv__source_policy__init(policy);
    for (size_t i = 0; i < sttm->n_sources; i++)
        if (strcmp(sttm->sources[i]->name, "orders") == 0)
            sttm->sources[i]->policy = policy;
    return policy;
}

static void a_policy_stands_in_the_sources(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    Nv__Sttm *sttm = mapping(ctx);
    Nv__SourcePolicy *policy = policy_of_orders(ctx, sttm);
    char *values[] = {nv_strdup(ctx, "D")};
    policy->new_columns = NV__DRIFT_ACTION__DRIFT_ACTION_ADD;
    policy->missing_columns = NV__DRIFT_ACTION__DRIFT_ACTION_NULL;
    policy->changed_types = NV__DRIFT_ACTION__DRIFT_ACTION_WIDEN;
    policy->deletes = NV__DELETE_MODE__DELETE_MODE_MARKER;
    policy->delete_column = nv_strdup(ctx, "status");
    policy->delete_values = values;
    policy->n_delete_values = 1;
    assert_non_null(strstr(file_of(generate(ctx, sttm), "notebooks/nuvyn_sources.py")->content,
                           "    new_columns=\"add\",\n    missing_columns=\"null\",\n"
                           "    changed_types=\"widen\",\n    deletes=Marker(\"status\", (\"D\",)),\n"));
    policy->n_delete_values = 0;
    expect_refusal(sttm, "expected delete_column and delete_values");
    policy->deletes = NV__DELETE_MODE__DELETE_MODE_SNAPSHOT;
    policy->missing_columns = NV__DRIFT_ACTION__DRIFT_ACTION_WIDEN;
    expect_refusal(sttm, "policy.missing_columns: expected FAIL or NULL");
}

static Nv__QualityRule *rule_of(const Nv__Sttm *sttm, const char *id)
{
    for (size_t i = 0; i < sttm->n_sources; i++)
        for (size_t k = 0; k < sttm->sources[i]->n_rules; k++)
            if (strcmp(sttm->sources[i]->rules[k]->id, id) == 0)
                return sttm->sources[i]->rules[k];
    fail_msg("no rule %s", id);
    return NULL;
}

static void a_rule_does_what_its_tier_says(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    Nv__Sttm *sttm = mapping(ctx);
    rule_of(sttm, "Q0004")->severity = NV__SEVERITY__SEVERITY_QUARANTINE;
    rule_of(sttm, "Q0005")->severity = NV__SEVERITY__SEVERITY_FAIL;
    rule_of(sttm, "Q0006")->severity = NV__SEVERITY__SEVERITY_DROP;
    rule_of(sttm, "Q0006")->threshold = 0.25;
    const char *sources = file_of(generate(ctx, sttm), "notebooks/nuvyn_sources.py")->content;
    assert_non_null(
        strstr(sources, "Refers(\"Q0004\", (\"customer_id\",), \"customers\", (\"customer_id\",), "));
    assert_non_null(
        strstr(sources, "Raw(\"quantity\", \"quantity\", \"BIGINT\", Parse(), unparsed=\"fail\")"));
    assert_non_null(strstr(sources, "Rule(\"Q0006\", \"drop\", "));
    assert_non_null(strstr(sources, ", 0.25),"));
    rule_of(sttm, "Q0004")->ref_target = nv_strdup(ctx, "dim_customer");
    expect_refusal(sttm, "sttm.sources[customer_addresses].rules[Q0004]");
}

static size_t times(const char *text, const char *part)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, part)); at++)
        n++;
    return n;
}

static Nv__QualityRule *with_rule(nv_mem_t *ctx, Nv__SttmTarget *of, Nv__RuleKind kind, const char *column)
{
    Nv__QualityRule *rule = NV_NEW(ctx, Nv__QualityRule);
    nv__quality_rule__init(rule);
    rule->id = nv_strdup(ctx, "Q9");
    rule->kind = kind;
    rule->severity = NV__SEVERITY__SEVERITY_FAIL;
    rule->columns = NV_NEW_ARRAY(ctx, char *, 1);
    rule->columns[rule->n_columns++] = nv_strdup(ctx, column);
    of->rules = NV_NEW_ARRAY(ctx, Nv__QualityRule *, 1);
    of->rules[0] = rule;
    of->n_rules = 1;
    return rule;
}

/* Every table's keys and references are checked: a rule that says the same is not checked once more, a milder one is. */
static void what_is_checked_anyway_is_checked_once(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    Nv__Sttm *sttm = mapping(ctx);
    with_rule(ctx, target(sttm, "dim_product"), NV__RULE_KIND__RULE_KIND_UNIQUE, "product_key");
    Nv__QualityRule *refers =
        with_rule(ctx, target(sttm, "fact_order_line"), NV__RULE_KIND__RULE_KIND_REFERENCE, "product_key");
    refers->ref_target = nv_strdup(ctx, "dim_product");
    refers->ref_columns = NV_NEW_ARRAY(ctx, char *, 1);
    refers->ref_columns[refers->n_ref_columns++] = nv_strdup(ctx, "product_key");
    const char *reference = "Reference(\"fact_order_line\", (\"product_key\",), \"dim_product\"";
    const char *quality = file_of(generate(ctx, sttm), "notebooks/90_quality.py")->content;
    assert_int_equal(times(quality, "Unique(\"dim_product\", (\"product_key\",)"), 1);
    assert_int_equal(times(quality, reference), 1);

    refers->severity = NV__SEVERITY__SEVERITY_WARN;
    assert_int_equal(times(file_of(generate(ctx, sttm), "notebooks/90_quality.py")->content, reference), 2);
    refers->severity = NV__SEVERITY__SEVERITY_FAIL;
    refers->ref_columns[0] = nv_strdup(ctx, "product_id");
    assert_int_equal(times(file_of(generate(ctx, sttm), "notebooks/90_quality.py")->content, reference), 2);
}

static void refuses_what_contradicts_itself(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    Nv__Sttm *sttm = mapping(ctx);
    sttm->sources[0]->silver_name = nv_strdup(ctx, "silver categories; DROP");
    expect_refusal(sttm, "sttm.sources[categories].silver_name");
    sttm = mapping(ctx);
    sttm->sources[1]->silver_name = sttm->sources[0]->silver_name;
    expect_refusal(sttm, "used twice");
    sttm = mapping(ctx);
    sttm->sources[0]->key[0] = nv_strdup(ctx, "nothing");
    expect_refusal(sttm, "sttm.sources[categories].key: \"nothing\"");
    sttm = mapping(ctx);
    sttm->sources[0]->dialect->format = nv_strdup(ctx, "xml");
    expect_refusal(sttm, "expected csv, jsonl, parquet");
    sttm = mapping(ctx);
    target(sttm, "fact_order_line")->driving_source = nv_strdup(ctx, "nothing");
    expect_refusal(sttm, "sttm.targets[fact_order_line].driving_source");
    sttm = mapping(ctx);
    target(sttm, "fact_order_line")->joins[0]->parent_alias = nv_strdup(ctx, "z");
    expect_refusal(sttm, "an alias that stands before");
    sttm = mapping(ctx);
    target(sttm, "fact_order_line")->columns[0]->transform->inputs[0]->column = nv_strdup(ctx, "nothing");
    expect_refusal(sttm, "has no silver column \"nothing\"");
    sttm = mapping(ctx);
    target(sttm, "fact_order_line")->columns[2]->transform->dimension = nv_strdup(ctx, "dim_nothing");
    expect_refusal(sttm, "is no dimension");
    sttm = mapping(ctx);
    target(sttm, "dim_customer")->depends_on = target(sttm, "fact_order_line")->depends_on;
    target(sttm, "dim_customer")->depends_on[0] = nv_strdup(ctx, "fact_order_line");
    target(sttm, "dim_customer")->n_depends_on = 1;
    expect_refusal(
        sttm,
        "sttm.targets[dim_customer].depends_on: \"fact_order_line\": expected a target that stands before");
    sttm = mapping(ctx);
    target(sttm, "fact_order_line")->n_depends_on = 0;
    expect_refusal(sttm, "sttm.targets[fact_order_line].depends_on: expected dim_");
    sttm = mapping(ctx);
    target(sttm, "dim_date")->columns[1]->transform->constant = nv_strdup(ctx, "phase_of_the_moon");
    expect_refusal(sttm, "phase_of_the_moon");
    sttm = mapping(ctx);
    target(sttm, "dim_customer")->n_grain_columns = 0;
    target(sttm, "dim_customer")->columns[1]->key_role = NV__KEY_ROLE__KEY_ROLE_NONE;
    expect_refusal(sttm, "neither business key nor grain columns");
    sttm = mapping(ctx);
    target(sttm, "fact_order_line")->columns[11]->precision = 99;
    expect_refusal(sttm, "DECIMAL(99,2)");
    sttm = mapping(ctx);
    Nv__SourcePolicy markers = NV__SOURCE_POLICY__INIT;
    markers.deletes = NV__DELETE_MODE__DELETE_MODE_MARKER;
    markers.delete_column = nv_strdup(ctx, "street");
    markers.delete_values = NV_NEW_ARRAY(ctx, char *, 1);
    markers.delete_values[markers.n_delete_values++] = nv_strdup(ctx, "deleted");
    for (size_t i = 0; i < sttm->n_sources; i++)
        if (strcmp(sttm->sources[i]->name, "customer_addresses") == 0)
            sttm->sources[i]->policy = &markers;
    const Nv__Project *ended = generate(ctx, sttm);
    assert_non_null(
        strstr(file_of(ended, "notebooks/nuvyn_sources.py")->content,
               "Marker(\"street\", (\"deleted\",), dated_by=\"valid_from\", member=(\"customer_id\",))"));
    assert_non_null(strstr(file_of(ended, "notebooks/30_dim_customer_address.py")->content,
                           "ended_at=F.col(\"d._ended_at\"), all_versions=True)"));
    target(sttm, "dim_customer_address")->effective_from = nv_strdup(ctx, "");
    expect_refusal(sttm, "sttm.targets[dim_customer_address]: delete markers");
    sttm = mapping(ctx);
    sttm->sources[0]->dialect->skip_lines = 3;
    sttm->sources[0]->dialect->encoding = nv_strdup(ctx, "utf-16");
    expect_refusal(sttm, "sttm.sources[categories].dialect.skip_lines: 3");
    target(sttm, "dim_date")->date_first = nv_strdup(ctx, "1899-12-31");
    sttm->sources[0]->dialect->skip_lines = 0;
    expect_refusal(sttm, "within 1900-01-01 and 2100-12-31");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_mapping_same_bytes),
        cmocka_unit_test(emits_what_was_reviewed),
        cmocka_unit_test(every_notebook_has_its_header_and_task),
        cmocka_unit_test(a_policy_stands_in_the_sources),
        cmocka_unit_test(a_rule_does_what_its_tier_says),
        cmocka_unit_test(what_is_checked_anyway_is_checked_once),
        cmocka_unit_test(refuses_what_contradicts_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

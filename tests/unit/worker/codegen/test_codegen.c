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
        bool shared = strstr(name, "nuvyn_") != NULL;
        assert_int_equal(strstr(project->job_settings, nv_printf(ctx, "\"%s\"", name)) == NULL, shared);
    }
    assert_int_equal(notebooks, 18);
    assert_non_null(file_of(project, "README.md"));
    assert_non_null(file_of(project, "databricks.yml"));
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
    expect_refusal(sttm, "only csv can be loaded");
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
    target(sttm, "dim_date")->columns[1]->transform->constant = nv_strdup(ctx, "phase_of_the_moon");
    expect_refusal(sttm, "phase_of_the_moon");
    sttm = mapping(ctx);
    target(sttm, "dim_customer")->n_grain_columns = 0;
    target(sttm, "dim_customer")->columns[1]->key_role = NV__KEY_ROLE__KEY_ROLE_NONE;
    expect_refusal(sttm, "neither business key nor grain columns");
    sttm = mapping(ctx);
    target(sttm, "fact_order_line")->columns[11]->precision = 99;
    expect_refusal(sttm, "DECIMAL(99,2)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_mapping_same_bytes),
        cmocka_unit_test(emits_what_was_reviewed),
        cmocka_unit_test(every_notebook_has_its_header_and_task),
        cmocka_unit_test(refuses_what_contradicts_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Ways to drill up: along references, and along dependencies that too many rows keep for an accident. */
#include "tests/unit/worker/design/fixture.h"

/* 60 shops in 12 cities of 4 countries; 60 articles of 12 kinds, which belong to 3 groups; the manager of a shop is anyone's. */
static fixture_t *chain_of_shops(void)
{
    fixture_t *f = fixture_new();
    char *shops = nv_strdup(f->ctx, "shop_id,city,country,manager\n");
    char *articles = nv_strdup(f->ctx, "article_id,article_name,kind_id\n");
    char *sales = nv_strdup(f->ctx, "sale_id,shop_id,article_id,amount\n");
    char *kinds = nv_strdup(f->ctx, "kind_id,kind_name,parent_kind_id\n");
    for (int i = 0; i < 60; i++) {
        shops = nv_printf(f->ctx, "%s%d,city %c,country %c,manager %d\n", shops, i, 'a' + i % 12, 'a' + i % 4,
                          i % 7);
        articles = nv_printf(f->ctx, "%s%d,article %d,%d\n", articles, i, i, 4 + i % 12);
        sales = nv_printf(f->ctx, "%s%d,%d,%d,%d.50\n", sales, i, i, (i * 7) % 60, i + 3);
    }
    for (int i = 1; i <= 15; i++)
        kinds = i <= 3 ? nv_printf(f->ctx, "%s%d,group %d,\n", kinds, i, i)
                       : nv_printf(f->ctx, "%s%d,kind %d,%d\n", kinds, i, i, 1 + i % 3);
    assert_true(fixture_csv(f, "shops", shops) && fixture_csv(f, "articles", articles) &&
                fixture_csv(f, "sales", sales) && fixture_csv(f, "kinds", kinds));
    fixture_key(f, "shops", "shop_id", NULL);
    fixture_key(f, "articles", "article_id", NULL);
    fixture_key(f, "kinds", "kind_id", NULL);
    fixture_key(f, "sales", "sale_id", NULL);
    fixture_join(f, "sales", "shop_id", "shops", "shop_id");
    fixture_join(f, "sales", "article_id", "articles", "article_id");
    fixture_join(f, "articles", "kind_id", "kinds", "kind_id");
    fixture_join(f, "kinds", "parent_kind_id", "kinds", "kind_id")->role = nv_strdup(f->ctx, "parent");
    fixture_role(f, "shops", NV__TABLE_ROLE__TABLE_ROLE_DIMENSION);
    fixture_role(f, "articles", NV__TABLE_ROLE__TABLE_ROLE_DIMENSION);
    fixture_role(f, "kinds", NV__TABLE_ROLE__TABLE_ROLE_DIMENSION);
    fixture_role(f, "sales", NV__TABLE_ROLE__TABLE_ROLE_FACT);
    return f;
}

/* "a > b > c" */
static char *text_of(const fixture_t *f, const Nv__Hierarchy *hierarchy)
{
    char *text = nv_strdup(f->ctx, "");
    for (size_t i = 0; i < hierarchy->n_levels; i++)
        text = nv_printf(f->ctx, "%s%s%s", text, i > 0 ? " > " : "", hierarchy->levels[i]->column);
    return text;
}

static void depend(fixture_t *f, const char *table, const char *determinant, const char *dependent,
                   int64_t groups)
{
    for (size_t t = 0; t < f->input.profile->n_tables; t++) {
        Nv__TableProfile *profile = f->input.profile->tables[t];
        if (strcmp(profile->name, table) != 0)
            continue;
        Nv__FunctionalDependency *fd = NV_NEW(f->ctx, Nv__FunctionalDependency);
        nv__functional_dependency__init(fd);
        fd->determinant = NV_NEW_ARRAY(f->ctx, char *, 1);
        fd->determinant[fd->n_determinant++] = nv_strdup(f->ctx, determinant);
        fd->dependent = nv_strdup(f->ctx, dependent);
        fd->groups = groups;
        fd->support = 1;
        size_t cap = profile->n_dependencies;
        NV_PUSH(f->ctx, profile->dependencies, profile->n_dependencies, cap) = fd;
    }
}

static void test_references_are_levels_up_to_the_parent_of_a_parent(void **state)
{
    (void)state;
    fixture_t *f = chain_of_shops();
    fixture_must_design(f);
    const Nv__DimensionDesign *article = fixture_dimension(f, "dim_article");
    assert_int_equal(article->n_hierarchies, 1);
    assert_string_equal(text_of(f, article->hierarchies[0]), "article_name > kind_name > parent_kind_name");
    assert_int_equal(article->hierarchies[0]->levels[0]->members, 60);
    assert_int_equal(article->hierarchies[0]->levels[1]->members, 12);
    assert_int_equal(article->hierarchies[0]->levels[2]->members, 3);
    assert_int_equal(article->hierarchies[0]->n_evidence, 1);
    nv_mem_free(f->ctx);
}

static void test_dependencies_are_levels_where_chance_does_not_explain_them(void **state)
{
    (void)state;
    fixture_t *f = chain_of_shops();
    depend(f, "shops", "city", "country", 12);
    fixture_must_design(f);
    const Nv__DimensionDesign *shop = fixture_dimension(f, "dim_shop");
    assert_int_equal(shop->n_hierarchies, 1);
    assert_string_equal(text_of(f, shop->hierarchies[0]), "shop_id > city > country");
    /* One row that contradicts it, or so few repeated cities that they may agree by chance. */
    for (int kind = 0; kind < 2; kind++) {
        for (size_t t = 0; t < f->input.profile->n_tables; t++) {
            Nv__TableProfile *profile = f->input.profile->tables[t];
            if (profile->n_dependencies == 0 || strcmp(profile->name, "shops") != 0)
                continue;
            Nv__FunctionalDependency *fd = profile->dependencies[profile->n_dependencies - 1];
            fd->violations = kind == 0;
            fd->support = kind == 0 ? 1 : 0.1;
        }
        fixture_must_design(f);
        assert_int_equal(fixture_dimension(f, "dim_shop")->n_hierarchies, 0);
    }
    nv_mem_free(f->ctx);
}

static void test_the_mapping_names_the_target_columns(void **state)
{
    (void)state;
    fixture_t *f = chain_of_shops();
    fixture_must_design(f);
    const Nv__SttmTarget *article = fixture_target(f, "dim_article");
    assert_int_equal(article->n_hierarchies, 1);
    assert_string_equal(text_of(f, article->hierarchies[0]), "article_name > kind_name > parent_kind_name");
    nv_mem_free(f->ctx);
}

static void test_a_person_may_name_only_columns_of_the_dimension(void **state)
{
    (void)state;
    fixture_t *f = chain_of_shops();
    fixture_must_design(f);
    nv_error_t err = NV_ERROR_INIT;
    Nv__Hierarchy *hierarchy = fixture_dimension(f, "dim_article")->hierarchies[0];
    hierarchy->levels[1]->column = nv_strdup(f->ctx, "colour");
    assert_false(design_check_star(f->input.profile, f->star, &err));
    assert_non_null(strstr(err.message, ".hierarchies[0].levels[1].column: \"colour\""));
    hierarchy->n_levels = 1;
    nv_error_clear(&err);
    assert_false(design_check_star(f->input.profile, f->star, &err));
    assert_non_null(strstr(err.message, "expected two or more"));
    nv_mem_free(f->ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_references_are_levels_up_to_the_parent_of_a_parent),
        cmocka_unit_test(test_dependencies_are_levels_where_chance_does_not_explain_them),
        cmocka_unit_test(test_the_mapping_names_the_target_columns),
        cmocka_unit_test(test_a_person_may_name_only_columns_of_the_dimension),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

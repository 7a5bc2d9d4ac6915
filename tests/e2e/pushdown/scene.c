#include "scene.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/pushdown/remote_survey.h"

static char *read_file(nv_mem_t *ctx, const char *path)
{
    char *text = nv_alloc(ctx, 65536);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, 65535, file) > 0);
    fclose(file);
    return text;
}

void scene_upload(scene_t *s, const char *folder, const char *part)
{
    nv_error_t err = NV_ERROR_INIT;
    DIR *dir = opendir(folder);
    struct dirent *entry;
    assert_non_null(dir);
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.' && strstr(entry->d_name, part))
            OK_OR_FAIL(databricks_upload(s->db, nv_printf(s->ctx, "%s/%s", s->volume, entry->d_name),
                                         nv_printf(s->ctx, "%s/%s", folder, entry->d_name), true, &err));
    closedir(dir);
}

scene_t *scene_open(const char *volume)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_mem_t *ctx = nv_mem_root("scene");
    scene_t *s = NV_NEW(ctx, scene_t);
    s->ctx = ctx;
    s->volume = nv_printf(ctx, "/Volumes/main/raw/%s", volume);
    databricks_options_t options = {.host = getenv("PUSHDOWN_HOST"),
                                    .client_id = "nuvyn",
                                    .client_secret = getenv("PUSHDOWN_SECRET"),
                                    .ca_pem = read_file(ctx, getenv("PUSHDOWN_CA"))};
    if (!databricks_new(ctx, &options, &s->db, &err) ||
        !databricks_use_warehouse(s->db, ctx, NULL, 120000, &s->warehouse, &err) ||
        !databricks_ensure_catalog(s->db, "main", &err) ||
        !databricks_ensure_schema(s->db, "main", "raw", &err) ||
        !databricks_ensure_volume(s->db, "main", "raw", volume, &err)) {
        fprintf(stderr, "%s\n", err.message);
        nv_mem_free(ctx);
        return NULL;
    }
    s->engine = pushdown_on_warehouse(ctx, s->db, s->warehouse.id);
    nv__profile__init(&s->pushed);
    nv__profile__init(&s->own);
    return s;
}

void scene_same_surveys(const Nv__Survey *local, const Nv__Survey *remote)
{
    assert_int_equal(local->n_tables, remote->n_tables);
    for (size_t i = 0; i < local->n_tables; i++) {
        assert_string_equal(local->tables[i]->name, remote->tables[i]->name);
        assert_int_equal(local->tables[i]->n_files, remote->tables[i]->n_files);
    }
}

void scene_profile(scene_t *s, const char *source, const Nv__Survey *local, const Nv__Survey *remote,
                   bool hashes, side_by_side_t *result)
{
    nv_error_t err = NV_ERROR_INIT;
    survey_reader_t reader = remote_reader(s->ctx, &s->engine, s->db, source);
    pushdown_options_t options = {.reader = &reader};
    s->pushed.tables = NV_NEW_ARRAY(s->ctx, Nv__TableProfile *, local->n_tables);
    s->own.tables = NV_NEW_ARRAY(s->ctx, Nv__TableProfile *, local->n_tables);
    s->pushed.n_tables = s->own.n_tables = 0;
    for (size_t i = 0; i < local->n_tables; i++) {
        Nv__TableProfile *own, *pushed;
        OK_OR_FAIL(profile_table(s->ctx, NULL, local->tables[i], &own, &err));
        OK_OR_FAIL(pushdown_profile(s->ctx, &s->engine, &options, remote->tables[i], &pushed, &err));
        print_message("%s: %lld rows, %.1f s in the warehouse\n", pushed->name, (long long)pushed->row_count,
                      pushed->seconds);
        side_by_side(result, own, pushed);
        for (size_t f = 0; hashes && f < own->n_files; f++)
            assert_string_equal(own->files[f]->sha256, pushed->files[f]->sha256);
        s->own.tables[s->own.n_tables++] = own;
        s->pushed.tables[s->pushed.n_tables++] = pushed;
    }
    print_message("%zu facts compared\n", result->compared);
    assert_int_equal(result->differing, 0);
}

/* design_show DIR relations|design|sttm|summary: what discovery and design make of a folder, with the in-memory profiler; exit status 1 when the
 * mapping has problems. */
#include "common/contract/codec.h"
#include "tests/bench/design/mini/mini_profile.h"
#include "worker/design/design.h"
#include "worker/design/sttm_check.h"

#include <stdio.h>
#include <string.h>

static void summary(const Nv__StarSchema *star)
{
    for (size_t i = 0; i < star->n_dimensions; i++) {
        const Nv__DimensionDesign *d = star->dimensions[i];
        printf("DIM  %-28s from %s, key %s, %zu attributes, %zu flattened%s%s\n", d->name, d->source,
               d->business_key[0], d->n_attributes, d->n_flattened, d->conformed ? ", conformed" : "",
               d->effective_from[0] ? ", versions" : "");
        for (size_t k = 0; k < d->n_attributes; k++)
            printf("       %s = %s.%s type %d (%s)\n", d->attributes[k]->name,
                   d->attributes[k]->source->table, d->attributes[k]->source->column,
                   (int)d->attributes[k]->scd - 1, d->attributes[k]->reason);
    }
    for (size_t i = 0; i < star->n_facts; i++) {
        const Nv__FactDesign *f = star->facts[i];
        printf("FACT %-28s %s, %s, grain", f->name, f->kind, f->grain);
        for (size_t k = 0; k < f->n_grain_columns; k++)
            printf(" %s", f->grain_columns[k]);
        printf("\n");
        for (size_t k = 0; k < f->n_dimensions; k++)
            printf("       dim %s %s via %s.%s\n", f->dimensions[k]->role, f->dimensions[k]->dimension,
                   f->dimensions[k]->join->from, f->dimensions[k]->join->columns[0]);
        for (size_t k = 0; k < f->n_dates; k++)
            printf("       date %s = %s.%s\n", f->dates[k]->role, f->dates[k]->source->table,
                   f->dates[k]->source->column);
        for (size_t k = 0; k < f->n_measures; k++)
            printf("       measure %s additivity %d unit %s\n", f->measures[k]->name,
                   (int)f->measures[k]->additivity, f->measures[k]->unit);
        for (size_t k = 0; k < f->n_degenerate; k++)
            printf("       degenerate %s\n", f->degenerate[k]->column);
        for (size_t k = 0; k < f->n_attributes; k++)
            printf("       attribute %s.%s\n", f->attributes[k]->table, f->attributes[k]->column);
    }
    for (size_t i = 0; i < star->n_bridges; i++) {
        printf("BRIDGE %s:", star->bridges[i]->name);
        for (size_t k = 0; k < star->bridges[i]->n_dimensions; k++)
            printf(" %s", star->bridges[i]->dimensions[k]->dimension);
        printf("\n");
    }
    if (star->date != NULL)
        printf("DATE %s %s … %s\n", star->date->name, star->date->first_day, star->date->last_day);
    for (size_t i = 0; i < star->n_left_out; i++)
        printf("OUT  %s.%s: %s\n", star->left_out[i]->source->table, star->left_out[i]->source->column,
               star->left_out[i]->reason);
    for (size_t i = 0; i < star->n_notes; i++)
        printf("NOTE %s\n", star->notes[i]);
}

static bool show(nv_mem_t *ctx, const char *folder, const char *what, nv_error_t *err)
{
    mini_t *mini = mini_new(ctx);
    if (!mini_add_folder(mini, folder, err))
        return false;
    discovery_exact_t exact = mini_exact(mini);
    discovery_options_t options = {.exact = &exact};
    Nv__Relations *relations = NULL;
    if (!discovery_relate(ctx, mini_profile(mini), &options, &relations, err))
        return false;
    design_input_t input = {.name = "show", .profile = mini_profile(mini), .relations = relations};
    Nv__StarSchema *star = NULL;
    Nv__Sttm *sttm = NULL;
    if (!design_star(ctx, &input, &star, err) || !design_sttm(ctx, &input, star, "1", &sttm, err))
        return false;
    char *json = NULL;
    size_t length = 0;
    const ProtobufCMessage *message = strcmp(what, "relations") == 0 ? &relations->base
                                      : strcmp(what, "design") == 0  ? &star->base
                                                                     : &sttm->base;
    if (strcmp(what, "summary") == 0)
        summary(star);
    else if (!nv_json_encode(ctx, message, NV_CODEC_PRETTY, &json, &length, err))
        return false;
    if (json != NULL)
        printf("%s\n", json);
    sttm_problems_t problems = sttm_find_problems(ctx, sttm, mini_profile(mini));
    for (size_t i = 0; i < problems.n; i++)
        fprintf(stderr, "PROBLEM %s\n", problems.text[i]);
    return problems.n == 0 || nv_fail(err, NV_FAILED_PRECONDITION, "%zu problems", problems.n);
}

int main(int argc, char **argv)
{
    nv_error_t err = NV_ERROR_INIT;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("show");
    if (argc == 3 && show(ctx, argv[1], argv[2], &err))
        return 0;
    fprintf(stderr, "design_show: %s\n",
            argc == 3 ? err.message : "usage: design_show DIR relations|design|sttm|summary");
    return 1;
}

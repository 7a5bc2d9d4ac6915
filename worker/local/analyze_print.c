#include "worker/local/analyze_print.h"

#include "common/contract/codec.h"
#include "common/core/json.h"
#include "nuvyn/design.pb-c.h"
#include "nuvyn/sttm.pb-c.h"
#include "worker/evaluation/data_quality.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *role_name(Nv__TableRole role)
{
    static const char *const names[] = {"other", "fact", "dimension", "bridge", "other"};
    return (unsigned)role < sizeof names / sizeof names[0] ? names[role] : "other";
}

/* ---- keys ---- */

static void put_names(nv_json_writer_t *json, const char *key, char *const *names, size_t count)
{
    nv_json_open_array(json, key);
    for (size_t i = 0; i < count; i++)
        nv_json_put_string(json, NULL, names[i]);
    nv_json_close_array(json);
}

static void put_foreign_key(nv_json_writer_t *json, const Nv__Join *join)
{
    nv_json_open_object(json, NULL);
    nv_json_put_string(json, "from", join->from);
    put_names(json, "columns", join->columns, join->n_columns);
    nv_json_put_string(json, "to", join->to);
    put_names(json, "to_columns", join->to_columns, join->n_to_columns);
    nv_json_close_object(json);
}

static bool print_keys(nv_mem_t *ctx, const Nv__Relations *relations, FILE *out, nv_error_t *err)
{
    nv_json_writer_t json = nv_json_writer_make(ctx, NV_CODEC_MAX_BYTES, true);
    nv_json_open_object(&json, NULL);
    nv_json_open_object(&json, "primary_keys");
    for (size_t i = 0; i < relations->n_primary_keys; i++)
        put_names(&json, relations->primary_keys[i]->table, relations->primary_keys[i]->columns,
                  relations->primary_keys[i]->n_columns);
    nv_json_close_object(&json);
    nv_json_open_array(&json, "foreign_keys");
    for (size_t i = 0; i < relations->n_joins; i++)
        put_foreign_key(&json, relations->joins[i]);
    nv_json_close_array(&json);
    nv_json_open_object(&json, "roles");
    for (size_t i = 0; i < relations->n_roles; i++)
        nv_json_put_string(&json, relations->roles[i]->table, role_name(relations->roles[i]->role));
    nv_json_close_object(&json);
    nv_json_close_object(&json);
    char *text = NULL;
    if (!nv_json_write_end(&json, "the keys", &text, NULL, err))
        return false;
    fprintf(out, "%s\n", text);
    return true;
}

/* ---- summary ---- */

static const Nv__PrimaryKey *key_of(const Nv__Relations *relations, const char *table)
{
    for (size_t i = 0; i < relations->n_primary_keys; i++)
        if (strcmp(relations->primary_keys[i]->table, table) == 0)
            return relations->primary_keys[i];
    return NULL;
}

static void print_relations(nv_mem_t *ctx, const Nv__Relations *relations, FILE *out)
{
    fprintf(out, "\nSource tables\n");
    for (size_t i = 0; i < relations->n_roles; i++) {
        const Nv__SourceRole *role = relations->roles[i];
        const Nv__PrimaryKey *key = key_of(relations, role->table);
        fprintf(out, "  %-28s %-9s %.2f  key (%s)\n", role->table, role_name(role->role), role->confidence,
                key ? nv_join(ctx, ", ", key->columns, key->n_columns) : "none");
    }
    fprintf(out, "\nJoins%s\n", relations->n_joins ? "" : "\n  none: no column refers to another table");
    for (size_t i = 0; i < relations->n_joins; i++) {
        const Nv__Join *join = relations->joins[i];
        fprintf(out, "  %s(%s) -> %s(%s)  %.2f", join->from,
                nv_join(ctx, ", ", join->columns, join->n_columns), join->to,
                nv_join(ctx, ", ", join->to_columns, join->n_to_columns), join->probability);
        if (join->orphans)
            fprintf(out, ", %" PRId64 " orphan%s", join->orphans, join->orphans == 1 ? "" : "s");
        fputc('\n', out);
    }
}

static void print_star(const Nv__Sttm *sttm, FILE *out)
{
    fprintf(out, "\nStar schema %s\n", sttm->name);
    for (size_t i = 0; i < sttm->n_targets; i++) {
        const Nv__SttmTarget *target = sttm->targets[i];
        fprintf(out, "  %-28s %2zu columns%s%s\n", target->name, target->n_columns,
                target->grain[0] ? "; " : "", target->grain);
    }
    if (sttm->n_unmapped == 0)
        fputs("  every source column is in it\n", out);
    else
        fprintf(out, "  %zu source columns or tables left out; the mapping says why\n", sttm->n_unmapped);
}

static void print_findings(const Nv__Scorecard *card, bool has_report, FILE *out)
{
    enum { SHOWN = 15 };
    fprintf(out, "\nFound wrong in the data\n");
    for (size_t i = 0; i < card->n_findings && i < SHOWN; i++)
        fprintf(out, "  %s\n", card->findings[i]);
    if (card->n_findings > SHOWN)
        fprintf(out, "  … and %zu more in the report%s\n", card->n_findings - SHOWN,
                has_report ? "" : ", which --output-dir DIR writes");
    if (card->n_findings == 0)
        fprintf(out, "  nothing\n");
}

static void print_ending(const Nv__Scorecard *card, const analyze_options_t *options, FILE *out)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("ending");
    fprintf(out, "\n%s\n", scorecard_method_text(ctx, card));
    fprintf(out, "%s\n", data_quality_text(ctx, card));
    fprintf(out, "Score %.0f of 100 (of what an analysis can measure), %.1f s.\n", card->score,
            card->seconds);
    if (options->output_dir)
        fprintf(out, "Everything is in %s; begin with report.html.\n", options->output_dir);
}

void analyze_put_safe(const char *text, size_t length, FILE *out)
{
    const unsigned char *p = (const unsigned char *)text;
    for (size_t i = 0; i < length; i++) {
        bool eight_bit = p[i] == 0xC2 && i + 1 < length && p[i + 1] >= 0x80 && p[i + 1] < 0xA0;
        bool control = (p[i] < 0x20 && p[i] != '\n' && p[i] != '\t') || p[i] == 0x7f;
        fputc(eight_bit || control ? '?' : p[i], out);
        i += eight_bit;
    }
}

/* Names come from files that anybody may have written: the summary goes through a buffer, and to a terminal only what
 * cannot command it. */
static bool print_summary(nv_mem_t *ctx, const Nv__Relations *relations, const Nv__Sttm *sttm,
                          const Nv__Scorecard *card, const analyze_options_t *options, nv_error_t *err)
{
    char *text = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&text, &length);
    if (!memory)
        return nv_fail_errno(err, errno, "the summary");
    print_relations(ctx, relations, memory);
    print_star(sttm, memory);
    print_findings(card, options->output_dir != NULL, memory);
    print_ending(card, options, memory);
    if (fclose(memory) != 0) {
        free(text);
        return nv_fail_errno(err, errno, "the summary");
    }
    analyze_put_safe(text, length, options->out);
    free(text);
    return true;
}

bool analyze_print(local_host_t *host, const analyze_options_t *options, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("analyze print");
    ProtobufCMessage *relations = NULL;
    ProtobufCMessage *sttm = NULL;
    ProtobufCMessage *card = NULL;
    if (!local_host_read(host, ctx, "relations", &nv__relations__descriptor, &relations, err))
        return false;
    if (options->format == ANALYZE_KEYS)
        return print_keys(ctx, (const Nv__Relations *)relations, options->out, err);
    if (!local_host_read(host, ctx, "sttm", &nv__sttm__descriptor, &sttm, err) ||
        !local_host_read(host, ctx, "scorecard", &nv__scorecard__descriptor, &card, err))
        return false;
    if (options->format == ANALYZE_JSON) {
        char *json = NULL;
        size_t length = 0;
        if (!nv_json_encode(ctx, sttm, NV_CODEC_PRETTY | NV_CODEC_NUMBERS, &json, &length, err))
            return false;
        fprintf(options->out, "%s\n", json);
        return true;
    }
    return print_summary(ctx, (const Nv__Relations *)relations, (const Nv__Sttm *)sttm,
                         (const Nv__Scorecard *)card, options, err);
}

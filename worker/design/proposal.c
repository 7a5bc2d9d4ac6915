#include "worker/design/proposal.h"

#include <ctype.h>
#include <string.h>

enum { DESCRIPTION_MAX = 400, UNIT_MAX = 20 };

/* Text of a model: one line, no control characters, bounded, never cut inside a character. */
static char *clean_text(nv_mem_t *ctx, const char *text, size_t most)
{
    size_t n = strlen(text);
    if (n > most) {
        n = most;
        while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80)
            n--;
    }
    char *out = nv_strndup(ctx, text, n);
    for (char *p = out; *p != '\0'; p++) {
        if (iscntrl((unsigned char)*p))
            *p = ' ';
    }
    return out;
}

static void note(nv_mem_t *ctx, Nv__StarSchema *star, const char *text)
{
    char **notes = NV_NEW_ARRAY(ctx, char *, star->n_notes + 1);
    if (star->n_notes > 0)
        memcpy(notes, star->notes, star->n_notes * sizeof *notes);
    notes[star->n_notes] = nv_strdup(ctx, text);
    star->notes = notes;
    star->n_notes++;
}

static bool is_ref(const Nv__ColumnRef *ref, const char *table, const char *column)
{
    return ref != NULL && strcmp(ref->table, table) == 0 && strcmp(ref->column, column) == 0;
}

static char *named(nv_mem_t *ctx, const char *name, const char *description)
{
    const char *both = name[0] != '\0' && description[0] != '\0' ? nv_printf(ctx, "%s: %s", name, description)
                       : name[0] != '\0'                         ? name
                                                                 : description;
    return clean_text(ctx, both, DESCRIPTION_MAX);
}

static void apply_table(nv_mem_t *ctx, const Nv__TableNaming *naming, Nv__StarSchema *star,
                        design_outcome_t *out)
{
    char *text = named(ctx, naming->business_name, naming->description);
    bool found = false;
    if (text[0] == '\0')
        return;
    for (size_t i = 0; i < star->n_dimensions; i++) {
        if (strcmp(star->dimensions[i]->source, naming->table) == 0 && !star->dimensions[i]->from_flat) {
            star->dimensions[i]->description = text;
            found = true;
        }
    }
    for (size_t i = 0; i < star->n_facts; i++) {
        if (strcmp(star->facts[i]->source, naming->table) == 0) {
            star->facts[i]->description = text;
            found = true;
        }
    }
    out->taken += found;
    out->refused += !found;
}

static void apply_column(nv_mem_t *ctx, const Nv__ColumnNaming *naming, Nv__StarSchema *star,
                         design_outcome_t *out)
{
    char *text = named(ctx, naming->business_name, naming->description);
    bool found = false;
    for (size_t i = 0; i < star->n_dimensions; i++) {
        for (size_t k = 0; k < star->dimensions[i]->n_attributes; k++) {
            if (is_ref(star->dimensions[i]->attributes[k]->source, naming->table, naming->column) &&
                text[0] != '\0') {
                star->dimensions[i]->attributes[k]->description = text;
                found = true;
            }
        }
    }
    for (size_t i = 0; i < star->n_facts; i++) {
        for (size_t k = 0; k < star->facts[i]->n_measures; k++) {
            if (is_ref(star->facts[i]->measures[k]->source, naming->table, naming->column) &&
                text[0] != '\0') {
                star->facts[i]->measures[k]->description = text;
                found = true;
            }
        }
    }
    out->taken += found;
    out->refused += !found;
}

static void apply_measure(nv_mem_t *ctx, const Nv__MeasureDecision *decision, const char *source,
                          Nv__MeasureDesign *measure, Nv__StarSchema *star, design_outcome_t *out)
{
    if (decision->unit[0] != '\0' && strlen(decision->unit) <= UNIT_MAX)
        measure->unit = clean_text(ctx, decision->unit, UNIT_MAX);
    if (decision->additivity == NV__ADDITIVITY__ADDITIVITY_UNSPECIFIED ||
        decision->additivity == measure->additivity)
        return;
    /* Summing what must not be summed makes reports false; the other mistake only makes them poorer. */
    if (decision->additivity < measure->additivity) {
        note(ctx, star,
             nv_printf(ctx, "Proposed by %s and refused: %s.%s may be summed more freely; the rule says: %s",
                       source, decision->table, decision->column, measure->reason));
        out->refused++;
        return;
    }
    measure->additivity = decision->additivity;
    measure->reason = nv_printf(ctx, "%s: %s", source, clean_text(ctx, decision->reason, DESCRIPTION_MAX));
    out->taken++;
}

void design_apply_proposal(nv_mem_t *ctx, const Nv__DesignProposal *proposal, const char *source,
                           Nv__StarSchema *star, design_outcome_t *out)
{
    *out = (design_outcome_t){0};
    for (size_t i = 0; i < proposal->n_tables; i++)
        apply_table(ctx, proposal->tables[i], star, out);
    for (size_t i = 0; i < proposal->n_columns; i++)
        apply_column(ctx, proposal->columns[i], star, out);
    for (size_t i = 0; i < proposal->n_measures; i++) {
        for (size_t f = 0; f < star->n_facts; f++) {
            for (size_t k = 0; k < star->facts[f]->n_measures; k++) {
                Nv__MeasureDesign *measure = star->facts[f]->measures[k];
                if (is_ref(measure->source, proposal->measures[i]->table, proposal->measures[i]->column))
                    apply_measure(ctx, proposal->measures[i], source, measure, star, out);
            }
        }
    }
}

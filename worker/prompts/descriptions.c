/* The Developer's question: what targets and columns mean. */
#include "worker/prompts/prompts.h"
#include "worker/prompts/quote.h"

#include <string.h>

static const char descriptions_system[] = "You write the documentation of a data warehouse. For each target "
                                          "table give one sentence that says what one row of it "
                                          "is, and for its columns one short sentence each that adds to the "
                                          "name what a newcomer could not guess; leave a column "
                                          "out where there is nothing to add. Do not invent facts: write "
                                          "only what names, types, rules and roles show. Use target "
                                          "and column names exactly as given, without the quotes.\n";

static const char *kind_name(Nv__TargetKind kind)
{
    static const char *const names[] = {"table", "dimension", "date dimension", "fact", "bridge"};
    size_t i = (size_t)kind;
    return i < sizeof names / sizeof names[0] ? names[i] : "table";
}

static void add_target(nv_buf_t *out, const Nv__SttmTarget *t, bool rules)
{
    nv_buf_puts(out, "target ");
    quote_add(out, t->name, QUOTE_NAME_MAX);
    nv_buf_printf(out, " (%s)", kind_name(t->kind));
    if (*t->grain) {
        nv_buf_puts(out, ", grain ");
        quote_add(out, t->grain, 120);
    }
    if (*t->driving_source) {
        nv_buf_puts(out, ", from ");
        quote_add(out, t->driving_source, QUOTE_NAME_MAX);
    }
    nv_buf_putc(out, '\n');
    for (size_t i = 0; i < t->n_columns; i++) {
        const Nv__SttmColumn *c = t->columns[i];
        if (c->transform && c->transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_AUDIT)
            continue; /* the same in every table, described already */
        nv_buf_puts(out, "  ");
        quote_add(out, c->name, QUOTE_NAME_MAX);
        if (rules && *c->rule) {
            nv_buf_puts(out, ": ");
            quote_add(out, c->rule, 120);
        }
        nv_buf_putc(out, '\n');
    }
}

static void render(nv_buf_t *out, const Nv__Sttm *sttm, Nv__KnowledgeHit *const *hits, size_t n_hits,
                   bool rules, size_t targets)
{
    nv_buf_puts(out, "<data>\n");
    for (size_t i = 0; i < targets; i++)
        if (sttm->targets[i]->kind != NV__TARGET_KIND__TARGET_KIND_DATE_DIMENSION)
            add_target(out, sttm->targets[i], rules);
    for (size_t i = 0; rules && i < n_hits && i < 3; i++)
        if (hits[i]->found) {
            nv_buf_puts(out, "lesson from an earlier run: ");
            quote_add(out, hits[i]->found->lesson, QUOTE_TEXT_MAX);
            nv_buf_putc(out, '\n');
        }
    nv_buf_puts(out, "</data>\n\nGive the descriptions.\n");
}

bool prompt_descriptions(nv_mem_t *ctx, const Nv__Sttm *sttm, Nv__KnowledgeHit *const *hits, size_t n_hits,
                         size_t max_bytes, prompt_t *out, nv_error_t *err)
{
    nv_buf_t user = nv_buf_make(ctx, max_bytes ? max_bytes : PROMPT_DEFAULT_BYTES);
    bool rules = true;
    size_t targets = sttm->n_targets;
    for (;;) {
        nv_buf_reset(&user);
        render(&user, sttm, hits, n_hits, rules, targets);
        if (!user.overflowed)
            break;
        if (rules)
            rules = false;
        else if (targets > 0)
            targets /= 2;
        else
            return nv_buf_ok(&user, "the mapping for the model", err);
    }
    *out = (prompt_t){.system = nv_printf(ctx, "%s%s", descriptions_system, quote_warning),
                      .user = nv_buf_text(&user),
                      .complete = rules && targets == sttm->n_targets};
    return true;
}

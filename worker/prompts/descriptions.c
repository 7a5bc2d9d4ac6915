/* The Developer's question: what targets and columns mean. */
#include "worker/prompts/prompts.h"
#include "worker/prompts/quote.h"

#include <string.h>

/* clang-format off */
static const char descriptions_system[] =
    "You write the documentation of a star schema, for people who will query it. A program has designed it; each\n"
    "line below is a table or one of its columns with its type and the rule that fills it.\n"
    "Give:\n"
    "- targets: for each table one sentence that says what one row of it is, in the words of the business.\n"
    "- columns: one short sentence where it adds what the name does not say (meaning of a code, unit, what is\n"
    "  counted, when it is empty); leave all others out.\n"
    "Write only what names, types and rules show; what you would have to guess is better missing than invented.\n"
    "Do not repeat the name as a sentence. Use target and column names exactly as given, without the quotes.\n";
/* clang-format on */

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
        nv_buf_printf(out, " %s", quote_type_name(c->type));
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

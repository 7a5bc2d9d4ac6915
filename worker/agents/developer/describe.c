#include "worker/agents/developer/describe.h"

#include "common/contract/codec.h"
#include "common/core/utf8.h"
#include "worker/agents/model/model_ask.h"

#include <string.h>

enum { TABLE_MAX = 400, COLUMN_MAX = 250, OUTPUT_TOKENS = 6000 };

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* What the design writes of itself ("One row per order", "order facts from orders: …") says no more than the names. */
static bool wants_target(const Nv__SttmTarget *t)
{
    if (t->kind == NV__TARGET_KIND__TARGET_KIND_DATE_DIMENSION)
        return false;
    return t->description[0] == '\0' || starts_with(t->description, "One row per ") ||
           starts_with(t->description, "Links ") ||
           (t->driving_source[0] != '\0' && strstr(t->description, " facts from ") != NULL);
}

/* Keys, validity and audit columns are described by what they are; of the rest "city of customers" says nothing. */
static bool wants_column(const Nv__SttmTarget *t, const Nv__SttmColumn *c)
{
    if (t->kind == NV__TARGET_KIND__TARGET_KIND_DATE_DIMENSION || c->transform == NULL ||
        c->transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_AUDIT)
        return false;
    if (c->description[0] == '\0')
        return true;
    if (c->transform->n_inputs == 0 || c->transform->inputs[0]->source_column[0] == '\0')
        return false;
    const char *name = c->transform->inputs[0]->source_column;
    return starts_with(c->description, name) && starts_with(c->description + strlen(name), " of ");
}

static size_t target_wanted(const Nv__SttmTarget *t)
{
    size_t n = wants_target(t);
    for (size_t i = 0; i < t->n_columns; i++)
        n += wants_column(t, t->columns[i]);
    return n;
}

size_t describe_wanted(const Nv__Sttm *sttm)
{
    size_t n = 0;
    for (size_t i = 0; i < sttm->n_targets; i++)
        n += target_wanted(sttm->targets[i]);
    return n;
}

/* C0, DEL, C1, line and paragraph separators, marks that reorder or hide text, the byte order mark. */
static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
           (c >= 0xe0000 && c <= 0xe0fff);
}

static uint32_t code_point(const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text;
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t code = p[0] & masks[n];
    for (size_t i = 1; i < n; i++)
        code = (code << 6) | (p[i] & 0x3f);
    return code;
}

/* NULL when the text may stand as a description, else what is wrong with it. */
static const char *fault_of(const char *text, size_t most)
{
    size_t length = strlen(text);
    bool word = false;
    if (length > most)
        return "is too long";
    for (size_t at = 0, n; at < length; at += n) {
        n = nv_utf8_sequence(text + at, length - at);
        if (n == 0)
            return "is not UTF-8";
        if (is_control(code_point(text + at, n)))
            return "has control characters or line breaks";
        word = word || text[at] != ' ';
    }
    return word ? NULL : "is empty";
}

static Nv__SttmTarget *target_named(const Nv__Sttm *sttm, const char *name)
{
    for (size_t i = 0; i < sttm->n_targets; i++)
        if (strcmp(sttm->targets[i]->name, name) == 0)
            return sttm->targets[i];
    return NULL;
}

static Nv__SttmColumn *column_named(const Nv__SttmTarget *target, const char *name)
{
    for (size_t i = 0; i < target->n_columns; i++)
        if (strcmp(target->columns[i]->name, name) == 0)
            return target->columns[i];
    return NULL;
}

static void check_target(const Nv__Sttm *sttm, const Nv__TargetDescription *d, size_t i, nv_buf_t *complaints)
{
    const Nv__SttmTarget *target = target_named(sttm, d->target);
    if (target == NULL) {
        nv_buf_printf(complaints, "targets[%zu].target: there is no target \"%.80s\"\n", i, d->target);
        return;
    }
    const char *fault = d->description[0] != '\0' ? fault_of(d->description, TABLE_MAX) : NULL;
    if (fault != NULL)
        nv_buf_printf(complaints,
                      "targets[%zu].description: %s; expected one line of at most %d characters\n", i, fault,
                      TABLE_MAX);
    for (size_t k = 0; k < d->n_columns; k++) {
        const Nv__ColumnDescription *column = d->columns[k];
        if (column_named(target, column->column) == NULL)
            nv_buf_printf(complaints, "targets[%zu].columns[%zu].column: \"%.80s\" has no column \"%.80s\"\n",
                          i, k, d->target, column->column);
        else if ((fault = fault_of(column->description, COLUMN_MAX)) != NULL)
            nv_buf_printf(complaints,
                          "targets[%zu].columns[%zu].description: %s; expected one line of at most %d "
                          "characters, or leave the column out\n",
                          i, k, fault, COLUMN_MAX);
    }
}

static void check(void *arg, const ProtobufCMessage *message, nv_buf_t *complaints)
{
    const Nv__DescriptionProposal *proposal = (const Nv__DescriptionProposal *)message;
    for (size_t i = 0; i < proposal->n_targets; i++)
        check_target(arg, proposal->targets[i], i, complaints);
}

static void apply_column(nv_mem_t *ctx, const Nv__ColumnDescription *d, Nv__SttmTarget *target,
                         describe_outcome_t *out)
{
    Nv__SttmColumn *column = column_named(target, d->column);
    bool good =
        column != NULL && wants_column(target, column) && fault_of(d->description, COLUMN_MAX) == NULL;
    if (good)
        column->description = nv_strdup(ctx, d->description);
    out->taken += good;
    out->refused += !good;
}

void describe_apply(nv_mem_t *ctx, const Nv__DescriptionProposal *proposal, Nv__Sttm *sttm,
                    describe_outcome_t *out)
{
    *out = (describe_outcome_t){0};
    for (size_t i = 0; i < proposal->n_targets; i++) {
        const Nv__TargetDescription *d = proposal->targets[i];
        Nv__SttmTarget *target = target_named(sttm, d->target);
        if (target == NULL) {
            out->refused += 1 + (int)d->n_columns;
            continue;
        }
        bool good = wants_target(target) && fault_of(d->description, TABLE_MAX) == NULL;
        if (good)
            target->description = nv_strdup(ctx, d->description);
        out->taken += good;
        out->refused += !good && d->description[0] != '\0';
        for (size_t k = 0; k < d->n_columns; k++)
            apply_column(ctx, d->columns[k], target, out);
    }
}

/* Targets with nothing to say are not asked about. */
static bool make_question(nv_mem_t *ctx, const Nv__Sttm *sttm, const Nv__KnowledgeReply *cases,
                          model_question_t *out, nv_error_t *err)
{
    Nv__Sttm *asked = (Nv__Sttm *)nv_message_copy(ctx, &sttm->base);
    size_t kept = 0;
    for (size_t i = 0; i < asked->n_targets; i++)
        if (target_wanted(asked->targets[i]) > 0)
            asked->targets[kept++] = asked->targets[i];
    asked->n_targets = kept;
    *out = (model_question_t){.type = &nv__description_proposal__descriptor,
                              .name = "description_proposal",
                              .check = check,
                              .check_arg = (void *)(uintptr_t)sttm,
                              .max_output_tokens = OUTPUT_TOKENS};
    return prompt_descriptions(ctx, asked, cases != NULL ? cases->hits : NULL,
                               cases != NULL ? cases->n_hits : 0, 0, &out->prompt, err);
}

static void tell(agent_task_t *task, const char *text)
{
    task_say(task, "llm", "%s", text);
}

Nv__Sttm *describe_targets(agent_task_t *task, nv_mem_t *ctx, const Nv__Sttm *sttm,
                           const Nv__KnowledgeReply *cases, Nv__TaskUsage *usage)
{
    const Nv__RunSpec *spec = task->assignment->spec;
    nv_error_t err = NV_ERROR_INIT;
    model_question_t question;
    const char *why = "no language model was asked for";
    const Nv__DescriptionProposal *proposal = NULL;
    if (describe_wanted(sttm) == 0)
        return NULL;
    if (spec != NULL && spec->use_llm) {
        if (make_question(ctx, sttm, cases, &question, &err))
            proposal = (const Nv__DescriptionProposal *)model_ask(task, ctx, &question, usage, &why);
        else
            why = err.message;
    }
    if (proposal == NULL) {
        tell(task, nv_printf(ctx, "described from the mapping alone: %s", why));
        return NULL;
    }
    describe_outcome_t outcome;
    Nv__Sttm *described = (Nv__Sttm *)nv_message_copy(ctx, &sttm->base);
    describe_apply(ctx, proposal, described, &outcome);
    tell(task, nv_printf(ctx, "%d descriptions of tables and columns taken, %d refused", outcome.taken,
                         outcome.refused));
    return outcome.taken > 0 ? described : NULL;
}

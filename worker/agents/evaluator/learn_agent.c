/* The Evaluator's last step: what this run teaches goes into the tenant's knowledge base. A golden case only
 * from a run that passed its validation; a correction only when a later round passed what an earlier one had
 * failed. */
#include "common/contract/codec.h"
#include "common/embedding/embedding.h"
#include "worker/agents/evaluator/run_documents.h"
#include "worker/knowledge/fingerprint.h"

#include <string.h>

enum { SYMPTOM_MAX = 1024 }; /* bytes, as the knowledge base takes them */

static const Nv__Check *proof_of(const Nv__Validation *validation)
{
    for (size_t i = 0; i < validation->n_checks; i++)
        if (validation->checks[i]->status == NV__CHECK_STATUS__CHECK_STATUS_PASS &&
            strncmp(validation->checks[i]->name, "reconcile", 9) == 0)
            return validation->checks[i];
    return validation->n_checks ? validation->checks[0] : NULL;
}

static char *golden_lesson(nv_mem_t *ctx, const run_record_t *record)
{
    char *text = nv_printf(ctx, "%zu tables became", record->n_profiles);
    for (size_t i = 0; i < record->sttm->n_targets; i++) {
        const Nv__SttmTarget *target = record->sttm->targets[i];
        text = nv_printf(ctx, "%s%s %s%s%s", text, i ? "," : "", target->name,
                         target->driving_source[0] ? " from " : "", target->driving_source);
    }
    return text;
}

static bool fill_case(nv_mem_t *ctx, const run_record_t *record, const Nv__Scorecard *card,
                      Nv__KnowledgeCase *out, nv_error_t *err)
{
    nv__knowledge_case__init(out);
    const Nv__Check *proof = proof_of(record->validation);
    out->fingerprint = fingerprint_make(ctx, record->profiles, record->n_profiles);
    out->run_id = nv_strdup(ctx, record->run_id);
    out->score = card->score;
    out->validator = proof ? nv_printf(ctx, "%s %s", proof->name, proof->subject) : nv_strdup(ctx, "");
    out->stage = nv_strdup(ctx, "design");
    out->n_embedding = NV_EMBEDDING_DIMENSIONS;
    out->embedding = NV_NEW_ARRAY(ctx, float, NV_EMBEDDING_DIMENSIONS);
    fingerprint_embed(out->fingerprint, out->embedding);
    size_t length = 0;
    return nv_json_encode(ctx, &record->design->base, NV_CODEC_DEFAULT, &out->document, &length, err);
}

static bool add_golden(agent_task_t *task, nv_mem_t *ctx, const run_record_t *record,
                       const Nv__Scorecard *card, nv_error_t *err)
{
    Nv__KnowledgeCase golden;
    if (!fill_case(ctx, record, card, &golden, err))
        return false;
    golden.kind = NV__CASE_KIND__CASE_KIND_GOLDEN;
    golden.lesson = golden_lesson(ctx, record);
    if (!task->ops->knowledge_add(task->host, &golden, err))
        return nv_wrap(err, "golden case");
    task_say(task, "learned", "golden case kept: %.120s …", golden.lesson);
    return true;
}

/* What a later run is found by: the first lines of a critique, as many whole ones as a case may hold. */
static const char *symptom_of(nv_mem_t *ctx, const char *critique)
{
    size_t length = strlen(critique);
    if (length > SYMPTOM_MAX) {
        length = SYMPTOM_MAX;
        while (length > 0 && critique[length] != '\n')
            length--;
        if (length == 0) /* one long line: up to a whole character */
            for (length = SYMPTOM_MAX; ((unsigned char)critique[length] & 0xc0) == 0x80;)
                length--;
    }
    while (length > 0 && critique[length - 1] == '\n')
        length--;
    return nv_strndup(ctx, critique, length);
}

/* What the failed checks of an earlier round had said to the Analyst or the Developer, and how it ended. */
static bool add_correction(agent_task_t *task, nv_mem_t *ctx, const run_record_t *record,
                           const Nv__Scorecard *card, nv_error_t *err)
{
    ProtobufCMessage *message;
    if (!task_latest(task, ctx, "critique", &nv__validation__descriptor, &message, err))
        return nv_wrap(err, "critique of an earlier round");
    const Nv__Validation *earlier = (const Nv__Validation *)message;
    const char *symptom = earlier ? symptom_of(ctx, earlier->critique) : "";
    if (symptom[0] == '\0')
        return true;
    Nv__KnowledgeCase correction;
    if (!fill_case(ctx, record, card, &correction, err))
        return false;
    correction.kind = NV__CASE_KIND__CASE_KIND_CORRECTION;
    correction.stage = nv_strdup(ctx, earlier->blame[0] ? earlier->blame : "design");
    correction.symptom = nv_strdup(ctx, symptom);
    correction.lesson = nv_printf(ctx, "\"%s\" was mended in round %d", symptom, record->rounds);
    if (!task->ops->knowledge_add(task->host, &correction, err))
        return nv_wrap(err, "correction case");
    task_say(task, "learned", "correction kept: %.120s …", correction.lesson);
    return true;
}

bool agent_learn(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    run_record_t record;
    if (!run_documents_load(task, ctx, &record, err))
        return false;
    out->outcome = "done";
    out->blame = "";
    if (!record.validation || !record.validation->passed || !record.design || !record.sttm) {
        task_say(task, "learned", "nothing: the run was not proven right");
        return true;
    }
    Nv__Scorecard *card = scorecard_make(ctx, &record);
    if (!add_golden(task, ctx, &record, card, err))
        return false;
    return record.rounds == 0 || add_correction(task, ctx, &record, card, err);
}

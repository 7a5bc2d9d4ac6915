/* From a model's text to a contract message: decode, and where that fails let the model hear why. */
#include "common/contract/codec.h"
#include "common/core/utf8.h"
#include "worker/llm/extract.h"
#include "worker/llm/llm.h"

#include <string.h>

enum { DEFAULT_REPAIRS = 2, MOST_REPAIRS = 8, ECHO_MAX = 6000, COMPLAINTS_MAX = 4000 };

typedef struct conversation {
    nv_mem_t *ctx;
    const llm_proposal_t *proposal;
    char *schema;
    llm_message_t messages[1 + 2 * MOST_REPAIRS];
    size_t n;
    const char *complaints; /* about the last answer; "" when there are none */
} conversation_t;

/* The model's own words come back to it cut, so that a run-away answer cannot fill the next prompt. */
static const char *echo(nv_mem_t *ctx, const llm_reply_t *reply)
{
    if (reply->length == 0)
        return "(nothing)";
    if (reply->length <= ECHO_MAX)
        return reply->text;
    return nv_printf(ctx, "%.*s …", (int)nv_utf8_floor(reply->text, ECHO_MAX), reply->text);
}

/* What was understood but contradicted is mended item by item; what could not be read is asked for anew. */
static void answer_with(conversation_t *c, const llm_reply_t *reply, bool understood, const char *complaint)
{
    c->messages[c->n++] = (llm_message_t){LLM_ASSISTANT, echo(c->ctx, reply)};
    c->messages[c->n++] = (llm_message_t){
        LLM_USER,
        nv_printf(c->ctx,
                  understood ? "Checked against the data, these items of your answer do not "
                               "hold:\n%s\nAnswer again with the "
                               "whole JSON object: these items mended or left out, all others as they were."
                             : "Your answer could not be read: %s\nAnswer again with one JSON object that "
                               "follows the schema, "
                               "and nothing before or after it.",
                  complaint)};
}

/* The message in the answer, or NULL with what is wrong in c->complaints. */
static ProtobufCMessage *decode(conversation_t *c, const llm_reply_t *reply)
{
    nv_error_t err = NV_ERROR_INIT;
    ProtobufCMessage *message;
    const char *json = reply->text;
    size_t length = reply->length;
    if (reply->stop == LLM_STOP_REFUSED) {
        c->complaints = "the answer was refused";
        return NULL;
    }
    if (!llm_extract_json(reply->text, reply->length, &json, &length) && reply->stop == LLM_STOP_LENGTH) {
        c->complaints = "the answer was cut off because it was too long: leave out what matters least";
        return NULL;
    }
    /* unknown fields carry nothing that would be used; a round trip for them would be wasted */
    if (!nv_json_decode(c->ctx, c->proposal->type, c->proposal->name, json, length, NV_CODEC_IGNORE_UNKNOWN,
                        &message, &err)) {
        c->complaints = nv_strdup(c->ctx, err.message);
        return NULL;
    }
    return message;
}

static void check_facts(conversation_t *c, const ProtobufCMessage *message)
{
    c->complaints = "";
    if (!c->proposal->check)
        return;
    nv_buf_t complaints = nv_buf_make(c->ctx, COMPLAINTS_MAX);
    c->proposal->check(c->proposal->check_arg, message, &complaints);
    c->complaints =
        nv_strdup(c->ctx, nv_buf_text(&complaints)); /* cut at the limit: the first ones suffice */
}

static bool converse(llm_t *llm, conversation_t *c, int repairs, ProtobufCMessage **best, nv_error_t *err)
{
    const llm_proposal_t *p = c->proposal;
    for (int round = 0;; round++) {
        llm_request_t request = {.system = p->system,
                                 .messages = c->messages,
                                 .n_messages = c->n,
                                 .schema = c->schema,
                                 .schema_name = p->name,
                                 .max_output_tokens = p->max_output_tokens};
        llm_reply_t reply;
        if (!llm_complete(llm, c->ctx, &request, &reply, err))
            return false;
        ProtobufCMessage *message = decode(c, &reply);
        if (message) {
            check_facts(c, message);
            *best = message;
        }
        if (message && !*c->complaints)
            return true;
        if (round >= repairs)
            return *best || nv_fail(err, NV_FAILED_PRECONDITION, "%s: no usable answer: %.1000s",
                                    llm_name(llm), c->complaints);
        answer_with(c, &reply, message != NULL, c->complaints);
    }
}

bool llm_propose(llm_t *llm, nv_mem_t *ctx, const llm_proposal_t *proposal, ProtobufCMessage **out,
                 const char **complaints, nv_error_t *err)
{
    conversation_t c = {.ctx = ctx, .proposal = proposal, .complaints = ""};
    ProtobufCMessage *best = NULL;
    int repairs = proposal->max_repairs ? proposal->max_repairs : DEFAULT_REPAIRS;
    if (repairs > MOST_REPAIRS)
        repairs = MOST_REPAIRS;
    if (!nv_json_schema(ctx, proposal->type, proposal->describe, proposal->describe_arg, &c.schema, err))
        return false;
    c.messages[c.n++] = (llm_message_t){LLM_USER, proposal->user};
    /* a later round may fail for want of budget: what was decoded before still counts */
    if (!converse(llm, &c, repairs < 0 ? 0 : repairs, &best, err) && (!best || err->code == NV_CANCELLED))
        return false;
    nv_error_clear(err);
    *out = best;
    if (complaints)
        *complaints = c.complaints;
    return true;
}

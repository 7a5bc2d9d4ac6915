/* The approval: asked once per design, answered by a person, or passed at once. An answer crosses the graph as one byte
 * string: the decision, then four texts, each with its length (4 bytes, little-endian). */
#include <inttypes.h>
#include <string.h>

#include "controlplane/supervisor/internal.h"

enum { BY, COMMENT, DESIGN, CRITIQUE, FIELDS };

typedef struct decoded {
    nv_super_decision_t decision;
    nv_bytes_t fields[FIELDS];
} decoded_t;

static void put_field(nv_buf_t *buf, nv_bytes_t field)
{
    uint32_t length = (uint32_t)field.length;
    for (int i = 0; i < 4; i++)
        nv_buf_putc(buf, (char)(length >> 8 * i & 0xFF));
    nv_buf_add(buf, field.data, field.length);
}

static bool take_field(nv_bytes_t *rest, nv_bytes_t *out)
{
    const unsigned char *bytes = rest->data;
    if (rest->length < 4)
        return false;
    uint32_t length =
        bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
    if (length > rest->length - 4)
        return false;
    *out = nv_bytes(bytes + 4, length);
    *rest = nv_bytes(bytes + 4 + length, rest->length - 4 - length);
    return true;
}

static bool decode(nv_bytes_t answer, decoded_t *out, nv_error_t *err)
{
    nv_bytes_t rest = answer;
    bool ok = rest.length >= 1 && *(const unsigned char *)rest.data <= NV_SUPER_DECIDE_REJECT;
    if (ok) {
        out->decision = *(const unsigned char *)rest.data;
        rest = nv_bytes((const char *)rest.data + 1, rest.length - 1);
    }
    for (int i = 0; ok && i < FIELDS; i++)
        ok = take_field(&rest, &out->fields[i]);
    return (ok && rest.length == 0) || nv_fail(err, NV_DATA_LOSS, "the stored answer is damaged");
}

static bool check_answer(const nv_super_answer_t *answer, nv_error_t *err)
{
    if (answer->decision < NV_SUPER_DECIDE_APPROVE || answer->decision > NV_SUPER_DECIDE_REJECT)
        return nv_fail(err, NV_INVALID_ARGUMENT, "answer: expected approve, revise or reject");
    if (answer->comment && strlen(answer->comment) > COMMENT_MAX_BYTES)
        return nv_fail(err, NV_INVALID_ARGUMENT, "answer: a comment of more than %d bytes",
                       COMMENT_MAX_BYTES);
    if (answer->by && strlen(answer->by) > 512)
        return nv_fail(err, NV_INVALID_ARGUMENT, "answer: the name of who answers has more than 512 bytes");
    if (answer->design.length > REFERENCE_MAX_BYTES || answer->critique.length > REFERENCE_MAX_BYTES)
        return nv_fail(err, NV_INVALID_ARGUMENT, "answer: a document reference of more than %d bytes",
                       REFERENCE_MAX_BYTES);
    if (answer->decision != NV_SUPER_DECIDE_APPROVE && answer->design.length)
        return nv_fail(err, NV_INVALID_ARGUMENT, "answer: a corrected design goes with approve");
    return true;
}

bool nv_super_answer(nv_super_run_t *run, const nv_super_answer_t *answer, int64_t now_ms,
                     nv_graph_effects_t *effects, nv_error_t *err)
{
    if (!check_answer(answer, err))
        return false;
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("answer");
    nv_buf_t buf = nv_buf_make(scratch, SPEC_MAX_BYTES);
    nv_buf_putc(&buf, (char)answer->decision);
    put_field(&buf, nv_bytes_text(answer->by));
    put_field(&buf, nv_bytes_text(answer->comment));
    put_field(&buf, answer->design);
    put_field(&buf, answer->critique);
    if (!nv_buf_ok(&buf, "answer", err))
        return false;
    nv_graph_event_t event = {.kind = NV_EVENT_ANSWER,
                              .task = answer->task,
                              .key = nv_bytes_text(answer->key),
                              .answer = nv_bytes(buf.data, buf.length)};
    return nv_graph_step(run->graph, &event, now_ms, effects, err);
}

static void write_text(nv_node_call_t *call, nv_channel_id_t channel, nv_bytes_t value)
{
    nv_node_call_write(call, &(nv_graph_write_t){.channel = channel, .value = value});
}

static void write_document(nv_node_call_t *call, nv_channel_id_t channel, nv_bytes_t reference)
{
    if (reference.length)
        write_text(call, channel, reference);
}

static void write_outcome(nv_node_call_t *call, char letter, const char *did, const decoded_t *answer)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("approval");
    nv_buf_t buf = nv_buf_make(scratch, SPEC_MAX_BYTES);
    nv_bytes_t by = answer->fields[BY], comment = answer->fields[COMMENT];
    nv_buf_printf(&buf, "%c%s by %.*s", letter, did, by.length ? (int)by.length : 8,
                  by.length ? (const char *)by.data : "a person");
    if (comment.length) {
        nv_buf_puts(&buf, ": ");
        nv_buf_add(&buf, comment.data, comment.length);
    }
    nv_node_call_write(call, &(nv_graph_write_t){.channel = CHANNEL_OUTCOMES,
                                                 .key = nv_bytes_text(super_nodes[NV_SUPER_APPROVE].name),
                                                 .value = nv_bytes(buf.data, buf.length)});
    if (letter == 'p')
        return;
    char *text = nv_printf(scratch, "approve: %s", buf.data + 1);
    bool rejected = answer->decision == NV_SUPER_DECIDE_REJECT;
    write_text(call, rejected ? CHANNEL_FAILURES : CHANNEL_UNSOLVED, nv_bytes_text(text));
}

static void decide(nv_node_call_t *call, const decoded_t *answer)
{
    switch (answer->decision) {
    case NV_SUPER_DECIDE_APPROVE:
        /* A correction goes through design, which holds it against the data, and is asked for approval again. */
        write_document(call, CHANNEL_HUMAN_DESIGN, answer->fields[DESIGN]);
        write_outcome(call, 'p', answer->fields[DESIGN].length ? "corrected" : "approved", answer);
        nv_node_call_outcome(call, answer->fields[DESIGN].length ? OUTCOME_FAIL_DESIGN : OUTCOME_PASS);
        break;
    case NV_SUPER_DECIDE_REVISE:
        /* An earlier correction was answered by the design that is now sent back. */
        write_text(call, CHANNEL_HUMAN_DESIGN, nv_bytes_text(""));
        write_document(call, CHANNEL_CRITIQUE, answer->fields[CRITIQUE]);
        write_outcome(call, 'f', "sent back", answer);
        nv_node_call_write(call, &(nv_graph_write_t){.channel = CHANNEL_ROUNDS, .number = 1});
        nv_node_call_outcome(call, OUTCOME_FAIL_DESIGN);
        break;
    case NV_SUPER_DECIDE_REJECT:
        write_outcome(call, 'f', "rejected", answer);
        nv_node_call_outcome(call, OUTCOME_REJECTED); /* the failure just written makes the route give up */
        break;
    }
}

bool super_approve(nv_node_call_t *call, void *user, nv_error_t *err)
{
    (void)user;
    const nv_graph_run_t *run = nv_node_call_run(call);
    if (nv_graph_read_number(run, CHANNEL_APPROVAL) == APPROVAL_AUTO) {
        nv_node_call_write(call, &(nv_graph_write_t){.channel = CHANNEL_OUTCOMES,
                                                     .key = nv_bytes_text(super_nodes[NV_SUPER_APPROVE].name),
                                                     .value = nv_bytes_text("papproved automatically")});
        return true;
    }
    nv_bytes_t bytes;
    if (!nv_node_call_answer(call, "approve", &bytes)) {
        nv_node_call_ask(call, &(nv_graph_ask_t){nv_bytes_text("approve"),
                                                 nv_bytes_text("Build the warehouse as designed?")});
        return true;
    }
    decoded_t answer;
    if (!decode(bytes, &answer, err))
        return false;
    decide(call, &answer);
    return true;
}

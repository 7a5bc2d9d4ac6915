/* Asks a model as the agents do and prints what came of it as JSON; started by the tests beside it.
 *
 *   llm_probe PROVIDER BASE_URL MODEL complete TEXT
 *   llm_probe PROVIDER BASE_URL MODEL propose          a DesignProposal over a small fixed evidence
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract/codec.h"
#include "common/core/json.h"
#include "common/http/http.h"
#include "nuvyn/proposal.pb-c.h"
#include "worker/llm/llm.h"
#include "worker/prompts/prompts.h"

typedef struct probe {
    nv_mem_t *ctx;
    llm_t *llm;
    nv_buf_t tokens;
    int restarts;
} probe_t;

static void take_token(void *arg, const char *text, size_t length)
{
    probe_t *p = arg;
    if (text) {
        nv_buf_add(&p->tokens, text, length);
        return;
    }
    nv_buf_reset(&p->tokens);
    p->restarts++;
}

static void put_usage(nv_json_writer_t *w, const probe_t *p)
{
    llm_usage_t u = llm_usage(p->llm);
    nv_json_put_string(w, "name", llm_name(p->llm));
    nv_json_put_int64(w, "calls", u.calls);
    nv_json_put_int64(w, "input_tokens", u.input_tokens);
    nv_json_put_int64(w, "output_tokens", u.output_tokens);
    nv_json_put_bool(w, "estimated", u.tokens_estimated);
    nv_json_put_int64(w, "restarts", p->restarts);
    nv_json_put_int64(w, "streamed", (int64_t)p->tokens.length);
}

static bool complete(probe_t *p, const char *text, nv_json_writer_t *w, nv_error_t *err)
{
    llm_message_t message = {LLM_USER, text};
    llm_request_t request = {
        .system = "You are terse.", .messages = &message, .n_messages = 1, .max_output_tokens = 200};
    llm_reply_t reply;
    if (!llm_complete(p->llm, p->ctx, &request, &reply, err))
        return false;
    nv_json_put_string(w, "text", reply.text);
    nv_json_put_int64(w, "stop", reply.stop);
    nv_json_put_int64(w, "attempts", reply.attempts);
    return true;
}

/* orders and customers, one join the evidence could not decide. */
static Nv__Relations *evidence(nv_mem_t *ctx, Nv__TableProfile ***tables)
{
    static const char orders[] =
        "{\"name\":\"orders\",\"row_count\":\"1000\",\"columns\":[{\"name\":\"order_id\",\"type\":3,"
        "\"distinct_count\":\"1000\"},{\"name\":\"cust\",\"type\":3,\"distinct_count\":\"90\"},{\"name\":"
        "\"amount\",\"type\":4,\"distinct_count\":\"700\"}]}";
    static const char customers[] =
        "{\"name\":\"customers\",\"row_count\":\"100\",\"columns\":[{\"name\":\"id\",\"type\":3,"
        "\"distinct_count\":\"100\"},{\"name\":\"name\",\"type\":1,\"distinct_count\":\"99\"}]}";
    static const char relations[] =
        "{\"undecided\":[{\"from\":\"orders\",\"columns\":[\"cust\"],\"to\":\"customers\","
        "\"to_columns\":[\"id\"],\"probability\":0.5,\"coverage\":0.98}]}";
    const char *texts[] = {orders, customers};
    nv_error_t err = NV_ERROR_INIT;
    ProtobufCMessage *out;
    *tables = NV_NEW_ARRAY(ctx, Nv__TableProfile *, 2);
    for (size_t i = 0; i < 2; i++) {
        if (!nv_json_decode(ctx, &nv__table_profile__descriptor, "evidence", texts[i], strlen(texts[i]), 0,
                            &out, &err))
            abort();
        (*tables)[i] = (Nv__TableProfile *)out;
    }
    if (!nv_json_decode(ctx, &nv__relations__descriptor, "evidence", relations, strlen(relations), 0, &out,
                        &err))
        abort();
    return (Nv__Relations *)out;
}

static void check(void *arg, const ProtobufCMessage *message, nv_buf_t *complaints)
{
    const Nv__DesignProposal *proposal = (const Nv__DesignProposal *)message;
    for (size_t i = 0; i < proposal->n_joins; i++)
        if (!prompt_join_of(arg, proposal->joins[i]->id))
            nv_buf_printf(complaints, "joins[%zu].id: \"%.40s\" is not one of the ids shown\n", i,
                          proposal->joins[i]->id);
}

static bool propose(probe_t *p, nv_json_writer_t *w, nv_error_t *err)
{
    Nv__TableProfile **tables;
    Nv__Relations *relations = evidence(p->ctx, &tables);
    prompt_design_evidence_t e = {.tables = tables, .n_tables = 2, .relations = relations};
    prompt_t prompt;
    if (!prompt_design(p->ctx, &e, 4000, &prompt, err))
        return false;
    llm_proposal_t proposal = {.system = prompt.system,
                               .user = prompt.user,
                               .type = &nv__design_proposal__descriptor,
                               .name = "design_proposal",
                               .describe = prompt_describe_field,
                               .check = check,
                               .check_arg = relations,
                               .max_output_tokens = 600};
    ProtobufCMessage *out;
    const char *complaints;
    char *json;
    if (!llm_propose(p->llm, p->ctx, &proposal, &out, &complaints, err) ||
        !nv_json_encode(p->ctx, out, 0, &json, NULL, err))
        return false;
    nv_json_put_raw(w, "proposal", json);
    nv_json_put_string(w, "complaints", complaints);
    return true;
}

static bool run(probe_t *p, char **argv, nv_json_writer_t *w, nv_error_t *err)
{
    Nv__LlmCredential credential = NV__LLM_CREDENTIAL__INIT;
    credential.provider = argv[1];
    credential.base_url = argv[2];
    credential.model = argv[3];
    credential.api_key = (char *)"test-key";
    llm_options_t options = {.credential = &credential,
                             .on_token = take_token,
                             .on_token_arg = p,
                             .budget = {.max_calls = 12, .max_ms = 240000}};
    if (!llm_new(p->ctx, &options, &p->llm, err))
        return false;
    return strcmp(argv[4], "propose") == 0 ? propose(p, w, err) : complete(p, argv[5], w, err);
}

int main(int argc, char **argv)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("probe");
    nv_error_t err = NV_ERROR_INIT;
    if (argc < 5 || (strcmp(argv[4], "propose") != 0 && argc < 6) || !nv_http_global_init(&err)) {
        fputs("usage: llm_probe PROVIDER BASE_URL MODEL complete TEXT | propose\n", stderr);
        return 64;
    }
    probe_t p = {.ctx = ctx, .tokens = nv_buf_make(ctx, 1 << 20)};
    nv_json_writer_t w = nv_json_writer_make(ctx, 1 << 22, false);
    char *text;
    nv_json_open_object(&w, NULL);
    if (!run(&p, argv, &w, &err)) {
        nv_json_put_string(&w, "code", nv_code_name(err.code));
        nv_json_put_string(&w, "error", err.message);
        nv_error_clear(&err);
    }
    if (p.llm)
        put_usage(&w, &p);
    nv_json_close_object(&w);
    if (!nv_json_write_end(&w, "result", &text, NULL, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return 70;
    }
    puts(text);
    llm_free(p.llm);
    nv_http_global_cleanup();
    return 0;
}

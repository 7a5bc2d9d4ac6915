/* Takes a mapping through generate, deploy, execute and validate, with the real agents, against a workspace:
 *
 *     pipeline_agents HOST TOKEN MAPPING.json RUN_ID
 *
 * TOKEN is an access token. The raw files are those that the mapping names; they are profiled first, because the Tester
 * wants to know the lines that are no rows. Prints one line per event and check; exits 0 when the validation passed. */
#include "common/contract/codec.h"
#include "nuvyn/sttm.pb-c.h"
#include "worker/agents/agent.h"
#include "worker/profiling/profile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { MAPPING_MAX = 32 * 1024 * 1024, DOCUMENTS_MAX = 256 };

typedef struct document {
    char *channel;
    uint8_t *data;
    size_t length;
} document_t;

typedef struct host {
    nv_mem_t *ctx;
    const char *address;
    const char *token;
    document_t documents[DOCUMENTS_MAX];
    size_t n_documents;
    bool verbose;
} host_t;

static size_t input_count(void *arg, const char *channel)
{
    const host_t *host = arg;
    size_t n = 0;
    for (size_t i = 0; i < host->n_documents; i++)
        n += strcmp(host->documents[i].channel, channel) == 0;
    return n;
}

static bool input(void *arg, nv_mem_t *ctx, const char *channel, size_t index,
                  const ProtobufCMessageDescriptor *type, ProtobufCMessage **out, nv_error_t *err)
{
    const host_t *host = arg;
    for (size_t i = 0; i < host->n_documents; i++)
        if (strcmp(host->documents[i].channel, channel) == 0 && index-- == 0)
            return nv_unpack(ctx, type, host->documents[i].data, host->documents[i].length, out, err);
    return nv_fail(err, NV_NOT_FOUND, "channel %s: no such document", channel);
}

static bool write_document(void *arg, const char *channel, const ProtobufCMessage *value, nv_error_t *err)
{
    host_t *host = arg;
    if (host->n_documents == DOCUMENTS_MAX)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "more than %d documents", DOCUMENTS_MAX);
    document_t *d = &host->documents[host->n_documents++];
    d->channel = nv_strdup(host->ctx, channel);
    nv_pack(host->ctx, value, &d->data, &d->length);
    return true;
}

static bool artifact(void *arg, const char *name, const char *media_type, const void *data, size_t length,
                     nv_error_t *err)
{
    (void)arg, (void)name, (void)media_type, (void)data, (void)length, (void)err;
    return true;
}

static void emit(void *arg, const char *kind, const char *text, int64_t done, int64_t total)
{
    const host_t *host = arg;
    if (host->verbose || strcmp(kind, "progress") != 0)
        printf("%s %lld/%lld %s\n", kind, (long long)done, (long long)total, text);
    fflush(stdout);
}

static bool databricks(void *arg, nv_mem_t *ctx, Nv__DatabricksCredential **out, nv_error_t *err)
{
    (void)err;
    const host_t *host = arg;
    Nv__DatabricksCredential *c = NV_NEW(ctx, Nv__DatabricksCredential);
    nv__databricks_credential__init(c);
    c->host = nv_strdup(ctx, host->address);
    c->access_token = nv_strdup(ctx, host->token);
    c->catalog = nv_strdup(ctx, "main");
    c->volume = nv_strdup(ctx, "raw");
    *out = c;
    return true;
}

static bool no_llm(void *arg, nv_mem_t *ctx, Nv__LlmCredential **out, nv_error_t *err)
{
    (void)arg, (void)ctx, (void)out;
    return nv_fail(err, NV_NOT_FOUND, "no model");
}

static bool no_knowledge(void *arg, nv_mem_t *ctx, const Nv__KnowledgeQuery *query, Nv__KnowledgeReply **out,
                         nv_error_t *err)
{
    (void)arg, (void)ctx, (void)query, (void)out;
    return nv_fail(err, NV_NOT_FOUND, "no knowledge base");
}

static bool no_lesson(void *arg, const Nv__KnowledgeCase *added, nv_error_t *err)
{
    (void)arg, (void)added;
    return nv_fail(err, NV_NOT_FOUND, "no knowledge base");
}

static bool cancelled(void *arg)
{
    (void)arg;
    return false;
}

static const agent_host_ops_t ops = {input_count, input,  write_document, artifact,  emit,
                                     databricks,  no_llm, no_knowledge,   no_lesson, cancelled};

static bool read_mapping(nv_mem_t *ctx, const char *path, Nv__Sttm **out, nv_error_t *err)
{
    char *text = nv_alloc(ctx, MAPPING_MAX);
    ProtobufCMessage *message = NULL;
    FILE *file = fopen(path, "rb");
    if (!file)
        return nv_fail_errno(err, errno, "%s", path);
    size_t length = fread(text, 1, MAPPING_MAX, file);
    fclose(file);
    if (!nv_json_decode(ctx, &nv__sttm__descriptor, "sttm", text, length, NV_CODEC_DEFAULT, &message, err))
        return false;
    *out = (Nv__Sttm *)message;
    return true;
}

/* One profile per source, on the channel that the Tester reads. */
static bool profile_sources(host_t *host, const Nv__Sttm *sttm, nv_error_t *err)
{
    for (size_t i = 0; i < sttm->n_sources; i++) {
        Nv__SurveyTable table = NV__SURVEY_TABLE__INIT;
        Nv__TableProfile *profile;
        table.name = sttm->sources[i]->name;
        table.files = sttm->sources[i]->files;
        table.n_files = sttm->sources[i]->n_files;
        if (!profile_table(host->ctx, NULL, &table, &profile, err))
            return nv_wrap(err, "profile of %s", table.name);
        if (!write_document(host, "profile", &profile->base, err))
            return false;
    }
    return true;
}

static bool step(host_t *host, const char *kind, agent_fn agent, const char *run_id, agent_result_t *result,
                 nv_error_t *err)
{
    Nv__TaskAssignment assignment = NV__TASK_ASSIGNMENT__INIT;
    Nv__Lease lease = NV__LEASE__INIT;
    Nv__RunSpec spec = NV__RUN_SPEC__INIT;
    lease.run_id = nv_strdup(host->ctx, run_id);
    assignment.lease = &lease;
    assignment.spec = &spec;
    assignment.kind = nv_strdup(host->ctx, kind);
    assignment.idempotency_token = nv_printf(host->ctx, "%s-%s", run_id, kind);
    agent_task_t task = {.assignment = &assignment, .ops = &ops, .host = host, .statements_at_once = 4};
    *result = (agent_result_t){0};
    if (!agent(&task, host->ctx, result, err))
        return false;
    printf("%s: %s %s\n", kind, result->outcome, result->blame);
    return true;
}

static void print_checks(host_t *host)
{
    nv_error_t err = NV_ERROR_INIT;
    ProtobufCMessage *message = NULL;
    if (!input(host, host->ctx, "validation", 0, &nv__validation__descriptor, &message, &err))
        return;
    const Nv__Validation *validation = (const Nv__Validation *)message;
    size_t counts[5] = {0};
    for (size_t i = 0; i < validation->n_checks; i++)
        counts[validation->checks[i]->status]++;
    printf("checks: %zu passed, %zu warned, %zu failed, %zu errors\n", counts[1], counts[2], counts[3],
           counts[4]);
    for (size_t i = 0; i < validation->n_tables; i++)
        printf("table %s rows=%lld source=%lld quarantined=%lld duplicates=%lld\n",
               validation->tables[i]->table, (long long)validation->tables[i]->rows,
               (long long)validation->tables[i]->source_rows, (long long)validation->tables[i]->quarantined,
               (long long)validation->tables[i]->duplicates);
}

static bool run(host_t *host, const char *mapping, const char *run_id, bool *passed, nv_error_t *err)
{
    Nv__Sttm *sttm = NULL;
    agent_result_t result;
    if (!read_mapping(host->ctx, mapping, &sttm, err) || !write_document(host, "sttm", &sttm->base, err) ||
        !profile_sources(host, sttm, err) || !step(host, "generate", agent_generate, run_id, &result, err) ||
        !step(host, "deploy", agent_deploy, run_id, &result, err) ||
        !step(host, "execute", agent_execute, run_id, &result, err))
        return false;
    *passed = strcmp(result.outcome, "pass") == 0;
    if (!*passed)
        return true;
    if (!step(host, "validate", agent_validate, run_id, &result, err))
        return false;
    *passed = strcmp(result.outcome, "pass") == 0;
    print_checks(host);
    return true;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: pipeline_agents HOST TOKEN MAPPING.json RUN_ID\n");
        return 64;
    }
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("pipeline_agents");
    host_t *host = NV_NEW(ctx, host_t);
    nv_error_t err = NV_ERROR_INIT;
    bool passed = false;
    host->ctx = ctx;
    host->address = argv[1];
    host->token = argv[2];
    if (!run(host, argv[3], argv[4], &passed, &err)) {
        fprintf(stderr, "pipeline_agents: %s\n", err.message);
        return nv_code_exit_status(err.code);
    }
    return passed ? 0 : 1;
}

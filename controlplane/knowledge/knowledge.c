#include "controlplane/knowledge/knowledge.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "common/contract/codec.h"
#include "common/core/buf.h"
#include "common/embedding/embedding.h"
#include "controlplane/store/cases.h"

_Static_assert((int)NV_EMBEDDING_DIMENSIONS == (int)STORE_EMBEDDING_DIMENSIONS, "one length of embeddings");

/* ---- admission ---- */

static bool known_kind(Nv__CaseKind kind)
{
    return kind == NV__CASE_KIND__CASE_KIND_GOLDEN || kind == NV__CASE_KIND__CASE_KIND_CORRECTION;
}

static bool check_content(const Nv__KnowledgeCase *c, nv_error_t *err)
{
    if (!known_kind(c->kind))
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "case.kind: expected CASE_KIND_GOLDEN or CASE_KIND_CORRECTION");
    if (!*c->stage)
        return nv_fail(err, NV_INVALID_ARGUMENT, "case.stage is empty: expected \"design\" or \"generate\"");
    if (!*c->fingerprint)
        return nv_fail(err, NV_INVALID_ARGUMENT, "case.fingerprint is empty: expected the schema in words");
    if (c->kind == NV__CASE_KIND__CASE_KIND_CORRECTION && !*c->symptom)
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "case.symptom is empty: expected the class of the error it corrects");
    if (c->n_embedding != 0 && c->n_embedding != NV_EMBEDDING_DIMENSIONS)
        return nv_fail(err, NV_INVALID_ARGUMENT, "case.embedding has %zu numbers: expected %d",
                       c->n_embedding, NV_EMBEDDING_DIMENSIONS);
    return true;
}

static bool admit(const Nv__KnowledgeCase *c, const knowledge_proof_t *proof, nv_error_t *err)
{
    if (!*c->validator)
        return nv_fail(err, NV_FAILED_PRECONDITION,
                       "a case without a validator: expected the check that proved it");
    if (!proof || !proof->run_id || !*proof->run_id || strcmp(proof->run_id, c->run_id) != 0)
        return nv_fail(err, NV_FAILED_PRECONDITION,
                       "a case of run \"%.128s\": expected one of run \"%.128s\"", c->run_id,
                       proof && proof->run_id ? proof->run_id : "");
    if (!proof->outcome || strcmp(proof->outcome, "pass") != 0)
        return nv_fail(
            err, NV_FAILED_PRECONDITION,
            "run \"%.128s\" ended its validation with \"%.64s\": a case is admitted only with \"pass\"",
            proof->run_id, proof->outcome ? proof->outcome : "");
    return true;
}

/* ---- adding ---- */

static void embed_case(const Nv__KnowledgeCase *c, float *out)
{
    if (c->n_embedding == NV_EMBEDDING_DIMENSIONS) {
        memcpy(out, c->embedding, NV_EMBEDDING_DIMENSIONS * sizeof *out);
        return;
    }
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("case text");
    char *text = nv_printf(ctx, "%s %s", c->fingerprint, c->symptom);
    nv_embedding(text, strlen(text), out);
}

/* The same lesson learned twice is one case. */
static char *content_id(nv_mem_t *ctx, const Nv__KnowledgeCase *c)
{
    const char *const parts[] = {c->stage, c->fingerprint, c->symptom, c->lesson, c->document};
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("case id");
    nv_buf_t text = nv_buf_make(scratch, (size_t)KNOWLEDGE_CASE_MAX_BYTES * 2);
    nv_buf_printf(&text, "%d", (int)c->kind);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        nv_buf_printf(&text, "|%zu:%s", strlen(parts[i]), parts[i]);
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256((const uint8_t *)nv_buf_text(&text), text.length, digest);
    char *id = nv_alloc(ctx, 35);
    memcpy(id, "c-", 2);
    for (size_t i = 0; i < 16; i++)
        snprintf(id + 2 + 2 * i, 3, "%02x", digest[i]);
    return id;
}

/* A shallow copy: the caller's message stays as it is. The embedding has a column of its own. */
static Nv__KnowledgeCase stored_form(const Nv__KnowledgeCase *c, char *id, int64_t now_unix_ms)
{
    Nv__KnowledgeCase copy = *c;
    copy.id = id;
    copy.n_embedding = 0;
    copy.embedding = NULL;
    if (copy.created_unix_ms <= 0)
        copy.created_unix_ms = now_unix_ms;
    return copy;
}

bool knowledge_add(store_t *store, nv_mem_t *ctx, const char *tenant, const Nv__KnowledgeCase *added,
                   const knowledge_proof_t *proof, int64_t now_unix_ms, char **out_id, nv_error_t *err)
{
    if (!check_content(added, err) || !admit(added, proof, err))
        return false;
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("add case");
    size_t size = protobuf_c_message_get_packed_size(&added->base);
    if (size > KNOWLEDGE_CASE_MAX_BYTES)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "a case of %zu bytes: expected at most %d", size,
                       KNOWLEDGE_CASE_MAX_BYTES);
    char *id = *added->id ? nv_strdup(scratch, added->id) : content_id(scratch, added);
    Nv__KnowledgeCase copy = stored_form(added, id, now_unix_ms);
    uint8_t *packed;
    size_t length;
    nv_pack(scratch, &copy.base, &packed, &length);
    float embedding[NV_EMBEDDING_DIMENSIONS];
    embed_case(added, embedding);
    store_case_t item = {.case_id = id,
                         .kind = copy.kind,
                         .stage = copy.stage,
                         .symptom = copy.symptom,
                         .run_id = copy.run_id,
                         .created_unix_ms = copy.created_unix_ms,
                         .data = nv_bytes(packed, length),
                         .embedding = embedding};
    if (!store_case_put(store, tenant, &item, err))
        return nv_wrap(err, "case");
    if (out_id)
        *out_id = nv_strdup(ctx, id);
    return true;
}

/* ---- searching ---- */

static bool load_message(nv_mem_t *ctx, const store_case_t *item, Nv__KnowledgeCase **out, nv_error_t *err)
{
    ProtobufCMessage *message;
    if (!nv_unpack(ctx, &nv__knowledge_case__descriptor, item->data.data, item->data.length, &message, err))
        return nv_wrap(err, "case %s", item->case_id);
    *out = (Nv__KnowledgeCase *)message;
    return true;
}

static bool embed_query(const knowledge_query_t *query, float *out, nv_error_t *err)
{
    if (query->embedding) {
        memcpy(out, query->embedding, NV_EMBEDDING_DIMENSIONS * sizeof *out);
        return true;
    }
    if (!query->text || !*query->text)
        return nv_fail(err, NV_INVALID_ARGUMENT, "knowledge search: expected a text or an embedding");
    nv_embedding(query->text, strlen(query->text), out);
    for (size_t i = 0; i < NV_EMBEDDING_DIMENSIONS; i++)
        if (out[i] != 0)
            return true;
    return nv_fail(err, NV_INVALID_ARGUMENT, "knowledge search: expected a text with letters or digits");
}

static bool check_query(const knowledge_query_t *query, nv_error_t *err)
{
    if (query->limit < 0 || query->limit > KNOWLEDGE_LIMIT_MAX)
        return nv_fail(err, NV_INVALID_ARGUMENT, "limit %d: expected 1 to %d, or 0 for %d", query->limit,
                       KNOWLEDGE_LIMIT_MAX, KNOWLEDGE_LIMIT_DEFAULT);
    if (query->kind != NV__CASE_KIND__CASE_KIND_UNSPECIFIED && !known_kind(query->kind))
        return nv_fail(err, NV_INVALID_ARGUMENT, "kind %d: expected a CaseKind", (int)query->kind);
    return true;
}

static bool to_hits(nv_mem_t *ctx, const store_case_t *items, size_t n, Nv__KnowledgeHits **out,
                    nv_error_t *err)
{
    Nv__KnowledgeHits *hits = NV_NEW(ctx, Nv__KnowledgeHits);
    nv__knowledge_hits__init(hits);
    hits->hits = NV_NEW_ARRAY(ctx, Nv__KnowledgeHit *, n + 1);
    for (size_t i = 0; i < n; i++) {
        Nv__KnowledgeHit *hit = NV_NEW(ctx, Nv__KnowledgeHit);
        nv__knowledge_hit__init(hit);
        if (!load_message(ctx, &items[i], &hit->found, err))
            return false;
        hit->similarity = items[i].similarity;
        hits->hits[hits->n_hits++] = hit;
    }
    *out = hits;
    return true;
}

bool knowledge_search(store_t *store, nv_mem_t *ctx, const knowledge_query_t *query, Nv__KnowledgeHits **out,
                      nv_error_t *err)
{
    float embedding[NV_EMBEDDING_DIMENSIONS];
    if (!check_query(query, err) || !embed_query(query, embedding, err))
        return false;
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("search cases");
    store_case_query_t stored = {.tenant = query->tenant,
                                 .kind = query->kind,
                                 .stage = query->stage,
                                 .symptom = query->symptom,
                                 .embedding = embedding,
                                 .min_similarity = query->min_similarity,
                                 .limit = query->limit ? query->limit : KNOWLEDGE_LIMIT_DEFAULT};
    store_case_t *items;
    size_t n;
    return store_case_search(store, scratch, &stored, &items, &n, err) && to_hits(ctx, items, n, out, err);
}

bool knowledge_query_from(const Nv__KnowledgeQuery *message, const char *tenant, knowledge_query_t *out,
                          nv_error_t *err)
{
    if (message->n_embedding != 0 && message->n_embedding != NV_EMBEDDING_DIMENSIONS)
        return nv_fail(err, NV_INVALID_ARGUMENT, "embedding has %zu numbers: expected %d",
                       message->n_embedding, NV_EMBEDDING_DIMENSIONS);
    *out = (knowledge_query_t){.tenant = tenant,
                               .kind = message->kind,
                               .stage = message->stage,
                               .symptom = message->symptom,
                               .text = message->fingerprint,
                               .embedding = message->n_embedding ? message->embedding : NULL,
                               .limit = message->limit};
    return check_query(out, err);
}

bool knowledge_get(store_t *store, nv_mem_t *ctx, const char *tenant, const char *case_id,
                   Nv__KnowledgeCase **out, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("get case");
    store_case_t item;
    return store_case_get(store, scratch, tenant, case_id, &item, err) && load_message(ctx, &item, out, err);
}

bool knowledge_delete(store_t *store, const char *tenant, const char *case_id, nv_error_t *err)
{
    return store_case_delete(store, tenant, case_id, err);
}

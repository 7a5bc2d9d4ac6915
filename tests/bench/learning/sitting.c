#include "tests/bench/learning/sitting.h"

#include "common/contract/codec.h"
#include "tests/bench/learning/person.h"
#include "worker/evaluation/scorecard.h"
#include "worker/local/local_host.h"

#include <stdio.h>
#include <string.h>

enum { ROUNDS_MAX = 4 };

typedef struct scene {
    nv_mem_t *ctx;
    const sitting_t *sitting;
    local_host_t *host;
    Nv__RunSpec spec;
    const ProtobufCMessage *said; /* what the person or the proof says next, on the channel */
    const char *channel;
    sitting_result_t *result;
    star_t star;
} scene_t;

static scene_t *current; /* agents are plain functions: this is how they find the scene that is played */

/* ---- the memory that the agents see ---- */

static bool recall(void *host, nv_mem_t *ctx, const Nv__KnowledgeQuery *query, Nv__KnowledgeReply **out,
                   nv_error_t *err)
{
    (void)host;
    knowledge_query_t asked;
    Nv__KnowledgeHits *hits;
    if (!current->sitting->memory)
        return nv_fail(err, NV_NOT_FOUND, "no knowledge base");
    if (!knowledge_query_from(query, "bench", &asked, err) ||
        !knowledge_search(current->sitting->memory, ctx, &asked, &hits, err))
        return false;
    *out = NV_NEW(ctx, Nv__KnowledgeReply);
    nv__knowledge_reply__init(*out);
    (*out)->hits = hits->hits;
    (*out)->n_hits = hits->n_hits;
    return true;
}

static bool remember(void *host, const Nv__KnowledgeCase *added, nv_error_t *err)
{
    (void)host;
    knowledge_proof_t proof = {.run_id = current->sitting->run_id,
                               .outcome = current->result->proven ? "pass" : "fail"};
    if (!current->sitting->memory)
        return true;
    if (!knowledge_add(current->sitting->memory, current->ctx, "bench", added, &proof, 1, NULL, err))
        return false;
    current->result->learned++;
    return true;
}

static bool with_memory(agent_fn agent, agent_task_t *task, nv_mem_t *ctx, agent_result_t *out,
                        nv_error_t *err)
{
    agent_host_ops_t ops = *task->ops;
    agent_task_t own = *task;
    ops.knowledge_search = recall;
    ops.knowledge_add = remember;
    own.ops = &ops;
    return agent(&own, ctx, out, err);
}

static bool relate(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    return with_memory(agent_relate, task, ctx, out, err);
}

static bool design(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    return with_memory(agent_design, task, ctx, out, err);
}

static bool learn(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    return with_memory(agent_learn, task, ctx, out, err);
}

static bool say(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    (void)ctx;
    *out = (agent_result_t){.outcome = "done"};
    nv__task_usage__init(&out->usage);
    return task->ops->write(task->host, current->channel, current->said, err);
}

/* ---- a run ---- */

static bool task(scene_t *s, const char *kind, agent_fn agent, const char *item, int round,
                 agent_result_t *out, nv_error_t *err)
{
    Nv__TaskAssignment assignment = NV__TASK_ASSIGNMENT__INIT;
    Nv__Lease lease = NV__LEASE__INIT;
    lease.run_id = nv_strdup(s->ctx, s->sitting->run_id);
    lease.task_id = nv_printf(s->ctx, "%s/%s/%d", kind, item, round);
    assignment.lease = &lease;
    assignment.kind = nv_strdup(s->ctx, kind);
    assignment.item = nv_strdup(s->ctx, item);
    assignment.spec = &s->spec;
    assignment.round = round;
    return local_host_run(s->host, agent, &assignment, s->ctx, out, err) || nv_wrap(err, "%s %s", kind, item);
}

static bool tell(scene_t *s, const char *channel, const ProtobufCMessage *message, int round, nv_error_t *err)
{
    agent_result_t result;
    s->channel = channel;
    s->said = message;
    return task(s, "say", say, channel, round, &result, err);
}

static bool read_channel(scene_t *s, const char *channel, const ProtobufCMessageDescriptor *type, void *out,
                         nv_error_t *err)
{
    return local_host_read(s->host, s->ctx, channel, type, (ProtobufCMessage **)out, err);
}

static bool profile_all(scene_t *s, nv_error_t *err)
{
    agent_result_t survey, result;
    if (!task(s, "survey", agent_survey, "", 0, &survey, err))
        return false;
    s->star.profiles = NV_NEW_ARRAY(s->ctx, const Nv__TableProfile *, survey.n_items + 1);
    for (size_t i = 0; i < survey.n_items; i++)
        if (!task(s, "profile", agent_profile, survey.items[i], 0, &result, err) ||
            !read_channel(s, "profile", &nv__table_profile__descriptor,
                          &s->star.profiles[s->star.n_profiles++], err))
            return false;
    return true;
}

/* Until the review accepts it. */
static bool design_it(scene_t *s, nv_error_t *err)
{
    agent_result_t result = {.outcome = ""};
    for (int i = 0; i < ROUNDS_MAX && strcmp(result.outcome, "pass") != 0; i++, s->result->rounds++)
        if (!task(s, "design", design, "", s->result->rounds, &result, err) ||
            !task(s, "review", agent_review, "", s->result->rounds, &result, err))
            return false;
    return read_channel(s, "relations", &nv__relations__descriptor, &s->star.relations, err) &&
           read_channel(s, "design", &nv__star_schema__descriptor, &s->star.design, err) &&
           read_channel(s, "sttm", &nv__sttm__descriptor, &s->star.sttm, err) &&
           read_channel(s, "review", &nv__review__descriptor, &s->star.review, err);
}

static bool let_person_look(scene_t *s, nv_error_t *err)
{
    person_view_t view = person_correct(s->star.design);
    s->result->wishes = view.wishes;
    s->result->corrections = view.unmet;
    if (view.unmet == 0)
        return true;
    return tell(s, "human_design", &s->star.design->base, s->result->rounds, err) && design_it(s, err);
}

/* The star of the mapping, and whether the Tester's plan holds for it: what a run's validation says. */
static bool prove(scene_t *s, Nv__Validation **out, nv_error_t *err)
{
    oracle_t *db;
    reference_batch_t first = {.number = 1, .time = "2026-01-01 00:00:00"};
    return star_open(s->ctx, &db, err) && star_create(db, &s->star, "star", err) &&
           star_load(db, &s->star, "star", &first, err) && star_prove(s->ctx, db, &s->star, "star", out, err);
}

static double score_of(const scene_t *s, const Nv__Validation *validation)
{
    run_record_t record = {.run_id = s->sitting->run_id,
                           .spec = &s->spec,
                           .profiles = s->star.profiles,
                           .n_profiles = s->star.n_profiles,
                           .relations = s->star.relations,
                           .design = s->star.design,
                           .sttm = s->star.sttm,
                           .review = s->star.review,
                           .validation = validation,
                           .rounds = s->result->rounds - 1};
    return scorecard_make(s->ctx, &record)->score;
}

static bool play(scene_t *s, nv_error_t *err)
{
    agent_result_t result;
    Nv__Validation *validation;
    if (!profile_all(s, err) || !task(s, "relate", relate, "", 0, &result, err) || !design_it(s, err) ||
        !let_person_look(s, err) || !prove(s, &validation, err))
        return false;
    s->result->proven = validation->passed;
    s->result->score = score_of(s, validation);
    return tell(s, "validation", &validation->base, s->result->rounds, err) &&
           task(s, "learn", learn, "", s->result->rounds - 1, &result, err);
}

static void on_news(void *arg, const char *kind, const char *text, int64_t done, int64_t total)
{
    const scene_t *s = arg;
    (void)done, (void)total;
    s->result->known = s->result->known || strstr(text, "is used again") != NULL;
    if (!s->sitting->verbose)
        return;
    if (strcmp(kind, "retrieval") == 0 || strcmp(kind, "learned") == 0 ||
        strstr(text, "checks of the mapping") != NULL)
        printf("  %s: %s\n", kind, text);
}

bool sitting_run(const sitting_t *sitting, sitting_result_t *out, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("sitting");
    scene_t scene = {.ctx = ctx, .sitting = sitting, .result = out};
    LOCAL_HOST_SCOPE local_host_t *host =
        local_host_new(&(local_host_options_t){.news = on_news, .news_arg = &scene});
    scene.host = host;
    *out = (sitting_result_t){0};
    nv__run_spec__init(&scene.spec);
    scene.spec.source = nv_strdup(ctx, sitting->folder);
    scene.spec.name = nv_strdup(ctx, "learning");
    scene.spec.mode = nv_strdup(ctx, "analyze");
    scene.spec.discovery_mode = nv_strdup(ctx, "full");
    scene.spec.use_knowledge = true;
    current = &scene;
    bool ok = play(&scene, err);
    current = NULL;
    return ok || nv_wrap(err, "%s", sitting->folder);
}

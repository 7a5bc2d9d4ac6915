#include "worker/local/analyze.h"

#include "worker/local/analyze_print.h"
#include "worker/local/local_host.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

enum { ROUNDS_MAX = 3, THREADS_MAX = 16 };

typedef struct analysis {
    const analyze_options_t *options;
    local_host_t *host;
    nv_mem_t *ctx;
    Nv__RunSpec spec;
    int64_t started_unix_ms;
    int round;
} analysis_t;

static int64_t now_unix_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

typedef struct news {
    FILE *out;
    bool model_only; /* nobody follows the progress; why a model had no say is told all the same */
    bool in_tokens;  /* a line of the model's text is open; guarded by out's lock */
} news_t;

static void show_news(void *arg, const char *kind, const char *text, int64_t done, int64_t total)
{
    news_t *news = arg;
    bool token = strcmp(kind, "token") == 0;
    if (strcmp(kind, "progress") == 0 || strcmp(kind, "finding") == 0)
        return; /* the ending says both */
    if (news->model_only && strcmp(kind, "llm") != 0)
        return;
    flockfile(news->out); /* tables are profiled on several threads */
    if (news->in_tokens && !token)
        fputc('\n', news->out);
    news->in_tokens = token;
    if (!token)
        fprintf(news->out, "%s: ", kind);
    analyze_put_safe(text, strlen(text), news->out);
    if (total > 0)
        fprintf(news->out, " (%lld/%lld)", (long long)done, (long long)total);
    if (!token)
        fputc('\n', news->out);
    funlockfile(news->out);
}

/* One task on the calling thread, with memory of its own. */
static bool run_task(analysis_t *analysis, const char *kind, agent_fn agent, const char *item,
                     agent_result_t *out, nv_mem_t *ctx, nv_error_t *err)
{
    Nv__TaskAssignment assignment = NV__TASK_ASSIGNMENT__INIT;
    Nv__Lease lease = NV__LEASE__INIT;
    lease.run_id = nv_strdup(ctx, "local");
    lease.task_id = nv_printf(ctx, "%s/%s/%d", kind, item, analysis->round);
    assignment.lease = &lease;
    assignment.kind = nv_strdup(ctx, kind);
    assignment.item = nv_strdup(ctx, item);
    assignment.spec = &analysis->spec;
    assignment.round = analysis->round;
    assignment.run_started_unix_ms = analysis->started_unix_ms;
    return local_host_run(analysis->host, agent, &assignment, ctx, out, err);
}

/* ---- profile: a few threads take the next table each ---- */

typedef struct fan_out {
    analysis_t *analysis;
    const char *const *items;
    size_t n_items;
    size_t next;
    pthread_mutex_t lock;
    nv_error_t error; /* the first one */
} fan_out_t;

static bool take_next(fan_out_t *fan, const char **out)
{
    pthread_mutex_lock(&fan->lock);
    bool more = fan->next < fan->n_items && fan->error.code == NV_OK;
    if (more)
        *out = fan->items[fan->next++];
    pthread_mutex_unlock(&fan->lock);
    return more;
}

static void *profile_thread(void *arg)
{
    fan_out_t *fan = arg;
    for (const char *item; take_next(fan, &item);) {
        NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("profile task");
        agent_result_t result;
        nv_error_t err = NV_ERROR_INIT;
        if (run_task(fan->analysis, "profile", agent_profile, item, &result, ctx, &err))
            continue;
        pthread_mutex_lock(&fan->lock);
        if (fan->error.code == NV_OK)
            fan->error = err;
        pthread_mutex_unlock(&fan->lock);
    }
    return NULL;
}

static bool profile_all(analysis_t *analysis, const agent_result_t *survey, nv_error_t *err)
{
    fan_out_t fan = {
        .analysis = analysis, .items = survey->items, .n_items = survey->n_items, .error = NV_ERROR_INIT};
    pthread_mutex_init(&fan.lock, NULL);
    int wanted = analysis->options->threads > 0 ? analysis->options->threads : 2;
    pthread_t threads[THREADS_MAX];
    int started = 0;
    while (started < wanted && started < THREADS_MAX &&
           pthread_create(&threads[started], NULL, profile_thread, &fan) == 0)
        started++;
    if (started == 0)
        profile_thread(&fan);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_mutex_destroy(&fan.lock);
    *err = fan.error;
    return fan.error.code == NV_OK;
}

/* ---- the whole ---- */

/* design and review until the review passes or the rounds are used up; *passed says which. */
static bool design_until_reviewed(analysis_t *analysis, bool *passed, nv_error_t *err)
{
    agent_result_t result;
    *passed = false;
    for (analysis->round = 0; analysis->round < ROUNDS_MAX && !*passed; analysis->round++) {
        if (!run_task(analysis, "design", agent_design, "", &result, analysis->ctx, err) ||
            !run_task(analysis, "review", agent_review, "", &result, analysis->ctx, err))
            return false;
        *passed = strcmp(result.outcome, "pass") == 0;
    }
    analysis->round--;
    return true;
}

static bool run_all(analysis_t *analysis, bool *passed, nv_error_t *err)
{
    agent_result_t survey;
    agent_result_t result;
    return run_task(analysis, "survey", agent_survey, "", &survey, analysis->ctx, err) &&
           profile_all(analysis, &survey, err) &&
           run_task(analysis, "relate", agent_relate, "", &result, analysis->ctx, err) &&
           design_until_reviewed(analysis, passed, err) &&
           run_task(analysis, "evaluate", agent_evaluate, "", &result, analysis->ctx, err);
}

static void fill_spec(analysis_t *analysis)
{
    const analyze_options_t *options = analysis->options;
    nv__run_spec__init(&analysis->spec);
    analysis->spec.source = nv_strdup(analysis->ctx, options->source_dir);
    analysis->spec.name = nv_strdup(analysis->ctx, options->name ? options->name : "");
    analysis->spec.mode = nv_strdup(analysis->ctx, "analyze");
    analysis->spec.discovery_mode = nv_strdup(analysis->ctx, options->safe ? "safe" : "full");
    analysis->spec.use_llm = options->llm != NULL;
}

bool analyze_folder(const analyze_options_t *options, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("analyze");
    news_t news = {.out = options->progress ? options->progress : stderr, .model_only = !options->progress};
    local_host_options_t host_options = {.artifact_dir = options->output_dir,
                                         .news = options->progress || options->llm ? show_news : NULL,
                                         .news_arg = &news,
                                         .llm = options->llm};
    LOCAL_HOST_SCOPE local_host_t *host = local_host_new(&host_options);
    analysis_t analysis = {.options = options, .host = host, .ctx = ctx, .started_unix_ms = now_unix_ms()};
    fill_spec(&analysis);
    bool passed = false;
    if (!run_all(&analysis, &passed, err) || !analyze_print(host, options, err))
        return false;
    return passed ||
           nv_fail(err, NV_FAILED_PRECONDITION,
                   "the mapping did not pass its review in %d rounds; see the report's checks", ROUNDS_MAX);
}

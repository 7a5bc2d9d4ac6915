#include "tests/support/star/star.h"

#include "worker/local/local_host.h"

#include <stdio.h>
#include <string.h>

enum { ROUNDS_MAX = 3, MEMORY_MB = 1024 };

typedef struct road {
    nv_mem_t *ctx;
    local_host_t *host;
    Nv__RunSpec spec;
    int round;
} road_t;

static bool run_task(road_t *road, const char *kind, agent_fn agent, const char *item, agent_result_t *out,
                     nv_error_t *err)
{
    Nv__TaskAssignment assignment = NV__TASK_ASSIGNMENT__INIT;
    Nv__Lease lease = NV__LEASE__INIT;
    lease.run_id = nv_strdup(road->ctx, "proof");
    lease.task_id = nv_printf(road->ctx, "%s/%s/%d", kind, item, road->round);
    assignment.lease = &lease;
    assignment.kind = nv_strdup(road->ctx, kind);
    assignment.item = nv_strdup(road->ctx, item);
    assignment.spec = &road->spec;
    assignment.round = road->round;
    return local_host_run(road->host, agent, &assignment, road->ctx, out, err) ||
           nv_wrap(err, "%s %s", kind, item);
}

static bool read_channel(road_t *road, const char *channel, const ProtobufCMessageDescriptor *type, void *out,
                         nv_error_t *err)
{
    return local_host_read(road->host, road->ctx, channel, type, (ProtobufCMessage **)out, err);
}

/* The profile task writes one document per table; each is read right after it was written. */
static bool profile_all(road_t *road, const agent_result_t *survey, star_t *out, nv_error_t *err)
{
    agent_result_t result;
    out->profiles = NV_NEW_ARRAY(road->ctx, const Nv__TableProfile *, survey->n_items + 1);
    for (size_t i = 0; i < survey->n_items; i++) {
        if (!run_task(road, "profile", agent_profile, survey->items[i], &result, err) ||
            !read_channel(road, "profile", &nv__table_profile__descriptor, &out->profiles[out->n_profiles],
                          err))
            return false;
        out->n_profiles++;
    }
    return true;
}

static bool design_until_reviewed(road_t *road, star_t *out, nv_error_t *err)
{
    agent_result_t result = {.outcome = ""};
    for (road->round = 0; road->round < ROUNDS_MAX && strcmp(result.outcome, "pass") != 0; road->round++)
        if (!run_task(road, "design", agent_design, "", &result, err) ||
            !run_task(road, "review", agent_review, "", &result, err))
            return false;
    return read_channel(road, "design", &nv__star_schema__descriptor, &out->design, err) &&
           read_channel(road, "sttm", &nv__sttm__descriptor, &out->sttm, err) &&
           read_channel(road, "review", &nv__review__descriptor, &out->review, err);
}

bool star_design(nv_mem_t *ctx, const char *folder, star_t *out, nv_error_t *err)
{
    LOCAL_HOST_SCOPE local_host_t *host = local_host_new(&(local_host_options_t){0});
    road_t road = {.ctx = ctx, .host = host};
    agent_result_t survey;
    agent_result_t result;
    *out = (star_t){0};
    nv__run_spec__init(&road.spec);
    road.spec.source = nv_strdup(ctx, folder);
    road.spec.name = nv_strdup(ctx, "proof");
    road.spec.mode = nv_strdup(ctx, "analyze");
    road.spec.discovery_mode = nv_strdup(ctx, "full");
    return run_task(&road, "survey", agent_survey, "", &survey, err) &&
           profile_all(&road, &survey, out, err) &&
           run_task(&road, "relate", agent_relate, "", &result, err) &&
           read_channel(&road, "relations", &nv__relations__descriptor, &out->relations, err) &&
           design_until_reviewed(&road, out, err);
}

bool star_open(nv_mem_t *ctx, oracle_t **out, nv_error_t *err)
{
    return oracle_open(ctx, MEMORY_MB, NULL, out, err) &&
           oracle_run(*out, "ATTACH ':memory:' AS " STAR_CATALOG, err) &&
           oracle_run(*out, "SET threads = 1", err); /* small tables: a second thread only waits */
}

validation_input_t star_input(const star_t *star, const char *schema)
{
    return (validation_input_t){.sttm = star->sttm,
                                .profiles = star->profiles,
                                .n_profiles = star->n_profiles,
                                .catalog = STAR_CATALOG,
                                .schema = schema,
                                .duckdb_warehouse = true,
                                .widened = star->widened};
}

Nv__SourceFile *star_file(nv_mem_t *ctx, const char *path)
{
    Nv__SourceFile *file = NV_NEW(ctx, Nv__SourceFile);
    nv__source_file__init(file);
    file->path = nv_strdup(ctx, path);
    return file;
}

static bool run_all(oracle_t *db, const reference_sql_t *sql, nv_error_t *err)
{
    for (size_t i = 0; i < sql->n; i++)
        if (!oracle_run(db, sql->statements[i], err))
            return nv_wrap(err, "%.400s", sql->statements[i]);
    return true;
}

bool star_widen(oracle_t *db, star_t *star, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("widen");
    for (size_t i = 0; i < star->sttm->n_sources; i++) {
        const char *sql = validation_widths_sql(ctx, star->sttm->sources[i], false), **digits;
        size_t n;
        if (sql && !oracle_row(db, ctx, sql, &digits, &n, err))
            return nv_wrap(err, "%.400s", sql);
        if (sql)
            validation_widen(star->sttm, i, digits);
    }
    star->widened = true;
    return true;
}

bool star_create(oracle_t *db, const star_t *star, const char *schema, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("create");
    validation_input_t input = star_input(star, schema);
    reference_sql_t sql = reference_create(ctx, &input);
    return run_all(db, &sql, err);
}

bool star_load(oracle_t *db, const star_t *star, const char *schema, const reference_batch_t *batch,
               nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("load");
    validation_input_t input = star_input(star, schema);
    reference_sql_t sql = reference_load(ctx, &input, batch);
    return run_all(db, &sql, err);
}

/* Why the oracle is not to be asked of a group, as the Tester's agent sees it. */
static const char *not_told(const validation_plan_t *plan, size_t n_sources, const validation_group_t *group)
{
    for (size_t i = 0; i < n_sources; i++)
        if (group->needs[i] && plan->not_told[i])
            return plan->not_told[i];
    return group->not_told;
}

static bool answer(nv_mem_t *ctx, oracle_t *db, const validation_group_t *group, validation_answers_t *out,
                   nv_error_t *err)
{
    const char **cells;
    size_t n;
    if (!oracle_row(db, ctx, group->warehouse_sql, &cells, &n, err))
        return nv_wrap(err, "%.400s", group->warehouse_sql);
    out->warehouse = cells;
    if (!group->oracle_sql || out->not_comparable)
        return true;
    if (!oracle_row(db, ctx, group->oracle_sql, &cells, &n, err))
        return nv_wrap(err, "%.400s", group->oracle_sql);
    out->oracle = cells;
    return true;
}

static bool drop_oracle(oracle_t *db, const validation_plan_t *plan, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("drop");
    for (size_t i = 0; i < plan->n_setup; i++) { /* "CREATE TEMP TABLE name AS …" */
        char name[64];
        if (sscanf(plan->setup[i], "CREATE TEMP TABLE %63s AS", name) == 1 &&
            !oracle_run(db, nv_printf(ctx, "DROP TABLE IF EXISTS %s", name), err))
            return false;
    }
    return true;
}

bool star_judge(nv_mem_t *ctx, oracle_t *db, const validation_plan_t *plan, Nv__Validation **out,
                nv_error_t *err)
{
    Nv__Validation *validation = NV_NEW(ctx, Nv__Validation);
    size_t cap = 0, n_sources = 0;
    while (plan->groups[n_sources].source >= 0) /* sources first, then the tables of the star */
        n_sources++;
    nv__validation__init(validation);
    for (size_t i = 0; i < plan->n_groups; i++) {
        const validation_group_t *group = &plan->groups[i];
        validation_answers_t answers = {.not_comparable = not_told(plan, n_sources, group)};
        if (!answer(ctx, db, group, &answers, err))
            return false;
        for (size_t k = 0; k < group->n_checks; k++) {
            Nv__Check *check =
                validation_judge(ctx, group, &group->checks[k], &answers, validation->n_checks + 1);
            NV_PUSH(ctx, validation->checks, validation->n_checks, cap) = check;
        }
    }
    validation_conclude(ctx, validation);
    *out = validation;
    return true;
}

bool star_prove(nv_mem_t *ctx, oracle_t *db, const star_t *star, const char *schema, Nv__Validation **out,
                nv_error_t *err)
{
    validation_input_t input = star_input(star, schema);
    validation_plan_t *plan = validation_plan(ctx, &input);
    reference_sql_t setup = {.statements = plan->setup, .n = plan->n_setup};
    return run_all(db, &setup, err) && star_judge(ctx, db, plan, out, err) && drop_oracle(db, plan, err);
}

bool star_value(nv_mem_t *ctx, oracle_t *db, const char *sql, const char **out, nv_error_t *err)
{
    const char **cells;
    size_t n;
    if (!oracle_row(db, ctx, sql, &cells, &n, err))
        return nv_wrap(err, "%.400s", sql);
    *out = cells[0] ? cells[0] : "";
    return true;
}

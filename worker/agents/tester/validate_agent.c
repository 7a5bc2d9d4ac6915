/* validate: proves the loaded tables right. The Tester does not read the Developer's code: from the same mapping it
 * computes from the raw files what must be in the tables, asks the workspace what is in them, and compares. */
#include "worker/agents/connection/connection.h"
#include "worker/agents/task/task.h"
#include "worker/pushdown/remote_survey.h"
#include "worker/validation/oracle.h"
#include "worker/validation/validation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ORACLE_MEMORY_MB = 1024, WAREHOUSE_WAIT_MS = 10 * 60 * 1000, STATEMENT_WAIT_MS = 30 * 60 * 1000 };

/* What a statement asks: a group's checks, or the oracle about them, where the oracle is in the warehouse. */
typedef struct question {
    const validation_group_t *group;
    bool of_oracle;
    size_t n_cells; /* of the oracle's answer */
} question_t;

typedef struct validator {
    agent_task_t *task;
    nv_mem_t *ctx;
    Nv__Sttm *sttm;
    const Nv__Deployment *where;
    const Nv__TableProfile *const *profiles;
    size_t n_profiles;
    connection_t to;
    databricks_warehouse_t warehouse;
    validation_plan_t *plan;
    oracle_t *oracle; /* NULL where it is in the warehouse */
    bool pushed_down;
    const char *no_oracle; /* why there is none; NULL: there is one */
    question_t *questions;
    size_t n_judged;
    /* the last answer of an oracle in the warehouse, or why there is none */
    databricks_result_t oracle_cells;
    nv_error_t oracle_failure;
    const char **unfit; /* per source: why its raw files do not tell what the tables must hold, or NULL */
    Nv__Validation *result;
    size_t cap_checks;
    size_t cap_tables;
} validator_t;

static bool load_inputs(validator_t *v, nv_error_t *err)
{
    ProtobufCMessage *sttm, *where;
    Nv__TableProfile **profiles;
    if (!task_input(v->task, v->ctx, "sttm", 0, &nv__sttm__descriptor, &sttm, err) ||
        !task_input(v->task, v->ctx, "deployment", 0, &nv__deployment__descriptor, &where, err) ||
        !task_profiles(v->task, v->ctx, &profiles, &v->n_profiles, err))
        return false;
    v->sttm = (Nv__Sttm *)sttm;
    v->where = (const Nv__Deployment *)where;
    v->profiles = (const Nv__TableProfile *const *)profiles;
    return true;
}

/* Only the workspace reaches the raw files. */
static bool is_remote(const Nv__Sttm *sttm)
{
    for (size_t i = 0; i < sttm->n_sources; i++)
        for (size_t k = 0; k < sttm->sources[i]->n_files; k++)
            if (source_kind(sttm->sources[i]->files[k]->path) != SOURCE_LOCAL)
                return true;
    return false;
}

/* Why there is no oracle over the raw files; NULL: all of them can be read. */
static const char *unreadable(const validator_t *v)
{
    for (size_t i = 0; i < v->sttm->n_sources; i++)
        for (size_t k = 0; k < v->sttm->sources[i]->n_files; k++)
            if (access(v->sttm->sources[i]->files[k]->path, R_OK) != 0)
                return nv_printf(v->ctx, "%s: %s", v->sttm->sources[i]->files[k]->path, strerror(errno));
    return NULL;
}

/* Opens the oracle over the raw files. */
static bool open_oracle(validator_t *v, const char *spill, nv_error_t *err)
{
    v->no_oracle = unreadable(v);
    if (v->no_oracle) {
        task_say(v->task, "finding", "%s", v->no_oracle);
        return true;
    }
    return oracle_open(v->ctx, ORACLE_MEMORY_MB, spill, &v->oracle, err);
}

static bool ask_warehouse(validator_t *v, const char *sql, databricks_result_t *out, nv_error_t *err)
{
    databricks_statement_t statement = {
        .warehouse_id = v->warehouse.id, .sql = sql, .timeout_ms = STATEMENT_WAIT_MS};
    return databricks_execute(v->to.db, v->ctx, &statement, out, err);
}

/* One row of the raw files, from wherever they can be read. */
static bool ask_raw_files(validator_t *v, const char *sql, const char ***cells, nv_error_t *err)
{
    size_t n;
    databricks_result_t result;
    if (!v->pushed_down)
        return oracle_row(v->oracle, v->ctx, sql, cells, &n, err);
    if (!ask_warehouse(v, sql, &result, err))
        return false;
    *cells = (const char **)result.cells;
    return result.n_rows == 1 || nv_fail(err, NV_INTERNAL, "%zu rows, expected 1", result.n_rows);
}

/* Finds out how wide numbers that may grow have become. */
static bool widen(validator_t *v, validation_input_t *input, nv_error_t *err)
{
    for (size_t i = 0; !v->no_oracle && i < v->sttm->n_sources; i++) {
        const char *sql = validation_widths_sql(v->ctx, v->sttm->sources[i], v->pushed_down), **digits;
        if (sql && !ask_raw_files(v, sql, &digits, err))
            return nv_wrap(err, "the numbers of %s", v->sttm->sources[i]->name);
        if (sql)
            validation_widen(v->sttm, i, digits);
    }
    input->widened = true;
    return true;
}

static bool run_setup(validator_t *v, nv_error_t *err)
{
    for (size_t i = 0; i < v->plan->n_setup; i++) {
        if (task_cancelled(v->task))
            return nv_fail(err, NV_CANCELLED, "validation cancelled");
        if (!oracle_run(v->oracle, v->plan->setup[i], err))
            return nv_wrap(err, "%.200s", v->plan->setup[i]);
    }
    return true;
}

/* The same computation in the warehouse, into tables of its own. */
static bool run_setup_there(validator_t *v, nv_error_t *err)
{
    databricks_result_t ignored;
    for (size_t i = 0; i < v->plan->n_setup; i++) {
        task_progress(v->task, "progress", (int64_t)i, (int64_t)v->plan->n_setup,
                      "computing in the warehouse what the tables must hold");
        if (!ask_warehouse(v, v->plan->setup[i], &ignored, err))
            return nv_wrap(err, "%.200s", v->plan->setup[i]);
    }
    return true;
}

/* Whatever came of the checks: what they needed is not left behind. */
static void clean_up(validator_t *v)
{
    databricks_result_t ignored;
    databricks_shield(v->to.db, true);
    for (size_t i = 0; v->plan && i < v->plan->n_cleanup; i++) {
        nv_error_t err = NV_ERROR_INIT;
        if (!ask_warehouse(v, v->plan->cleanup[i], &ignored, &err))
            task_say(v->task, "log", "%s: %s", v->plan->cleanup[i], err.message);
    }
    databricks_shield(v->to.db, false);
}

/* Computes everything the oracle will be asked about. Without the raw files there is none, and every check that needs it
 * says so. */
static bool consult_oracle(validator_t *v, nv_error_t *err)
{
    if (v->pushed_down)
        return run_setup_there(v, err);
    if (v->no_oracle)
        return true;
    task_say(v->task, "progress", "computing from the raw files what the tables must hold");
    return run_setup(v, err);
}

static void add_check(validator_t *v, Nv__Check *check)
{
    NV_PUSH(v->ctx, v->result->checks, v->result->n_checks, v->cap_checks) = check;
    if (check->status != NV__CHECK_STATUS__CHECK_STATUS_PASS && !validation_is_unknown_share(check))
        task_say(v->task, "finding", "%s", check->message);
}

/* A group that the warehouse could not answer. */
static void add_error(validator_t *v, const validation_group_t *group, const nv_error_t *err)
{
    Nv__Check *check = NV_NEW(v->ctx, Nv__Check);
    nv__check__init(check);
    check->id = nv_printf(v->ctx, "V%04zu", v->result->n_checks + 1);
    check->name = nv_strdup(v->ctx, "query");
    check->subject = nv_strdup(v->ctx, group->table);
    check->status = NV__CHECK_STATUS__CHECK_STATUS_ERROR;
    check->expected = nv_strdup(v->ctx, "an answer");
    check->message = nv_printf(v->ctx, "%s could not be checked: %s", group->table, err->message);
    check->blame = nv_strdup(v->ctx, "generate");
    check->sql = group->warehouse_sql;
    add_check(v, check);
}

static const char *unfit_reason(const validator_t *v, const validation_group_t *group)
{
    if (v->no_oracle)
        return v->no_oracle;
    for (size_t i = 0; i < v->sttm->n_sources; i++)
        if (group->needs[i] && v->unfit[i])
            return v->unfit[i];
    return group->not_told;
}

/* Bronze holds files of other runs, or a table as it is no longer: this run's raw data are not all that the tables are made of. */
static void note_other_files(validator_t *v, const validation_group_t *group, const char *count)
{
    if (group->source < 0 || !count || strcmp(count, "0") == 0)
        return;
    const Nv__SttmSource *source = v->sttm->sources[group->source];
    bool table = source->dialect && strcmp(source->dialect->format, "table") == 0;
    v->unfit[group->source] =
        table ? nv_printf(
                    v->ctx,
                    "%s changed after it was profiled: bronze holds %s states of it whose rows this run did "
                    "not see; only what the loaded tables show by themselves was checked",
                    source->files[0]->path, count)
              : nv_printf(v->ctx, "bronze holds %s files of %s that other runs brought", count, source->name);
}

static int64_t number(const validation_answers_t *answers, size_t i)
{
    return answers->warehouse[i] ? strtoll(answers->warehouse[i], NULL, 10) : 0;
}

static void add_load(validator_t *v, const validation_group_t *group, const validation_answers_t *answers)
{
    Nv__TableLoad *load = NV_NEW(v->ctx, Nv__TableLoad);
    nv__table_load__init(load);
    load->table = nv_printf(v->ctx, "%s.%s.%s", v->where->catalog, v->where->schema, group->table);
    if (group->source >= 0) { /* the order in which plan_source adds its checks */
        load->source_rows = number(answers, 1);
        load->rows = number(answers, 2);
        load->quarantined = number(answers, 3);
        load->duplicates = number(answers, 4);
    } else {
        load->rows = number(answers, 0);
        load->source_rows = load->rows;
    }
    NV_PUSH(v->ctx, v->result->tables, v->result->n_tables, v->cap_tables) = load;
}

static bool is_answer(const validation_group_t *group, const char *side, size_t expected,
                      const databricks_result_t *cells, nv_error_t *err)
{
    return (cells->n_rows == 1 && cells->n_columns == expected) ||
           nv_fail(err, NV_INTERNAL, "%s of %s: %zu × %zu cells, expected 1 × %zu", side, group->table,
                   cells->n_rows, cells->n_columns, expected);
}

static bool ask_oracle(validator_t *v, const validation_group_t *group, validation_answers_t *answers,
                       nv_error_t *err)
{
    const char **cells;
    size_t n;
    answers->not_comparable = unfit_reason(v, group);
    if (answers->not_comparable || !group->oracle_sql)
        return true;
    if (v->pushed_down) { /* its statement is the one before the group's */
        if (v->oracle_failure.code != NV_OK)
            *err = v->oracle_failure;
        answers->oracle = v->oracle_cells.cells;
        return v->oracle_failure.code == NV_OK || nv_wrap(err, "oracle of %s", group->table);
    }
    if (!oracle_row(v->oracle, v->ctx, group->oracle_sql, &cells, &n, err))
        return nv_wrap(err, "oracle of %s", group->table);
    answers->oracle = cells;
    return true;
}

static bool judge_group(validator_t *v, const validation_group_t *group, const databricks_result_t *cells,
                        nv_error_t *err)
{
    validation_answers_t answers = {.warehouse = cells->cells, .milliseconds = cells->milliseconds};
    if (!is_answer(group, "checks", group->n_checks, cells, err))
        return false;
    note_other_files(v, group, group->source >= 0 ? cells->cells[0] : NULL);
    if (!ask_oracle(v, group, &answers, err))
        return false;
    for (size_t i = 0; i < group->n_checks; i++)
        add_check(v, validation_judge(v->ctx, group, &group->checks[i], &answers, v->result->n_checks + 1));
    add_load(v, group, &answers);
    return true;
}

/* The group's table cannot be asked, which says something about the table; anything else is the warehouse's fault. */
static bool is_unanswerable(const nv_error_t *failure)
{
    return failure->code == NV_FAILED_PRECONDITION || failure->code == NV_NOT_FOUND ||
           failure->code == NV_INVALID_ARGUMENT;
}

static bool take_answer(void *arg, size_t index, const databricks_result_t *result, const nv_error_t *failure,
                        nv_error_t *err)
{
    validator_t *v = arg;
    const question_t *question = &v->questions[index];
    const validation_group_t *group = question->group;
    if (question->of_oracle) {
        v->oracle_failure = failure ? *failure : (nv_error_t)NV_ERROR_INIT;
        v->oracle_cells = result ? *result : (databricks_result_t){0};
        return failure || is_answer(group, "oracle", question->n_cells, result, err);
    }
    task_progress(v->task, "progress", (int64_t)v->n_judged++, (int64_t)v->plan->n_groups, "%s",
                  group->table);
    if (!failure)
        return judge_group(v, group, result, err);
    if (is_unanswerable(failure)) {
        add_error(v, group, failure);
        return true;
    }
    *err = *failure;
    return nv_wrap(err, "checks of %s", group->table);
}

static void add_question(validator_t *v, databricks_statement_t *statements, size_t *n, question_t question)
{
    v->questions[*n] = question;
    statements[(*n)++] = (databricks_statement_t){.warehouse_id = v->warehouse.id,
                                                  .sql = question.of_oracle ? question.group->oracle_sql
                                                                            : question.group->warehouse_sql,
                                                  .timeout_ms = STATEMENT_WAIT_MS,
                                                  .repeatable = true};
}

static void tell_outcome(validator_t *v)
{
    size_t passed = 0, warned = 0, n_unknowns;
    const char **unknowns = validation_unknowns(v->ctx, v->sttm, v->result, &n_unknowns);
    for (size_t i = 0; i < n_unknowns; i++)
        task_say(v->task, "finding", "%s", unknowns[i]);
    for (size_t i = 0; i < v->result->n_checks; i++) {
        passed += v->result->checks[i]->status == NV__CHECK_STATUS__CHECK_STATUS_PASS;
        warned += v->result->checks[i]->status == NV__CHECK_STATUS__CHECK_STATUS_WARN;
    }
    task_say(v->task, "log", "%zu checks: %zu passed, %zu warned, %zu failed", v->result->n_checks, passed,
             warned, v->result->n_checks - passed - warned);
}

/* Asks the warehouse about all groups, several at a time; what comes of them is judged in their order. */
static bool check_all(validator_t *v, nv_error_t *err)
{
    size_t n = 0;
    databricks_statement_t *statements =
        NV_NEW_ARRAY(v->ctx, databricks_statement_t, 2 * v->plan->n_groups + 1);
    v->questions = NV_NEW_ARRAY(v->ctx, question_t, 2 * v->plan->n_groups + 1);
    for (size_t i = 0; i < v->plan->n_groups; i++) {
        const validation_group_t *group = &v->plan->groups[i];
        if (v->pushed_down && group->oracle_sql && !unfit_reason(v, group))
            add_question(v, statements, &n, (question_t){group, true, group->n_asked});
        add_question(v, statements, &n, (question_t){.group = group});
    }
    if (!databricks_execute_all(v->to.db, v->ctx, statements, n, (size_t)v->task->statements_at_once,
                                take_answer, v, err))
        return false;
    validation_conclude(v->ctx, v->result);
    tell_outcome(v);
    return true;
}

static bool validate(validator_t *v, const char *spill, nv_error_t *err)
{
    if (!load_inputs(v, err) || !connection_open(v->task, v->ctx, v->where->schema, &v->to, err) ||
        !databricks_use_warehouse(v->to.db, v->ctx, v->to.warehouse_id, WAREHOUSE_WAIT_MS, &v->warehouse,
                                  err))
        return false;
    validation_input_t input = {.sttm = v->sttm,
                                .profiles = v->profiles,
                                .n_profiles = v->n_profiles,
                                .catalog = v->where->catalog,
                                .schema = v->where->schema,
                                .pushed_down = is_remote(v->sttm)};
    v->pushed_down = input.pushed_down;
    if ((!v->pushed_down && !open_oracle(v, spill, err)) || !widen(v, &input, err))
        return false;
    v->plan = validation_plan(v->ctx, &input);
    v->unfit = v->plan->not_told; /* and what is found out on the way */
    v->result = NV_NEW(v->ctx, Nv__Validation);
    nv__validation__init(v->result);
    bool checked = consult_oracle(v, err) && check_all(v, err);
    clean_up(v);
    return checked && task_write(v->task, "validation", &v->result->base, err) &&
           (v->result->passed || task_write(v->task, "critique", &v->result->base, err));
}

bool agent_validate(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    char spill[] = "/tmp/nuvyn-oracle-XXXXXX";
    if (!mkdtemp(spill))
        return nv_fail_errno(err, errno, "%s", spill);
    validator_t v = {.task = task, .ctx = ctx};
    bool ok = validate(&v, spill, err);
    nv_mem_free(v.oracle); /* its spilled files go with it */
    rmdir(spill);
    if (!ok)
        return nv_wrap(err, "validate");
    bool mendable = strcmp(v.result->blame, "design") == 0 || strcmp(v.result->blame, "generate") == 0;
    out->outcome = v.result->passed ? "pass" : "fail";
    out->blame = mendable ? v.result->blame : "";
    return true;
}

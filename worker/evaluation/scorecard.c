#include "worker/evaluation/scorecard.h"

#include "worker/evaluation/data_quality.h"

#include <stdlib.h>
#include <string.h>

/* One line of the card: what it measures, how much it counts, and the measurement (false: could not be
 * measured). */
typedef struct measure {
    const char *name;
    double weight;
    bool (*take)(nv_mem_t *ctx, const run_record_t *record, double *out, char **detail);
} measure_t;

static double ratio(size_t part, size_t whole)
{
    return whole ? (double)part / (double)whole : 1.0;
}

static bool is_unmapped(const Nv__Sttm *sttm, const char *table, const char *column)
{
    for (size_t i = 0; i < sttm->n_unmapped; i++) {
        const Nv__ColumnRef *source = sttm->unmapped[i]->source;
        if (source && strcmp(source->table, table) == 0 &&
            (source->column[0] == '\0' || strcmp(source->column, column) == 0))
            return true;
    }
    return false;
}

static int by_column(const void *left, const void *right)
{
    const Nv__SttmInput *a = *(Nv__SttmInput *const *)left;
    const Nv__SttmInput *b = *(Nv__SttmInput *const *)right;
    int order = strcmp(a->source, b->source);
    return order ? order : strcmp(a->source_column, b->source_column);
}

/* What the targets are made from, by table and column. */
typedef struct inputs {
    const Nv__SttmInput **all;
    size_t n, capacity;
} inputs_t;

static inputs_t all_inputs(nv_mem_t *ctx, const Nv__Sttm *sttm)
{
    inputs_t out = {0};
    for (size_t t = 0; t < sttm->n_targets; t++)
        for (size_t c = 0; c < sttm->targets[t]->n_columns; c++) {
            const Nv__Transform *transform = sttm->targets[t]->columns[c]->transform;
            for (size_t i = 0; transform && i < transform->n_inputs; i++)
                NV_PUSH(ctx, out.all, out.n, out.capacity) = transform->inputs[i];
        }
    if (out.n)
        qsort(out.all, out.n, sizeof *out.all, by_column);
    return out;
}

static bool is_input(const inputs_t *inputs, const char *table, const char *column)
{
    const Nv__SttmInput wanted = {.source = (char *)table, .source_column = (char *)column};
    const Nv__SttmInput *key = &wanted;
    return inputs->n && bsearch(&key, inputs->all, inputs->n, sizeof *inputs->all, by_column);
}

/* The mapping's name for a profiled table: a batch's file may be called otherwise, its content tells. */
static const char *mapped_name(const Nv__Sttm *sttm, const Nv__TableProfile *table)
{
    const char *sha256 = table->n_files ? table->files[0]->sha256 : "";
    for (size_t i = 0; *sha256 && i < sttm->n_sources; i++)
        for (size_t k = 0; k < sttm->sources[i]->n_files; k++)
            if (strcmp(sttm->sources[i]->files[k]->sha256, sha256) == 0)
                return sttm->sources[i]->name;
    return table->name;
}

static bool take_coverage(nv_mem_t *ctx, const run_record_t *record, double *out, char **detail)
{
    if (!record->sttm || record->n_profiles == 0)
        return false;
    size_t total = 0;
    size_t mapped = 0;
    size_t excused = 0;
    inputs_t inputs = all_inputs(ctx, record->sttm);
    for (size_t p = 0; p < record->n_profiles; p++)
        for (size_t c = 0; c < record->profiles[p]->n_columns; c++) {
            const char *table = mapped_name(record->sttm, record->profiles[p]);
            const char *column = record->profiles[p]->columns[c]->name;
            total++;
            if (is_input(&inputs, table, column))
                mapped++;
            else if (is_unmapped(record->sttm, table, column))
                excused++;
        }
    *out = ratio(mapped + excused, total);
    *detail = nv_printf(ctx, "%zu of %zu source columns mapped, %zu left out with a reason", mapped, total,
                        excused);
    return true;
}

static bool take_review(nv_mem_t *ctx, const run_record_t *record, double *out, char **detail)
{
    if (!record->review)
        return false;
    size_t good = 0, drift = 0;
    for (size_t i = 0; i < record->review->n_checks; i++) {
        good += record->review->checks[i]->status == NV__CHECK_STATUS__CHECK_STATUS_PASS;
        drift +=
            strcmp(record->review->checks[i]->name, "drift") == 0; /* of the source, not of the mapping */
    }
    *out = ratio(good, record->review->n_checks - drift);
    *detail = nv_printf(ctx, "%zu of %zu checks of the mapping pass before code exists", good,
                        record->review->n_checks - drift);
    return true;
}

/* Share of passing checks among those whose name begins with one of the prefixes. */
static bool share_of_checks(nv_mem_t *ctx, const run_record_t *record, const char *const *prefixes,
                            double *out, char **detail)
{
    if (!record->validation)
        return false;
    size_t total = 0;
    size_t good = 0;
    for (size_t i = 0; i < record->validation->n_checks; i++) {
        const Nv__Check *check = record->validation->checks[i];
        for (size_t p = 0; prefixes[p]; p++)
            if (strncmp(check->name, prefixes[p], strlen(prefixes[p])) == 0) {
                total++;
                good += check->status == NV__CHECK_STATUS__CHECK_STATUS_PASS;
                break;
            }
    }
    if (total == 0)
        return false;
    *out = ratio(good, total);
    *detail = nv_printf(ctx, "%zu of %zu checks on the loaded tables pass", good, total);
    return true;
}

static bool take_integrity(nv_mem_t *ctx, const run_record_t *record, double *out, char **detail)
{
    static const char *const prefixes[] = {"grain",  "key",      "referential", "reference",
                                           "unique", "not_null", "scd",         NULL};
    return share_of_checks(ctx, record, prefixes, out, detail);
}

static bool take_reconciliation(nv_mem_t *ctx, const run_record_t *record, double *out, char **detail)
{
    static const char *const prefixes[] = {"reconcile", NULL};
    return share_of_checks(ctx, record, prefixes, out, detail);
}

static bool take_confidence(nv_mem_t *ctx, const run_record_t *record, double *out, char **detail)
{
    const Nv__Relations *relations = record->relations;
    if (!relations || relations->n_joins + relations->n_roles == 0)
        return false;
    double sum = 0;
    for (size_t i = 0; i < relations->n_joins; i++)
        sum += relations->joins[i]->probability;
    for (size_t i = 0; i < relations->n_roles; i++)
        sum += relations->roles[i]->confidence;
    *out = sum / (double)(relations->n_joins + relations->n_roles);
    *detail = nv_printf(ctx, "mean confidence over %zu joins and %zu roles", relations->n_joins,
                        relations->n_roles);
    return true;
}

static bool take_execution(nv_mem_t *ctx, const run_record_t *record, double *out, char **detail)
{
    if (!record->execution)
        return false;
    size_t good = 0;
    for (size_t i = 0; i < record->execution->n_tasks; i++)
        good += strcmp(record->execution->tasks[i]->state, "SUCCESS") == 0;
    *out = record->execution->n_tasks ? ratio(good, record->execution->n_tasks) : 0;
    *detail = nv_printf(ctx, "%zu of %zu pipeline tasks succeeded", good, record->execution->n_tasks);
    return true;
}

static bool take_rounds(nv_mem_t *ctx, const run_record_t *record, double *out, char **detail)
{
    if (!record->validation && !record->review)
        return false;
    *out = 1.0 / (1.0 + record->rounds);
    *detail = record->rounds
                  ? nv_printf(ctx, "%d refinement round%s", record->rounds, record->rounds == 1 ? "" : "s")
                  : nv_strdup(ctx, "right the first time");
    return true;
}

static const measure_t design_measures[] = {
    {"mapping coverage", 3, take_coverage},
    {"mapping review", 2, take_review},
    {"design confidence", 1, take_confidence},
    {"refinement", 1, take_rounds},
};
static const measure_t pipeline_measures[] = {
    {"pipeline tasks", 2, take_execution},
    {"integrity", 3, take_integrity},
    {"reconciliation", 3, take_reconciliation},
};

static void take_all(nv_mem_t *ctx, const run_record_t *record, const measure_t *measures, size_t count,
                     Nv__Scorecard *card)
{
    for (size_t i = 0; i < count; i++) {
        Nv__ScoreLine *line = NV_NEW(ctx, Nv__ScoreLine);
        nv__score_line__init(line);
        line->name = (char *)measures[i].name;
        line->weight = measures[i].weight;
        if (!measures[i].take(ctx, record, &line->value, &line->detail))
            line->detail = nv_strdup(ctx, "not measured: the run did not get there");
        card->lines[card->n_lines++] = line;
    }
}

static double weighted_mean(const Nv__Scorecard *card)
{
    double sum = 0;
    double weight = 0;
    for (size_t i = 0; i < card->n_lines; i++) {
        sum += card->lines[i]->value * card->lines[i]->weight;
        weight += card->lines[i]->weight;
    }
    return weight > 0 ? 100 * sum / weight : 0;
}

static double spark_seconds(const Nv__Execution *execution)
{
    double milliseconds = 0;
    for (size_t i = 0; execution && i < execution->n_tasks; i++)
        milliseconds += (double)execution->tasks[i]->milliseconds;
    return milliseconds / 1000;
}

static bool analyze_only(const run_record_t *record)
{
    return record->spec && strcmp(record->spec->mode, "analyze") == 0;
}

static const char *design_method(const run_record_t *record)
{
    if (record->sttm && record->sttm->method[0])
        return record->sttm->method;
    if (record->relations && record->relations->method[0])
        return record->relations->method;
    return "evidence";
}

/* A model that only described what was decided without it is not said to have decided. */
static char *method_of(nv_mem_t *ctx, const run_record_t *record)
{
    const char *design = design_method(record);
    bool described = record->project && strstr(record->project->method, "llm") && !strstr(design, "llm");
    return nv_printf(ctx, "%s%s", design, described ? ", described by llm" : "");
}

const char *scorecard_method_text(nv_mem_t *ctx, const Nv__Scorecard *card)
{
    char *asked = nv_printf(ctx, "%lld model call%s, %lld tokens", (long long)card->llm_calls,
                            card->llm_calls == 1 ? "" : "s", (long long)card->llm_tokens);
    if (strcmp(card->method, "evidence") != 0)
        return nv_printf(ctx, "Decided by %s: %s.", card->method, asked);
    if (card->llm_calls > 0 && card->llm_tokens == 0)
        return nv_printf(ctx,
                         "Decided from evidence in the data alone: a language model was asked, and gave no "
                         "answer that could be read (%s).",
                         asked);
    if (card->llm_calls > 0)
        return nv_printf(
            ctx,
            "Decided from evidence in the data alone: a language model was asked, and nothing it said was "
            "taken (%s).",
            asked);
    return "Decided from evidence in the data alone: no language model took part.";
}

const char *scorecard_scope_text(const run_record_t *record)
{
    return analyze_only(record) ? "Nothing was built: this run only looked (mode analyze)." : "";
}

Nv__Scorecard *scorecard_make(nv_mem_t *ctx, const run_record_t *record)
{
    Nv__Scorecard *card = NV_NEW(ctx, Nv__Scorecard);
    nv__scorecard__init(card);
    size_t design_count = sizeof design_measures / sizeof design_measures[0];
    size_t pipeline_count = sizeof pipeline_measures / sizeof pipeline_measures[0];
    card->lines = NV_NEW_ARRAY(ctx, Nv__ScoreLine *, design_count + pipeline_count);
    take_all(ctx, record, design_measures, design_count, card);
    if (!analyze_only(record))
        take_all(ctx, record, pipeline_measures, pipeline_count, card);
    card->run_id = nv_strdup(ctx, record->run_id ? record->run_id : "");
    card->score = weighted_mean(card);
    card->rounds = record->rounds;
    card->seconds = record->seconds;
    card->spark_seconds = spark_seconds(record->execution);
    card->llm_calls = record->usage.llm_calls;
    card->llm_tokens = record->usage.llm_input_tokens + record->usage.llm_output_tokens;
    card->llm_cost_usd = record->usage.llm_cost_usd;
    card->method = method_of(ctx, record);
    card->succeeded = analyze_only(record) ? record->review && record->review->passed
                                           : record->validation && record->validation->passed;
    card->findings = findings_list(ctx, record, &card->n_findings);
    data_quality_measure(ctx, record, card);
    return card;
}

#include "worker/profiling/scan.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "worker/profiling/evidence_report.h"
#include "worker/profiling/lane.h"
#include "worker/profiling/parallel.h"

enum { DICT_MAX = 32768, DICT_MIN = 256, DICT_TEXT = 64 };

/* Dictionary bounds per column and lane: a share of the memory, so that ten thousand columns fit as well as ten. */
static void dict_bounds(const scan_config_t *config, size_t *entries, size_t *bytes)
{
    size_t share = (size_t)config->options->memory_bytes / 4 / config->dialect->n_columns /
                   (size_t)config->options->threads;
    *entries = share / (DICT_TEXT * 2);
    if (*entries > DICT_MAX)
        *entries = DICT_MAX;
    if (*entries < DICT_MIN)
        *entries = DICT_MIN;
    *bytes = *entries * DICT_TEXT;
}

/* Day or month first, as most of the table's telling dates have it. */
static int table_lean(const infer_result_t *results, size_t n)
{
    int lean = 0;
    for (size_t i = 0; i < n; i++)
        lean += (results[i].only_day_first > results[i].only_month_first) -
                (results[i].only_day_first < results[i].only_month_first);
    return lean;
}

void scan_infer(nv_mem_t *ctx, const evidence_t *evidence, char *const *names, size_t n, infer_result_t *out)
{
    for (size_t i = 0; i < n; i++)
        infer_decide(ctx, &evidence[i], &(infer_hints_t){.name = names[i]}, &out[i]);
    int lean = table_lean(out, n);
    for (size_t i = 0; lean && i < n; i++)
        if (out[i].ambiguous_dates)
            infer_decide(ctx, &evidence[i], &(infer_hints_t){.name = names[i], .day_first = lean}, &out[i]);
}

/* After the first blocks: types from their evidence. */
static void decide_types(nv_mem_t *ctx, const scan_config_t *config, const lane_t *lanes)
{
    size_t n = config->dialect->n_columns;
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("evidence");
    evidence_t *evidence = NV_NEW_ARRAY(scratch, evidence_t, n);
    for (size_t i = 0; i < n; i++) {
        evidence[i].ctx = scratch;
        for (int lane = 0; lane < config->options->threads; lane++)
            column_evidence(&lanes[lane].columns[i], &evidence[i]);
    }
    scan_infer(ctx, evidence, config->names, n, config->decided);
    for (size_t i = 0; i < n; i++)
        config->parsers[i] = parser_make(config->decided[i].type, NUMBER_MAX_DIGITS, config->decided[i].scale,
                                         config->decided[i].rule);
}

/* A table of far more rows than a trace may hold needs no more of it than the sample for dependencies. */
static void bound_traces(const scan_config_t *config, const source_t *source, lane_t *lanes)
{
    size_t threads = (size_t)config->options->threads;
    double total = 0;
    double rows = 0;
    for (size_t i = 0; i < config->table->n_files; i++)
        total += (double)config->table->files[i]->bytes;
    for (size_t i = 0; i < threads; i++)
        rows += (double)lanes[i].rows;
    double read = (double)source_bytes(source);
    if (read <= 0 || rows * (total / read) < 2.0 * (double)lanes[0].max_trace * (double)threads)
        return;
    for (size_t i = 0; i < threads; i++) {
        size_t sample = EVIDENCE_SAMPLE_ROWS / threads + 1;
        lanes[i].max_trace = sample > lanes[i].n_trace ? sample : lanes[i].n_trace;
    }
}

/* From here on dictionaries are bounded and give way to streaming. */
static void use_parsers(const scan_config_t *config, lane_t *lanes)
{
    size_t entries;
    size_t bytes;
    dict_bounds(config, &entries, &bytes);
    for (int lane = 0; lane < config->options->threads; lane++)
        for (size_t i = 0; i < config->dialect->n_columns; i++)
            column_use_parser(&lanes[lane].columns[i], &config->parsers[i], entries, bytes);
}

/* The lanes' traces one after the other; with `take` the lanes' own are freed as they are copied. */
static scan_trace_t join_traces(nv_mem_t *ctx, const scan_config_t *config, lane_t *lanes, bool take)
{
    size_t n = config->dialect->n_columns;
    scan_trace_t out = {.complete = true};
    for (int i = 0; i < config->options->threads; i++) {
        out.rows += lanes[i].n_trace;
        out.complete &= (int64_t)lanes[i].n_trace == lanes[i].rows;
    }
    out.hashes = NV_NEW_ARRAY(ctx, uint64_t *, n);
    for (size_t column = 0; column < n; column++) {
        uint64_t *all = nv_realloc_array(ctx, NULL, sizeof *all, out.rows + 1);
        size_t at = 0;
        for (int i = 0; i < config->options->threads; i++) {
            if (lanes[i].n_trace)
                memcpy(all + at, lanes[i].trace[column], lanes[i].n_trace * sizeof *all);
            at += lanes[i].n_trace;
            if (!take)
                continue;
            nv_mem_free(lanes[i].trace[column]);
            lanes[i].trace[column] = NULL;
        }
        out.hashes[column] = all;
    }
    return out;
}

/* Column sets worth counting over all rows: those of two or three columns that are unique so far. */
static void choose_sets(const scan_config_t *config, lane_t *lanes)
{
    size_t n = config->dialect->n_columns;
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("sets");
    scan_trace_t trace = join_traces(scratch, config, lanes, false);
    if (!trace.complete)
        return;
    key_rows_t rows = {.hashes = trace.hashes};
    rows.rows = keys_distinct_rows(scratch, trace.hashes, n, trace.rows, &rows.n_rows);
    key_column_t *columns = NV_NEW_ARRAY(scratch, key_column_t, n);
    for (size_t i = 0; i < n; i++) {
        int64_t empty = 0;
        int64_t entries = 0;
        int64_t bytes = 0;
        for (int lane = 0; lane < config->options->threads; lane++) {
            const column_t *column = &lanes[lane].columns[i];
            empty += column->empty;
            entries += (int64_t)column->dict.n_entries;
            bytes += (int64_t)column->dict.bytes;
        }
        const infer_result_t *type = &config->decided[i];
        bool measure = type->type == NV__VALUE_TYPE__VALUE_TYPE_DOUBLE || type->scale > 0;
        bool usable = !measure && !empty && entries && bytes / entries <= 40;
        columns[i] = (key_column_t){.single = !measure, .composite = usable, .distinct = entries};
    }
    key_set_t found[KEYS_MAX_SETS];
    size_t n_found = keys_find(&rows, columns, n, found);
    key_set_t sets[SCAN_SETS];
    size_t n_sets = 0;
    for (int exact = 1; exact >= 0; exact--)
        for (size_t i = 0; i < n_found && n_sets < SCAN_SETS; i++)
            if (found[i].n > 1 && (found[i].uniqueness == 1) == exact)
                sets[n_sets++] = found[i];
    for (int lane = 0; lane < config->options->threads; lane++)
        lane_use_sets(&lanes[lane], sets, n_sets);
}

static bool is_cancelled(const scan_config_t *config, nv_error_t *err)
{
    const profile_options_t *options = config->options;
    if (!options->cancelled || !options->cancelled(options->arg))
        return false;
    nv_fail(err, NV_CANCELLED, "profiling of %s was cancelled", config->table->name);
    return true;
}

static void *run_lane(void *arg)
{
    lane_t *lane = arg;
    bool more = true;
    while (lane->ok && more) {
        lane->ok = !is_cancelled(lane->config, &lane->err) &&
                   source_next(lane->source, lane->number, &lane->block, &more, &lane->err);
        if (lane->ok && more)
            lane_take_block(lane);
        const profile_options_t *options = lane->config->options;
        if (lane->number == 0 && options->progress) {
            int64_t total = 0;
            for (size_t i = 0; i < lane->config->table->n_files; i++)
                total += lane->config->table->files[i]->bytes;
            options->progress(options->arg, source_bytes(lane->source), total, lane->rows * options->threads);
        }
    }
    if (!lane->ok)
        source_stop(lane->source);
    return NULL;
}

/* The first blocks, in turn for each lane, on this thread. */
static bool run_first(const scan_config_t *config, source_t *source, lane_t *lanes, bool *more,
                      nv_error_t *err)
{
    *more = true;
    for (size_t i = 0; *more && i < SCAN_FIRST_BLOCKS; i++) {
        lane_t *lane = &lanes[i % (size_t)config->options->threads];
        if (is_cancelled(config, err) || !source_next(source, lane->number, &lane->block, more, err))
            return false;
        if (*more)
            lane_take_block(lane);
    }
    return true;
}

static bool run_lanes(const scan_config_t *config, source_t *source, lane_t *lanes, nv_error_t *err)
{
    int n = config->options->threads;
    pthread_t threads[64];
    int started = 1;
    for (int i = 1; i < n; i++, started++)
        if (pthread_create(&threads[i], NULL, run_lane, &lanes[i]) != 0) {
            source_stop(source);
            break;
        }
    run_lane(&lanes[0]);
    for (int i = 1; i < started; i++)
        pthread_join(threads[i], NULL);
    if (started < n)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "cannot start thread %d of %d", started + 1, n);
    /* One lane's failure stops the others with CANCELLED; report the first cause. */
    const lane_t *failed = NULL;
    for (int i = 0; i < n; i++)
        if (!lanes[i].ok &&
            (!failed || (failed->err.code == NV_CANCELLED && lanes[i].err.code != NV_CANCELLED)))
            failed = &lanes[i];
    if (failed)
        *err = failed->err;
    return !failed;
}

static int by_place(const void *left, const void *right)
{
    const scan_reject_t *a = left;
    const scan_reject_t *b = right;
    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    return (a->line > b->line) - (a->line < b->line);
}

static void merge_rejects(nv_mem_t *ctx, const scan_config_t *config, const source_t *source,
                          const lane_t *lanes, scan_result_t *out)
{
    scan_reject_t all[64 * SCAN_REJECTS + 64];
    size_t n = 0;
    size_t n_source;
    int64_t n_refused;
    const source_reject_t *refused = source_rejects(source, &n_source, &n_refused);
    out->rejected += n_refused;
    for (size_t i = 0; i < n_source; i++) {
        char *text = nv_strndup(ctx, refused[i].text, refused[i].length);
        size_t valid = utf8_valid_prefix(text, strlen(text));
        text[valid] = '\0';
        all[n++] = (scan_reject_t){refused[i].file, refused[i].line, text, refused[i].reason};
    }
    for (int lane = 0; lane < config->options->threads; lane++)
        for (size_t i = 0; i < lanes[lane].n_rejects; i++) {
            scan_reject_t copy = lanes[lane].rejects[i];
            copy.text = nv_strdup(ctx, copy.text);
            copy.reason = nv_strdup(ctx, copy.reason);
            all[n++] = copy;
        }
    qsort(all, n, sizeof *all, by_place);
    out->n_rejects = n < SCAN_REJECTS ? n : SCAN_REJECTS;
    memcpy(out->rejects, all, out->n_rejects * sizeof *all);
}

/* Logs are not below a context; this frees those of a result with it. */
typedef struct log_owner {
    column_t *columns;
    size_t n;
} log_owner_t;

static int drop_logs(void *ptr)
{
    const log_owner_t *owner = ptr;
    for (size_t i = 0; i < owner->n; i++) {
        owner->columns[i].stats.log.budget = NULL; /* it may be gone already */
        hashlog_drop(&owner->columns[i].stats.log);
    }
    return 0;
}

static void merge_columns(nv_mem_t *ctx, const scan_config_t *config, lane_t *lanes, scan_result_t *out)
{
    size_t n = config->dialect->n_columns;
    out->columns = NV_NEW_ARRAY(ctx, column_t, n);
    for (size_t i = 0; i < n; i++) {
        for (int lane = 1; lane < config->options->threads; lane++)
            column_merge(&lanes[0].columns[i], &lanes[lane].columns[i]);
        out->columns[i] = lanes[0].columns[i];
        lanes[0].columns[i].stats.log = (hashlog_t){0};
    }
    nv_steal(ctx, lanes[0].ctx);
    log_owner_t *owner = NV_NEW(out->columns, log_owner_t);
    *owner = (log_owner_t){out->columns, n};
    nv_on_free(owner, drop_logs);
}

/* The logs of rows and sets, counted side by side. */
typedef struct log_jobs {
    lane_t *lanes;
    size_t n_lanes;
    bool ordered; /* the rows are known to differ */
    scan_result_t *out;
    hashlog_counter_t counters[64]; /* a worker's own */
} log_jobs_t;

static void count_log(void *arg, size_t worker, size_t i)
{
    log_jobs_t *jobs = arg;
    bool rows = i == 0;
    if (rows && jobs->ordered) {
        jobs->out->distinct_rows = jobs->out->rows;
        return;
    }
    hashlog_t *log = rows ? &jobs->lanes[0].row_log : &jobs->lanes[0].set_logs[i - 1];
    for (size_t lane = 1; lane < jobs->n_lanes; lane++)
        hashlog_merge(log, rows ? &jobs->lanes[lane].row_log : &jobs->lanes[lane].set_logs[i - 1]);
    int64_t distinct = log->dropped ? -1 : hashlog_distinct(log, &jobs->counters[worker]);
    if (rows)
        jobs->out->distinct_rows = distinct;
    else
        jobs->out->sets[i - 1] = (scan_set_t){jobs->lanes[0].sets[i - 1], distinct};
}

/* A column whose values increase from row to row tells all rows apart: nothing to count then. */
static bool is_ordered(const scan_config_t *config, const scan_result_t *result)
{
    for (size_t i = 0; i < config->dialect->n_columns; i++)
        if (!result->columns[i].empty && column_is_monotonic(&result->columns[i]))
            return true;
    return false;
}

/* After the columns. */
static void merge_logs(const scan_config_t *config, lane_t *lanes, scan_result_t *out)
{
    log_jobs_t jobs = {.lanes = lanes,
                       .n_lanes = (size_t)config->options->threads,
                       .ordered = is_ordered(config, out),
                       .out = out};
    out->n_sets = lanes[0].n_sets;
    parallel_run(jobs.n_lanes, 1 + out->n_sets, count_log, &jobs);
    for (size_t i = 0; i < jobs.n_lanes; i++)
        hashlog_counter_free(&jobs.counters[i]);
}

typedef struct name_place {
    const dict_entry_t *name;
    int64_t block;
    size_t order; /* within the block */
} name_place_t;

static int by_name_place(const void *left, const void *right)
{
    const name_place_t *a = left;
    const name_place_t *b = right;
    if (a->block != b->block)
        return a->block < b->block ? -1 : 1;
    return (a->order > b->order) - (a->order < b->order);
}

static void merge_notes(nv_mem_t *ctx, const scan_config_t *config, const lane_t *lanes, scan_result_t *out)
{
    size_t columns = config->dialect->n_columns;
    size_t n = 0;
    out->notes = jsonl_notes_make(ctx, columns);
    for (int lane = 0; lane < config->options->threads; lane++)
        n += lanes[lane].notes.names.n_entries;
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("notes");
    name_place_t *places = NV_NEW_ARRAY(scratch, name_place_t, n + 1);
    n = 0;
    for (int lane = 0; lane < config->options->threads; lane++) {
        const jsonl_notes_t *notes = &lanes[lane].notes;
        for (size_t i = 0; i < columns; i++) {
            out->notes.nested[i] |= notes->nested[i];
            out->notes.inexact[i] |= notes->inexact[i];
        }
        for (size_t i = 0; i < notes->names.n_entries; i++)
            places[n++] = (name_place_t){&notes->names.entries[i], notes->blocks[i], i};
    }
    qsort(places, n, sizeof *places, by_name_place);
    for (size_t i = 0; i < n; i++)
        (void)dict_add(&out->notes.names, places[i].name->text, places[i].name->length, places[i].name->hash,
                       1);
}

static void merge(nv_mem_t *ctx, const scan_config_t *config, const source_t *source, lane_t *lanes,
                  scan_result_t *out)
{
    int threads = config->options->threads;
    out->file_rows = NV_NEW_ARRAY(ctx, int64_t, config->table->n_files);
    out->digests = NV_NEW_ARRAY(ctx, const char *, config->table->n_files);
    bool crlf = false;
    bool lf = false;
    for (int i = 0; i < threads; i++) {
        out->rows += lanes[i].rows;
        out->rejected += lanes[i].rejected;
        out->bad_bytes += lanes[i].bad_bytes;
        out->multibyte |= lanes[i].multibyte;
        crlf |= lanes[i].crlf_ends;
        lf |= lanes[i].lf_ends;
        for (size_t f = 0; f < config->table->n_files; f++)
            out->file_rows[f] += lanes[i].file_rows[f];
    }
    out->mixed_ends = crlf && lf;
    for (size_t f = 0; f < config->table->n_files; f++)
        out->digests[f] = nv_strdup(ctx, source_digest(source, f));
    merge_rejects(ctx, config, source, lanes, out);
    if (config->schema)
        merge_notes(ctx, config, lanes, out);
    if (!config->wanted) {
        out->trace = join_traces(ctx, config, lanes, true);
    }
    merge_columns(ctx, config, lanes, out);
    if (!config->wanted)
        merge_logs(config, lanes, out);
}

bool scan_run(nv_mem_t *ctx, const scan_config_t *config, scan_result_t *out, nv_error_t *err)
{
    *out = (scan_result_t){0};
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("scan");
    size_t threads = (size_t)config->options->threads;
    source_config_t source_config = {
        .table = config->table,
        .kind = config->kind,
        .names = config->names,
        .dialect = config->dialect,
        .encodings = config->encodings,
        .block_bytes = SCAN_BLOCK,
        .max_line_bytes = (size_t)config->options->max_line_bytes,
        .lanes = threads,
        .digest = !config->wanted,
    };
    source_t *source = source_new(scratch, &source_config);
    hashlog_budget_t *budget = NV_NEW(ctx, hashlog_budget_t);
    atomic_store(&budget->left, config->options->memory_bytes / 2);
    lane_t *lanes = NV_NEW_ARRAY(scratch, lane_t, threads);
    for (size_t i = 0; i < threads; i++)
        lane_init(&lanes[i], config, source, i, budget);
    bool more = false;
    bool ok = run_first(config, source, lanes, &more, err);
    if (ok) {
        if (!config->wanted)
            decide_types(ctx, config, lanes);
        if (more && !config->wanted) {
            choose_sets(config, lanes);
            bound_traces(config, source, lanes);
        }
        use_parsers(config, lanes);
        ok = !more || run_lanes(config, source, lanes, err);
    }
    if (ok)
        merge(ctx, config, source, lanes, out);
    for (size_t i = 0; i < threads; i++) {
        if (i == 0 && ok) {
            hashlog_drop(&lanes[0].row_log);
            for (size_t k = 0; k < lanes[0].n_sets; k++)
                hashlog_drop(&lanes[0].set_logs[k]);
            free(lanes[0].block.data); /* the context lives on below ctx, with the columns */
        } else {
            lane_free(&lanes[i]);
        }
    }
    return ok;
}

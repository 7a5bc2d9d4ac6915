#include "worker/discovery/report.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/discovery/lexicon.h"

enum { EVIDENCE_MAX = 8, UNDECIDED_MAX = 200, INCLUSIONS_MAX = 2000 };

static double rounded(double x)
{
    return round(x * 1e4) / 1e4;
}

Nv__Evidence *discovery_evidence(nv_mem_t *ctx, const char *kind, double weight, const char *fmt, ...)
{
    Nv__Evidence *evidence = NV_NEW(ctx, Nv__Evidence);
    nv__evidence__init(evidence);
    evidence->kind = nv_strdup(ctx, kind);
    evidence->weight = rounded(fmax(-1, fmin(1, weight)));
    va_list args;
    va_start(args, fmt);
    evidence->text = nv_vprintf(ctx, fmt, args);
    va_end(args);
    return evidence;
}

static char **column_names(const dsc_state_t *state, nv_mem_t *ctx, int table, const int *columns, int n)
{
    char **names = NV_NEW_ARRAY(ctx, char *, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        names[i] = nv_strdup(ctx, state_column(state, table, columns[i])->p->name);
    return names;
}

static const char *joined(nv_mem_t *ctx, char **names, int n)
{
    char *text = nv_strdup(ctx, "");
    for (int i = 0; i < n; i++)
        text = nv_printf(ctx, "%s%s%s", text, i > 0 ? ", " : "", names[i]);
    return text;
}

static void key_evidence(const dsc_state_t *state, nv_mem_t *ctx, const key_candidate_t *key,
                         Nv__PrimaryKey *out)
{
    const dsc_table_t *table = &state->schema->tables[key->table];
    out->evidence = NV_NEW_ARRAY(ctx, Nv__Evidence *, EVIDENCE_MAX);
    size_t n = 0;
    if (table->rows <= 0)
        out->evidence[n++] =
            discovery_evidence(ctx, "name", 0.3, "the table is empty: chosen by names alone");
    else if (key->by_file)
        out->evidence[n++] = discovery_evidence(
            ctx, "uniqueness", 0.5,
            "each of the %zu files tells of every key once; %lld records differ from an earlier one",
            table->p->n_files, (long long)out->violations);
    else if (key->violations <= 0)
        out->evidence[n++] = discovery_evidence(
            ctx, "uniqueness", 0.6, "%s over %.0f records%s", key->exact ? "unique" : "unique (estimated)",
            table->records, table->records < table->rows ? ", exact duplicates not counted" : "");
    else
        out->evidence[n++] =
            discovery_evidence(ctx, "uniqueness", -0.2, "%.0f of %.0f records share a key with another",
                               key->violations, table->records);
    if (key->referenced >= 0.5)
        out->evidence[n++] = discovery_evidence(ctx, "reference", key->referenced,
                                                "another table references it (P = %.2f)", key->referenced);
    if (key->features[KF_OWN_NAME] > 0)
        out->evidence[n++] =
            discovery_evidence(ctx, "name", 0.5, "its name means the identity of \"%s\"", table->p->name);
    if (key->features[KF_PREFIX] > 0)
        out->evidence[n++] = discovery_evidence(ctx, "position", 0.2, "stands first in the table");
    if (key->n > 1 && key->features[KF_ALL_REFER] > 0)
        out->evidence[n++] = discovery_evidence(ctx, "reference", 0.5, "every part references another table");
    out->n_evidence = n;
}

static void report_keys(const dsc_state_t *state, nv_mem_t *ctx, Nv__Relations *out)
{
    out->primary_keys = NV_NEW_ARRAY(ctx, Nv__PrimaryKey *, (size_t)state->schema->n_tables + 1);
    for (int t = 0; t < state->schema->n_tables; t++) {
        const table_keys_t *keys = &state->keys[t];
        if (keys->chosen < 0)
            continue;
        const key_candidate_t *key = &keys->list[keys->chosen];
        Nv__PrimaryKey *pk = NV_NEW(ctx, Nv__PrimaryKey);
        nv__primary_key__init(pk);
        pk->table = nv_strdup(ctx, state->schema->tables[t].p->name);
        /* In file order, whichever way the set was found. */
        int columns[KEY_MAX];
        memcpy(columns, key->columns, sizeof columns);
        for (int i = 1; i < key->n; i++) {
            for (int k = i; k > 0 && columns[k] < columns[k - 1]; k--) {
                int swap = columns[k];
                columns[k] = columns[k - 1];
                columns[k - 1] = swap;
            }
        }
        pk->columns = column_names(state, ctx, t, columns, key->n);
        pk->n_columns = (size_t)key->n;
        pk->confidence = rounded(key->p);
        pk->violations =
            (int64_t)(key->by_file ? fmax(0, state->schema->tables[t].records -
                                                 state_column(state, t, key->columns[0])->distinct)
                                   : key->violations);
        const dsc_column_t *first = state_column(state, t, key->columns[0]);
        pk->surrogate =
            key->n == 1 && first->kind == CLASS_INTEGER && (first->density > 0.5 || first->p->monotonic);
        key_evidence(state, ctx, key, pk);
        out->primary_keys[out->n_primary_keys++] = pk;
    }
}

static void join_evidence(const dsc_state_t *state, nv_mem_t *ctx, const join_candidate_t *join,
                          Nv__Join *out)
{
    const dsc_table_t *source = &state->schema->tables[join->from];
    const dsc_column_t *from = state_column(state, join->from, join->columns[0]);
    out->evidence = NV_NEW_ARRAY(ctx, Nv__Evidence *, EVIDENCE_MAX);
    size_t n = 0;
    if (join->vacuous)
        out->evidence[n++] = discovery_evidence(
            ctx, "vacuous", 0, "\"%s\" holds no value: judged by names alone", from->p->name);
    else if (join->counted)
        out->evidence[n++] = discovery_evidence(
            ctx, "inclusion", join->containment * 2 - 1,
            "%.1f%% of the distinct values and %.2f%% of the rows of %s.%s are found in %s.%s",
            100 * join->containment, 100 * join->coverage, out->from, joined(ctx, out->columns, join->n),
            out->to, joined(ctx, out->to_columns, join->n));
    else
        out->evidence[n++] = discovery_evidence(
            ctx, "inclusion", join->containment * 2 - 1,
            "about %.1f%% of the distinct values are found in %s.%s (estimated from sketches)",
            100 * join->containment, out->to, joined(ctx, out->to_columns, join->n));
    out->evidence[n++] =
        discovery_evidence(ctx, "name", join->name * 2 - 1,
                           "the names agree to %.2f of 1; the best other table for this column to %.2f",
                           join->name, join->alternative);
    if (!join->vacuous) {
        out->evidence[n++] = discovery_evidence(ctx, "coincidence", fmin(1, join->surprise / 20),
                                                "%.0f bits against a chance inclusion", join->surprise);
        out->evidence[n++] = discovery_evidence(ctx, "coverage", join->reverse,
                                                "%.1f%% of the target's keys are used by \"%s\"",
                                                100 * join->reverse, source->p->name);
    }
    if (join->distance >= 0)
        out->evidence[n++] =
            discovery_evidence(ctx, "distribution", 0.5 - join->distance * 2,
                               "quantiles differ from a random sample of the keys by %.3f", join->distance);
    out->n_evidence = n;
}

static bool is_own_key(const dsc_state_t *state, const join_candidate_t *join)
{
    const table_keys_t *keys = &state->keys[join->from];
    if (keys->chosen < 0 || keys->list[keys->chosen].n != join->n)
        return false;
    for (int i = 0; i < join->n; i++) {
        bool found = false;
        for (int k = 0; k < join->n; k++)
            found = found || keys->list[keys->chosen].columns[k] == join->columns[i];
        if (!found)
            return false;
    }
    return true;
}

/* The words of the source column that do not speak of the target: "ship" of ship_address_id. */
static const char *role_words(const dsc_state_t *state, nv_mem_t *ctx, const join_candidate_t *join)
{
    const dsc_column_t *from = state_column(state, join->from, join->columns[0]);
    const name_words_t *target = &state->schema->tables[join->to].name;
    char *role = nv_strdup(ctx, "");
    for (int i = 0; i < from->bare.core; i++) {
        bool known = false;
        for (int k = 0; k < target->n; k++)
            known = known || name_word_similarity(from->bare.word[i], target->word[k]) >= 0.6;
        if (!known)
            role = nv_printf(ctx, "%s%s%s", role, role[0] != '\0' ? "_" : "", from->bare.word[i]);
    }
    return role;
}

static bool plays_roles(const dsc_state_t *state, const join_candidate_t *join)
{
    for (size_t i = 0; i < state->n_joins; i++) {
        const join_candidate_t *other = &state->joins[i];
        if (other != join && other->chosen && other->from == join->from && other->to == join->to &&
            other->n == join->n)
            return true;
    }
    return join->from == join->to;
}

static Nv__Join *report_join(const dsc_state_t *state, nv_mem_t *ctx, const join_candidate_t *join)
{
    Nv__Join *out = NV_NEW(ctx, Nv__Join);
    nv__join__init(out);
    out->from = nv_strdup(ctx, state->schema->tables[join->from].p->name);
    out->to = nv_strdup(ctx, state->schema->tables[join->to].p->name);
    out->n_columns = out->n_to_columns = (size_t)join->n;
    out->columns = column_names(state, ctx, join->from, join->columns, join->n);
    out->to_columns = column_names(state, ctx, join->to, join->to_columns, join->n);
    bool one = join->unique_source && is_own_key(state, join) && join->from != join->to;
    out->cardinality =
        one ? NV__CARDINALITY__CARDINALITY_ONE_TO_ONE : NV__CARDINALITY__CARDINALITY_MANY_TO_ONE;
    out->probability = rounded(join->p);
    out->coverage = join->vacuous ? 1 : rounded(join->coverage);
    out->orphans = (int64_t)join->orphans;
    out->role = nv_strdup(ctx, join->chosen && plays_roles(state, join) ? role_words(state, ctx, join) : "");
    out->decided_by = nv_strdup(ctx, join->decided_by != NULL ? join->decided_by : "");
    join_evidence(state, ctx, join, out);
    return out;
}

static int compare_joins(const void *a, const void *b)
{
    const Nv__Join *x = *(Nv__Join *const *)a, *y = *(Nv__Join *const *)b;
    int order = strcmp(x->from, y->from);
    order = order != 0 ? order : strcmp(x->columns[0], y->columns[0]);
    order = order != 0 ? order : (int)x->n_columns - (int)y->n_columns;
    order = order != 0 ? order : strcmp(x->to, y->to);
    return order != 0 ? order : strcmp(x->to_columns[0], y->to_columns[0]);
}

static void report_joins(const dsc_state_t *state, nv_mem_t *ctx, Nv__Relations *out)
{
    out->joins = NV_NEW_ARRAY(ctx, Nv__Join *, state->n_joins + 1);
    out->undecided = NV_NEW_ARRAY(ctx, Nv__Join *, UNDECIDED_MAX);
    out->inclusions = NV_NEW_ARRAY(ctx, Nv__InclusionDependency *, INCLUSIONS_MAX);
    for (size_t i = 0; i < state->n_joins; i++) {
        const join_candidate_t *join = &state->joins[i];
        if (join->chosen)
            out->joins[out->n_joins++] = report_join(state, ctx, join);
        else if (join->p >= 0.3 && join->p <= 0.7 && out->n_undecided < UNDECIDED_MAX)
            out->undecided[out->n_undecided++] = report_join(state, ctx, join);
        if (join->n > 1 || join->vacuous || join->containment < 0.95 || out->n_inclusions == INCLUSIONS_MAX)
            continue;
        Nv__InclusionDependency *ind = NV_NEW(ctx, Nv__InclusionDependency);
        nv__inclusion_dependency__init(ind);
        ind->from = NV_NEW(ctx, Nv__ColumnRef);
        ind->to = NV_NEW(ctx, Nv__ColumnRef);
        nv__column_ref__init(ind->from);
        nv__column_ref__init(ind->to);
        ind->from->table = nv_strdup(ctx, state->schema->tables[join->from].p->name);
        ind->from->column = nv_strdup(ctx, state_column(state, join->from, join->columns[0])->p->name);
        ind->to->table = nv_strdup(ctx, state->schema->tables[join->to].p->name);
        ind->to->column = nv_strdup(ctx, state_column(state, join->to, join->to_columns[0])->p->name);
        ind->containment = rounded(join->containment);
        ind->exact = join->exact;
        out->inclusions[out->n_inclusions++] = ind;
    }
    qsort(out->joins, out->n_joins, sizeof *out->joins, compare_joins);
    qsort(out->undecided, out->n_undecided, sizeof *out->undecided, compare_joins);
}

Nv__Relations *report_relations(const dsc_state_t *state, nv_mem_t *ctx, Nv__SourceRole **roles)
{
    Nv__Relations *out = NV_NEW(ctx, Nv__Relations);
    nv__relations__init(out);
    report_keys(state, ctx, out);
    report_joins(state, ctx, out);
    out->roles = roles;
    out->n_roles = (size_t)state->schema->n_tables;
    out->method =
        nv_strdup(ctx, state->branch_bounded ? "evidence (search bounded: best set found, not proven best)"
                                             : "evidence");
    return out;
}

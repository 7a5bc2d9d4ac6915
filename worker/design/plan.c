#include "worker/design/plan.h"

#include <string.h>

#include "worker/discovery/lexicon.h"

int plan_find(const plan_t *plan, const char *table)
{
    return schema_find_table(plan->schema, table);
}

char *design_join_subject(nv_mem_t *ctx, const Nv__Join *join)
{
    return nv_printf(ctx, "%s(%s) -> %s(%s)", join->from, nv_join(ctx, ", ", join->columns, join->n_columns),
                     join->to, nv_join(ctx, ", ", join->to_columns, join->n_to_columns));
}

char *design_grain_subject(nv_mem_t *ctx, const char *table, char *const *columns, size_t n)
{
    return nv_printf(ctx, "%s(%s)", table, nv_join(ctx, ", ", columns, n));
}

/* A failed check blames the design and names exactly this subject. */
static bool is_criticised(const design_input_t *input, const char *check, const char *subject)
{
    for (size_t i = 0; input->review != NULL && i < input->review->n_checks; i++) {
        const Nv__Check *c = input->review->checks[i];
        if (c->status == NV__CHECK_STATUS__CHECK_STATUS_FAIL && strcmp(c->name, check) == 0 &&
            strcmp(c->subject, subject) == 0)
            return true;
    }
    for (size_t i = 0; input->validation != NULL && i < input->validation->n_checks; i++) {
        const Nv__Check *c = input->validation->checks[i];
        if (c->status == NV__CHECK_STATUS__CHECK_STATUS_FAIL && strcmp(c->blame, "design") == 0 &&
            strcmp(c->subject, subject) == 0)
            return true;
    }
    return false;
}

bool plan_is_criticised(const plan_t *plan, const Nv__Join *join)
{
    const char *subject = design_join_subject(plan->ctx, join);
    return is_criticised(plan->input, "join_holds", subject) ||
           is_criticised(plan->input, "fan_out", subject);
}

static void take_keys(plan_t *plan)
{
    const Nv__Relations *relations = plan->input->relations;
    for (size_t i = 0; i < relations->n_primary_keys; i++) {
        const Nv__PrimaryKey *key = relations->primary_keys[i];
        int t = plan_find(plan, key->table);
        if (t < 0)
            continue;
        char *subject = design_grain_subject(plan->ctx, key->table, key->columns, key->n_columns);
        if (is_criticised(plan->input, "grain_unique", subject)) {
            plan_note(plan, "The key %s was given up because the review found it not unique.", subject);
            continue;
        }
        plan->tables[t].key = key;
    }
}

static bool has_columns(const dsc_table_t *table, char *const *columns, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (schema_find_column(table, columns[i]) < 0)
            return false;
    }
    return true;
}

static bool is_usable(const plan_t *plan, const plan_join_t *join)
{
    const Nv__Join *said = join->join;
    return join->from >= 0 && join->to >= 0 && said->n_columns > 0 && said->n_columns == said->n_to_columns &&
           has_columns(plan->tables[join->from].t, said->columns, said->n_columns) &&
           has_columns(plan->tables[join->to].t, said->to_columns, said->n_to_columns);
}

static void take_joins(plan_t *plan)
{
    const Nv__Relations *relations = plan->input->relations;
    plan->joins = NV_NEW_ARRAY(plan->ctx, plan_join_t, relations->n_joins + 1);
    for (size_t i = 0; i < relations->n_joins; i++) {
        const Nv__Join *join = relations->joins[i];
        plan_join_t *out = &plan->joins[plan->n_joins];
        *out =
            (plan_join_t){.join = join, .from = plan_find(plan, join->from), .to = plan_find(plan, join->to)};
        if (!is_usable(plan, out)) {
            plan_note(plan,
                      "The join %s was dropped: it names tables or columns that the profile does not have.",
                      design_join_subject(plan->ctx, join));
            continue;
        }
        out->avoided = plan_is_criticised(plan, join);
        if (out->avoided)
            plan_note(plan, "The join %s was dropped because the review found that it does not hold.",
                      design_join_subject(plan->ctx, join));
        plan->n_joins++;
    }
}

static void take_roles(plan_t *plan)
{
    const Nv__Relations *relations = plan->input->relations;
    for (size_t i = 0; i < relations->n_roles; i++) {
        int t = plan_find(plan, relations->roles[i]->table);
        if (t < 0)
            continue;
        plan->tables[t].role = relations->roles[i]->role;
        plan->tables[t].role_confidence = relations->roles[i]->confidence;
    }
}

bool plan_keys_versions(const Nv__PrimaryKey *key, const char *version)
{
    for (size_t i = 0; key->n_columns > 1 && i < key->n_columns; i++) {
        if (strcmp(key->columns[i], version) == 0)
            return true;
    }
    return false;
}

/* A date that moves with each version of a record: the best name wins. */
static void find_version(plan_table_t *table)
{
    static const char *const preferred[] = {"valid",  "effective", "updated", "modified", "changed",
                                            "update", "eff",       "asof",    "snapshot", NULL};
    for (int k = 0; preferred[k] != NULL && table->version == NULL; k++) {
        for (int c = 0; c < table->t->n_columns && table->version == NULL; c++) {
            const dsc_column_t *column = &table->t->columns[c];
            if (column->kind != CLASS_DATE || column->null_share > 0.01 ||
                column->p->type == NV__VALUE_TYPE__VALUE_TYPE_TIME)
                continue;
            bool end = false, match = false;
            for (int w = 0; w < column->bare.n; w++) {
                match = match || strcmp(column->bare.word[w], preferred[k]) == 0;
                end = end || strcmp(column->bare.word[w], "to") == 0 ||
                      strcmp(column->bare.word[w], "until") == 0 || strcmp(column->bare.word[w], "end") == 0;
            }
            if (match && !end)
                table->version = column->p->name;
        }
    }
    table->history = table->version != NULL && table->key != NULL &&
                     (table->key->violations > 0 || plan_keys_versions(table->key, table->version));
}

/* Without any fact there would be no star: the table with numbers that most looks like events takes the part. */
static void ensure_fact(plan_t *plan)
{
    int best = -1, best_score = 0;
    for (int t = 0; t < plan->n_tables; t++) {
        if (plan->tables[t].role == NV__TABLE_ROLE__TABLE_ROLE_FACT)
            return;
        int score = 0;
        for (int c = 0; c < plan->tables[t].t->n_columns; c++) {
            const dsc_column_t *column = &plan->tables[t].t->columns[c];
            score += 2 * column_is_measure(column) + column_is_event_date(column);
        }
        for (size_t j = 0; j < plan->n_joins; j++)
            score += 2 * (plan->joins[j].from == t) - 3 * (plan->joins[j].to == t);
        score = plan->tables[t].t->rows > 0 && plan->tables[t].role != NV__TABLE_ROLE__TABLE_ROLE_BRIDGE
                    ? score
                    : 0;
        if (score > best_score) {
            best_score = score;
            best = t;
        }
    }
    if (best < 0)
        return;
    plan->tables[best].role = NV__TABLE_ROLE__TABLE_ROLE_FACT;
    plan_note(plan,
              "No table was clearly a fact; \"%s\" holds the most numbers and dates and takes the part.",
              plan->tables[best].t->p->name);
}

static void decide_kinds(plan_t *plan)
{
    for (int t = 0; t < plan->n_tables; t++) {
        plan_table_t *table = &plan->tables[t];
        switch (table->role) {
        case NV__TABLE_ROLE__TABLE_ROLE_FACT:
            table->kind = PLAN_FACT;
            break;
        case NV__TABLE_ROLE__TABLE_ROLE_DIMENSION:
            table->kind = PLAN_DIMENSION;
            break;
        case NV__TABLE_ROLE__TABLE_ROLE_BRIDGE:
            table->kind = PLAN_BRIDGE;
            break;
        default:
            table->kind = PLAN_OUT;
        }
    }
    /* What others refer to by its key is needed, whatever it is. */
    for (size_t j = 0; j < plan->n_joins; j++) {
        const plan_join_t *join = &plan->joins[j];
        if (!join->avoided && join->from != join->to && plan->tables[join->to].kind == PLAN_OUT &&
            plan->tables[join->from].kind != PLAN_OUT)
            plan->tables[join->to].kind = PLAN_DIMENSION;
    }
    for (int t = 0; t < plan->n_tables; t++) {
        if (plan->tables[t].kind == PLAN_DIMENSION && plan->tables[t].key == NULL) {
            plan->tables[t].kind = PLAN_OUT;
            for (size_t j = 0; j < plan->n_joins; j++) {
                plan->joins[j].avoided = plan->joins[j].avoided || plan->joins[j].to == t;
                if (plan->joins[j].from == t && !plan->joins[j].avoided)
                    plan->tables[t].kind = PLAN_FACT;
            }
        }
    }
}

/* "v2", or the 2 of "v 2". */
static bool is_edition(const name_words_t *name, int at)
{
    const char *word = name->word[at];
    const char *digits = word[0] == 'v' ? word + 1 : word;
    bool number = digits[0] != '\0' && strspn(digits, "0123456789") == strlen(digits);
    return number && (digits > word || (at > 1 && strcmp(name->word[at - 1], "v") == 0));
}

static int words_that_tell(const name_words_t *name)
{
    int n = name->n;
    while (n > 1 && (lexicon_has(LEXICON_TABLE_FORM, name->word[n - 1]) ||
                     lexicon_is_noise_at_end(name->word[n - 1]) || is_edition(name, n - 1)))
        n -= is_edition(name, n - 1) && name->word[n - 1][0] != 'v' ? 2 : 1;
    return n;
}

static bool same_words(const name_words_t *a, int n_a, const name_words_t *b, int n_b)
{
    for (int i = 0; n_a == n_b && i < n_a; i++) {
        if (strcmp(a->word[i], b->word[i]) != 0)
            return false;
    }
    return n_a == n_b;
}

/* A name without its suffix must still be the only one of its kind: order_history stays beside orders. */
static void shorten_names(plan_t *plan)
{
    for (int t = 0; t < plan->n_tables; t++) {
        const name_words_t *name = &plan->tables[t].t->name;
        plan->tables[t].n_words = words_that_tell(name);
        for (int u = 0; u < plan->n_tables; u++) {
            const name_words_t *other = &plan->tables[u].t->name;
            if (u != t && same_words(name, plan->tables[t].n_words, other, words_that_tell(other)))
                plan->tables[t].n_words = name->n;
        }
    }
}

bool plan_build(nv_mem_t *ctx, const design_input_t *input, plan_t **out, nv_error_t *err)
{
    plan_t *plan = NV_NEW(ctx, plan_t);
    plan->ctx = ctx;
    plan->input = input;
    plan->names = namer_make(ctx);
    plan->star = NV_NEW(ctx, Nv__StarSchema);
    nv__star_schema__init(plan->star);
    if (!schema_build(ctx, input->profile, &plan->schema, err))
        return false;
    plan->n_tables = plan->schema->n_tables;
    plan->tables = NV_NEW_ARRAY(ctx, plan_table_t, (size_t)plan->n_tables + 1);
    for (int t = 0; t < plan->n_tables; t++) {
        plan->tables[t].t = &plan->schema->tables[t];
        plan->tables[t].covered = NV_NEW_ARRAY(ctx, bool, (size_t)plan->schema->tables[t].n_columns + 1);
    }
    shorten_names(plan);
    take_roles(plan);
    take_keys(plan);
    take_joins(plan);
    for (int t = 0; t < plan->n_tables; t++)
        find_version(&plan->tables[t]);
    ensure_fact(plan);
    decide_kinds(plan);
    *out = plan;
    return true;
}

bool plan_is_key(const plan_table_t *table, const char *column)
{
    for (size_t i = 0; table->key != NULL && i < table->key->n_columns; i++) {
        if (strcmp(table->key->columns[i], column) == 0)
            return true;
    }
    return false;
}

bool plan_is_calendar(const plan_table_t *table)
{
    const char *last = table->t->name.n > 0 ? table->t->name.word[table->t->name.n - 1] : "";
    int c = table->key != NULL && table->key->n_columns == 1
                ? schema_find_column(table->t, table->key->columns[0])
                : -1;
    return (c >= 0 && table->t->columns[c].kind == CLASS_DATE) || strcmp(last, "time") == 0 ||
           strcmp(last, "date") == 0 || strcmp(last, "calendar") == 0;
}

const plan_join_t *plan_join_of(const plan_t *plan, int table, const char *column)
{
    for (size_t j = 0; j < plan->n_joins; j++) {
        const plan_join_t *join = &plan->joins[j];
        for (size_t i = 0; !join->avoided && join->from == table && i < join->join->n_columns; i++) {
            if (strcmp(join->join->columns[i], column) == 0)
                return join;
        }
    }
    return NULL;
}

void plan_cover(plan_t *plan, int table, const char *column)
{
    int c = schema_find_column(plan->tables[table].t, column);
    if (c >= 0)
        plan->tables[table].covered[c] = true;
}

Nv__ColumnRef *plan_ref(nv_mem_t *ctx, const char *table, const char *column)
{
    Nv__ColumnRef *ref = NV_NEW(ctx, Nv__ColumnRef);
    nv__column_ref__init(ref);
    ref->table = nv_strdup(ctx, table);
    ref->column = nv_strdup(ctx, column);
    return ref;
}

void plan_leave_out(plan_t *plan, int table, const char *column, const char *reason)
{
    Nv__LeftOut *left = NV_NEW(plan->ctx, Nv__LeftOut);
    nv__left_out__init(left);
    left->source = plan_ref(plan->ctx, plan->tables[table].t->p->name, column);
    left->reason = nv_strdup(plan->ctx, reason);
    NV_PUSH(plan->ctx, plan->star->left_out, plan->star->n_left_out, plan->cap_left_out) = left;
    if (column[0] != '\0')
        plan_cover(plan, table, column);
    else
        memset(plan->tables[table].covered, 1, sizeof(bool) * (size_t)plan->tables[table].t->n_columns);
}

void plan_note(plan_t *plan, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    NV_PUSH(plan->ctx, plan->star->notes, plan->star->n_notes, plan->cap_notes) =
        nv_vprintf(plan->ctx, fmt, args);
    va_end(args);
}

static char **copy_strings(nv_mem_t *ctx, char *const *list, size_t n)
{
    char **out = NV_NEW_ARRAY(ctx, char *, n + 1);
    for (size_t i = 0; i < n; i++)
        out[i] = nv_strdup(ctx, list[i]);
    return out;
}

Nv__Join *plan_copy_join(nv_mem_t *ctx, const Nv__Join *join)
{
    Nv__Join *out = NV_NEW(ctx, Nv__Join);
    *out = *join;
    out->from = nv_strdup(ctx, join->from);
    out->to = nv_strdup(ctx, join->to);
    out->role = nv_strdup(ctx, join->role);
    out->decided_by = nv_strdup(ctx, join->decided_by);
    out->columns = copy_strings(ctx, join->columns, join->n_columns);
    out->to_columns = copy_strings(ctx, join->to_columns, join->n_to_columns);
    out->evidence = NULL;
    out->n_evidence = 0;
    return out;
}

char *plan_base_name(const plan_t *plan, int table)
{
    const name_words_t *name = &plan->tables[table].t->name;
    char *text = nv_strdup(plan->ctx, "");
    for (int i = 0; i < plan->tables[table].n_words; i++) {
        bool mark =
            lexicon_has(LEXICON_FACT_MARK, name->word[i]) || lexicon_has(LEXICON_DIM_MARK, name->word[i]);
        if (i == 0 || !mark) /* sales_fact_1997 */
            text = nv_printf(plan->ctx, "%s%s%s", text, i > 0 ? "_" : "", name->word[i]);
    }
    char *base = identifier_make(plan->ctx, text, "table");
    size_t n = strlen(base);
    if (n > 0 && base[n - 1] == '_') /* a reserved word is harmless behind "dim_" */
        base[n - 1] = '\0';
    return base;
}

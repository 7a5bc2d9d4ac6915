/* design_fit --joins|--few|--keys|--roles FEATURES OUT.c: fits the weights of worker/discovery/model_weights*.c from labelled features (design_features) and
 * prints cross-validated figures. Five folds by set, so that no set is judged by weights that saw it; the final weights see all.
 * Logistic regression and softmax choice, L2, Newton; deterministic. See README.md. */
#include "common/core/error.h"
#include "common/core/mem.h"
#include "worker/discovery/model.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FOLDS = 5, FEATURES_MAX = 96, LINE_BYTES = 1 << 16, STEPS = 30, FIELDS_MAX = 112 };

typedef struct option {
    double x[FEATURES_MAX];
    double target; /* share of the label, sums to 1 over a choice; 0/1 for joins */
} option_t;

/* What a key that the truth accepts beside the declared one counts: mostly a part of that one which these rows happen not to repeat. */
static const double alternate_key = 0.1;

/* A choice: join = one option (logistic); key = candidates and "none"; role = one feature vector, four classes. */
typedef struct example {
    size_t first, n;
    int fold;
    double weight;
} example_t;

#define FEATURE_TEXT(id, words) #id,
static const char *const JOIN_ids[] = {JOIN_FEATURE_LIST(FEATURE_TEXT)};
static const char *const CHOICE_ids[] = {CHOICE_FEATURE_LIST(FEATURE_TEXT)};
static const char *const KEY_ids[] = {KEY_FEATURE_LIST(FEATURE_TEXT)};
static const char *const ROLE_ids[] = {ROLE_FEATURE_LIST(FEATURE_TEXT)};
#undef FEATURE_TEXT

typedef struct data {
    const char *name;
    const char *kind;       /* "JOIN": the constants are named after it */
    const char *const *ids; /* of the features */
    int features;
    int classes; /* 1: weights shared by options; 4: role */
    bool logistic;
    option_t *options;
    example_t *examples;
    size_t n_options, cap_options, n_examples, cap_examples;
} data_t;

typedef struct fit {
    nv_mem_t *ctx;
    data_t join_n1, join_11, join_few, choice, key_alone, key_joined, role, role_few;
} fit_t;

typedef struct choice_state {
    bool is_open, defensible;
    double right;
} choice_state_t;

/* By domain ("shop" of …/shop_1_7): a fold is judged by weights that never saw its kind of business. */
static int fold_of(const char *set)
{
    unsigned hash = 2166136261u;
    const char *slash = strrchr(set, '/');
    for (set = slash != NULL ? slash + 1 : set;
         *set != '\0' && !(*set == '_' && set[1] >= '0' && set[1] <= '9'); set++)
        hash = (hash ^ (unsigned char)*set) * 16777619u;
    return (int)((hash >> 8) % FOLDS);
}

static option_t *add_option(fit_t *fit, data_t *data, char **fields, int features)
{
    option_t *option = &NV_PUSH(fit->ctx, data->options, data->n_options, data->cap_options);
    memset(option, 0, sizeof *option);
    for (int i = 0; i < features; i++)
        option->x[i] = strtod(fields[i], NULL);
    return option;
}

static example_t *add_example(fit_t *fit, data_t *data, const char *set)
{
    example_t *example = &NV_PUSH(fit->ctx, data->examples, data->n_examples, data->cap_examples);
    *example = (example_t){.first = data->n_options, .fold = fold_of(set), .weight = 1};
    return example;
}

static void add_join(fit_t *fit, data_t *data, char **field)
{
    example_t *example = add_example(fit, data, field[0]);
    add_option(fit, data, field + 10, JOIN_FEATURES)->target = field[1][0] == '1';
    example->n = 1;
}

/* The third field: 1, the source's values do not repeat; 2, the target has a handful of rows; 3, both. */
static void read_join(fit_t *fit, char **field)
{
    int kind = field[3][0] - '0';
    add_join(fit, kind & 1 ? &fit->join_11 : &fit->join_n1, field);
    if (kind & 2)
        add_join(fit, &fit->join_few, field);
}

/* The tables that a column may reference come in a row; the line without tables ("none") ends them. A defensible one that is not
 * required is no option; where there is nothing else the choice teaches nothing. */
static void read_choice(fit_t *fit, char **field, choice_state_t *open)
{
    data_t *data = &fit->choice;
    if (!open->is_open)
        add_example(fit, data, field[0]);
    example_t *example = &data->examples[data->n_examples - 1];
    bool none = field[5][0] == '\0';
    open->is_open = !none;
    if (field[1][0] == '-') {
        open->defensible = true;
        return;
    }
    option_t *option = add_option(fit, data, field + 10, CHOICE_FEATURES);
    example->n++;
    open->right += option->target = field[1][0] == '1';
    if (!none)
        return;
    option->target = open->right == 0;
    if (example->n < 2 || open->right > 1 || (open->defensible && open->right == 0)) {
        data->n_options = example->first;
        data->n_examples--;
    }
    *open = (choice_state_t){0};
}

/* Candidates of one table come in a row; the line without columns ("none") ends them. */
static void read_key(fit_t *fit, char **field, size_t *open)
{
    data_t *data = field[3][0] == '1' ? &fit->key_joined : &fit->key_alone;
    if (*open == 0)
        add_example(fit, data, field[0]);
    example_t *example = &data->examples[data->n_examples - 1];
    /* The declared key teaches more than another one that the truth accepts: a part of it that these rows happen not to repeat. */
    double target = field[1][0] == '2' ? 1 : field[1][0] == '1' ? alternate_key : 0;
    add_option(fit, data, field + 7, KEY_FEATURES)->target = target;
    example->n++;
    (*open)++;
    if (field[5][0] != '\0')
        return;
    *open = 0;
    double sum = 0;
    for (size_t i = 0; i < example->n; i++)
        sum += data->options[example->first + i].target;
    for (size_t i = 0; i < example->n && sum > 0; i++)
        data->options[example->first + i].target /= sum;
    if (sum == 0 || example->n < 2) { /* the true key is no candidate, or there is nothing to choose */
        data->n_options = example->first;
        data->n_examples--;
    }
}

static void read_role_of(fit_t *fit, data_t *data, char **field)
{
    example_t *example = add_example(fit, data, field[0]);
    for (int k = 0; k < ROLE_CLASSES; k++) {
        /* The declared role counts full, a defensible one a third. */
        double target = field[1][k] == '2' ? 1 : field[1][k] == '1' ? 1.0 / 3 : 0;
        add_option(fit, data, field + 9, ROLE_FEATURES)->target = target;
        example->n++;
    }
    double sum = 0;
    for (size_t i = 0; i < example->n; i++)
        sum += data->options[example->first + i].target;
    for (size_t i = 0; i < example->n && sum > 0; i++)
        data->options[example->first + i].target /= sum;
}

static void read_role(fit_t *fit, char **field)
{
    read_role_of(fit, &fit->role, field);
    if (field[3][0] == '1')
        read_role_of(fit, &fit->role_few, field);
}

/* The fields of a line, cut in place. */
static int cut(char *line, char **field)
{
    int n = 0;
    line[strcspn(line, "\n")] = '\0';
    for (char *p = line; n < FIELDS_MAX;) {
        field[n++] = p;
        p = strchr(p, '\t');
        if (p == NULL)
            break;
        *p++ = '\0';
    }
    return n;
}

static bool read_features(fit_t *fit, const char *path, nv_error_t *err)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return nv_fail_errno(err, errno, "%s", path);
    char *line = nv_alloc(fit->ctx, LINE_BYTES), *field[FIELDS_MAX];
    size_t open = 0;
    choice_state_t choice = {0};
    bool ok = true;
    while (ok && fgets(line, LINE_BYTES, file) != NULL) {
        int n = cut(line, field);
        if (n == 10 + JOIN_FEATURES && strcmp(field[2], "join") == 0)
            read_join(fit, field);
        else if (n == 10 + CHOICE_FEATURES && strcmp(field[2], "choice") == 0)
            read_choice(fit, field, &choice);
        else if (n == 7 + KEY_FEATURES && strcmp(field[2], "key") == 0)
            read_key(fit, field, &open);
        else if (n == 9 + ROLE_FEATURES && strcmp(field[2], "role") == 0)
            read_role(fit, field);
        else
            ok = nv_fail(err, NV_INVALID_ARGUMENT, "%s: a line of %d fields fits no model", path, n);
    }
    (void)fclose(file);
    return ok;
}

static const double *weights_of(const data_t *data, const double *w, size_t option)
{
    return data->classes == 1 ? w : w + option * (size_t)data->features;
}

static void predict(const data_t *data, const example_t *example, const double *w, double *p)
{
    for (size_t i = 0; i < example->n; i++)
        p[i] = model_dot(weights_of(data, w, i), data->options[example->first + i].x, (size_t)data->features);
    if (data->logistic)
        p[0] = model_logistic(p[0]);
    else
        model_softmax(p, example->n);
}

/* --- Newton's method ---------------------------------------------------------------------------------------------- */

enum { DIMENSIONS_MAX = FEATURES_MAX * ROLE_CLASSES };

typedef struct newton {
    double gradient[DIMENSIONS_MAX];
    double hessian[DIMENSIONS_MAX][DIMENSIONS_MAX]; /* lower triangle */
    double loss;
} newton_t;

static void add_outer(newton_t *s, size_t row, size_t column, const double *x, const double *y, int n,
                      double weight)
{
    for (int i = 0; i < n; i++) {
        double a = weight * x[i];
        if (a == 0)
            continue;
        double *line = s->hessian[row + (size_t)i] + column;
        for (int k = 0; k < n; k++)
            line[k] += a * y[k];
    }
}

/* Options share the weights: the Hessian is the covariance of the features under the predicted choice. */
static void add_choice(newton_t *s, const data_t *data, const example_t *example, const double *p)
{
    double mean[FEATURES_MAX] = {0};
    for (size_t i = 0; i < example->n; i++) {
        const option_t *option = &data->options[example->first + i];
        for (int k = 0; k < data->features; k++) {
            s->gradient[k] += (p[i] - option->target) * option->x[k];
            mean[k] += p[i] * option->x[k];
        }
        if (p[i] > 1e-9)
            add_outer(s, 0, 0, option->x, option->x, data->features,
                      data->logistic ? p[i] * (1 - p[i]) : p[i]);
        s->loss -= option->target * log(fmax(p[i], 1e-12));
        if (data->logistic)
            s->loss -= (1 - option->target) * log(fmax(1 - p[i], 1e-12));
    }
    if (!data->logistic)
        add_outer(s, 0, 0, mean, mean, data->features, -1);
}

/* Every class has weights of its own over the same features. */
static void add_classes(newton_t *s, const data_t *data, const example_t *example, const double *p)
{
    size_t n = (size_t)data->features;
    const double *x = data->options[example->first].x;
    for (size_t a = 0; a < example->n; a++) {
        double target = data->options[example->first + a].target;
        for (size_t k = 0; k < n; k++)
            s->gradient[a * n + k] += (p[a] - target) * x[k];
        for (size_t b = 0; b <= a; b++)
            add_outer(s, a * n, b * n, x, x, data->features, p[a] * ((a == b) - p[b]));
        s->loss -= target * log(fmax(p[a], 1e-12));
    }
}

static void accumulate(newton_t *s, const data_t *data, int left_out, double ridge, const double *w)
{
    size_t n = (size_t)(data->features * data->classes);
    double p[128];
    memset(s, 0, sizeof *s);
    for (size_t e = 0; e < data->n_examples; e++) {
        const example_t *example = &data->examples[e];
        if (example->fold == left_out)
            continue;
        predict(data, example, w, p);
        if (data->classes == 1)
            add_choice(s, data, example, p);
        else
            add_classes(s, data, example, p);
    }
    for (size_t k = 0; k < n; k++) {
        s->gradient[k] += ridge * w[k];
        s->hessian[k][k] += ridge;
        s->loss += ridge * w[k] * w[k] / 2;
    }
}

/* Solves hessian * step = gradient in place by Cholesky; the ridge makes it positive definite. */
static void solve(newton_t *s, size_t n, double *step)
{
    for (size_t j = 0; j < n; j++) {
        for (size_t i = j; i < n; i++) {
            double sum = s->hessian[i][j];
            for (size_t k = 0; k < j; k++)
                sum -= s->hessian[i][k] * s->hessian[j][k];
            s->hessian[i][j] = i == j ? sqrt(fmax(sum, 1e-12)) : sum / s->hessian[j][j];
        }
    }
    for (size_t i = 0; i < n; i++) {
        step[i] = s->gradient[i];
        for (size_t k = 0; k < i; k++)
            step[i] -= s->hessian[i][k] * step[k];
        step[i] /= s->hessian[i][i];
    }
    for (size_t i = n; i-- > 0;) {
        for (size_t k = i + 1; k < n; k++)
            step[i] -= s->hessian[k][i] * step[k];
        step[i] /= s->hessian[i][i];
    }
}

/* Newton's method on the L2-penalised log loss; a step that does not help is halved. */
static void train(const data_t *data, int left_out, double ridge, double *w)
{
    static newton_t state;
    size_t n = (size_t)(data->features * data->classes);
    double step[DIMENSIONS_MAX], last[DIMENSIONS_MAX], before = INFINITY;
    memset(w, 0, n * sizeof *w);
    memset(last, 0, sizeof last);
    memset(step, 0, sizeof step);
    for (int i = 0; i < STEPS; i++) {
        accumulate(&state, data, left_out, ridge, w);
        if (state.loss > before) {
            for (size_t k = 0; k < n; k++) {
                step[k] /= 2;
                w[k] = last[k] - step[k];
            }
            continue;
        }
        if (before - state.loss < 1e-6 * fmax(1, state.loss))
            return;
        before = state.loss;
        solve(&state, n, step);
        for (size_t k = 0; k < n; k++) {
            last[k] = w[k];
            w[k] -= step[k];
        }
    }
}

/* Cross-validated: log loss, accuracy of the decision, and how the stated probability compares to what came true. */
static double validate(const data_t *data, double ridge, FILE *report)
{
    double loss = 0, right = 0, n = 0, p[128];
    double said[10] = {0}, came[10] = {0}, count[10] = {0};
    static double w[FEATURES_MAX * ROLE_CLASSES];
    for (int fold = 0; fold < FOLDS; fold++) {
        train(data, fold, ridge, w);
        for (size_t e = 0; e < data->n_examples; e++) {
            const example_t *example = &data->examples[e];
            if (example->fold != fold)
                continue;
            const option_t *options = &data->options[example->first];
            predict(data, example, w, p);
            size_t best = 0;
            for (size_t i = 1; i < example->n; i++)
                best = p[i] > p[best] ? i : best;
            double hit =
                data->logistic ? (p[0] >= 0.5) == (options[0].target > 0.5) : options[best].target > 0;
            for (size_t i = 0; i < example->n; i++)
                loss -= options[i].target * log(fmax(p[i], 1e-12));
            if (data->logistic)
                loss -= (1 - options[0].target) * log(fmax(1 - p[0], 1e-12));
            int bin = (int)fmin(9, p[best] * 10);
            said[bin] += p[best];
            came[bin] += data->logistic ? options[0].target : hit;
            count[bin]++;
            right += hit;
            n++;
        }
    }
    FILE *const reports[] = {report, stdout};
    for (int r = 0; r < 2 && report != NULL; r++) {
        fprintf(reports[r],
                " * %s: %.0f examples, log loss %.4f, accuracy %.4f\n *   said/came true:", data->name, n,
                loss / n, right / n);
        for (int i = 0; i < 10; i++) {
            if (count[i] > 0)
                fprintf(reports[r], " %.2f/%.2f(%.0f)", said[i] / count[i], came[i] / count[i], count[i]);
        }
        fprintf(reports[r], "\n");
    }
    return n > 0 ? loss / n : 0;
}

static void write_weights(const data_t *data, FILE *out, const char *name, const double *w)
{
    fprintf(out, "const double %s[%s_FEATURES] = {\n", name, data->kind);
    for (int i = 0; i < data->features; i++)
        fprintf(out, "    [%s] = %.6f,\n", data->ids[i], w[i]);
    fprintf(out, "};\n");
}

/* A line a feature, with what it says for each class. */
static void write_classes(const data_t *data, FILE *out, const char *name, const double *w)
{
    fprintf(out, "const double %s[%s_FEATURES][%s_CLASSES] = {\n", name, data->kind, data->kind);
    for (int i = 0; i < data->features; i++) {
        fprintf(out, "    [%s] = {", data->ids[i]);
        for (int k = 0; k < data->classes; k++)
            fprintf(out, "%s%.6f", k > 0 ? ", " : "", w[k * data->features + i]);
        fprintf(out, "},\n");
    }
    fprintf(out, "};\n");
}

static double best_ridge(const data_t *data)
{
    static const double choices[] = {0.5, 2};
    double best = choices[0], least = INFINITY;
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        double loss = validate(data, choices[i], NULL);
        if (loss < least) {
            least = loss;
            best = choices[i];
        }
    }
    return best;
}

static void fit_and_write(const data_t *data, FILE *out, const char *name, double *w)
{
    double ridge = best_ridge(data);
    fprintf(out, "/* ridge %.1f; five folds by set:\n", ridge);
    validate(data, ridge, out);
    fprintf(out, " */\n");
    train(data, -1, ridge, w);
    (data->classes == 1 ? write_weights : write_classes)(data, out, name, w);
}

static void write_few(fit_t *fit, FILE *out, double *w)
{
    fit_and_write(&fit->join_few, out, "model_join_few", w);
}

static void write_roles(fit_t *fit, FILE *out, double *w)
{
    fit_and_write(&fit->role, out, "model_role", w);
    fit_and_write(&fit->role_few, out, "model_role_few", w);
}

static void write_keys(fit_t *fit, FILE *out, double *w)
{
    fit_and_write(&fit->key_alone, out, "model_key_alone", w);
    fit_and_write(&fit->key_joined, out, "model_key_joined", w);
}

static void write_joins(fit_t *fit, FILE *out, double *w)
{
    fprintf(out,
            "const char *const model_provenance = \"fitted on generated sets, %zu joins, %zu tables\";\n",
            fit->join_n1.n_examples + fit->join_11.n_examples, fit->key_alone.n_examples);
    fit_and_write(&fit->join_n1, out, "model_join_n1", w);
    fit_and_write(&fit->join_11, out, "model_join_11", w);
    fit_and_write(&fit->choice, out, "model_choice", w);
}

/* A model to be fitted: JOIN, CHOICE, KEY or ROLE, whose features have the names of features.h. */
#define MODEL(what, of, ...)                                                                                 \
    {                                                                                                        \
        .name = (what), .kind = #of, .ids = of##_ids, .features = of##_FEATURES, __VA_ARGS__                 \
    }

/* What is fitted, and by which option. */
typedef struct fit_mode {
    const char *option;
    void (*write)(fit_t *fit, FILE *out, double *w);
} fit_mode_t;

static const fit_mode_t modes[] = {
    {"--joins", write_joins}, {"--few", write_few}, {"--keys", write_keys}, {"--roles", write_roles}};

static const fit_mode_t *find_mode(const char *option)
{
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(modes[i].option, option) == 0)
            return &modes[i];
    }
    return NULL;
}

int main(int argc, char **argv)
{
    nv_error_t err = NV_ERROR_INIT;
    const fit_mode_t *mode = argc == 4 ? find_mode(argv[1]) : NULL;
    if (mode == NULL) {
        fprintf(stderr, "usage: design_fit --joins|--few|--keys|--roles FEATURES.tsv OUT.c\n");
        return 64;
    }
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("fit");
    fit_t fit = {.ctx = ctx,
                 .join_n1 = MODEL("joins N:1", JOIN, .classes = 1, .logistic = true),
                 .join_11 = MODEL("joins 1:1", JOIN, .classes = 1, .logistic = true),
                 .join_few = MODEL("joins to a handful of rows", JOIN, .classes = 1, .logistic = true),
                 .choice = MODEL("choice of target", CHOICE, .classes = 1),
                 .key_alone = MODEL("keys alone", KEY, .classes = 1),
                 .key_joined = MODEL("keys with joins", KEY, .classes = 1),
                 .role_few = MODEL("roles of a handful of rows", ROLE, .classes = ROLE_CLASSES),
                 .role = MODEL("roles", ROLE, .classes = ROLE_CLASSES)};
    FILE *out = read_features(&fit, argv[2], &err) ? fopen(argv[3], "w") : NULL;
    if (out == NULL) {
        fprintf(stderr, "design_fit: %s\n", err.code != NV_OK ? err.message : strerror(errno));
        return 1;
    }
    static double w[FEATURES_MAX * ROLE_CLASSES];
    fprintf(out, "/* Written by tests/bench/design/fit (see its README.md); do not edit. Cross-validated "
                 "figures stand above each table. */\n"
                 "#include \"worker/discovery/model.h\"\n\n/* clang-format off */\n");
    mode->write(&fit, out, w);
    return fclose(out) == 0 ? 0 : 1;
}

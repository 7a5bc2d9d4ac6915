#include "tests/bench/design/mini/mini_profile.h"

#include "worker/profiling/keys.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { FILE_MAX_BYTES = 256 * 1024 * 1024, KMV_K = 1024, TOP_MAX = 20 };

typedef struct cells {
    char **cell; /* rows * columns, "" = null */
    size_t rows, columns, n, cap;
    bool *duplicate;
} cells_t;

struct mini {
    nv_mem_t *ctx;
    Nv__Profile *profile;
    cells_t *cells;
    size_t n, cap, cap_profile;
};

mini_t *mini_new(nv_mem_t *ctx)
{
    mini_t *mini = NV_NEW(ctx, mini_t);
    mini->ctx = mini;
    mini->profile = NV_NEW(mini, Nv__Profile);
    nv__profile__init(mini->profile);
    return mini;
}

Nv__Profile *mini_profile(mini_t *mini)
{
    return mini->profile;
}

static void read_cells(nv_mem_t *ctx, const char *p, cells_t *out)
{
    while (*p != '\0') {
        size_t columns = 0;
        bool more = true;
        while (more) {
            char *cell = nv_alloc(ctx, 1);
            size_t start = 0;
            if (*p == '"') {
                const char *from = ++p;
                while (*p != '\0' && !(*p == '"' && p[1] != '"'))
                    p += *p == '"' ? 2 : 1;
                cell = nv_strndup(ctx, from, (size_t)(p - from));
                for (char *q = cell; (q = strstr(q, "\"\"")) != NULL; q++)
                    memmove(q, q + 1, strlen(q));
                p += *p == '"';
            } else {
                start = strcspn(p, ",\r\n");
                cell = nv_strndup(ctx, p, start);
                p += start;
            }
            NV_PUSH(ctx, out->cell, out->n, out->cap) = cell;
            columns++;
            more = *p == ',';
            p += more;
        }
        p += *p == '\r';
        p += *p == '\n';
        out->columns = out->columns > 0 ? out->columns : columns;
    }
    out->rows = out->columns > 0 ? out->n / out->columns : 0;
}

static const char *cell_at(const cells_t *cells, size_t row, size_t column)
{
    return cells->cell[(row + 1) * cells->columns + column]; /* row 0 of the text is the header */
}

static bool is_integer(const char *s)
{
    s += *s == '-';
    if (*s == '0' && s[1] != '\0')
        return false;
    return *s != '\0' && strspn(s, "0123456789") == strlen(s) && strlen(s) < 19;
}

static bool is_decimal(const char *s)
{
    s += *s == '-';
    size_t whole = strspn(s, "0123456789");
    return whole > 0 && !(s[0] == '0' && whole > 1) &&
           (s[whole] == '\0' ||
            (s[whole] == '.' && strspn(s + whole + 1, "0123456789") == strlen(s + whole + 1)));
}

static bool is_date(const char *s)
{
    int y, m, d, n = 0;
    return strlen(s) == 10 && sscanf(s, "%4d-%2d-%2d%n", &y, &m, &d, &n) == 3 && n == 10;
}

static bool is_timestamp(const char *s)
{
    int y, m, d, h, mi, n = 0;
    return strlen(s) >= 16 && sscanf(s, "%4d-%2d-%2d%*1[ T]%2d:%2d%n", &y, &m, &d, &h, &mi, &n) == 5;
}

static bool is_boolean(const char *s)
{
    return strcmp(s, "true") == 0 || strcmp(s, "false") == 0;
}

static Nv__ValueType type_of(const cells_t *cells, size_t column)
{
    bool integer = true, decimal = true, date = true, timestamp = true, boolean = true, any = false;
    for (size_t r = 0; r + 1 < cells->rows; r++) {
        const char *s = cell_at(cells, r, column);
        if (*s == '\0')
            continue;
        any = true;
        integer = integer && is_integer(s);
        decimal = decimal && is_decimal(s);
        date = date && is_date(s);
        timestamp = timestamp && (is_timestamp(s) || is_date(s));
        boolean = boolean && is_boolean(s);
    }
    if (!any)
        return NV__VALUE_TYPE__VALUE_TYPE_STRING;
    if (integer)
        return NV__VALUE_TYPE__VALUE_TYPE_INT64;
    if (decimal)
        return NV__VALUE_TYPE__VALUE_TYPE_DECIMAL;
    if (date)
        return NV__VALUE_TYPE__VALUE_TYPE_DATE;
    if (timestamp)
        return NV__VALUE_TYPE__VALUE_TYPE_TIMESTAMP;
    return boolean ? NV__VALUE_TYPE__VALUE_TYPE_BOOLEAN : NV__VALUE_TYPE__VALUE_TYPE_STRING;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int by_number(const void *a, const void *b)
{
    double x = strtod(*(char *const *)a, NULL), y = strtod(*(char *const *)b, NULL);
    return x < y ? -1 : x > y;
}

static int by_hash(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void take_order(nv_mem_t *ctx, Nv__ColumnProfile *p, char **values, size_t n)
{
    static const double at[] = {.05, .25, .5, .75, .95};
    bool number =
        p->type == NV__VALUE_TYPE__VALUE_TYPE_INT64 || p->type == NV__VALUE_TYPE__VALUE_TYPE_DECIMAL;
    qsort(values, n, sizeof *values, number ? by_number : by_text);
    p->min = values[0];
    p->max = values[n - 1];
    for (size_t i = 0; i < n; i++)
        p->distinct_count += i == 0 || strcmp(values[i], values[i - 1]) != 0;
    if (!number && p->type != NV__VALUE_TYPE__VALUE_TYPE_DATE &&
        p->type != NV__VALUE_TYPE__VALUE_TYPE_TIMESTAMP)
        return;
    p->quantiles = NV_NEW_ARRAY(ctx, char *, 5);
    for (size_t i = 0; i < 5; i++)
        p->quantiles[p->n_quantiles++] = values[(size_t)(at[i] * (double)(n - 1))];
}

static void take_sketch(nv_mem_t *ctx, Nv__ColumnProfile *p, char **values, size_t n)
{
    uint64_t *hashes = NV_NEW_ARRAY(ctx, uint64_t, n + 1);
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || strcmp(values[i], values[i - 1]) != 0)
            hashes[m++] = XXH3_64bits(values[i], strlen(values[i]));
    }
    qsort(hashes, m, sizeof *hashes, by_hash);
    p->kmv.data = (uint8_t *)hashes;
    p->kmv.len = (m < KMV_K ? m : KMV_K) * sizeof *hashes;
}

static int by_count(const void *a, const void *b)
{
    const Nv__ValueCount *x = *(Nv__ValueCount *const *)a, *y = *(Nv__ValueCount *const *)b;
    return x->count != y->count ? (x->count > y->count ? -1 : 1) : strcmp(x->value, y->value);
}

/* The most frequent of the sorted values. */
static void take_top(nv_mem_t *ctx, Nv__ColumnProfile *p, char **values, size_t n)
{
    Nv__ValueCount **counts = NV_NEW_ARRAY(ctx, Nv__ValueCount *, (size_t)p->distinct_count + 1);
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || strcmp(values[i], values[i - 1]) != 0) {
            counts[m] = NV_NEW(ctx, Nv__ValueCount);
            nv__value_count__init(counts[m]);
            counts[m++]->value = values[i];
        }
        counts[m - 1]->count++;
    }
    qsort(counts, m, sizeof(Nv__ValueCount *), by_count);
    p->top = counts;
    p->n_top = m < TOP_MAX ? m : TOP_MAX;
}

static Nv__ColumnProfile *profile_column(nv_mem_t *ctx, const cells_t *cells, size_t column)
{
    Nv__ColumnProfile *p = NV_NEW(ctx, Nv__ColumnProfile);
    nv__column_profile__init(p);
    p->name = cells->cell[column];
    p->position = (int32_t)column;
    p->type = type_of(cells, column);
    p->distinct_exact = true;
    p->monotonic = true;
    p->parse = NV_NEW(ctx, Nv__ParseRule);
    nv__parse_rule__init(p->parse);
    char **values = NV_NEW_ARRAY(ctx, char *, cells->rows + 1);
    size_t n = 0, bytes = 0;
    p->length_min = INT32_MAX;
    p->leading_zeros = p->type == NV__VALUE_TYPE__VALUE_TYPE_STRING;
    for (size_t r = 0; r + 1 < cells->rows; r++) {
        const char *s = cell_at(cells, r, column);
        if (*s == '\0') {
            p->null_count++;
            continue;
        }
        int32_t length = (int32_t)strlen(s);
        if (p->type == NV__VALUE_TYPE__VALUE_TYPE_DECIMAL && strchr(s, '.') != NULL) {
            int32_t scale = (int32_t)strlen(strchr(s, '.') + 1);
            p->scale = scale > p->scale ? scale : p->scale;
        }
        p->precision = length > p->precision ? length : p->precision;
        p->length_min = length < p->length_min ? length : p->length_min;
        p->length_max = length > p->length_max ? length : p->length_max;
        bytes += (size_t)length;
        p->monotonic = p->monotonic && (n == 0 || p->type != NV__VALUE_TYPE__VALUE_TYPE_INT64 ||
                                        strtod(s, NULL) > strtod(values[n - 1], NULL));
        p->negative_count += *s == '-';
        values[n++] = (char *)s;
    }
    if (n == 0) {
        p->length_min = 0;
        return p;
    }
    p->length_mean = (double)bytes / (double)n;
    p->constant_width = p->length_min == p->length_max;
    if (strchr(values[0], '@') != NULL)
        p->semantic = nv_strdup(ctx, "email");
    take_order(ctx, p, values, n);
    take_sketch(ctx, p, values, n);
    take_top(ctx, p, values, n);
    return p;
}

static uint64_t row_hash(const cells_t *cells, size_t row, const size_t *columns, size_t n, bool *has_null)
{
    XXH64_hash_t hash = 0;
    *has_null = false;
    for (size_t i = 0; i < n; i++) {
        const char *s = cell_at(cells, row, columns[i]);
        *has_null = *has_null || *s == '\0';
        hash = XXH3_64bits_withSeed(s, strlen(s) + 1, hash);
    }
    return hash;
}

static void find_duplicates(nv_mem_t *ctx, cells_t *cells, Nv__TableProfile *table)
{
    size_t rows = cells->rows > 0 ? cells->rows - 1 : 0;
    typedef struct {
        uint64_t hash, row;
    } entry_t;
    entry_t *list = NV_NEW_ARRAY(ctx, entry_t, rows + 1);
    size_t *all = NV_NEW_ARRAY(ctx, size_t, cells->columns + 1);
    for (size_t i = 0; i < cells->columns; i++)
        all[i] = i;
    bool null = false;
    for (size_t r = 0; r < rows; r++)
        list[r] = (entry_t){.hash = row_hash(cells, r, all, cells->columns, &null), .row = r};
    qsort(list, rows, sizeof *list, by_hash);
    cells->duplicate = NV_NEW_ARRAY(ctx, bool, rows + 1);
    for (size_t r = 1; r < rows; r++) {
        if (list[r].hash == list[r - 1].hash) {
            cells->duplicate[list[r].row] = true;
            table->duplicate_row_count++;
        }
    }
}

static void add_set(nv_mem_t *ctx, Nv__TableProfile *table, const key_set_t *set)
{
    Nv__CompositeCandidate *found = NV_NEW(ctx, Nv__CompositeCandidate);
    nv__composite_candidate__init(found);
    found->columns = NV_NEW_ARRAY(ctx, char *, set->n);
    for (size_t i = 0; i < set->n; i++)
        found->columns[found->n_columns++] = table->columns[set->columns[i]]->name;
    found->uniqueness = set->uniqueness;
    found->exact = true;
    table->unique_sets[table->n_unique_sets++] = found;
}

/* The sets that the product's profiler would propose: among them those that are unique by accident. */
static void find_unique_sets(nv_mem_t *ctx, const cells_t *cells, Nv__TableProfile *table)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("unique sets");
    size_t n = cells->rows > 0 ? cells->rows - 1 : 0;
    uint64_t **hashes = NV_NEW_ARRAY(scratch, uint64_t *, cells->columns);
    key_column_t *columns = NV_NEW_ARRAY(scratch, key_column_t, cells->columns);
    uint32_t *rows = NV_NEW_ARRAY(scratch, uint32_t, n + 1);
    key_rows_t all = {.hashes = hashes, .rows = rows};
    for (size_t r = 0; r < n; r++) {
        if (!cells->duplicate[r])
            rows[all.n_rows++] = (uint32_t)r;
    }
    for (size_t c = 0; c < cells->columns; c++) {
        hashes[c] = NV_NEW_ARRAY(scratch, uint64_t, n + 1);
        columns[c] = keys_column(table->columns[c], table->row_count);
        for (size_t r = 0; r < n; r++) {
            const char *text = cell_at(cells, r, c);
            hashes[c][r] = *text != '\0' ? XXH3_64bits(text, strlen(text)) : 0;
        }
    }
    key_set_t sets[KEYS_MAX_SETS];
    size_t found = keys_find(&all, columns, cells->columns, sets);
    table->unique_sets = NV_NEW_ARRAY(ctx, Nv__CompositeCandidate *, found + 1);
    for (size_t i = 0; i < found; i++)
        add_set(ctx, table, &sets[i]);
}

bool mini_add_csv(mini_t *mini, const char *name, const char *csv, nv_error_t *err)
{
    cells_t *cells = &NV_PUSH(mini->ctx, mini->cells, mini->n, mini->cap);
    *cells = (cells_t){0};
    read_cells(mini->ctx, csv, cells);
    if (cells->columns == 0 || cells->n % cells->columns != 0)
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: %zu cells do not fill rows of %zu columns", name,
                       cells->n, cells->columns);
    Nv__TableProfile *table = NV_NEW(mini->ctx, Nv__TableProfile);
    nv__table_profile__init(table);
    table->name = nv_strdup(mini->ctx, name);
    table->row_count = (int64_t)cells->rows - 1;
    table->header_detected = true;
    table->engine = nv_strdup(mini->ctx, "mini");
    table->n_columns = cells->columns;
    table->columns = NV_NEW_ARRAY(mini->ctx, Nv__ColumnProfile *, cells->columns);
    for (size_t i = 0; i < cells->columns; i++)
        table->columns[i] = profile_column(mini->ctx, cells, i);
    table->dialect = NV_NEW(mini->ctx, Nv__Dialect);
    nv__dialect__init(table->dialect);
    find_duplicates(mini->ctx, cells, table);
    find_unique_sets(mini->ctx, cells, table);
    NV_PUSH(mini->ctx, mini->profile->tables, mini->profile->n_tables, mini->cap_profile) = table;
    return true;
}

static char *read_file(nv_mem_t *ctx, const char *path, nv_error_t *err)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        (void)nv_fail_errno(err, errno, "%s", path);
        return NULL;
    }
    size_t capacity = 1 << 16, length = 0;
    char *text = nv_alloc(ctx, capacity + 1);
    size_t n = 0;
    while ((n = fread(text + length, 1, capacity - length, file)) > 0 && length < FILE_MAX_BYTES) {
        length += n;
        if (length == capacity) {
            capacity *= 2;
            text = nv_realloc_array(ctx, text, 1, capacity + 1);
        }
    }
    (void)fclose(file);
    text[length] = '\0';
    return text;
}

static int only_csv(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);
    return n > 4 && strcmp(entry->d_name + n - 4, ".csv") == 0;
}

bool mini_add_folder(mini_t *mini, const char *folder, nv_error_t *err)
{
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, only_csv, alphasort);
    if (n < 0)
        return nv_fail_errno(err, errno, "%s", folder);
    bool ok = true;
    for (int i = 0; i < n; i++) {
        char *path = nv_printf(mini->ctx, "%s/%s", folder, entries[i]->d_name);
        char *text = ok ? read_file(mini->ctx, path, err) : NULL;
        ok = ok && text != NULL &&
             mini_add_csv(mini, nv_strndup(mini->ctx, entries[i]->d_name, strlen(entries[i]->d_name) - 4),
                          text, err);
        free(entries[i]);
    }
    free(entries);
    return ok;
}

/* --- exact checks ------------------------------------------------------------------------------------------------------ */

static const cells_t *find_cells(const mini_t *mini, const char *table, const char *const *names, int n,
                                 size_t *columns)
{
    for (size_t t = 0; t < mini->n; t++) {
        if (strcmp(mini->profile->tables[t]->name, table) != 0)
            continue;
        for (int i = 0; i < n; i++) {
            columns[i] = SIZE_MAX;
            for (size_t c = 0; c < mini->cells[t].columns; c++) {
                if (strcmp(mini->cells[t].cell[c], names[i]) == 0)
                    columns[i] = c;
            }
            if (columns[i] == SIZE_MAX)
                return NULL;
        }
        return &mini->cells[t];
    }
    return NULL;
}

static uint64_t *sorted_hashes(nv_mem_t *ctx, const cells_t *cells, const size_t *columns, int n,
                               size_t *count, int64_t *nulls, bool skip_duplicates)
{
    uint64_t *list = NV_NEW_ARRAY(ctx, uint64_t, cells->rows + 1);
    *count = 0;
    for (size_t r = 0; r + 1 < cells->rows; r++) {
        bool null = false;
        uint64_t hash = row_hash(cells, r, columns, (size_t)n, &null);
        if (skip_duplicates && cells->duplicate[r])
            continue;
        *nulls += null;
        if (!null)
            list[(*count)++] = hash;
    }
    qsort(list, *count, sizeof *list, by_hash);
    return list;
}

static void count_one(const mini_t *mini, nv_mem_t *ctx, const discovery_check_t *check,
                      discovery_counts_t *out)
{
    size_t columns[DISCOVERY_KEY_COLUMNS_MAX], n = 0, m = 0;
    int64_t nulls = 0, ignored = 0;
    const cells_t *from = find_cells(mini, check->from, check->columns, check->n, columns);
    if (from == NULL)
        return;
    uint64_t *list = sorted_hashes(ctx, from, columns, check->n, &n, &nulls, check->to == NULL);
    out->rows = (int64_t)n;
    out->answered = true;
    for (size_t i = 0; i < n; i++)
        out->distinct += i == 0 || list[i] != list[i - 1];
    if (check->to == NULL) {
        out->missing = nulls;
        return;
    }
    const cells_t *to = find_cells(mini, check->to, check->to_columns, check->n, columns);
    out->answered = to != NULL;
    uint64_t *targets = to != NULL ? sorted_hashes(ctx, to, columns, check->n, &m, &ignored, false) : NULL;
    for (size_t i = 0, j = 0; targets != NULL && i < n; i++) {
        while (j < m && targets[j] < list[i])
            j++;
        bool found = j < m && targets[j] == list[i];
        out->missing += !found;
        out->distinct_found += found && (i == 0 || list[i] != list[i - 1]);
    }
}

static bool mini_count(void *self, const discovery_check_t *checks, size_t n, discovery_counts_t *out,
                       nv_error_t *err)
{
    (void)err;
    for (size_t i = 0; i < n; i++) {
        NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("mini check");
        count_one(self, scratch, &checks[i], &out[i]);
    }
    return true;
}

discovery_exact_t mini_exact(mini_t *mini)
{
    return (discovery_exact_t){.self = mini, .count = mini_count};
}

#include "worker/discovery/names.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "worker/discovery/lexicon.h"

static void push_word(name_words_t *out, const char *text, size_t length)
{
    if (length == 0)
        return;
    if (out->n == NAME_WORDS_MAX) {
        memmove(out->word[0], out->word[1], sizeof out->word[0] * (NAME_WORDS_MAX - 1));
        out->n--;
    }
    char *word = out->word[out->n++];
    if (length >= NAME_WORD_BYTES)
        length = NAME_WORD_BYTES - 1;
    for (size_t i = 0; i < length; i++)
        word[i] = (char)tolower((unsigned char)text[i]);
    word[length] = '\0';
}

static bool is_word_byte(unsigned char c)
{
    return isalnum(c) || c >= 0x80;
}

/* True where a new word starts at text[i] although no separator stands there. */
static bool is_boundary(const char *text, size_t start, size_t i)
{
    unsigned char before = (unsigned char)text[i - 1], here = (unsigned char)text[i];
    if (i == start)
        return false;
    if (isdigit(here) != isdigit(before) && (isalpha(here) || isdigit(here)))
        return true;
    if (isupper(here) && islower(before))
        return true;
    /* "IDNumber": the last capital of a run belongs to the next word, but "IDs" and "SKUs" stay whole. */
    return isupper(before) && islower(here) && i - start >= 2 && isupper((unsigned char)text[i - 2]) &&
           !(here == 's' && !isalpha((unsigned char)text[i + 1]));
}

void name_split(const char *text, name_words_t *out)
{
    memset(out, 0, sizeof *out);
    size_t i = 0;
    while (text[i] != '\0') {
        while (text[i] != '\0' && !is_word_byte((unsigned char)text[i]))
            i++;
        size_t start = i;
        while (text[i] != '\0' && is_word_byte((unsigned char)text[i])) {
            if (i > start && is_boundary(text, start, i)) {
                unsigned char before = (unsigned char)text[i - 1], here = (unsigned char)text[i];
                size_t cut = isupper(before) && islower(here) ? i - 1 : i;
                push_word(out, text + start, cut - start);
                start = cut;
            }
            i++;
        }
        push_word(out, text + start, i - start);
    }
    name_find_key(out);
}

static bool ends_with(const char *word, const char *suffix, size_t *stem)
{
    size_t n = strlen(word), m = strlen(suffix);
    if (n <= m || strcmp(word + n - m, suffix) != 0)
        return false;
    *stem = n - m;
    return true;
}

/* "orderkey" becomes "order" "key"; "paid" stays. */
static void cut_glued_key(name_words_t *name)
{
    static const char *const glued[] = {"key", "code", "id", "sk", "num", "no", "cd", NULL};
    char *last = name->word[name->n - 1];
    for (int i = 0; glued[i] != NULL; i++) {
        size_t stem = 0;
        if (!ends_with(last, glued[i], &stem) || stem < 3 || lexicon_has(LEXICON_NOT_KEY, last))
            continue;
        if (strlen(glued[i]) == 2 && stem < 4 && strcmp(glued[i], "id") != 0)
            continue;
        if (name->n == NAME_WORDS_MAX)
            return;
        snprintf(name->word[name->n], sizeof name->word[0], "%s", glued[i]);
        name->n++;
        last[stem] = '\0';
        return;
    }
}

void name_find_key(name_words_t *name)
{
    name->core = name->n;
    name->keylike = false;
    if (name->n == 0)
        return;
    if (!lexicon_has(LEXICON_KEY, name->word[name->n - 1]))
        cut_glued_key(name);
    name->core = name->n;
    while (name->core > 0 && lexicon_has(LEXICON_KEY, name->word[name->core - 1]))
        name->core--;
    /* A postal or area code describes an address; it identifies nothing. */
    static const char *const places[] = {"postal", "zip", "post", "area", "dial", "dialing"};
    for (size_t i = 0; name->core > 0 && i < sizeof places / sizeof places[0]; i++) {
        if (strcmp(name->word[name->core - 1], places[i]) == 0)
            name->core = name->n;
    }
    name->keylike = name->core < name->n;
}

void name_drop_front(name_words_t *name, int count)
{
    if (count >= name->n)
        count = name->n - 1;
    if (count <= 0) /* nothing to drop, or a single word, which stays */
        return;
    /* cppcheck-suppress arrayIndexOutOfBoundsCond ; count < n <= NAME_WORDS_MAX */
    memmove(name->word[0], name->word[count], sizeof name->word[0] * (size_t)(name->n - count));
    name->n -= count;
    name_find_key(name);
}

void name_singular(char *word)
{
    size_t n = strlen(word), stem = 0;
    const char *irregular = lexicon_singular(word);
    if (irregular != NULL && strlen(irregular) < NAME_WORD_BYTES) {
        memcpy(word, irregular, strlen(irregular) + 1);
        return;
    }
    if (n < 4)
        return;
    if (ends_with(word, "ies", &stem) && stem >= 2)
        memcpy(word + stem, "y", 2);
    else if (ends_with(word, "sses", &stem) || ends_with(word, "xes", &stem) ||
             ends_with(word, "ches", &stem) || ends_with(word, "shes", &stem))
        word[n - 2] = '\0';
    else if (word[n - 1] == 's' && !strchr("sui", word[n - 2]))
        word[n - 1] = '\0';
}

double name_jaro_winkler(const char *a, const char *b)
{
    size_t la = strnlen(a, 255), lb = strnlen(b, 255);
    if (la == 0 || lb == 0)
        return 0;
    unsigned char used_a[256] = {0}, used_b[256] = {0};
    size_t window = (la > lb ? la : lb) / 2, matches = 0, transposed = 0;
    window = window > 0 ? window - 1 : 0;
    for (size_t i = 0; i < la; i++) {
        size_t from = i > window ? i - window : 0, to = i + window + 1 < lb ? i + window + 1 : lb;
        for (size_t j = from; j < to; j++) {
            if (used_b[j] || a[i] != b[j])
                continue;
            used_a[i] = used_b[j] = 1;
            matches++;
            break;
        }
    }
    if (matches == 0)
        return 0;
    for (size_t i = 0, j = 0; i < la; i++) {
        if (!used_a[i])
            continue;
        while (!used_b[j])
            j++;
        transposed += a[i] != b[j++];
    }
    double m = (double)matches;
    double jaro = (m / (double)la + m / (double)lb + (m - (double)transposed / 2) / m) / 3;
    size_t prefix = 0;
    while (prefix < 4 && prefix < la && prefix < lb && a[prefix] == b[prefix])
        prefix++;
    return jaro + (double)prefix * 0.1 * (1 - jaro);
}

/* Letters of abbreviation in order in word, first letters alike: "dept" in "department". */
static bool is_skeleton(const char *abbreviation, const char *word)
{
    if (abbreviation[0] != word[0])
        return false;
    while (*word != '\0' && *abbreviation != '\0') {
        if (*abbreviation == *word)
            abbreviation++;
        word++;
    }
    return *abbreviation == '\0';
}

static double abbreviation_similarity(const char *shorter, const char *longer)
{
    size_t n = strlen(shorter), m = strlen(longer);
    if (n < 2 || n >= m)
        return 0;
    if (strncmp(shorter, longer, n) == 0)
        return n >= 3 ? 0.9 : 0.6;
    if (n >= 3 && is_skeleton(shorter, longer))
        return n >= 4 || m <= 8 ? 0.75 : 0.6;
    return 0;
}

double name_word_similarity(const char *a, const char *b)
{
    if (a[0] != b[0])
        return 0;
    if (strcmp(a, b) == 0)
        return 1;
    char x[NAME_WORD_BYTES], y[NAME_WORD_BYTES];
    strncpy(x, a, sizeof x - 1);
    strncpy(y, b, sizeof y - 1);
    x[sizeof x - 1] = y[sizeof y - 1] = '\0';
    name_singular(x);
    name_singular(y);
    if (strcmp(x, y) == 0)
        return 1;
    double abbreviated =
        strlen(x) < strlen(y) ? abbreviation_similarity(x, y) : abbreviation_similarity(y, x);
    if (lexicon_has(LEXICON_NO_ABBREVIATION, x) || lexicon_has(LEXICON_NO_ABBREVIATION, y))
        abbreviated = 0;
    double near = strlen(x) >= 5 && strlen(y) >= 5 ? name_jaro_winkler(x, y) : 0;
    near = near > 0.93 ? 0.85 : 0;
    return abbreviated > near ? abbreviated : near;
}

double name_jaccard(const name_words_t *a, const name_words_t *b)
{
    if (a->n == 0 || b->n == 0)
        return 0;
    int both = 0;
    for (int i = 0; i < a->n; i++) {
        for (int j = 0; j < b->n; j++) {
            if (name_word_similarity(a->word[i], b->word[j]) >= 0.99) {
                both++;
                break;
            }
        }
    }
    return (double)both / (double)(a->n + b->n - both);
}

static bool tail_equal(const name_words_t *a, const name_words_t *b, int count)
{
    for (int i = 1; i <= count; i++) {
        if (name_word_similarity(a->word[a->n - i], b->word[b->n - i]) < 0.99)
            return false;
    }
    return true;
}

double name_share_within(const name_words_t *part, const name_words_t *whole)
{
    int found = 0;
    for (int k = 0; k < part->n; k++) {
        for (int i = 0; i < whole->n; i++) {
            if (name_word_similarity(whole->word[i], part->word[k]) >= 0.99) {
                found++;
                break;
            }
        }
    }
    return part->n > 0 ? (double)found / part->n : 0;
}

bool name_equal(const name_words_t *a, const name_words_t *b)
{
    return a->n == b->n && a->n > 0 && tail_equal(a, b, a->n);
}

bool name_ends_with(const name_words_t *a, const name_words_t *b)
{
    return a->n > b->n && b->n > 0 && tail_equal(a, b, b->n);
}

/* word as concatenated prefixes of all words of table, each at least one letter: "cdemo", "partsupp". */
static bool is_prefix_chain(const char *word, const name_words_t *table, int at)
{
    if (at == table->n)
        return *word == '\0';
    const char *target = table->word[at];
    for (size_t k = 1; target[k - 1] != '\0' && word[k - 1] == target[k - 1]; k++) {
        if (is_prefix_chain(word + k, table, at + 1))
            return true;
    }
    return false;
}

static double best_word(const name_words_t *column, int from, const char *word, int *used)
{
    double best = 0;
    for (int i = from; i < column->core; i++) {
        double similarity = name_word_similarity(column->word[i], word);
        if (similarity > best) {
            best = similarity;
            *used = i;
        }
    }
    return best;
}

/* The table's name written in one column word: whole ("orderdetails"), or abbreviated word by word. */
static double glued_match(const name_words_t *column, const name_words_t *table, int *used)
{
    char joined[NAME_WORDS_MAX * NAME_WORD_BYTES];
    name_join(table, joined, sizeof joined);
    for (int i = 0; i < column->core; i++) {
        if (name_word_similarity(column->word[i], joined) >= 0.99) {
            *used = i;
            return 1;
        }
        /* "requesteruser", "orderdate": a role glued before the table's name. */
        size_t n = strlen(column->word[i]), m = strlen(joined);
        if (m >= 4 && n > m + 1 && strcmp(column->word[i] + n - m, joined) == 0) {
            *used = i;
            return 0.8;
        }
        if (table->n >= 2 && strlen(column->word[i]) >= 3 && is_prefix_chain(column->word[i], table, 0)) {
            *used = i;
            return 0.85;
        }
    }
    return 0;
}

static double count_unused(const bool *used, int core)
{
    int unused = 0;
    for (int i = 0; i < core; i++)
        unused += !used[i];
    return core > 0 ? (double)unused / core : 0;
}

/* "nation1" and "nation2" are nations: numbers do not say what is meant. */
static name_words_t without_numbers(const name_words_t *name)
{
    name_words_t out = {0};
    for (int i = 0; i < name->core; i++) {
        if (!isdigit((unsigned char)name->word[i][0]))
            memcpy(out.word[out.n++], name->word[i], sizeof out.word[0]);
    }
    out.core = out.n;
    return out.n > 0 ? out : *name;
}

name_match_t name_match(const name_words_t *named, const name_words_t *table)
{
    name_words_t plain = without_numbers(named);
    const name_words_t *column = &plain;
    name_match_t match = {.unused = 1};
    if (column->core == 0 || table->n == 0)
        return match;
    bool used[NAME_WORDS_MAX] = {false};
    double sum = 0, weights = 0;
    for (int i = 0; i < table->n; i++) {
        int at = -1;
        /* The head noun (last word) carries most of the meaning: customer_address is an address. */
        double weight = i + 1 == table->n ? 1.5 : 1;
        double best = best_word(column, 0, table->word[i], &at);
        if (at >= 0 && best >= 0.5)
            used[at] = true;
        sum += weight * best;
        weights += weight;
    }
    match.score = sum / weights;
    int at = -1;
    double glued = glued_match(column, table, &at);
    if (glued > match.score) {
        memset(used, 0, sizeof used);
        used[at] = true;
        match.score = glued;
    }
    match.unused = count_unused(used, column->core);
    match.head = used[column->core - 1];
    return match;
}

double name_speaks_of(const name_words_t *column, const name_words_t *table)
{
    return name_match(column, table).score;
}

void name_join(const name_words_t *name, char *out, size_t size)
{
    assert(size > 0);
    size_t n = 0;
    for (int i = 0; i < name->n; i++) {
        for (const char *c = name->word[i]; *c != '\0' && n + 1 < size; c++)
            out[n++] = *c;
    }
    out[n] = '\0';
}

#include "worker/knowledge/likeness.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "worker/discovery/lexicon.h"
#include "worker/discovery/names.h"

const double likeness_related = 0.12, likeness_near = 0.55;

enum { NAME_MAX_BYTES = 256, TABLES_MAX = 1000 };
static const double whole_weight = 1.0, word_weight = 0.5, generic_weight = 0.05, table_weight = 2.0;

typedef struct feature {
    uint64_t hash;
    double weight;
} feature_t;

typedef struct shape {
    feature_t *features; /* by hash, each once */
    size_t count, capacity;
    double weight; /* all features' */
} shape_t;

typedef struct schema {
    shape_t *tables;
    size_t count, capacity;
} schema_t;

static void add(nv_mem_t *ctx, shape_t *shape, const char *text, size_t length, double weight)
{
    if (length == 0)
        return;
    NV_PUSH(ctx, shape->features, shape->count, shape->capacity) =
        (feature_t){XXH64(text, length, 0), weight};
}

/* The words of a name, and the whole of them without what stands between. */
static void add_name(nv_mem_t *ctx, shape_t *shape, const char *name, size_t length, double weight)
{
    char text[NAME_MAX_BYTES], whole[NAME_WORDS_MAX * NAME_WORD_BYTES];
    snprintf(text, sizeof text, "%.*s", (int)(length < sizeof text ? length : sizeof text - 1), name);
    name_words_t words;
    name_split(text, &words);
    bool telling = false;
    size_t n = 0;
    for (int i = 0; i < words.n; i++) {
        char *word = words.word[i];
        name_singular(word);
        bool common = word[1] == '\0' || lexicon_has(LEXICON_EVERYWHERE, word);
        telling |= !common;
        size_t bytes = strlen(word);
        add(ctx, shape, word, bytes, (common ? generic_weight : word_weight) * weight);
        memcpy(whole + n, word, bytes);
        n += bytes;
    }
    add(ctx, shape, whole, n, (telling ? whole_weight : generic_weight) * weight);
}

static int by_hash(const void *a, const void *b)
{
    const feature_t *x = a, *y = b;
    return (x->hash > y->hash) - (x->hash < y->hash);
}

/* Sorted; a feature that comes twice counts once. */
static void finish(shape_t *shape)
{
    size_t kept = 0;
    if (shape->count > 1)
        qsort(shape->features, shape->count, sizeof *shape->features, by_hash);
    for (size_t i = 0; i < shape->count; i++)
        if (kept == 0 || shape->features[kept - 1].hash != shape->features[i].hash)
            shape->features[kept++] = shape->features[i];
    shape->count = kept;
    for (size_t i = 0; i < kept; i++)
        shape->weight += shape->features[i].weight;
}

/* "name(column type …, column type …)": the first word of each column. */
static void add_table(nv_mem_t *ctx, schema_t *schema, const char *line, size_t length)
{
    const char *open = memchr(line, '(', length);
    if (!open)
        return;
    shape_t *shape = &NV_PUSH(ctx, schema->tables, schema->count, schema->capacity);
    *shape = (shape_t){0};
    add_name(ctx, shape, line, (size_t)(open - line), table_weight);
    const char *at = open + 1, *end = line + length;
    while (at < end) {
        const char *stop = at;
        while (stop < end && *stop != ' ' && *stop != ',' && *stop != ')')
            stop++;
        add_name(ctx, shape, at, (size_t)(stop - at), 1);
        while (stop < end && *stop != ',')
            stop++;
        at = stop;
        while (at < end && (*at == ',' || *at == ' '))
            at++;
    }
    finish(shape);
}

static schema_t parse(nv_mem_t *ctx, const char *text)
{
    schema_t schema = {0};
    while (*text && schema.count < TABLES_MAX) {
        size_t length = strcspn(text, "\n");
        add_table(ctx, &schema, text, length);
        text += length + (text[length] == '\n');
    }
    return schema;
}

/* Weighted Jaccard. */
static double alike(const shape_t *a, const shape_t *b)
{
    double common = 0;
    for (size_t i = 0, k = 0; i < a->count && k < b->count;) {
        if (a->features[i].hash == b->features[k].hash)
            common += a->features[i++].weight, k++;
        else if (a->features[i].hash < b->features[k].hash)
            i++;
        else
            k++;
    }
    double all = a->weight + b->weight - common;
    return all > 0 ? common / all : 0;
}

/* The share of a that has a counterpart in b. */
static double covered(const schema_t *a, const schema_t *b)
{
    double sum = 0, weight = 0;
    for (size_t i = 0; i < a->count; i++) {
        double best = 0;
        for (size_t k = 0; k < b->count; k++) {
            double score = alike(&a->tables[i], &b->tables[k]);
            best = score > best ? score : best;
        }
        sum += best * a->tables[i].weight;
        weight += a->tables[i].weight;
    }
    return weight > 0 ? sum / weight : 0;
}

double fingerprint_likeness(nv_mem_t *ctx, const char *a, const char *b)
{
    nv_mem_t *scratch = nv_mem_child(ctx, "likeness");
    schema_t left = parse(scratch, a), right = parse(scratch, b);
    double forth = covered(&left, &right), back = covered(&right, &left);
    nv_mem_free(scratch);
    return forth + back > 0 ? 2 * forth * back / (forth + back) : 0;
}

static int most_alike_first(const void *a, const void *b)
{
    const Nv__KnowledgeHit *const *x = a;
    const Nv__KnowledgeHit *const *y = b;
    return ((*x)->similarity < (*y)->similarity) - ((*x)->similarity > (*y)->similarity);
}

void likeness_keep(nv_mem_t *ctx, const char *fingerprint, size_t keep, Nv__KnowledgeReply *reply)
{
    size_t kept = 0;
    for (size_t i = 0; i < reply->n_hits; i++) {
        Nv__KnowledgeHit *hit = reply->hits[i];
        if (!hit->found)
            continue;
        hit->similarity = fingerprint_likeness(ctx, fingerprint, hit->found->fingerprint);
        if (hit->similarity >= likeness_related)
            reply->hits[kept++] = hit;
    }
    if (kept > 1)
        qsort(reply->hits, kept, sizeof *reply->hits, most_alike_first);
    reply->n_hits = kept < keep ? kept : keep;
}

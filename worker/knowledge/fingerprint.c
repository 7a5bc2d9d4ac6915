#include "worker/knowledge/fingerprint.h"

#include "common/core/buf.h"
#include "common/embedding/embedding.h"

#include <stdlib.h>
#include <string.h>

enum { FINGERPRINT_MAX_BYTES = 64 * 1024 };

static const char *type_word(Nv__ValueType type)
{
    static const char *const words[] = {"",       "text", "flag", "int",      "decimal",
                                        "double", "date", "time", "timeofday"};
    return (unsigned)type < sizeof words / sizeof words[0] ? words[type] : "";
}

static bool unique_alone(const Nv__TableProfile *table, const Nv__ColumnProfile *column)
{
    return table->row_count > 0 && column->null_count == 0 &&
           column->distinct_count >= table->row_count - table->duplicate_row_count;
}

static int by_name(const void *a, const void *b)
{
    const Nv__TableProfile *const *x = a;
    const Nv__TableProfile *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static void put_table(nv_buf_t *buf, const Nv__TableProfile *table)
{
    nv_buf_printf(buf, "%s(", table->name);
    for (size_t i = 0; i < table->n_columns; i++) {
        const Nv__ColumnProfile *column = table->columns[i];
        nv_buf_printf(buf, "%s%s %s%s%s%s", i ? ", " : "", column->name, type_word(column->type),
                      unique_alone(table, column) ? " unique" : "", column->semantic[0] ? " " : "",
                      column->semantic);
    }
    nv_buf_puts(buf, ")\n");
}

char *fingerprint_make(nv_mem_t *ctx, const Nv__TableProfile *const *profiles, size_t count)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("fingerprint");
    const Nv__TableProfile **sorted = NV_NEW_ARRAY(scratch, const Nv__TableProfile *, count + 1);
    memcpy(sorted, profiles, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_name);
    nv_buf_t buf = nv_buf_make(scratch, FINGERPRINT_MAX_BYTES);
    for (size_t i = 0; i < count; i++)
        put_table(&buf, sorted[i]);
    return nv_strdup(ctx, nv_buf_text(&buf));
}

/* The next character that counts; uniqueness is of the data, not of the shape. */
static const char *skip_unique(const char *text)
{
    static const char word[] = " unique";
    while (strncmp(text, word, sizeof word - 1) == 0)
        text += sizeof word - 1;
    return text;
}

bool fingerprint_same_shape(const char *a, const char *b)
{
    for (;; a++, b++) {
        a = skip_unique(a);
        b = skip_unique(b);
        if (*a != *b)
            return false;
        if (*a == '\0')
            return true;
    }
}

void fingerprint_embed(const char *fingerprint, float *out)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("names");
    nv_buf_t names = nv_buf_make(scratch, FINGERPRINT_MAX_BYTES);
    bool name = true;
    for (const char *at = fingerprint; *at; at++) {
        bool ends = strchr("(,\n", *at) != NULL;
        bool begins = name && *at == ' ' && (at == fingerprint || strchr(",\n", at[-1]) != NULL);
        if (ends || begins)
            nv_buf_putc(&names, ' ');
        else if (*at == ' ')
            name = false; /* what follows a column's name is its type */
        else if (name)
            nv_buf_putc(&names, *at);
        name = name || ends;
    }
    nv_embedding(nv_buf_text(&names), names.length, out);
}

Nv__KnowledgeQuery *fingerprint_query(nv_mem_t *ctx, const char *fingerprint, const char *stage, int limit)
{
    Nv__KnowledgeQuery *query = NV_NEW(ctx, Nv__KnowledgeQuery);
    nv__knowledge_query__init(query);
    query->stage = nv_strdup(ctx, stage);
    query->fingerprint = nv_strdup(ctx, fingerprint);
    query->limit = limit;
    query->n_embedding = NV_EMBEDDING_DIMENSIONS;
    query->embedding = NV_NEW_ARRAY(ctx, float, NV_EMBEDDING_DIMENSIONS);
    fingerprint_embed(fingerprint, query->embedding);
    return query;
}

/* The words that stand for nothing, for true and for false. Pure tables. */
#ifndef WORKER_PROFILING_WORDS_H
#define WORKER_PROFILING_WORDS_H

#include <stdbool.h>
#include <stddef.h>

enum word_kind { WORD_NONE, WORD_NULL_SURE, WORD_NULL_MAYBE, WORD_TRUE, WORD_FALSE, WORD_INFINITE };

static inline bool word_is_boolean(enum word_kind kind)
{
    return kind == WORD_TRUE || kind == WORD_FALSE;
}

/* Kind of a trimmed word; *index identifies it for word_text. Null words compare case-sensitively. */
enum word_kind word_find(const char *text, size_t length, size_t *index);
/* The word as written (booleans in lower case). */
const char *word_text(size_t index);
/* All words are those with an index below this. */
size_t word_count(void);
enum word_kind word_kind_of(size_t index);

#endif

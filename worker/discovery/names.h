/* What a name says: identifiers cut into words, and how likely one name speaks of another.
 *
 * Names of columns and tables arrive in every style (OrderID, order_id, l_orderkey, ss_sold_date_sk). A name is cut into
 * lower-case words; a trailing key word (id, key, sk …) is set apart, because "customer_id" speaks of "customer".
 * Abbreviations are matched as concatenated prefixes ("cdemo" = c|ustomer demo|graphics). Pure; any thread.
 */
#ifndef WORKER_DISCOVERY_NAMES_H
#define WORKER_DISCOVERY_NAMES_H

#include <stdbool.h>
#include <stddef.h>

enum { NAME_WORDS_MAX = 12, NAME_WORD_BYTES = 32 };

typedef struct name_words {
    int n;
    int core;     /* the first `core` words speak of a thing; the rest is the key suffix */
    bool keylike; /* ends in a key word, or is nothing but one */
    char word[NAME_WORDS_MAX][NAME_WORD_BYTES];
} name_words_t;

/* Cuts text into words. Longer names keep their last words; a longer word is cut. */
void name_split(const char *text, name_words_t *out);
/* Recomputes core and keylike; glued key words are cut off ("orderkey" -> "order" + "key"). */
void name_find_key(name_words_t *name);
/* Drops the first count words; keeps at least one. */
void name_drop_front(name_words_t *name, int count);
/* Singular of an English word, in place: categories -> category. */
void name_singular(char *word);

/* 0 … 1: equal, abbreviated, plural or nearly equal words. */
double name_word_similarity(const char *a, const char *b);
double name_jaro_winkler(const char *a, const char *b);
/* Token Jaccard of all words. */
double name_jaccard(const name_words_t *a, const name_words_t *b);
/* Equal word for word, singulars alike. */
bool name_equal(const name_words_t *a, const name_words_t *b);
/* The words of b are the last words of a, and a has more. */
bool name_ends_with(const name_words_t *a, const name_words_t *b);
/* Share of the words of part that whole contains, 0 … 1; 0 when part has none. */
double name_share_within(const name_words_t *part, const name_words_t *whole);
/* How far the core of a column's name speaks of a table. */
typedef struct name_match {
    double score;  /* 0 … 1 */
    double unused; /* share of core words not needed for it */
    bool
        head; /* the last core word, which says what is meant, is among the needed: not so for "store_manager" and store */
} name_match_t;
name_match_t name_match(const name_words_t *named, const name_words_t *table);
/* The score alone. */
double name_speaks_of(const name_words_t *column, const name_words_t *table);
/* All words joined by nothing, at most size bytes. */
void name_join(const name_words_t *name, char *out, size_t size);

#endif

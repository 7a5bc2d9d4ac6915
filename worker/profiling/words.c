#include "worker/profiling/words.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *text;
    enum word_kind kind;
} words[] = {
    {"N/A", WORD_NULL_SURE},
    {"n/a", WORD_NULL_SURE},
    {"#N/A", WORD_NULL_SURE},
    {"NULL", WORD_NULL_SURE},
    {"null", WORD_NULL_SURE},
    {"\\N", WORD_NULL_SURE},
    {"(null)", WORD_NULL_SURE},
    {"<null>", WORD_NULL_SURE},
    {"<NULL>", WORD_NULL_SURE},
    {"[NULL]", WORD_NULL_SURE},
    {"(NULL)", WORD_NULL_SURE},
    {"#NULL!", WORD_NULL_SURE},
    {"NA", WORD_NULL_MAYBE},
    {"na", WORD_NULL_MAYBE},
    {"N.A.", WORD_NULL_MAYBE},
    {"n.a.", WORD_NULL_MAYBE},
    {"None", WORD_NULL_MAYBE},
    {"none", WORD_NULL_MAYBE},
    {"NONE", WORD_NULL_MAYBE},
    {"Null", WORD_NULL_MAYBE},
    {"nan", WORD_NULL_MAYBE},
    {"NaN", WORD_NULL_MAYBE},
    {"NAN", WORD_NULL_MAYBE},
    {"NaT", WORD_NULL_MAYBE},
    {"-", WORD_NULL_MAYBE},
    {"--", WORD_NULL_MAYBE},
    {"---", WORD_NULL_MAYBE},
    {"?", WORD_NULL_MAYBE},
    {".", WORD_NULL_MAYBE},
    {"nil", WORD_NULL_MAYBE},
    {"unknown", WORD_NULL_MAYBE},
    {"Unknown", WORD_NULL_MAYBE},
    {"UNKNOWN", WORD_NULL_MAYBE},
    {"missing", WORD_NULL_MAYBE},
    {"TBD", WORD_NULL_MAYBE},
    {"tbd", WORD_NULL_MAYBE},
    {"undefined", WORD_NULL_MAYBE},
    {"0000-00-00", WORD_NULL_MAYBE},
    {"0000-00-00 00:00:00", WORD_NULL_MAYBE},
    {"true", WORD_TRUE},
    {"yes", WORD_TRUE},
    {"t", WORD_TRUE},
    {"y", WORD_TRUE},
    {"on", WORD_TRUE},
    {"j", WORD_TRUE}, /* German: ja, nein */
    {"ja", WORD_TRUE},
    {"false", WORD_FALSE},
    {"no", WORD_FALSE},
    {"f", WORD_FALSE},
    {"n", WORD_FALSE},
    {"off", WORD_FALSE},
    {"nein", WORD_FALSE},
    {"inf", WORD_INFINITE},
    {"+inf", WORD_INFINITE},
    {"-inf", WORD_INFINITE},
    {"infinity", WORD_INFINITE},
    {"+infinity", WORD_INFINITE},
    {"-infinity", WORD_INFINITE},
};
static const bool starts_word[256] = {
    ['N'] = true, ['n'] = true, ['#'] = true, ['\\'] = true, ['('] = true, ['<'] = true, ['['] = true,
    ['-'] = true, ['?'] = true, ['.'] = true, ['u'] = true,  ['U'] = true, ['m'] = true, ['T'] = true,
    ['t'] = true, ['0'] = true, ['y'] = true, ['Y'] = true,  ['i'] = true, ['I'] = true, ['+'] = true,
    ['j'] = true, ['J'] = true, ['o'] = true, ['O'] = true,  ['f'] = true, ['F'] = true,
};
enum { N_WORDS = sizeof words / sizeof words[0], SHORT = 9, LONGEST = 19 };

enum word_kind word_find(const char *text, size_t length, size_t *index)
{
    bool long_word = length > SHORT && text[0] != '0'; /* the long ones are dates of zeros */
    if (length == 0 || length > LONGEST || long_word || !starts_word[(unsigned char)text[0]])
        return WORD_NONE;
    for (size_t i = 0; i < N_WORDS; i++) {
        const char *word = words[i].text;
        bool any_case = words[i].kind >= WORD_TRUE;
        if ((word[0] | 0x20) != (text[0] | 0x20) || strlen(word) != length)
            continue;
        if (any_case ? strncasecmp(word, text, length) == 0 : memcmp(word, text, length) == 0) {
            *index = i;
            return words[i].kind;
        }
    }
    return WORD_NONE;
}

const char *word_text(size_t index)
{
    assert(index < N_WORDS);
    return words[index].text;
}

size_t word_count(void)
{
    return N_WORDS;
}

enum word_kind word_kind_of(size_t index)
{
    assert(index < N_WORDS);
    return words[index].kind;
}

#include "worker/profiling/names.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "worker/profiling/dict.h"
#include "worker/profiling/sketch.h"

static bool starts_word(const char *name, size_t i)
{
    unsigned char c = (unsigned char)name[i];
    unsigned char before = i ? (unsigned char)name[i - 1] : 0;
    unsigned char after = (unsigned char)name[i + 1];
    if (!i || !isupper(c))
        return false;
    return islower(before) || isdigit(before) || (isupper(before) && islower(after));
}

/* The words of a name in lower case, separated and surrounded by one blank: " order date ". out holds size bytes. */
static void lower_words(const char *name, char *out, size_t size)
{
    size_t n = 0;
    out[n++] = ' ';
    for (size_t i = 0; name[i] && n + 3 < size; i++) {
        unsigned char c = (unsigned char)name[i];
        bool part = isalnum(c) || c >= 0x80;
        if ((!part || starts_word(name, i)) && out[n - 1] != ' ')
            out[n++] = ' ';
        if (part)
            out[n++] = (char)(c < 0x80 ? tolower(c) : c);
    }
    if (out[n - 1] != ' ')
        out[n++] = ' ';
    out[n] = '\0';
}

bool name_has_word(const char *name, const char *const *words)
{
    char all[256];
    lower_words(name, all, sizeof all);
    for (; *words; words++) {
        char word[48];
        snprintf(word, sizeof word, " %s ", *words);
        if (strstr(all, word))
            return true;
    }
    return false;
}

bool name_is_identifier(const char *name)
{
    static const char *const words[] = {
        "id",     "ids",      "code", "key",   "number", "no",     "nr",      "num",       "sku",     "zip",
        "postal", "postcode", "plz",  "phone", "fax",    "mobile", "ref",     "reference", "account", "iban",
        "isbn",   "ean",      "upc",  "uuid",  "guid",   "serial", "barcode", "ssn",       "vat",     NULL};
    return name_has_word(name, words);
}

bool name_is_date(const char *name)
{
    static const char *const words[] = {"date",     "day",      "dt",       "on",        "at",    "datum",
                                        "fecha",    "dob",      "birthday", "birthdate", "data",  "jour",
                                        "tag",      "ymd",      "when",     "since",     "until", "orderdate",
                                        "shipdate", "hiredate", NULL};
    return name_has_word(name, words);
}

struct names_unique {
    dict_t seen;
};

names_unique_t *names_unique_new(nv_mem_t *ctx)
{
    names_unique_t *names = NV_NEW(ctx, names_unique_t);
    names->seen = dict_make(names, 1 << 22, SIZE_MAX / 2);
    return names;
}

static bool take_name(names_unique_t *names, const char *name)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("name");
    char *lower = nv_strdup(scratch, name);
    for (char *p = lower; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    size_t length = strlen(lower);
    uint64_t hash = sketch_hash(lower, length);
    if (dict_count(&names->seen, hash, 1))
        return false;
    return dict_add_new(&names->seen, lower, length, hash, 1);
}

char *names_unique_add(names_unique_t *names, nv_mem_t *ctx, const char *name)
{
    char *out = nv_strdup(ctx, name);
    for (int i = 2; !take_name(names, out); i++) {
        nv_mem_free(out);
        out = nv_printf(ctx, "%s_%d", name, i);
    }
    return out;
}

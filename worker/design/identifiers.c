#include "worker/design/identifiers.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Reserved in Spark's ANSI mode (Spark SQL reference, "SQL Keywords"), plus names that Delta and audit columns use. */
static const char *const reserved = " all and anti any array as asc at authorization between both by case "
                                    "cast check collate column commit constraint create cross "
                                    "current_date current_time current_timestamp current_user database "
                                    "delete desc describe distinct drop else end escape except "
                                    "exists false fetch filter for foreign from full function global grant "
                                    "group having if in inner insert intersect interval into "
                                    "is join lateral leading left like limit local map merge minus natural "
                                    "no not null of offset on only or order outer over "
                                    "overlaps partition primary range references right row rows select semi "
                                    "session_user set some start struct table "
                                    "tablesample then time timestamp date to trailing true truncate union "
                                    "unique unknown update use user using values view when "
                                    "where window with day month year hour minute second ";

/* Latin-1 and Latin Extended-A letters to ASCII, by code point; two bytes in UTF-8. */
static char plain_letter(unsigned code)
{
    static const char latin1[] = "aaaaaaaceeeeiiiidnooooo_ouuuuypsaaaaaaaceeeeiiiidnooooo_ouuuuypy";
    if (code >= 0xC0 && code <= 0xFF)
        return latin1[code - 0xC0];
    static const char extended[] =
        "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkkllllllllllnnnnnnnnnoooooooorrrrrrsssssssst"
        "tttttuuuuuuuuuuuuwwyyyzzzzzzs";
    if (code >= 0x100 && code <= 0x17F && code - 0x100 < sizeof extended - 1)
        return extended[code - 0x100];
    return '\0';
}

typedef struct snake {
    char text[4 * IDENTIFIER_MAX];
    size_t n;
} snake_t;

static void put(snake_t *out, char c)
{
    if (c == '_' && (out->n == 0 || out->text[out->n - 1] == '_'))
        return;
    if (out->n + 1 < sizeof out->text)
        out->text[out->n++] = c;
}

/* camelCase and digits after letters keep together; a capital after a small letter starts a word. */
static void write_snake(const char *name, snake_t *out)
{
    for (size_t i = 0; name[i] != '\0'; i++) {
        unsigned char c = (unsigned char)name[i];
        if (c >= 0xC3 && c <= 0xC5 && (name[i + 1] & 0xC0) == 0x80) {
            char letter = plain_letter(((unsigned)(c & 0x1F) << 6) | ((unsigned char)name[i + 1] & 0x3F));
            put(out, letter != '\0' ? letter : '_');
            i++;
            continue;
        }
        if (!isalnum(c)) {
            if (c < 0x80)
                put(out, '_');
            continue;
        }
        bool start = isupper(c) && i > 0 &&
                     (islower((unsigned char)name[i - 1]) || isdigit((unsigned char)name[i - 1]) ||
                      (isupper((unsigned char)name[i - 1]) && islower((unsigned char)name[i + 1]) &&
                       name[i + 1] != 's'));
        if (start)
            put(out, '_');
        put(out, (char)tolower(c));
    }
    while (out->n > 0 && out->text[out->n - 1] == '_')
        out->n--;
    out->text[out->n] = '\0';
}

static bool is_reserved(const char *word)
{
    char needle[IDENTIFIER_MAX + 4];
    int n = snprintf(needle, sizeof needle, " %s ", word);
    return n > 0 && (size_t)n < sizeof needle && strstr(reserved, needle) != NULL;
}

static unsigned hash_of(const char *text)
{
    unsigned hash = 2166136261u;
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return hash;
}

char *identifier_make(nv_mem_t *ctx, const char *name, const char *fallback)
{
    snake_t snake = {.n = 0};
    write_snake(name, &snake);
    if (snake.n == 0)
        return is_reserved(fallback) ? nv_printf(ctx, "%s_", fallback) : nv_strdup(ctx, fallback);
    char *out = isdigit((unsigned char)snake.text[0]) ? nv_printf(ctx, "n%s", snake.text)
                                                      : nv_strdup(ctx, snake.text);
    /* Long names keep their beginning and get a hash of the whole, so that two of them stay apart. */
    if (strlen(out) > IDENTIFIER_MAX)
        out = nv_printf(ctx, "%.*s_%08x", IDENTIFIER_MAX - 9, out, hash_of(name));
    return is_reserved(out) ? nv_printf(ctx, "%s_", out) : out;
}

bool identifier_is_valid(const char *text)
{
    size_t n = strlen(text);
    if (n == 0 || n > IDENTIFIER_MAX + 8 || !islower((unsigned char)text[0]))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!islower((unsigned char)text[i]) && !isdigit((unsigned char)text[i]) && text[i] != '_')
            return false;
    }
    return !is_reserved(text);
}

namer_t namer_make(nv_mem_t *ctx)
{
    return (namer_t){.ctx = ctx, .used = name_index_new(ctx)};
}

bool namer_has(const namer_t *namer, const char *name)
{
    return name_index_find(namer->used, NULL, name) != NULL;
}

char *namer_take(namer_t *namer, const char *wanted)
{
    char *name = nv_strdup(namer->ctx, wanted);
    for (unsigned k = 2; namer_has(namer, name); k++)
        name = nv_printf(namer->ctx, "%s_%u", wanted, k);
    name_index_add(namer->used, NULL, name, name);
    return name;
}

#include "cli/cli.h"
#include "common/contract/codec.h"

#include <inttypes.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct cli_table {
    cli_t *cli;
    struct libscols_table *table;
    size_t columns;
    size_t rows;
};

static void put_json(const ProtobufCMessage *message, unsigned flags)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("json");
    nv_error_t err = NV_ERROR_INIT;
    char *text = NULL;
    size_t length = 0;
    if (nv_json_encode(ctx, message, flags | NV_CODEC_DEFAULTS | NV_CODEC_NUMBERS, &text, &length, &err))
        printf("%s\n", text);
    else
        fprintf(stderr, "nuvynctl: %s\n", err.message);
}

bool cli_print_json(cli_t *cli, const ProtobufCMessage *message)
{
    if (cli->json)
        put_json(message, NV_CODEC_PRETTY);
    return cli->json;
}

void cli_print_json_line(const ProtobufCMessage *message)
{
    put_json(message, 0);
    fflush(stdout);
}

cli_table_t *cli_table_new(cli_t *cli, const char *const *titles)
{
    cli_table_t *out = NV_NEW(cli->ctx, cli_table_t);
    out->cli = cli;
    out->table = scols_new_table();
    for (; titles[out->columns]; out->columns++) {
        const char *title = titles[out->columns];
        bool right = title[0] == '>';
        scols_table_new_column(out->table, title + right, 0, right ? SCOLS_FL_RIGHT : 0);
    }
    if (!isatty(STDOUT_FILENO))
        scols_table_set_termforce(out->table, SCOLS_TERMFORCE_NEVER);
    return out;
}

void cli_table_row(cli_table_t *table, const char *const *cells)
{
    struct libscols_line *line = scols_table_new_line(table->table, NULL);
    for (size_t i = 0; i < table->columns; i++)
        scols_line_set_data(line, i, cli_safe(table->cli->ctx, cells[i] ? cells[i] : ""));
    table->rows++;
}

void cli_table_print(cli_table_t *table, const char *nothing)
{
    if (table->rows)
        scols_print_table(table->table);
    else
        puts(nothing);
    scols_unref_table(table->table);
}

char *cli_time(nv_mem_t *ctx, int64_t unix_ms)
{
    if (unix_ms <= 0)
        return nv_strdup(ctx, "");
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    char text[32];
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &utc);
    return nv_strdup(ctx, text);
}

char *cli_duration(nv_mem_t *ctx, int64_t ms)
{
    if (ms < 0)
        return nv_strdup(ctx, "");
    if (ms < 60000)
        return nv_printf(ctx, "%.1f s", (double)ms / 1000);
    if (ms >= 3600000)
        return nv_printf(ctx, "%" PRId64 " h %02d m", ms / 3600000, (int)(ms / 60000 % 60));
    return nv_printf(ctx, "%" PRId64 " m %02d s", ms / 60000, (int)(ms / 1000 % 60));
}

/* Control characters, also the eight-bit ones (U+0080 to U+009F) that some terminals obey, become "?". */
static char *make_safe(nv_mem_t *ctx, const char *text, bool lines)
{
    char *copy = nv_strdup(ctx, text);
    for (unsigned char *p = (unsigned char *)copy; *p; p++) {
        if (p[0] == 0xC2 && p[1] >= 0x80 && p[1] < 0xA0) {
            p[0] = p[1] = '?';
            p++;
        } else if (*p == '\n' || *p == '\t') {
            *p = lines ? *p : ' ';
        } else if (*p < 0x20 || *p == 0x7f) {
            *p = '?';
        }
    }
    return copy;
}

char *cli_safe(nv_mem_t *ctx, const char *text)
{
    return make_safe(ctx, text, false);
}

static bool names_the_folder(const char *text, const char *found, size_t length)
{
    static const char part_of_a_name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    return (found == text || (strchr(part_of_a_name, found[-1]) == NULL && found[-1] != '/')) &&
           (found[length] == '\0' || strchr(part_of_a_name, found[length]) == NULL);
}

char *cli_as_given(nv_mem_t *ctx, const char *text, const char *sent, const char *given)
{
    size_t length = strlen(sent);
    const char *found = length > 1 ? strstr(text, sent) : NULL;
    if (found == NULL)
        return nv_strdup(ctx, text);
    bool whole = names_the_folder(text, found, length);
    return nv_printf(ctx, "%.*s%s%s", (int)(found - text), text, whole ? given : sent,
                     cli_as_given(ctx, found + length, sent, given));
}

char *cli_safe_lines(nv_mem_t *ctx, const char *text)
{
    return make_safe(ctx, text, true);
}

bool cli_confirm(const cli_t *cli, const char *question, nv_error_t *err)
{
    char answer[16] = "";
    if (nv_config_bool(cli->options, "yes"))
        return true;
    if (!isatty(STDIN_FILENO))
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s Nobody can be asked here: expected --yes", question);
    fprintf(stderr, "%s [y/N] ", question);
    return (fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y')) ||
           nv_fail(err, NV_CANCELLED, "nothing was removed");
}

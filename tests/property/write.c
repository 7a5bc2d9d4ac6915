/* A case as files: CSV or JSON lines, plain or packed, the second day's columns in another order and with one more. */
#include "common/core/buf.h"
#include "tests/property/case.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>
#include <zstd.h>

enum { TEXT_MAX = 4 * 1024 * 1024 };

char *case_file(nv_mem_t *ctx, const case_table_t *table, int batch, int part)
{
    static const char *const packings[] = {"", ".gz", ".zst"};
    const char *format = table->json ? "jsonl" : "csv";
    char *number = table->parts > 1 ? nv_printf(ctx, "_%d", batch == 1 ? part + 1 : table->parts + 1)
                                    : nv_strdup(ctx, "");
    return nv_printf(ctx, "%s%s.%s%s", table->name, number, format, packings[table->packing]);
}

/* The table whose file this is; NULL: none. */
static const case_table_t *table_of(nv_mem_t *ctx, const source_case_t *source, const char *file)
{
    for (size_t i = 0; i < source->n_tables; i++)
        for (int batch = 1; batch <= 2; batch++)
            for (int part = 0; part < 2; part++)
                if (strcmp(case_file(ctx, source->tables[i], batch, part), file) == 0)
                    return source->tables[i];
    return NULL;
}

Nv__SourceFile *case_source_file(nv_mem_t *ctx, const source_case_t *source, const char *folder,
                                 const char *name, bool later)
{
    Nv__SourceFile *file = NV_NEW(ctx, Nv__SourceFile);
    const case_table_t *table = table_of(ctx, source, name);
    nv__source_file__init(file);
    file->path = nv_printf(ctx, "%s/%s", folder, name);
    if (!later || !table || table->json || (!table->later && !table->added))
        return file;
    file->columns = NV_NEW_ARRAY(ctx, char *, table->n_columns + 1);
    if (table->added)
        file->columns[file->n_columns++] = nv_strdup(ctx, table->added);
    for (size_t c = 0; c < table->n_columns; c++)
        file->columns[file->n_columns++] = nv_strdup(ctx, table->columns[table->later ? table->later[c] : c]);
    return file;
}

static void put_field(nv_buf_t *out, const char *text)
{
    if (!strpbrk(text, ",\"\n")) {
        nv_buf_puts(out, text);
        return;
    }
    nv_buf_putc(out, '"');
    for (; *text; text++)
        nv_buf_printf(out, *text == '"' ? "\"\"" : "%c", *text);
    nv_buf_putc(out, '"');
}

/* ASCII and UTF-8 without control characters; nothing that needs more escaping. */
static void put_json_text(nv_buf_t *out, const char *text)
{
    nv_buf_putc(out, '"');
    for (; *text; text++)
        nv_buf_printf(out, strchr("\"\\", *text) ? "\\%c" : "%c", *text);
    nv_buf_putc(out, '"');
}

static char *shouted(nv_mem_t *ctx, const char *name, bool shout)
{
    char *text = nv_strdup(ctx, name);
    for (char *p = text; shout && *p; p++)
        *p = (char)toupper((unsigned char)*p);
    return text;
}

/* The rows of one part, by index; shuffled when asked (Fisher, Yates). */
static size_t rows_of(nv_mem_t *ctx, const case_table_t *table, int batch, int part, case_style_t style,
                      size_t **out)
{
    size_t n = 0;
    dice_t dice = {.state = style.shuffle};
    *out = NV_NEW_ARRAY(ctx, size_t, table->n_rows + 1);
    for (size_t i = 0; i < table->n_rows; i++)
        if (table->rows[i].batch == batch && table->rows[i].file == part &&
            !(style.left_out > 0 && dice_chance(&dice, style.left_out)))
            (*out)[n++] = i;
    for (size_t i = n; style.shuffle && i > 1; i--) {
        size_t k = (size_t)dice_below(&dice, (int)i), kept = (*out)[i - 1];
        (*out)[i - 1] = (*out)[k];
        (*out)[k] = kept;
    }
    return n;
}

typedef struct sheet {
    nv_mem_t *ctx;
    const case_table_t *table;
    int batch;
    bool shout;
    const char *added;
    nv_buf_t text;
} sheet_t;

/* Where the n-th field of a row of this day comes from. */
static size_t place(const sheet_t *sheet, size_t n)
{
    return sheet->batch == 2 && sheet->table->later ? sheet->table->later[n] : n;
}

static const char *added_of(const sheet_t *sheet)
{
    return sheet->batch == 2 ? sheet->table->added : sheet->added;
}

static void put_csv(sheet_t *sheet, const size_t *rows, size_t n)
{
    const case_table_t *table = sheet->table;
    const char *added = added_of(sheet);
    if (added)
        nv_buf_printf(&sheet->text, "%s,", added);
    for (size_t c = 0; c < table->n_columns; c++)
        nv_buf_printf(&sheet->text, "%s%s", c ? "," : "",
                      shouted(sheet->ctx, table->columns[place(sheet, c)], sheet->shout));
    nv_buf_putc(&sheet->text, '\n');
    for (size_t i = 0; i < n; i++) {
        if (added)
            nv_buf_printf(&sheet->text, "new %zu,", i);
        for (size_t c = 0; c < table->n_columns; c++) {
            nv_buf_puts(&sheet->text, c ? "," : "");
            put_field(&sheet->text, table->rows[rows[i]].cells[place(sheet, c)].raw);
        }
        nv_buf_putc(&sheet->text, '\n');
    }
}

static void put_json(sheet_t *sheet, const size_t *rows, size_t n)
{
    const case_table_t *table = sheet->table;
    for (size_t i = 0; i < n; i++) {
        const char *between = "{";
        if (added_of(sheet)) {
            nv_buf_printf(&sheet->text, "{\"%s\":\"new %zu\"", added_of(sheet), i);
            between = ",";
        }
        for (size_t c = 0; c < table->n_columns; c++) {
            nv_buf_puts(&sheet->text, between);
            put_json_text(&sheet->text, shouted(sheet->ctx, table->columns[place(sheet, c)], sheet->shout));
            nv_buf_putc(&sheet->text, ':');
            put_json_text(&sheet->text, table->rows[rows[i]].cells[place(sheet, c)].raw);
            between = ",";
        }
        nv_buf_puts(&sheet->text, "}\n");
    }
}

static bool write_bytes(const char *path, const void *bytes, size_t length, nv_error_t *err)
{
    FILE *file = fopen(path, "wb");
    if (!file)
        return nv_fail_errno(err, errno, "%s", path);
    bool whole = fwrite(bytes, 1, length, file) == length;
    return (fclose(file) == 0 && whole) || nv_fail_errno(err, errno, "%s", path);
}

static bool write_packed(nv_mem_t *ctx, const char *path, case_packing_t packing, const char *text,
                         size_t length, nv_error_t *err)
{
    if (packing == CASE_PLAIN)
        return write_bytes(path, text, length, err);
    if (packing == CASE_ZSTD) {
        size_t bound = ZSTD_compressBound(length);
        void *packed = nv_alloc(ctx, bound);
        size_t size = ZSTD_compress(packed, bound, text, length, 1);
        return ZSTD_isError(size) ? nv_fail(err, NV_INTERNAL, "%s: %s", path, ZSTD_getErrorName(size))
                                  : write_bytes(path, packed, size, err);
    }
    gzFile file = gzopen(path, "wb1");
    if (!file)
        return nv_fail_errno(err, errno, "%s", path);
    bool whole = gzwrite(file, text, (unsigned)length) == (int)length;
    return (gzclose(file) == Z_OK && whole) || nv_fail(err, NV_INTERNAL, "%s: not written", path);
}

static bool write_part(nv_mem_t *ctx, const case_table_t *table, int batch, int part, const char *folder,
                       case_style_t style, nv_error_t *err)
{
    size_t *rows;
    size_t n = rows_of(ctx, table, batch, part, style, &rows);
    sheet_t sheet = {.ctx = ctx,
                     .table = table,
                     .batch = batch,
                     .shout = style.shout,
                     .added = style.added,
                     .text = nv_buf_make(ctx, TEXT_MAX)};
    if (n == 0)
        return true;
    if (table->json)
        put_json(&sheet, rows, n);
    else
        put_csv(&sheet, rows, n);
    char *path = nv_printf(ctx, "%s/%s", folder, case_file(ctx, table, batch, part));
    return nv_buf_ok(&sheet.text, path, err) &&
           write_packed(ctx, path, table->packing, nv_buf_text(&sheet.text), sheet.text.length, err);
}

bool case_write(const source_case_t *source, int batch, const char *folder, case_style_t style,
                nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("write");
    if (mkdir(folder, 0755) != 0 && errno != EEXIST)
        return nv_fail_errno(err, errno, "%s", folder);
    for (size_t i = 0; i < source->n_tables; i++)
        for (int part = 0; part < 2; part++)
            if (!write_part(ctx, source->tables[i], batch, part, folder, style, err))
                return false;
    return true;
}

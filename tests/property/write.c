/* A case as CSV files. */
#include "tests/property/case.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

char *case_file(nv_mem_t *ctx, const case_table_t *table, int batch, int part)
{
    return table->parts > 1
               ? nv_printf(ctx, "%s_%d.csv", table->name, batch == 1 ? part + 1 : table->parts + 1)
               : nv_printf(ctx, "%s.csv", table->name);
}

static void put_field(FILE *file, const char *text)
{
    if (!strpbrk(text, ",\"\n")) {
        fputs(text, file);
        return;
    }
    fputc('"', file);
    for (; *text; text++)
        fprintf(file, *text == '"' ? "\"\"" : "%c", *text);
    fputc('"', file);
}

static void put_header(FILE *file, const case_table_t *table, bool shout)
{
    for (size_t c = 0; c < table->n_columns; c++) {
        fputs(c ? "," : "", file);
        for (const char *p = table->columns[c]; *p; p++)
            fputc(shout ? toupper((unsigned char)*p) : *p, file);
    }
    fputc('\n', file);
}

/* The rows of one part, by index; shuffled when asked (Fisher, Yates). */
static size_t rows_of(nv_mem_t *ctx, const case_table_t *table, int batch, int part, uint64_t shuffle,
                      size_t **out)
{
    size_t n = 0;
    *out = NV_NEW_ARRAY(ctx, size_t, table->n_rows + 1);
    for (size_t i = 0; i < table->n_rows; i++)
        if (table->rows[i].batch == batch && table->rows[i].file == part)
            (*out)[n++] = i;
    dice_t dice = {.state = shuffle};
    for (size_t i = n; shuffle && i > 1; i--) {
        size_t k = (size_t)dice_below(&dice, (int)i), kept = (*out)[i - 1];
        (*out)[i - 1] = (*out)[k];
        (*out)[k] = kept;
    }
    return n;
}

static bool write_part(nv_mem_t *ctx, const case_table_t *table, int batch, int part, const char *folder,
                       case_style_t style, nv_error_t *err)
{
    size_t *rows;
    size_t n = rows_of(ctx, table, batch, part, style.shuffle, &rows);
    if (n == 0)
        return true;
    char *path = nv_printf(ctx, "%s/%s", folder, case_file(ctx, table, batch, part));
    FILE *file = fopen(path, "wb");
    if (!file)
        return nv_fail_errno(err, errno, "%s", path);
    put_header(file, table, style.shout);
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < table->n_columns; c++) {
            fputs(c ? "," : "", file);
            put_field(file, table->rows[rows[i]].cells[c].raw);
        }
        fputc('\n', file);
    }
    return fclose(file) == 0 || nv_fail_errno(err, errno, "%s", path);
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

/* Guesses how a file is written from its first part: encoding, delimiter, quoting, lines before the header, header.
 * Pure. What was guessed on weak grounds is said in `warning`; the guess is confirmed by the scan of the whole file.
 */
#ifndef WORKER_PROFILING_SNIFF_H
#define WORKER_PROFILING_SNIFF_H

#include "common/core/mem.h"
#include "worker/profiling/csv.h"

typedef enum text_encoding { TEXT_UTF8, TEXT_LATIN1, TEXT_UTF16LE, TEXT_UTF16BE } text_encoding_t;

typedef struct sniff_encoding {
    text_encoding_t encoding;
    size_t bom;          /* bytes of byte-order mark to skip */
    const char *refused; /* why it cannot be read: "not text but a ZIP archive" …; NULL: it can; static */
    size_t invalid;      /* bytes that are no UTF-8 */
    size_t multibyte;    /* valid multi-byte sequences */
} sniff_encoding_t;

/* Latin-1 has no characters from 0x80 to 0x9F; the code pages that have are many, and DuckDB reads none of them. */
bool encoding_is_code_page(const char *data, size_t length);
extern const char *const encoding_code_page; /* what to say of it, behind the file's name and a colon */

/* whole: data is all of the file, so a sequence cut at the end is invalid. */
void sniff_encoding(const char *data, size_t length, bool whole, sniff_encoding_t *out);

typedef struct sniff_dialect {
    csv_dialect_t csv;
    bool cr_only; /* lines end with CR alone */
    bool has_header;
    int skip_lines;
    size_t n_columns;
    char **names; /* trimmed header texts as they stand (may repeat or be empty); NULL without header */
    char *warnings[4];
    size_t n_warnings;
} sniff_dialect_t;

/* text: UTF-8 from the start of the file (after the byte-order mark); whole as above. Everything hangs below ctx. */
void sniff_dialect(nv_mem_t *ctx, const char *text, size_t length, bool whole, sniff_dialect_t *out);

/* Length of the longest valid UTF-8 prefix. */
size_t utf8_valid_prefix(const char *data, size_t length);

#endif

/* A small random source system whose every cell is known: what it says in the file, and what it means. From a seed alone. */
#ifndef TESTS_PROPERTY_CASE_H
#define TESTS_PROPERTY_CASE_H

#include "common/core/error.h"
#include "common/core/mem.h"
#include "nuvyn/value.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

/* splitmix64 (Steele, Lea, Flood 2014). */
typedef struct dice {
    uint64_t state;
} dice_t;

uint64_t dice_next(dice_t *dice);
/* 0 … n - 1. */
int dice_below(dice_t *dice, int n);
bool dice_chance(dice_t *dice, double share);

typedef struct cell {
    const char *raw;   /* as in the file */
    const char *means; /* canonical text; NULL: nothing */
    bool bad;          /* says something that cannot be read as its column's type */
} cell_t;

typedef enum case_packing { CASE_PLAIN, CASE_GZIP, CASE_ZSTD } case_packing_t;

typedef struct case_row {
    cell_t *cells;
    int batch; /* 1 or 2 */
    int file;  /* part of its batch's file: 0, 1 */
} case_row_t;

typedef struct case_table {
    const char *name;
    const char **columns;
    size_t n_columns;
    case_row_t *rows;
    size_t n_rows, cap_rows;
    int parts;      /* files of the first batch */
    bool conflicts; /* several different rows of one key: which one wins depends on their order */
    bool json;      /* JSON lines, not CSV */
    case_packing_t packing;
    /* The second day's header: columns in another order (by index, n_columns of them), and one that nobody knows yet. */
    size_t *later;
    const char *added; /* NULL: none */
} case_table_t;

typedef struct source_case {
    uint64_t seed;
    case_table_t **tables;
    size_t n_tables, cap_tables;
} source_case_t;

source_case_t *case_generate(nv_mem_t *ctx, uint64_t seed);

typedef struct case_style {
    uint64_t shuffle;  /* seed that orders the rows of each file anew; 0: as they are */
    bool shout;        /* headers in capitals */
    double left_out;   /* share of the rows that are not there; by the shuffle's dice */
    const char *added; /* one more column in each table; NULL: none */
} case_style_t;

/* A file of the case for the reference, with the header of its own that files of a later day may have. */
Nv__SourceFile *case_source_file(nv_mem_t *ctx, const source_case_t *source, const char *folder,
                                 const char *name, bool later);

/* The files of one batch into a folder that is made. */
bool case_write(const source_case_t *source, int batch, const char *folder, case_style_t style,
                nv_error_t *err) NV_MUST_CHECK;

/* "customers.csv", "customers.jsonl.zst"; of a table in parts "customers_2.csv", numbered through the batches. */
char *case_file(nv_mem_t *ctx, const case_table_t *table, int batch, int part);

#endif

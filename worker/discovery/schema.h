/* The tables as discovery sees them: profiles with their names cut into words and their numbers on one axis.
 * Internal to nv_discovery and nv_design. Borrows the profile. Pure; one thread at a time while building, then read-only. */
#ifndef WORKER_DISCOVERY_SCHEMA_H
#define WORKER_DISCOVERY_SCHEMA_H

#include "common/core/error.h"
#include "common/core/mem.h"
#include "nuvyn/profile.pb-c.h"
#include "worker/discovery/names.h"
#include "worker/discovery/sketch.h"

#include <stdint.h>

enum { SCHEMA_TABLES_MAX = 2000, SCHEMA_COLUMNS_MAX = 60000 };

/* Types that may hold the same thing compare as one class. */
typedef enum type_class {
    CLASS_NONE,
    CLASS_INTEGER,
    CLASS_NUMBER,
    CLASS_TEXT,
    CLASS_DATE,
    CLASS_BOOLEAN
} type_class_t;

typedef struct dsc_column {
    const Nv__ColumnProfile *p;
    int table, index;  /* index within the table */
    name_words_t name; /* as written */
    name_words_t bare; /* without a prefix that the whole table shares ("ss_") */
    const char *
        label; /* the header without a prefix that abbreviates its table: "list_price" of ss_list_price in store_sales */
    type_class_t kind;
    double filled; /* non-null, valid rows */
    double distinct;
    double null_share; /* of rows */
    double unique;     /* distinct / filled, duplicates of whole rows not counted; 0 when nothing is filled */
    double header_share;          /* share of tables that have a column of this name, 0 … 1 */
    double points[SKETCH_POINTS]; /* min, quantiles, max on the number axis */
    bool has_points;
    double density; /* integers: distinct / (max - min + 1) */
    bool specific;  /* the bare name says which thing it is about ("album_id"), not just "id" or "name" */
    bool made_up;   /* no header: "column3" */
    bool
        loader; /* bookkeeping of a loading tool ("_fivetran_synced"): identifies, refers and measures nothing */
    bool loader_id;    /* a row id that the tool made up ("_fivetran_id"): may identify, refers to nothing */
    uint64_t header;   /* of the bare name's singular words: equal names, equal hashes */
    bool foreign_like; /* scratch: speaks of another table */
    sketch_t sketch;
} dsc_column_t;

typedef struct dsc_table {
    const Nv__TableProfile *p;
    name_words_t name; /* without noise words and a prefix that all tables share; singular words */
    double rows;       /* accepted */
    double records;    /* rows without exact duplicates */
    dsc_column_t *columns;
    const dsc_column_t **by_name; /* the columns in the order of their headers */
    int n_columns;
    bool made_up; /* its columns have no names of their own */
} dsc_table_t;

typedef struct dsc_schema {
    dsc_table_t *tables;
    int n_tables;
    int n_columns;
} dsc_schema_t;

/* Everything below ctx. Fails with INVALID_ARGUMENT on doubled table or column names and with RESOURCE_EXHAUSTED beyond the
 * limits above. */
bool schema_build(nv_mem_t *ctx, const Nv__Profile *profile, dsc_schema_t **out,
                  nv_error_t *err) NV_MUST_CHECK;

/* -1 when there is none. */
int schema_find_table(const dsc_schema_t *schema, const char *name);
int schema_find_column(const dsc_table_t *table, const char *name);

/* The canonical text of a number, date or timestamp on one axis (days for dates). */
bool schema_axis(Nv__ValueType type, const char *text, double *out);

/* True when any word of the bare name is in the list. */
bool schema_mentions(const dsc_column_t *column, int lexicon);
/* True when the last core word of the table's name is in the list. */
bool schema_table_is(const dsc_table_t *table, int lexicon);

#endif

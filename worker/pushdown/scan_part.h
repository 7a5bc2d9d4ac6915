/* The parts of a scan by format; internal to this folder. Each returns a SELECT of the rows as text under r0, r1 … with
 * nuvyn_file, and with `rejected` the lines that are no rows in nuvyn_corrupt. */
#ifndef WORKER_PUSHDOWN_SCAN_PART_H
#define WORKER_PUSHDOWN_SCAN_PART_H

#include "worker/pushdown/scan.h"

char *scan_parquet_sql(nv_mem_t *ctx, const Nv__TableProfile *table, bool rejected);
char *scan_jsonl_sql(nv_mem_t *ctx, const Nv__TableProfile *table, bool rejected);
char *scan_catalog_sql(nv_mem_t *ctx, const Nv__TableProfile *table, bool rejected);
/* Path, 0 and a hash of the content of each table. */
char *scan_catalog_fingerprint_sql(nv_mem_t *ctx, const Nv__TableProfile *table);

/* SELECT <list> FROM read_files(…<options>) <where>, all folders of the table together. */
char *scan_select_files(nv_mem_t *ctx, const Nv__TableProfile *table, const char *list, const char *options,
                        const char *where);

#endif

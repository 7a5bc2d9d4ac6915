/* What lies in a source that only the workspace reaches: files, grouped to tables as those of a local folder are, or
 * tables that are tables already. */
#ifndef WORKER_PUSHDOWN_REMOTE_SURVEY_H
#define WORKER_PUSHDOWN_REMOTE_SURVEY_H

#include "nuvyn/profile.pb-c.h"
#include "worker/profiling/profile.h"
#include "worker/pushdown/engine.h"

#define SOURCE_CATALOG_PREFIX "uc://"

typedef enum source_kind {
    SOURCE_LOCAL,   /* a folder that the worker reads itself */
    SOURCE_VOLUME,  /* /Volumes/catalog/schema/volume/…, with or without dbfs: before it */
    SOURCE_CLOUD,   /* abfss://, s3://, gs://, wasbs:// … */
    SOURCE_CATALOG, /* uc://catalog.schema or uc://catalog.schema.table: tables of the Unity Catalog */
} source_kind_t;

source_kind_t source_kind(const char *source);

/* The one form of a source that is kept: "/Volumes/…" without dbfs:, "uc://catalog/schema", no slash at the end. */
char *source_canonical(nv_mem_t *ctx, const char *source);

/* Looks into the files of a source: volumes through the Files API (a range of bytes), cloud storage through the
 * warehouse. Heads of packed files come unpacked. engine and db must outlive it. */
survey_reader_t remote_reader(nv_mem_t *ctx, const pushdown_engine_t *engine, databricks_t *db,
                              const char *source);

/* Volumes are listed through the Files API, cloud storage by LIST, as deep as a local folder; tables by the Unity Catalog's
 * API. Below ctx. */
bool remote_survey(nv_mem_t *ctx, const pushdown_engine_t *engine, databricks_t *db, const char *source,
                   const profile_options_t *options, Nv__Survey **out, nv_error_t *err) NV_MUST_CHECK;

/* Of a canonical catalog source. */
bool catalog_survey(nv_mem_t *ctx, databricks_t *db, const char *source, Nv__Survey **out,
                    nv_error_t *err) NV_MUST_CHECK;

#endif

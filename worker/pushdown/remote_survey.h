/* What lies in a source that only the workspace reaches, grouped to tables as a local folder is. */
#ifndef WORKER_PUSHDOWN_REMOTE_SURVEY_H
#define WORKER_PUSHDOWN_REMOTE_SURVEY_H

#include "nuvyn/profile.pb-c.h"
#include "worker/profiling/profile.h"
#include "worker/pushdown/engine.h"

typedef enum source_kind {
    SOURCE_LOCAL,  /* a folder that the worker reads itself */
    SOURCE_VOLUME, /* /Volumes/catalog/schema/volume/… */
    SOURCE_CLOUD,  /* abfss://, s3://, gs://, wasbs:// … */
} source_kind_t;

source_kind_t source_kind(const char *source);

/* Looks into the files of a source: volumes through the Files API (a range of bytes), cloud storage through the
 * warehouse. engine and db must outlive it. */
survey_reader_t remote_reader(nv_mem_t *ctx, const pushdown_engine_t *engine, databricks_t *db,
                              const char *source);

/* Volumes are listed through the Files API, cloud storage by LIST; as deep as a local folder. Below ctx. */
bool remote_survey(nv_mem_t *ctx, const pushdown_engine_t *engine, databricks_t *db, const char *source,
                   const profile_options_t *options, Nv__Survey **out, nv_error_t *err) NV_MUST_CHECK;

#endif

/* One emitter per notebook of the project. Pure; the mapping has passed model_check. */
#ifndef WORKER_CODEGEN_EMIT_H
#define WORKER_CODEGEN_EMIT_H

#include "worker/codegen/model.h"
#include "worker/codegen/notebook.h"

/* "30_dim_customer": the notebook's name without folder and extension, and the key of its task. */
char *emit_notebook_name(nv_mem_t *ctx, const Nv__SttmTarget *target);

/* The files that are the same in every project. */
extern const size_t fixed_count;
Nv__ProjectFile *fixed_file(nv_mem_t *ctx, size_t i);

bool emit_setup(nv_mem_t *ctx, const Nv__Sttm *sttm, Nv__ProjectFile **out, nv_error_t *err) NV_MUST_CHECK;
bool emit_bronze(nv_mem_t *ctx, const Nv__Sttm *sttm, Nv__ProjectFile **out, nv_error_t *err) NV_MUST_CHECK;
bool emit_silver(nv_mem_t *ctx, const Nv__Sttm *sttm, Nv__ProjectFile **out, nv_error_t *err) NV_MUST_CHECK;
/* The declarations of all sources, which bronze, silver and quality share. */
bool emit_sources(nv_mem_t *ctx, const Nv__Sttm *sttm, Nv__ProjectFile **out, nv_error_t *err) NV_MUST_CHECK;
bool emit_target(nv_mem_t *ctx, const Nv__Sttm *sttm, const Nv__SttmTarget *target, Nv__ProjectFile **out,
                 nv_error_t *err) NV_MUST_CHECK;
/* Of a table's notebook: whether a column is a lookup; the declarations of the rules that keep rows out, "" where there are
 * none; the part that loads. */
bool emit_is_lookup(const Nv__SttmColumn *column);
const char *emit_refusing_rules(nv_mem_t *ctx, const Nv__SttmTarget *target);
void emit_load(nv_mem_t *ctx, notebook_t *notebook, const Nv__Sttm *sttm, const Nv__SttmTarget *target);
bool emit_maintenance(nv_mem_t *ctx, const Nv__Sttm *sttm, Nv__ProjectFile **out,
                      nv_error_t *err) NV_MUST_CHECK;
bool emit_rollback(nv_mem_t *ctx, const Nv__Sttm *sttm, Nv__ProjectFile **out, nv_error_t *err) NV_MUST_CHECK;
bool emit_quality(nv_mem_t *ctx, const Nv__Sttm *sttm, Nv__ProjectFile **out, nv_error_t *err) NV_MUST_CHECK;
/* JSON of the job, notebook paths relative to the project root. */
bool emit_job(nv_mem_t *ctx, const Nv__Sttm *sttm, char **out, nv_error_t *err) NV_MUST_CHECK;
bool emit_readme(nv_mem_t *ctx, const Nv__Sttm *sttm, Nv__ProjectFile **out, nv_error_t *err) NV_MUST_CHECK;
bool emit_bundle(nv_mem_t *ctx, const Nv__Sttm *sttm, const char *job, Nv__ProjectFile **out,
                 nv_error_t *err) NV_MUST_CHECK;

#endif

/* The mapping with its references resolved, for the emitters. Pure; borrows the mapping. */
#ifndef WORKER_CODEGEN_MODEL_H
#define WORKER_CODEGEN_MODEL_H

#include "worker/codegen/codegen.h"

#include <stddef.h>

/* Days outside are typing errors or sentinels (9999-12-31): they get the unknown date, and no calendar grows to them. */
#define MODEL_FIRST_DAY "1900-01-01"
#define MODEL_LAST_DAY "2100-12-31"

/* NULL where there is none. */
const Nv__SttmSource *model_source(const Nv__Sttm *sttm, const char *name);
const Nv__SttmSourceColumn *model_source_column(const Nv__SttmSource *source, const char *silver_name);
const Nv__SttmTarget *model_target(const Nv__Sttm *sttm, const char *name);
const Nv__SttmColumn *model_column(const Nv__SttmTarget *target, const char *name);
const Nv__SttmTarget *model_date_dimension(const Nv__Sttm *sttm);
/* The first column with this role or operation. */
const Nv__SttmColumn *model_with_role(const Nv__SttmTarget *target, Nv__KeyRole role);
const Nv__SttmColumn *model_with_op(const Nv__SttmTarget *target, Nv__TransformOp op);
/* The source behind an alias of the target ("d" is the driving one). */
const Nv__SttmSource *model_alias(const Nv__Sttm *sttm, const Nv__SttmTarget *target, const char *alias);

/* A silver column that some table makes a date key of: the date dimension covers its days. */
typedef struct model_date_use {
    const Nv__SttmSource *source;
    const char *column;
} model_date_use_t;

/* Each one once, in the mapping's order; below ctx. */
size_t model_date_uses(nv_mem_t *ctx, const Nv__Sttm *sttm, model_date_use_t **out);

/* What identifies a member or a row: the business key of a dimension, the grain of a fact or bridge; never the
 * surrogate. Names below ctx. */
size_t model_key(nv_mem_t *ctx, const Nv__SttmTarget *target, char ***out);

/* The AUDIT column "inferred" of a dimension: it then has members that are known by references only. NULL: none. */
const Nv__SttmColumn *model_inferred(const Nv__SttmTarget *target);

/* The silver columns that make up the business key, where each is a copy of a part of the driving source's key, so that a record
 * never changes its member; 0: it is made in another way. Names below ctx. */
size_t model_member(nv_mem_t *ctx, const Nv__Sttm *sttm, const Nv__SttmTarget *target, char ***out);
/* The driving source of a history that the data date has a record per version, not only the member's last. */
bool model_has_versions(nv_mem_t *ctx, const Nv__Sttm *sttm, const Nv__SttmTarget *target);
/* The history whose members end when the source's delete markers say so; NULL: none. */
const Nv__SttmTarget *model_ended(nv_mem_t *ctx, const Nv__Sttm *sttm, const Nv__SttmSource *source);

bool model_is_history(const Nv__SttmTarget *target);
bool model_is_dimension(const Nv__SttmTarget *target);
bool model_is_dates(const Nv__SttmTarget *target);

/* Everything the emitters rely on. */
bool model_check(nv_mem_t *ctx, const Nv__Sttm *sttm, nv_error_t *err) NV_MUST_CHECK;

#endif

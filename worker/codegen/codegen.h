/* From the Source-to-Target Mapping to a PySpark + Delta project: Databricks notebooks in source format, and the job
 * that runs them. Pure and deterministic: the same mapping gives the same bytes. docs/pipeline.md says what the code
 * guarantees.
 */
#ifndef WORKER_CODEGEN_H
#define WORKER_CODEGEN_H

#include "common/core/error.h"
#include "common/core/mem.h"
#include "nuvyn/quality.pb-c.h"
#include "nuvyn/sttm.pb-c.h"

/* The project below ctx. INVALID_ARGUMENT, naming the place in the mapping, when the mapping contradicts itself or asks
 * for what cannot be generated. */
bool codegen_project(nv_mem_t *ctx, const Nv__Sttm *sttm, Nv__Project **out, nv_error_t *err) NV_MUST_CHECK;

/* The bronze table of a source, below ctx: "bronze_" and the silver name without a prefix "silver_". Refused rows of all
 * sources stand in CODEGEN_QUARANTINE, the metrics of each load in CODEGEN_RUN_LOG. */
char *codegen_bronze_table(nv_mem_t *ctx, const Nv__SttmSource *source);
#define CODEGEN_QUARANTINE "nuvyn_quarantine"
#define CODEGEN_RUN_LOG "nuvyn_run_log"

/* The Spark SQL type of a column: "BIGINT", "DECIMAL(12,2)", "STRING" … TIME is kept as text "HH:MM:SS". */
char *codegen_type(nv_mem_t *ctx, Nv__ValueType type, int precision, int scale);

#endif

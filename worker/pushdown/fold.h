/* Type inference without the values: texts that mean the same to value_classify are folded into one.
 *
 * The decision on a column's type looks at how many values are of which class (worker/profiling/infer.h). A warehouse cannot run
 * value_classify, and the values must not come here; but it can replace every text by a representative of its class. Few
 * representatives remain, however many values there are, and value_classify judges them here: the same code decides
 * locally and pushed down. Where a text's class is not obvious to a regular expression it represents itself.
 *
 * Law (tests/unit/worker/pushdown/test_fold.c): class(fold(t)) = class(t), digits included.
 */
#ifndef WORKER_PUSHDOWN_FOLD_H
#define WORKER_PUSHDOWN_FOLD_H

#include "common/core/mem.h"
#include "worker/profiling/parse_sql.h"

/* The representative of `text`, an SQL expression: trimmed, not NULL, not empty. */
char *fold_sql(nv_mem_t *ctx, sql_dialect_t dialect, const char *text);

#endif

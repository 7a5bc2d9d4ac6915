/* A pushdown engine on DuckDB: the generated SQL's other dialect, so that it is tested without a warehouse. */
#ifndef TESTS_PUSHDOWN_DUCK_H
#define TESTS_PUSHDOWN_DUCK_H

#include "worker/pushdown/engine.h"

/* In memory, closed with ctx. Fails the test when DuckDB does not open. */
pushdown_engine_t duck_engine(nv_mem_t *ctx);

#endif

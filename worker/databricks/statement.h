/* Private to the Databricks client: one statement on its way, driven by whoever runs several of them. */
#ifndef WORKER_DATABRICKS_STATEMENT_H
#define WORKER_DATABRICKS_STATEMENT_H

#include "worker/databricks/client.h"

typedef enum statement_state {
    STATEMENT_NEW,  /* to be submitted, for the first time or once more */
    STATEMENT_RUNS, /* to be polled at poll_at_ms */
    STATEMENT_ENDED,
} statement_state_t;

typedef struct execution {
    databricks_t *db;
    nv_mem_t *ctx;
    const databricks_statement_t *statement;
    statement_state_t state;
    bool ok;                    /* of an ended one; then result, else failure */
    databricks_result_t result; /* below ctx */
    nv_error_t failure;
    char *id;
    const nv_json_t *answer; /* the service's last */
    int64_t start_ms, poll_at_ms, poll_after_ms;
    bool external;   /* its result comes by links */
    size_t capacity; /* of result.cells */
    size_t n_cells;
    size_t bytes;
} execution_t;

/* Sends a new one. wait: how long the service may hold the answer back for a result, "0s" or "5s" … "50s". */
void statement_submit(execution_t *e, const char *wait);
/* Asks for a running one's state, once. */
void statement_poll(execution_t *e);
/* Where the wait ends early, a running statement must not go on alone; *err, the reason, tells where it may. */
void statement_give_up(execution_t *e, nv_error_t *err);

#endif

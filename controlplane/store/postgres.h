/* Shared by the files of the PostgreSQL engine only. */
#ifndef CONTROLPLANE_STORE_POSTGRES_H
#define CONTROLPLANE_STORE_POSTGRES_H

#include <libpq-fe.h>

#include "controlplane/store/db.h"

enum {
    XID_MAX = 32,
    /* Statements on their way at most. libpq reads answers while it cannot write, so no number can block; this one bounds
     * the memory, and the work that is in vain after a failure. */
    SENT_MAX = 1024
};

/* A statement whose answer has not been read yet. */
typedef struct postgres_sent {
    db_statement_t id;
    db_row_fn *row;
    void *arg;
    uint64_t *tally;
} postgres_sent_t;

typedef struct postgres {
    db_t base;
    PGconn *conn;
    bool prepared[DB_STATEMENT_COUNT];
    bool writer;
    int busy_ms;
    char *conninfo;
    char xid[XID_MAX]; /* of the open writing transaction */
    char started[64];  /* of the server we talk to */
    size_t n_sent;     /* 0: the connection is not in pipeline mode */
    postgres_sent_t sent[SENT_MAX];
} postgres_t;

/* Fills err from a failed result (or none), and notes what became of connection and transaction. */
bool pg_fail(postgres_t *db, const PGresult *result, const char *what, nv_error_t *err);

/* See db_ops_t. */
bool pg_run(db_t *db, db_statement_t id, const db_param_t *params, size_t n_params, db_row_fn *row, void *arg,
            int64_t *changes, nv_error_t *err) NV_MUST_CHECK;
bool pg_send(db_t *db, db_statement_t id, const db_param_t *params, size_t n_params, db_row_fn *row,
             void *arg, nv_error_t *err) NV_MUST_CHECK;
bool pg_settle(db_t *db, nv_error_t *err) NV_MUST_CHECK;
/* Drops what was sent and not settled, before a rollback. */
void pg_abandon(postgres_t *db);
int64_t pg_row_int(const db_row_t *row, int column);
double pg_row_real(const db_row_t *row, int column);
nv_bytes_t pg_row_bytes(const db_row_t *row, int column);

#endif

/* The seam between the store and its engines: a connection that runs prepared statements.
 *
 * The store's logic and its SQL are written once, above this; an engine (sqlite.c, postgres.c) only executes. Parameters
 * are $1, $2 …; columns are BIGINT, DOUBLE PRECISION, TEXT or bytes. A connection is used by one thread at a time.
 */
#ifndef CONTROLPLANE_STORE_DB_H
#define CONTROLPLANE_STORE_DB_H

#include "controlplane/store/statements.h"
#include "controlplane/store/store.h"

typedef struct db db_t;
typedef struct db_row db_row_t;

typedef enum db_kind { DB_NULL, DB_INT, DB_REAL, DB_TEXT, DB_BYTES } db_kind_t;
typedef struct db_param {
    db_kind_t kind;
    int64_t number;
    double real;
    nv_bytes_t bytes;
} db_param_t;

static inline db_param_t db_i(int64_t value)
{
    return (db_param_t){.kind = DB_INT, .number = value};
}
static inline db_param_t db_r(double value)
{
    return (db_param_t){.kind = DB_REAL, .real = value};
}
/* NULL becomes the empty text: no text column is nullable. */
static inline db_param_t db_s(const char *text)
{
    return (db_param_t){.kind = DB_TEXT, .bytes = nv_bytes_text(text ? text : "")};
}
/* NULL stays NULL: "leave as it is". */
static inline db_param_t db_opt(const char *text)
{
    return (db_param_t){.kind = text ? DB_TEXT : DB_NULL, .bytes = nv_bytes_text(text)};
}
static inline db_param_t db_b(nv_bytes_t bytes)
{
    return (db_param_t){.kind = DB_BYTES, .bytes = bytes.data ? bytes : nv_bytes("", 0)};
}
#define DB_PARAMS(...)                                                                                       \
    (const db_param_t[]){__VA_ARGS__}, sizeof((const db_param_t[]){__VA_ARGS__}) / sizeof(db_param_t)
#define DB_NO_PARAMS NULL, 0

/* Called for each row; false (with *err) stops. */
typedef bool db_row_fn(db_row_t *row, void *arg, nv_error_t *err);

/* How a COMMIT ended, when it did not succeed. */
typedef enum db_outcome { DB_ROLLED_BACK, DB_OUTCOME_UNKNOWN } db_outcome_t;

typedef struct db_ops {
    bool (*begin)(db_t *db, nv_error_t *err);
    bool (*commit)(db_t *db, db_outcome_t *outcome, nv_error_t *err);
    void (*rollback)(db_t *db);
    /* params: see DB_PARAMS. row may be NULL; changes (rows written) may be NULL. */
    bool (*run)(db_t *db, db_statement_t id, const db_param_t *params, size_t n_params, db_row_fn *row,
                void *arg, int64_t *changes, nv_error_t *err);
    /* As run, but its outcome may show only at the next settle() (or run, which settles first), in the order of sending: where
     * each answer costs a round trip, many go for one. An earlier failure makes the later ones void. */
    bool (*send)(db_t *db, db_statement_t id, const db_param_t *params, size_t n_params, db_row_fn *row,
                 void *arg, nv_error_t *err);
    /* Everything sent so far has been done; false: some statement failed, the transaction can only be rolled back. */
    bool (*settle)(db_t *db, nv_error_t *err);
    /* Several statements without parameters or results. */
    bool (*script)(db_t *db, const char *sql, nv_error_t *err);
    /* Before each transaction of a long-lived connection: brings a lost one back, keeps the log bounded. */
    bool (*prepare)(db_t *db, nv_error_t *err);
    /* The writer has nothing to do: housekeeping. */
    void (*idle)(db_t *db);
    void (*close)(db_t *db);
    int64_t (*row_int)(const db_row_t *row, int column);
    double (*row_real)(const db_row_t *row, int column);
    /* Borrowed until the row function returns; texts are NUL-terminated. */
    nv_bytes_t (*row_bytes)(const db_row_t *row, int column);
} db_ops_t;

/* First member of each engine's connection. */
struct db {
    const db_ops_t *ops;
    bool postgres;
    bool lost;       /* the connection is gone (its transaction with it) */
    bool failed;     /* the open transaction can only be rolled back */
    uint64_t *tally; /* counts the statements that changed something, or may have; borrowed, may be NULL */
    uint64_t reconnects;
    char *engine; /* "sqlite 3.40.1"; below the connection's context */
    char *location;
    char *vector; /* how vectors are searched */
    bool has_vector;
};
struct db_row {
    const db_ops_t *ops;
};

/* role: the writer (one), or a reader. */
bool db_open_sqlite(const store_options_t *options, bool writer, db_t **out, nv_error_t *err) NV_MUST_CHECK;
bool db_open_postgres(const store_options_t *options, bool writer, db_t **out, nv_error_t *err) NV_MUST_CHECK;
/* Brings the schema to the version of this program. */
bool db_migrate(db_t *db, bool read_only, nv_error_t *err) NV_MUST_CHECK;
int db_schema_version(void);

static inline bool db_run(db_t *db, db_statement_t id, const db_param_t *params, size_t n_params,
                          db_row_fn *row, void *arg, nv_error_t *err)
{
    return db->ops->run(db, id, params, n_params, row, arg, NULL, err);
}
static inline bool db_write(db_t *db, db_statement_t id, const db_param_t *params, size_t n_params,
                            int64_t *changes, nv_error_t *err)
{
    return db->ops->run(db, id, params, n_params, NULL, NULL, changes, err);
}
static inline bool db_send(db_t *db, db_statement_t id, const db_param_t *params, size_t n_params,
                           nv_error_t *err)
{
    return db->ops->send(db, id, params, n_params, NULL, NULL, err);
}
/* arg must live until the next settle. */
static inline bool db_ask(db_t *db, db_statement_t id, const db_param_t *params, size_t n_params,
                          db_row_fn *row, void *arg, nv_error_t *err)
{
    return db->ops->send(db, id, params, n_params, row, arg, err);
}
static inline void db_count(db_t *db, bool changed)
{
    if (db->tally && changed)
        ++*db->tally;
}
static inline int64_t db_row_int(const db_row_t *row, int column)
{
    return row->ops->row_int(row, column);
}
static inline double db_row_real(const db_row_t *row, int column)
{
    return row->ops->row_real(row, column);
}
static inline nv_bytes_t db_row_bytes(const db_row_t *row, int column)
{
    return row->ops->row_bytes(row, column);
}
/* Copies below ctx. */
char *db_row_text(const db_row_t *row, int column, nv_mem_t *ctx);
nv_bytes_t db_row_copy(const db_row_t *row, int column, nv_mem_t *ctx);

#endif

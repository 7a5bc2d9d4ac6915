#include "worker/validation/oracle.h"

#include <duckdb.h>

struct oracle {
    duckdb_database database;
    duckdb_connection connection;
};

static int close_oracle(void *ptr)
{
    oracle_t *oracle = ptr;
    duckdb_disconnect(&oracle->connection);
    duckdb_close(&oracle->database);
    return 0;
}

static bool configure(duckdb_config config, const char *name, const char *value, nv_error_t *err)
{
    if (duckdb_set_config(config, name, value) != DuckDBSuccess)
        return nv_fail(err, NV_INTERNAL, "duckdb: setting %s", name);
    return true;
}

static bool open_database(oracle_t *oracle, duckdb_config config, nv_error_t *err)
{
    char *message = NULL;
    if (duckdb_open_ext(NULL, &oracle->database, config, &message) != DuckDBSuccess) {
        nv_fail(err, NV_INTERNAL, "duckdb: %s", message ? message : "cannot be opened");
        duckdb_free(message);
        return false;
    }
    if (duckdb_connect(oracle->database, &oracle->connection) != DuckDBSuccess)
        return nv_fail(err, NV_INTERNAL, "duckdb: no connection");
    return true;
}

bool oracle_open(nv_mem_t *ctx, int memory_mb, const char *spill_folder, oracle_t **out, nv_error_t *err)
{
    oracle_t *oracle = NV_NEW(ctx, oracle_t);
    duckdb_config config;
    nv_on_free(oracle, close_oracle);
    if (duckdb_create_config(&config) != DuckDBSuccess)
        return nv_fail(err, NV_INTERNAL, "duckdb: no configuration");
    bool ok = configure(config, "memory_limit", nv_printf(ctx, "%dMB", memory_mb), err) &&
              configure(config, "autoinstall_known_extensions", "false", err) &&
              (!spill_folder || configure(config, "temp_directory", spill_folder, err)) &&
              open_database(oracle, config, err);
    duckdb_destroy_config(&config);
    *out = oracle;
    return ok;
}

static bool query(oracle_t *oracle, const char *sql, duckdb_result *result, nv_error_t *err)
{
    if (duckdb_query(oracle->connection, sql, result) == DuckDBSuccess)
        return true;
    nv_fail(err, NV_FAILED_PRECONDITION, "duckdb: %s", duckdb_result_error(result));
    duckdb_destroy_result(result);
    return false;
}

bool oracle_run(oracle_t *oracle, const char *sql, nv_error_t *err)
{
    duckdb_result result;
    if (!query(oracle, sql, &result, err))
        return false;
    duckdb_destroy_result(&result);
    return true;
}

bool oracle_row(oracle_t *oracle, nv_mem_t *ctx, const char *sql, const char ***out, size_t *n,
                nv_error_t *err)
{
    duckdb_result result;
    if (!query(oracle, sql, &result, err))
        return false;
    if (duckdb_row_count(&result) == 0) {
        duckdb_destroy_result(&result);
        return nv_fail(err, NV_NOT_FOUND, "duckdb: no row");
    }
    *n = duckdb_column_count(&result);
    *out = NV_NEW_ARRAY(ctx, const char *, *n + 1);
    for (size_t i = 0; i < *n; i++) {
        char *text = duckdb_value_is_null(&result, i, 0) ? NULL : duckdb_value_varchar(&result, i, 0);
        (*out)[i] = text ? nv_strdup(ctx, text) : NULL;
        duckdb_free(text);
    }
    duckdb_destroy_result(&result);
    return true;
}

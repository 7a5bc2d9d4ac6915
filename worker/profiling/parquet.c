#include "worker/profiling/parquet.h"

#include <duckdb.h>
#include <string.h>

#include "common/core/buf.h"
#include "worker/profiling/parse_sql.h"

enum { TEXT_MAX = 1 << 30 };

struct parquet {
    const char *path;
    duckdb_database database;
    duckdb_connection connection;
    char **names;
    bool *nested;
    size_t n;
    size_t n_read; /* columns being read */
    duckdb_prepared_statement statement;
    duckdb_pending_result pending;
    duckdb_result result;
    bool has_result;
    nv_buf_t text;
};

static int release(void *ptr)
{
    parquet_t *parquet = ptr;
    if (parquet->has_result)
        duckdb_destroy_result(&parquet->result);
    duckdb_destroy_pending(&parquet->pending);
    duckdb_destroy_prepare(&parquet->statement);
    duckdb_disconnect(&parquet->connection);
    duckdb_close(&parquet->database);
    return 0;
}

static bool connect_duckdb(parquet_t *parquet, nv_error_t *err)
{
    duckdb_config config = NULL;
    if (duckdb_create_config(&config) == DuckDBError)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "DuckDB: no configuration");
    (void)duckdb_set_config(config, "memory_limit", "512MB");
    (void)duckdb_set_config(config, "threads", "1");
    (void)duckdb_set_config(config, "temp_directory", "");
    (void)duckdb_set_config(config, "autoinstall_known_extensions", "false");
    char *message = NULL;
    bool ok = duckdb_open_ext(NULL, &parquet->database, config, &message) == DuckDBSuccess &&
              duckdb_connect(parquet->database, &parquet->connection) == DuckDBSuccess;
    if (!ok)
        (void)nv_fail(err, NV_UNAVAILABLE, "DuckDB: %.400s", message ? message : "cannot connect");
    duckdb_free(message);
    duckdb_destroy_config(&config);
    return ok;
}

/* DuckDB's reason without the lines that show our SQL. */
static bool refuse(const parquet_t *parquet, const char *what, const char *reason, nv_error_t *err)
{
    return nv_fail(err, NV_INVALID_ARGUMENT, "%s: %s%.*s", parquet->path, what,
                   (int)strcspn(reason ? reason : "", "\n"), reason ? reason : "");
}

static bool is_nested(const char *type)
{
    size_t n = strlen(type);
    return strncmp(type, "STRUCT", 6) == 0 || strncmp(type, "MAP", 3) == 0 || (n && type[n - 1] == ']');
}

static bool read_schema(parquet_t *parquet, nv_error_t *err)
{
    char *sql = nv_printf(parquet, "DESCRIBE SELECT * FROM read_parquet(%s)",
                          sql_literal(parquet, SQL_DUCKDB, parquet->path));
    duckdb_result result;
    bool ok = duckdb_query(parquet->connection, sql, &result) == DuckDBSuccess;
    if (!ok)
        (void)refuse(parquet, "not a Parquet file that can be read: ", duckdb_result_error(&result), err);
    parquet->n = ok ? (size_t)duckdb_row_count(&result) : 0;
    parquet->names = NV_NEW_ARRAY(parquet, char *, parquet->n + 1);
    parquet->nested = NV_NEW_ARRAY(parquet, bool, parquet->n + 1);
    for (size_t i = 0; i < parquet->n; i++) {
        char *name = duckdb_value_varchar(&result, 0, i);
        char *type = duckdb_value_varchar(&result, 1, i);
        parquet->names[i] = nv_strdup(parquet, name ? name : "");
        parquet->nested[i] = type && is_nested(type);
        duckdb_free(name);
        duckdb_free(type);
    }
    duckdb_destroy_result(&result);
    return ok;
}

bool parquet_open(nv_mem_t *ctx, const char *path, parquet_t **out, nv_error_t *err)
{
    parquet_t *parquet = NV_NEW(ctx, parquet_t);
    parquet->path = nv_strdup(parquet, path);
    parquet->text = nv_buf_make(parquet, TEXT_MAX);
    nv_on_free(parquet, release);
    *out = parquet;
    return connect_duckdb(parquet, err) && read_schema(parquet, err);
}

char *const *parquet_names(const parquet_t *parquet, size_t *n, const bool **nested)
{
    *n = parquet->n;
    if (nested)
        *nested = parquet->nested;
    return parquet->names;
}

bool parquet_start(parquet_t *parquet, char *const *names, size_t n, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("parquet");
    const char *sql = parquet_texts_sql(scratch, parquet->path, names, n);
    parquet->n_read = n;
    if (duckdb_prepare(parquet->connection, sql, &parquet->statement) != DuckDBSuccess)
        return refuse(parquet, "", duckdb_prepare_error(parquet->statement), err);
    if (duckdb_pending_prepared_streaming(parquet->statement, &parquet->pending) != DuckDBSuccess)
        return refuse(parquet, "", duckdb_pending_error(parquet->pending), err);
    parquet->has_result = true;
    if (duckdb_execute_pending(parquet->pending, &parquet->result) != DuckDBSuccess)
        return refuse(parquet, "", duckdb_result_error(&parquet->result), err);
    return true;
}

static void put_text(nv_buf_t *out, const char *text, size_t length)
{
    nv_buf_putc(out, '"');
    for (const char *end = text + length; text < end;) {
        const char *quote = memchr(text, '"', (size_t)(end - text));
        const char *stop = quote ? quote + 1 : end;
        nv_buf_add(out, text, (size_t)(stop - text));
        if (quote)
            nv_buf_putc(out, '"');
        text = stop;
    }
    nv_buf_putc(out, '"');
}

static void put_row(parquet_t *parquet, duckdb_data_chunk chunk, idx_t row)
{
    for (idx_t i = 0; i < parquet->n_read; i++) {
        duckdb_vector vector = duckdb_data_chunk_get_vector(chunk, i);
        uint64_t *valid = duckdb_vector_get_validity(vector);
        duckdb_string_t *strings = duckdb_vector_get_data(vector);
        if (i)
            nv_buf_putc(&parquet->text, ',');
        /* a lone empty field would be a blank line */
        if (valid && !duckdb_validity_row_is_valid(valid, row))
            nv_buf_puts(&parquet->text, parquet->n_read == 1 ? "\"\"" : "");
        else
            put_text(&parquet->text, duckdb_string_t_data(&strings[row]),
                     duckdb_string_t_length(strings[row]));
    }
    nv_buf_putc(&parquet->text, '\n');
}

bool parquet_read(parquet_t *parquet, const char **text, size_t *length, int64_t *rows, nv_error_t *err)
{
    nv_buf_reset(&parquet->text);
    duckdb_data_chunk chunk = duckdb_fetch_chunk(parquet->result);
    *rows = 0;
    if (chunk) {
        *rows = (int64_t)duckdb_data_chunk_get_size(chunk);
        for (idx_t row = 0; row < (idx_t)*rows; row++)
            put_row(parquet, chunk, row);
        duckdb_destroy_data_chunk(&chunk);
    } else {
        const char *message = duckdb_result_error(&parquet->result);
        if (message && *message)
            return refuse(parquet, "", message, err);
    }
    *text = nv_buf_text(&parquet->text);
    *length = parquet->text.length;
    return nv_buf_ok(&parquet->text, parquet->path, err);
}

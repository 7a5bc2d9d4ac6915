/* Private to the Databricks client: how a call is made. */
#ifndef WORKER_DATABRICKS_CLIENT_H
#define WORKER_DATABRICKS_CLIENT_H

#include "common/core/json.h"
#include "common/http/http.h"
#include "common/http/url.h"
#include "worker/databricks/databricks.h"

typedef struct db_call {
    const char *method;
    const char *path; /* "/api/2.0/…" with query */
    const char *body; /* JSON, or NULL */
    bool idempotent;  /* GET, HEAD, PUT and DELETE are so anyway */
    const void *data; /* octets instead of JSON */
    size_t data_length;
    const char *upload_path;
    size_t max_response;
    const char *range; /* "bytes=0-99", or NULL */
} db_call_t;

/* Sends with authorization and retries. True for a 2xx answer; anything else becomes an error. reply may be NULL. */
bool db_send(databricks_t *db, nv_mem_t *ctx, const db_call_t *call, nv_http_response_t *reply,
             nv_error_t *err) NV_MUST_CHECK;
/* The same with the answer read as JSON; an empty body reads as {}. */
bool db_call(databricks_t *db, nv_mem_t *ctx, const db_call_t *call, const nv_json_t **out,
             nv_error_t *err) NV_MUST_CHECK;
bool db_get(databricks_t *db, nv_mem_t *ctx, const char *path, const nv_json_t **out,
            nv_error_t *err) NV_MUST_CHECK;
/* A POST whose answer matters only by its status. */
bool db_post(databricks_t *db, const char *path, const char *body, bool idempotent,
             nv_error_t *err) NV_MUST_CHECK;
/* Whether the last failed call may have had its effect (the answer was lost). */
bool db_was_ambiguous(const databricks_t *db);

/* The task was cancelled, and nothing shields the calls from it. */
bool db_is_cancelled(databricks_t *db);

/* The HTTP client below, for what must go without authorization. */
nv_http_t *db_http(databricks_t *db);

/* Milliseconds of a monotonic clock. */
int64_t db_now_ms(void);
/* The next wait of a poll that begins quickly: 100 ms, growing by half to 2 s. */
int64_t db_next_poll_ms(int64_t previous_ms);

/* Turns an error answer into *err, by the service's own order of forms. Always false. */
bool db_fail(nv_mem_t *ctx, const db_call_t *call, const nv_http_response_t *reply, nv_error_t *err);
/* True for the messages by which the service says "try again", whatever the status. */
bool db_is_retriable_text(const char *body);

#endif

/* Errors of the service: several generations of forms, one after the other as the official SDKs read them. */
#include "worker/databricks/client.h"

#include <ctype.h>
#include <string.h>

typedef struct api_error {
    const char *code;
    const char *message;
} api_error_t;

typedef struct code_class {
    const char *code;
    nv_code_t class;
} code_class_t;

/* Codes that say more than the status they come with. */
static const code_class_t classes[] = {
    {"RESOURCE_DOES_NOT_EXIST", NV_NOT_FOUND},
    {"NOT_FOUND", NV_NOT_FOUND},
    {"RESOURCE_ALREADY_EXISTS", NV_ALREADY_EXISTS},
    {"ALREADY_EXISTS", NV_ALREADY_EXISTS},
    {"ABORTED", NV_ABORTED},
    {"RESOURCE_CONFLICT", NV_ABORTED},
    {"RESOURCE_EXHAUSTED", NV_RESOURCE_EXHAUSTED},
    {"REQUEST_LIMIT_EXCEEDED", NV_RESOURCE_EXHAUSTED},
    {"MAX_NOTEBOOK_SIZE_EXCEEDED", NV_INVALID_ARGUMENT},
    {"DIRECTORY_NOT_EMPTY", NV_FAILED_PRECONDITION},
    {"INVALID_STATE", NV_FAILED_PRECONDITION},
    {"INVALID_PARAMETER_VALUE", NV_INVALID_ARGUMENT},
    {"PERMISSION_DENIED", NV_PERMISSION_DENIED},
    {"UNAUTHENTICATED", NV_UNAUTHENTICATED},
    {"TEMPORARILY_UNAVAILABLE", NV_UNAVAILABLE},
    {"DATA_LOSS", NV_DATA_LOSS},
};

static bool read_json_form(nv_mem_t *ctx, const nv_json_t *root, api_error_t *out)
{
    if (nv_json_kind(root) != NV_JSON_OBJECT)
        return false;
    const char *code = nv_json_scalar_text(nv_json_member(root, "error_code"));
    const char *message = nv_json_string_or(root, "message", NULL);
    if (code || message) {
        *out = (api_error_t){code ? code : "", message ? message : ""};
        return true;
    }
    const char *detail = nv_json_string_or(root, "detail", NULL); /* SCIM */
    const char *status = nv_json_scalar_text(nv_json_member(root, "status"));
    if (detail && status) {
        *out = (api_error_t){nv_printf(ctx, "SCIM_%s", status),
                             strcmp(detail, "null") == 0 ? "SCIM API Internal Error" : detail};
        return true;
    }
    const char *error = nv_json_string_or(root, "error", NULL); /* API 1.2 */
    if (error) {
        *out = (api_error_t){"", error};
        return true;
    }
    return false;
}

/* "CODE: text" */
static bool read_text_form(nv_mem_t *ctx, const char *body, api_error_t *out)
{
    size_t n = strspn(body, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
    if (n == 0 || strncmp(body + n, ": ", 2) != 0)
        return false;
    *out = (api_error_t){nv_strndup(ctx, body, n), body + n + 2};
    return true;
}

/* The content of the first <tag>…</tag>. */
static bool read_html_form(nv_mem_t *ctx, const char *body, const char *tag, api_error_t *out)
{
    const char *start = strcasestr(body, nv_printf(ctx, "<%s>", tag));
    const char *end = start ? strcasestr(start, nv_printf(ctx, "</%s>", tag)) : NULL;
    if (!end)
        return false;
    start += strlen(tag) + 2;
    while (start < end && isspace((unsigned char)*start))
        start++;
    while (end > start && isspace((unsigned char)end[-1]))
        end--;
    *out = (api_error_t){"", nv_strndup(ctx, start, (size_t)(end - start))};
    return true;
}

static api_error_t read_error(nv_mem_t *ctx, const nv_http_response_t *reply)
{
    api_error_t out = {"", ""};
    nv_error_t ignored = NV_ERROR_INIT;
    const nv_json_t *root;
    const char *location = nv_http_header(reply, "location");
    if (location && strstr(location, "/login.html?error=private-link-validation-error"))
        return (api_error_t){"PRIVATE_LINK_VALIDATION_ERROR",
                             "the workspace is reachable through a private link only, and this is not it"};
    if (!reply->body_length)
        return out;
    if (nv_json_parse(ctx, "error", reply->body, reply->body_length, &root, &ignored) &&
        read_json_form(ctx, root, &out))
        return out;
    if (read_text_form(ctx, reply->body, &out) || read_html_form(ctx, reply->body, "pre", &out) ||
        read_html_form(ctx, reply->body, "title", &out))
        return out;
    return (api_error_t){"UNKNOWN", reply->body};
}

/* "Job 5 does not exist." comes as 400 INVALID_PARAMETER_VALUE. */
static bool says_missing(const api_error_t *error)
{
    bool gone = strstr(error->message, " does not exist") || strstr(error->message, " doesn't exist");
    return gone && (strncmp(error->message, "Job ", 4) == 0 || strncmp(error->message, "Run", 3) == 0 ||
                    strncmp(error->message, "Cluster ", 8) == 0);
}

static nv_code_t classify(int status, const api_error_t *error)
{
    if (status == 400 && says_missing(error))
        return NV_NOT_FOUND;
    if (strcmp(error->code, "PRIVATE_LINK_VALIDATION_ERROR") == 0)
        return NV_PERMISSION_DENIED;
    if (status != 401)
        for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
            if (strcmp(error->code, classes[i].code) == 0)
                return classes[i].class;
    nv_code_t class = nv_http_status_code(status);
    return class == NV_OK ? NV_UNKNOWN : class;
}

bool db_fail(nv_mem_t *ctx, const db_call_t *call, const nv_http_response_t *reply, nv_error_t *err)
{
    api_error_t error = read_error(ctx, reply);
    int path = (int)strcspn(call->path, "?");
    return nv_fail(err, classify(reply->status, &error), "%s %.*s: %d%s%s%s%.1200s", call->method, path,
                   call->path, reply->status, *error.code ? " " : "", error.code, *error.message ? ": " : "",
                   error.message);
}

bool db_is_retriable_text(const char *body)
{
    static const char *const fragments[] = {
        "com.databricks.backend.manager.util.UnknownWorkerEnvironmentException",
        "does not have any associated worker environments",
        "There is no worker environment with id",
        "Unknown worker environment",
        "ClusterNotReadyException",
        "Please try again later or try a faster operation.",
        "RPC token bucket limit has been exceeded",
        "REQUEST_LIMIT_EXCEEDED",
    };
    for (size_t i = 0; i < sizeof fragments / sizeof fragments[0]; i++)
        if (strstr(body, fragments[i]))
            return true;
    return false;
}

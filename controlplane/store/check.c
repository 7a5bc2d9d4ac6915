/* Limits of what may enter the store. */
#include <string.h>

#include "common/core/utf8.h"
#include "controlplane/store/internal.h"

bool check_text(const char *what, const char *value, size_t max, nv_error_t *err)
{
    if (!value)
        return true;
    size_t length = strnlen(value, max + 1);
    if (length > max)
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s is too long: expected at most %zu bytes", what, max);
    if (!nv_utf8_valid(value, length))
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: expected UTF-8", what);
    return true;
}

bool check_optional(const char *what, const char *value, nv_error_t *err)
{
    return check_text(what, value, STORE_NAME_MAX, err);
}

bool check_name(const char *what, const char *value, nv_error_t *err)
{
    if (!value || !*value)
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s is empty: expected 1 to %d bytes", what, STORE_NAME_MAX);
    return check_optional(what, value, err);
}

bool check_blob(const char *what, nv_bytes_t value, nv_error_t *err)
{
    if (value.length > STORE_BLOB_MAX)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "%s has %zu bytes: expected at most %d", what,
                       value.length, STORE_BLOB_MAX);
    return true;
}

bool check_sha256(const char *what, const char *value, nv_error_t *err)
{
    if (!value || strnlen(value, 65) != 64 || strspn(value, "0123456789abcdef") != 64)
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: expected a SHA-256 of 64 lower-case hexadecimal digits",
                       what);
    return true;
}

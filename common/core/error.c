#include "common/core/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static const char ellipsis[] = "…";

static void mark_truncation(char *text, int needed)
{
    if (needed < NV_ERROR_TEXT_MAX)
        return;
    char *at = text + NV_ERROR_TEXT_MAX - sizeof ellipsis;
    while (at > text && ((unsigned char)*at & 0xC0) == 0x80)
        at--; /* never cut inside a UTF-8 sequence */
    memcpy(at, ellipsis, sizeof ellipsis);
}

bool nv_vfail(nv_error_t *err, nv_code_t code, const char *fmt, va_list args)
{
    err->code = code;
    int needed = vsnprintf(err->message, sizeof err->message, fmt, args);
    mark_truncation(err->message, needed);
    return false;
}

bool nv_fail(nv_error_t *err, nv_code_t code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    nv_vfail(err, code, fmt, args);
    va_end(args);
    return false;
}

static nv_code_t code_from_errno(int value)
{
    switch (value) {
    case ENOENT:
    case ENOTDIR:
        return NV_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return NV_PERMISSION_DENIED;
    case EEXIST:
        return NV_ALREADY_EXISTS;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return NV_RESOURCE_EXHAUSTED;
    case EINVAL:
    case ENAMETOOLONG:
    case ELOOP:
    case EISDIR:
        return NV_INVALID_ARGUMENT;
    case EADDRINUSE:
        return NV_FAILED_PRECONDITION;
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case EAGAIN:
        return NV_UNAVAILABLE;
    case ETIMEDOUT:
        return NV_DEADLINE_EXCEEDED;
    default:
        return NV_INTERNAL;
    }
}

bool nv_fail_errno(nv_error_t *err, int errno_value, const char *fmt, ...)
{
    char context[NV_ERROR_TEXT_MAX - 256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(context, sizeof context, fmt, args);
    va_end(args);
    char buffer[128];
    return nv_fail(err, code_from_errno(errno_value), "%s: %s", context,
                   strerror_r(errno_value, buffer, sizeof buffer));
}

bool nv_wrap(nv_error_t *err, const char *fmt, ...)
{
    char old[NV_ERROR_TEXT_MAX];
    memcpy(old, err->message, sizeof old);
    char context[NV_ERROR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(context, sizeof context, fmt, args);
    va_end(args);
    return nv_fail(err, err->code, "%s: %s", context, old);
}

void nv_error_clear(nv_error_t *err)
{
    err->code = NV_OK;
    err->message[0] = '\0';
}

const char *nv_code_name(nv_code_t code)
{
    static const char *const names[] = {
        "OK",        "CANCELLED",       "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
        "NOT_FOUND", "ALREADY_EXISTS",  "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
        "ABORTED",   "OUT_OF_RANGE",    "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
        "DATA_LOSS", "UNAUTHENTICATED",
    };
    size_t index = (size_t)code;
    return index < sizeof names / sizeof names[0] ? names[index] : "UNKNOWN";
}

bool nv_code_is_transient(nv_code_t code)
{
    return code == NV_UNAVAILABLE || code == NV_RESOURCE_EXHAUSTED || code == NV_ABORTED ||
           code == NV_DEADLINE_EXCEEDED;
}

int nv_code_exit_status(nv_code_t code)
{
    switch (code) {
    case NV_OK:
        return EX_OK;
    case NV_INVALID_ARGUMENT:
    case NV_OUT_OF_RANGE:
        return EX_DATAERR;
    case NV_NOT_FOUND:
        return EX_NOINPUT;
    case NV_ALREADY_EXISTS:
        return EX_CANTCREAT;
    case NV_PERMISSION_DENIED:
    case NV_UNAUTHENTICATED:
        return EX_NOPERM;
    case NV_UNAVAILABLE:
    case NV_DEADLINE_EXCEEDED:
        return EX_UNAVAILABLE;
    case NV_RESOURCE_EXHAUSTED:
    case NV_ABORTED:
        return EX_TEMPFAIL;
    case NV_INTERNAL:
    case NV_UNKNOWN:
    case NV_DATA_LOSS:
        return EX_SOFTWARE;
    default:
        return 1;
    }
}

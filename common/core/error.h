/* Errors: one object, passed explicitly, last.
 *
 * A function that can fail returns bool (true = success), takes `nv_error_t *err` last, and is marked
 * NV_MUST_CHECK. On failure it fills *err exactly once; callers add context on the way up with nv_wrap().
 * Never thread-local, because work hops threads. The text lives inside the object, so reporting never
 * allocates; text that does not fit ends in "…". Threads: an nv_error_t belongs to one thread at a time.
 */
#ifndef NV_CORE_ERROR_H
#define NV_CORE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

#define NV_MUST_CHECK __attribute__((warn_unused_result))
#define NV_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))

/* The values are those of gRPC status codes, so that an error crosses the wire unchanged. */
typedef enum nv_code {
    NV_OK = 0,
    NV_CANCELLED = 1,
    NV_UNKNOWN = 2,
    NV_INVALID_ARGUMENT = 3,
    NV_DEADLINE_EXCEEDED = 4,
    NV_NOT_FOUND = 5,
    NV_ALREADY_EXISTS = 6,
    NV_PERMISSION_DENIED = 7,
    NV_RESOURCE_EXHAUSTED = 8,
    NV_FAILED_PRECONDITION = 9,
    NV_ABORTED = 10,
    NV_OUT_OF_RANGE = 11,
    NV_UNIMPLEMENTED = 12,
    NV_INTERNAL = 13,
    NV_UNAVAILABLE = 14,
    NV_DATA_LOSS = 15,
    NV_UNAUTHENTICATED = 16,
} nv_code_t;

enum { NV_ERROR_TEXT_MAX = 2048 };

typedef struct nv_error {
    nv_code_t code;
    char message[NV_ERROR_TEXT_MAX];
} nv_error_t;

#define NV_ERROR_INIT                                                                                        \
    {                                                                                                        \
        .code = NV_OK, .message = { 0 }                                                                      \
    }

/* Sets *err. Always returns false, so that `return nv_fail(err, …);` reads well. */
bool nv_fail(nv_error_t *err, nv_code_t code, const char *fmt, ...) NV_PRINTF(3, 4);
bool nv_vfail(nv_error_t *err, nv_code_t code, const char *fmt, va_list args) NV_PRINTF(3, 0);

/* Like nv_fail, with ": <strerror(errno_value)>" appended and the code derived from errno_value. */
bool nv_fail_errno(nv_error_t *err, int errno_value, const char *fmt, ...) NV_PRINTF(3, 4);

/* Prepends "<context>: " to the message and keeps the code. Always returns false. */
bool nv_wrap(nv_error_t *err, const char *fmt, ...) NV_PRINTF(2, 3);

void nv_error_clear(nv_error_t *err);

/* "INVALID_ARGUMENT" etc.; borrowed, static. */
const char *nv_code_name(nv_code_t code);

/* True for the classes in which the same call may succeed later: UNAVAILABLE, RESOURCE_EXHAUSTED, ABORTED,
 * DEADLINE_EXCEEDED. */
bool nv_code_is_transient(nv_code_t code);

/* The process exit status for an error (sysexits.h where one fits, else 1). */
int nv_code_exit_status(nv_code_t code);

#endif

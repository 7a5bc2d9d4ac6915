/* Structured logging: one line per event, JSON or text, to one file descriptor.
 *
 * A logger is an object, handed down; there is no global one. Each call names a source ("scheduler"), a message, and
 * key/value fields; keys that could carry a secret are the caller's duty to leave out. Safe from any thread: a line is
 * written with a single write(2).
 */
#ifndef NV_CORE_LOG_H
#define NV_CORE_LOG_H

#include "common/core/error.h"

typedef struct nv_log nv_log_t;

typedef enum nv_level { NV_DEBUG, NV_INFO, NV_WARN, NV_ERROR } nv_level_t;
typedef enum nv_log_format { NV_LOG_TEXT, NV_LOG_JSON } nv_log_format_t;

/* fd is borrowed. process names the program in each line. */
nv_log_t *nv_log_new(int fd, const char *process, nv_level_t least, nv_log_format_t format);
void nv_log_free(nv_log_t *log);
void nv_log_cleanup(nv_log_t **log);
#define NV_LOG_SCOPE __attribute__((cleanup(nv_log_cleanup)))

/* Fields are (const char *key, const char *value) pairs ended by NULL: nv_log(log, NV_INFO, "store", "opened", "path", p, NULL);
 * A NULL value prints as null. log may be NULL: nothing is written. */
void nv_log(nv_log_t *log, nv_level_t level, const char *source, const char *message, ...)
    __attribute__((sentinel));

/* "debug", "info", "warn", "error". */
bool nv_level_parse(const char *text, nv_level_t *out, nv_error_t *err) NV_MUST_CHECK;

#endif

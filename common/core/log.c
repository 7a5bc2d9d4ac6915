#include "common/core/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "common/core/buf.h"

struct nv_log {
    int fd;
    const char *process;
    nv_level_t least;
    nv_log_format_t format;
};

enum { LINE_MAX_BYTES = 16 * 1024 };

static const char *const level_names[] = {"debug", "info", "warn", "error"};

nv_log_t *nv_log_new(int fd, const char *process, nv_level_t least, nv_log_format_t format)
{
    nv_log_t *log = nv_alloc(NULL, sizeof *log);
    *log = (nv_log_t){.fd = fd, .process = nv_strdup(log, process), .least = least, .format = format};
    return log;
}

void nv_log_free(nv_log_t *log)
{
    nv_mem_free(log);
}

void nv_log_cleanup(nv_log_t **log)
{
    nv_log_free(*log);
}

static void put_json_string(nv_buf_t *buf, const char *text)
{
    if (!text) {
        nv_buf_puts(buf, "null");
        return;
    }
    nv_buf_putc(buf, '"');
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\')
            nv_buf_printf(buf, "\\%c", *p);
        else if (*p < 0x20)
            nv_buf_printf(buf, "\\u%04x", *p);
        else
            nv_buf_putc(buf, (char)*p);
    }
    nv_buf_putc(buf, '"');
}

static void put_time(nv_buf_t *buf)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct tm utc;
    gmtime_r(&now.tv_sec, &utc);
    char text[32];
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    nv_buf_printf(buf, "%s.%03ldZ", text, now.tv_nsec / 1000000);
}

static void put_json_line(nv_buf_t *buf, const nv_log_t *log, nv_level_t level, const char *source,
                          const char *message, va_list fields)
{
    nv_buf_puts(buf, "{\"time\":\"");
    put_time(buf);
    nv_buf_printf(buf, "\",\"level\":\"%s\",\"process\":", level_names[level]);
    put_json_string(buf, log->process);
    nv_buf_puts(buf, ",\"source\":");
    put_json_string(buf, source);
    nv_buf_puts(buf, ",\"message\":");
    put_json_string(buf, message);
    for (const char *key; (key = va_arg(fields, const char *));) {
        nv_buf_putc(buf, ',');
        put_json_string(buf, key);
        nv_buf_putc(buf, ':');
        put_json_string(buf, va_arg(fields, const char *));
    }
    nv_buf_puts(buf, "}\n");
}

static void put_text_line(nv_buf_t *buf, const nv_log_t *log, nv_level_t level, const char *source,
                          const char *message, va_list fields)
{
    put_time(buf);
    nv_buf_printf(buf, " %-5s %s %s: %s", level_names[level], log->process, source, message);
    for (const char *key; (key = va_arg(fields, const char *));) {
        nv_buf_printf(buf, " %s=", key);
        put_json_string(buf, va_arg(fields, const char *));
    }
    nv_buf_putc(buf, '\n');
}

static void write_all(int fd, const char *data, size_t length)
{
    while (length) {
        ssize_t n = write(fd, data, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* nowhere left to report to */
        data += n;
        length -= (size_t)n;
    }
}

void nv_log(nv_log_t *log, nv_level_t level, const char *source, const char *message, ...)
{
    if (!log || level < log->least)
        return;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("log line");
    nv_buf_t buf = nv_buf_make(ctx, LINE_MAX_BYTES);
    va_list fields;
    va_start(fields, message);
    if (log->format == NV_LOG_JSON)
        put_json_line(&buf, log, level, source, message, fields);
    else
        put_text_line(&buf, log, level, source, message, fields);
    va_end(fields);
    if (buf.overflowed) {
        nv_buf_reset(&buf);
        nv_buf_printf(
            &buf,
            "{\"level\":\"error\",\"source\":\"log\",\"message\":\"a line over %d bytes was dropped\"}\n",
            LINE_MAX_BYTES);
    }
    write_all(log->fd, buf.data, buf.length);
}

bool nv_level_parse(const char *text, nv_level_t *out, nv_error_t *err)
{
    for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++)
        if (strcasecmp(text, level_names[i]) == 0) {
            *out = (nv_level_t)i;
            return true;
        }
    return nv_fail(err, NV_INVALID_ARGUMENT, "log level \"%s\": expected debug, info, warn or error", text);
}

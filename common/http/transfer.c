#include "common/http/transfer.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum {
    DEFAULT_MAX_RESPONSE = 16 * 1024 * 1024,
    LEAST_ERROR_BODY = 64 * 1024,
    MAX_HEADERS = 256,
    MAX_HEADER_BYTES = 256 * 1024
};

char *transfer_public_url(nv_mem_t *ctx, const char *url)
{
    char *copy = nv_strndup(ctx, url, strcspn(url, "?#"));
    char *host = strstr(copy, "://");
    char *at = host ? strchr(host, '@') : NULL;
    if (at)
        memmove(host + 3, at + 1, strlen(at + 1) + 1);
    return copy;
}

static size_t stop(transfer_t *t)
{
    t->failed = true;
    return 0;
}

/* One header line; a status line starts a new head (after 100 Continue). */
static size_t take_header(char *line, size_t size, size_t count, void *arg)
{
    transfer_t *t = arg;
    size_t length = size * count;
    t->header_bytes += length;
    if (length > 5 && strncmp(line, "HTTP/", 5) == 0) {
        t->response->n_headers = 0;
        return length;
    }
    if (t->header_bytes > MAX_HEADER_BYTES || t->response->n_headers == MAX_HEADERS) {
        nv_fail(t->err, NV_RESOURCE_EXHAUSTED, "more than %d header lines or %d bytes of them", MAX_HEADERS,
                MAX_HEADER_BYTES);
        return stop(t);
    }
    char *colon = memchr(line, ':', length);
    if (!colon)
        return length;
    char *name = nv_strndup(t->ctx, line, (size_t)(colon - line));
    for (char *c = name; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    const char *value = colon + 1;
    const char *end = line + length;
    while (value < end && isspace((unsigned char)*value))
        value++;
    while (end > value && isspace((unsigned char)end[-1]))
        end--;
    nv_http_response_t *r = t->response;
    NV_PUSH(t->ctx, r->headers, r->n_headers, t->header_capacity) =
        (nv_http_header_t){name, nv_strndup(t->ctx, value, (size_t)(end - value))};
    return length;
}

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
    transfer_t *t = arg;
    size_t length = size * count;
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    t->response->status = (int)status;
    if (t->request->on_body && status >= 200 && status < 300) {
        if (!t->request->on_body(t->request->on_body_arg, t->response, data, length, t->err))
            return stop(t);
        return length;
    }
    if (status >= 300 && t->body.maximum < LEAST_ERROR_BODY)
        t->body.maximum =
            LEAST_ERROR_BODY; /* a small limit is meant for the content, not for what went wrong */
    nv_buf_add(&t->body, data, length);
    if (t->body.overflowed) {
        nv_fail(t->err, NV_RESOURCE_EXHAUSTED, "the answer is larger than %zu bytes", t->body.maximum);
        return stop(t);
    }
    return length;
}

static size_t give_upload(char *into, size_t size, size_t count, void *arg)
{
    transfer_t *t = arg;
    size_t n = fread(into, 1, size * count, t->upload);
    if (n == 0 && ferror(t->upload)) {
        nv_fail_errno(t->err, errno, "%s", t->request->upload_path);
        t->failed = true;
        return CURL_READFUNC_ABORT;
    }
    return n;
}

static int seek_upload(void *arg, curl_off_t offset, int origin)
{
    transfer_t *t = arg;
    return fseeko(t->upload, offset, origin) == 0 ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_CANTSEEK;
}

static bool add_header(transfer_t *t, const char *name, const char *value, nv_error_t *err)
{
    if (!*name || strpbrk(name, "\r\n: ") || strpbrk(value, "\r\n"))
        return nv_fail(err, NV_INVALID_ARGUMENT, "header %.60s: not a single line", name);
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("header");
    /* libcurl drops "Name:" with nothing behind it; "Name;" sends it empty */
    char *line = *value ? nv_printf(scratch, "%s: %s", name, value) : nv_printf(scratch, "%s;", name);
    struct curl_slist *longer = curl_slist_append(t->headers, line);
    if (!longer)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "out of memory for headers");
    t->headers = longer;
    return true;
}

static bool prepare_headers(transfer_t *t, nv_error_t *err)
{
    for (size_t i = 0; i < t->request->n_headers; i++)
        if (!add_header(t, t->request->headers[i].name, t->request->headers[i].value, err))
            return false;
    if (t->traceparent && *t->traceparent && !add_header(t, "traceparent", t->traceparent, err))
        return false;
    /* no waiting for "100 Continue", which many servers never send */
    struct curl_slist *longer = curl_slist_append(t->headers, "Expect:");
    if (!longer)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "out of memory for headers");
    t->headers = longer;
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
    return true;
}

static bool prepare_upload(transfer_t *t, nv_error_t *err)
{
    struct stat info;
    t->upload = fopen(t->request->upload_path, "rbe");
    if (!t->upload || fstat(fileno(t->upload), &info) != 0)
        return nv_fail_errno(err, errno, "%s", t->request->upload_path);
    if (!S_ISREG(info.st_mode))
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: expected a regular file", t->request->upload_path);
    curl_easy_setopt(t->easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(t->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)info.st_size);
    curl_easy_setopt(t->easy, CURLOPT_READFUNCTION, give_upload);
    curl_easy_setopt(t->easy, CURLOPT_READDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_SEEKFUNCTION, seek_upload);
    curl_easy_setopt(t->easy, CURLOPT_SEEKDATA, t);
    return true;
}

static bool prepare_method(transfer_t *t, nv_error_t *err)
{
    const nv_http_request_t *r = t->request;
    if (r->upload_path) {
        if (!prepare_upload(t, err))
            return false;
    } else if (strcmp(r->method, "HEAD") == 0) {
        curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
        return true;
    } else if (r->body || strcmp(r->method, "POST") == 0 || strcmp(r->method, "PUT") == 0) {
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(r->body ? r->body_length : 0));
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, r->body ? r->body : "");
    }
    curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, r->method);
    return true;
}

bool transfer_prepare(transfer_t *t, nv_error_t *err)
{
    const nv_http_request_t *r = t->request;
    t->err = err;
    t->body = nv_buf_make(t->ctx, r->max_response ? r->max_response : DEFAULT_MAX_RESPONSE);
    curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->curl_error);
    curl_easy_setopt(t->easy, CURLOPT_URL, r->url);
    curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)r->total_timeout_ms);
    curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    bool once = strcmp(r->method, "POST") == 0 || strcmp(r->method, "PATCH") == 0;
    if (once && !r->repeatable)
        curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, 1L);
    if (!r->on_body) /* a compressed event stream would arrive in lumps */
        curl_easy_setopt(t->easy, CURLOPT_ACCEPT_ENCODING, "");
    return prepare_method(t, err) && prepare_headers(t, err);
}

void transfer_end(transfer_t *t)
{
    curl_slist_free_all(t->headers);
    if (t->upload)
        fclose(t->upload);
}

static nv_code_t code_of(CURLcode code)
{
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return NV_DEADLINE_EXCEEDED;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return NV_UNAUTHENTICATED;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return NV_INVALID_ARGUMENT;
    case CURLE_OUT_OF_MEMORY:
        return NV_RESOURCE_EXHAUSTED;
    default:
        return NV_UNAVAILABLE;
    }
}

void transfer_settle(transfer_t *t)
{
    long status = 0;
    long sent = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &sent);
    t->response->status = (int)status;
    t->response->outcome = sent > 0 ? NV_HTTP_AMBIGUOUS : NV_HTTP_NOT_SENT;
    t->response->body = nv_strdup(t->ctx, "");
    if (t->body.length) {
        t->response->body = t->body.data;
        t->response->body_length = t->body.length;
    }
}

bool transfer_finish(transfer_t *t, CURLcode code, nv_error_t *err)
{
    transfer_settle(t);
    /* a server that refuses an upload early answers and closes: the answer counts, not our failed write */
    bool early = (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR) && t->response->status >= 400;
    if (!t->failed && (code == CURLE_OK || early)) {
        t->response->outcome = NV_HTTP_ANSWERED;
        return true;
    }
    char *url = transfer_public_url(t->ctx, t->request->url);
    if (t->failed)
        return nv_wrap(err, "%s %s", t->request->method, url);
    nv_code_t class = code_of(code);
    if (class == NV_INVALID_ARGUMENT && t->response->outcome != NV_HTTP_NOT_SENT)
        class = NV_UNAVAILABLE; /* the answer was no HTTP: not the caller's mistake */
    return nv_fail(err, class, "%s %s: %s", t->request->method, url,
                   t->curl_error[0] ? t->curl_error : curl_easy_strerror(code));
}

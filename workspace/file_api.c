/* /api/2.0/fs: files and directories of volumes. */
#include "workspace/http.h"
#include "workspace/path.h"
#include "workspace/router.h"
#include "workspace/unity_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const int64_t max_file = INT64_C(5) * 1024 * 1024 * 1024;

typedef struct place {
    const char *shown; /* /Volumes/… */
    const char *root;  /* the volume's folder */
    const char *real;
    const char *rest;
} place_t;

static bool errno_reply(ws_request_t *request, int code, const char *path, nv_error_t *err)
{
    switch (code) {
    case ENOENT:
    case ENOTDIR:
        return ws_refuse(request, err, 404, "NOT_FOUND",
                         "%s: The file or directory being accessed is not found.", path);
    case EEXIST:
        return ws_refuse(request, err, 409, "ALREADY_EXISTS", "%s: already exists", path);
    case EISDIR:
        return ws_refuse(request, err, 400, "BAD_REQUEST", "%s: is a directory", path);
    case ENOTEMPTY:
        return ws_refuse(request, err, 400, "DIRECTORY_NOT_EMPTY", "%s: the directory is not empty", path);
    default:
        return ws_refuse(request, err, 500, "IO_ERROR", "%s: %s", path, strerror(code));
    }
}

/* A symbolic link that leads out of the volume (a notebook may have made one) is not followed. */
static bool stays_inside(nv_mem_t *mem, const place_t *place)
{
    const char *above =
        strcmp(place->real, place->root) == 0 ? place->real : ws_path_parent(mem, place->real);
    char *resolved = realpath(above, NULL);
    char *root = realpath(place->root, NULL);
    size_t length = root ? strlen(root) : 0;
    bool inside = !resolved || (root && strncmp(resolved, root, length) == 0 &&
                                (resolved[length] == '/' || resolved[length] == '\0'));
    free(resolved);
    free(root);
    return inside;
}

static bool find_place(ws_app_t *app, ws_request_t *request, place_t *out, nv_error_t *err)
{
    ws_volume_path_t path;
    const char *text = request->params[0];
    if (!ws_volume_path_parse(request->mem, text, &path, err)) {
        return false;
    }
    if (!path.volume) {
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "Path (%.200s): expected /Volumes/<catalog>/<schema>/<volume>/<path>", text);
    }
    ws_full_name_t name = {.kind = WS_VOLUME, .parts = {path.catalog, path.schema, path.volume}, .count = 3};
    if (!ws_unity_exists(app->unity_dir, &name)) {
        return ws_refuse(request, err, 404, "NOT_FOUND", "Volume '%s' does not exist.",
                         ws_full_name_text(request->mem, &name));
    }
    out->root = ws_unity_path(request->mem, app->unity_dir, &name);
    out->rest = path.rest;
    out->real = *path.rest ? nv_printf(request->mem, "%s/%s", out->root, path.rest) : out->root;
    out->shown = nv_printf(request->mem, "/Volumes/%s/%s/%s%s%s", path.catalog, path.schema, path.volume,
                           *path.rest ? "/" : "", path.rest);
    return stays_inside(request->mem, out) ||
           nv_fail(err, NV_PERMISSION_DENIED, "%s: leads out of its volume", out->shown);
}

/* Makes the folders from below root down to path, which is root or lies in it. 0 or an errno. */
static int make_folders(nv_mem_t *mem, const char *root, const char *path)
{
    if (strlen(path) <= strlen(root)) {
        return 0;
    }
    char *copy = nv_strdup(mem, path);
    for (char *slash = strchr(copy + strlen(root) + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash) {
            *slash = '\0';
        }
        if (mkdir(copy, 0700) != 0 && errno != EEXIST) {
            return errno;
        }
        if (!slash) {
            struct stat st;
            return stat(copy, &st) != 0 ? errno : S_ISDIR(st.st_mode) ? 0 : EEXIST;
        }
        *slash = '/';
    }
}

/* ---- upload */

/* Copies the body to fd. 0, an errno, or -1: the body ended too early or the line broke. */
static int receive_file(ws_request_t *request, int fd)
{
    char *part = nv_alloc(request->mem, 262144);
    int64_t total = 0;
    int64_t n = 0;
    while ((n = ws_http_read(request, part, 262144)) > 0) {
        for (int64_t done = 0; done < n;) {
            ssize_t written = write(fd, part + done, (size_t)(n - done));
            if (written < 0) {
                return errno;
            }
            done += written;
        }
        total += n;
        if (total > max_file) {
            return EFBIG;
        }
    }
    if (n < 0 || (request->content_length >= 0 && total != request->content_length)) {
        return -1;
    }
    return fsync(fd) == 0 ? 0 : errno;
}

static int publish(const char *draft, const char *target, bool overwrite)
{
    struct stat st;
    if (stat(target, &st) == 0 && S_ISDIR(st.st_mode)) {
        return EISDIR;
    }
    unsigned flags = overwrite ? 0 : RENAME_NOREPLACE;
    return renameat2(AT_FDCWD, draft, AT_FDCWD, target, flags) == 0 ? 0 : errno;
}

static bool put_file(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    place_t place;
    if (!find_place(app, request, &place, err)) {
        return false;
    }
    if (!*place.rest || request->content_length > max_file) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: expected a file of at most 5 GiB", place.shown);
    }
    int code = make_folders(request->mem, place.root, ws_path_parent(request->mem, place.real));
    if (code != 0) {
        return errno_reply(request, code, place.shown, err);
    }
    const char *draft =
        nv_printf(request->mem, "%s/.uploads/%s", app->unity_dir, ws_random_uuid(request->mem));
    int fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return errno_reply(request, errno, place.shown, err);
    }
    code = receive_file(request, fd);
    close(fd);
    if (code == 0) {
        code = publish(draft, place.real, ws_query_bool(request, "overwrite"));
    }
    if (code != 0) {
        unlink(draft);
        return code < 0 ? nv_fail(err, NV_INVALID_ARGUMENT, "%s: the body ended before its announced length",
                                  place.shown)
                        : errno_reply(request, code, place.shown, err);
    }
    return ws_reply_status(request, 204);
}

/* ---- download */

static const char *http_date(nv_mem_t *mem, time_t when)
{
    struct tm utc;
    char text[64];
    gmtime_r(&when, &utc);
    strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc);
    return nv_strdup(mem, text);
}

static void send_file(ws_request_t *request, int fd, int64_t first, int64_t length)
{
    char *part = nv_alloc(request->mem, 262144);
    while (length > 0) {
        size_t wanted = length < 262144 ? (size_t)length : 262144;
        ssize_t n = pread(fd, part, wanted, first);
        if (n <= 0 || !ws_http_write(request, part, (size_t)n)) {
            return; /* the caller sees a short body */
        }
        first += n;
        length -= n;
    }
}

static bool get_file(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    place_t place;
    struct stat st;
    if (!find_place(app, request, &place, err)) {
        return false;
    }
    int fd = open(place.real, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) != 0 || S_ISDIR(st.st_mode)) {
        int code = fd < 0 ? errno : EISDIR;
        if (fd >= 0) {
            close(fd);
        }
        return errno_reply(request, code, place.shown, err);
    }
    bool partial = false;
    int64_t first = 0;
    int64_t last = 0;
    if (!ws_range_parse(request->range, st.st_size, &partial, &first, &last, err)) {
        close(fd);
        return ws_refuse(request, err, 416, "BAD_REQUEST", "%s", nv_strdup(request->mem, err->message));
    }
    const char *headers = nv_printf(request->mem, "Last-Modified: %s\r\nAccept-Ranges: bytes\r\n",
                                    http_date(request->mem, st.st_mtime));
    if (partial) {
        headers = nv_printf(request->mem, "%sContent-Range: bytes %" PRId64 "-%" PRId64 "/%" PRId64 "\r\n",
                            headers, first, last, (int64_t)st.st_size);
    }
    ws_http_begin(request, partial ? 206 : 200, "application/octet-stream", last - first + 1, headers);
    if (strcmp(request->method, "HEAD") != 0) {
        send_file(request, fd, first, last - first + 1);
    }
    close(fd);
    return true;
}

static bool delete_file(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    place_t place;
    if (!find_place(app, request, &place, err)) {
        return false;
    }
    if (unlink(place.real) != 0) {
        return errno_reply(request, errno == EPERM ? EISDIR : errno, place.shown, err);
    }
    return ws_reply_status(request, 204);
}

/* ---- directories */

static bool put_directory(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    place_t place;
    if (!find_place(app, request, &place, err)) {
        return false;
    }
    int code = *place.rest ? make_folders(request->mem, place.root, place.real) : 0;
    return code == 0 ? ws_reply_status(request, 204) : errno_reply(request, code, place.shown, err);
}

static bool head_directory(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    place_t place;
    struct stat st;
    if (!find_place(app, request, &place, err)) {
        return false;
    }
    if (stat(place.real, &st) != 0 || !S_ISDIR(st.st_mode)) {
        return errno_reply(request, ENOENT, place.shown, err);
    }
    return ws_reply_status(request, 200);
}

static bool delete_directory(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    place_t place;
    if (!find_place(app, request, &place, err)) {
        return false;
    }
    if (!*place.rest) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: is a volume; delete it in the catalog", place.shown);
    }
    if (rmdir(place.real) != 0) {
        return errno_reply(request, errno, place.shown, err);
    }
    return ws_reply_status(request, 204);
}

typedef struct names {
    char **list;
    size_t count;
    size_t capacity;
} names_t;

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool read_names(ws_request_t *request, const place_t *place, names_t *out, nv_error_t *err)
{
    DIR *dir = opendir(place->real);
    if (!dir) {
        return errno_reply(request, errno, place->shown, err);
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            NV_PUSH(request->mem, out->list, out->count, out->capacity) =
                nv_strdup(request->mem, entry->d_name);
        }
    }
    closedir(dir);
    if (out->count) {
        qsort(out->list, out->count, sizeof *out->list, by_text);
    }
    return true;
}

static void put_entry(nv_json_writer_t *w, const place_t *place, const char *name)
{
    nv_mem_t *mem = w->buf.ctx;
    struct stat st;
    if (lstat(nv_printf(mem, "%s/%s", place->real, name), &st) != 0) {
        return; /* gone since it was listed */
    }
    bool folder = S_ISDIR(st.st_mode);
    nv_json_open_object(w, NULL);
    nv_json_put_string(w, "path", nv_printf(mem, "%s/%s%s", place->shown, name, folder ? "/" : ""));
    nv_json_put_bool(w, "is_directory", folder);
    if (!folder) {
        nv_json_put_int64(w, "file_size", st.st_size);
    }
    nv_json_put_int64(w, "last_modified", (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000);
    nv_json_put_string(w, "name", name);
    nv_json_close_object(w);
}

static bool list_directory(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    place_t place;
    names_t names = {0};
    int64_t size = 0;
    if (!find_place(app, request, &place, err) || !ws_query_int64(request, "page_size", 1000, &size, err) ||
        !read_names(request, &place, &names, err)) {
        return false;
    }
    const char *after = ws_query(request, "page_token");
    size_t first = 0;
    while (after && first < names.count && strcmp(names.list[first], after) <= 0) {
        first++;
    }
    size_t page = size >= 1 && size <= 1000 ? (size_t)size : 1000;
    size_t end = names.count - first > page ? first + page : names.count;
    nv_json_writer_t w = ws_reply_writer(request);
    nv_json_open_object(&w, NULL);
    nv_json_open_array(&w, "contents");
    for (size_t i = first; i < end; i++) {
        put_entry(&w, &place, names.list[i]);
    }
    nv_json_close_array(&w);
    if (end < names.count) {
        nv_json_put_string(&w, "next_page_token", names.list[end - 1]);
    }
    nv_json_close_object(&w);
    return ws_reply_json(request, &w, err);
}

/* No presigned URLs here: clients then read the file itself. */
static bool no_download_url(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    (void)app;
    return ws_refuse(request, err, 404, "NOT_FOUND", "presigned URLs are not offered by the local workspace");
}

const ws_route_t ws_routes_files[] = {
    {"PUT", "/api/2.0/fs/files{path...}", put_file, WS_ROUTE_STREAM},
    {"GET", "/api/2.0/fs/files{path...}", get_file, 0},
    {"HEAD", "/api/2.0/fs/files{path...}", get_file, 0},
    {"DELETE", "/api/2.0/fs/files{path...}", delete_file, 0},
    {"PUT", "/api/2.0/fs/directories{path...}", put_directory, 0},
    {"GET", "/api/2.0/fs/directories{path...}", list_directory, 0},
    {"HEAD", "/api/2.0/fs/directories{path...}", head_directory, 0},
    {"DELETE", "/api/2.0/fs/directories{path...}", delete_directory, 0},
    {"POST", "/api/2.0/fs/create-download-url", no_download_url, 0},
    {"POST", "/api/2.0/fs/create-upload-part-urls", no_download_url, 0},
    {0},
};

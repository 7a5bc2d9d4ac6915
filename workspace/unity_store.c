#include "workspace/unity_store.h"

#include "workspace/path.h"
#include "workspace/request.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_DOCUMENT = 4 * 1024 * 1024 };

const char *ws_securable_noun(ws_securable_kind_t kind)
{
    static const char *const nouns[] = {"Catalog", "Schema", "Volume", "Table"};
    return nouns[kind];
}

static size_t part_count(ws_securable_kind_t kind)
{
    return kind == WS_CATALOG ? 1 : kind == WS_SCHEMA ? 2 : 3;
}

bool ws_full_name_parse(nv_mem_t *mem, ws_securable_kind_t kind, const char *text, ws_full_name_t *out,
                        nv_error_t *err)
{
    static const char *const kinds[] = {"catalog", "schema"};
    static const char *const last[] = {"catalog", "schema", "volume", "table"};
    *out = (ws_full_name_t){.kind = kind, .count = part_count(kind)};
    const char *p = text;
    for (size_t i = 0; i < out->count; i++) {
        bool is_last = i + 1 == out->count;
        size_t length = is_last ? strlen(p) : strcspn(p, ".");
        const char *part = nv_strndup(mem, p, length);
        if (!is_last && p[length] != '.') {
            return nv_fail(err, NV_INVALID_ARGUMENT, "%.300s: expected a name of %zu parts, parted by dots",
                           text, out->count);
        }
        if (!ws_name_check(mem, is_last ? last[kind] : kinds[i], part, &out->parts[i], err)) {
            return false;
        }
        p += length + !is_last;
    }
    return true;
}

const char *ws_full_name_text(nv_mem_t *mem, const ws_full_name_t *name)
{
    const char *text = name->parts[0];
    for (size_t i = 1; i < name->count; i++) {
        text = nv_printf(mem, "%s.%s", text, name->parts[i]);
    }
    return text;
}

ws_full_name_t ws_full_name_parent(const ws_full_name_t *name)
{
    ws_full_name_t parent = *name;
    parent.count--;
    parent.kind = parent.count == 2 ? WS_SCHEMA : WS_CATALOG;
    return parent;
}

/* ---- places */

static const char *folder(nv_mem_t *mem, const char *root, const ws_full_name_t *name)
{
    if (name->kind == WS_CATALOG) {
        return nv_printf(mem, "%s/%s", root, name->parts[0]);
    }
    if (name->kind == WS_SCHEMA) {
        return nv_printf(mem, "%s/%s/%s", root, name->parts[0], name->parts[1]);
    }
    return nv_printf(mem, "%s/%s/%s/%s/%s", root, name->parts[0], name->parts[1],
                     name->kind == WS_VOLUME ? "volumes" : "tables", name->parts[2]);
}

/* The file that describes it. */
static const char *document(nv_mem_t *mem, const char *root, const ws_full_name_t *name)
{
    switch (name->kind) {
    case WS_CATALOG:
        return nv_printf(mem, "%s/catalog.json", folder(mem, root, name));
    case WS_SCHEMA:
        return nv_printf(mem, "%s/schema.json", folder(mem, root, name));
    case WS_VOLUME:
        return nv_printf(mem, "%s/%s/%s/volumes/.%s.json", root, name->parts[0], name->parts[1],
                         name->parts[2]);
    case WS_TABLE:
        break;
    }
    return nv_printf(mem, "%s/%s/%s/external/%s.json", root, name->parts[0], name->parts[1], name->parts[2]);
}

static bool is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* A Delta table is there when its log has a commit or a checkpoint. */
static bool has_delta_log(nv_mem_t *mem, const char *table)
{
    DIR *log = opendir(nv_printf(mem, "%s/_delta_log", table));
    bool found = false;
    for (struct dirent *entry; log && !found && (entry = readdir(log)) != NULL;) {
        const char *dot = strrchr(entry->d_name, '.');
        found = entry->d_name[0] != '.' && dot && (strcmp(dot, ".json") == 0 || strcmp(dot, ".parquet") == 0);
    }
    if (log) {
        closedir(log);
    }
    return found;
}

const char *ws_unity_path(nv_mem_t *mem, const char *root, const ws_full_name_t *name)
{
    return ws_unity_is_external(root, name) ? document(mem, root, name) : folder(mem, root, name);
}

bool ws_unity_is_external(const char *root, const ws_full_name_t *name)
{
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("unity");
    return name->kind == WS_TABLE && is_file(document(mem, root, name));
}

bool ws_unity_exists(const char *root, const ws_full_name_t *name)
{
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("unity");
    if (name->kind == WS_VOLUME) {
        return is_folder(folder(mem, root, name));
    }
    return is_file(document(mem, root, name)) ||
           (name->kind == WS_TABLE && has_delta_log(mem, folder(mem, root, name)));
}

/* ---- documents */

static bool make_folders(nv_mem_t *mem, const char *path, nv_error_t *err)
{
    char *copy = nv_strdup(mem, path);
    for (char *slash = strchr(copy + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash) {
            *slash = '\0';
        }
        if (mkdir(copy, 0700) != 0 && errno != EEXIST) {
            return nv_fail_errno(err, errno, "%s", copy);
        }
        if (!slash) {
            return true;
        }
        *slash = '/';
    }
}

/* Writes the file whole or not at all, and on disk when it returns. */
static bool write_file(nv_mem_t *mem, const char *path, const char *text, size_t length, nv_error_t *err)
{
    const char *above = ws_path_parent(mem, path);
    const char *draft = nv_printf(mem, "%s/.%s", above, ws_random_uuid(mem));
    if (!make_folders(mem, above, err)) {
        return false;
    }
    int fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return nv_fail_errno(err, errno, "%s", draft);
    }
    bool ok = write(fd, text, length) == (ssize_t)length && fsync(fd) == 0;
    int problem = ok ? 0 : errno;
    close(fd);
    if (ok && rename(draft, path) != 0) {
        problem = errno;
    }
    if (problem) {
        unlink(draft);
        return nv_fail_errno(err, problem, "%s", path);
    }
    return true;
}

bool ws_unity_read(nv_mem_t *mem, const char *root, const ws_full_name_t *name, const nv_json_t **out,
                   nv_error_t *err)
{
    const char *path = document(mem, root, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return nv_json_parse(mem, path, "{}", 2, out, err);
    }
    char *text = nv_alloc(mem, MAX_DOCUMENT);
    ssize_t length = read(fd, text, MAX_DOCUMENT);
    int problem = errno;
    close(fd);
    if (length < 0) {
        return nv_fail_errno(err, problem, "%s", path);
    }
    return nv_json_parse(mem, path, text, (size_t)length, out, err);
}

bool ws_unity_write(nv_mem_t *mem, const char *root, const ws_full_name_t *name, const char *comment,
                    int64_t created_at, const nv_json_t *properties, nv_error_t *err)
{
    nv_json_writer_t w = nv_json_writer_make(mem, MAX_DOCUMENT, false);
    nv_json_open_object(&w, NULL);
    if (comment) {
        nv_json_put_string(&w, "comment", comment);
    }
    nv_json_put_int64(&w, "created_at", created_at ? created_at : ws_now_ms());
    nv_json_put_int64(&w, "updated_at", ws_now_ms());
    if (nv_json_kind(properties) == NV_JSON_OBJECT) {
        nv_json_put_value(&w, "properties", properties);
    } else {
        nv_json_open_object(&w, "properties");
        nv_json_close_object(&w);
    }
    nv_json_close_object(&w);
    char *text = NULL;
    size_t length = 0;
    return nv_json_write_end(&w, "catalog entry", &text, &length, err) &&
           write_file(mem, document(mem, root, name), text, length, err) &&
           (name->kind != WS_VOLUME || make_folders(mem, folder(mem, root, name), err));
}

bool ws_unity_write_external(nv_mem_t *mem, const char *root, const ws_full_name_t *name, const char *text,
                             nv_error_t *err)
{
    return write_file(mem, document(mem, root, name), text, strlen(text), err);
}

/* ---- removal */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

static void remove_tree(const char *path)
{
    nftw(path, remove_entry, 32, FTW_DEPTH | FTW_PHYS);
}

bool ws_unity_remove(nv_mem_t *mem, const char *root, const ws_full_name_t *name, nv_error_t *err)
{
    const char *path = ws_unity_path(mem, root, name);
    const char *gone = nv_printf(mem, "%s/.trash/%s", root, ws_random_uuid(mem));
    if (rename(path, gone) != 0) {
        return nv_fail_errno(err, errno, "removing %s", ws_full_name_text(mem, name));
    }
    if (name->kind == WS_VOLUME) {
        unlink(document(mem, root, name));
    }
    remove_tree(gone);
    return true;
}

bool ws_unity_open(const char *root, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("unity");
    remove_tree(nv_printf(mem, "%s/.trash", root));
    remove_tree(nv_printf(mem, "%s/.uploads", root));
    ws_full_name_t catalog = {.kind = WS_CATALOG, .parts = {"main"}, .count = 1};
    ws_full_name_t schema = {.kind = WS_SCHEMA, .parts = {"main", "default"}, .count = 2};
    return make_folders(mem, nv_printf(mem, "%s/.trash", root), err) &&
           make_folders(mem, nv_printf(mem, "%s/.uploads", root), err) &&
           (ws_unity_exists(root, &schema) ||
            ws_unity_write(mem, root, &schema, "Default schema (auto-created)", 0, NULL, err)) &&
           (ws_unity_exists(root, &catalog) ||
            ws_unity_write(mem, root, &catalog, "Main catalog (auto-created)", 0, NULL, err));
}

/* ---- listing */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

typedef struct names {
    const char **list;
    size_t count;
    size_t capacity;
} names_t;

/* Adds the children of a folder that are of this kind; ending (".json") is cut off. */
static void collect(nv_mem_t *mem, const char *root, const ws_full_name_t *pattern, const char *place,
                    const char *ending, names_t *names)
{
    DIR *dir = opendir(place);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        size_t length = strlen(entry->d_name);
        size_t tail = strlen(ending);
        if (entry->d_name[0] == '.' || length <= tail || strcmp(entry->d_name + length - tail, ending) != 0) {
            continue;
        }
        ws_full_name_t name = *pattern;
        name.parts[name.count - 1] = nv_strndup(mem, entry->d_name, length - tail);
        if (ws_unity_exists(root, &name)) {
            NV_PUSH(mem, names->list, names->count, names->capacity) = name.parts[name.count - 1];
        }
    }
    if (dir) {
        closedir(dir);
    }
}

bool ws_unity_list(nv_mem_t *mem, const char *root, ws_securable_kind_t kind, const ws_full_name_t *parent,
                   const char ***out, size_t *count, nv_error_t *err)
{
    ws_full_name_t pattern = {.kind = kind, .count = part_count(kind)};
    if (parent) {
        if (!ws_unity_exists(root, parent)) {
            return nv_fail(err, NV_NOT_FOUND, "%s '%s' does not exist.", ws_securable_noun(parent->kind),
                           ws_full_name_text(mem, parent));
        }
        memcpy(pattern.parts, parent->parts, sizeof pattern.parts);
    }
    names_t names = {0};
    const char *place = parent ? folder(mem, root, parent) : root;
    if (kind == WS_VOLUME || kind == WS_TABLE) {
        const char *base = place;
        place = nv_printf(mem, "%s/%s", base, kind == WS_VOLUME ? "volumes" : "tables");
        if (kind == WS_TABLE) {
            collect(mem, root, &pattern, nv_printf(mem, "%s/external", base), ".json", &names);
        }
    }
    collect(mem, root, &pattern, place, "", &names);
    if (names.count) {
        qsort(names.list, names.count, sizeof *names.list, by_text);
    }
    *out = names.list;
    *count = names.count;
    return true;
}

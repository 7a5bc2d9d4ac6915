#include "worker/agents/developer/upload.h"

#include "common/core/json.h"
#include "worker/agents/task/task.h"
#include "worker/pushdown/remote_survey.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { MANIFEST_MAX = 16 * 1024 * 1024 };

/* The file's place below the project's folder: where its batch landed it, else as below the source folder; its bare name
 * where it stands elsewhere. */
static const char *relative_path(const Nv__Sttm *sttm, const Nv__SourceFile *file)
{
    if (file->landed[0])
        return file->landed;
    size_t n = strlen(sttm->source_root);
    while (n > 0 && sttm->source_root[n - 1] == '/')
        n--;
    if (n > 0 && strncmp(file->path, sttm->source_root, n) == 0 && file->path[n] == '/')
        return file->path + n + 1;
    const char *slash = strrchr(file->path, '/');
    return slash ? slash + 1 : file->path;
}

/* A relative path that stays below its folder. */
static bool is_safe(const char *path)
{
    for (const char *p = path; *p;) {
        size_t n = strcspn(p, "/");
        if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
            return false;
        p += n + (p[n] == '/');
    }
    return path[0] != '\0';
}

static bool check_unchanged(const Nv__SourceFile *file, nv_error_t *err)
{
    struct stat status;
    if (stat(file->path, &status) != 0)
        return nv_fail_errno(err, errno, "%s", file->path);
    if (file->bytes && status.st_size != file->bytes)
        return nv_fail(err, NV_FAILED_PRECONDITION,
                       "%s: %" PRId64 " bytes, but it had %" PRId64 " when it was profiled: profile it again",
                       file->path, (int64_t)status.st_size, file->bytes);
    return true;
}

/* What an earlier deployment sent: {"path": "sha256"}; NULL when there is none that can be read. */
static const nv_json_t *read_manifest(connection_t *to, nv_mem_t *ctx, const char *path)
{
    nv_error_t ignored = NV_ERROR_INIT;
    const nv_json_t *manifest;
    char *text;
    size_t length;
    if (!databricks_download(to->db, ctx, path, MANIFEST_MAX, &text, &length, &ignored) ||
        !nv_json_parse(ctx, path, text, length, &manifest, &ignored))
        return NULL;
    return manifest;
}

/* The manifest knows the content, and the volume still has a file of that size. */
static bool is_there(connection_t *to, const nv_json_t *manifest, const char *name, const char *target,
                     const Nv__SourceFile *file)
{
    nv_error_t ignored = NV_ERROR_INIT;
    int64_t size;
    const nv_json_t *known = nv_json_member(manifest, name);
    const char *sha256 = known ? nv_json_scalar_text(known) : NULL;
    return sha256 && file->sha256[0] && strcmp(sha256, file->sha256) == 0 &&
           databricks_file_size(to->db, target, &size, &ignored) && size == file->bytes;
}

static bool make_parent(connection_t *to, nv_mem_t *ctx, const char *path, nv_error_t *err)
{
    const char *slash = strrchr(path, '/');
    return databricks_make_directory(to->db, nv_strndup(ctx, path, (size_t)(slash - path)), err);
}

static bool send_file(agent_task_t *task, nv_mem_t *ctx, connection_t *to, const Nv__Sttm *sttm,
                      const Nv__SourceFile *file, const nv_json_t *manifest, upload_result_t *out,
                      nv_error_t *err)
{
    const char *name = relative_path(sttm, file);
    if (!is_safe(name))
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "source file \"%s\": expected a path below the source folder", name);
    char *target = nv_printf(ctx, "%s/%s", out->folder, name);
    if (is_there(to, manifest, name, target, file)) { /* the local file may be gone by now */
        out->n_unchanged++;
        return true;
    }
    if (!check_unchanged(file, err))
        return false;
    if (strchr(name, '/') && !make_parent(to, ctx, target, err))
        return nv_wrap(err, "folder of %s", target);
    task_say(task, "progress", "uploading %s", name);
    if (!databricks_upload(to->db, target, file->path, true, err))
        return nv_wrap(err, "upload of %s", name);
    out->uploaded[out->n_uploaded++] = target;
    return true;
}

static bool write_manifest(connection_t *to, nv_mem_t *ctx, const Nv__Sttm *sttm, const char *path,
                           nv_error_t *err)
{
    char *text;
    size_t length;
    nv_json_writer_t w = nv_json_writer_make(ctx, MANIFEST_MAX, true);
    nv_json_open_object(&w, NULL);
    for (size_t i = 0; i < sttm->n_sources; i++)
        for (size_t k = 0; k < sttm->sources[i]->n_files; k++)
            nv_json_put_string(&w, relative_path(sttm, sttm->sources[i]->files[k]),
                               sttm->sources[i]->files[k]->sha256);
    nv_json_close_object(&w);
    return nv_json_write_end(&w, path, &text, &length, err) &&
           databricks_upload_bytes(to->db, path, text, length, true, err);
}

static size_t count_files(const Nv__Sttm *sttm, size_t *remote)
{
    size_t n = 0;
    *remote = 0;
    for (size_t i = 0; i < sttm->n_sources; i++)
        for (size_t k = 0; k < sttm->sources[i]->n_files; k++) {
            n++;
            *remote += source_kind(sttm->sources[i]->files[k]->path) != SOURCE_LOCAL;
        }
    return n;
}

static bool send_all(agent_task_t *task, nv_mem_t *ctx, connection_t *to, const Nv__Sttm *sttm,
                     const char *manifest_path, upload_result_t *out, nv_error_t *err)
{
    const nv_json_t *manifest = read_manifest(to, ctx, manifest_path);
    for (size_t i = 0; i < sttm->n_sources; i++)
        for (size_t k = 0; k < sttm->sources[i]->n_files; k++) {
            if (task_cancelled(task))
                return nv_fail(err, NV_CANCELLED, "upload cancelled");
            if (!send_file(task, ctx, to, sttm, sttm->sources[i]->files[k], manifest, out, err))
                return false;
        }
    return true;
}

/* What the pipeline reads must not be what it writes. */
static bool check_apart(const connection_t *to, nv_mem_t *ctx, const char *source_root, nv_error_t *err)
{
    if (strcasecmp(source_root, nv_printf(ctx, "uc://%s/%s", to->catalog, to->schema)) != 0)
        return true;
    return nv_fail(
        err, NV_FAILED_PRECONDITION,
        "%s.%s is the schema of the source tables, and cannot be that of the star too: name another "
        "one with --schema",
        to->catalog, to->schema);
}

bool upload_sources(agent_task_t *task, nv_mem_t *ctx, connection_t *to, const Nv__Sttm *sttm,
                    upload_result_t *out, nv_error_t *err)
{
    size_t remote;
    size_t n = count_files(sttm, &remote);
    *out = (upload_result_t){.folder = sttm->source_root};
    if (remote == n && n > 0)
        return check_apart(to, ctx, sttm->source_root, err);
    if (remote > 0)
        return nv_fail(err, NV_INVALID_ARGUMENT, "sources: %zu of %zu files are remote: expected all or none",
                       remote, n);
    char *volume = nv_printf(ctx, "/Volumes/%s/%s/%s", to->catalog, to->schema, to->volume);
    char *manifests = nv_printf(ctx, "%s/_manifests", volume);
    char *manifest_path = nv_printf(ctx, "%s/%s.json", manifests, sttm->name);
    out->folder = nv_printf(ctx, "%s/%s", volume, sttm->name);
    out->uploaded = NV_NEW_ARRAY(ctx, char *, n + 1);
    if (!databricks_make_directory(to->db, out->folder, err) ||
        !databricks_make_directory(to->db, manifests, err))
        return nv_wrap(err, "folders below %s", volume);
    if (!send_all(task, ctx, to, sttm, manifest_path, out, err))
        return false;
    return out->n_uploaded == 0 || write_manifest(to, ctx, sttm, manifest_path, err);
}

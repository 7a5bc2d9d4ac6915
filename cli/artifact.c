#include "cli/cli.h"
#include "common/identity/files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A name that is relative and never climbs: "notebooks/10_bronze.py", not "/etc/x", "../x" or "a//b". */
static bool name_is_safe(const char *name)
{
    if (!name[0] || name[0] == '/')
        return false;
    for (const char *part = name; *part;) {
        size_t length = strcspn(part, "/");
        bool dots = (length == 1 && part[0] == '.') || (length == 2 && part[0] == '.' && part[1] == '.');
        if (length == 0 || dots)
            return false;
        part += length + (part[length] == '/');
    }
    return true;
}

static bool make_parents(nv_mem_t *ctx, const char *path, nv_error_t *err)
{
    char *copy = nv_strdup(ctx, path);
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, 0755) != 0 && errno != EEXIST)
            return nv_fail_errno(err, errno, "folder %s", copy);
        *slash = '/';
    }
    return true;
}

static bool write_chunk(int fd, const Nv__DocumentChunk *chunk, const char *path, nv_error_t *err)
{
    size_t done = 0;
    while (done < chunk->data.len) {
        ssize_t n = write(fd, chunk->data.data + done, chunk->data.len - done);
        if (n < 0 && errno != EINTR)
            return nv_fail_errno(err, errno, "%s", path);
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool copy_stream(nv_rpc_reader_t *reader, int fd, const char *path, nv_error_t *err)
{
    for (bool last = false; !last;) {
        NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("chunk");
        ProtobufCMessage *message = NULL;
        if (!nv_rpc_reader_next(reader, ctx, &message, err))
            return false;
        if (!message)
            return nv_fail(err, NV_DATA_LOSS, "%s: the download ended before its last chunk", path);
        const Nv__DocumentChunk *chunk = (const Nv__DocumentChunk *)message;
        if (!write_chunk(fd, chunk, path, err))
            return false;
        last = chunk->last;
    }
    return true;
}

/* Through a temporary name, so that a file which is there is whole. */
static bool download(cli_t *cli, nv_rpc_reader_t *reader, const char *path, nv_error_t *err)
{
    const char *partial = nv_printf(cli->ctx, "%s.part", path);
    if (!make_parents(cli->ctx, path, err))
        return false;
    int fd = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return nv_fail_errno(err, errno, "%s", partial);
    bool ok = copy_stream(reader, fd, partial, err);
    if (close(fd) != 0 && ok)
        ok = nv_fail_errno(err, errno, "%s", partial);
    if (ok && rename(partial, path) != 0)
        ok = nv_fail_errno(err, errno, "%s", path);
    if (!ok)
        unlink(partial);
    return ok;
}

bool cli_fetch_artifact(cli_t *cli, const char *run_id, const char *name, const char *directory,
                        nv_error_t *err)
{
    if (directory && !name_is_safe(name))
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "the artifact name \"%s\" would leave the folder; get it alone with `artifact get`",
                       name);
    Nv__GetArtifactRequest request = NV__GET_ARTIFACT_REQUEST__INIT;
    request.tenant = cli_tenant(cli);
    request.run_id = nv_strdup(cli->ctx, run_id);
    request.name = nv_strdup(cli->ctx, name);
    nv_rpc_reader_t *reader = NULL;
    if (!cli_open(cli, "RunService/GetArtifact", &request.base, &nv__document_chunk__descriptor, &reader,
                  err))
        return false;
    bool ok = directory ? download(cli, reader, nv_printf(cli->ctx, "%s/%s", directory, name), err)
                        : copy_stream(reader, STDOUT_FILENO, "standard output", err);
    nv_rpc_reader_free(reader);
    return ok;
}

static bool list(cli_t *cli, nv_error_t *err)
{
    Nv__GetRunRequest request = NV__GET_RUN_REQUEST__INIT;
    request.tenant = cli_tenant(cli);
    request.run_id = nv_strdup(cli->ctx, cli_argument(cli, 0));
    Nv__ListArtifactsReply *reply = NULL;
    if (!cli_call(cli, "RunService/ListArtifacts", &request.base, &nv__list_artifacts_reply__descriptor,
                  &reply, err))
        return false;
    if (cli_print_json(cli, &reply->base))
        return true;
    static const char *const titles[] = {"NAME", ">BYTES", "TYPE", "SHA256", NULL};
    cli_table_t *table = cli_table_new(cli, titles);
    for (size_t i = 0; i < reply->n_artifacts; i++) {
        const Nv__DocumentRef *ref = reply->artifacts[i];
        const char *cells[] = {ref->name, nv_printf(cli->ctx, "%" PRId64, ref->bytes), ref->media_type,
                               nv_printf(cli->ctx, "%.12s", ref->sha256)};
        cli_table_row(table, cells);
    }
    cli_table_print(table, "no artifacts");
    return true;
}

static bool get(cli_t *cli, nv_error_t *err)
{
    return cli_fetch_artifact(cli, cli_argument(cli, 0), cli_argument(cli, 1), NULL, err);
}

const cli_command_t cli_artifact_commands[] = {
    {.noun = "artifact",
     .verb = "list",
     .arguments = "RUN",
     .help = "files a run made",
     .run = list,
     .min_arguments = 1,
     .max_arguments = 1},
    {.noun = "artifact",
     .verb = "get",
     .arguments = "RUN NAME",
     .help = "one file, to standard output",
     .run = get,
     .min_arguments = 2,
     .max_arguments = 2},
    {0},
};

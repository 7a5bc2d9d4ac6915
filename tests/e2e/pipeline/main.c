/* Writes the project of a mapping into a folder: pipeline_generate MAPPING.json FOLDER. For the pipeline tests. */
#include "common/contract/codec.h"
#include "worker/codegen/codegen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { MAPPING_MAX = 32 * 1024 * 1024 };

static bool read_whole(nv_mem_t *ctx, const char *path, char **out, size_t *length, nv_error_t *err)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return nv_fail_errno(err, errno, "%s", path);
    *out = nv_alloc(ctx, MAPPING_MAX);
    *length = fread(*out, 1, MAPPING_MAX, file);
    fclose(file);
    return true;
}

static bool write_file(nv_mem_t *ctx, const char *folder, const Nv__ProjectFile *file, nv_error_t *err)
{
    char *path = nv_printf(ctx, "%s/%s", folder, file->path);
    FILE *out = fopen(path, "wb");
    if (!out)
        return nv_fail_errno(err, errno, "%s", path);
    fputs(file->content, out);
    if (fclose(out) != 0)
        return nv_fail_errno(err, errno, "%s", path);
    return true;
}

static bool generate(nv_mem_t *ctx, const char *mapping, const char *folder, nv_error_t *err)
{
    char *json = NULL;
    size_t length = 0;
    ProtobufCMessage *sttm;
    Nv__Project *project;
    if (!read_whole(ctx, mapping, &json, &length, err) ||
        !nv_json_decode(ctx, &nv__sttm__descriptor, "sttm", json, length, NV_CODEC_DEFAULT, &sttm, err) ||
        !codegen_project(ctx, (Nv__Sttm *)sttm, &project, err))
        return false;
    mkdir(folder, 0755);
    mkdir(nv_printf(ctx, "%s/notebooks", folder), 0755);
    mkdir(nv_printf(ctx, "%s/tests", folder), 0755);
    for (size_t i = 0; i < project->n_files; i++)
        if (!write_file(ctx, folder, project->files[i], err))
            return false;
    return true;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: pipeline_generate MAPPING.json FOLDER\n");
        return 64;
    }
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("pipeline_generate");
    nv_error_t err = NV_ERROR_INIT;
    if (!generate(ctx, argv[1], argv[2], &err)) {
        fprintf(stderr, "pipeline_generate: %s\n", err.message);
        return nv_code_exit_status(err.code);
    }
    return 0;
}

/* Stored state of a run, hostile: inputs are one or more pieces, each a length (2 bytes, little-endian), a kind (1 byte: even
 * a checkpoint, odd a task record) and the bytes; they are loaded in order, and what loads is resumed, read, forked and
 * encoded again. */
#include <stdint.h>
#include <stdlib.h>

#include "controlplane/supervisor/supervisor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static nv_super_t *super;

static void ignore(const char *name, nv_bytes_t reference, void *user)
{
    (void)name;
    *(size_t *)user += reference.length;
}

static void use(nv_mem_t *ctx, nv_super_run_t *run)
{
    nv_error_t err;
    nv_graph_effects_t *effects = nv_graph_effects_new(ctx);
    nv_super_status_t status;
    nv_super_node_status_t node;
    nv_bytes_t bytes;
    size_t total = 0;
    if (!nv_graph_resume(nv_super_graph_run(run), UINT32_MAX, 0, effects, &err))
        return;
    for (int i = 0; effects->more && i < 50; i++)
        if (!nv_super_continue(run, 0, effects, &err))
            return;
    nv_super_status(run, &status);
    for (nv_super_node_t i = 0; i < NV_SUPER_NODES; i++)
        nv_super_node_status(run, i, &node);
    nv_super_each_document(run, ignore, &total);
    if (!nv_graph_encode_checkpoint(nv_super_graph_run(run), true, ctx, &bytes, &err))
        return;
    nv_super_run_t *copy = nv_super_run_new(ctx, super);
    if (!nv_graph_decode_checkpoint(nv_super_graph_run(copy), bytes, &err) ||
        !nv_graph_fork(nv_super_graph_run(copy), NV_GRAPH_NONE, 0, NULL, 0, 0, effects, &err))
        return;
    (void)!nv_super_cancel(copy, "enough", 0, effects, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nv_error_t err;
    if (!super)
        super = nv_super_new(NULL, NULL);
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("fuzz");
    nv_super_run_t *run = nv_super_run_new(ctx, super);
    bool loaded = false;
    while (size >= 3) {
        size_t length = data[0] | (size_t)data[1] << 8;
        bool record = data[2] & 1;
        length = length < size - 3 ? length : size - 3;
        nv_bytes_t piece = nv_bytes(data + 3, length);
        if (record ? !nv_graph_decode_task(nv_super_graph_run(run), piece, &err)
                   : !nv_graph_decode_checkpoint(nv_super_graph_run(run), piece, &err))
            return 0;
        loaded = true;
        data += 3 + length;
        size -= 3 + length;
    }
    if (loaded)
        use(ctx, run);
    return 0;
}

/* nv_unpack on hostile bytes: first byte picks the type. What is accepted must pack, copy and encode. */
#include <assert.h>
#include <stdint.h>

#include "common/contract/codec.h"
#include "nuvyn/profile.pb-c.h"
#include "nuvyn/sttm.pb-c.h"
#include "nuvyn/worker.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ProtobufCMessageDescriptor *const types[] = {&nv__sttm__descriptor, &nv__profile__descriptor,
                                                          &nv__worker_message__descriptor,
                                                          &nv__control_message__descriptor};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("fuzz");
    nv_error_t err = NV_ERROR_INIT;
    ProtobufCMessage *message;
    if (!nv_unpack(ctx, types[data[0] & 3], data + 1, size - 1, &message, &err)) {
        assert(err.code != NV_OK && err.message[0]);
        return 0;
    }
    char *json;
    bool ok = nv_json_encode(ctx, nv_message_copy(ctx, message), NV_CODEC_DEFAULTS, &json, NULL, &err);
    assert(ok);
    return 0;
}

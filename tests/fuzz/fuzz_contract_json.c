/* The contract codec on hostile JSON: first byte picks the type and flags, the rest is the document. What is accepted
 * must encode again and decode to the same message. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/contract/codec.h"
#include "nuvyn/profile.pb-c.h"
#include "nuvyn/quality.pb-c.h"
#include "nuvyn/sttm.pb-c.h"
#include "nuvyn/worker.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ProtobufCMessageDescriptor *const types[] = {&nv__sttm__descriptor, &nv__profile__descriptor,
                                                          &nv__worker_message__descriptor,
                                                          &nv__scorecard__descriptor};

static void check_round_trip(nv_mem_t *ctx, const ProtobufCMessage *message)
{
    nv_error_t err = NV_ERROR_INIT;
    char *json;
    size_t length;
    ProtobufCMessage *back;
    uint8_t *a;
    uint8_t *b;
    size_t n_a;
    size_t n_b;
    bool ok = nv_json_encode(ctx, message, 0, &json, &length, &err) &&
              nv_json_decode(ctx, message->descriptor, "again", json, length, 0, &back, &err);
    assert(ok);
    nv_pack(ctx, message, &a, &n_a);
    nv_pack(ctx, back, &b, &n_b);
    assert(n_a == n_b && memcmp(a, b, n_a) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("fuzz");
    nv_error_t err = NV_ERROR_INIT;
    ProtobufCMessage *message;
    int flags = data[0] & 4 ? NV_CODEC_IGNORE_UNKNOWN : 0;
    if (nv_json_decode(ctx, types[data[0] & 3], "fuzz", (const char *)data + 1, size - 1, flags, &message,
                       &err))
        check_round_trip(ctx, message);
    else
        assert(err.code != NV_OK && err.message[0]);
    return 0;
}

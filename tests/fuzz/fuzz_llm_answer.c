/* What a model may write, up to the decoded proposal: extraction and decoding never read outside, and what is found lies
 * inside the text. The first byte picks the state that reads it as a whole document. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/contract/codec.h"
#include "nuvyn/proposal.pb-c.h"
#include "worker/llm/extract.h"
#include "worker/llm/failure.h"
#include "worker/llm/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("fuzz");
    nv_error_t err = NV_ERROR_INIT;
    const char *text = (const char *)data + 1;
    const char *json;
    size_t length;
    ProtobufCMessage *message;
    if (llm_extract_json(text, size - 1, &json, &length)) {
        assert(json >= text && json + length <= text + size - 1 && json[0] == '{' && json[length - 1] == '}');
        if (!nv_json_decode(ctx, &nv__design_proposal__descriptor, "p", json, length, NV_CODEC_IGNORE_UNKNOWN,
                            &message, &err))
            assert(err.message[0]);
    }
    llm_stream_t stream = llm_stream_make(ctx, data[0] & 1);
    if (!llm_stream_document(&stream, text, size - 1, &err) && stream.error)
        assert(llm_failure_of_event(ctx, stream.error).text);
    nv_http_response_t reply = {.status = 400 + data[0], .body = nv_strndup(ctx, text, size - 1)};
    reply.body_length = strlen(reply.body);
    assert(llm_failure_of_answer(ctx, &reply).text);
    assert(llm_parse_duration_ms(reply.body) >= -1);
    return 0;
}

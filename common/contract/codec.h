/* The contract codec: every data contract is a protobuf message, and this is the only place that turns one
 * into bytes, proto3 JSON or a JSON Schema and back. Works from protobuf-c descriptors; there is no
 * per-message code.
 *
 * Source of the JSON mapping: the Protocol Buffers language guide, "ProtoJSON format" (canonical mapping:
 * int64 as a string, bytes as base64, enums by name, lowerCamelCase or the original field name accepted; we
 * write original names).
 *
 * Input is hostile. A decoder error names the path and what was expected:
 *   sttm.targets[3].columns[2].type: "VALUE_TYPE_FOO": expected one of VALUE_TYPE_STRING, …
 * Unknown fields are errors (nothing is lost silently) unless NV_CODEC_IGNORE_UNKNOWN is given; so are
 * duplicate fields, two members of a oneof, enum numbers without a name, and text with a NUL character (a C
 * string cannot hold it).
 *
 * Ownership: a decoded, unpacked or copied message owns all its parts: nv_mem_free(message) or nv_steal()
 * takes them along. Never call protobuf-c's *_free_unpacked on it.
 */
#ifndef NV_CONTRACT_CODEC_H
#define NV_CONTRACT_CODEC_H

#include "common/core/error.h"
#include "common/core/mem.h"

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

typedef enum nv_codec_flags {
    NV_CODEC_DEFAULT = 0,
    NV_CODEC_PRETTY = 1,         /* encode: two-space indentation */
    NV_CODEC_DEFAULTS = 2,       /* encode: fields at their default value too (repeated ones as []) */
    NV_CODEC_IGNORE_UNKNOWN = 4, /* decode: skip unknown fields */
    NV_CODEC_NUMBERS = 8, /* encode: int64 as JSON numbers (for people and jq), not canonical strings */
} nv_codec_flags_t;

enum { NV_CODEC_MAX_BYTES = 64 * 1024 * 1024, NV_CODEC_MAX_DEPTH = 64 };

/* Message -> JSON text below ctx. Fails on text that is not UTF-8, naming the path; NaN and the infinities
 * become the strings of the canonical mapping. */
bool nv_json_encode(nv_mem_t *ctx, const ProtobufCMessage *message, int flags, char **out, size_t *out_length,
                    nv_error_t *err) NV_MUST_CHECK;

/* JSON text (need not be NUL-terminated) -> message of the type below ctx; root names the document in errors.
 */
bool nv_json_decode(nv_mem_t *ctx, const ProtobufCMessageDescriptor *type, const char *root, const char *json,
                    size_t length, int flags, ProtobufCMessage **out, nv_error_t *err) NV_MUST_CHECK;

/* JSON Schema (2020-12 subset that all LLM providers accept: every property required, additionalProperties
 * false, no recursion; recursive types are an error) of a message type. Descriptions come from
 * `describe(field full name)` where given (may return NULL). */
bool nv_json_schema(nv_mem_t *ctx, const ProtobufCMessageDescriptor *type,
                    const char *(*describe)(const char *field, void *arg), void *arg, char **out,
                    nv_error_t *err) NV_MUST_CHECK;

/* Message -> packed bytes below ctx. */
void nv_pack(nv_mem_t *ctx, const ProtobufCMessage *message, uint8_t **out, size_t *out_length);

/* Packed bytes -> message below ctx. Refuses more than NV_CODEC_MAX_BYTES and, like the JSON decoder, invalid
 * UTF-8 in strings and nesting over NV_CODEC_MAX_DEPTH. */
bool nv_unpack(nv_mem_t *ctx, const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t length,
               ProtobufCMessage **out, nv_error_t *err) NV_MUST_CHECK;

/* A borrowed text for a message that is about to be packed: generated members are not const, though packing does not write.
 * NULL becomes "". */
static inline char *nv_message_text(const char *borrowed)
{
    return (char *)(uintptr_t)(borrowed ? borrowed : "");
}

/* A deep copy below ctx. */
ProtobufCMessage *nv_message_copy(nv_mem_t *ctx, const ProtobufCMessage *message);

#endif

/* Message -> canonical proto3 JSON. */
#include "common/contract/codec.h"
#include "common/contract/field.h"
#include "common/core/base64.h"
#include "common/core/json.h"
#include "common/core/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct encoder {
    nv_json_writer_t writer;
    int flags;
} encoder_t;

static bool encode_message(encoder_t *e, const char *key, const ProtobufCMessage *message,
                           const codec_path_t *path, int depth, nv_error_t *err);

static void put_not_finite(encoder_t *e, const char *key, double value)
{
    nv_json_put_string(&e->writer, key, isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity");
}

static void put_double(encoder_t *e, const char *key, double value)
{
    if (isfinite(value))
        nv_json_put_double(&e->writer, key, value);
    else
        put_not_finite(e, key, value);
}

static void put_float(encoder_t *e, const char *key, float value)
{
    if (isfinite(value))
        nv_json_put_float(&e->writer, key, value);
    else
        put_not_finite(e, key, (double)value);
}

static void put_int64(encoder_t *e, const char *key, int64_t value)
{
    char text[32];
    if (e->flags & NV_CODEC_NUMBERS) {
        nv_json_put_int64(&e->writer, key, value);
        return;
    }
    snprintf(text, sizeof text, "%" PRId64, value);
    nv_json_put_string(&e->writer, key, text);
}

static void put_uint64(encoder_t *e, const char *key, uint64_t value)
{
    char text[32];
    if (e->flags & NV_CODEC_NUMBERS) {
        nv_json_put_uint64(&e->writer, key, value);
        return;
    }
    snprintf(text, sizeof text, "%" PRIu64, value);
    nv_json_put_string(&e->writer, key, text);
}

/* By name; a number this build has no name for (sent by a newer one) stays a number, as the mapping demands.
 */
static void put_enum(encoder_t *e, const char *key, const ProtobufCEnumDescriptor *type, int32_t value)
{
    const ProtobufCEnumValue *found = protobuf_c_enum_descriptor_get_value(type, value);
    if (found)
        nv_json_put_string(&e->writer, key, found->name);
    else
        nv_json_put_int64(&e->writer, key, value);
}

static bool put_string(encoder_t *e, const char *key, const char *text, const codec_path_t *path,
                       nv_error_t *err)
{
    text = text ? text : "";
    if (!nv_utf8_valid(text, strlen(text)))
        return codec_fail(path, err, "text is not UTF-8");
    nv_json_put_string(&e->writer, key, text);
    return true;
}

static void put_bytes(encoder_t *e, const char *key, const ProtobufCBinaryData *bytes)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("base64");
    nv_json_put_string(&e->writer, key, nv_base64_encode(scratch, bytes->data, bytes->len));
}

/* One value of the field's type at `at`. */
static bool encode_value(encoder_t *e, const char *key, const ProtobufCFieldDescriptor *field, const void *at,
                         const codec_path_t *path, int depth, nv_error_t *err)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        nv_json_put_int64(&e->writer, key, *(const int32_t *)at);
        return true;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        nv_json_put_uint64(&e->writer, key, *(const uint32_t *)at);
        return true;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        put_int64(e, key, *(const int64_t *)at);
        return true;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        put_uint64(e, key, *(const uint64_t *)at);
        return true;
    case PROTOBUF_C_TYPE_FLOAT:
        put_float(e, key, *(const float *)at);
        return true;
    case PROTOBUF_C_TYPE_DOUBLE:
        put_double(e, key, *(const double *)at);
        return true;
    case PROTOBUF_C_TYPE_BOOL:
        nv_json_put_bool(&e->writer, key, *(const protobuf_c_boolean *)at);
        return true;
    case PROTOBUF_C_TYPE_ENUM:
        put_enum(e, key, field->descriptor, *(const int32_t *)at);
        return true;
    case PROTOBUF_C_TYPE_STRING:
        return put_string(e, key, *(char *const *)at, path, err);
    case PROTOBUF_C_TYPE_BYTES:
        put_bytes(e, key, at);
        return true;
    case PROTOBUF_C_TYPE_MESSAGE:
        return encode_message(e, key, *(ProtobufCMessage *const *)at, path, depth + 1, err);
    }
    return codec_fail(path, err, "unknown field type %d", (int)field->type);
}

static bool encode_repeated(encoder_t *e, const ProtobufCFieldDescriptor *field,
                            const ProtobufCMessage *message, const codec_path_t *path, int depth,
                            nv_error_t *err)
{
    size_t n = codec_count(message, field);
    const char *const *elements = codec_member(message, field);
    nv_json_open_array(&e->writer, field->name);
    for (size_t i = 0; i < n; i++) {
        codec_path_t here = {.up = path, .index = i};
        if (!encode_value(e, NULL, field, *elements + i * codec_element_size(field), &here, depth, err))
            return false;
    }
    nv_json_close_array(&e->writer);
    return true;
}

static bool encode_field(encoder_t *e, const ProtobufCFieldDescriptor *field, const ProtobufCMessage *message,
                         const codec_path_t *path, int depth, nv_error_t *err)
{
    bool wanted = (e->flags & NV_CODEC_DEFAULTS) && !codec_has_presence(field);
    if (!wanted && !codec_is_set(message, field))
        return true;
    codec_path_t here = {.up = path, .name = field->name, .name_length = strlen(field->name)};
    if (codec_is_repeated(field))
        return encode_repeated(e, field, message, &here, depth, err);
    return encode_value(e, field->name, field, codec_member(message, field), &here, depth, err);
}

static bool encode_message(encoder_t *e, const char *key, const ProtobufCMessage *message,
                           const codec_path_t *path, int depth, nv_error_t *err)
{
    if (depth > NV_CODEC_MAX_DEPTH)
        return codec_fail(path, err, "nested deeper than %d", NV_CODEC_MAX_DEPTH);
    nv_json_open_object(&e->writer, key);
    for (unsigned i = 0; message && i < message->descriptor->n_fields; i++)
        if (!encode_field(e, &message->descriptor->fields[i], message, path, depth, err))
            return false;
    nv_json_close_object(&e->writer);
    return true;
}

bool nv_json_encode(nv_mem_t *ctx, const ProtobufCMessage *message, int flags, char **out, size_t *out_length,
                    nv_error_t *err)
{
    encoder_t e = {.writer = nv_json_writer_make(ctx, NV_CODEC_MAX_BYTES, flags & NV_CODEC_PRETTY),
                   .flags = flags};
    const char *name = message->descriptor->short_name;
    codec_path_t root = {.name = name, .name_length = strlen(name)};
    return encode_message(&e, NULL, message, &root, 1, err) &&
           nv_json_write_end(&e.writer, name, out, out_length, err);
}

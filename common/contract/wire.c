/* Message <-> packed bytes. protobuf-c's own parser checks neither UTF-8 nor nesting nor how much memory a
 * small input may claim, so the bytes are walked once against the descriptor before it sees them. */
#include "common/contract/codec.h"
#include "common/contract/field.h"
#include "common/core/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct wire {
    const uint8_t *data;
    size_t length;
    size_t at;
} wire_t;

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

static bool read_varint(wire_t *w, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70 && w->at < w->length; shift += 7) {
        uint8_t byte = w->data[w->at++];
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) {
            *out = value;
            return true;
        }
    }
    return false;
}

static bool skip(wire_t *w, uint64_t n)
{
    if (n > w->length - w->at)
        return false;
    w->at += (size_t)n;
    return true;
}

static bool check_message(const ProtobufCMessageDescriptor *type, wire_t w, const codec_path_t *path,
                          int depth, size_t *used, nv_error_t *err);

static bool check_text(const wire_t *w, const codec_path_t *path, nv_error_t *err)
{
    const char *text = (const char *)w->data;
    if (!nv_utf8_valid(text, w->length))
        return codec_fail(path, err, "text is not UTF-8");
    if (w->length && memchr(text, '\0', w->length))
        return codec_fail(path, err, "text holds a NUL character");
    return true;
}

/* A length-delimited value of a known field. A packed repeated field may claim eight bytes for each of its
 * own. */
static bool check_bytes(const ProtobufCFieldDescriptor *field, wire_t value, const codec_path_t *path,
                        int depth, size_t *used, nv_error_t *err)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        return check_message(field->descriptor, value, path, depth + 1, used, err);
    case PROTOBUF_C_TYPE_STRING:
        return codec_charge(used, value.length, path, err) && check_text(&value, path, err);
    case PROTOBUF_C_TYPE_BYTES:
        return codec_charge(used, value.length, path, err);
    default:
        return codec_charge(used, value.length * 8, path, err);
    }
}

/* Checks one field; w stands behind its tag. */
static bool check_field(const ProtobufCMessageDescriptor *type, uint64_t tag, wire_t *w,
                        const codec_path_t *path, int depth, size_t *used, nv_error_t *err)
{
    uint64_t number = tag >> 3;
    uint64_t value;
    if (number == 0 || number > 0x1FFFFFFF)
        return codec_fail(path, err, "malformed: field number %llu", (unsigned long long)number);
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(type, (unsigned)number);
    codec_path_t here = *path;
    if (field)
        here = (codec_path_t){.up = path, .name = field->name, .name_length = strlen(field->name)};
    /* every element costs its parser a record (some 40 bytes), known field or not */
    if (!codec_charge(used, 0, &here, err))
        return false;
    bool whole = false;
    switch (tag & 7) {
    case WIRE_VARINT:
        whole = read_varint(w, &value);
        break;
    case WIRE_64:
        whole = skip(w, 8);
        break;
    case WIRE_32:
        whole = skip(w, 4);
        break;
    case WIRE_BYTES: {
        whole = read_varint(w, &value);
        size_t start = w->at;
        whole = whole && skip(w, value);
        wire_t inner = {.data = w->data + start, .length = w->at - start};
        if (whole && field && !check_bytes(field, inner, &here, depth, used, err))
            return false;
        break;
    }
    default:
        return codec_fail(&here, err, "malformed: wire type %d", (int)(tag & 7));
    }
    return whole || codec_fail(&here, err, "malformed: cut off");
}

static bool check_message(const ProtobufCMessageDescriptor *type, wire_t w, const codec_path_t *path,
                          int depth, size_t *used, nv_error_t *err)
{
    if (depth > NV_CODEC_MAX_DEPTH)
        return codec_fail(path, err, "nested deeper than %d", NV_CODEC_MAX_DEPTH);
    if (!codec_charge(used, type->sizeof_message, path, err))
        return false;
    while (w.at < w.length) {
        uint64_t tag;
        if (!read_varint(&w, &tag))
            return codec_fail(path, err, "malformed: cut off");
        if (!check_field(type, tag, &w, path, depth, used, err))
            return false;
    }
    return true;
}

/* Unpacks so that the message owns its parts: freeing or moving it takes them along. */
static ProtobufCMessage *unpack_owned(nv_mem_t *ctx, const ProtobufCMessageDescriptor *type,
                                      const uint8_t *data, size_t length)
{
    nv_mem_t *home = nv_mem_child(ctx, "message");
    ProtobufCAllocator allocator;
    nv_mem_protobuf(home, &allocator);
    ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, length, data);
    if (!message) {
        nv_mem_free(home);
        return NULL;
    }
    nv_steal(ctx, message);
    nv_steal(message, home);
    return message;
}

void nv_pack(nv_mem_t *ctx, const ProtobufCMessage *message, uint8_t **out, size_t *out_length)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    *out = nv_alloc(ctx, size + 1);
    *out_length = protobuf_c_message_pack(message, *out);
}

bool nv_unpack(nv_mem_t *ctx, const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t length,
               ProtobufCMessage **out, nv_error_t *err)
{
    codec_path_t path = {.name = type->short_name, .name_length = strlen(type->short_name)};
    size_t used = 0;
    if (length > NV_CODEC_MAX_BYTES)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "%s: larger than %d bytes", type->short_name,
                       NV_CODEC_MAX_BYTES);
    wire_t w = {.data = data, .length = length};
    if (!check_message(type, w, &path, 1, &used, err))
        return false;
    ProtobufCMessage *message = unpack_owned(ctx, type, data, length);
    if (!message)
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: malformed: a value does not fit its field",
                       type->short_name);
    *out = message;
    return true;
}

ProtobufCMessage *nv_message_copy(nv_mem_t *ctx, const ProtobufCMessage *message)
{
    uint8_t *bytes;
    size_t length;
    nv_pack(ctx, message, &bytes, &length);
    ProtobufCMessage *copy = unpack_owned(ctx, message->descriptor, bytes, length);
    if (!copy) { /* our own bytes: only a corrupt message in memory gets here */
        fprintf(stderr, "%s cannot be copied: it is corrupt\n", message->descriptor->name);
        abort();
    }
    nv_mem_free(bytes);
    return copy;
}

#include "common/contract/field.h"

#include "common/core/buf.h"

#include <ctype.h>
#include <string.h>

static void add_path(const codec_path_t *path, nv_buf_t *out)
{
    if (path->up)
        add_path(path->up, out);
    if (!path->name)
        nv_buf_printf(out, "[%zu]", path->index);
    else
        nv_buf_printf(out, "%s%.*s", path->up ? "." : "", (int)path->name_length, path->name);
}

bool codec_fail(const codec_path_t *path, nv_error_t *err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    nv_vfail(err, NV_INVALID_ARGUMENT, fmt, args);
    va_end(args);
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("codec path");
    nv_buf_t text = nv_buf_make(ctx, 16384);
    add_path(path, &text);
    return nv_wrap(err, "%.1000s", nv_buf_text(&text));
}

bool codec_charge(size_t *used, size_t n, const codec_path_t *path, nv_error_t *err)
{
    *used += n + CODEC_ALLOCATION_COST;
    if (*used <= CODEC_MAX_MEMORY)
        return true;
    codec_fail(path, err, "the document needs more than %d bytes of memory", CODEC_MAX_MEMORY);
    err->code = NV_RESOURCE_EXHAUSTED;
    return false;
}

void *codec_member(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    return (char *)(uintptr_t)message + field->offset;
}

bool codec_is_repeated(const ProtobufCFieldDescriptor *field)
{
    return field->label == PROTOBUF_C_LABEL_REPEATED;
}

bool codec_in_oneof(const ProtobufCFieldDescriptor *field)
{
    return (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}

bool codec_has_presence(const ProtobufCFieldDescriptor *field)
{
    return !codec_is_repeated(field) && (codec_in_oneof(field) || field->type == PROTOBUF_C_TYPE_MESSAGE ||
                                         field->label == PROTOBUF_C_LABEL_OPTIONAL);
}

static void *quantifier(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    return (char *)(uintptr_t)message + field->quantifier_offset;
}

size_t codec_count(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    return *(const size_t *)quantifier(message, field);
}

static bool scalar_is_set(const void *member, ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE: {
        const char *const *pointer = member;
        return *pointer && (type == PROTOBUF_C_TYPE_MESSAGE || **pointer);
    }
    case PROTOBUF_C_TYPE_BYTES:
        return ((const ProtobufCBinaryData *)member)->len > 0;
    case PROTOBUF_C_TYPE_DOUBLE: {
        static const double zero = 0; /* -0.0 is not the default */
        return memcmp(member, &zero, sizeof zero) != 0;
    }
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return *(const uint64_t *)member != 0;
    case PROTOBUF_C_TYPE_BOOL:
        return *(const protobuf_c_boolean *)member != 0;
    default:
        return *(const uint32_t *)member != 0; /* 32-bit integers, enums, floats (bitwise) */
    }
}

bool codec_is_set(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    const void *member = codec_member(message, field);
    if (codec_is_repeated(field))
        return codec_count(message, field) > 0;
    if (codec_in_oneof(field))
        return *(const uint32_t *)quantifier(message, field) == field->id;
    if (field->label == PROTOBUF_C_LABEL_OPTIONAL) {
        if (field->type == PROTOBUF_C_TYPE_STRING) {
            const char *const *text = member;
            return *text && *text != (const char *)field->default_value;
        }
        if (field->type != PROTOBUF_C_TYPE_MESSAGE)
            return *(const protobuf_c_boolean *)quantifier(message, field) != 0;
    }
    return scalar_is_set(member, field->type);
}

void codec_mark_set(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    if (codec_in_oneof(field))
        *(uint32_t *)quantifier(message, field) = field->id;
    else if (field->label == PROTOBUF_C_LABEL_OPTIONAL && field->type != PROTOBUF_C_TYPE_STRING &&
             field->type != PROTOBUF_C_TYPE_MESSAGE)
        *(protobuf_c_boolean *)quantifier(message, field) = 1;
}

size_t codec_element_size(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return 8;
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    default:
        return 4;
    }
}

/* protobuf's rule: drop each underscore and raise the letter behind it. */
static bool equals_camel(const char *field, const char *name, size_t length)
{
    size_t at = 0;
    bool raise = false;
    for (; *field; field++) {
        if (*field == '_') {
            raise = true;
            continue;
        }
        char expected = raise ? (char)toupper((unsigned char)*field) : *field;
        raise = false;
        if (at >= length || name[at++] != expected)
            return false;
    }
    return at == length;
}

const ProtobufCFieldDescriptor *codec_field_named(const ProtobufCMessageDescriptor *type, const char *name,
                                                  size_t length)
{
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        if (strlen(field->name) == length && memcmp(field->name, name, length) == 0)
            return field;
    }
    for (unsigned i = 0; i < type->n_fields; i++)
        if (equals_camel(type->fields[i].name, name, length))
            return &type->fields[i];
    return NULL;
}

/* Canonical proto3 JSON -> message, in one pass over the tokens. */
#include "common/contract/codec.h"
#include "common/contract/field.h"
#include "common/contract/json_scalar.h"
#include "common/core/json_lexer.h"

#include <string.h>

typedef struct decoder {
    nv_mem_t *ctx;
    nv_json_lexer_t lexer;
    int flags;
    size_t used; /* bytes of memory charged so far */
} decoder_t;

static bool read_message(decoder_t *d, const ProtobufCMessageDescriptor *type, const nv_json_token_t *token,
                         const codec_path_t *path, int depth, ProtobufCMessage **out, nv_error_t *err);

/* Lexical errors get the path in front of them. */
static bool next(decoder_t *d, nv_json_token_t *token, const codec_path_t *path, nv_error_t *err)
{
    if (nv_json_lexer_next(&d->lexer, token, err))
        return true;
    nv_error_t cause = *err;
    return codec_fail(path, err, "%s", cause.message);
}

static bool unexpected(const nv_json_token_t *token, const char *expected, const codec_path_t *path,
                       nv_error_t *err)
{
    return codec_fail(path, err, "%s: expected %s", nv_json_token_name(token->kind), expected);
}

/* After an element or member: true with *more, or false on anything but a comma and the closing bracket. */
static bool read_separator(decoder_t *d, nv_json_token_kind_t close, bool *more, nv_json_token_t *token,
                           const codec_path_t *path, nv_error_t *err)
{
    if (!next(d, token, path, err))
        return false;
    *more = token->kind == NV_TOKEN_COMMA;
    if (token->kind == close)
        return true;
    if (!*more)
        return unexpected(token, close == NV_TOKEN_OBJECT_END ? "\",\" or \"}\"" : "\",\" or \"]\"", path,
                          err);
    return next(d, token, path, err);
}

static bool read_member_name(decoder_t *d, const nv_json_token_t *name, const codec_path_t *path,
                             nv_error_t *err)
{
    nv_json_token_t colon;
    if (name->kind != NV_TOKEN_STRING)
        return unexpected(name, "a field name", path, err);
    if (!next(d, &colon, path, err))
        return false;
    return colon.kind == NV_TOKEN_COLON || unexpected(&colon, "\":\"", path, err);
}

static bool skip_value(decoder_t *d, const nv_json_token_t *token, const codec_path_t *path, int depth,
                       nv_error_t *err);

static bool skip_container(decoder_t *d, bool object, const codec_path_t *path, int depth, nv_error_t *err)
{
    nv_json_token_kind_t close = object ? NV_TOKEN_OBJECT_END : NV_TOKEN_ARRAY_END;
    nv_json_token_t inner;
    if (!next(d, &inner, path, err))
        return false;
    bool more = inner.kind != close;
    while (more) {
        if (object && (!read_member_name(d, &inner, path, err) || !next(d, &inner, path, err)))
            return false;
        if (!skip_value(d, &inner, path, depth + 1, err) ||
            !read_separator(d, close, &more, &inner, path, err))
            return false;
    }
    return true;
}

/* Passes over a value that nobody wants, still checking its form. */
static bool skip_value(decoder_t *d, const nv_json_token_t *token, const codec_path_t *path, int depth,
                       nv_error_t *err)
{
    if (depth > NV_CODEC_MAX_DEPTH)
        return codec_fail(path, err, "nested deeper than %d", NV_CODEC_MAX_DEPTH);
    switch (token->kind) {
    case NV_TOKEN_OBJECT:
    case NV_TOKEN_ARRAY:
        return skip_container(d, token->kind == NV_TOKEN_OBJECT, path, depth, err);
    case NV_TOKEN_STRING:
    case NV_TOKEN_NUMBER:
    case NV_TOKEN_TRUE:
    case NV_TOKEN_FALSE:
    case NV_TOKEN_NULL:
        return true;
    default:
        return unexpected(token, "a value", path, err);
    }
}

/* One value of the field's type into `at`. */
static bool read_value(decoder_t *d, const ProtobufCFieldDescriptor *field, const nv_json_token_t *token,
                       void *at, const codec_path_t *path, int depth, nv_error_t *err)
{
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return read_message(d, field->descriptor, token, path, depth + 1, at, err);
    return codec_read_scalar(d->ctx, field, token, at, &d->used, path, err);
}

static bool read_repeated(decoder_t *d, const ProtobufCFieldDescriptor *field, nv_json_token_t *token,
                          ProtobufCMessage *message, const codec_path_t *path, int depth, nv_error_t *err)
{
    if (token->kind != NV_TOKEN_ARRAY)
        return unexpected(token, "an array", path, err);
    char **elements = codec_member(message, field);
    size_t *count = (size_t *)(void *)((char *)message + field->quantifier_offset);
    size_t size = codec_element_size(field);
    size_t capacity = 0;
    if (!next(d, token, path, err))
        return false;
    bool more = token->kind != NV_TOKEN_ARRAY_END;
    while (more) {
        codec_path_t here = {.up = path, .index = *count};
        if (token->kind == NV_TOKEN_NULL)
            return codec_fail(&here, err, "null: expected a value");
        if (*count == capacity && !codec_charge(&d->used, 2 * size * (capacity ? capacity : 8), &here, err))
            return false;
        *elements = nv_grow(d->ctx, *elements, size, *count, &capacity);
        void *at = *elements + *count * size;
        memset(at, 0, size);
        if (!read_value(d, field, token, at, &here, depth, err))
            return false;
        ++*count;
        if (!read_separator(d, NV_TOKEN_ARRAY_END, &more, token, path, err))
            return false;
    }
    return true;
}

static bool oneof_is_taken(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    return codec_in_oneof(field) &&
           *(const uint32_t *)((const char *)message + field->quantifier_offset) != 0;
}

/* The value of a known field. null means default; a oneof takes one member that is not null. */
static bool read_field(decoder_t *d, const ProtobufCFieldDescriptor *field, nv_json_token_t *token,
                       ProtobufCMessage *message, const codec_path_t *path, int depth, nv_error_t *err)
{
    if (token->kind == NV_TOKEN_NULL)
        return true;
    if (codec_is_repeated(field))
        return read_repeated(d, field, token, message, path, depth, err);
    if (oneof_is_taken(message, field))
        return codec_fail(path, err, "only one member of the oneof may be given");
    if (!read_value(d, field, token, codec_member(message, field), path, depth, err))
        return false;
    codec_mark_set(message, field);
    return true;
}

static bool unknown_field(const ProtobufCMessageDescriptor *type, const codec_path_t *path, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("field names");
    char *names = nv_strdup(ctx, "");
    for (unsigned i = 0; i < type->n_fields; i++)
        names = nv_printf(ctx, "%s%s%s", names, i ? ", " : "", type->fields[i].name);
    return codec_fail(path, err, "unknown field: %s has %s", type->short_name, *names ? names : "no fields");
}

/* One member; token is its name and leaves as the last token of its value. seen: one flag per field. */
static bool read_member(decoder_t *d, ProtobufCMessage *message, nv_json_token_t *token, bool *seen,
                        const codec_path_t *path, int depth, nv_error_t *err)
{
    nv_json_token_t name = *token;
    if (!read_member_name(d, &name, path, err))
        return false;
    const ProtobufCMessageDescriptor *type = message->descriptor;
    const ProtobufCFieldDescriptor *field = codec_field_named(type, name.text, name.length);
    codec_path_t here = {.up = path, .name = name.text, .name_length = name.length > 120 ? 120 : name.length};
    if (!next(d, token, &here, err))
        return false;
    if (!field) {
        if (d->flags & NV_CODEC_IGNORE_UNKNOWN)
            return skip_value(d, token, &here, depth + 1, err);
        return unknown_field(type, &here, err);
    }
    if (seen[field - type->fields])
        return codec_fail(&here, err, "the field is given twice");
    seen[field - type->fields] = true;
    return read_field(d, field, token, message, &here, depth, err);
}

static bool read_members(decoder_t *d, ProtobufCMessage *message, bool *seen, const codec_path_t *path,
                         int depth, nv_error_t *err)
{
    nv_json_token_t token;
    if (!next(d, &token, path, err))
        return false;
    bool more = token.kind != NV_TOKEN_OBJECT_END;
    while (more)
        if (!read_member(d, message, &token, seen, path, depth, err) ||
            !read_separator(d, NV_TOKEN_OBJECT_END, &more, &token, path, err))
            return false;
    return true;
}

static bool read_message(decoder_t *d, const ProtobufCMessageDescriptor *type, const nv_json_token_t *token,
                         const codec_path_t *path, int depth, ProtobufCMessage **out, nv_error_t *err)
{
    if (depth > NV_CODEC_MAX_DEPTH)
        return codec_fail(path, err, "nested deeper than %d", NV_CODEC_MAX_DEPTH);
    if (token->kind != NV_TOKEN_OBJECT)
        return unexpected(token, "an object", path, err);
    if (!codec_charge(&d->used, type->sizeof_message, path, err))
        return false;
    ProtobufCMessage *message = nv_alloc(d->ctx, type->sizeof_message);
    protobuf_c_message_init(type, message);
    bool *seen = NV_NEW_ARRAY(d->ctx, bool, type->n_fields + 1);
    bool ok = read_members(d, message, seen, path, depth, err);
    nv_mem_free(seen);
    *out = message;
    return ok;
}

bool nv_json_decode(nv_mem_t *ctx, const ProtobufCMessageDescriptor *type, const char *root, const char *json,
                    size_t length, int flags, ProtobufCMessage **out, nv_error_t *err)
{
    codec_path_t path = {.name = root, .name_length = strlen(root)};
    if (length > NV_CODEC_MAX_BYTES)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "%s: larger than %d bytes", root, NV_CODEC_MAX_BYTES);
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("json decode");
    nv_mem_t *home = nv_mem_child(ctx, "message");
    decoder_t d = {.ctx = home, .lexer = nv_json_lexer_make(scratch, json, length), .flags = flags};
    nv_json_token_t token;
    ProtobufCMessage *message = NULL;
    if (next(&d, &token, &path, err) && read_message(&d, type, &token, &path, 1, &message, err) &&
        next(&d, &token, &path, err)) {
        if (token.kind == NV_TOKEN_END) {
            nv_steal(ctx, message); /* the message becomes the owner of its parts */
            nv_steal(message, home);
            *out = message;
            return true;
        }
        (void)unexpected(&token, "the end of the document", &path, err);
    }
    nv_mem_free(home);
    return false;
}

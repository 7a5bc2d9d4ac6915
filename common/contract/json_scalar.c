#include "common/contract/json_scalar.h"

#include "common/core/base64.h"
#include "common/core/buf.h"

#include <math.h>
#include <string.h>

/* "expected an int32, got …", with the token's text where it helps. */
static bool mismatch(const nv_json_token_t *token, const char *expected, const codec_path_t *path,
                     nv_error_t *err)
{
    if (token->kind == NV_TOKEN_STRING || token->kind == NV_TOKEN_NUMBER) {
        const char *quote = token->kind == NV_TOKEN_STRING ? "\"" : "";
        size_t shown = token->length > 80 ? 80 : token->length;
        return codec_fail(path, err, "%s%.*s%s%s: expected %s", quote, (int)shown, token->text,
                          shown < token->length ? "…" : "", quote, expected);
    }
    return codec_fail(path, err, "%s: expected %s", nv_json_token_name(token->kind), expected);
}

static bool is_text_or_number(const nv_json_token_t *token)
{
    return token->kind == NV_TOKEN_STRING || token->kind == NV_TOKEN_NUMBER;
}

static bool read_signed(const nv_json_token_t *token, int64_t least, int64_t most, int64_t *out)
{
    bool is_integer;
    return is_text_or_number(token) && nv_json_text_int64(token->text, token->length, out, &is_integer) &&
           *out >= least && *out <= most;
}

static bool read_unsigned(const nv_json_token_t *token, uint64_t most, uint64_t *out)
{
    bool is_integer;
    return is_text_or_number(token) && nv_json_text_uint64(token->text, token->length, out, &is_integer) &&
           *out <= most;
}

static bool token_is(const nv_json_token_t *token, const char *text)
{
    return token->length == strlen(text) && memcmp(token->text, text, token->length) == 0;
}

/* A number, a number in a string, or the three names of what JSON numbers cannot say. */
static bool read_double(const nv_json_token_t *token, double *out)
{
    if (token->kind == NV_TOKEN_STRING) {
        *out = token_is(token, "NaN") ? NAN : token_is(token, "-Infinity") ? -INFINITY : INFINITY;
        if (isnan(*out) || *out < 0 || token_is(token, "Infinity"))
            return true;
    }
    return is_text_or_number(token) && nv_json_text_double(token->text, token->length, out);
}

static bool read_enum(const nv_json_token_t *token, const ProtobufCEnumDescriptor *type, int32_t *out,
                      const codec_path_t *path, nv_error_t *err)
{
    int64_t number;
    if (token->kind == NV_TOKEN_NUMBER && read_signed(token, INT32_MIN, INT32_MAX, &number) &&
        protobuf_c_enum_descriptor_get_value(type, (int)number)) {
        *out = (int32_t)number;
        return true;
    }
    for (unsigned i = 0; token->kind == NV_TOKEN_STRING && i < type->n_values; i++)
        if (token_is(token, type->values[i].name)) {
            *out = type->values[i].value;
            return true;
        }
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("enum names");
    nv_buf_t names = nv_buf_make(ctx, 4096);
    for (unsigned i = 0; i < type->n_values; i++)
        nv_buf_printf(&names, "%s%s", i ? ", " : "one of ", type->values[i].name);
    return mismatch(token, nv_buf_text(&names), path, err);
}

static bool read_string(nv_mem_t *ctx, const nv_json_token_t *token, char **out, size_t *used,
                        const codec_path_t *path, nv_error_t *err)
{
    if (token->kind != NV_TOKEN_STRING)
        return mismatch(token, "a string", path, err);
    if (memchr(token->text, '\0', token->length))
        return codec_fail(path, err, "text holds a NUL character");
    if (!codec_charge(used, token->length + 1, path, err))
        return false;
    *out = nv_strndup(ctx, token->text, token->length);
    return true;
}

static bool read_bytes(nv_mem_t *ctx, const nv_json_token_t *token, ProtobufCBinaryData *out, size_t *used,
                       const codec_path_t *path, nv_error_t *err)
{
    if (token->kind != NV_TOKEN_STRING ||
        !nv_base64_decode(ctx, token->text, token->length, &out->data, &out->len))
        return mismatch(token, "base64 text", path, err);
    return codec_charge(used, out->len, path, err);
}

static bool read_integer(const ProtobufCFieldDescriptor *field, const nv_json_token_t *token, void *at,
                         const codec_path_t *path, nv_error_t *err)
{
    int64_t number;
    uint64_t positive;
    switch (field->type) {
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        if (!read_unsigned(token, UINT32_MAX, &positive))
            return mismatch(token, "an integer from 0 to 4294967295", path, err);
        *(uint32_t *)at = (uint32_t)positive;
        return true;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return read_signed(token, INT64_MIN, INT64_MAX, at) || mismatch(token, "a 64-bit integer", path, err);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return read_unsigned(token, UINT64_MAX, at) ||
               mismatch(token, "an unsigned 64-bit integer", path, err);
    default:
        if (!read_signed(token, INT32_MIN, INT32_MAX, &number))
            return mismatch(token, "an integer from -2147483648 to 2147483647", path, err);
        *(int32_t *)at = (int32_t)number;
        return true;
    }
}

static bool read_float(const nv_json_token_t *token, float *out, const codec_path_t *path, nv_error_t *err)
{
    double number;
    if (!read_double(token, &number) || (isfinite(number) && !isfinite((float)number)))
        return mismatch(token, "a number within the range of a float", path, err);
    *out = (float)number;
    return true;
}

bool codec_read_scalar(nv_mem_t *ctx, const ProtobufCFieldDescriptor *field, const nv_json_token_t *token,
                       void *at, size_t *used, const codec_path_t *path, nv_error_t *err)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_BOOL:
        if (token->kind != NV_TOKEN_TRUE && token->kind != NV_TOKEN_FALSE)
            return mismatch(token, "true or false", path, err);
        *(protobuf_c_boolean *)at = token->kind == NV_TOKEN_TRUE;
        return true;
    case PROTOBUF_C_TYPE_FLOAT:
        return read_float(token, at, path, err);
    case PROTOBUF_C_TYPE_DOUBLE:
        return read_double(token, at) || mismatch(token, "a number", path, err);
    case PROTOBUF_C_TYPE_ENUM:
        return read_enum(token, field->descriptor, at, path, err);
    case PROTOBUF_C_TYPE_STRING:
        return read_string(ctx, token, at, used, path, err);
    case PROTOBUF_C_TYPE_BYTES:
        return read_bytes(ctx, token, at, used, path, err);
    default:
        return read_integer(field, token, at, path, err);
    }
}

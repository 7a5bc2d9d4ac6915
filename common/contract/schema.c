/* JSON Schema out of a descriptor, in the subset that every provider's structured output accepts. */
#include "common/contract/codec.h"
#include "common/contract/field.h"
#include "common/core/json.h"

#include <string.h>

typedef struct schema {
    nv_json_writer_t writer;
    const char *(*describe)(const char *field, void *arg);
    void *arg;
    const ProtobufCMessageDescriptor *open[NV_CODEC_MAX_DEPTH]; /* the types around the one being written */
    int depth;
} schema_t;

static bool put_message(schema_t *s, const char *key, const ProtobufCMessageDescriptor *type,
                        const char *description, nv_error_t *err);

static const char *scalar_name(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_BOOL:
        return "boolean";
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
        return "number";
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_ENUM:
        return "string";
    default:
        return "integer";
    }
}

static void put_description(schema_t *s, const char *description)
{
    if (description)
        nv_json_put_string(&s->writer, "description", description);
}

static bool put_value(schema_t *s, const char *key, const ProtobufCFieldDescriptor *field,
                      const char *description, nv_error_t *err)
{
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return put_message(s, key, field->descriptor, description, err);
    nv_json_open_object(&s->writer, key);
    nv_json_put_string(&s->writer, "type", scalar_name(field->type));
    put_description(s, description);
    if (field->type == PROTOBUF_C_TYPE_ENUM) {
        const ProtobufCEnumDescriptor *values = field->descriptor;
        nv_json_open_array(&s->writer, "enum");
        for (unsigned i = 0; i < values->n_values; i++)
            nv_json_put_string(&s->writer, NULL, values->values[i].name);
        nv_json_close_array(&s->writer);
    }
    nv_json_close_object(&s->writer);
    return true;
}

/* A field that may be absent is still listed as required (providers demand it) and may be null instead. */
static bool put_nullable(schema_t *s, const ProtobufCFieldDescriptor *field, const char *description,
                         nv_error_t *err)
{
    nv_json_open_object(&s->writer, field->name);
    put_description(s, description);
    nv_json_open_array(&s->writer, "anyOf");
    if (!put_value(s, NULL, field, NULL, err))
        return false;
    nv_json_open_object(&s->writer, NULL);
    nv_json_put_string(&s->writer, "type", "null");
    nv_json_close_object(&s->writer);
    nv_json_close_array(&s->writer);
    nv_json_close_object(&s->writer);
    return true;
}

static const char *describe(schema_t *s, const ProtobufCMessageDescriptor *type,
                            const ProtobufCFieldDescriptor *field)
{
    if (!s->describe)
        return NULL;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("field name");
    return s->describe(nv_printf(ctx, "%s.%s", type->name, field->name), s->arg);
}

static bool put_field(schema_t *s, const ProtobufCMessageDescriptor *type,
                      const ProtobufCFieldDescriptor *field, nv_error_t *err)
{
    const char *description = describe(s, type, field);
    if (codec_is_repeated(field)) {
        nv_json_open_object(&s->writer, field->name);
        nv_json_put_string(&s->writer, "type", "array");
        put_description(s, description);
        if (!put_value(s, "items", field, NULL, err))
            return false;
        nv_json_close_object(&s->writer);
        return true;
    }
    if (codec_in_oneof(field) || field->label == PROTOBUF_C_LABEL_OPTIONAL)
        return put_nullable(s, field, description, err);
    return put_value(s, field->name, field, description, err);
}

static bool enter(schema_t *s, const ProtobufCMessageDescriptor *type, nv_error_t *err)
{
    for (int i = 0; i < s->depth; i++)
        if (s->open[i] == type)
            return nv_fail(err, NV_INVALID_ARGUMENT, "%s contains itself: no JSON Schema without recursion",
                           type->name);
    if (s->depth == NV_CODEC_MAX_DEPTH / 4) /* a level of nesting takes up to four in the schema */
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: nested deeper than %d", type->name,
                       NV_CODEC_MAX_DEPTH / 4);
    s->open[s->depth++] = type;
    return true;
}

static bool put_message(schema_t *s, const char *key, const ProtobufCMessageDescriptor *type,
                        const char *description, nv_error_t *err)
{
    if (!enter(s, type, err))
        return false;
    nv_json_open_object(&s->writer, key);
    nv_json_put_string(&s->writer, "type", "object");
    put_description(s, description);
    nv_json_open_object(&s->writer, "properties");
    for (unsigned i = 0; i < type->n_fields; i++)
        if (!put_field(s, type, &type->fields[i], err))
            return false;
    nv_json_close_object(&s->writer);
    nv_json_open_array(&s->writer, "required");
    for (unsigned i = 0; i < type->n_fields; i++)
        nv_json_put_string(&s->writer, NULL, type->fields[i].name);
    nv_json_close_array(&s->writer);
    nv_json_put_bool(&s->writer, "additionalProperties", false);
    nv_json_close_object(&s->writer);
    s->depth--;
    return true;
}

bool nv_json_schema(nv_mem_t *ctx, const ProtobufCMessageDescriptor *type,
                    const char *(*describe_field)(const char *field, void *arg), void *arg, char **out,
                    nv_error_t *err)
{
    schema_t s = {.writer = nv_json_writer_make(ctx, NV_CODEC_MAX_BYTES, false),
                  .describe = describe_field,
                  .arg = arg};
    return put_message(&s, NULL, type, NULL, err) &&
           nv_json_write_end(&s.writer, type->short_name, out, NULL, err);
}

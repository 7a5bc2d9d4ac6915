#include "random_message.h"

#include "nuvyn/control.pb-c.h"
#include "nuvyn/design.pb-c.h"
#include "nuvyn/profile.pb-c.h"
#include "nuvyn/quality.pb-c.h"
#include "nuvyn/reflection.pb-c.h"
#include "nuvyn/sttm.pb-c.h"
#include "nuvyn/worker.pb-c.h"

#include <math.h>
#include <string.h>

const ProtobufCMessageDescriptor *const contract_types[] = {
    &nv__profile__descriptor,
    &nv__survey__descriptor,
    &nv__relations__descriptor,
    &nv__star_schema__descriptor,
    &nv__sttm__descriptor,
    &nv__validation__descriptor,
    &nv__review__descriptor,
    &nv__execution__descriptor,
    &nv__project__descriptor,
    &nv__deployment__descriptor,
    &nv__scorecard__descriptor,
    &nv__knowledge_case__descriptor,
    &nv__knowledge_hits__descriptor,
    &nv__worker_message__descriptor,
    &nv__control_message__descriptor,
    &nv__document_chunk__descriptor,
    NULL,
};

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t draw(uint64_t *seed)
{
    uint64_t z = *seed += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static uint64_t random_bits(uint64_t *seed)
{
    static const uint64_t borders[] = {0,
                                       1,
                                       UINT64_MAX,
                                       INT64_MAX,
                                       (uint64_t)INT64_MIN,
                                       1ull << 53,
                                       (1ull << 53) + 1,
                                       INT32_MAX,
                                       (uint64_t)INT32_MIN,
                                       UINT32_MAX,
                                       8812345678901234567u};
    uint64_t pick = draw(seed);
    return pick % 3 ? draw(seed) >> (pick % 61) : borders[draw(seed) % (sizeof borders / sizeof borders[0])];
}

static double random_double(uint64_t *seed)
{
    static const double odd[] = {0.0,      -0.0,   1e-308, 1.7976931348623157e308, 0.1,
                                 -1.0 / 3, 5e-324, 1e15,   123456789.125};
    uint64_t pick = draw(seed);
    if (pick % 4 == 0)
        return odd[draw(seed) % (sizeof odd / sizeof odd[0])];
    if (pick % 31 == 1)
        return pick & 64 ? INFINITY : -INFINITY;
    return ((double)(int64_t)draw(seed)) / (double)(1 + draw(seed) % 1000000);
}

static char *random_text(nv_mem_t *ctx, uint64_t *seed)
{
    static const char *const pieces[] = {"a", "Z9_", "\"", "\\", "\n",        "\t",     "\x01", "\x7f",
                                         "é", "漢",  "😀",  "/",  "</script>", "\u2028", " ",    "null"};
    char *text = nv_strdup(ctx, "");
    for (uint64_t n = draw(seed) % 6; n > 0; n--)
        text = nv_printf(ctx, "%s%s", text, pieces[draw(seed) % (sizeof pieces / sizeof pieces[0])]);
    return text;
}

static void random_value(nv_mem_t *ctx, const ProtobufCFieldDescriptor *field, void *at, uint64_t *seed,
                         int depth)
{
    uint64_t bits = random_bits(seed);
    switch (field->type) {
    case PROTOBUF_C_TYPE_DOUBLE:
        *(double *)at = random_double(seed);
        break;
    case PROTOBUF_C_TYPE_FLOAT:
        *(float *)at = (float)((double)(int32_t)bits / 1024.0);
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        *(uint64_t *)at = bits;
        break;
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)at = bits & 1;
        break;
    case PROTOBUF_C_TYPE_ENUM: {
        const ProtobufCEnumDescriptor *type = field->descriptor;
        *(int32_t *)at = type->values[draw(seed) % type->n_values].value;
        break;
    }
    case PROTOBUF_C_TYPE_STRING:
        *(char **)at = random_text(ctx, seed);
        break;
    case PROTOBUF_C_TYPE_BYTES: {
        ProtobufCBinaryData *bytes = at;
        bytes->len = draw(seed) % 20;
        bytes->data = nv_alloc(ctx, 20);
        for (size_t i = 0; i < bytes->len; i++)
            bytes->data[i] = (uint8_t)draw(seed);
        break;
    }
    case PROTOBUF_C_TYPE_MESSAGE:
        *(ProtobufCMessage **)at = random_message(ctx, field->descriptor, seed, depth - 1);
        break;
    default:
        *(uint32_t *)at = (uint32_t)bits;
    }
}

static size_t value_size(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_BOOL:
        return 4;
    default:
        return 8;
    }
}

static void random_field(nv_mem_t *ctx, ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                         uint64_t *seed, int depth)
{
    char *at = (char *)message + field->offset;
    void *quantifier = (char *)message + field->quantifier_offset;
    if (draw(seed) % 4 == 0 || (field->type == PROTOBUF_C_TYPE_MESSAGE && depth == 0))
        return;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t n = draw(seed) % 4;
        size_t size = value_size(field->type);
        char *elements = nv_alloc_array(ctx, size, n + 1);
        for (size_t i = 0; i < n; i++)
            random_value(ctx, field, elements + i * size, seed, depth);
        *(size_t *)quantifier = n;
        memcpy(at, &elements, sizeof elements);
        return;
    }
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
        if (*(uint32_t *)quantifier != 0)
            return;
        *(uint32_t *)quantifier = field->id;
    } else if (field->label == PROTOBUF_C_LABEL_OPTIONAL && field->type != PROTOBUF_C_TYPE_MESSAGE &&
               field->type != PROTOBUF_C_TYPE_STRING) {
        *(protobuf_c_boolean *)quantifier = 1;
    }
    random_value(ctx, field, at, seed, depth);
}

ProtobufCMessage *random_message(nv_mem_t *ctx, const ProtobufCMessageDescriptor *type, uint64_t *seed,
                                 int max_depth)
{
    ProtobufCMessage *message = nv_alloc(ctx, type->sizeof_message);
    protobuf_c_message_init(type, message);
    unsigned start = type->n_fields ? (unsigned)(draw(seed) % type->n_fields) : 0;
    for (unsigned i = 0; i < type->n_fields; i++)
        random_field(ctx, message, &type->fields[(start + i) % type->n_fields], seed, max_depth);
    return message;
}

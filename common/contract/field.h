/* Private to the codec: access to a message's members through protobuf-c's descriptors, and the path of a
 * member. */
#ifndef NV_CONTRACT_FIELD_H
#define NV_CONTRACT_FIELD_H

#include "common/core/error.h"
#include "common/core/mem.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where we are in a document, as a chain on the stack; rendered only when something is wrong. */
typedef struct codec_path {
    const struct codec_path *up; /* NULL: name is the document's */
    const char *name;            /* a field's name, or NULL for an element */
    size_t name_length;
    size_t index;
} codec_path_t;

/* Fails with INVALID_ARGUMENT "<path>: <message>". Always false. */
bool codec_fail(const codec_path_t *path, nv_error_t *err, const char *fmt, ...) NV_PRINTF(3, 4);

/* Bytes that messages may take in memory, whatever the size of their text: "[{},{},…]" grows a hundredfold.
 */
enum { CODEC_MAX_MEMORY = 1024 * 1024 * 1024, CODEC_ALLOCATION_COST = 96 };

/* Charges n bytes and one allocation to *used; false with RESOURCE_EXHAUSTED beyond the limit. */
bool codec_charge(size_t *used, size_t n, const codec_path_t *path, nv_error_t *err);

/* Address of a field in a message: of the value itself, or of the pointer to elements for a repeated one. */
void *codec_member(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);
size_t codec_count(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);
bool codec_is_repeated(const ProtobufCFieldDescriptor *field);
bool codec_in_oneof(const ProtobufCFieldDescriptor *field);
/* Fields that tell absent from default: oneof members, `optional`, messages. */
bool codec_has_presence(const ProtobufCFieldDescriptor *field);
/* Present (presence fields) or different from the default (the others); repeated: not empty. */
bool codec_is_set(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);
/* Marks a presence field as set: the has_ flag or the oneof's case. */
void codec_mark_set(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);

/* Size of one element of a repeated field. */
size_t codec_element_size(const ProtobufCFieldDescriptor *field);

/* The field of this name: original or lowerCamelCase; NULL when there is none. */
const ProtobufCFieldDescriptor *codec_field_named(const ProtobufCMessageDescriptor *type, const char *name,
                                                  size_t length);

#endif

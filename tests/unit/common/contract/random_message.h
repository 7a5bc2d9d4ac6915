/* Seeded random messages of any type, for property tests: every field kind, borders of every range. */
#ifndef NV_TESTS_RANDOM_MESSAGE_H
#define NV_TESTS_RANDOM_MESSAGE_H

#include "common/core/mem.h"

#include <protobuf-c/protobuf-c.h>

/* The same seed gives the same message. Message fields end at max_depth. */
ProtobufCMessage *random_message(nv_mem_t *ctx, const ProtobufCMessageDescriptor *type, uint64_t *seed,
                                 int max_depth);

/* All message types of the contracts, NULL at the end. */
extern const ProtobufCMessageDescriptor *const contract_types[];

#endif

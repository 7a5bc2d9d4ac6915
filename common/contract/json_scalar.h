/* Private to the codec: one JSON token -> one scalar value of a field's type. */
#ifndef NV_CONTRACT_JSON_SCALAR_H
#define NV_CONTRACT_JSON_SCALAR_H

#include "common/contract/field.h"
#include "common/core/json_lexer.h"

/* Stores the token's value at `at` (a member or element of the field's type, not a message). Strings and
 * bytes go below ctx; their memory is charged to *used. */
bool codec_read_scalar(nv_mem_t *ctx, const ProtobufCFieldDescriptor *field, const nv_json_token_t *token,
                       void *at, size_t *used, const codec_path_t *path, nv_error_t *err) NV_MUST_CHECK;

#endif

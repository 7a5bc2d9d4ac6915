/* Shared by the files of this folder only. */
#ifndef CONTROLPLANE_TENANCY_INTERNAL_H
#define CONTROLPLANE_TENANCY_INTERNAL_H

#include "controlplane/tenancy/seal.h"

enum { KEY_ID_BYTES = 8 };

/* Memory that is wiped when its context is freed. The bytes are followed by a NUL. */
typedef struct secret_block {
    size_t length;
    uint8_t data[];
} secret_block_t;
uint8_t *secret_new(nv_mem_t *ctx, size_t length);

/* What tells keys apart without telling them. */
void key_id(const uint8_t *key, uint8_t out[KEY_ID_BYTES]);
/* The id of the key that sealed this; DATA_LOSS when it is none of ours. */
bool sealed_key_id(nv_bytes_t sealed, uint8_t out[KEY_ID_BYTES], nv_error_t *err) NV_MUST_CHECK;

#endif

/* Looking up key-encryption keys. Shared by the files of this folder only. */
#ifndef CONTROLPLANE_TENANCY_KEYS_H
#define CONTROLPLANE_TENANCY_KEYS_H

#include "controlplane/tenancy/internal.h"

const uint8_t *keys_newest(const tenancy_keys_t *keys);
/* NULL when it is not among them. */
const uint8_t *keys_find(const tenancy_keys_t *keys, const uint8_t id[KEY_ID_BYTES]);

#endif

/* For the tests of the proof: raw files, and mappings that name them. */
#ifndef TESTS_UNIT_WORKER_VALIDATION_MAPPING_H
#define TESTS_UNIT_WORKER_VALIDATION_MAPPING_H

#include "common/core/mem.h"
#include "nuvyn/sttm.pb-c.h"

/* <folder>/<name> with this text; fails the test where it cannot be written. */
void test_write_file(const char *folder, const char *name, const char *text);

/* mapping.json, shop.json: with @DIR@ replaced by the folder. */
Nv__Sttm *test_mapping(nv_mem_t *ctx, const char *name, const char *folder);

#endif

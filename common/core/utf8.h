/* UTF-8 checks at the borders (Unicode 15, table 3-7: no overlong forms, no surrogates, nothing above
 * U+10FFFF). */
#ifndef NV_CORE_UTF8_H
#define NV_CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length in bytes of the well-formed sequence at text[0], or 0 when it is malformed or length is 0. */
size_t nv_utf8_sequence(const char *text, size_t length);

bool nv_utf8_valid(const char *text, size_t length);

/* The largest cut <= at that does not fall inside a sequence of the (valid) text. */
size_t nv_utf8_floor(const char *text, size_t at);

/* Writes code point (a scalar value) to out; returns 1 … 4. */
size_t nv_utf8_encode(uint32_t code_point, char out[static 4]);

#endif

/* A strict JSON tokenizer (RFC 8259), the one below both JSON readers: the contract codec (messages) and
 * json.h (foreign documents).
 *
 * Why not cJSON: it keeps numbers as doubles, so that an int64 id is changed silently; cuts strings at an
 * escaped NUL; and lets duplicate keys and malformed UTF-8 through. Here a number stays its text, and a
 * string its bytes.
 *
 * Input is hostile. Errors are INVALID_ARGUMENT and name line and column. Strings are valid UTF-8; lone
 * surrogates and raw control characters are refused; \u0000 is delivered as a NUL byte, so compare length
 * with strlen. Threads: one at a time.
 */
#ifndef NV_CORE_JSON_LEXER_H
#define NV_CORE_JSON_LEXER_H

#include "common/core/error.h"
#include "common/core/mem.h"

#include <stddef.h>
#include <stdint.h>

typedef enum nv_json_token_kind {
    NV_TOKEN_END = 0,
    NV_TOKEN_STRING = '"',
    NV_TOKEN_NUMBER = '0',
    NV_TOKEN_TRUE = 't',
    NV_TOKEN_FALSE = 'f',
    NV_TOKEN_NULL = 'n',
    NV_TOKEN_OBJECT = '{',
    NV_TOKEN_OBJECT_END = '}',
    NV_TOKEN_ARRAY = '[',
    NV_TOKEN_ARRAY_END = ']',
    NV_TOKEN_COMMA = ',',
    NV_TOKEN_COLON = ':',
} nv_json_token_kind_t;

typedef struct nv_json_token {
    nv_json_token_kind_t kind;
    const char *text; /* STRING: decoded; NUMBER: as written. Not NUL-terminated; in the input or below ctx */
    size_t length;
    size_t offset; /* of its first byte in the input */
} nv_json_token_t;

typedef struct nv_json_lexer {
    nv_mem_t *ctx; /* holds strings with escapes */
    const char *data;
    size_t length;
    size_t at;
} nv_json_lexer_t;

/* data is borrowed and must outlive the tokens. A leading UTF-8 byte order mark is skipped. */
nv_json_lexer_t nv_json_lexer_make(nv_mem_t *ctx, const char *data, size_t length);

bool nv_json_lexer_next(nv_json_lexer_t *lexer, nv_json_token_t *out, nv_error_t *err) NV_MUST_CHECK;

/* "a string", "an object" …; static. */
const char *nv_json_token_name(nv_json_token_kind_t kind);

/* Fails with INVALID_ARGUMENT "line L, column C: <message>" for the offset. Always false. */
bool nv_json_lexer_fail(const nv_json_lexer_t *lexer, size_t offset, nv_error_t *err, const char *fmt, ...)
    NV_PRINTF(4, 5);

/* The exact int64 of a JSON number's text: an integer, also written with a fraction of zeros or an exponent
 * ("1.0", "2e3"). False when it is no integer or does not fit; *is_integer tells which. Never goes through a
 * double. */
bool nv_json_text_int64(const char *text, size_t length, int64_t *out, bool *is_integer);
bool nv_json_text_uint64(const char *text, size_t length, uint64_t *out, bool *is_integer);
/* The nearest double; false when it is not a JSON number or overflows. Independent of the locale. */
bool nv_json_text_double(const char *text, size_t length, double *out);

#endif

/* Foreign JSON (REST replies and requests): an int64-safe reader and writer. Contract messages do not come
 * here; they have common/contract/codec.h. The tokenizer and its reasons are in json_lexer.h.
 *
 * The reader builds an immutable tree below ctx. Numbers stay text until asked for, so ids of 19 digits
 * survive. Paths are "state.life_cycle_state", "tasks[3].run_id"; a typed getter's error names document, path
 * and what was expected: jobs/list: jobs[3].job_id: expected an integer, got "x" Foreign documents may carry
 * more fields than we know: unknown ones are ignored, and of duplicate keys the last wins. Threads: a tree
 * may be read by several, a writer belongs to one.
 */
#ifndef NV_CORE_JSON_H
#define NV_CORE_JSON_H

#include "common/core/buf.h"
#include "common/core/error.h"
#include "common/core/mem.h"

#include <stddef.h>
#include <stdint.h>

typedef struct nv_json nv_json_t;

typedef enum nv_json_kind {
    NV_JSON_NULL,
    NV_JSON_BOOL,
    NV_JSON_NUMBER,
    NV_JSON_STRING,
    NV_JSON_ARRAY,
    NV_JSON_OBJECT,
} nv_json_kind_t;

/* Hard limits of the reader. */
enum { NV_JSON_MAX_BYTES = 64 * 1024 * 1024, NV_JSON_MAX_DEPTH = 128, NV_JSON_MAX_NODES = 4 * 1024 * 1024 };

/* Reads a whole document; `what` names it in errors and is copied. text is copied where needed. */
bool nv_json_parse(nv_mem_t *ctx, const char *what, const char *text, size_t length, const nv_json_t **out,
                   nv_error_t *err) NV_MUST_CHECK;

/* The value at path, or NULL when it is absent. node may be NULL; "" is node itself. JSON null is a value. */
const nv_json_t *nv_json_get(const nv_json_t *node, const char *path);
/* The member with exactly this key (which may hold dots), or NULL. */
const nv_json_t *nv_json_member(const nv_json_t *node, const char *key);
/* NULL counts as null. */
nv_json_kind_t nv_json_kind(const nv_json_t *node);
/* Elements of an array or members of an object, in document order; 0 for anything else and NULL. */
size_t nv_json_size(const nv_json_t *node);
const nv_json_t *nv_json_at(const nv_json_t *node, size_t index);
const char *nv_json_key_at(const nv_json_t *node, size_t index);

/* Required values: absent, null or of another type is INVALID_ARGUMENT. Integers may also come as a string of
 * digits. A string with a NUL byte inside is refused. Results are borrowed from the tree. */
bool nv_json_string(const nv_json_t *node, const char *path, const char **out, nv_error_t *err) NV_MUST_CHECK;
bool nv_json_int64(const nv_json_t *node, const char *path, int64_t *out, nv_error_t *err) NV_MUST_CHECK;
bool nv_json_double(const nv_json_t *node, const char *path, double *out, nv_error_t *err) NV_MUST_CHECK;
bool nv_json_bool(const nv_json_t *node, const char *path, bool *out, nv_error_t *err) NV_MUST_CHECK;
bool nv_json_array(const nv_json_t *node, const char *path, const nv_json_t **out,
                   nv_error_t *err) NV_MUST_CHECK;

/* Values that may be absent or odd: the fallback when not there or not of the type. For what only decorates.
 */
const char *nv_json_string_or(const nv_json_t *node, const char *path, const char *fallback);
int64_t nv_json_int64_or(const nv_json_t *node, const char *path, int64_t fallback);
bool nv_json_bool_or(const nv_json_t *node, const char *path, bool fallback);

/* The scalar as text: a string's bytes, a number as written, true/false; NULL for the rest. Borrowed. */
const char *nv_json_scalar_text(const nv_json_t *node);

/* Writer: commas and escapes are its work; nesting mistakes are asserted. key is NULL for array elements and
 * the root. Text that is not UTF-8 makes nv_json_write_end fail, naming the key. */
typedef struct nv_json_writer {
    nv_buf_t buf;
    bool pretty;
    int depth;
    bool filled[2 * NV_JSON_MAX_DEPTH]; /* the container at this depth has an element; room for a value of
                                           full depth inside another document */
    char bad_key[64];
    bool bad;
} nv_json_writer_t;

nv_json_writer_t nv_json_writer_make(nv_mem_t *ctx, size_t maximum, bool pretty);
void nv_json_open_object(nv_json_writer_t *w, const char *key);
void nv_json_close_object(nv_json_writer_t *w);
void nv_json_open_array(nv_json_writer_t *w, const char *key);
void nv_json_close_array(nv_json_writer_t *w);
void nv_json_put_string(nv_json_writer_t *w, const char *key, const char *value);
void nv_json_put_text(nv_json_writer_t *w, const char *key, const char *value, size_t length);
void nv_json_put_int64(nv_json_writer_t *w, const char *key, int64_t value);
void nv_json_put_uint64(nv_json_writer_t *w, const char *key, uint64_t value);
/* The shortest text that reads back as the same double; value must be finite. */
void nv_json_put_double(nv_json_writer_t *w, const char *key, double value);
void nv_json_put_float(nv_json_writer_t *w, const char *key, float value);
void nv_json_put_bool(nv_json_writer_t *w, const char *key, bool value);
void nv_json_put_null(nv_json_writer_t *w, const char *key);
/* json must be one valid JSON value. */
void nv_json_put_raw(nv_json_writer_t *w, const char *key, const char *json);
/* Copies a value read elsewhere, numbers to the digit. */
void nv_json_put_value(nv_json_writer_t *w, const char *key, const nv_json_t *value);
/* The finished text, below the writer's ctx. out_length may be NULL. */
bool nv_json_write_end(nv_json_writer_t *w, const char *what, char **out, size_t *out_length,
                       nv_error_t *err) NV_MUST_CHECK;

#endif

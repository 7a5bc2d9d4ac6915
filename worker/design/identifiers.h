/* Identifiers for Spark SQL tables and columns, made from any name. Pure; one namer belongs to one thread. */
#ifndef WORKER_DESIGN_IDENTIFIERS_H
#define WORKER_DESIGN_IDENTIFIERS_H

#include "worker/design/name_index.h"

#include <stdbool.h>
#include <stddef.h>

enum { IDENTIFIER_MAX = 60 };

/* Lower snake case of ASCII letters, digits and "_", starting with a letter, at most IDENTIFIER_MAX bytes, never a reserved word
 * of Spark SQL ("order" becomes "order_"); common Latin letters lose their accents, whatever else cannot be written is dropped; a
 * name of which nothing is left becomes `fallback`. */
char *identifier_make(nv_mem_t *ctx, const char *name, const char *fallback);
bool identifier_is_valid(const char *text);

/* Names that are unique in one scope: a repeated one gets "_2", "_3" … */
typedef struct namer {
    nv_mem_t *ctx;
    name_index_t *used;
} namer_t;

namer_t namer_make(nv_mem_t *ctx);
char *namer_take(namer_t *namer, const char *wanted);
bool namer_has(const namer_t *namer, const char *name);

#endif

/* Values in the form that most values of their column have, classified and parsed in one go. Pure.
 *
 * A shortcut, no second opinion: what it takes has the class that value_classify gives and the value that parser_parse
 * gives; everything else it leaves to them.
 */
#ifndef WORKER_PROFILING_PLAIN_H
#define WORKER_PROFILING_PLAIN_H

#include "worker/profiling/csv.h"
#include "worker/profiling/infer.h"
#include "worker/profiling/parser.h"

/* The same for n fields at once; taken[i] says which. What differs by the column is decided once for all of them. */
void plain_read_all(const parser_t *parser, const csv_field_t *fields, size_t n, value_class_t *classes,
                    parsed_t *values, bool *taken);
/* text is trimmed and not empty. False: take the long way; class and out are then of no use. */
bool plain_read(const parser_t *parser, const char *text, size_t length, value_class_t *class, parsed_t *out);

#endif

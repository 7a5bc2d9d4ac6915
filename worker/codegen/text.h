/* Text of the generated project: Python literals, Spark SQL literals and names, comments. Whatever a mapping holds
 * (quotes, line breaks, keywords, emoji, directions marks) comes out as data, never as code. Pure; results below ctx.
 * Input is valid UTF-8, which the contract codec guarantees.
 */
#ifndef WORKER_CODEGEN_TEXT_H
#define WORKER_CODEGEN_TEXT_H

#include "common/core/mem.h"

#include <stdbool.h>
#include <stddef.h>

/* A double-quoted Python string literal. */
char *py_string(nv_mem_t *ctx, const char *text);
/* ("a", "b") with the trailing comma that a tuple of one needs; () when empty. */
char *py_tuple(nv_mem_t *ctx, char **texts, size_t count);
/* One line for a comment or a Markdown cell: control characters become blanks; cut to `most` bytes at a character. */
char *py_comment(nv_mem_t *ctx, const char *text, size_t most);
/* A Python name made of text: ASCII letters, digits and _, not beginning with a digit. */
char *py_name(nv_mem_t *ctx, const char *text);

/* `name` with backticks doubled. */
char *spark_name(nv_mem_t *ctx, const char *name);
/* 'text' with backslashes and quotes escaped. */
char *spark_literal(nv_mem_t *ctx, const char *text);
/* F.col("alias.column"), with backticks where the column is no plain identifier. alias is one. */
char *spark_column(nv_mem_t *ctx, const char *alias, const char *column);

/* [A-Za-z_][A-Za-z0-9_]*, at most 255 long. */
bool is_plain_name(const char *text);

#endif

/* Writing HTML into a bounded buffer: text is always escaped, markup is always a literal. Pure. */
#ifndef WORKER_REPORT_HTML_H
#define WORKER_REPORT_HTML_H

#include "common/core/buf.h"

/* Escaped text: safe as element content and inside double-quoted attributes. NULL writes nothing. */
void html_text(nv_buf_t *buf, const char *text);
/* Formats, then escapes. */
void html_textf(nv_buf_t *buf, const char *fmt, ...) NV_PRINTF(2, 3);
/* <tag class="class">text</tag>, text escaped; class may be NULL. */
void html_element(nv_buf_t *buf, const char *tag, const char *css_class, const char *text);
/* Escaped text of at most `most` bytes, cut between characters and marked with "…" where it is longer. */
void html_short(nv_buf_t *buf, const char *text, size_t most);
/* A table with a head, for each of a NULL-terminated list a <th>; ">title" is over numbers. The label names the frame in which it
 * scrolls, which the keyboard reaches, too. html_scroll_open opens the frame alone; html_table_close ends table and frame. */
void html_table_open(nv_buf_t *buf, const char *label, const char *const *titles);
void html_scroll_open(nv_buf_t *buf, const char *label);
void html_table_close(nv_buf_t *buf);
/* An integer with thousands separators. */
void html_count(nv_buf_t *buf, int64_t value);

#endif

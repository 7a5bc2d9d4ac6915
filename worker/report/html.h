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
/* <th>…</th> for each of a NULL-terminated list, inside <thead><tr>; ">title" is over numbers. */
void html_table_head(nv_buf_t *buf, const char *const *titles);
/* An integer with thousands separators. */
void html_count(nv_buf_t *buf, int64_t value);

#endif

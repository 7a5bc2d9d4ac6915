/* Private to the prompts: untrusted text. */
#ifndef WORKER_PROMPTS_QUOTE_H
#define WORKER_PROMPTS_QUOTE_H

#include "common/core/buf.h"
#include "nuvyn/profile.pb-c.h"

enum { QUOTE_NAME_MAX = 80, QUOTE_VALUE_MAX = 40, QUOTE_TEXT_MAX = 400 };

/* What every system prompt says about the fence. */
extern const char quote_warning[];

/* "text" cut to max bytes ("…" marks it): quotes and backslashes escaped, control characters and malformed bytes as "?",
 * "<" as \u003c. */
void quote_add(nv_buf_t *out, const char *text, size_t max);
/* quote_add of each, with ", " between them. */
void quote_add_list(nv_buf_t *out, char *const *texts, size_t n, size_t max);

/* "text", "integer" …; static. */
const char *quote_type_name(Nv__ValueType type);

#endif

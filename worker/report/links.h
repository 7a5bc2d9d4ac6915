/* Which table of the star a column refers to; private to worker/report. */
#ifndef WORKER_REPORT_LINKS_H
#define WORKER_REPORT_LINKS_H

#include "nuvyn/sttm.pb-c.h"

#include <stdbool.h>
#include <stddef.h>

/* True, with its index in *to, when the column of target `from` is a foreign key to another target (a date key refers to the
 * date dimension). */
bool report_refers_to(const Nv__Sttm *sttm, size_t from, const Nv__SttmColumn *column, size_t *to);

#endif

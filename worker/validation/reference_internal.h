/* Internal to nv_validation: the reference's two halves. */
#ifndef WORKER_VALIDATION_REFERENCE_INTERNAL_H
#define WORKER_VALIDATION_REFERENCE_INTERNAL_H

#include "worker/validation/plan.h"
#include "worker/validation/reference.h"

/* catalog.schema.name of a table of the reference. */
char *reference_table(const planner_t *p, const char *name);
/* Statements for one table of the star. */
void reference_create_target(planner_t *p, const Nv__SttmTarget *target);
void reference_load_target(planner_t *p, const Nv__SttmTarget *target);
/* SELECT of the calendar's days, typed as the target's columns; of `day`. */
char *reference_calendar(const planner_t *p, const Nv__SttmTarget *target);

#endif

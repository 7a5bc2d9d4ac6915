/* Faults on demand, for tests (--test-faults): the next N calls that match answer something else, or lose their reply after
 * the effect. Set and cleared over POST and DELETE /test/faults. Threads: any. */
#ifndef NV_WORKSPACE_FAULT_H
#define NV_WORKSPACE_FAULT_H

#include "workspace/app.h"

ws_faults_t *ws_faults_new(void);
void ws_faults_free(ws_faults_t *faults);

/* True when the reply is already made and the call must not be carried out. faults may be NULL. */
bool ws_fault_before(ws_faults_t *faults, ws_request_t *request);
/* True when the line must be cut instead of replying. */
bool ws_fault_after(ws_faults_t *faults, ws_request_t *request);

#endif

/* Who may call what: one table, deny by default.
 *
 * A method is the full gRPC path ("/nuvyn.v1.RunService/GetRun"). Whether a worker's pool serves the tenant
 * of a task is decided by the service (it knows the pools); this table decides the rest; which
 * tenant a user may name, nv_policy_tenant(). Pure, safe from any
 * thread.
 */
#ifndef NV_IDENTITY_POLICY_H
#define NV_IDENTITY_POLICY_H

#include "common/identity/spiffe.h"

/* PERMISSION_DENIED unless a rule lets this kind of identity call the method. */
bool nv_policy_allow(const nv_identity_t *peer, const char *method, nv_error_t *err) NV_MUST_CHECK;

/* The tenant a call is about: a user's own (naming another is PERMISSION_DENIED), for an operator the
 * requested one, which must then be given. *out is borrowed from peer or requested. */
bool nv_policy_tenant(const nv_identity_t *peer, const char *requested, const char **out,
                      nv_error_t *err) NV_MUST_CHECK;

#endif

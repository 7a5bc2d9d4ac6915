#include "common/identity/policy.h"

#include <string.h>

enum {
    WORKER = NV_IDENTITY_WORKER,
    USER = NV_IDENTITY_USER,
    OPERATOR = NV_IDENTITY_OPERATOR,
    SCALER = NV_IDENTITY_SCALER,
    ANYONE = NV_IDENTITY_CONTROLPLANE | NV_IDENTITY_WORKSPACE | NV_IDENTITY_WORKER | NV_IDENTITY_USER |
             NV_IDENTITY_OPERATOR | NV_IDENTITY_SCALER,
};

typedef struct rule {
    const char *method; /* a whole path, or a prefix that ends in "/" */
    unsigned kinds;     /* nv_identity_kind_t, or-ed */
} rule_t;

/* The longest match wins, so that a single method can be stricter or looser than its service. */
static const rule_t rules[] = {
    {"/grpc.health.v1.Health/", ANYONE},
    {"/grpc.reflection.v1.ServerReflection/", USER | OPERATOR},
    {"/grpc.reflection.v1alpha.ServerReflection/", USER | OPERATOR},
    {"/externalscaler.ExternalScaler/", SCALER | OPERATOR},
    {"/nuvyn.v1.WorkerService/", WORKER},
    {"/nuvyn.v1.RunService/", USER | OPERATOR},
    {"/nuvyn.v1.KnowledgeService/", USER | OPERATOR},
    {"/nuvyn.v1.AdminService/", OPERATOR},
    {"/nuvyn.v1.AdminService/DescribeTenant", USER | OPERATOR},
    {"/nuvyn.v1.AdminService/SetCredential", USER | OPERATOR},
    {"/nuvyn.v1.AdminService/RemoveCredential", USER | OPERATOR},
    {"/nuvyn.v1.AdminService/GetStatus", USER | OPERATOR},
};

static bool matches(const rule_t *rule, const char *method)
{
    size_t length = strlen(rule->method);
    if (rule->method[length - 1] == '/')
        return strncmp(rule->method, method, length) == 0;
    return strcmp(rule->method, method) == 0;
}

static const rule_t *best_rule(const char *method)
{
    const rule_t *best = NULL;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (matches(&rules[i], method) && (!best || strlen(rules[i].method) > strlen(best->method)))
            best = &rules[i];
    return best;
}

bool nv_policy_allow(const nv_identity_t *peer, const char *method, nv_error_t *err)
{
    const rule_t *rule = best_rule(method);
    if (rule && (rule->kinds & (unsigned)peer->kind))
        return true;
    return nv_fail(err, NV_PERMISSION_DENIED, "%.200s: not allowed for %s \"%s\"", method,
                   nv_identity_kind_name(peer->kind), peer->name);
}

bool nv_policy_tenant(const nv_identity_t *peer, const char *requested, const char **out, nv_error_t *err)
{
    bool named = requested && *requested;
    if (peer->kind == NV_IDENTITY_OPERATOR) {
        *out = requested;
        return named ? nv_identity_name_check(requested, "tenant", err)
                     : nv_fail(
                           err, NV_INVALID_ARGUMENT,
                           "tenant: missing; an operator must name one (nuvynctl: --tenant or NUVYN_TENANT)");
    }
    if (peer->kind != NV_IDENTITY_USER)
        return nv_fail(err, NV_PERMISSION_DENIED, "tenant: a %s belongs to none",
                       nv_identity_kind_name(peer->kind));
    if (named && strcmp(requested, peer->tenant) != 0)
        return nv_fail(err, NV_PERMISSION_DENIED, "tenant \"%.80s\": user \"%s\" belongs to \"%s\"",
                       requested, peer->name, peer->tenant);
    *out = peer->tenant;
    return true;
}

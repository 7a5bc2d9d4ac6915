#include "common/identity/spiffe.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { MAX_SEGMENTS = 4 };

typedef struct form {
    nv_identity_kind_t kind;
    const char *segments[MAX_SEGMENTS]; /* "*p", "*t", "*n": pool, tenant, name */
    size_t n;
} form_t;

static const form_t forms[] = {
    {NV_IDENTITY_CONTROLPLANE, {"controlplane"}, 1},
    {NV_IDENTITY_WORKSPACE, {"workspace"}, 1},
    {NV_IDENTITY_WORKER, {"pool", "*p", "worker", "*n"}, 4},
    {NV_IDENTITY_USER, {"tenant", "*t", "user", "*n"}, 4},
    {NV_IDENTITY_OPERATOR, {"operator", "*n"}, 2},
    {NV_IDENTITY_SCALER, {"scaler", "*n"}, 2},
};

static bool name_char(char c)
{
    return isascii((unsigned char)c) && (isalnum((unsigned char)c) || c == '.' || c == '_' || c == '-');
}

static bool name_valid(const char *name, size_t length)
{
    if (length == 0 || length > NV_IDENTITY_NAME_MAX || !isalnum((unsigned char)name[0]))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!name_char(name[i]))
            return false;
    return true;
}

bool nv_identity_name_check(const char *name, const char *what, nv_error_t *err)
{
    if (name && name_valid(name, strnlen(name, NV_IDENTITY_NAME_MAX + 1)))
        return true;
    return nv_fail(
        err, NV_INVALID_ARGUMENT,
        "%s \"%.80s\": expected 1 to %d letters, digits, '.', '_' or '-', beginning with a letter or digit",
        what, name ? name : "", NV_IDENTITY_NAME_MAX);
}

static bool domain_valid(const char *domain, size_t length)
{
    if (length == 0 || length > NV_IDENTITY_DOMAIN_MAX)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!name_char(domain[i]) || isupper((unsigned char)domain[i]))
            return false;
    return true;
}

static char *field_of(nv_identity_t *identity, char which)
{
    switch (which) {
    case 'p':
        return identity->pool;
    case 't':
        return identity->tenant;
    default:
        return identity->name;
    }
}

static bool match_segment(const char *expected, const char *text, size_t length, nv_identity_t *out)
{
    if (expected[0] != '*')
        return strlen(expected) == length && memcmp(expected, text, length) == 0;
    if (!name_valid(text, length))
        return false;
    memcpy(field_of(out, expected[1]), text, length);
    return true;
}

static bool match_form(const form_t *form, const char *path, nv_identity_t *out)
{
    for (size_t i = 0; i < form->n; i++) {
        size_t length = strcspn(path, "/");
        if (!match_segment(form->segments[i], path, length, out))
            return false;
        path += length;
        bool last = i + 1 == form->n;
        if (last ? *path != '\0' : *path++ != '/')
            return false;
    }
    return true;
}

static bool refuse(const char *uri, nv_error_t *err)
{
    return nv_fail(
        err, NV_INVALID_ARGUMENT,
        "SPIFFE ID \"%.200s\": expected spiffe://<domain>/controlplane, /workspace, "
        "/pool/<pool>/worker/<name>, /tenant/<tenant>/user/<name>, /operator/<name> or /scaler/<name>",
        uri);
}

bool nv_identity_parse(const char *uri, nv_identity_t *out, nv_error_t *err)
{
    static const char scheme[] = "spiffe://";
    memset(out, 0, sizeof *out);
    if (strncmp(uri, scheme, sizeof scheme - 1) != 0)
        return refuse(uri, err);
    const char *domain = uri + sizeof scheme - 1;
    size_t length = strcspn(domain, "/");
    if (!domain_valid(domain, length) || domain[length] != '/')
        return refuse(uri, err);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        nv_identity_t found = {.kind = forms[i].kind};
        if (match_form(&forms[i], domain + length + 1, &found)) {
            memcpy(found.domain, domain, length);
            *out = found;
            return true;
        }
    }
    return refuse(uri, err);
}

void nv_identity_format(const nv_identity_t *identity, char out[NV_SPIFFE_MAX + 1])
{
    char path[3 * NV_IDENTITY_NAME_MAX] = "";
    switch (identity->kind) {
    case NV_IDENTITY_WORKER:
        snprintf(path, sizeof path, "pool/%s/worker/%s", identity->pool, identity->name);
        break;
    case NV_IDENTITY_USER:
        snprintf(path, sizeof path, "tenant/%s/user/%s", identity->tenant, identity->name);
        break;
    case NV_IDENTITY_OPERATOR:
        snprintf(path, sizeof path, "operator/%s", identity->name);
        break;
    case NV_IDENTITY_SCALER:
        snprintf(path, sizeof path, "scaler/%s", identity->name);
        break;
    default:
        snprintf(path, sizeof path, "%s", nv_identity_kind_name(identity->kind));
    }
    snprintf(out, NV_SPIFFE_MAX + 1, "spiffe://%s/%s", identity->domain, path);
}

const char *nv_identity_kind_name(nv_identity_kind_t kind)
{
    switch (kind) {
    case NV_IDENTITY_CONTROLPLANE:
        return "controlplane";
    case NV_IDENTITY_WORKSPACE:
        return "workspace";
    case NV_IDENTITY_WORKER:
        return "worker";
    case NV_IDENTITY_USER:
        return "user";
    case NV_IDENTITY_OPERATOR:
        return "operator";
    case NV_IDENTITY_SCALER:
        return "scaler";
    case NV_IDENTITY_NONE:
        break;
    }
    return "none";
}

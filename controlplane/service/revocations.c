#include "common/identity/revocation.h"
#include "controlplane/service/service.h"
#include "controlplane/store/tenants.h"

#include <pthread.h>
#include <string.h>

/* A generation of both lists; immutable once published. */
typedef struct lists {
    nv_revocation_t *file;
    store_revocation_t *stored;
    size_t n;
} lists_t;

struct cp_revocations {
    pthread_mutex_t lock;
    char *path;
    lists_t *lists;
};

cp_revocations_t *cp_revocations_new(const char *file)
{
    cp_revocations_t *revocations = NV_NEW(NULL, cp_revocations_t);
    pthread_mutex_init(&revocations->lock, NULL);
    revocations->path = file ? nv_strdup(revocations, file) : NULL;
    return revocations;
}

void cp_revocations_free(cp_revocations_t *revocations)
{
    if (!revocations)
        return;
    nv_mem_free(revocations->lists);
    pthread_mutex_destroy(&revocations->lock);
    nv_mem_free(revocations);
}

bool cp_revocations_refresh(cp_revocations_t *revocations, store_t *store, nv_error_t *err)
{
    lists_t *fresh = NV_NEW(NULL, lists_t);
    if (!store_revocation_list(store, fresh, &fresh->stored, &fresh->n, err) ||
        (revocations->path && !nv_revocation_load(fresh, revocations->path, &fresh->file, err))) {
        nv_mem_free(fresh);
        return false;
    }
    pthread_mutex_lock(&revocations->lock);
    lists_t *old = revocations->lists;
    revocations->lists = fresh;
    pthread_mutex_unlock(&revocations->lock);
    nv_mem_free(old);
    return true;
}

static bool listed(const lists_t *lists, const nv_cert_info_t *cert)
{
    if (lists->file && nv_revocation_has(lists->file, cert))
        return true;
    for (size_t i = 0; i < lists->n; i++) {
        const store_revocation_t *entry = &lists->stored[i];
        if (*entry->serial ? strcmp(entry->serial, cert->serial) == 0
                           : strcmp(entry->spiffe_id, cert->spiffe) == 0 &&
                                 cert->not_before * 1000 <= entry->revoked_unix_ms)
            return true;
    }
    return false;
}

bool cp_revocations_has(cp_revocations_t *revocations, const nv_cert_info_t *cert)
{
    pthread_mutex_lock(&revocations->lock);
    bool found = revocations->lists && listed(revocations->lists, cert);
    pthread_mutex_unlock(&revocations->lock);
    return found;
}

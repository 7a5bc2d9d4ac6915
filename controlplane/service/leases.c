#include "controlplane/service/leases.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

typedef struct entry {
    cp_holder_t holder;
    UT_hash_handle hh; /* by epoch, which no two assignments share */
} entry_t;

struct cp_leases {
    pthread_mutex_t lock;
    entry_t *entries;
};

cp_leases_t *cp_leases_new(void)
{
    cp_leases_t *leases = NV_NEW(NULL, cp_leases_t);
    pthread_mutex_init(&leases->lock, NULL);
    return leases;
}

void cp_leases_free(cp_leases_t *leases)
{
    entry_t *entry, *next;
    if (!leases)
        return;
    HASH_ITER (hh, leases->entries, entry, next) {
        HASH_DEL(leases->entries, entry);
        nv_mem_free(entry);
    }
    pthread_mutex_destroy(&leases->lock);
    nv_mem_free(leases);
}

static entry_t *find_locked(cp_leases_t *leases, uint64_t epoch)
{
    entry_t *entry;
    HASH_FIND(hh, leases->entries, &epoch, sizeof epoch, entry);
    return entry;
}

void cp_leases_grant(cp_leases_t *leases, const cp_holder_t *holder)
{
    entry_t *entry = NV_NEW(NULL, entry_t);
    entry->holder = *holder;
    pthread_mutex_lock(&leases->lock);
    entry_t *old = find_locked(leases, holder->epoch);
    if (old)
        HASH_DEL(leases->entries, old);
    HASH_ADD(hh, leases->entries, holder.epoch, sizeof entry->holder.epoch, entry);
    pthread_mutex_unlock(&leases->lock);
    nv_mem_free(old);
}

void cp_leases_end(cp_leases_t *leases, uint64_t epoch)
{
    pthread_mutex_lock(&leases->lock);
    entry_t *entry = find_locked(leases, epoch);
    if (entry)
        HASH_DEL(leases->entries, entry);
    pthread_mutex_unlock(&leases->lock);
    nv_mem_free(entry);
}

void cp_leases_move(cp_leases_t *leases, uint64_t epoch, const char *session)
{
    pthread_mutex_lock(&leases->lock);
    entry_t *entry = find_locked(leases, epoch);
    if (entry)
        snprintf(entry->holder.session, sizeof entry->holder.session, "%s", session);
    pthread_mutex_unlock(&leases->lock);
}

uint64_t cp_task_number(const char *text)
{
    char *end;
    errno = 0;
    if (!text || *text < '0' || *text > '9')
        return 0;
    unsigned long long n = strtoull(text, &end, 10);
    return errno || *end ? 0 : n;
}

static bool same(const cp_holder_t *holder, const Nv__Lease *lease, const char *worker, const char *session)
{
    return strcmp(holder->run, lease->run_id) == 0 && holder->task == cp_task_number(lease->task_id) &&
           holder->attempt == (uint32_t)lease->attempt && strcmp(holder->worker, worker) == 0 &&
           (!session || strcmp(holder->session, session) == 0);
}

bool cp_leases_find(cp_leases_t *leases, const Nv__Lease *lease, const char *worker, const char *session,
                    cp_holder_t *out, nv_error_t *err)
{
    if (!lease)
        return nv_fail(err, NV_INVALID_ARGUMENT, "lease: missing");
    pthread_mutex_lock(&leases->lock);
    entry_t *entry = find_locked(leases, (uint64_t)lease->epoch);
    bool found = entry && same(&entry->holder, lease, worker, session);
    if (found)
        *out = entry->holder;
    pthread_mutex_unlock(&leases->lock);
    if (found)
        return true;
    return nv_fail(err, NV_ABORTED, "lease of task %.40s attempt %d: not held by this worker", lease->task_id,
                   lease->attempt);
}

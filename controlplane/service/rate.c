#include "controlplane/service/rate.h"

#include <inttypes.h>
#include <string.h>
#include <talloc.h>
#include <uthash.h>

/* A token is 60,000 units, so that per_minute units come in each millisecond. */
enum { TOKEN = 60000, SWEEP_AT = 4096 };

typedef struct bucket {
    UT_hash_handle hh;
    char *tenant;
    int64_t units, at_ms;
} bucket_t;

struct cp_rate {
    uint32_t per_minute;
    int64_t full;
    bucket_t *buckets;
};

static int forget_all(cp_rate_t *rate)
{
    HASH_CLEAR(hh, rate->buckets);
    return 0;
}

cp_rate_t *cp_rate_new(nv_mem_t *ctx, uint32_t per_minute, uint32_t burst)
{
    cp_rate_t *rate = NV_NEW(ctx, cp_rate_t);
    rate->per_minute = per_minute;
    rate->full = (int64_t)(burst ? burst : 1) * TOKEN;
    talloc_set_destructor(rate, forget_all);
    return rate;
}

static void refill(const cp_rate_t *rate, bucket_t *bucket, int64_t now_ms)
{
    int64_t past = now_ms > bucket->at_ms ? now_ms - bucket->at_ms : 0;
    int64_t missing = rate->full - bucket->units;
    bucket->at_ms += past;
    bucket->units = past > missing / rate->per_minute ? rate->full : bucket->units + past * rate->per_minute;
}

/* A full bucket says no more than none at all. */
static void sweep(cp_rate_t *rate, int64_t now_ms)
{
    bucket_t *bucket, *next;
    HASH_ITER (hh, rate->buckets, bucket, next) {
        refill(rate, bucket, now_ms);
        if (bucket->units < rate->full)
            continue;
        HASH_DEL(rate->buckets, bucket);
        nv_mem_free(bucket);
    }
}

static bucket_t *bucket_of(cp_rate_t *rate, const char *tenant, int64_t now_ms)
{
    bucket_t *bucket;
    HASH_FIND_STR(rate->buckets, tenant, bucket);
    if (bucket)
        return bucket;
    if (HASH_COUNT(rate->buckets) >= SWEEP_AT)
        sweep(rate, now_ms);
    bucket = NV_NEW(rate, bucket_t);
    bucket->tenant = nv_strdup(bucket, tenant);
    bucket->units = rate->full;
    bucket->at_ms = now_ms;
    HASH_ADD_KEYPTR(hh, rate->buckets, bucket->tenant, strlen(bucket->tenant), bucket);
    return bucket;
}

bool cp_rate_take(cp_rate_t *rate, const char *tenant, int64_t now_ms, nv_error_t *err)
{
    if (rate->per_minute == 0)
        return true;
    bucket_t *bucket = bucket_of(rate, tenant, now_ms);
    refill(rate, bucket, now_ms);
    if (bucket->units >= TOKEN) {
        bucket->units -= TOKEN;
        return true;
    }
    int64_t wait_ms = (TOKEN - bucket->units + rate->per_minute - 1) / rate->per_minute;
    return nv_fail(err, NV_RESOURCE_EXHAUSTED,
                   "tenant \"%s\" begins more than %u runs a minute: try again in %" PRId64 " ms", tenant,
                   rate->per_minute, wait_ms);
}

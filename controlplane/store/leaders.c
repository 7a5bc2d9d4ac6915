/* Leadership: one row, taken by compare-and-set when its time is up. The server's clock decides on PostgreSQL, so that the
 * clocks of control planes need not agree; SQLite has one process, which takes over at once. */
#include <stdio.h>
#include <string.h>

#include "controlplane/store/internal.h"

static const char leader_name[] = "controlplane";

typedef struct claim {
    const store_leader_t *wanted;
    int64_t ttl_ms;
    store_leader_t *out;
    nv_mem_t *ctx;
    int64_t epoch;
    bool won;
} claim_t;

static bool take_int(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    *(int64_t *)arg = db_row_int(row, 0);
    return true;
}

static bool take_leader(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    claim_t *claim = arg;
    *claim->out = (store_leader_t){.owner = db_row_text(row, 0, claim->ctx),
                                   .address = db_row_text(row, 1, claim->ctx),
                                   .epoch = db_row_int(row, 2)};
    return true;
}

static bool now_of(db_t *db, int64_t *out, nv_error_t *err)
{
    *out = store_now_ms();
    return !db->postgres || db_run(db, DB_PG_NOW, DB_NO_PARAMS, take_int, out, err);
}

static bool apply_claim(db_t *db, void *arg, nv_error_t *err)
{
    claim_t *claim = arg;
    int64_t now;
    claim->epoch = 0;
    if (!now_of(db, &now, err) ||
        !db_run(db, DB_LEADER_CLAIM,
                DB_PARAMS(db_s(leader_name), db_s(claim->wanted->owner), db_s(claim->wanted->address),
                          db_i(claim->wanted->epoch + 1), db_i(now + claim->ttl_ms),
                          db_i(db->postgres ? now : INT64_MAX)),
                take_int, &claim->epoch, err))
        return false;
    claim->won = claim->epoch > 0;
    return db_run(db, DB_LEADER_GET, DB_PARAMS(db_s(leader_name)), take_leader, claim, err);
}

bool store_leader_claim(store_t *store, nv_mem_t *ctx, const store_leader_t *wanted, int64_t ttl_ms,
                        bool *out_won, store_leader_t *out, nv_error_t *err)
{
    claim_t claim = {.wanted = wanted, .ttl_ms = ttl_ms, .out = out, .ctx = ctx};
    if (!check_text("owner", wanted->owner, STORE_PATH_MAX, err) ||
        !check_text("address", wanted->address, STORE_PATH_MAX, err) ||
        !store_write(store, apply_claim, &claim, 0, err))
        return nv_wrap(err, "leadership");
    *out_won = claim.won;
    if (claim.won)
        writer_fence(store->writer, claim.epoch);
    return true;
}

static bool note_held(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)row;
    (void)err;
    *(bool *)arg = true;
    return true;
}

bool leader_hold(db_t *db, int64_t epoch, bool *held, nv_error_t *err)
{
    *held = false;
    return db_ask(db, db->postgres ? DB_PG_LEADER_HOLD : DB_LEADER_HOLD,
                  DB_PARAMS(db_s(leader_name), db_i(epoch)), note_held, held, err);
}

typedef struct held {
    int64_t epoch;
    bool held;
} held_t;

static bool read_held(db_t *db, void *arg, nv_error_t *err)
{
    held_t *h = arg;
    h->held = false;
    return db_run(db, DB_LEADER_HOLD, DB_PARAMS(db_s(leader_name), db_i(h->epoch)), note_held, &h->held, err);
}

bool store_deposed(store_t *store)
{
    nv_error_t ignored = NV_ERROR_INIT;
    held_t held = {.epoch = store->writer ? writer_fenced_at(store->writer) : 0};
    if (held.epoch == 0)
        return false;
    /* What cannot be read now shows at the next call, or at the next write. */
    return store_read(store, read_held, &held, &ignored) && !held.held;
}

typedef struct renewal {
    const store_leader_t *leader;
    int64_t ttl_ms; /* 0: gives it up */
    int64_t changes;
} renewal_t;

static bool apply_renewal(db_t *db, void *arg, nv_error_t *err)
{
    renewal_t *r = arg;
    int64_t now;
    return now_of(db, &now, err) &&
           db_write(db, DB_LEADER_RENEW,
                    DB_PARAMS(db_i(r->ttl_ms ? now + r->ttl_ms : 0), db_s(leader_name),
                              db_s(r->leader->owner), db_i(r->leader->epoch)),
                    &r->changes, err);
}

bool store_leader_renew(store_t *store, const store_leader_t *leader, int64_t ttl_ms, nv_error_t *err)
{
    renewal_t renewal = {.leader = leader, .ttl_ms = ttl_ms};
    if (!store_write(store, apply_renewal, &renewal, 0, err))
        return nv_wrap(err, "leadership");
    return renewal.changes == 1 || nv_fail(err, NV_ABORTED, "leadership: another control plane leads now");
}

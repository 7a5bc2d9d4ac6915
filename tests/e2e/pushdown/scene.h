/* A workspace with a warehouse, as run.py started it; and profiles held side by side. For the programs of this folder. */
#ifndef TESTS_E2E_PUSHDOWN_SCENE_H
#define TESTS_E2E_PUSHDOWN_SCENE_H

#include "tests/unit/worker/pushdown/side_by_side.h"
#include "worker/databricks/databricks.h"
#include "worker/pushdown/engine.h"
#include "worker/pushdown/profile.h"

typedef struct scene {
    nv_mem_t *ctx;
    databricks_t *db;
    databricks_warehouse_t warehouse;
    pushdown_engine_t engine;
    const char *volume;      /* "/Volumes/main/raw/<name>" */
    Nv__Profile pushed, own; /* of scene_profile */
} scene_t;

/* Fails the running test with the error's message. */
#define OK_OR_FAIL(call)                                                                                     \
    do {                                                                                                     \
        if (!(call))                                                                                         \
            fail_msg("%s", err.message);                                                                     \
    } while (0)

/* Connects as PUSHDOWN_HOST, _SECRET and _CA say, and makes the volume. NULL, with the reason on stderr, when it cannot. */
scene_t *scene_open(const char *volume);

/* All files of a local folder whose names have `part` go to the volume. */
void scene_upload(scene_t *s, const char *folder, const char *part);

/* Both surveys have the same tables, made of as many files. */
void scene_same_surveys(const Nv__Survey *local, const Nv__Survey *remote);

/* Every table profiled here and there; fails on a difference. `hashes`: the files are known by the same hash. */
void scene_profile(scene_t *s, const char *source, const Nv__Survey *local, const Nv__Survey *remote,
                   bool hashes, side_by_side_t *result);

#endif

/* Moves SQLite's log into the database file, on a thread and a connection of its own, while the writer goes on.
 *
 * A checkpoint of a long log takes as long as writing it took; within the writer's thread every commit would wait for that.
 * What only the writer can do is to begin the log anew, and it can do so once nothing is left to move: it ends what the
 * thread has left (the frames of the last moment) itself.
 */
#ifndef CONTROLPLANE_STORE_SQLITE_CHECKPOINTER_H
#define CONTROLPLANE_STORE_SQLITE_CHECKPOINTER_H

#include "common/core/error.h"
#include "common/core/mem.h"

#include <stdbool.h>

typedef struct checkpointer checkpointer_t;

/* NULL (with *err): no connection or no thread. */
checkpointer_t *checkpointer_start(const char *path, nv_error_t *err);
/* Waits for the pass that is under way. NULL is fine. */
void checkpointer_stop(checkpointer_t *checkpointer);

/* The functions below are the writer's alone. */

/* The log has `pages` now, after a commit: wakes the thread where there is enough to move. */
void checkpointer_note(checkpointer_t *checkpointer, int pages);
/* Nothing is being written: moves what there is, if it is worth a sync. */
void checkpointer_idle(checkpointer_t *checkpointer);
/* The log is too long, and moving what is left of it is quick (or can no longer be put off). */
bool checkpointer_wants_end(checkpointer_t *checkpointer);
/* The writer has checkpointed: `moved` pages of the log are in the file. */
void checkpointer_ended(checkpointer_t *checkpointer, int moved);

#endif

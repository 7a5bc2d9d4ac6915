/* A run's state to and from bytes (proto/nuvyn/state.proto), and forks.
 *
 * Load a run by decoding its newest snapshot, then every later checkpoint in order, then the records of tasks of the open
 * superstep in any order, then nv_graph_resume(). Bytes are treated as hostile: everything is bounded and checked, and a
 * run that failed to decode must be freed, not used.
 */
#ifndef NV_GRAPH_CHECKPOINT_H
#define NV_GRAPH_CHECKPOINT_H

#include "controlplane/graph/run.h"

/* The checkpoint that the last step asked for; snapshot as in the effect. Bytes below ctx. */
bool nv_graph_encode_checkpoint(const nv_graph_run_t *run, bool snapshot, nv_mem_t *ctx, nv_bytes_t *out,
                                nv_error_t *err) NV_MUST_CHECK;
bool nv_graph_encode_task(const nv_graph_run_t *run, uint64_t task, nv_mem_t *ctx, nv_bytes_t *out,
                          nv_error_t *err) NV_MUST_CHECK;

/* A run in phase NEW takes a snapshot; one that took checkpoint n takes delta n + 1. */
bool nv_graph_decode_checkpoint(nv_graph_run_t *run, nv_bytes_t bytes, nv_error_t *err) NV_MUST_CHECK;
/* Records of an earlier superstep are ignored: the checkpoint after them already holds what they did. */
bool nv_graph_decode_task(nv_graph_run_t *run, nv_bytes_t bytes, nv_error_t *err) NV_MUST_CHECK;

/* Turns a run just decoded from a checkpoint (no task records) into the first state of a new run: its own checkpoint and
 * event numbers, phase RUNNING, and `writes` applied as if `as_node` had written them (NV_GRAPH_NONE: plain edits that
 * move nothing). The effects are those of a start. A finished checkpoint has nothing left to run: with NV_GRAPH_NONE
 * that is an error. */
bool nv_graph_fork(nv_graph_run_t *run, nv_node_id_t as_node, uint32_t outcome,
                   const nv_graph_write_t *writes, size_t write_count, int64_t now_ms,
                   nv_graph_effects_t *effects, nv_error_t *err) NV_MUST_CHECK;

#endif

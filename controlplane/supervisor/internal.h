/* Shared by the files of this folder only. */
#ifndef NV_SUPERVISOR_INTERNAL_H
#define NV_SUPERVISOR_INTERNAL_H

#include "controlplane/supervisor/supervisor.h"

/* Channels, in the order they are added. */
typedef enum super_channel {
    CHANNEL_SPEC,
    CHANNEL_MODE,
    CHANNEL_APPROVAL,
    CHANNEL_MAX_ROUNDS,
    CHANNEL_ROUNDS,   /* results that sent the run back, or would have */
    CHANNEL_OUTCOMES, /* node -> 'p' or 'f', then the summary */
    CHANNEL_UNSOLVED, /* "node: summary" of the last failed outcome */
    CHANNEL_FAILURES, /* tasks that failed for good */
    CHANNEL_WARNINGS, /* the same where it does not fail the run */
    CHANNEL_FIRST_DOCUMENT,
    CHANNEL_SURVEY = CHANNEL_FIRST_DOCUMENT,
    CHANNEL_PROFILE,
    CHANNEL_RELATIONS,
    CHANNEL_DESIGN,
    CHANNEL_STTM,
    CHANNEL_REVIEW,
    CHANNEL_CRITIQUE,     /* why the run was sent back, by whoever did it last */
    CHANNEL_HUMAN_DESIGN, /* a person's correction; design validates it and spells it out */
    CHANNEL_PROJECT,
    CHANNEL_DEPLOYMENT,
    CHANNEL_EXECUTION,
    CHANNEL_VALIDATION,
    CHANNEL_SCORECARD,
    CHANNEL_CASE,
    CHANNELS,
} super_channel_t;

enum { OUTCOME_PASS, OUTCOME_FAIL_DESIGN, OUTCOME_FAIL_GENERATE, OUTCOME_REJECTED };
enum { MODE_FULL, MODE_ANALYZE };
enum { APPROVAL_AUTO, APPROVAL_ASK };
enum {
    ROUNDS_DEFAULT = 3,
    ROUNDS_MAX = 20,
    REFERENCE_MAX_BYTES = 16 * 1024,
    SPEC_MAX_BYTES = 64 * 1024,
    SUMMARY_MAX_BYTES = 1000,
    COMMENT_MAX_BYTES = 4000,
    ITEM_MAX_BYTES = 256
};

typedef struct node_info {
    const char *name;
    uint32_t inputs;  /* bit per document channel */
    uint32_t outputs; /* the same */
    bool loops;       /* may end with outcome "fail" and lead back */
} node_info_t;
extern const node_info_t super_nodes[NV_SUPER_NODES];
extern const char *const super_channel_names[CHANNELS];

struct nv_super {
    nv_graph_t *graph;
};

struct nv_super_run {
    const nv_super_t *super;
    nv_graph_run_t *graph;
};

/* approve.c */
bool super_approve(nv_node_call_t *call, void *user, nv_error_t *err);

/* Router of all nodes; user: its node number. */
nv_router_fn super_route;

#endif

/* Candidates for keys and joins, and the features that the models see. Internal to nv_discovery. */
#ifndef WORKER_DISCOVERY_CANDIDATES_H
#define WORKER_DISCOVERY_CANDIDATES_H

#include "worker/discovery/discovery.h"
#include "worker/discovery/model.h"
#include "worker/discovery/schema.h"

enum { KEY_MAX = DISCOVERY_KEY_COLUMNS_MAX, KEYS_PER_TABLE_MAX = 40, JOINS_MAX = 200000 };

typedef struct key_candidate {
    int table;
    int n;
    int columns[KEY_MAX];
    double uniqueness; /* distinct / records, 1 = exact */
    double violations; /* records that share a key */
    bool by_file; /* each of the table's files tells of every thing once: unique as far as it is judged */
    double null_share;
    bool exact;
    double p;                 /* probability of being the primary key */
    double repeats_by_chance; /* pairs of records that would agree in it if chance alone had filled it */
    double referenced;        /* strongest join into it */
    int repeats;              /* other tables with columns of all these names */
    double composite_out;     /* strongest composite join out of just its columns */
    double out[KEY_MAX];      /* per column: strongest join out of it to another table */
    double features[KEY_FEATURES];
} key_candidate_t;

typedef struct table_keys {
    key_candidate_t list[KEYS_PER_TABLE_MAX];
    int n;
    int chosen;     /* -1: none */
    int references; /* columns that refer to other tables or are named as if they did */
    double p_none;
    double none_features[KEY_FEATURES];
} table_keys_t;

typedef struct join_candidate {
    int from, to; /* tables */
    int n;
    int columns[KEY_MAX], to_columns[KEY_MAX];
    double containment; /* share of distinct source values found; row share for composites */
    double reverse;     /* share of target values used */
    double coverage;    /* share of source rows that find a target */
    double orphans;     /* rows */
    bool exact;         /* counted, not estimated */
    bool counted;       /* exact row figures are there */
    bool vacuous;       /* no value to judge by */
    bool unique_source; /* source values do not repeat: judged by the 1:1 model */
    bool few;           /* the target has a handful of rows: judged by a model of its own, too */
    bool to_key_unique;
    double name;         /* name evidence, 0 … 1 */
    double speaks;       /* how far the source column speaks of the target table */
    double rival_speaks; /* the same, for the best other table of its candidates; -1: there is none */
    double alternative;  /* best name evidence of the same column for another table */
    double surprise;     /* bits against a coincidence */
    double least_part;   /* composites: the weakest name among the parts */
    double combined;     /* composites: bits against the combinations being a coincidence */
    double distance;     /* of quantiles; < 0: unknown */
    double p;
    double features[JOIN_FEATURES];
    bool chosen;
    const char *decided_by;
} join_candidate_t;

typedef struct dsc_state {
    nv_mem_t *ctx;
    const dsc_schema_t *schema;
    const discovery_options_t *options;
    table_keys_t *keys; /* per table */
    join_candidate_t *joins;
    size_t n_joins, cap_joins;
    bool emit;           /* hand features to the sink: in the pass whose result counts */
    bool branch_bounded; /* the search was cut: best found, not proven best */
} dsc_state_t;

static inline const dsc_column_t *state_column(const dsc_state_t *state, int table, int column)
{
    return &state->schema->tables[table].columns[column];
}

/* Single-column keys and the profile's unique sets. */
void keys_collect(dsc_state_t *state);
/* Adds composites built from foreign columns and sequence columns, counted by the executor. */
bool keys_extend(dsc_state_t *state, nv_error_t *err) NV_MUST_CHECK;
/* Adds what the composite joins found so far suggest: their columns, alone or with one more. */
bool keys_extend_by_references(dsc_state_t *state, nv_error_t *err) NV_MUST_CHECK;
/* Probabilities and the choice per table; with_joins: using joins' probabilities. */
void keys_score(dsc_state_t *state, bool with_joins);

/* Joins to single-column keys, pruned by type, range, sketch and name. */
void joins_enumerate(dsc_state_t *state);
/* Joins to the chosen composite keys. */
void joins_enumerate_composite(dsc_state_t *state);
/* Has the survivors from index `first` on counted. */
bool joins_count(dsc_state_t *state, size_t first, nv_error_t *err) NV_MUST_CHECK;
/* Features and probabilities of all. */
void joins_score(dsc_state_t *state);
/* Turns the probabilities of single candidates into those of a choice: a column set references one table at most. */
void joins_choose_targets(dsc_state_t *state);
/* "kind unique n from columns to columns p", tab-separated, for the feature sink. */
char *joins_describe(const dsc_state_t *state, const char *kind, const join_candidate_t *join);

/* Name evidence of one column for a key column of a table. */
typedef struct name_evidence {
    double equal, suffix, jaccard, jaro, speaks, unused, synonym, own, person, self_hint, any;
    double crossed;  /* "h_t_id" without its table's prefix is another table's "t_id" */
    double headless; /* the match leaves out the word that says what is meant: "store_manager" for store */
    double natural;  /* the column is named as the table, and the key is its name or code */
    double labelled; /* the target has a describing column of this very name */
} name_evidence_t;
void joins_name_evidence(const dsc_state_t *state, const dsc_column_t *from, const dsc_column_t *to,
                         name_evidence_t *out);

#endif

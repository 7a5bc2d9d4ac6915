/* Structural priors: what names and structure say where a fitted weight cannot, because a table has a handful of rows (every column is
 * unique in three of them, every inclusion holds) or because the inclusion is no coincidence and yet no reference (statistics of the
 * same events). They shift the models' scores or bound their probabilities. Internal to nv_discovery. Pure. */
#ifndef WORKER_DISCOVERY_PRIORS_H
#define WORKER_DISCOVERY_PRIORS_H

#include "worker/discovery/candidates.h"

/* Up to that many records a table proves nothing by uniqueness. */
enum { PRIORS_FEW_RECORDS = 12 };

/* Columns of a table by what they are for, loader bookkeeping left out. */
typedef struct prior_shape {
    int references
        [KEY_MAX];    /* refer to another table or carry a word of this one's name: the ends of a link */
    int n_references; /* may exceed KEY_MAX */
    int n_named;      /* of those, carry a word of the table's name */
    int version;      /* the column that dates a version in a history, -1: none */
    int counter;      /* the column that counts within a reference, -1: none */
    int n_leading;    /* columns before the loader's own, 0: unknown; tools that load a key write it first */
    bool own_id;      /* an id of its own */
    bool link;        /* nothing but two or more references and at most one attribute of the link */
    bool history;     /* named as a record of changes or happenings */
} prior_shape_t;

prior_shape_t priors_shape(const dsc_state_t *state, int table);
bool priors_few(const dsc_table_t *table);
/* Nearly every table holds a handful of rows: a sample, or what a service exports of an account that hardly uses it. */
bool priors_export(const dsc_schema_t *schema);
/* The column of the year that a set of columns with a part of the year ("semester") lacks; -1: it lacks none. */
int priors_missing_year(const dsc_table_t *table, const int *columns, int n);
/* Adds to the scores of a table's key candidates, in their order. */
void priors_of_keys(const dsc_state_t *state, int table, double *scores);
/* The most that a join's probability may be; 1 where nothing speaks against it. */
double priors_join_bound(const dsc_state_t *state, const join_candidate_t *join);
/* Is the target's column what other tables call the thing, beside a surrogate that has no name of its own? */
bool priors_natural_key(const dsc_state_t *state, const join_candidate_t *join);
/* Adds to the scores of fact, dimension, bridge and other. */
void priors_of_roles(const dsc_state_t *state, int table, double *scores);

#endif

#include "worker/discovery/chance.h"

#include <math.h>

double chance_two_agree(const dsc_column_t *column)
{
    double known = 0, squares = 0;
    if (column->filled <= 0)
        return 1;
    for (size_t i = 0; i < column->p->n_top; i++) {
        double share = (double)column->p->top[i]->count / column->filled;
        known += share;
        squares += share * share;
    }
    double rest = fmax(0, 1 - known), others = column->distinct - (double)column->p->n_top;
    if (others >= 1)
        squares += rest * rest / others;
    return fmin(1, fmax(squares, 1 / fmax(1, column->distinct)));
}

/* Rows of the table that the column most probably refers to; 0: to none. */
static double rows_referred_to(const dsc_state_t *state, const dsc_column_t *column)
{
    double best = 0.5, rows = 0;
    for (size_t i = 0; i < state->n_joins; i++) {
        const join_candidate_t *join = &state->joins[i];
        if (join->n != 1 || join->from != column->table || join->to == column->table ||
            join->columns[0] != column->index || join->p < best)
            continue;
        best = join->p;
        rows = state->schema->tables[join->to].records;
    }
    return rows;
}

/* How many values a column that does not repeat chose from; 0: unknown. */
static double values_to_choose_from(const dsc_state_t *state, const dsc_column_t *column)
{
    double rows = rows_referred_to(state, column);
    if (rows > 0)
        return fmax(rows, column->distinct);
    if ((column->kind == CLASS_INTEGER || column->kind == CLASS_DATE) && column->has_points)
        return fmax(column->points[SKETCH_POINTS - 1] - column->points[0] + 1, column->distinct);
    return 0;
}

double chance_repeats(const dsc_state_t *state, const key_candidate_t *key)
{
    double records = state->schema->tables[key->table].records, agree = 1;
    for (int i = 0; i < key->n; i++) {
        const dsc_column_t *column = state_column(state, key->table, key->columns[i]);
        if (column->unique < 0.9995) {
            agree *= chance_two_agree(column);
            continue;
        }
        double values = values_to_choose_from(state, column);
        agree *= values > 0 ? 1 / values : 0;
    }
    return records * (records - 1) / 2 * agree;
}

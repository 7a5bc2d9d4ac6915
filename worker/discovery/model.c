#include "worker/discovery/model.h"

#include <math.h>

double model_dot(const double *weights, const double *features, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += weights[i] * features[i];
    return sum;
}

void model_role_scores(const double weights[ROLE_FEATURES][ROLE_CLASSES], const double *features,
                       double *scores)
{
    for (int k = 0; k < ROLE_CLASSES; k++) {
        scores[k] = 0;
        for (int i = 0; i < ROLE_FEATURES; i++)
            scores[k] += weights[i][k] * features[i];
    }
}

double model_logistic(double score)
{
    return 1 / (1 + exp(-score));
}

void model_softmax(double *scores, size_t n)
{
    double top = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++)
        top = fmax(top, scores[i]);
    for (size_t i = 0; i < n; i++)
        sum += scores[i] = exp(scores[i] - top);
    for (size_t i = 0; i < n; i++)
        scores[i] /= sum;
}

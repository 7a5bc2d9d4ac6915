#include "worker/discovery/model.h"

#include <math.h>

double model_dot(const double *weights, const double *features, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += weights[i] * features[i];
    return sum;
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

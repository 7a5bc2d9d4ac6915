/* bench_engine [--quick]: what the pure core costs, beside what peers publish.
 *
 * Peers' figures come from their own machines, so a ratio says an order of magnitude, not a race. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

double bench_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

figure_t bench_measure(void (*once)(void *user), void *user, size_t count, size_t rounds)
{
    double *times = calloc(rounds, sizeof *times);
    bench_must(times != NULL, "memory");
    for (size_t i = 0; i < count / 10 + 1; i++)
        once(user); /* warm */
    for (size_t round = 0; round < rounds; round++) {
        double start = bench_now_ns();
        for (size_t i = 0; i < count; i++)
            once(user);
        times[round] = (bench_now_ns() - start) / (double)count;
    }
    qsort(times, rounds, sizeof *times, compare);
    figure_t figure = {times[rounds / 2], times[0]};
    free(times);
    return figure;
}

void bench_must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "bench_engine: %s\n", what);
    exit(1);
}

void bench_line(const char *what, figure_t figure)
{
    printf("%-52s %9.3f us median, %9.3f best\n", what, figure.median_ns / 1e3, figure.best_ns / 1e3);
}

void bench_ratio(figure_t figure, double peer_ns, const char *peer, const char *source)
{
    double ratio = peer_ns / figure.median_ns;
    printf("    %7.2fx %s than %s: %.3f us (%s)\n", ratio >= 1 ? ratio : 1 / ratio,
           ratio >= 1 ? "faster" : "slower", peer, peer_ns / 1e3, source);
}

void bench_target(figure_t figure, double target_ns, const char *what)
{
    printf("    target %s <= %.2f us: %s (%.2f of it)\n", what, target_ns / 1e3,
           figure.median_ns <= target_ns ? "met" : "MISSED", figure.median_ns / target_ns);
}

int main(int argc, char **argv)
{
    bool quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    if (argc > 1 && !quick) {
        fprintf(stderr, "usage: bench_engine [--quick]\n");
        return 64;
    }
    size_t scale = quick ? 1 : 20;
    printf("one thread, medians of %zu rounds; peers' figures are theirs, on their machines\n\n",
           scale * 3 + 2);
    bench_graph(scale);
    bench_scheduler(scale);
    return 0;
}

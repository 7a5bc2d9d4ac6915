#ifndef NV_BENCH_ENGINE_BENCH_H
#define NV_BENCH_ENGINE_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct figure {
    double median_ns; /* of the rounds, per operation */
    double best_ns;
} figure_t;

double bench_now_ns(void);
/* Times `count` operations per round; once(user) does one. */
figure_t bench_measure(void (*once)(void *user), void *user, size_t count, size_t rounds);
void bench_line(const char *what, figure_t figure);
/* "  … 3.1x of X (source)": how many times the peer's figure this one is faster (or slower). */
void bench_ratio(figure_t figure, double peer_ns, const char *peer, const char *source);
void bench_target(figure_t figure, double target_ns, const char *what);
void bench_must(bool ok, const char *what);

void bench_graph(size_t scale);
void bench_scheduler(size_t scale);

#endif

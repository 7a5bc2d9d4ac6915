/* bench_rpc [COUNT]: latencies of the control plane over mutual TLS, every change durable (fsync) before it is seen.
 *
 *   scheduled -> running   from the durable schedule to the worker's word that the task runs, there and back again; counted
 *                          by the control plane (the histogram nuvyn_task_start_seconds)
 *   submitted -> running   from the call to SubmitRun to the agent's first line, in the worker's slot
 *   cancelled -> noticed   from the call to CancelRun to the busy agent seeing it
 *   unary call             GetStatus, one after another
 *
 * The worker is the real shell, in this process so that one clock measures both ends; the control plane is a process of
 * its own. References: Hatchet says ~25 ms (P95) for a hot dispatch, Temporal's activity round trip is ~50 ms; our own
 * targets are 10 ms and 100 ms at the 99th percentile.
 */
#include "tests/e2e/stack/stack.h"
#include "worker/shell/shell.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { COUNT_DEFAULT = 200, COUNT_MAX = 100000, RAW_BYTES = 40 * 1024 };

static atomic_llong running_us, noticed_us; /* agents are plain functions: these are all they can tell by */

static long long now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static bool busy_agent(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    (void)ctx;
    (void)out;
    atomic_store(&running_us, now_us());
    while (!task->ops->cancelled(task->host))
        usleep(100);
    atomic_store(&noticed_us, now_us());
    return nv_fail(err, NV_CANCELLED, "cancelled");
}

static agent_fn find(const char *kind)
{
    (void)kind;
    return busy_agent;
}

typedef struct worker {
    pthread_t thread;
    shell_config_t config;
} worker_t;

static void *run_worker(void *arg)
{
    const worker_t *worker = arg;
    nv_error_t err = NV_ERROR_INIT;
    if (!shell_run(&worker->config, &err))
        fprintf(stderr, "worker: %s\n", err.message);
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    long long x = *(const long long *)a, y = *(const long long *)b;
    return (x > y) - (x < y);
}

static void report(const char *what, long long *samples, size_t n, double target_ms, const char *reference,
                   double reference_ms)
{
    qsort(samples, n, sizeof *samples, by_value);
    double p50 = (double)samples[n / 2] / 1000, p99 = (double)samples[n * 99 / 100] / 1000;
    printf("%-22s n=%zu  p50 %7.2f ms  p99 %7.2f ms  max %7.2f ms", what, n, p50, p99,
           (double)samples[n - 1] / 1000);
    if (target_ms > 0)
        printf("  target %.0f ms: %s (%.2f of it)", target_ms, p99 < target_ms ? "met" : "MISSED",
               p99 / target_ms);
    if (reference)
        printf("  %s %.0f ms: %.1f times faster", reference, reference_ms, reference_ms / p99);
    putchar('\n');
}

static long long await(atomic_llong *slot, long long after)
{
    for (int i = 0; i < 100000; i++, usleep(50)) {
        long long at = atomic_load(slot);
        if (at > after)
            return at;
    }
    fprintf(stderr, "nothing happened within five seconds\n");
    exit(1);
}

/* ---- the control plane's own histogram ---- */

enum { BOUNDS_MAX = 64 };

/* The 99th percentile by linear interpolation within its bucket, as Prometheus' histogram_quantile does. */
static double histogram_p99(FILE *text, const char *name, double *count)
{
    char line[512];
    double bounds[BOUNDS_MAX], below[BOUNDS_MAX];
    size_t n = 0, length = strlen(name);
    while (fgets(line, sizeof line, text)) {
        char *le = strstr(line, "_bucket{le=\""), *space = strrchr(line, ' ');
        if (strncmp(line, name, length) == 0 && le == line + length && space && n < BOUNDS_MAX) {
            bounds[n] = strtod(le + strlen("_bucket{le=\""), NULL);
            below[n++] = strtod(space, NULL);
        }
    }
    *count = n ? below[n - 1] : 0;
    for (size_t i = 0; i < n; i++) {
        double lower = i ? bounds[i - 1] : 0, before = i ? below[i - 1] : 0;
        if (below[i] >= 0.99 * *count && below[i] > before)
            return 1000 * (lower + (bounds[i] - lower) * (0.99 * *count - before) / (below[i] - before));
    }
    return 0;
}

static void report_start(plane_stack_t *stack)
{
    char command[128];
    double count;
    snprintf(command, sizeof command, "curl -s http://%s/metrics", stack->metrics);
    FILE *pipe = popen(command, "r");
    if (!pipe)
        exit(1);
    double p99 = histogram_p99(pipe, "nuvyn_task_start_seconds", &count);
    pclose(pipe);
    printf("%-22s n=%.0f  p99 %7.2f ms  target 10 ms: %s (%.2f of it)  Hatchet's hot dispatch (P95) 25 ms: "
           "%.1f times "
           "faster\n",
           "scheduled -> running", count, p99, p99 < 10 ? "met" : "MISSED", p99 / 10, 25 / p99);
}

/* What the disk alone takes for the bytes of one change, measured beside each sample, for it is the disk that varies. */
static long long raw_sync_us(plane_stack_t *stack)
{
    static char data[RAW_BYTES];
    int fd = open(nv_printf(stack->ctx, "%s/raw", stack->dir), O_WRONLY | O_CREAT | O_APPEND, 0600);
    long long before = now_us();
    if (fd < 0 || write(fd, data, sizeof data) != sizeof data || fdatasync(fd) != 0)
        perror("raw");
    long long took = now_us() - before;
    if (fd >= 0)
        close(fd);
    return took;
}

static void measure_tasks(plane_stack_t *stack, size_t n)
{
    long long *start = calloc(n, sizeof *start), *cancel = calloc(n, sizeof *cancel),
              *raw = calloc(n, sizeof *raw);
    Nv__GetRunRequest request = NV__GET_RUN_REQUEST__INIT;
    request.tenant = stack_text("bench");
    for (size_t i = 0; i < n; i++) {
        long long before = now_us();
        request.run_id = stack_submit(stack, "bench", "bench", "");
        start[i] = await(&running_us, before) - before;
        before = now_us();
        stack_call(stack, "RunService/CancelRun", &request.base, &nv__run__descriptor);
        cancel[i] = await(&noticed_us, before) - before;
        raw[i] = raw_sync_us(stack);
    }
    report("raw write + fdatasync", raw, n, 0, NULL, 0);
    report("submitted -> running", start, n, 10, "Hatchet's hot dispatch (P95)", 25);
    report("cancelled -> noticed", cancel, n, 100, NULL, 0);
    free(start);
    free(cancel);
    free(raw);
}

static void measure_calls(plane_stack_t *stack, size_t n)
{
    long long *samples = calloc(n, sizeof *samples);
    Nv__GetRunRequest request = NV__GET_RUN_REQUEST__INIT;
    request.tenant = stack_text("bench");
    request.run_id = stack_submit(stack, "bench", "bench", "");
    for (size_t i = 0; i < n; i++) {
        long long before = now_us();
        stack_call(stack, "RunService/GetRun", &request.base, &nv__run__descriptor);
        samples[i] = now_us() - before;
    }
    report("unary call (GetRun)", samples, n, 0, NULL, 0);
    free(samples);
}

int main(int argc, char **argv)
{
    static const char *const kinds[] = {"survey"};
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : COUNT_DEFAULT;
    void *state = NULL;
    if (count < 10 || count > COUNT_MAX) {
        fprintf(stderr, "usage: bench_rpc [COUNT], 10 to %d\n", COUNT_MAX);
        return 64;
    }
    shell_block_signals();
    if (stack_open(&state) != 0)
        return 1;
    plane_stack_t *stack = state;
    stack_kill_control(stack, SIGKILL);
    stack->metrics = stack_free_address(stack);
    stack_start_control(stack);
    stack_make_tenant(stack, "bench");
    nv_tls_paths_t tls =
        pki_issue(&stack->pki, "spiffe://test.nuvyn/pool/default/worker/bench", "bench", false, 0, 3600);
    worker_t worker = {
        .config = {
            .address = stack->address, .tls = tls, .slots = 4, .find = find, .kinds = kinds, .n_kinds = 1}};
    pthread_create(&worker.thread, NULL, run_worker, &worker);
    measure_tasks(stack, (size_t)count);
    report_start(stack);
    measure_calls(stack, (size_t)count * 5);
    pthread_kill(worker.thread, SIGTERM);
    stack_kill_control(stack, SIGKILL);
    pthread_join(worker.thread, NULL);
    return stack_close(&state);
}

/* bench_sample [FOLDER [COUNT]]: everything of a run but Spark, over the sample data.
 *
 * The real control plane and the real worker, over mutual TLS, every change durable; the run is in mode "analyze": survey,
 * profile, relate, design, review, evaluate, with its report. From submission to its end, by the control plane's
 * clock, and by node. Generation and deployment without Spark are not in it: they need a workspace.
 */
#include "tests/e2e/stack/stack.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COUNT_DEFAULT = 5, COUNT_MAX = 1000, NODES_MAX = 32, WAIT_SECONDS = 120 };
static const double target_s = 2.0;

static pid_t start_worker(plane_stack_t *stack)
{
    nv_tls_paths_t tls =
        pki_issue(&stack->pki, "spiffe://test.nuvyn/pool/default/worker/bench", "bench", false, 0, 86400);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execl(BIN_DIR "/nuvyn-worker", "nuvyn-worker", "--address", stack->address, "--ca", tls.ca, "--cert",
          tls.cert, "--key", tls.key, "--log-level", "warn", (char *)NULL);
    _exit(127);
}

static Nv__Run *one_run(plane_stack_t *stack, const char *folder)
{
    Nv__SubmitRunRequest request = NV__SUBMIT_RUN_REQUEST__INIT;
    Nv__RunSpec spec = NV__RUN_SPEC__INIT;
    spec.source = stack_text(folder);
    spec.mode = stack_text("analyze");
    request.tenant = stack_text("bench");
    request.spec = &spec;
    const Nv__Run *run =
        (Nv__Run *)stack_call(stack, "RunService/SubmitRun", &request.base, &nv__run__descriptor);
    return stack_wait_run(stack, "bench", run->run_id, "succeeded,failed", WAIT_SECONDS);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_nodes(const Nv__Run *run)
{
    for (size_t i = 0; i < run->n_nodes && i < NODES_MAX; i++) {
        const Nv__NodeState *node = run->nodes[i];
        if (node->finished_unix_ms > 0 && node->started_unix_ms > 0)
            printf("  %-10s %6.2f s\n", node->node,
                   (double)(node->finished_unix_ms - node->started_unix_ms) / 1000);
    }
}

static bool measure(plane_stack_t *stack, const char *folder, int count)
{
    double *took = calloc((size_t)count, sizeof *took);
    Nv__Run *run = NULL;
    for (int i = 0; i < count; i++) {
        run = one_run(stack, folder);
        if (strcmp(run->state, "succeeded") != 0) {
            fprintf(stderr, "the run failed: %s\n", run->reason);
            exit(1);
        }
        took[i] = (double)(run->finished_unix_ms - run->created_unix_ms) / 1000;
    }
    qsort(took, (size_t)count, sizeof *took, by_value);
    double median = took[count / 2];
    printf("%s, the last run by node (profile: all tables together):\n", folder);
    print_nodes(run);
    printf("submitted -> ended     n=%d  best %.2f s  median %.2f s  worst %.2f s  target %.0f s: %s (%.2f "
           "of it)\n",
           count, took[0], median, took[count - 1], target_s, median < target_s ? "met" : "MISSED",
           median / target_s);
    free(took);
    return median < target_s;
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : SAMPLE_DIR;
    long count = argc > 2 ? strtol(argv[2], NULL, 10) : COUNT_DEFAULT;
    void *state = NULL;
    char *path = realpath(folder, NULL);
    if (!path || count < 1 || count > COUNT_MAX) {
        fprintf(stderr, "usage: bench_sample [FOLDER [COUNT]], 1 to %d\n", COUNT_MAX);
        return 64;
    }
    if (stack_open(&state) != 0)
        return 1;
    plane_stack_t *stack = state;
    stack_make_tenant(stack, "bench");
    pid_t worker = start_worker(stack);
    bool ok = measure(stack, path, (int)count);
    kill(worker, SIGTERM);
    waitpid(worker, NULL, 0);
    free(path);
    return stack_close(&state) != 0 || !ok;
}

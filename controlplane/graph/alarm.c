/* Due times of tasks: a binary min-heap with lazy deletion. An entry counts only while its task still has that due time. */
#include "controlplane/graph/internal.h"

static void swap(alarm_t *a, alarm_t *b)
{
    alarm_t t = *a;
    *a = *b;
    *b = t;
}

static void sift_up(alarm_t *heap, size_t at)
{
    while (at && heap[at].due_ms < heap[(at - 1) / 2].due_ms) {
        swap(&heap[at], &heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

static void sift_down(alarm_t *heap, size_t count)
{
    for (size_t at = 0;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++)
            if (heap[child].due_ms < heap[least].due_ms)
                least = child;
        if (least == at)
            return;
        swap(&heap[at], &heap[least]);
        at = least;
    }
}

void alarm_set(nv_graph_run_t *run, task_t *task, int64_t due_ms)
{
    task->due_ms = due_ms;
    if (due_ms == NV_GRAPH_NO_TIMER)
        return;
    NV_PUSH(run, run->alarms, run->alarm_count, run->alarm_capacity) =
        (alarm_t){due_ms, (uint32_t)(task - run->tasks)};
    sift_up(run->alarms, run->alarm_count - 1);
}

void alarm_clear(nv_graph_run_t *run)
{
    run->alarm_count = 0;
}

static void drop_first(nv_graph_run_t *run)
{
    run->alarms[0] = run->alarms[--run->alarm_count];
    sift_down(run->alarms, run->alarm_count);
}

/* Due time of the first alarm that still counts. */
static int64_t first_due(nv_graph_run_t *run)
{
    while (run->alarm_count) {
        const alarm_t *first = &run->alarms[0];
        if (run->tasks[first->task].due_ms == first->due_ms)
            return first->due_ms;
        drop_first(run);
    }
    return NV_GRAPH_NO_TIMER;
}

task_t *alarm_pop(nv_graph_run_t *run, int64_t now_ms)
{
    if (first_due(run) > now_ms || run->alarm_count == 0)
        return NULL;
    task_t *task = &run->tasks[run->alarms[0].task];
    drop_first(run);
    task->due_ms = NV_GRAPH_NO_TIMER;
    return task;
}

void alarm_announce(nv_graph_run_t *run, nv_graph_effects_t *effects)
{
    int64_t due = first_due(run);
    if (due == run->announced_ms)
        return;
    run->announced_ms = due;
    effect_add(effects, NV_EFFECT_TIMER)->due_ms = due;
}

#include "worker/evaluation/changes.h"

#include "common/core/json.h"

#include <string.h>

static bool is_target(const Nv__Sttm *sttm, const char *name)
{
    for (size_t i = 0; sttm && i < sttm->n_targets; i++)
        if (strcmp(sttm->targets[i]->name, name) == 0)
            return true;
    return false;
}

/* {"dim_customer": {"inserted": 30, "updated": 45, "deleted": 0}} */
static bool read_change(const nv_json_t *metrics, table_change_t *out)
{
    bool any = nv_json_member(metrics, "inserted") || nv_json_member(metrics, "new_files");
    out->new_files = nv_json_int64_or(metrics, "new_files", 0);
    out->inserted = nv_json_int64_or(metrics, "inserted", 0);
    out->updated = nv_json_int64_or(metrics, "updated", 0);
    out->deleted = nv_json_int64_or(metrics, "deleted", 0);
    return any;
}

table_change_t *changes_list(nv_mem_t *ctx, const run_record_t *record, size_t *out_count)
{
    table_change_t *list = NULL;
    size_t capacity = 0;
    *out_count = 0;
    for (size_t i = 0; record->execution && i < record->execution->n_tasks; i++) {
        const Nv__ExecutedTask *task = record->execution->tasks[i];
        const nv_json_t *output;
        nv_error_t ignored = NV_ERROR_INIT;
        if (!task->output[0] ||
            !nv_json_parse(ctx, task->key, task->output, strlen(task->output), &output, &ignored))
            continue;
        for (size_t k = 0; k < nv_json_size(output); k++) {
            table_change_t change = {.task = task->key, .table = nv_json_key_at(output, k)};
            if (!change.table || !read_change(nv_json_at(output, k), &change))
                continue;
            change.is_target = is_target(record->sttm, change.table);
            NV_PUSH(ctx, list, *out_count, capacity) = change;
        }
    }
    return list;
}

const table_change_t *changes_of(const table_change_t *changes, size_t count, const char *table)
{
    for (size_t i = 0; i < count; i++)
        if (changes[i].is_target && strcmp(changes[i].table, table) == 0)
            return &changes[i];
    return NULL;
}

char *change_text(nv_mem_t *ctx, const table_change_t *change)
{
    const struct {
        int64_t count;
        const char *what;
    } parts[] = {{change->inserted, "new"}, {change->updated, "changed"}, {change->deleted, "deleted"}};
    char *text = nv_strdup(ctx, "");
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (parts[i].count)
            text = nv_printf(ctx, "%s%s%lld %s", text, *text ? ", " : "", (long long)parts[i].count,
                             parts[i].what);
    return *text ? text : nv_strdup(ctx, "unchanged");
}

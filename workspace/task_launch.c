#include "workspace/task_launch.h"

#include "workspace/job_settings.h"
#include "workspace/object_store.h"
#include "workspace/path.h"
#include "workspace/unity_store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

enum { MAX_SOURCE = 10 * 1024 * 1024, MAX_FILLED = 1024 * 1024 };

const char *ws_fill_references(nv_mem_t *mem, const char *text, ws_lookup_fn lookup, void *arg)
{
    nv_buf_t out = nv_buf_make(mem, MAX_FILLED);
    for (const char *p = text; *p;) {
        const char *open = strstr(p, "{{");
        const char *close = open ? strstr(open, "}}") : NULL;
        if (!close) {
            nv_buf_puts(&out, p);
            break;
        }
        nv_buf_add(&out, p, (size_t)(open - p));
        const char *from = open + 2 + strspn(open + 2, " ");
        size_t length = from < close ? (size_t)(close - from) : 0;
        while (length && from[length - 1] == ' ') {
            length--;
        }
        const char *value = lookup(arg, mem, nv_strndup(mem, from, length));
        if (value) {
            nv_buf_puts(&out, value);
        } else {
            nv_buf_add(&out, open, (size_t)(close + 2 - open));
        }
        p = close + 2;
    }
    return nv_buf_text(&out);
}

/* ---- references and parameters */

typedef struct context {
    ws_app_t *app;
    const ws_run_t *run;
    const ws_task_run_t *task;
} context_t;

static const char *job_parameter(const ws_run_t *run, const char *name)
{
    const nv_json_t *given = nv_json_member(nv_json_member(run->parameters, "job_parameters"), name);
    if (given) {
        return nv_json_scalar_text(given);
    }
    const nv_json_t *declared = nv_json_member(run->settings, "parameters");
    for (size_t i = 0; i < nv_json_size(declared); i++) {
        const nv_json_t *one = nv_json_at(declared, i);
        if (strcmp(nv_json_string_or(one, "name", ""), name) == 0) {
            return nv_json_scalar_text(nv_json_member(one, "default"));
        }
    }
    return NULL;
}

/* {{tasks.KEY.values.NAME}} */
static const char *task_value(context_t *c, nv_mem_t *mem, const char *rest)
{
    const char *mark = strstr(rest, ".values.");
    if (!mark) {
        return NULL;
    }
    WS_DB_SCOPE ws_db_t *db = ws_db_lock(c->app->db);
    WS_ROWS_SCOPE ws_rows_t rows = {0};
    nv_error_t err = NV_ERROR_INIT;
    bool found = false;
    const nv_json_t *value = NULL;
    if (!ws_db_query(
            db, &rows, &err, "SELECT value FROM task_values WHERE run_id = ? AND task_key = ? AND key = ?",
            "itt", c->run->run_id, nv_strndup(mem, rest, (size_t)(mark - rest)), mark + strlen(".values.")) ||
        !ws_rows_next(&rows, &found, &err) || !found) {
        return NULL;
    }
    const char *text = ws_rows_text(mem, &rows, 0);
    return nv_json_parse(mem, "task value", text, strlen(text), &value, &err) && nv_json_scalar_text(value)
               ? nv_json_scalar_text(value)
               : text;
}

static const char *reference(void *arg, nv_mem_t *mem, const char *name)
{
    context_t *c = arg;
    if (strcmp(name, "job.id") == 0 || strcmp(name, "job_id") == 0) {
        return nv_printf(mem, "%" PRId64, c->run->job_id);
    }
    if (strcmp(name, "job.run_id") == 0 || strcmp(name, "parent_run_id") == 0) {
        return nv_printf(mem, "%" PRId64, c->run->run_id);
    }
    if (strcmp(name, "task.run_id") == 0 || strcmp(name, "run_id") == 0) {
        return nv_printf(mem, "%" PRId64, c->task->task_run_id);
    }
    if (strcmp(name, "task.name") == 0 || strcmp(name, "task_key") == 0) {
        return c->task->task_key;
    }
    if (strcmp(name, "job.name") == 0) {
        return c->run->run_name;
    }
    if (strncmp(name, "job.parameters.", 15) == 0) {
        return job_parameter(c->run, name + 15);
    }
    return strncmp(name, "tasks.", 6) == 0 ? task_value(c, mem, name + 6) : NULL;
}

/* Writes the string members of an object that later ones do not overrule. */
static void put_parameters(nv_json_writer_t *w, nv_mem_t *mem, const nv_json_t *object,
                           const nv_json_t *overruled_by, context_t *c)
{
    for (size_t i = 0; i < nv_json_size(object); i++) {
        const char *key = nv_json_key_at(object, i);
        const char *value = nv_json_scalar_text(nv_json_at(object, i));
        if (value && !nv_json_member(overruled_by, key)) {
            nv_json_put_string(w, key, ws_fill_references(mem, value, reference, c));
        }
    }
}

/* notebook_params over base_parameters over the job's own parameters. */
static void put_notebook_parameters(nv_json_writer_t *w, nv_mem_t *mem, const nv_json_t *settings,
                                    context_t *c)
{
    const nv_json_t *base = nv_json_get(settings, "notebook_task.base_parameters");
    const nv_json_t *given = nv_json_member(c->run->parameters, "notebook_params");
    const nv_json_t *job = nv_json_member(c->run->parameters, "job_parameters");
    const nv_json_t *declared = nv_json_member(c->run->settings, "parameters");
    nv_json_open_object(w, "parameters");
    for (size_t i = 0; i < nv_json_size(declared); i++) {
        const char *name = nv_json_string_or(nv_json_at(declared, i), "name", "");
        const char *value = nv_json_scalar_text(nv_json_member(nv_json_at(declared, i), "default"));
        if (value && !nv_json_member(job, name)) {
            nv_json_put_string(w, name, ws_fill_references(mem, value, reference, c));
        }
    }
    put_parameters(w, mem, job, NULL, c);
    for (size_t i = 0; i < nv_json_size(base); i++) {
        const char *key = nv_json_key_at(base, i);
        const char *value = nv_json_scalar_text(nv_json_at(base, i));
        if (value && !nv_json_member(given, key) &&
            !job_parameter(c->run, key)) { /* job parameters take precedence */
            nv_json_put_string(w, key, ws_fill_references(mem, value, reference, c));
        }
    }
    put_parameters(w, mem, given, NULL, c);
    nv_json_close_object(w);
}

/* ---- code */

static bool read_volume_file(ws_app_t *app, nv_mem_t *mem, const char *path, const char **out,
                             nv_error_t *err)
{
    ws_volume_path_t at;
    if (!ws_volume_path_parse(mem, path, &at, err) || !at.volume) {
        return at.volume ? false : nv_fail(err, NV_INVALID_ARGUMENT, "%s: is not a file", path);
    }
    ws_full_name_t volume = {.kind = WS_VOLUME, .parts = {at.catalog, at.schema, at.volume}, .count = 3};
    const char *real = nv_printf(mem, "%s/%s", ws_unity_path(mem, app->unity_dir, &volume), at.rest);
    int fd = open(real, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return nv_fail_errno(err, errno, "%s", path);
    }
    char *text = nv_alloc(mem, MAX_SOURCE + 1);
    ssize_t length = read(fd, text, MAX_SOURCE);
    close(fd);
    text[length > 0 ? length : 0] = '\0';
    *out = text;
    return true;
}

/* The source of a task's code: a workspace object, or a file of a volume. */
static bool read_source(ws_app_t *app, nv_mem_t *mem, const char *path, const char **source,
                        const char **language, nv_error_t *err)
{
    ws_object_t object;
    const char *clean = NULL;
    *language = "PYTHON";
    if (strncmp(path, "/Volumes/", 9) == 0 || strncmp(path, "dbfs:/Volumes/", 14) == 0) {
        return read_volume_file(app, mem, strchr(path, '/'), source, err);
    }
    if (!ws_path_normalize(mem, path, &clean, err) ||
        !ws_object_get(app->db, mem, clean, true, &object, err)) {
        return false;
    }
    if (strcmp(object.type, "DIRECTORY") == 0) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s is a directory", path);
    }
    *source = object.content;
    *language = object.language ? object.language : "PYTHON";
    return true;
}

static void put_argv(nv_json_writer_t *w, nv_mem_t *mem, const nv_json_t *settings, context_t *c)
{
    const nv_json_t *given = nv_json_member(c->run->parameters, "python_params");
    const nv_json_t *list =
        nv_json_size(given) ? given : nv_json_get(settings, "spark_python_task.parameters");
    nv_json_open_array(w, "argv");
    for (size_t i = 0; i < nv_json_size(list); i++) {
        const char *text = nv_json_scalar_text(nv_json_at(list, i));
        nv_json_put_string(w, NULL, ws_fill_references(mem, text ? text : "", reference, c));
    }
    nv_json_close_array(w);
}

bool ws_task_launch(ws_app_t *app, nv_mem_t *mem, const ws_run_t *run, const ws_task_run_t *task,
                    const nv_json_t *settings, int64_t *id, nv_json_writer_t *w, nv_error_t *err)
{
    context_t context = {.app = app, .run = run, .task = task};
    const char *type = ws_task_type(settings);
    bool python = strcmp(type, "spark_python_task") == 0;
    const char *place = python                          ? "spark_python_task.python_file"
                        : strcmp(type, "sql_task") == 0 ? "sql_task.file.path"
                                                        : "notebook_task.notebook_path";
    const char *path = nv_json_string_or(settings, place, "");
    const char *source = NULL;
    const char *language = NULL;
    if (!read_source(app, mem, path, &source, &language, err)) {
        return false;
    }
    if (strcmp(type, "sql_task") == 0) {
        language = "SQL";
    }
    *id = ws_kernel_begin(app->kernel, mem, python ? "python" : "notebook", w);
    nv_json_put_string(w, "path", path);
    nv_json_put_string(w, "source", source);
    nv_json_put_string(w, "language", language);
    nv_json_put_string(w, "task_run_id", nv_printf(mem, "%" PRId64, task->task_run_id));
    put_notebook_parameters(w, mem, settings, &context);
    if (python) {
        put_argv(w, mem, settings, &context);
    }
    return true;
}

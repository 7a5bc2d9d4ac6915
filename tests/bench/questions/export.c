/* The questions and the raw tables' answers as a file, so that they can be asked of tables that stand elsewhere. */
#include "common/contract/codec.h"
#include "common/core/json.h"
#include "tests/bench/questions/questions.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { EXPORT_MAX = 64 * 1024 * 1024 };

struct question_export {
    const set_t *set;
    const char *folder;
    nv_json_writer_t out;
};

static bool write_text(const question_export_t *export, const char *name, const char *text, nv_error_t *err)
{
    char *path = nv_printf(export->set->ctx, "%s/%s", export->folder, name);
    FILE *file = fopen(path, "wb");
    if (!file)
        return nv_fail_errno(err, errno, "%s", path);
    fputs(text, file);
    return fclose(file) == 0 || nv_fail_errno(err, errno, "%s", path);
}

question_export_t *export_begin(const set_t *set, const char *folder)
{
    question_export_t *export = NV_NEW(set->ctx, question_export_t);
    export->set = set;
    export->folder = folder;
    export->out = nv_json_writer_make(set->ctx, EXPORT_MAX, true);
    nv_json_open_array(&export->out, NULL);
    return export;
}

bool export_question(question_export_t *export, const char *text, const char *raw, const char *star,
                     nv_error_t *err)
{
    const char *answer;
    char *sql = nv_printf(export->set->ctx,
                          "SELECT CAST(to_json(list([CAST(g AS VARCHAR), CAST(v AS VARCHAR)] ORDER BY g)) AS "
                          "VARCHAR) FROM (%s)",
                          raw);
    if (!star_value(export->set->ctx, export->set->db, sql, &answer, err))
        return nv_wrap(err, "%s", text);
    nv_json_open_object(&export->out, NULL);
    nv_json_put_string(&export->out, "text", text);
    nv_json_put_string(&export->out, "star", star);
    nv_json_put_string(&export->out, "answer", answer);
    nv_json_close_object(&export->out);
    return true;
}

bool export_end(question_export_t *export, nv_error_t *err)
{
    char *text, *sttm;
    size_t length;
    nv_json_close_array(&export->out);
    return nv_json_write_end(&export->out, "questions.json", &text, &length, err) &&
           write_text(export, "questions.json", text, err) &&
           nv_json_encode(export->set->ctx, &export->set->star.sttm->base, NV_CODEC_DEFAULT, &sttm, &length,
                          err) &&
           write_text(export, "sttm.json", sttm, err);
}

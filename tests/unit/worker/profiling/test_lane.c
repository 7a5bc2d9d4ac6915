/* What a lane keeps while it takes in blocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <talloc.h>

#include "worker/profiling/lane.h"

/* One lane over one CSV file of three columns, fed by hand. */
typedef struct fixture {
    profile_options_t options;
    Nv__SourceFile file;
    Nv__SourceFile *files[1];
    Nv__SurveyTable table;
    sniff_dialect_t dialect;
    scan_config_t config;
    hashlog_budget_t budget;
    lane_t lane;
} fixture_t;

static void open_lane(fixture_t *f)
{
    *f = (fixture_t){.options = {.threads = 1, .memory_bytes = 64 << 20, .max_line_bytes = 1 << 20}};
    f->file = (Nv__SourceFile)NV__SOURCE_FILE__INIT;
    f->table = (Nv__SurveyTable)NV__SURVEY_TABLE__INIT;
    f->files[0] = &f->file;
    f->table.files = f->files;
    f->table.n_files = 1;
    f->dialect = (sniff_dialect_t){.csv = {.delimiter = ',', .quote = '"', .escape = '"'}, .n_columns = 3};
    f->config = (scan_config_t){.options = &f->options, .table = &f->table, .dialect = &f->dialect};
    f->config.kind.format = FILE_CSV;
    atomic_store(&f->budget.left, 64 << 20);
    lane_init(&f->lane, &f->config, NULL, 0, &f->budget);
}

static void feed(fixture_t *f, const char *line, int times)
{
    size_t length = strlen(line);
    source_block_t *block = &f->lane.block;
    block->capacity = block->length = length * (size_t)times;
    block->data = realloc(block->data, block->length + SOURCE_SLACK);
    assert_non_null(block->data);
    for (int i = 0; i < times; i++)
        memcpy(block->data + (size_t)i * length, line, length);
    lane_take_block(&f->lane);
    block->index++;
    block->first_line += times;
}

static void test_rejects_are_bounded(void **state)
{
    (void)state;
    fixture_t f;
    open_lane(&f);
    enum { LINES = 20000 };
    static const char *const bad[] = {"1,2\n", "1,2,3,4\n", "1,\"a\"b,3\n", "1,\xFF,3\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        feed(&f, bad[i], LINES);
    assert_string_equal(f.lane.rejects[0].reason, "2 fields where 3 were expected");
    size_t kept = talloc_total_size(f.lane.ctx);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        feed(&f, bad[i], LINES);
    assert_int_equal(f.lane.rejected, 8 * LINES);
    assert_int_equal(f.lane.n_rejects, SCAN_REJECTS);
    assert_int_equal(talloc_total_size(f.lane.ctx), kept);
    lane_free(&f.lane);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rejects_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/config/config.h"

static const nv_option_t options[] = {
    {.name = "listen", .env = "T_LISTEN", .fallback = "127.0.0.1:7000", .help = "address"},
    {.name = "heartbeat-ms",
     .type = NV_OPTION_INT,
     .env = "T_HEARTBEAT",
     .fallback = "1000",
     .min = 100,
     .max = 60000,
     .help = "heartbeat"},
    {.name = "verbose", .type = NV_OPTION_BOOL, .flag = 'v', .env = "T_VERBOSE", .help = "more"},
    {.name = "color", .type = NV_OPTION_BOOL, .fallback = "true", .help = "colors"},
    {.name = "output",
     .type = NV_OPTION_ENUM,
     .flag = 'o',
     .values = "text|json",
     .fallback = "text",
     .help = "format"},
    {.name = "lease", .type = NV_OPTION_DURATION, .fallback = "15s", .help = "lease"},
    {.name = "cache", .type = NV_OPTION_SIZE, .fallback = "64MiB", .help = "cache"},
    {.name = "pool", .type = NV_OPTION_LIST, .env = "T_POOLS", .help = "pools"},
    {.name = "token", .env = "T_TOKEN", .secret = true, .help = "secret token"},
    {.name = "tenant", .min = 1, .max = 8, .help = "tenant"},
};
static const nv_config_schema_t schema = {
    .program = "prog",
    .usage = "[OPTION]…",
    .summary = "A program.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .max_arguments = 2,
};

typedef struct fixture {
    nv_mem_t *ctx;
    nv_error_t err;
    nv_config_t *config;
} fixture_t;

static int setup(void **state)
{
    fixture_t *f = calloc(1, sizeof *f);
    f->ctx = nv_mem_root("test");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *f = *state;
    nv_mem_free(f->ctx);
    free(f);
    return 0;
}

static bool parse(fixture_t *f, const char **argv, const char **envp, const char *env_file)
{
    nv_config_input_t input = {.argv = (char **)argv, .envp = (char **)envp, .env_file = env_file};
    while (argv[input.argc])
        input.argc++;
    return nv_config_parse(f->ctx, &schema, &input, &f->config, &f->err);
}
#define ARGS(...) ((const char *[]){"prog", __VA_ARGS__ __VA_OPT__(, ) NULL})
#define ENV(...) ((const char *[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static void expect_error(fixture_t *f, bool ok, const char *part)
{
    assert_false(ok);
    assert_int_equal(f->err.code, NV_INVALID_ARGUMENT);
    if (!strstr(f->err.message, part))
        fail_msg("\"%s\" has no \"%s\"", f->err.message, part);
}

static void test_defaults(void **state)
{
    fixture_t *f = *state;
    assert_true(parse(f, ARGS(), NULL, NULL));
    assert_string_equal(nv_config_string(f->config, "listen"), "127.0.0.1:7000");
    assert_int_equal(nv_config_int(f->config, "heartbeat-ms"), 1000);
    assert_int_equal(nv_config_int(f->config, "lease"), 15000);
    assert_int_equal(nv_config_int(f->config, "cache"), 64 << 20);
    assert_false(nv_config_bool(f->config, "verbose"));
    assert_true(nv_config_bool(f->config, "color"));
    assert_null(nv_config_string(f->config, "token"));
    assert_false(nv_config_is_set(f->config, "token"));
    assert_string_equal(nv_config_origin(f->config, "listen"), "default");
}

static void test_strength_of_sources(void **state)
{
    fixture_t *f = *state;
    char path[] = "/tmp/nv_config_XXXXXX";
    int fd = mkstemp(path);
    const char *text = "T_LISTEN=file:1\nT_HEARTBEAT=200\nT_POOLS=a,b\nOTHER_KEY='x y'\n";
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    bool ok = parse(f, ARGS("--listen", "flag:3"), ENV("T_LISTEN=env:2", "T_HEARTBEAT=300"), path);
    unlink(path);
    assert_true(ok);
    assert_string_equal(nv_config_string(f->config, "listen"), "flag:3");
    assert_int_equal(nv_config_int(f->config, "heartbeat-ms"), 300);
    assert_int_equal(nv_config_list_count(f->config, "pool"), 2);
    assert_string_equal(nv_config_list_at(f->config, "pool", 1), "b");
    assert_string_equal(nv_config_origin(f->config, "pool"), ".env");
    assert_string_equal(nv_config_environment(f->config, "OTHER_KEY"), "x y");
    assert_null(nv_config_environment(f->config, "NOT_THERE"));
}

static void test_forms_of_flags(void **state)
{
    fixture_t *f = *state;
    assert_true(
        parse(f, ARGS("-vojson", "--lease=2m", "--no-color", "--pool", "a", "--pool=b,c", "x", "--", "--y"),
              NULL, NULL));
    assert_true(nv_config_bool(f->config, "verbose"));
    assert_false(nv_config_bool(f->config, "color"));
    assert_string_equal(nv_config_string(f->config, "output"), "json");
    assert_int_equal(nv_config_int(f->config, "lease"), 120000);
    assert_int_equal(nv_config_list_count(f->config, "pool"), 2);
    assert_string_equal(nv_config_list_at(f->config, "pool", 1), "b,c");
    assert_int_equal(nv_config_argument_count(f->config), 2);
    assert_string_equal(nv_config_argument(f->config, 1), "--y");
}

static void test_errors_name_option_source_and_expectation(void **state)
{
    fixture_t *f = *state;
    expect_error(f, parse(f, ARGS("--heartbeat-ms", "5x"), NULL, NULL),
                 "--heartbeat-ms \"5x\" (from the command line): expected an integer from 100 to 60000");
    expect_error(f, parse(f, ARGS(), ENV("T_HEARTBEAT=99"), NULL), "(from the environment)");
    expect_error(f, parse(f, ARGS("--heartbeat-ms=99999999999999999999"), NULL, NULL), "expected an integer");
    expect_error(f, parse(f, ARGS("-o", "yaml"), NULL, NULL), "expected one of text|json");
    expect_error(f, parse(f, ARGS("-o", ""), NULL, NULL), "expected one of text|json");
    expect_error(f, parse(f, ARGS("--lease=5 weeks"), NULL, NULL), "expected a duration");
    expect_error(f, parse(f, ARGS("--lease=9223372036854775807h"), NULL, NULL), "expected a duration");
    expect_error(f, parse(f, ARGS("--cache=-1"), NULL, NULL), "expected a size");
    expect_error(f, parse(f, ARGS("--no-color=maybe"), NULL, NULL), "--no-color: expected an option");
    expect_error(f, parse(f, ARGS("--color=maybe"), NULL, NULL), "expected true or false");
    expect_error(f, parse(f, ARGS("--tenant=ninechars"), NULL, NULL), "expected 1 to 8 bytes");
    expect_error(f, parse(f, ARGS("--unknown"), NULL, NULL), "--unknown: expected an option of prog");
    expect_error(f, parse(f, ARGS("-q"), NULL, NULL), "-q: expected an option");
    expect_error(f, parse(f, ARGS("--listen"), NULL, NULL), "--listen: expected a value after it");
    expect_error(f, parse(f, ARGS("a", "b", "c"), NULL, NULL), "expected at most 2 arguments");
}

static void test_secrets(void **state)
{
    fixture_t *f = *state;
    expect_error(f, parse(f, ARGS("--token=hunter2"), NULL, NULL), "--token is a secret");
    assert_null(strstr(f->err.message, "hunter2"));
    assert_true(parse(f, ARGS(), ENV("T_TOKEN=hunter2"), NULL));
    assert_string_equal(nv_config_string(f->config, "token"), "hunter2");
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    nv_config_print(f->config, to);
    fclose(to);
    assert_null(strstr(text, "hunter2"));
    assert_non_null(strstr(text, "token=(set)  # environment"));
    free(text);
}

static void test_secret_from_file(void **state)
{
    fixture_t *f = *state;
    char path[] = "/tmp/nv_config_XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "s3cret\n", 7), 7);
    close(fd);
    bool by_flag = parse(f, ARGS("--token-file", path), NULL, NULL);
    char flag_value[16] = "";
    if (by_flag)
        snprintf(flag_value, sizeof flag_value, "%s", nv_config_string(f->config, "token"));
    char variable[64];
    snprintf(variable, sizeof variable, "T_TOKEN_FILE=%s", path);
    bool by_variable = parse(f, ARGS(), ENV(variable), NULL);
    unlink(path);
    assert_true(by_flag && by_variable);
    assert_string_equal(flag_value, "s3cret");
    assert_string_equal(nv_config_string(f->config, "token"), "s3cret");
    assert_false(parse(f, ARGS("--token-file=/nonexistent/x"), NULL, NULL));
    assert_int_equal(f->err.code, NV_NOT_FOUND);
}

static void test_required_and_help(void **state)
{
    fixture_t *f = *state;
    static const nv_option_t needed[] = {{.name = "url", .env = "T_URL", .required = true, .help = "where"}};
    nv_config_schema_t strict = {
        .program = "p", .usage = "", .summary = "s", .options = needed, .n_options = 1};
    nv_config_input_t input = {.argc = 1, .argv = (char **)ARGS()};
    expect_error(f, nv_config_parse(f->ctx, &strict, &input, &f->config, &f->err),
                 "--url (or T_URL) is missing");
    input = (nv_config_input_t){.argc = 2, .argv = (char **)ARGS("--help")};
    assert_true(nv_config_parse(f->ctx, &strict, &input, &f->config, &f->err));
    assert_true(nv_config_help_wanted(f->config));
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    nv_config_print_help(&schema, to);
    fclose(to);
    for (size_t i = 0; i < schema.n_options; i++)
        assert_non_null(strstr(text, options[i].help));
    assert_non_null(strstr(text, "--token-file PATH"));
    assert_non_null(strstr(text, "[T_HEARTBEAT]"));
    assert_non_null(strstr(text, "100 to 60000"));
    free(text);
}

static void test_stop_at_argument(void **state)
{
    fixture_t *f = *state;
    nv_config_schema_t command = schema;
    command.stop_at_argument = true;
    command.max_arguments = SIZE_MAX;
    nv_config_input_t input = {.argc = 5, .argv = (char **)ARGS("-v", "run", "submit", "--source=x")};
    assert_true(nv_config_parse(f->ctx, &command, &input, &f->config, &f->err));
    assert_int_equal(nv_config_argument_count(f->config), 3);
    assert_string_equal(nv_config_argument(f->config, 2), "--source=x");
}

static void test_missing_env_file(void **state)
{
    fixture_t *f = *state;
    assert_true(parse(f, ARGS(), NULL, "/nonexistent/.env"));
    nv_config_input_t input = {
        .argc = 1, .argv = (char **)ARGS(), .env_file = "/nonexistent/.env", .env_file_required = true};
    assert_false(nv_config_parse(f->ctx, &schema, &input, &f->config, &f->err));
    assert_int_equal(f->err.code, NV_NOT_FOUND);
}

static nv_env_pair_t *env_file(fixture_t *f, const char *text, size_t expected)
{
    nv_env_pair_t *pairs = NULL;
    size_t n = 0;
    if (!nv_env_file_parse(f->ctx, text, strlen(text), &pairs, &n, &f->err))
        fail_msg("%s", f->err.message);
    assert_int_equal(n, expected);
    return pairs;
}

static void test_env_file_syntax(void **state)
{
    fixture_t *f = *state;
    nv_env_pair_t *pairs = env_file(f,
                                    "\xEF\xBB\xBF# comment\r\n\r\nA=1\r\nexport B = two words  # note\n"
                                    "C=\"x\\n\\\"y\\\" #\"\nD='li\\teral$'\nE=\nF=a#b\n  G = g",
                                    7);
    assert_string_equal(pairs[0].value, "1");
    assert_string_equal(pairs[1].key, "B");
    assert_string_equal(pairs[1].value, "two words");
    assert_string_equal(pairs[2].value, "x\n\"y\" #");
    assert_string_equal(pairs[3].value, "li\\teral$");
    assert_string_equal(pairs[4].value, "");
    assert_string_equal(pairs[5].value, "a#b");
    assert_string_equal(pairs[6].value, "g");
}

static void test_env_file_errors(void **state)
{
    fixture_t *f = *state;
    nv_env_pair_t *pairs;
    size_t n;
    static const struct {
        const char *text, *expect;
    } bad[] = {{"A=1\nno equals\n", "line 2: expected \"=\""},
               {"1A=x", "line 1: expected a name"},
               {"A=1\n\nB=\"open\n\n", "line 3: expected a closing"},
               {"A='x' y\n", "line 1: expected the end of the line"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_error(f, nv_env_file_parse(f->ctx, bad[i].text, strlen(bad[i].text), &pairs, &n, &f->err),
                     bad[i].expect);
    expect_error(f, nv_env_file_parse(f->ctx, "A=\0", 3, &pairs, &n, &f->err), "NUL");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_defaults),          CASE(test_strength_of_sources),
        CASE(test_forms_of_flags),    CASE(test_errors_name_option_source_and_expectation),
        CASE(test_secrets),           CASE(test_secret_from_file),
        CASE(test_required_and_help), CASE(test_stop_at_argument),
        CASE(test_missing_env_file),  CASE(test_env_file_syntax),
        CASE(test_env_file_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

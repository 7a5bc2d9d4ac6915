/* Configuration from one declarative table per program.
 *
 * The table says of each option its name, type, range, default, flag, environment variable and description;
 * from it come parsing, validation, `--help`, and errors that name the option, where its value came from, and
 * what was expected:  --heartbeat-ms "5x" (from the command line): expected an integer from 100 to 60000
 *
 * Sources, strongest first: command line, environment, env file (`.env`), default. Secret options are refused
 * on the command line, where every user of the machine could read them; they come from the environment, the
 * env file, or a file named by <ENV>_FILE (or --<name>-file).
 *
 * Threads: a parsed nv_config_t is immutable and may be read from any. Nothing here is global.
 */
#ifndef NV_CONFIG_CONFIG_H
#define NV_CONFIG_CONFIG_H

#include "common/core/error.h"
#include "common/core/mem.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum nv_option_type {
    NV_OPTION_STRING,   /* min/max, when max > 0: length in bytes */
    NV_OPTION_INT,      /* decimal int64 in [min, max]; min = max = 0: no range */
    NV_OPTION_BOOL,     /* --name, --no-name, --name=true|false; env: 1|0|true|false|yes|no|on|off */
    NV_OPTION_ENUM,     /* one of `values` ("text|json") */
    NV_OPTION_DURATION, /* "250ms", "5s", "10m", "2h"; read as milliseconds; bare numbers are milliseconds */
    NV_OPTION_SIZE,     /* "4096", "64KiB", "256MiB", "2GiB"; read as bytes */
    NV_OPTION_LIST,     /* strings: the flag may be repeated, the variable is split at commas */
} nv_option_type_t;

/* One option. All pointers are borrowed and must outlive the parsed configuration (literals do). */
typedef struct nv_option {
    const char *name; /* "heartbeat-ms": the flag is --heartbeat-ms */
    nv_option_type_t type;
    char flag;            /* short form ('o' for -o), or 0 */
    const char *env;      /* environment variable, or NULL */
    const char *fallback; /* default as text, or NULL: unset */
    int64_t min, max;
    const char *values;      /* ENUM: "a|b|c" */
    const char *placeholder; /* "PATH" in --help; NULL: from the type */
    const char *help;        /* one line */
    bool secret;             /* never on the command line, never printed */
    bool required;           /* an error when no source gives it */
} nv_option_t;

typedef struct nv_config_schema {
    const char *program; /* "nuvyn-worker" */
    const char *usage;   /* "[OPTION]…" ; after the program's name */
    const char *summary; /* one paragraph */
    const nv_option_t *options;
    size_t n_options;
    const char *epilogue;  /* printed at the end of --help, or NULL */
    bool stop_at_argument; /* options end at the first argument that is none (commands with subcommands) */
    size_t max_arguments;  /* arguments that are no options; more are an error. SIZE_MAX: any number */
} nv_config_schema_t;

typedef struct nv_config nv_config_t;

/* What to parse. */
typedef struct nv_config_input {
    int argc; /* argv[0] is the program and is skipped */
    char *const *argv;
    char *const *envp; /* NULL: no environment */
    /* Path of a `.env`; NULL: none. A missing file is an error only when env_file_required. */
    const char *env_file;
    bool env_file_required;
} nv_config_input_t;

/* Parses and validates everything; *out lives below ctx. With --help or --version given, required options may
 * be missing (ask nv_config_help_wanted first). Fails with INVALID_ARGUMENT (or the error of reading a file).
 */
bool nv_config_parse(nv_mem_t *ctx, const nv_config_schema_t *schema, const nv_config_input_t *input,
                     nv_config_t **out, nv_error_t *err) NV_MUST_CHECK;

/* --help or -h was given. */
bool nv_config_help_wanted(const nv_config_t *config);
/* Prints help to `to`. */
void nv_config_print_help(const nv_config_schema_t *schema, FILE *to);
/* Prints every option with its effective value and where it came from; secrets as "(set)". */
void nv_config_print(const nv_config_t *config, FILE *to);

/* The common start of a main(): parses argv, environ and ./.env; prints help or version and exits 0 where
 * asked, prints the error and exits 64 (EX_USAGE) where wrong. */
nv_config_t *nv_config_main(nv_mem_t *ctx, const nv_config_schema_t *schema, int argc, char **argv);

/* Values, by option name. A name or type that is not in the table is a programming error (assertion). Strings
 * are borrowed from the configuration; NULL when unset. Numbers are 0 and booleans false when unset; see
 * nv_config_is_set. */
const char *nv_config_string(const nv_config_t *config, const char *name); /* STRING, ENUM */
int64_t nv_config_int(const nv_config_t *config, const char *name); /* INT, DURATION (ms), SIZE (bytes) */
bool nv_config_bool(const nv_config_t *config, const char *name);
size_t nv_config_list_count(const nv_config_t *config, const char *name);
const char *nv_config_list_at(const nv_config_t *config, const char *name, size_t index);
/* True when any source, the default included, gave a value. */
bool nv_config_is_set(const nv_config_t *config, const char *name);
/* "command line", "environment", ".env", "default", "unset" */
const char *nv_config_origin(const nv_config_t *config, const char *name);

/* Arguments that are no options, in order. */
size_t nv_config_argument_count(const nv_config_t *config);
const char *nv_config_argument(const nv_config_t *config, size_t index);

/* A variable of the environment or else of the env file that is in no option table (provider keys such as
 * GROQ_API_KEY); NULL when neither has it. Borrowed from the configuration. */
const char *nv_config_environment(const nv_config_t *config, const char *variable);

/* One KEY=VALUE of an env file. */
typedef struct nv_env_pair {
    const char *key;
    const char *value;
} nv_env_pair_t;

enum { NV_ENV_FILE_MAX_BYTES = 1024 * 1024, NV_ENV_FILE_MAX_PAIRS = 4096 };

/* Parses the text of an env file: KEY=VALUE lines, `export ` prefixes, # comments, 'literal' and "escaped"
 * (\n \t \" \\ \$) values, CRLF. No interpolation, no commands. Errors name the line. Exposed for tests and
 * fuzzing. */
bool nv_env_file_parse(nv_mem_t *ctx, const char *text, size_t length, nv_env_pair_t **out, size_t *out_count,
                       nv_error_t *err) NV_MUST_CHECK;

#endif

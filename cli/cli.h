/* nuvynctl: what its commands share. One command is one function in a table; one file per noun. Single-threaded. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "common/config/config.h"
#include "common/core/error.h"
#include "common/core/mem.h"
#include "common/rpc/client.h"
#include "nuvyn/control.pb-c.h"

#include <stddef.h>
#include <stdint.h>

typedef struct cli {
    nv_mem_t *ctx;
    const nv_config_t *options;
    nv_rpc_client_t *client; /* made by the first cli_call */
    bool json;               /* -o json */
    /* A run's source as it was sent (absolute) and as the person wrote it, "" where there is none: people are told the latter. */
    const char *source_sent, *source_given;
} cli_t;

typedef bool (*cli_fn)(cli_t *cli, nv_error_t *err);

typedef struct cli_command {
    const char *noun;
    const char *verb;
    const char *arguments; /* "RUN", for help */
    const char *help;      /* one line */
    cli_fn run;
    const nv_option_t *options; /* own options beside the global ones; NULL: none */
    size_t n_options;
    size_t min_arguments;
    size_t max_arguments;
} cli_command_t;

/* The commands of one noun, ended by an entry without verb. */
extern const cli_command_t cli_certs_commands[];
extern const cli_command_t cli_submit_commands[]; /* of the noun "run", too */
extern const cli_command_t cli_run_commands[];
extern const cli_command_t cli_fork_commands[]; /* of the noun "run", too */
extern const cli_command_t cli_checkpoint_commands[];
extern const cli_command_t cli_interrupt_commands[];
extern const cli_command_t cli_artifact_commands[];
extern const cli_command_t cli_worker_commands[];
extern const cli_command_t cli_pool_commands[];
extern const cli_command_t cli_tenant_commands[];
extern const cli_command_t cli_kb_commands[];
extern const cli_command_t cli_cluster_commands[];

/* Runs argv ("nuvynctl NOUN VERB …"); the process's exit status. */
int cli_main(int argc, char **argv);

/* What a person types to call this program, for hints that can be pasted: "nuvynctl", or what $NUVYNCTL_CALLED says. */
const char *cli_called(void);

/* Options and arguments; strings are "" when unset. */
const char *cli_option(const cli_t *cli, const char *name);
const char *cli_argument(const cli_t *cli, size_t index);
/* --tenant, or "" for the caller's own. */
char *cli_tenant(const cli_t *cli);

/* True with --yes, or when a person at the terminal says yes; else CANCELLED, or INVALID_ARGUMENT where nobody can be asked. */
bool cli_confirm(const cli_t *cli, const char *question, nv_error_t *err) NV_MUST_CHECK;

/* ---- connection ---- */

/* Connects on first use with the identity that --state-dir or --cert/--key/--ca name. */
bool cli_connect(cli_t *cli, nv_error_t *err) NV_MUST_CHECK;
/* One unary call; *reply lives below cli->ctx. method: "RunService/GetRun". */
bool cli_call(cli_t *cli, const char *method, const ProtobufCMessage *request,
              const ProtobufCMessageDescriptor *output, void *reply, nv_error_t *err) NV_MUST_CHECK;
/* The same of a method that takes a GetRunRequest and answers with a Run. */
bool cli_get_run(cli_t *cli, const char *method, const char *run_id, Nv__Run **out,
                 nv_error_t *err) NV_MUST_CHECK;
/* A server stream. */
bool cli_open(cli_t *cli, const char *method, const ProtobufCMessage *request,
              const ProtobufCMessageDescriptor *output, nv_rpc_reader_t **out, nv_error_t *err) NV_MUST_CHECK;

/* ---- output ---- */

/* With -o json prints the message and returns true; else false, and the caller prints a table. */
bool cli_print_json(cli_t *cli, const ProtobufCMessage *message);
/* One of a stream of messages, on a line of its own. */
void cli_print_json_line(const ProtobufCMessage *message);

typedef struct cli_table cli_table_t;
/* Columns are a NULL-terminated list of titles; a title beginning with '>' is right-aligned. */
cli_table_t *cli_table_new(cli_t *cli, const char *const *titles);
/* One row: as many texts as titles. */
void cli_table_row(cli_table_t *table, const char *const *cells);
/* Prints and frees; says `nothing` when there is no row. */
void cli_table_print(cli_table_t *table, const char *nothing);

/* "2026-11-22 18:50:03" (UTC), or "" for 0; below ctx. */
char *cli_time(nv_mem_t *ctx, int64_t unix_ms);
/* "12.3 s", "4 m 05 s", "2 h 07 m"; below ctx. */
char *cli_duration(nv_mem_t *ctx, int64_t ms);
/* Text of strangers for a terminal: control characters become '?'; below ctx. */
char *cli_safe(nv_mem_t *ctx, const char *text);
/* The same, with line breaks and tabs kept: for text that is shown as it comes. */
char *cli_safe_lines(nv_mem_t *ctx, const char *text);

/* The text with the folder `sent`, wherever it is named whole, as `given`; below ctx. */
char *cli_as_given(nv_mem_t *ctx, const char *text, const char *sent, const char *given);

/* ---- files ---- */

/* Downloads an artifact to directory/name (parents made; a name that leaves the directory is refused), or to standard
 * output where directory is NULL. */
bool cli_fetch_artifact(cli_t *cli, const char *run_id, const char *name, const char *directory,
                        nv_error_t *err) NV_MUST_CHECK;

/* All artifacts of a run; *out_report: the report is among them. */
bool cli_fetch_all(cli_t *cli, const char *run_id, const char *directory, size_t *out_count, bool *out_report,
                   nv_error_t *err) NV_MUST_CHECK;

/* 32 hexadecimal digits, below ctx: what makes a request one request, however often it is sent. */
char *cli_random_id(nv_mem_t *ctx);

/* ---- following a run (watch.c) ---- */

/* Prints a run's events until it ends or asks for an answer; *out is the run then. `after` as in WatchRun. Reconnects on
 * a lost connection and goes on where it stopped. */
bool cli_watch(cli_t *cli, const char *run_id, int64_t after, Nv__Run **out, nv_error_t *err) NV_MUST_CHECK;
/* FAILED_PRECONDITION, with the reason, unless the run succeeded; a run that waits is fine. */
bool cli_run_verdict(const Nv__Run *run, nv_error_t *err) NV_MUST_CHECK;

#endif

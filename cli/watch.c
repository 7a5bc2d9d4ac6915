/* Following a run: events as lines, with a status line that lives at the bottom of a terminal. */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { RECONNECT_MS_MAX = 5000, RECONNECTS_MAX = 60, NODES_MAX = 32, SAID_MAX = 240 };

#define GREEN "\033[32m"
#define RED "\033[31m"
#define YELLOW "\033[33m"
#define DIM "\033[2m"

/* What the watch knows of a node between two checkpoints. */
typedef struct node {
    char name[32];
    int64_t total;
    int64_t done;
    int64_t first_ms;
    int64_t last_ms;
    int visits;
    char said[SAID_MAX]; /* the last thing it said: its summary when it is done */
} node_t;

typedef struct watch {
    cli_t *cli;
    const char *run_id;
    bool live;      /* standard output is a terminal that can move its cursor */
    bool colour;    /* and may be given colours (no-color.org) */
    bool in_tokens; /* model text is being written; a line break is owed */
    bool status_shown;
    int64_t last;    /* sequence number of the last event */
    nv_mem_t *event; /* memory of the event at hand */
    node_t nodes[NODES_MAX];
    size_t n_nodes;
    char last_note[SAID_MAX]; /* the same note twice in a row is said once */
    char **summary;           /* told at the end; below cli->ctx */
    size_t n_summary;
    size_t summary_capacity;
} watch_t;

static void clear_status(watch_t *watch)
{
    if (watch->status_shown)
        fputs("\r\033[K", stdout);
    if (watch->in_tokens)
        putchar('\n');
    watch->status_shown = watch->in_tokens = false;
}

static int width(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

/* Cuts by characters, not bytes, so that a terminal line is never wrapped by a long name. */
static void put_cut(const char *text, int characters)
{
    for (; *text && characters > 0; characters--) {
        do
            putchar(*text++);
        while (((unsigned char)*text & 0xC0) == 0x80);
    }
}

static void show_status(watch_t *watch, const char *text)
{
    if (!watch->live)
        return;
    clear_status(watch);
    fputs(watch->colour ? DIM : "", stdout);
    put_cut(text, width() - 1);
    fputs(watch->colour ? "\033[0m" : "", stdout);
    watch->status_shown = true;
}

static void line(watch_t *watch, const char *mark, const char *colour, const char *text)
{
    clear_status(watch);
    if (watch->colour)
        printf("%s%s\033[0m %s\n", colour, mark, text);
    else
        printf("%s %s\n", mark, text);
}

/* NULL when there are more nodes than any graph of ours has. */
static node_t *node_of(watch_t *watch, const char *name)
{
    for (size_t i = 0; i < watch->n_nodes; i++)
        if (strncmp(watch->nodes[i].name, name, sizeof watch->nodes[i].name - 1) == 0)
            return &watch->nodes[i];
    if (watch->n_nodes == NODES_MAX)
        return NULL;
    node_t *node = &watch->nodes[watch->n_nodes++];
    snprintf(node->name, sizeof node->name, "%s", name);
    return node;
}

/* A worker's words for a terminal: harmless, and with the source folder as the person wrote it. */
static char *told(watch_t *watch, const char *text)
{
    const cli_t *cli = watch->cli;
    char *safe = cli_safe(watch->event, text);
    return cli->source_sent ? cli_as_given(watch->event, safe, cli->source_sent, cli->source_given) : safe;
}

static void say(watch_t *watch, const Nv__RunEvent *event)
{
    node_t *node = node_of(watch, event->node);
    if (node)
        snprintf(node->said, sizeof node->said, "%s", told(watch, event->text));
}

static void on_log(watch_t *watch, const Nv__RunEvent *event)
{
    say(watch, event);
    show_status(watch, nv_printf(watch->event, "  %s: %s", event->node, told(watch, event->text)));
}

static void on_progress(watch_t *watch, const Nv__RunEvent *event)
{
    const char *text = told(watch, event->text);
    const char *count =
        event->total > 0 ? nv_printf(watch->event, " %" PRId64 "/%" PRId64, event->done, event->total) : "";
    if (strcmp(event->kind, "progress") == 0 && event->done >= event->total)
        say(watch, event);
    show_status(watch, nv_printf(watch->event, "  %s%s%s%s %s", event->node, event->item[0] ? " " : "",
                                 cli_safe(watch->event, event->item), count, text));
}

/* A superstep is over: the nodes whose tasks it finished get their line. */
static void on_checkpoint(watch_t *watch, const Nv__RunEvent *event)
{
    (void)event;
    for (size_t i = 0; i < watch->n_nodes; i++) {
        node_t *node = &watch->nodes[i];
        if (node->done == 0)
            continue;
        node->visits++;
        const char *again = node->visits > 1 ? nv_printf(watch->event, "  (round %d)", node->visits) : "";
        const char *text =
            node->total > 1 ? nv_printf(watch->event, "%" PRId64 " tables", node->done) : node->said;
        const char *took = cli_duration(watch->event, node->first_ms ? node->last_ms - node->first_ms : 0);
        line(watch, "✓", GREEN,
             nv_printf(watch->event, "%-9s %7s%s%s%s", node->name, took, again, text[0] ? "  " : "", text));
        node->total = node->done = node->first_ms = node->last_ms = 0;
        node->said[0] = '\0';
    }
}

static void on_token(watch_t *watch, const Nv__RunEvent *event)
{
    if (!watch->in_tokens)
        clear_status(watch);
    fputs(cli_safe_lines(watch->event, event->text), stdout);
    watch->in_tokens = true;
}

static void on_run(watch_t *watch, const Nv__RunEvent *event)
{
    if (strcmp(event->state, "failed") == 0)
        line(watch, "✗", RED, nv_printf(watch->event, "run failed: %s", told(watch, event->text)));
    else if (strcmp(event->state, "succeeded") == 0)
        line(watch, "✓", GREEN,
             nv_printf(watch->event, "run succeeded%s%s", event->text[0] ? ": " : "",
                       told(watch, event->text)));
    else if (event->text[0])
        line(watch, "·", DIM, told(watch, event->text));
}

static void trouble(watch_t *watch, const Nv__RunEvent *event)
{
    line(watch, "!", YELLOW,
         nv_printf(watch->event, "%s%s%s: attempt %d %s%s%s", event->node, event->item[0] ? " " : "",
                   cli_safe(watch->event, event->item), event->attempt, event->state,
                   event->text[0] ? ": " : "", told(watch, event->text)));
}

static void on_task(watch_t *watch, const Nv__RunEvent *event)
{
    node_t *node = node_of(watch, event->node);
    if (node && strcmp(event->state, "pending") == 0 && event->attempt <= 1)
        node->total++;
    if (node && strcmp(event->state, "running") == 0 && !node->first_ms)
        node->first_ms = event->unix_ms;
    if (node && strcmp(event->state, "done") == 0) {
        node->done++;
        node->last_ms = event->unix_ms;
        show_status(watch, nv_printf(watch->event, "  %s %" PRId64 "/%" PRId64 " %s", node->name, node->done,
                                     node->total, cli_safe(watch->event, event->item)));
    }
    if (strcmp(event->state, "failed") == 0 || strcmp(event->state, "retrying") == 0)
        trouble(watch, event);
}

static void on_summary(watch_t *watch, const Nv__RunEvent *event)
{
    NV_PUSH(watch->cli->ctx, watch->summary, watch->n_summary, watch->summary_capacity) =
        nv_strdup(watch->cli->ctx, told(watch, event->text));
}

/* The question, and how it is answered from another terminal while this one goes on watching. */
static void ask(watch_t *watch, const char *question)
{
    static const char *const ways[][2] = {{"", "yes"},
                                          {" --design FILE", "with a corrected design"},
                                          {" --revise --comment TEXT", "not yet: the Analyst reads why"},
                                          {" --reject", "no: the run ends"}};
    line(watch, "?", YELLOW, question);
    printf("    see        %s artifact get %s sttm.md        (design.json: what a correction begins with)\n",
           cli_called(), watch->run_id);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        printf("    %s %s interrupt answer %s%-24s  %s\n", i ? "or        " : "answer    ", cli_called(),
               watch->run_id, ways[i][0], ways[i][1]);
}

static void on_note(watch_t *watch, const Nv__RunEvent *event)
{
    const char *text = told(watch, event->text);
    if (strcmp(watch->last_note, text) == 0)
        return;
    snprintf(watch->last_note, sizeof watch->last_note, "%s", text);
    if (strcmp(event->kind, "finding") == 0)
        line(watch, "  !", YELLOW, text);
    else if (strcmp(event->kind, "retrieval") == 0 || strcmp(event->kind, "learned") == 0 ||
             strcmp(event->kind, "llm") == 0)
        line(watch, "  ·", DIM, nv_printf(watch->event, "%s: %s", event->kind, text));
    else if (strcmp(event->kind, "interrupt") == 0 && strcmp(event->state, "open") == 0)
        ask(watch, text);
    else if (text[0] == '\0')
        return; /* an answer without a comment */
    else
        line(watch, "  ·", DIM, text);
}

static void render(watch_t *watch, const Nv__RunEvent *event)
{
    static const struct {
        const char *kind;
        void (*show)(watch_t *watch, const Nv__RunEvent *event);
    } kinds[] = {
        {"task", on_task},         {"checkpoint", on_checkpoint},
        {"progress", on_progress}, {"spark", on_progress},
        {"log", on_log},           {"token", on_token},
        {"run", on_run},           {"finding", on_note},
        {"retrieval", on_note},    {"learned", on_note},
        {"llm", on_note},          {"interrupt", on_note},
        {"summary", on_summary},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].kind, event->kind) == 0) {
            kinds[i].show(watch, event);
            break;
        }
    fflush(stdout);
}

static bool take(watch_t *watch, const Nv__RunEvent *event, nv_error_t *err)
{
    if (event->seq <= watch->last)
        return true; /* delivered again after a reconnect */
    if (event->seq != watch->last + 1)
        return nv_fail(err, NV_DATA_LOSS, "the event stream jumps from %" PRId64 " to %" PRId64, watch->last,
                       event->seq);
    watch->last = event->seq;
    if (watch->cli->json)
        cli_print_json_line(&event->base);
    else
        render(watch, event);
    return true;
}

/* Reads until the stream ends; false with the reason when it broke. */
static bool read_stream(watch_t *watch, nv_error_t *err)
{
    Nv__WatchRunRequest request = NV__WATCH_RUN_REQUEST__INIT;
    request.tenant = cli_tenant(watch->cli);
    request.run_id = nv_strdup(watch->cli->ctx, watch->run_id);
    request.after = watch->last;
    nv_rpc_reader_t *reader = NULL;
    if (!cli_open(watch->cli, "RunService/WatchRun", &request.base, &nv__run_event__descriptor, &reader, err))
        return false;
    bool ok = true;
    while (ok) {
        watch->event = nv_mem_root("event");
        ProtobufCMessage *message = NULL;
        ok = nv_rpc_reader_next(reader, watch->event, &message, err);
        bool more = ok && message && (ok = take(watch, (const Nv__RunEvent *)message, err));
        nv_mem_free(watch->event);
        if (!more)
            break;
    }
    nv_rpc_reader_free(reader);
    return ok;
}

static bool get_run(watch_t *watch, Nv__Run **out, nv_error_t *err)
{
    return cli_get_run(watch->cli, "RunService/GetRun", watch->run_id, out, err);
}

static bool is_over(const Nv__Run *run)
{
    return strcmp(run->state, "running") != 0;
}

/* One attempt: the stream to its end, then the run. *over: nothing more will come. */
static bool follow_once(watch_t *watch, Nv__Run **out, bool *over, nv_error_t *err)
{
    *over = false;
    if (!read_stream(watch, err) || !get_run(watch, out, err))
        return false;
    *over = is_over(*out) && watch->last >= (*out)->last_event;
    return true;
}

static bool lost_connection(const nv_error_t *err)
{
    return err->code == NV_UNAVAILABLE || err->code == NV_DEADLINE_EXCEEDED;
}

static bool is_terminal(void)
{
    const char *kind = getenv("TERM");
    return isatty(STDOUT_FILENO) && kind != NULL && strcmp(kind, "dumb") != 0;
}

/* Says which run it is and why it waits, if it does; where nothing else will be shown, to programs, too. */
static void announce(watch_t *watch, const Nv__Run *run)
{
    cli_t *cli = watch->cli;
    if (run->waits[0] && watch->last == run->last_event)
        fprintf(stderr, "run %s waits: %s; event %" PRId64 " comes when it goes on\n", watch->run_id,
                cli_safe(cli->ctx, run->waits), watch->last + 1);
    else if (run->waits[0] && !cli->json)
        line(watch, "!", YELLOW, nv_printf(cli->ctx, "waits: %s", cli_safe(cli->ctx, run->waits)));
}

/* A control plane that is away just now comes back in time. */
static bool begin(watch_t *watch, nv_error_t *err)
{
    cli_t *cli = watch->cli;
    Nv__Run *run = NULL;
    if (!get_run(watch, &run, err)) {
        if (!lost_connection(err))
            return false;
        nv_error_clear(err);
    }
    if (run && watch->last > run->last_event)
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "--after %" PRId64 ": run %s has events up to %" PRId64 ": expected at most that",
                       watch->last, watch->run_id, run->last_event);
    if (!cli->json)
        line(watch, "·", DIM, nv_printf(cli->ctx, "run %s", watch->run_id));
    if (run)
        announce(watch, run);
    fflush(stdout);
    return true;
}

bool cli_watch(cli_t *cli, const char *run_id, int64_t after, Nv__Run **out, nv_error_t *err)
{
    watch_t watch = {.cli = cli, .run_id = run_id, .live = !cli->json && is_terminal(), .last = after};
    const char *no_colour = getenv("NO_COLOR");
    watch.colour = watch.live && (no_colour == NULL || no_colour[0] == '\0');
    int failures = 0;
    if (!begin(&watch, err))
        return false;
    for (bool over = false; !over;) {
        int64_t before = watch.last;
        if (follow_once(&watch, out, &over, err)) {
            failures = watch.last > before ? 0 : failures + 1;
        } else {
            if (!lost_connection(err) || ++failures > RECONNECTS_MAX)
                return false;
            show_status(&watch, "  connection lost; trying again …");
            nv_error_clear(err);
        }
        if (!over && failures > 0)
            usleep((useconds_t)(failures * 200 < RECONNECT_MS_MAX ? failures * 200 : RECONNECT_MS_MAX) *
                   1000);
    }
    clear_status(&watch);
    for (size_t i = 0; i < watch.n_summary; i++)
        printf("%s%s\n", i ? "" : "\n", watch.summary[i]);
    return true;
}

bool cli_run_verdict(const Nv__Run *run, nv_error_t *err)
{
    if (strcmp(run->state, "succeeded") == 0 || strcmp(run->state, "waiting") == 0)
        return true;
    nv_code_t code = strcmp(run->state, "cancelled") == 0 ? NV_CANCELLED : NV_FAILED_PRECONDITION;
    if (strncmp(run->reason, run->state, strlen(run->state)) == 0) /* "cancelled by …" */
        return nv_fail(err, code, "run %s %s", run->run_id, run->reason);
    return nv_fail(err, code, "run %s %s%s%s", run->run_id, run->state, run->reason[0] ? ": " : "",
                   run->reason);
}

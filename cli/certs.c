#include "cli/cli.h"
#include "common/identity/ca.h"
#include "common/identity/files.h"
#include "common/identity/revocation.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { DAY = 86400, NAMES_MAX = 16 };

/* --dir, or <state-dir>/certs. */
static bool folder(cli_t *cli, const char **out, nv_error_t *err)
{
    const char *dir = cli_option(cli, "dir");
    const char *state = cli_option(cli, "state-dir");
    if (!dir[0] && !state[0])
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "no folder named: give --dir, or --state-dir (its certs/ is meant)");
    *out = dir[0] ? dir : nv_printf(cli->ctx, "%s/certs", state);
    return true;
}

#define DIR_OPTION                                                                                           \
    {                                                                                                        \
        .name = "dir", .placeholder = "DIR",                                                                 \
        .help = "the authority's folder; default: certs/ of --state-dir"                                     \
    }

static const nv_option_t init_options[] = {
    DIR_OPTION,
    {.name = "domain", .fallback = "nuvyn.local", .help = "SPIFFE trust domain"},
    {.name = "days", .type = NV_OPTION_INT, .fallback = "3650", .min = 1, .max = 36500, .help = "validity"},
};

static bool init(cli_t *cli, nv_error_t *err)
{
    const char *dir;
    if (!folder(cli, &dir, err) || !nv_private_dir(dir, err) ||
        !nv_ca_init(dir, cli_option(cli, "domain"), (int)nv_config_int(cli->options, "days"), err))
        return false;
    printf("authority for spiffe://%s in %s\n", cli_option(cli, "domain"), dir);
    return true;
}

static const nv_option_t issue_options[] = {
    DIR_OPTION,
    {.name = "domain",
     .fallback = "nuvyn.local",
     .help = "SPIFFE trust domain, when IDENTITY is only a path"},
    {.name = "file", .help = "base name of the two files; default: the last part of the identity"},
    {.name = "dns", .type = NV_OPTION_LIST, .help = "DNS name it may serve under (repeat)"},
    {.name = "ip", .type = NV_OPTION_LIST, .help = "IP address it may serve under (repeat)"},
    {.name = "hours", .type = NV_OPTION_INT, .fallback = "2160", .min = 1, .max = 876000, .help = "validity"},
    {.name = "if-missing",
     .type = NV_OPTION_BOOL,
     .help = "do nothing when the certificate is there and valid for another day"},
};

static size_t list_of(cli_t *cli, const char *option, const char **out)
{
    size_t count = nv_config_list_count(cli->options, option);
    for (size_t i = 0; i < count && i < NAMES_MAX; i++)
        out[i] = nv_config_list_at(cli->options, option, i);
    return count < NAMES_MAX ? count : NAMES_MAX;
}

static bool still_good(cli_t *cli, const char *dir, const char *file)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_tls_paths_t paths = {.ca = nv_printf(cli->ctx, "%s/ca.crt", dir),
                            .cert = nv_printf(cli->ctx, "%s/%s.crt", dir, file),
                            .key = nv_printf(cli->ctx, "%s/%s.key", dir, file)};
    nv_tls_material_t material;
    return nv_tls_load(cli->ctx, &paths, time(NULL) + DAY, &material, &err);
}

/* The argument is a whole SPIFFE ID or its path: "pool/default/worker/w1". */
static char *whole_spiffe(cli_t *cli)
{
    const char *given = cli_argument(cli, 0);
    if (strncmp(given, "spiffe://", 9) == 0)
        return nv_strdup(cli->ctx, given);
    return nv_printf(cli->ctx, "spiffe://%s/%s", cli_option(cli, "domain"), given);
}

static bool issue(cli_t *cli, nv_error_t *err)
{
    const char *dir;
    if (!folder(cli, &dir, err))
        return false;
    const char *dns[NAMES_MAX];
    const char *ips[NAMES_MAX];
    nv_cert_request_t request = {.dns = dns, .ips = ips};
    request.spiffe = whole_spiffe(cli);
    const char *slash = strrchr(request.spiffe, '/');
    request.file = cli_option(cli, "file")[0] ? cli_option(cli, "file") : slash + 1;
    if (nv_config_bool(cli->options, "if-missing") && still_good(cli, dir, request.file))
        return true;
    request.n_dns = list_of(cli, "dns", dns);
    request.n_ips = list_of(cli, "ip", ips);
    request.server = request.n_dns + request.n_ips > 0;
    request.not_before = time(NULL) - 300; /* clocks differ */
    request.not_after = time(NULL) + nv_config_int(cli->options, "hours") * 3600;
    char serial[NV_SERIAL_MAX + 1];
    if (!nv_ca_issue(dir, &request, serial, err))
        return false;
    printf("%s: %s/%s.crt, serial %s\n", request.spiffe, dir, request.file, serial);
    return true;
}

static const nv_option_t list_options[] = {DIR_OPTION};

static void list_json(const nv_cert_record_t *records, size_t count)
{
    /* Names come from our own index and were checked when they were issued: no character needs escaping. */
    puts("[");
    for (size_t i = 0; i < count; i++)
        printf("  {\"serial\":\"%s\",\"spiffe\":\"%s\",\"file\":\"%s\",\"not_after\":%" PRId64
               ",\"revoked\":%s}%s\n",
               records[i].serial, records[i].spiffe, records[i].file, records[i].not_after,
               records[i].revoked ? "true" : "false", i + 1 < count ? "," : "");
    puts("]");
}

static bool list(cli_t *cli, nv_error_t *err)
{
    const char *dir;
    nv_cert_record_t *records = NULL;
    size_t count = 0;
    if (!folder(cli, &dir, err) || !nv_ca_list(cli->ctx, dir, &records, &count, err))
        return false;
    if (cli->json) {
        list_json(records, count);
        return true;
    }
    static const char *const titles[] = {"FILE", "IDENTITY", "VALID UNTIL", "STATE", "SERIAL", NULL};
    cli_table_t *table = cli_table_new(cli, titles);
    for (size_t i = 0; i < count; i++) {
        const char *state = records[i].revoked                  ? "revoked"
                            : records[i].not_after < time(NULL) ? "expired"
                                                                : "valid";
        const char *cells[] = {records[i].file, records[i].spiffe,
                               cli_time(cli->ctx, records[i].not_after * 1000), state, records[i].serial};
        cli_table_row(table, cells);
    }
    cli_table_print(table, "nothing issued yet");
    return true;
}

static const nv_option_t revoke_options[] = {
    DIR_OPTION,
    {.name = "domain",
     .fallback = "nuvyn.local",
     .help = "SPIFFE trust domain, when IDENTITY is only a path"},
    {.name = "reason", .fallback = "unspecified", .help = "goes into the list"},
};

static bool revoke(cli_t *cli, nv_error_t *err)
{
    const char *dir;
    if (!folder(cli, &dir, err))
        return false;
    const char *what = cli_argument(cli, 0);
    bool identity = strchr(what, '/') != NULL;
    if (identity)
        what = whole_spiffe(cli);
    const char *path = nv_printf(cli->ctx, "%s/revoked.tsv", dir);
    if (!nv_revocation_add(path, identity ? NULL : what, identity ? what : NULL, time(NULL),
                           cli_option(cli, "reason"), err))
        return false;
    printf("revoked %s\n", what);
    return true;
}

static const nv_option_t rotate_options[] = {DIR_OPTION};

static bool rotate(cli_t *cli, nv_error_t *err)
{
    const char *dir;
    char serial[NV_SERIAL_MAX + 1];
    if (!folder(cli, &dir, err) || !nv_ca_rotate(dir, cli_argument(cli, 0), time(NULL), 0, serial, err))
        return false;
    printf("%s/%s.crt: new key and certificate, serial %s\n", dir, cli_argument(cli, 0), serial);
    return true;
}

#define OPTIONS(list) .options = (list), .n_options = sizeof(list) / sizeof *(list)

const cli_command_t cli_certs_commands[] = {
    {.noun = "certs",
     .verb = "init",
     .help = "make a certificate authority",
     .run = init,
     OPTIONS(init_options)},
    {.noun = "certs",
     .verb = "issue",
     .arguments = "IDENTITY",
     .help = "a key and certificate, e.g. for pool/default/worker/w1",
     .run = issue,
     OPTIONS(issue_options),
     .min_arguments = 1,
     .max_arguments = 1},
    {.noun = "certs", .verb = "list", .help = "what was issued", .run = list, OPTIONS(list_options)},
    {.noun = "certs",
     .verb = "revoke",
     .arguments = "SERIAL|IDENTITY",
     .help = "have a certificate refused from now on",
     .run = revoke,
     OPTIONS(revoke_options),
     .min_arguments = 1,
     .max_arguments = 1},
    {.noun = "certs",
     .verb = "rotate",
     .arguments = "FILE",
     .help = "new key and certificate for the same identity",
     .run = rotate,
     OPTIONS(rotate_options),
     .min_arguments = 1,
     .max_arguments = 1},
    {0},
};

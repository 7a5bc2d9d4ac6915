#include "workspace/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char *ws_options_usage(void)
{
    return "Usage: nuvyn-workspace --state-dir DIR [options]\n"
           "\n"
           "A local, Databricks-compatible workspace on Spark and Delta Lake.\n"
           "\n"
           "  --state-dir DIR            everything it keeps (made when missing, mode 0700)\n"
           "  --listen HOST:PORT         default 127.0.0.1:8443; port 0: any; the address is written to "
           "DIR/address\n"
           "  --tls-cert FILE            certificate chain, PEM; without it: plain HTTP\n"
           "  --tls-key FILE             its key, PEM\n"
           "  --public-url URL           how clients reach it, when not at the listening address\n"
           "  --client-id NAME           OAuth client id (default nuvyn)\n"
           "  --client-secret-file FILE  its secret; default DIR/client-secret, made at the first start "
           "(mode 0600)\n"
           "  --kernel-python FILE       Python with pyspark (default $NUVYN_HOME/venv/bin/python)\n"
           "  --kernel-dir DIR           the kernel's own files\n"
           "  --jars DIR                 Delta Lake and catalog jars (default $NUVYN_HOME/jars)\n"
           "  --driver-memory SIZE       of Spark, such as 2g (the default)\n"
           "  --driver-jit quick|full    quick (the default) suits small data, full long runs over much\n"
           "  --cores N                  for Spark (default 2)\n"
           "  --connections N            handled at once (default 48)\n"
           "  --chunk-bytes N            size of a statement's result chunks (default 4194304)\n"
           "  --log-format json|text     --log-level debug|info|warn|error\n"
           "  --request-log FILE         one JSON line per request\n"
           "  --test-faults              lets POST /test/faults plan errors (tests only)\n"
           "  --help  --version\n";
}

enum option_id {
    STATE_DIR = 256,
    LISTEN,
    TLS_CERT,
    TLS_KEY,
    PUBLIC_URL,
    CLIENT_ID,
    SECRET_FILE,
    PYTHON,
    KERNEL_DIR,
    JARS,
    MEMORY,
    JIT,
    CORES,
    CONNECTIONS,
    CHUNK_BYTES,
    LOG_FORMAT,
    LOG_LEVEL,
    REQUEST_LOG,
    TEST_FAULTS,
    HELP,
    VERSION,
};

static const struct option long_options[] = {
    {"state-dir", required_argument, NULL, STATE_DIR},
    {"listen", required_argument, NULL, LISTEN},
    {"tls-cert", required_argument, NULL, TLS_CERT},
    {"tls-key", required_argument, NULL, TLS_KEY},
    {"public-url", required_argument, NULL, PUBLIC_URL},
    {"client-id", required_argument, NULL, CLIENT_ID},
    {"client-secret-file", required_argument, NULL, SECRET_FILE},
    {"kernel-python", required_argument, NULL, PYTHON},
    {"kernel-dir", required_argument, NULL, KERNEL_DIR},
    {"jars", required_argument, NULL, JARS},
    {"driver-memory", required_argument, NULL, MEMORY},
    {"driver-jit", required_argument, NULL, JIT},
    {"cores", required_argument, NULL, CORES},
    {"connections", required_argument, NULL, CONNECTIONS},
    {"chunk-bytes", required_argument, NULL, CHUNK_BYTES},
    {"log-format", required_argument, NULL, LOG_FORMAT},
    {"log-level", required_argument, NULL, LOG_LEVEL},
    {"request-log", required_argument, NULL, REQUEST_LOG},
    {"test-faults", no_argument, NULL, TEST_FAULTS},
    {"help", no_argument, NULL, HELP},
    {"version", no_argument, NULL, VERSION},
    {0},
};

static bool number(const char *name, const char *text, int64_t least, int64_t most, int64_t *out,
                   nv_error_t *err)
{
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < least || value > most) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "--%s %s: expected a number from %lld to %lld", name, text,
                       (long long)least, (long long)most);
    }
    *out = value;
    return true;
}

static bool int_option(const char *name, const char *text, int least, int most, int *out, nv_error_t *err)
{
    int64_t value = 0;
    if (!number(name, text, least, most, &value, err)) {
        return false;
    }
    *out = (int)value;
    return true;
}

static bool listen_option(nv_mem_t *mem, const char *text, ws_options_t *out, nv_error_t *err)
{
    const char *colon = strrchr(text, ':');
    if (!colon) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "--listen %s: expected HOST:PORT", text);
    }
    out->host = nv_strndup(mem, text, (size_t)(colon - text));
    return int_option("listen", colon + 1, 0, 65535, &out->port, err);
}

static bool log_format(const char *text, nv_log_format_t *out, nv_error_t *err)
{
    *out = strcmp(text, "json") == 0 ? NV_LOG_JSON : NV_LOG_TEXT;
    return *out == NV_LOG_JSON || strcmp(text, "text") == 0 ||
           nv_fail(err, NV_INVALID_ARGUMENT, "--log-format %s: expected json or text", text);
}

static bool take(nv_mem_t *mem, int id, const char *text, ws_options_t *out, nv_error_t *err)
{
    switch (id) {
    case STATE_DIR:
        out->state_dir = text;
        return true;
    case LISTEN:
        return listen_option(mem, text, out, err);
    case TLS_CERT:
        out->tls_cert = text;
        return true;
    case TLS_KEY:
        out->tls_key = text;
        return true;
    case PUBLIC_URL:
        out->public_url = text;
        return true;
    case CLIENT_ID:
        out->client_id = text;
        return true;
    case SECRET_FILE:
        out->client_secret_file = text;
        return true;
    case PYTHON:
        out->kernel_python = text;
        return true;
    case KERNEL_DIR:
        out->kernel_dir = text;
        return true;
    case JARS:
        out->jars_dir = text;
        return true;
    case MEMORY:
        out->memory = text;
        return true;
    case JIT:
        out->jit = text;
        return strcmp(text, "quick") == 0 || strcmp(text, "full") == 0 ||
               nv_fail(err, NV_INVALID_ARGUMENT, "--driver-jit %s: expected quick or full", text);
    case CORES:
        return int_option("cores", text, 1, 256, &out->cores, err);
    case CONNECTIONS:
        return int_option("connections", text, 2, 1000, &out->connections, err);
    case CHUNK_BYTES:
        return number("chunk-bytes", text, 1, 20 * 1024 * 1024, &out->chunk_bytes, err);
    case LOG_FORMAT:
        return log_format(text, &out->log_format, err);
    case LOG_LEVEL:
        return nv_level_parse(text, &out->log_level, err);
    case REQUEST_LOG:
        out->request_log = text;
        return true;
    case TEST_FAULTS:
        out->test_faults = true;
        return true;
    case HELP:
        out->help = true;
        return true;
    case VERSION:
        out->version = true;
        return true;
    default:
        return nv_fail(err, NV_INVALID_ARGUMENT, "see --help");
    }
}

static const char *home(nv_mem_t *mem)
{
    const char *set = getenv("NUVYN_HOME");
    const char *user = getenv("HOME");
    return set && *set ? set : nv_printf(mem, "%s/.cache/nuvyn", user ? user : "");
}

static bool check(nv_mem_t *mem, ws_options_t *out, nv_error_t *err)
{
    if (!out->state_dir) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "--state-dir is missing; see --help");
    }
    if (!out->tls_cert != !out->tls_key) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "--tls-cert and --tls-key go together");
    }
    if (mkdir(out->state_dir, 0700) != 0 && errno != EEXIST) {
        return nv_fail_errno(err, errno, "--state-dir %s", out->state_dir);
    }
    char absolute[PATH_MAX];
    if (!realpath(out->state_dir, absolute)) {
        return nv_fail_errno(err, errno, "--state-dir %s", out->state_dir);
    }
    out->state_dir = nv_strdup(mem, absolute);
    return true;
}

bool ws_options_parse(nv_mem_t *mem, int argc, char **argv, ws_options_t *out, nv_error_t *err)
{
    *out = (ws_options_t){
        .host = "127.0.0.1",
        .port = 8443,
        .client_id = "nuvyn",
        .memory = "2g",
        .jit = "quick",
        .cores = 2,
        .connections = 48,
        .chunk_bytes = 4 * 1024 * 1024,
        .log_format = NV_LOG_TEXT,
        .log_level = NV_INFO,
        .kernel_dir = WS_KERNEL_DIR,
        .kernel_python = nv_printf(mem, "%s/venv/bin/python", home(mem)),
        .jars_dir = nv_printf(mem, "%s/jars", home(mem)),
    };
    optind = 0;
    opterr = 0;
    for (int id; (id = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if (id == '?') {
            return nv_fail(err, NV_INVALID_ARGUMENT,
                           "%s: unknown option, or its value is missing; see --help", argv[optind - 1]);
        }
        if (!take(mem, id, optarg, out, err)) {
            return false;
        }
    }
    if (optind < argc) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: unexpected; see --help", argv[optind]);
    }
    return out->help || out->version || check(mem, out, err);
}

#include "common/rpc/tls.h"

#include "common/rpc/wire.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

typedef struct stamp {
    struct timespec modified;
    ino_t inode;
    off_t size;
} stamp_t;

struct nv_rpc_tls {
    pthread_mutex_t lock;
    nv_tls_paths_t paths;
    stamp_t stamps[3];
    nv_tls_material_t *material;   /* owns its texts */
    nv_tls_material_t *handed_out; /* what the fetcher gave last; compared by address only */
    char domain[NV_IDENTITY_DOMAIN_MAX + 1];
};

static void stamp_files(const nv_tls_paths_t *paths, stamp_t out[3])
{
    const char *names[3] = {paths->ca, paths->cert, paths->key};
    memset(out, 0, 3 * sizeof *out);
    for (int i = 0; i < 3; i++) {
        struct stat st;
        if (stat(names[i], &st) == 0) {
            out[i].modified = st.st_mtim;
            out[i].inode = st.st_ino;
            out[i].size = st.st_size;
        }
    }
}

static void publish(nv_rpc_tls_t *tls, nv_tls_material_t *fresh, const stamp_t stamps[3])
{
    pthread_mutex_lock(&tls->lock);
    nv_tls_material_t *old = tls->material;
    tls->material = fresh;
    /* A later material may get the freed address; forget it so that it counts as new. */
    if (tls->handed_out != fresh)
        tls->handed_out = NULL;
    memcpy(tls->stamps, stamps, 3 * sizeof *stamps);
    pthread_mutex_unlock(&tls->lock);
    nv_mem_free(old);
}

bool nv_rpc_tls_reload(nv_rpc_tls_t *tls, bool *changed, nv_error_t *err)
{
    stamp_t stamps[3];
    *changed = false;
    stamp_files(&tls->paths, stamps);
    pthread_mutex_lock(&tls->lock);
    bool same = tls->material && memcmp(stamps, tls->stamps, sizeof stamps) == 0;
    pthread_mutex_unlock(&tls->lock);
    if (same)
        return true;
    nv_tls_material_t *fresh = NV_NEW(NULL, nv_tls_material_t);
    if (!nv_tls_load(fresh, &tls->paths, (int64_t)time(NULL), fresh, err)) {
        nv_mem_free(fresh);
        return false;
    }
    publish(tls, fresh, stamps);
    *changed = true;
    return true;
}

bool nv_rpc_tls_new(const nv_tls_paths_t *paths, nv_rpc_tls_t **out, nv_error_t *err)
{
    bool changed;
    if (!paths->ca || !paths->cert || !paths->key)
        return nv_fail(err, NV_INVALID_ARGUMENT, "TLS: expected the paths of a CA, a certificate and a key");
    nv_rpc_tls_t *tls = NV_NEW(NULL, nv_rpc_tls_t);
    pthread_mutex_init(&tls->lock, NULL);
    tls->paths =
        (nv_tls_paths_t){nv_strdup(tls, paths->ca), nv_strdup(tls, paths->cert), nv_strdup(tls, paths->key)};
    if (!nv_rpc_tls_reload(tls, &changed, err)) {
        nv_rpc_tls_free(tls);
        return false;
    }
    snprintf(tls->domain, sizeof tls->domain, "%s", tls->material->info.identity.domain);
    *out = tls;
    return true;
}

void nv_rpc_tls_free(nv_rpc_tls_t *tls)
{
    if (!tls)
        return;
    NV_RPC_TAKE_OVER(tls);
    nv_mem_free(tls->material);
    pthread_mutex_destroy(&tls->lock);
    nv_mem_free(tls);
}

nv_cert_info_t nv_rpc_tls_identity(nv_rpc_tls_t *tls)
{
    pthread_mutex_lock(&tls->lock);
    nv_cert_info_t info = tls->material->info;
    pthread_mutex_unlock(&tls->lock);
    return info;
}

static grpc_ssl_certificate_config_reload_status fetch(void *user_data,
                                                       grpc_ssl_server_certificate_config **config)
{
    nv_rpc_tls_t *tls = user_data;
    NV_RPC_TAKE_OVER(tls);
    pthread_mutex_lock(&tls->lock);
    bool same = tls->handed_out == tls->material;
    if (!same) {
        grpc_ssl_pem_key_cert_pair pair = {tls->material->key_pem, tls->material->cert_pem};
        *config = grpc_ssl_server_certificate_config_create(tls->material->ca_pem, &pair, 1);
        tls->handed_out = tls->material;
    }
    pthread_mutex_unlock(&tls->lock);
    NV_RPC_HAND_OVER(tls);
    return same ? GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED : GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
}

grpc_server_credentials *nv_rpc_tls_server_credentials(nv_rpc_tls_t *tls)
{
    NV_RPC_HAND_OVER(tls);
    grpc_ssl_server_credentials_options *options =
        grpc_ssl_server_credentials_create_options_using_config_fetcher(
            GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY, fetch, tls);
    return grpc_ssl_server_credentials_create_with_options(options);
}

typedef struct expectation {
    nv_identity_kind_t kind;
    char domain[NV_IDENTITY_DOMAIN_MAX + 1];
} expectation_t;

static bool is_expected(const expectation_t *expected, const char *pem)
{
    nv_cert_info_t info;
    nv_error_t err = NV_ERROR_INIT;
    if (!pem || !nv_cert_inspect(pem, strlen(pem), &info, &err))
        return false;
    return (expected->kind == NV_IDENTITY_NONE || info.identity.kind == expected->kind) &&
           strcmp(info.identity.domain, expected->domain) == 0;
}

static int verify_server(const char *target, const char *pem, void *user_data)
{
    (void)target;
    NV_RPC_TAKE_OVER(user_data);
    bool ok = is_expected(user_data, pem);
    NV_RPC_HAND_OVER(user_data);
    return ok ? 0 : 1;
}

static void forget_expectation(void *user_data)
{
    NV_RPC_TAKE_OVER(user_data);
    nv_mem_free(user_data);
}

grpc_channel_credentials *nv_rpc_tls_channel_credentials(nv_rpc_tls_t *tls, nv_identity_kind_t expect)
{
    expectation_t *expected = NV_NEW(NULL, expectation_t);
    expected->kind = expect;
    memcpy(expected->domain, tls->domain, sizeof expected->domain);
    NV_RPC_HAND_OVER(expected);
    grpc_ssl_verify_peer_options verify = {.verify_peer_callback = verify_server,
                                           .verify_peer_callback_userdata = expected,
                                           .verify_peer_destruct = forget_expectation};
    pthread_mutex_lock(&tls->lock);
    grpc_ssl_pem_key_cert_pair pair = {tls->material->key_pem, tls->material->cert_pem};
    grpc_channel_credentials *credentials =
        grpc_ssl_credentials_create_ex(tls->material->ca_pem, &pair, &verify, NULL);
    pthread_mutex_unlock(&tls->lock);
    return credentials;
}

static const grpc_auth_property *property_of(grpc_auth_context *auth, const char *name)
{
    grpc_auth_property_iterator it = grpc_auth_context_find_properties_by_name(auth, name);
    return grpc_auth_property_iterator_next(&it);
}

bool nv_rpc_peer_of(grpc_call *call, nv_cert_info_t *out, nv_error_t *err)
{
    grpc_auth_context *auth = grpc_call_auth_context(call);
    const grpc_auth_property *pem = auth ? property_of(auth, GRPC_X509_PEM_CERT_PROPERTY_NAME) : NULL;
    bool ok = pem ? nv_cert_inspect(pem->value, pem->value_length, out, err)
                  : nv_fail(err, NV_UNAUTHENTICATED, "peer: no certificate");
    if (auth)
        grpc_auth_context_release(auth);
    return ok;
}

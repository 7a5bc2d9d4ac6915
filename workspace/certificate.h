/* The server's TLS certificate and key, read again when their files change: a renewed certificate needs no restart. */
#ifndef NV_WORKSPACE_CERTIFICATE_H
#define NV_WORKSPACE_CERTIFICATE_H

#include "common/core/error.h"
#include "common/core/log.h"

#include <openssl/ssl.h>

typedef struct ws_certificate ws_certificate_t;

/* Reads a PEM chain and its key. Each failure names the file: the system's reason when it cannot be read, INVALID_ARGUMENT when it
 * holds none or the two do not belong together, FAILED_PRECONDITION when the certificate is not valid now. chain_file, key_file and
 * log must outlive it. */
bool ws_certificate_open(const char *chain_file, const char *key_file, nv_log_t *log, ws_certificate_t **out,
                         nv_error_t *err) NV_MUST_CHECK;

/* Makes every new connection of the context take the certificate of the moment. The files are looked at once a second at most; while
 * they cannot be used, the one before stays, and that is logged once; so is that the one in use has expired. Connections may come from any thread. */
void ws_certificate_serve(ws_certificate_t *certificate, SSL_CTX *context);

/* After the last connection; NULL is fine. */
void ws_certificate_free(ws_certificate_t *certificate);

#endif

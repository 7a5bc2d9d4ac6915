/* Debian 12's CivetWeb was made for OpenSSL 1.1: it looks up SSL_get_peer_certificate at run time, which OpenSSL 3 has as a
 * macro only, and calls a null pointer when a client connects. It opens "libssl.so" by that name, so this library goes by
 * it, adds the one symbol and hands everything else on to libssl.so.3. */
#include <openssl/ssl.h>

#undef SSL_get_peer_certificate
X509 *SSL_get_peer_certificate(const SSL *ssl);

__attribute__((visibility("default"))) X509 *SSL_get_peer_certificate(const SSL *ssl)
{
    return SSL_get1_peer_certificate(ssl);
}

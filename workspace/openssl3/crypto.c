/* CivetWeb opens "libcrypto.so", a name that Debian has in its development package only; see ssl.c. */
extern const int ws_openssl3_crypto;
const int ws_openssl3_crypto = 3;

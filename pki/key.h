/* Private keys: EC on the curve P-256, as OpenSSL's EVP_PKEY. Any thread; a key
 * is used by many threads but changed by none. */
#ifndef GW_PKI_KEY_H
#define GW_PKI_KEY_H

#include "base/buffer.h"
#include "base/error.h"

#include <openssl/types.h>

/* The caller owns the key: key_free. */
enum result key_generate(EVP_PKEY **ret_key, struct error *err);
/* PEM, not encrypted; of any kind OpenSSL reads (a listener's may be RSA). */
enum result key_from_pem(struct slice pem, EVP_PKEY **ret_key, struct error *err);
/* Appends PKCS #8 PEM. The text is a secret: key_buffer_wipe when done. */
enum result key_to_pem(EVP_PKEY *key, struct buffer *out, struct error *err);
/* GW_INVALID unless it is EC P-256: what cluster certificates are made of. */
enum result key_check_p256(EVP_PKEY *key, struct error *err);
bool key_is_p256(EVP_PKEY *key);
/* NULL is fine. */
void key_free(EVP_PKEY *key);
/* Overwrites the bytes, then frees them as buffer_deinit does. */
void key_buffer_wipe(struct buffer *buffer);

/* The last error in OpenSSL's queue as text, for sentences of this folder and
 * of net/; empties the queue. Borrowed until the thread's next call. */
const char *key_openssl_error(void);

#endif

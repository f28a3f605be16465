/* Base64, RFC 4648: the standard alphabet with padding, the URL one without.
 *
 * Decoding is strict: no white space, no missing or extra padding, and the
 * bits left over in the last digit are zero, so that each run of bytes has one
 * text and an altered text never passes for the same bytes. Any thread. */
#ifndef GW_PKI_BASE64_H
#define GW_PKI_BASE64_H

#include "base/buffer.h"

/* Append to `out`; false when above its limit or out of memory. */
bool base64_encode(struct buffer *out, struct slice bytes);
bool base64url_encode(struct buffer *out, struct slice bytes);
/* Append to `out`; false when the text is not base64 or as above; `out` may
 * then have grown, so callers drop it. */
bool base64_decode(struct buffer *out, struct slice text);
bool base64url_decode(struct buffer *out, struct slice text);

#endif

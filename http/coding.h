/* Content codings a client takes (RFC 9110 §12.5.3). */
#ifndef GW_HTTP_CODING_H
#define GW_HTTP_CODING_H

#include "base/slice.h"

/* Whether a value of Accept-Encoding takes `coding` (lower case): named, or by "*", and
 * not at q=0. An empty value takes none. */
bool coding_is_accepted(struct slice accepted, struct slice coding);

#endif

/* Cookies of a request (RFC 6265 §5.4, as browsers send them). */
#ifndef GW_HTTP_COOKIE_H
#define GW_HTTP_COOKIE_H

#include "http/message.h"

/* The value of the first cookie of this name, by case; in one or several lines. A slice
 * of the message. */
bool cookie_find(const struct http_message *message, struct slice name,
                 struct slice *ret_value);

#endif

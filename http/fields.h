/* Small helpers for field values: lists, tokens, parameters, media types
 * (RFC 9110 §5.6). Borrowed slices in, slices of them out. Any thread. */
#ifndef GW_HTTP_FIELDS_H
#define GW_HTTP_FIELDS_H

#include "base/slice.h"

/* Classes of bytes. */
#define FIELDS_TOKEN      1u /* tchar, RFC 9110 §5.6.2 */
#define FIELDS_VALUE      2u /* may stand in a field value: visible, SP, HTAB, above 0x7f */
#define FIELDS_HEX        4u
#define FIELDS_HOST       8u  /* letters, digits, '-', '.', '_' */
#define FIELDS_UNRESERVED 16u /* RFC 3986 §2.3 */
extern const uint8_t fields_class[256];

static inline bool fields_is(char c, unsigned classes)
{
    return (fields_class[(unsigned char)c] & classes) != 0;
}
/* Not empty, and token characters only. */
bool fields_is_token(struct slice s);
/* No control bytes but HTAB. */
bool fields_is_value(struct slice s);
/* Offset of the first byte that may not stand in a value; s.size when all may. */
size_t fields_value_span(struct slice s);

/* The next element of a comma-separated list, trimmed; commas in quoted strings
 * do not count; empty elements are skipped. False at the end. */
bool fields_list_next(struct slice *rest, struct slice *ret_item);
/* Whether the list has this token, in any case. */
bool fields_list_has(struct slice list, struct slice token);
/* Counts the elements of a list. */
size_t fields_list_count(struct slice list);
/* What stands before the first ';', trimmed: "text/html" of a media type. */
struct slice fields_media(struct slice value);
/* The parameter's value, without quotes (escapes in them stay as they are). */
bool fields_parameter(struct slice value, struct slice name, struct slice *ret_value);

#endif

/* The chunked transfer coding, RFC 9112 §7.1: decoder and framing.
 *
 * The decoder is a state machine over slices: it gives data in place, keeps no
 * bytes, and may be stopped and resumed at any byte. Extensions are checked,
 * counted and dropped. So are trailers, unless asked for, and then they are given
 * apart: merged into a header they would be a way past every check (RFC 9110
 * §6.5.1). One thread. */
#ifndef GW_HTTP_CHUNKED_H
#define GW_HTTP_CHUNKED_H

#include "base/slice.h"

#define CHUNKED_EXTENSION_LINE_MAX 256u /* bytes of extension in a chunk */
#define CHUNKED_EXTENSION_MAX                                                           \
    4096u                         /* in a body: an extension costs, and carries nothing \
                                   */
#define CHUNKED_TRAILER_MAX 8192u /* bytes of trailers */

enum chunked_result {
    CHUNKED_MORE,     /* all input is used up */
    CHUNKED_DATA,     /* *ret_data is the next piece of the body, not empty */
    CHUNKED_TRAILER,  /* *ret_data is the next piece of the trailer lines, line ends
                         included; only with gives_trailers */
    CHUNKED_DONE,     /* the body ended; what is left of the input is the next message */
    CHUNKED_BAD,      /* 400 (502 from an upstream); close */
    CHUNKED_TOO_LARGE /* extensions or trailers over a limit: 413 or 431; close */
};

struct chunked {
    uint8_t state;
    bool gives_trailers;     /* to be set after chunked_init */
    uint8_t digits;          /* of the chunk size so far */
    uint16_t extension_line; /* bytes */
    uint32_t extensions;
    uint32_t trailers;
    uint64_t left; /* of this chunk */
};

void chunked_init(struct chunked *chunked);
/* Takes bytes off the front of *input; call until MORE, DONE or an error. */
enum chunked_result chunked_next(struct chunked *chunked, struct slice *input,
                                 struct slice *ret_data);
bool chunked_is_done(const struct chunked *chunked);

/* Framing a chunk: a head, the bytes, CHUNKED_TAIL; at the end CHUNKED_LAST. */
#define CHUNKED_HEAD_MAX 18
#define CHUNKED_TAIL     SLICE("\r\n")
#define CHUNKED_LAST     SLICE("0\r\n\r\n")
/* Writes "1f4\r\n" for `size` (> 0) into `out`; returns its bytes. */
size_t chunked_head(uint64_t size, char out[CHUNKED_HEAD_MAX]);

#endif

/* The chunk decoder.
 *
 * Bytes of framing go one by one through a switch; data goes by runs. Strict:
 * hex digits only, CRLF only, no white space before the extension; a lone CR
 * or LF in an extension or a trailer is refused, since others have taken it
 * for a line end (TERM.EXT and EXT.TERM smuggling). */
#include "http/chunked.h"

#include "http/fields.h"

enum state {
    SIZE,      /* in the digits of a chunk size */
    EXTENSION, /* behind ';' */
    SIZE_LF,   /* its CR seen */
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_START, /* at the start of a trailer line, or of the last, empty one */
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    LAST_LF,
    DONE,
    BAD,
    TOO_LARGE,
};

void chunked_init(struct chunked *chunked)
{
    *chunked = (struct chunked){.state = SIZE};
}

bool chunked_is_done(const struct chunked *chunked)
{
    return chunked->state == DONE;
}

static enum state after_size(struct chunked *chunked, char c)
{
    if (fields_is(c, FIELDS_HEX)) {
        /* Sixteen digits fit 64 bits; we want a margin, and zeros to end too. */
        if (++chunked->digits > 15)
            return BAD;
        chunked->left =
            chunked->left << 4 | (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        return SIZE;
    }
    if (chunked->digits == 0)
        return BAD;
    if (c == ';') {
        chunked->extension_line = 0;
        return EXTENSION;
    }
    return c == '\r' ? SIZE_LF : BAD;
}

static enum state after_extension(struct chunked *chunked, char c)
{
    if (c == '\r')
        return SIZE_LF;
    if (!fields_is(c, FIELDS_VALUE))
        return BAD;
    if (++chunked->extension_line > CHUNKED_EXTENSION_LINE_MAX ||
        ++chunked->extensions > CHUNKED_EXTENSION_MAX)
        return TOO_LARGE;
    return EXTENSION;
}

static enum state after_trailer(struct chunked *chunked, char c)
{
    if (++chunked->trailers > CHUNKED_TRAILER_MAX)
        return TOO_LARGE;
    switch (chunked->state) {
    case TRAILER_START:
        if (c == '\r')
            return LAST_LF;
        return fields_is(c, FIELDS_TOKEN) ? TRAILER_NAME : BAD;
    case TRAILER_NAME:
        if (c == ':')
            return TRAILER_VALUE;
        return fields_is(c, FIELDS_TOKEN) ? TRAILER_NAME : BAD;
    case TRAILER_VALUE:
        if (c == '\r')
            return TRAILER_LF;
        return fields_is(c, FIELDS_VALUE) ? TRAILER_VALUE : BAD;
    case TRAILER_LF:
        return c == '\n' ? TRAILER_START : BAD;
    default:
        return c == '\n' ? DONE : BAD;
    }
}

static bool is_in_trailer(const struct chunked *chunked)
{
    return chunked->state >= TRAILER_START && chunked->state <= TRAILER_LF;
}

static enum state step(struct chunked *chunked, char c)
{
    switch ((enum state)chunked->state) {
    case SIZE:
        return after_size(chunked, c);
    case EXTENSION:
        return after_extension(chunked, c);
    case SIZE_LF:
        if (c != '\n')
            return BAD;
        return chunked->left == 0 ? TRAILER_START : DATA;
    case DATA_CR:
        return c == '\r' ? DATA_LF : BAD;
    case DATA_LF:
        chunked->digits = 0;
        return c == '\n' ? SIZE : BAD;
    default:
        return after_trailer(chunked, c);
    }
}

/* A run of trailer bytes, without the CR of the empty line at their end. */
static struct slice trailer_run(struct chunked *chunked, struct slice *input)
{
    size_t used = 0, taken = 0;
    while (used < input->size && is_in_trailer(chunked)) {
        chunked->state = (uint8_t)step(chunked, input->data[used++]);
        if (is_in_trailer(chunked))
            taken = used;
    }
    struct slice run = slice_sub(*input, 0, taken);
    *input = slice_from(*input, used);
    return run;
}

enum chunked_result chunked_next(struct chunked *chunked, struct slice *input,
                                 struct slice *ret_data)
{
    for (;;) {
        switch ((enum state)chunked->state) {
        case DONE:
            return CHUNKED_DONE;
        case BAD:
            return CHUNKED_BAD;
        case TOO_LARGE:
            return CHUNKED_TOO_LARGE;
        default:
            break;
        }
        if (input->size == 0)
            return CHUNKED_MORE;
        if (chunked->state == DATA) {
            struct slice data = slice_sub(
                *input, 0,
                chunked->left < input->size ? (size_t)chunked->left : input->size);
            input->data += data.size;
            input->size -= data.size;
            chunked->left -= data.size;
            if (chunked->left == 0)
                chunked->state = DATA_CR;
            *ret_data = data;
            return CHUNKED_DATA;
        }
        if (chunked->gives_trailers && is_in_trailer(chunked)) {
            struct slice run = trailer_run(chunked, input);
            if (run.size == 0)
                continue;
            *ret_data = run;
            return CHUNKED_TRAILER;
        }
        chunked->state = (uint8_t)step(chunked, *input->data);
        input->data++;
        input->size--;
    }
}

size_t chunked_head(uint64_t size, char out[CHUNKED_HEAD_MAX])
{
    static const char digits[] = "0123456789abcdef";
    unsigned count = size == 0 ? 1 : (67u - (unsigned)__builtin_clzll(size)) / 4;
    for (unsigned i = count; i-- > 0; size >>= 4)
        out[i] = digits[size & 15];
    out[count] = '\r';
    out[count + 1] = '\n';
    return count + 2;
}

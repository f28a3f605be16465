/* Lines are gathered in one block, behind the last chunk's size, and sifted in
 * place once all are there. They came through the decoder, so each is a token, a
 * colon, a value without control bytes and CR LF; all together they are at most
 * CHUNKED_TRAILER_MAX bytes.
 *
 * What the gateway knows by name it deals with in the header: framing, routing,
 * credentials, caching. None of that may come late, behind all checks; nor may
 * what the configuration removes or sets. */
#include "node/proxy/trailers.h"

#include "node/proxy/forwarded.h"

#define LAST_SIZE SLICE("0\r\n")

bool trailers_add(struct exchange *exchange, struct block **kept, struct slice piece)
{
    struct blocks *blocks = &exchange->worker->blocks;
    if (*kept == NULL && !block_append(blocks, kept, LAST_SIZE))
        return false;
    return block_append(blocks, kept, piece);
}

static bool may_pass(const struct exchange *exchange, struct slice name, bool is_request)
{
    static const struct slice late[] = {
        SLICE("content-range"), SLICE("content-location"), SLICE("pragma"),
        SLICE("warning"),       SLICE("if-range"),         SLICE("if-unmodified-since")};
    enum http_header_id id = http_header_id_of(name);
    if (id != HTTP_HEADER_OTHER && id != HTTP_HEADER_ETAG)
        return false;
    for (size_t i = 0; i < sizeof late / sizeof late[0]; i++)
        if (slice_equal_nocase(name, late[i]))
            return false;
    return !forwarded_is_disguised(name) &&
           !forwarded_is_changed(exchange, name, is_request);
}

struct slice trailers_end(struct exchange *exchange, struct block **kept, bool is_request)
{
    struct block *block = *kept;
    if (block == NULL)
        return CHUNKED_LAST;
    size_t from = LAST_SIZE.size, to = from;
    while (from < block->size) {
        struct slice rest = slice_from(block_slice(block), from);
        struct slice line = slice_sub(rest, 0, slice_find_byte(rest, '\n') + 1);
        from += line.size;
        if (!may_pass(exchange, slice_sub(line, 0, slice_find_byte(line, ':')), is_request))
            continue;
        memmove(block->data + to, line.data, line.size);
        to += line.size;
    }
    block->size = to;
    if (!block_append(&exchange->worker->blocks, kept, SLICE("\r\n")))
        return CHUNKED_LAST;
    return block_slice(*kept);
}

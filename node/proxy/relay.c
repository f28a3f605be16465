/* Bodies. Pieces of the read buffer are gathered into one write; nothing is
 * copied but what must wait: a request's body before there is a connection, or
 * kept for another try, and what a socket did not take (flow.c). */
#include "node/proxy/relay.h"

#include "node/proxy/compress.h"
#include "node/proxy/mirror.h"
#include "node/proxy/trailers.h"

struct gather {
    uv_buf_t bufs[FLOW_BUFS];
    unsigned count;
    size_t bytes; /* of the body */
    unsigned chunk_at;
    char chunk[CHUNKED_HEAD_MAX];
};

static void gather_init(struct gather *gather, struct slice head, bool is_chunked)
{
    gather->count = 0;
    gather->bytes = 0;
    if (head.size > 0)
        gather->bufs[gather->count++] = flow_buf(head);
    gather->chunk_at = gather->count;
    if (is_chunked)
        gather->bufs[gather->count++] = uv_buf_init(gather->chunk, 0);
}

static void gather_piece(struct gather *gather, struct slice piece)
{
    gather->bufs[gather->count++] = flow_buf(piece);
    gather->bytes += piece.size;
}

/* Room for one more piece and the end. */
static bool gather_has_room(const struct gather *gather)
{
    return gather->count + 3 <= FLOW_BUFS;
}

/* `end`: of the body; empty while there is more. */
static void gather_end(struct gather *gather, bool is_chunked, struct slice end)
{
    if (!is_chunked)
        return;
    if (gather->bytes > 0) {
        gather->bufs[gather->chunk_at].len = chunked_head(gather->bytes, gather->chunk);
        gather->bufs[gather->count++] = flow_buf(CHUNKED_TAIL);
    }
    if (end.size > 0)
        gather->bufs[gather->count++] = flow_buf(end);
}

/* ---- requests ---- */

/* One piece of the body off *data. Empty at the end of the input or the body. */
static enum relay_result request_piece(struct exchange *exchange, struct slice *data,
                                       struct slice *ret_piece)
{
    *ret_piece = (struct slice){NULL, 0};
    if (exchange->framing == HTTP_FRAMING_CHUNKED) {
        switch (chunked_next(&exchange->body_chunked, data, ret_piece)) {
        case CHUNKED_MORE:
            return RELAY_OK;
        case CHUNKED_DATA:
            break;
        case CHUNKED_TRAILER:
            if (!exchange->body_discard &&
                !trailers_add(exchange, &exchange->body_trailers, *ret_piece))
                return RELAY_TOO_LARGE;
            *ret_piece = (struct slice){NULL, 0};
            return RELAY_OK;
        case CHUNKED_DONE:
            exchange->body_done = true;
            return RELAY_OK;
        case CHUNKED_TOO_LARGE:
            return RELAY_TOO_LARGE;
        case CHUNKED_BAD:
            return RELAY_BAD;
        }
    } else {
        size_t size =
            data->size < exchange->body_left ? data->size : (size_t)exchange->body_left;
        *ret_piece = slice_sub(*data, 0, size);
        *data = slice_from(*data, size);
        exchange->body_left -= size;
        exchange->body_done = exchange->body_left == 0;
    }
    exchange->body_size += ret_piece->size;
    /* A chunk says its size before it comes; below 2^60, so the sum cannot wrap. */
    if (exchange->body_limit > 0 &&
        exchange->body_size + (exchange->framing == HTTP_FRAMING_CHUNKED
                                   ? exchange->body_chunked.left
                                   : 0) >
            exchange->body_limit)
        return RELAY_TOO_LARGE;
    if (exchange->mirror != NULL)
        mirror_body(exchange, *ret_piece);
    return RELAY_OK;
}

static bool hold(struct exchange *exchange, struct slice bytes)
{
    return block_append(&exchange->worker->blocks, &exchange->held, bytes);
}

static size_t held_limit(const struct exchange *exchange)
{
    return exchange->framing == HTTP_FRAMING_CHUNKED ? BLOCK_LARGE : EXCHANGE_HELD_BYTES;
}

static struct slice request_end(struct exchange *exchange)
{
    return exchange->body_done ? trailers_end(exchange, &exchange->body_trailers, true)
                               : (struct slice){NULL, 0};
}

/* What framing may add to a piece, and the end without trailers: a block has room
 * to grow for those. */
#define FRAMING_MAX (CHUNKED_HEAD_MAX + 2 + 5)

static enum relay_result hold_request(struct exchange *exchange, struct slice *data)
{
    bool is_chunked = exchange->framing == HTTP_FRAMING_CHUNKED;
    size_t overhead = is_chunked ? FRAMING_MAX : 0;
    while (data->size > 0 && !exchange->body_done) {
        size_t used = exchange->held == NULL ? 0 : exchange->held->size;
        if (used + overhead >= held_limit(exchange))
            return RELAY_BLOCKED;
        struct slice input = slice_sub(*data, 0, held_limit(exchange) - used - overhead);
        size_t before = input.size;
        struct slice piece;
        enum relay_result result = request_piece(exchange, &input, &piece);
        *data = slice_from(*data, before - input.size);
        if (result != RELAY_OK)
            return result;
        if (is_chunked) {
            char chunk[CHUNKED_HEAD_MAX];
            bool fits = true;
            if (piece.size > 0)
                fits = hold(exchange, slice_of(chunk, chunked_head(piece.size, chunk))) &&
                       hold(exchange, piece) && hold(exchange, CHUNKED_TAIL);
            if (fits && exchange->body_done)
                fits = hold(exchange, request_end(exchange));
            if (!fits)
                return RELAY_BLOCKED; /* out of memory: the deadline ends it */
        } else if (!hold(exchange, piece)) {
            return RELAY_BLOCKED;
        }
    }
    return RELAY_OK;
}

static void forget_held(struct exchange *exchange)
{
    block_give(&exchange->worker->blocks, exchange->held);
    exchange->held = NULL;
    exchange->held_is_all = false;
}

/* Keeps a copy of what is being sent, for another try, while it fits. */
static void keep_copy(struct exchange *exchange, const struct gather *gather)
{
    size_t size = exchange->held == NULL ? 0 : exchange->held->size;
    for (unsigned i = 0; i < gather->count; i++)
        size += gather->bufs[i].len;
    if (!exchange->keep_held || size > held_limit(exchange) ||
        size > exchange->plan->retry.buffer_bytes) {
        forget_held(exchange);
        return;
    }
    for (unsigned i = 0; i < gather->count; i++)
        if (!hold(exchange, slice_of(gather->bufs[i].base, gather->bufs[i].len))) {
            forget_held(exchange);
            return;
        }
}

static enum relay_result stream_request(struct exchange *exchange, struct slice *data)
{
    bool is_chunked = exchange->framing == HTTP_FRAMING_CHUNKED;
    while (data->size > 0 && !exchange->body_done) {
        if (flow_is_writing(&exchange->upstream->flow))
            return RELAY_BLOCKED;
        struct gather gather;
        gather_init(&gather, (struct slice){NULL, 0}, is_chunked);
        while (data->size > 0 && !exchange->body_done && gather_has_room(&gather)) {
            struct slice piece;
            enum relay_result result = request_piece(exchange, data, &piece);
            if (result != RELAY_OK)
                return result;
            if (piece.size > 0)
                gather_piece(&gather, piece);
        }
        if (is_chunked)
            gather_end(&gather, true, request_end(exchange));
        if (gather.bytes == 0 && !(is_chunked && exchange->body_done))
            continue;
        if (exchange->held_is_all)
            keep_copy(exchange, &gather);
        if (flow_send(&exchange->upstream->flow, gather.bufs, gather.count, NULL) ==
            FLOW_FAILED)
            return RELAY_FAILED;
        exchange->anything_sent = true;
    }
    if (!exchange->body_done && flow_is_writing(&exchange->upstream->flow))
        return RELAY_BLOCKED;
    return RELAY_OK;
}

/* An answer came without the body: the rest of it counts, and is dropped. */
static enum relay_result discard_request(struct exchange *exchange, struct slice *data)
{
    while (data->size > 0 && !exchange->body_done) {
        struct slice piece;
        enum relay_result result = request_piece(exchange, data, &piece);
        if (result != RELAY_OK)
            return result;
    }
    return RELAY_OK;
}

static enum relay_result take_request(struct exchange *exchange, struct slice *data)
{
    exchange_touch(exchange);
    if (exchange->body_discard)
        return discard_request(exchange, data);
    if (exchange->upstream_broken)
        return RELAY_BLOCKED;
    if (exchange->phase == PHASE_SENT || exchange->phase == PHASE_RELAY)
        return stream_request(exchange, data);
    return hold_request(exchange, data);
}

enum relay_result relay_request(struct exchange *exchange, struct slice *data)
{
    enum relay_result result = take_request(exchange, data);
    if (exchange->mirror != NULL && exchange->body_done && result != RELAY_TOO_LARGE)
        mirror_send(exchange);
    return result;
}

/* ---- answers ---- */

enum relay_result relay_answer_piece(struct exchange *exchange, struct slice *data,
                                     struct slice *ret_piece)
{
    *ret_piece = (struct slice){NULL, 0};
    switch (exchange->answer_framing) {
    case HTTP_FRAMING_NONE:
        exchange->answer_done = true;
        break;
    case HTTP_FRAMING_LENGTH: {
        size_t size =
            data->size < exchange->answer_left ? data->size : (size_t)exchange->answer_left;
        *ret_piece = slice_sub(*data, 0, size);
        *data = slice_from(*data, size);
        exchange->answer_left -= size;
        exchange->answer_done = exchange->answer_left == 0;
        break;
    }
    case HTTP_FRAMING_CHUNKED:
        switch (chunked_next(&exchange->answer_chunked, data, ret_piece)) {
        case CHUNKED_MORE:
        case CHUNKED_DATA:
            break;
        case CHUNKED_TRAILER:
            if (!trailers_add(exchange, &exchange->answer_trailers, *ret_piece))
                return RELAY_BAD;
            *ret_piece = (struct slice){NULL, 0};
            break;
        case CHUNKED_DONE:
            exchange->answer_done = true;
            break;
        case CHUNKED_BAD:
        case CHUNKED_TOO_LARGE:
            return RELAY_BAD;
        }
        break;
    default:
        *ret_piece = *data;
        *data = slice_from(*data, data->size);
        break;
    }
    exchange->answer_size += ret_piece->size;
    return RELAY_OK;
}

enum relay_result relay_answer(struct exchange *exchange, struct slice head,
                               struct slice *data)
{
    if (exchange->gzip != NULL)
        return compress_answer(exchange, head, data);
    bool is_chunked = exchange->client_chunked;
    bool is_queued = false;
    exchange_touch(exchange);
    do {
        struct gather gather;
        gather_init(&gather, head, is_chunked);
        head.size = 0;
        /* The first turn counts without data too: a body of nothing is done. */
        do {
            struct slice piece;
            if (relay_answer_piece(exchange, data, &piece) != RELAY_OK)
                return RELAY_BAD;
            if (piece.size > 0)
                gather_piece(&gather, piece);
        } while (data->size > 0 && !exchange->answer_done && gather_has_room(&gather));
        gather_end(&gather, is_chunked,
                   exchange->answer_done
                       ? trailers_end(exchange, &exchange->answer_trailers, false)
                       : (struct slice){NULL, 0});
        if (gather.chunk_at == 0 && gather.bytes == 0 &&
            !(is_chunked && exchange->answer_done))
            continue;
        exchange->answer_started = true;
        switch (client_send(exchange->client, gather.bufs, gather.count)) {
        case FLOW_SENT:
            break;
        case FLOW_QUEUED:
            is_queued = true;
            break;
        case FLOW_FAILED:
            return RELAY_FAILED;
        }
    } while (data->size > 0 && !exchange->answer_done);
    return is_queued ? RELAY_BLOCKED : RELAY_OK;
}

enum relay_result relay_answer_end(struct exchange *exchange)
{
    if (exchange->gzip != NULL)
        return compress_end(exchange);
    exchange->answer_done = true;
    if (!exchange->client_chunked)
        return flow_is_writing(&exchange->client->flow) ? RELAY_BLOCKED : RELAY_OK;
    uv_buf_t buf = flow_buf(CHUNKED_LAST);
    switch (client_send(exchange->client, &buf, 1)) {
    case FLOW_SENT:
        return RELAY_OK;
    case FLOW_QUEUED:
        return RELAY_BLOCKED;
    default:
        return RELAY_FAILED;
    }
}

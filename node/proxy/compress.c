/* Every read from the upstream ends with a flush: dearer by a few bytes, and event
 * streams stay streams. What is compressed has no length known before, so it goes
 * in chunks; its strong ETag becomes a weak one (RFC 9110 §8.8.3.3), and ranges of
 * it are not offered. */
#include "node/proxy/compress.h"

#include "http/coding.h"
#include "http/fields.h"
#include "http/gzip.h"
#include "node/proxy/trailers.h"

#include <stdlib.h>

#define OUT_BYTES ((size_t)32 << 10)

static bool is_worth_it(const struct compress_plan *compress,
                        const struct http_message *answer)
{
    struct slice coding = message_value(answer, HTTP_HEADER_CONTENT_ENCODING);

    if (answer->framing == HTTP_FRAMING_NONE || answer->status == 206 ||
        (coding.size > 0 && !slice_equal_nocase(coding, SLICE("identity"))))
        return false;
    if (answer->framing == HTTP_FRAMING_LENGTH &&
        answer->content_length < compress->min_bytes)
        return false;
    return !fields_list_has(message_value(answer, HTTP_HEADER_CACHE_CONTROL),
                            SLICE("no-transform"));
}

static struct gzip *take(struct worker *worker)
{
    if (worker->gzip_out == NULL)
        worker->gzip_out = malloc(OUT_BYTES);
    if (worker->gzip_out == NULL)
        return NULL;
    if (worker->free_gzip_count > 0)
        return worker->free_gzips[--worker->free_gzip_count];
    if (worker->gzip_count == CORE_GZIPS)
        return NULL;
    struct gzip *gzip = gzip_new();
    if (gzip != NULL) {
        worker->gzip_count++;
        worker->allocated++;
    }
    return gzip;
}

void compress_begin(struct exchange *exchange, const struct http_message *answer)
{
    const struct compress_plan *compress = exchange->plan->compress;

    if (compress == NULL ||
        !compress_has_type(compress, message_value(answer, HTTP_HEADER_CONTENT_TYPE)))
        return;
    exchange_add_change(exchange, SLICE("vary"), SLICE("accept-encoding"), true);
    if (!exchange->accepts_gzip || exchange->minor == 0 || !is_worth_it(compress, answer))
        return;
    struct slice etag = message_value(answer, HTTP_HEADER_ETAG);
    if (etag.size > 0 && etag.data[0] == '"') {
        etag = arena_printf(&exchange->arena, "W/%.*s", SLICE_ARG(etag));
        if (etag.data == NULL)
            return;
    }
    exchange->gzip = take(exchange->worker);
    if (exchange->gzip == NULL)
        return;
    gzip_begin(exchange->gzip, compress->level);
    exchange->client_chunked = true;
    exchange_add_change(exchange, SLICE("content-encoding"), SLICE("gzip"), false);
    exchange_add_change(exchange, SLICE("accept-ranges"), (struct slice){NULL, 0}, false);
    if (etag.size > 0)
        exchange_add_change(exchange, SLICE("etag"), etag, false);
}

void compress_drop(struct exchange *exchange)
{
    struct worker *worker = exchange->worker;

    if (exchange->gzip != NULL)
        worker->free_gzips[worker->free_gzip_count++] = exchange->gzip;
    exchange->gzip = NULL;
}

void compress_free_all(struct worker *worker)
{
    while (worker->free_gzip_count > 0)
        gzip_free(worker->free_gzips[--worker->free_gzip_count]);
    free(worker->gzip_out);
}

/* One chunk, with the head before and the end behind it, if it is time for those. */
static enum flow_result send_chunk(struct exchange *exchange, struct slice *head,
                                   struct slice bytes, bool is_last)
{
    char size[CHUNKED_HEAD_MAX];
    uv_buf_t bufs[5];
    unsigned count = 0;

    if (head->size > 0)
        bufs[count++] = flow_buf(*head);
    head->size = 0;
    if (bytes.size > 0) {
        bufs[count++] = uv_buf_init(size, (unsigned)chunked_head(bytes.size, size));
        bufs[count++] = flow_buf(bytes);
        bufs[count++] = flow_buf(CHUNKED_TAIL);
    }
    if (is_last)
        bufs[count++] = flow_buf(trailers_end(exchange, &exchange->answer_trailers, false));
    if (count == 0)
        return FLOW_SENT;
    exchange->answer_started = true;
    return client_send(exchange->client, bufs, count);
}

/* Compresses behind the *filled bytes of the buffer; sends when it is full, or at a
 * flush or the end. */
static enum relay_result send_all(struct exchange *exchange, struct slice *head,
                                  struct slice input, enum gzip_flush flush, size_t *filled)
{
    char *out = exchange->worker->gzip_out;
    enum relay_result result = RELAY_OK;
    bool is_all;

    do {
        size_t size;
        is_all = gzip_write(exchange->gzip, &input, flush, out + *filled,
                            OUT_BYTES - *filled, &size);
        *filled += size;
        if (is_all && flush == GZIP_MORE)
            break;
        enum flow_result sent = send_chunk(exchange, head, slice_of(out, *filled),
                                           is_all && flush == GZIP_FINISH);
        *filled = 0;
        if (sent == FLOW_FAILED)
            return RELAY_FAILED;
        if (sent == FLOW_QUEUED)
            result = RELAY_BLOCKED;
    } while (!is_all);
    return result;
}

enum relay_result compress_answer(struct exchange *exchange, struct slice head,
                                  struct slice *data)
{
    enum relay_result result = RELAY_OK;
    size_t filled = 0;

    exchange_touch(exchange);
    do {
        struct slice piece;
        if (relay_answer_piece(exchange, data, &piece) != RELAY_OK)
            return RELAY_BAD;
        enum gzip_flush flush = exchange->answer_done ? GZIP_FINISH
                                : data->size == 0     ? GZIP_FLUSH
                                                      : GZIP_MORE;
        enum relay_result sent = send_all(exchange, &head, piece, flush, &filled);
        if (sent == RELAY_FAILED)
            return RELAY_FAILED;
        if (sent == RELAY_BLOCKED)
            result = RELAY_BLOCKED;
    } while (data->size > 0 && !exchange->answer_done);
    return result;
}

enum relay_result compress_end(struct exchange *exchange)
{
    struct slice none = {NULL, 0};
    size_t filled = 0;

    exchange->answer_done = true;
    return send_all(exchange, &none, none, GZIP_FINISH, &filled);
}

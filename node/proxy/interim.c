/* 100 goes on only to a client that waits for it: others were told nothing by
 * asking nothing, and some take it for an answer. Hints (102, 103) are dropped
 * where the client is slow or speaks HTTP/1.0 (RFC 9110 §15.2). None of it counts
 * as the answer's beginning: the attempt may still be tried again, and a second
 * 100 is not sent. */
#include "node/proxy/interim.h"

#include "node/proxy/forwarded.h"

#define INTERIM_MAX 16u /* of one attempt: an upstream may not say 103 for ever */

enum interim_result interim_relay(struct exchange *exchange,
                                  const struct http_message *message)
{
    struct client *client = exchange->client;
    struct h1_write out;

    if (++exchange->interim_count > INTERIM_MAX)
        return INTERIM_TOO_MANY;
    if (exchange->minor == 0 || flow_is_writing(&client->flow))
        return INTERIM_OK;
    if (message->status == 100) {
        if (!exchange->expects)
            return INTERIM_OK;
        exchange->expects = false;
    }
    exchange_touch(exchange);
    h1_write_init(&out, exchange->worker->head, CORE_HEAD_BYTES);
    forwarded_interim(&out, exchange, message);
    if (out.failed)
        return INTERIM_OK;
    uv_buf_t buf = uv_buf_init(out.data, (unsigned)out.size);
    if (client_send(client, &buf, 1) != FLOW_FAILED)
        return INTERIM_OK;
    exchange_client_gone(exchange);
    client_close(client);
    return INTERIM_GONE;
}

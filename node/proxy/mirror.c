/* Each copy counts as an attempt of its service: in its bulkhead, in the live state
 * of its endpoint and in the metrics, so that copies keep to the same limits. */
#include "node/proxy/mirror.h"

#include "base/instant.h"
#include "node/proxy/choice.h"
#include "node/proxy/pool.h"
#include "node/proxy/resolve.h"

#include <stdlib.h>

#define ANSWER_HEAD_BYTES ((size_t)64 << 10)

struct mirror {
    struct worker *worker;
    struct serving *serving; /* pinned */
    struct serving_service *service;
    struct gate *gate; /* whose place it has; NULL: none */
    struct mirror *next_free;
    struct list_link link; /* of the worker's, once sent */
    struct deadline deadline;
    struct block *bytes; /* head and body as framed; owned, until sent */
    struct upstream *upstream;
    struct endpoint *endpoint; /* NULL: not begun */
    uint32_t endpoint_index;
    uint8_t method;
    bool is_chunked; /* the request */
    size_t body_size;
    uint64_t started_us;
    uint64_t limit_ms;

    bool head_done; /* of the answer */
    unsigned status;
    uint8_t framing;
    bool keep_alive;
    uint64_t left;
    struct chunked chunked;
};

static void on_deadline(struct deadline *deadline, uint64_t now_ms);

/* ---- memory ---- */

static struct mirror *mirror_take(struct worker *worker)
{
    struct mirror *mirror = worker->free_mirrors;

    if (mirror != NULL) {
        worker->free_mirrors = mirror->next_free;
    } else {
        mirror = malloc(sizeof *mirror);
        if (mirror == NULL)
            return NULL;
        worker->allocated++;
    }
    *mirror = (struct mirror){.worker = worker};
    deadline_init(&mirror->deadline, &worker->loop, on_deadline);
    return mirror;
}

/* Of whatever it has got. */
static void mirror_release(struct mirror *mirror)
{
    struct worker *worker = mirror->worker;

    block_give(&worker->blocks, mirror->bytes);
    list_remove(&mirror->link);
    deadline_stop(&mirror->deadline);
    if (mirror->gate != NULL)
        gate_give(worker, mirror->gate);
    serving_unpin(mirror->serving);
    mirror->next_free = worker->free_mirrors;
    worker->free_mirrors = mirror;
}

void mirror_free_all(struct worker *worker)
{
    struct mirror *mirror;

    while ((mirror = worker->free_mirrors) != NULL) {
        worker->free_mirrors = mirror->next_free;
        free(mirror);
    }
}

/* ---- the request ---- */

static void count_dropped(struct worker *worker, const struct serving_service *service)
{
    counts_mirror_dropped(&worker->counts, &service->live->counts, service->live->name);
}

void mirror_begin(struct exchange *exchange)
{
    const struct plan *plan = exchange->plan;
    struct worker *worker = exchange->worker;

    if (plan->mirror == NULL || exchange->upgrade.size > 0 ||
        (plan->mirror_share < ENDPOINT_SHARE_ALL &&
         rng_below(&worker->rng, ENDPOINT_SHARE_ALL) >= plan->mirror_share))
        return;
    struct serving_service *service = &exchange->serving->services[plan->mirror->number];
    struct mirror *mirror = mirror_take(worker);
    if (mirror == NULL) {
        count_dropped(worker, service);
        return;
    }
    mirror->serving = serving_pin(exchange->serving);
    mirror->service = service;
    mirror->method = exchange->method;
    mirror->is_chunked = exchange->framing == HTTP_FRAMING_CHUNKED;
    mirror->limit_ms = plan->timeout_ms == 0 || plan->timeout_ms > MIRROR_MAX_MS
                           ? MIRROR_MAX_MS
                           : plan->timeout_ms;
    exchange->mirror = mirror;
    if (!block_append(&worker->blocks, &mirror->bytes, exchange->head)) {
        count_dropped(worker, service);
        mirror_drop(exchange);
        return;
    }
    if (exchange->body_done)
        mirror_send(exchange);
}

void mirror_body(struct exchange *exchange, struct slice piece)
{
    struct mirror *mirror = exchange->mirror;
    struct blocks *blocks = &exchange->worker->blocks;
    char chunk[CHUNKED_HEAD_MAX];
    bool fits = mirror->body_size + piece.size <= MIRROR_BODY_BYTES;

    if (piece.size == 0)
        return;
    mirror->body_size += piece.size;
    if (fits && mirror->is_chunked)
        fits = block_append(blocks, &mirror->bytes,
                            slice_of(chunk, chunked_head(piece.size, chunk)));
    fits = fits && block_append(blocks, &mirror->bytes, piece);
    if (fits && mirror->is_chunked)
        fits = block_append(blocks, &mirror->bytes, CHUNKED_TAIL);
    if (fits)
        return;
    count_dropped(exchange->worker, mirror->service);
    mirror_drop(exchange);
}

void mirror_drop(struct exchange *exchange)
{
    struct mirror *mirror = exchange->mirror;

    if (mirror == NULL)
        return;
    exchange->mirror = NULL;
    mirror_release(mirror);
}

/* ---- the end ---- */

static void finish(struct mirror *mirror, enum outcome outcome, bool keep)
{
    const struct target_service *target = mirror->service->target;
    struct endpoint *endpoint = mirror->endpoint;
    struct upstream *upstream = mirror->upstream;
    uint64_t at_us = instant_monotonic_us();
    uint64_t took_us = at_us - mirror->started_us;

    if (endpoint != NULL) {
        const struct target_endpoint *to = &target->endpoints[mirror->endpoint_index];
        if (outcome == OUTCOME_SUCCESS || outcome == OUTCOME_ERROR_STATUS)
            endpoint_live_end(&endpoint->live, at_us, took_us, target->ewma_decay_ms);
        else if (outcome == OUTCOME_CANCELLED)
            endpoint_live_drop(&endpoint->live);
        else
            endpoint_live_fail(&endpoint->live, at_us, took_us, target->ewma_decay_ms);
        counts_attempt(&mirror->worker->counts, &endpoint->counts, target->name, to->name,
                       to->region, outcome);
    }
    if (upstream != NULL) {
        upstream->mirror = NULL;
        if (keep && !flow_is_writing(&upstream->flow))
            pool_give(upstream);
        else
            pool_close(upstream);
    }
    mirror_release(mirror);
}

static void on_deadline(struct deadline *deadline, uint64_t now_ms)
{
    (void)now_ms;
    finish(container_of(deadline, struct mirror, deadline), OUTCOME_TIMEOUT, false);
}

void mirror_close_all(struct worker *worker)
{
    list_each (&worker->mirrors, link) {
        finish(container_of(link, struct mirror, link), OUTCOME_CANCELLED, false);
    }
}

/* ---- the connection ---- */

static void write_out(struct mirror *mirror)
{
    uv_buf_t buf = uv_buf_init(mirror->bytes->data, (unsigned)mirror->bytes->size);

    if (flow_send(&mirror->upstream->flow, &buf, 1, NULL) == FLOW_FAILED) {
        finish(mirror, OUTCOME_RESET, false);
        return;
    }
    block_give(&mirror->worker->blocks, mirror->bytes);
    mirror->bytes = NULL;
}

/* An endpoint and a connection to it, idle or begun; false: there is none. */
static bool connect_to(struct mirror *mirror)
{
    struct worker *worker = mirror->worker;
    uint32_t index = choice_for_copy(worker, mirror->service, mirror->started_us);
    struct address address;

    if (index == BALANCE_NONE)
        return false;
    struct endpoint *endpoint = mirror->service->endpoints[index];
    struct upstream *upstream = pool_take(endpoint);
    if (upstream == NULL) {
        if (!choice_has_connection(worker, mirror->service, index))
            return false;
        address = endpoint->address;
        if (endpoint->resolver != NULL &&
            resolver_get(endpoint->resolver, NULL, &address) != RESOLVER_READY)
            return false;
        upstream = pool_connect(endpoint, &address);
        if (upstream == NULL)
            return false;
    }
    upstream->mirror = mirror;
    mirror->upstream = upstream;
    mirror->endpoint = endpoint;
    mirror->endpoint_index = index;
    endpoint_live_begin(&endpoint->live);
    return true;
}

void mirror_send(struct exchange *exchange)
{
    struct mirror *mirror = exchange->mirror;
    struct worker *worker = exchange->worker;
    struct serving_service *service = mirror->service;

    exchange->mirror = NULL;
    mirror->started_us = instant_monotonic_us();
    list_append(&worker->mirrors, &mirror->link);
    if ((mirror->is_chunked &&
         !block_append(&worker->blocks, &mirror->bytes, CHUNKED_LAST)) ||
        !gate_try(worker, service, &mirror->gate) || !connect_to(mirror)) {
        count_dropped(worker, service);
        mirror_release(mirror);
        return;
    }
    deadline_set(&mirror->deadline, core_after(worker, mirror->limit_ms));
    if (mirror->upstream->is_connected)
        write_out(mirror);
}

void mirror_connected(struct mirror *mirror, int error)
{
    if (error != 0)
        finish(mirror, OUTCOME_CONNECT_FAILURE, false);
    else
        write_out(mirror);
}

void mirror_ended(struct mirror *mirror, int error)
{
    bool is_whole =
        error == UV_EOF && mirror->head_done && mirror->framing == HTTP_FRAMING_UNTIL_CLOSE;

    finish(mirror,
           !is_whole               ? OUTCOME_RESET
           : mirror->status >= 500 ? OUTCOME_ERROR_STATUS
                                   : OUTCOME_SUCCESS,
           false);
}

/* ---- the answer ---- */

/* Takes what belongs to the body off *data; false: it is no valid body. */
static bool drop_body(struct mirror *mirror, struct slice *data, bool *ret_done)
{
    struct slice piece;

    *ret_done = false;
    switch (mirror->framing) {
    case HTTP_FRAMING_NONE:
        *ret_done = true;
        return true;
    case HTTP_FRAMING_LENGTH: {
        size_t size = data->size < mirror->left ? data->size : (size_t)mirror->left;
        *data = slice_from(*data, size);
        mirror->left -= size;
        *ret_done = mirror->left == 0;
        return true;
    }
    case HTTP_FRAMING_CHUNKED:
        for (;;) {
            switch (chunked_next(&mirror->chunked, data, &piece)) {
            case CHUNKED_MORE:
                return true;
            case CHUNKED_DONE:
                *ret_done = true;
                return true;
            case CHUNKED_BAD:
            case CHUNKED_TOO_LARGE:
                return false;
            default:
                break;
            }
        }
    default:
        *data = slice_from(*data, data->size);
        return true;
    }
}

static void take_head(struct mirror *mirror, const struct http_message *message)
{
    mirror->head_done = true;
    mirror->status = message->status;
    mirror->framing = message->framing;
    mirror->left = message->content_length;
    mirror->keep_alive =
        message->keep_alive && message->framing != HTTP_FRAMING_UNTIL_CLOSE;
    chunked_init(&mirror->chunked);
}

void mirror_received(struct mirror *mirror, struct slice data)
{
    struct worker *worker = mirror->worker;
    struct intake *intake = &mirror->upstream->intake;
    const struct intake_rules rules = {
        .limits = {.head_bytes = ANSWER_HEAD_BYTES, .target_bytes = 0},
        .header_count = HTTP_HEADERS_MAX,
        .is_response = true,
        .method = (enum http_method)mirror->method,
    };
    struct intake old = {NULL, NULL}; /* what `data` may be a piece of */
    bool is_done = false, is_valid = true;

    while (!mirror->head_done) {
        const struct http_message *message;
        struct slice rest;
        enum h1_result result = intake_feed(intake, &worker->blocks, worker->response,
                                            &rules, data, &message, &rest);
        if (result == H1_MORE) {
            intake_reset(&old, &worker->blocks);
            return;
        }
        is_valid = result == H1_DONE && message->status != 101;
        if (!is_valid)
            break;
        if (message->status >= 200)
            take_head(mirror, message);
        struct intake now = *intake;
        *intake = (struct intake){NULL, NULL};
        intake_reset(&old, &worker->blocks);
        old = now;
        data = rest;
        if (data.size == 0 && !mirror->head_done) {
            intake_reset(&old, &worker->blocks);
            return;
        }
    }
    is_valid = is_valid && drop_body(mirror, &data, &is_done);
    intake_reset(&old, &worker->blocks);
    if (!is_valid)
        finish(mirror, OUTCOME_INVALID, false);
    else if (is_done)
        finish(mirror, mirror->status >= 500 ? OUTCOME_ERROR_STATUS : OUTCOME_SUCCESS,
               mirror->keep_alive && data.size == 0 && mirror->bytes == NULL);
}

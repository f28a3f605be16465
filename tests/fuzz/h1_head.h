/* Fuzzing a head parser: whatever pieces a head comes in, and wherever they
 * are in memory, the answer is that of the whole; and what was let through
 * holds nothing that could mislead the next hop. */
#ifndef GW_TESTS_FUZZ_H1_HEAD_H
#define GW_TESTS_FUZZ_H1_HEAD_H

#include "base/hash.h"
#include "base/rng.h"
#include "http/fields.h"
#include "http/h1_parse.h"
#include "http/h1_write.h"
#include "http/uri.h"
#include "tests/fuzz/fuzz.h"

#define HEADERS 24

static const struct h1_limits limits = {.head_bytes = 1500, .target_bytes = 300};

typedef enum h1_result (*head_fn)(struct h1_parse *parse, struct http_message *message,
                                  struct slice data);

struct head {
    struct h1_parse parse;
    struct http_message message;
    struct http_header headers[HEADERS];
};

static inline bool same_head(const struct http_message *a, const struct http_message *b)
{
    if (a->header_count != b->header_count || a->head_size != b->head_size ||
        a->framing != b->framing || a->content_length != b->content_length ||
        a->keep_alive != b->keep_alive || a->upgrade != b->upgrade ||
        a->minor != b->minor || a->method != b->method || a->status != b->status ||
        a->has_length != b->has_length || a->expect_continue != b->expect_continue ||
        a->te_trailers != b->te_trailers || !slice_equal(a->target, b->target) ||
        !slice_equal(a->path, b->path) || !slice_equal(a->query, b->query) ||
        !slice_equal(a->host, b->host) || !slice_equal(a->method_name, b->method_name) ||
        !slice_equal(a->reason, b->reason) ||
        memcmp(a->first, b->first, sizeof a->first) != 0)
        return false;
    for (size_t i = 0; i < a->header_count; i++)
        if (!slice_equal(a->headers[i].name, b->headers[i].name) ||
            !slice_equal(a->headers[i].value, b->headers[i].value) ||
            a->headers[i].id != b->headers[i].id ||
            a->headers[i].flags != b->headers[i].flags)
            return false;
    return true;
}

static inline void check_head(const struct http_message *message)
{
    unsigned lengths = 0, codings = 0, hosts = 0;
    for (size_t i = 0; i < message->header_count; i++) {
        const struct http_header *header = &message->headers[i];
        CHECK(fields_is_token(header->name) && fields_is_value(header->value));
        CHECK(memchr(header->value.data, '\n', header->value.size) == NULL);
        lengths += header->id == HTTP_HEADER_CONTENT_LENGTH;
        codings += header->id == HTTP_HEADER_TRANSFER_ENCODING;
        hosts += header->id == HTTP_HEADER_HOST;
    }
    CHECK(lengths + codings <= 1);
    CHECK(message->framing != HTTP_FRAMING_CHUNKED || codings == 1);
    CHECK(message->framing != HTTP_FRAMING_LENGTH || lengths == 1);
    if (message->status == 0) {
        CHECK(hosts == 1 || (hosts == 0 && message->minor == 0));
        CHECK(message->framing != HTTP_FRAMING_UNTIL_CLOSE);
        CHECK(message->path.size > 0 &&
              (message->path.data[0] == '/' || message->path.size == 1));
        CHECK((message->framing == HTTP_FRAMING_NONE) ==
              (codings == 0 && message->content_length == 0));
    }
}

/* Parses `input` whole and in pieces. Returns the result of the whole, whose
 * memory *ret_memory the caller frees. */
static inline enum h1_result fuzz_head(struct slice input, head_fn parse_fn,
                                       struct head *whole, char **ret_memory)
{
    static struct head pieces;
    struct rng rng;
    enum h1_result in_pieces = H1_MORE;
    char *memory = NULL;
    size_t size = 0;

    *ret_memory = exact_copy(input.data, input.size);
    h1_parse_init(&whole->parse, &whole->message, whole->headers, HEADERS);
    enum h1_result result =
        parse_fn(&whole->parse, &whole->message, slice_of(*ret_memory, input.size));

    rng_init(&rng, hash_stable(input));
    size_t most = rng_chance(&rng, 500) ? 3 : 60;
    h1_parse_init(&pieces.parse, &pieces.message, pieces.headers, HEADERS);
    while (in_pieces == H1_MORE && size < input.size) {
        size += rng_between(&rng, 1, most);
        if (size > input.size)
            size = input.size;
        char *next = exact_copy(input.data, size);
        in_pieces = parse_fn(&pieces.parse, &pieces.message, slice_of(next, size));
        free(memory);
        memory = next;
    }
    /* A line that is wrong but not whole may be refused now or at its end. */
    CHECK(in_pieces == result || (result > H1_MORE && in_pieces == H1_MORE));
    if (result == H1_DONE) {
        CHECK(same_head(&whole->message, &pieces.message));
        check_head(&whole->message);
    }
    free(memory);
    return result;
}

/* Writes the head again and parses that: it must say the same. */
static inline void rewrite_head(const struct http_message *message, head_fn parse_fn)
{
    static char memory[8192];
    static struct head again;
    struct h1_write out;

    h1_write_init(&out, memory, sizeof memory);
    if (message->status == 0)
        h1_write_request_line(&out, message->method_name, message->path, message->query);
    else
        h1_write_status_line(&out, message->status, message->reason);
    for (size_t i = 0; i < message->header_count; i++)
        h1_write_header_checked(&out, message->headers[i].name, message->headers[i].value);
    h1_write_end(&out);
    CHECK(!out.failed);
    h1_parse_init(&again.parse, &again.message, again.headers, HEADERS);
    enum h1_result result = parse_fn(&again.parse, &again.message, h1_write_slice(&out));
    /* A colon and a space, or a reason, may make it longer than the limit. */
    if (result == H1_HEADER_TOO_LARGE && out.size > limits.head_bytes)
        return;
    CHECK(result == H1_DONE && again.message.head_size == out.size);
    CHECK(again.message.framing == message->framing);
    CHECK(again.message.content_length == message->content_length);
    CHECK(again.message.header_count == message->header_count);
}

#endif

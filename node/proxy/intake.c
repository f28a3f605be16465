/* Heads in pieces. The parser goes on where it stopped, so a head that drips in
 * byte by byte costs no more than one that does not. */
#include "node/proxy/intake.h"

_Static_assert(sizeof(struct intake_head) <= BLOCK_MEDIUM, "a block holds a parser");

static enum h1_result parse(struct intake_head *head, const struct intake_rules *rules,
                            struct slice data)
{
    if (rules->is_response)
        return h1_parse_response(&head->parse, &head->message, data, &rules->limits,
                                 rules->method);
    return h1_parse_request(&head->parse, &head->message, data, &rules->limits);
}

static struct intake_head *state_of(struct block *block)
{
    uintptr_t at = ((uintptr_t)block->data + 15) & ~(uintptr_t)15;
    return (struct intake_head *)at;
}

/* Moves a parse under way out of the scratch. */
static bool keep_state(struct intake *intake, struct blocks *blocks,
                       const struct intake_head *scratch)
{
    struct block *block = block_take(blocks, sizeof(struct intake_head) + 16);
    if (block == NULL)
        return false;
    struct intake_head *head = state_of(block);
    head->parse = scratch->parse;
    head->message = scratch->message;
    head->message.headers = head->headers;
    memcpy(head->headers, scratch->headers,
           scratch->message.header_count * sizeof scratch->headers[0]);
    intake->state = block;
    return true;
}

enum h1_result intake_feed(struct intake *intake, struct blocks *blocks,
                           struct intake_head *scratch, const struct intake_rules *rules,
                           struct slice data, const struct http_message **ret_message,
                           struct slice *ret_rest)
{
    struct intake_head *head = scratch;
    if (intake->bytes != NULL) {
        if (!block_append(blocks, &intake->bytes, data))
            return H1_HEADER_TOO_LARGE;
        data = block_slice(intake->bytes);
        head = state_of(intake->state);
    } else {
        size_t capacity = rules->header_count;
        if (capacity == 0 || capacity > HTTP_HEADERS_MAX)
            capacity = HTTP_HEADERS_MAX;
        h1_parse_init(&head->parse, &head->message, head->headers, capacity);
    }
    enum h1_result result = parse(head, rules, data);
    if (result == H1_DONE) {
        *ret_message = &head->message;
        *ret_rest = slice_from(data, head->message.head_size);
        return result;
    }
    if (result == H1_MORE && intake->bytes == NULL) {
        if (!keep_state(intake, blocks, scratch))
            return H1_HEADER_TOO_LARGE;
        if (!block_append(blocks, &intake->bytes, data)) {
            intake_reset(intake, blocks);
            return H1_HEADER_TOO_LARGE;
        }
    }
    return result;
}

void intake_reset(struct intake *intake, struct blocks *blocks)
{
    block_give(blocks, intake->bytes);
    block_give(blocks, intake->state);
    intake->bytes = intake->state = NULL;
}

/* Fuzzes the response head parser, as the answer to a GET and to a HEAD. */
#include "tests/fuzz/h1_head.h"

static enum h1_result parse_get(struct h1_parse *parse, struct http_message *message,
                                struct slice data)
{
    return h1_parse_response(parse, message, data, &limits, HTTP_METHOD_GET);
}

static enum h1_result parse_head(struct h1_parse *parse, struct http_message *message,
                                 struct slice data)
{
    return h1_parse_response(parse, message, data, &limits, HTTP_METHOD_HEAD);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct head whole;
    char *memory;

    if (fuzz_head(slice_of(data, size), parse_get, &whole, &memory) == H1_DONE)
        rewrite_head(&whole.message, parse_get);
    free(memory);
    if (fuzz_head(slice_of(data, size), parse_head, &whole, &memory) == H1_DONE)
        CHECK(whole.message.framing == HTTP_FRAMING_NONE);
    free(memory);
    return 0;
}

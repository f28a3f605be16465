/* Fuzzes the request head parser. Input: a head, perhaps with bytes after it. */
#include "tests/fuzz/h1_head.h"

static enum h1_result parse_request(struct h1_parse *parse, struct http_message *message,
                                    struct slice data)
{
    return h1_parse_request(parse, message, data, &limits);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct head whole;
    char *memory;
    enum h1_result result = fuzz_head(slice_of(data, size), parse_request, &whole, &memory);

    /* An HTTP/1.0 request becomes 1.1 when written, where Host is a must. */
    if (result == H1_DONE && whole.message.minor == 1) {
        rewrite_head(&whole.message, parse_request);
        struct uri_host host;
        CHECK(uri_host_split(whole.message.host, &host));
    }
    free(memory);
    return 0;
}

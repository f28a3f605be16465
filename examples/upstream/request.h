/* What a client asked: the head and the body as they come, and the knobs of its query. */
#ifndef EXAMPLES_UPSTREAM_REQUEST_H
#define EXAMPLES_UPSTREAM_REQUEST_H

#include "examples/upstream/text.h"

#include <stdbool.h>

#define ECHO_LIMIT ((size_t)64 << 20)

/* What a request without knobs of its own gets. */
struct knobs {
    uint64_t latency_ms, size;
    double error_rate, hang_rate;
    bool has_size;
};

enum body_state {
    BODY_NONE,
    BODY_LENGTH,
    BODY_CHUNK_SIZE,
    BODY_CHUNK,
    BODY_CHUNK_END,
    BODY_TRAILER
};

struct request {
    struct span method, target; /* into head */
    enum body_state body;
    uint64_t left;      /* of the body, or of the chunk */
    uint64_t body_size; /* so far */
    bool keep_alive, is_head, is_http10;
    /* knobs */
    uint64_t latency_ms, size;
    unsigned status;
    bool has_size, hang, chunked, close, reset, echo, health;
};

bool span_is(struct span a, const char *b); /* in any case */
/* The next header line of a head from *position; false at the end. */
bool next_header(const struct text *head, size_t *position, struct span *ret_name,
                 struct span *ret_value);
size_t head_first_header(const struct text *head);

/* From a whole head, which the request borrows. False: not for us. */
bool read_head(struct request *request, const struct text *head, const struct knobs *knobs,
               bool *ret_continue);
/* Takes body bytes, kept in `kept` for echo; returns how many, or SIZE_MAX for nonsense.
 * Afterwards request->body is BODY_NONE if all is there. */
size_t read_body(struct request *request, struct text *kept, const char *data, size_t size);

#endif

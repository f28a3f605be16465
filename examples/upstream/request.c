#include "examples/upstream/request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool span_is(struct span a, const char *b)
{
    return a.size == strlen(b) && strncasecmp(a.data, b, a.size) == 0;
}

bool next_header(const struct text *head, size_t *position, struct span *ret_name,
                 struct span *ret_value)
{
    const char *line = head->data + *position;
    const char *end = memchr(line, '\r', head->size - *position);
    if (end == NULL || end == line)
        return false;
    const char *colon = memchr(line, ':', (size_t)(end - line));
    *position = (size_t)(end - head->data) + 2;
    if (colon == NULL)
        return false;
    *ret_name = (struct span){line, (size_t)(colon - line)};
    for (colon++; colon < end && (*colon == ' ' || *colon == '\t'); colon++)
        ;
    while (end > colon && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *ret_value = (struct span){colon, (size_t)(end - colon)};
    return true;
}

size_t head_first_header(const struct text *head)
{
    const char *end = memchr(head->data, '\n', head->size);
    return end == NULL ? head->size : (size_t)(end - head->data) + 1;
}

static uint64_t number_of(struct span value)
{
    uint64_t number = 0;
    for (size_t i = 0; i < value.size && value.data[i] >= '0' && value.data[i] <= '9'; i++)
        number = number * 10 + (uint64_t)(value.data[i] - '0');
    return number;
}

static bool chance(double rate)
{
    return rate > 0 && (double)random() / ((double)RAND_MAX + 1) < rate;
}

static void turn_knob(struct request *request, struct span name, struct span value)
{
    bool yes = value.size > 0 && value.data[0] != '0';
    if (span_is(name, "latency"))
        request->latency_ms = number_of(value);
    else if (span_is(name, "status")) {
        uint64_t status = number_of(value);
        if (status >= 200 && status <= 599)
            request->status = (unsigned)status;
    } else if (span_is(name, "size")) {
        request->size = number_of(value);
        if (request->size > ECHO_LIMIT)
            request->size = ECHO_LIMIT;
        request->has_size = true;
    } else if (span_is(name, "hang"))
        request->hang = yes;
    else if (span_is(name, "chunked"))
        request->chunked = yes;
    else if (span_is(name, "close"))
        request->close = yes;
    else if (span_is(name, "reset"))
        request->reset = yes;
    else if (span_is(name, "echo"))
        request->echo = yes;
}

static void read_knobs(struct request *request, const struct knobs *knobs)
{
    const char *query = memchr(request->target.data, '?', request->target.size);
    struct span path = request->target;
    if (query != NULL)
        path.size = (size_t)(query - path.data);
    if (span_is(path, "/healthz")) {
        request->health = true;
        request->status = 200;
        return;
    }
    request->latency_ms = knobs->latency_ms;
    request->size = knobs->size;
    request->has_size = knobs->has_size;
    request->status = chance(knobs->error_rate) ? 503 : 200;
    request->hang = chance(knobs->hang_rate);
    if (query == NULL)
        return;
    const char *end = request->target.data + request->target.size;
    for (const char *at = query + 1; at < end;) {
        const char *stop = memchr(at, '&', (size_t)(end - at));
        if (stop == NULL)
            stop = end;
        const char *equals = memchr(at, '=', (size_t)(stop - at));
        if (equals != NULL)
            turn_knob(request, (struct span){at, (size_t)(equals - at)},
                      (struct span){equals + 1, (size_t)(stop - equals - 1)});
        at = stop + 1;
    }
}

bool read_head(struct request *request, const struct text *head, const struct knobs *knobs,
               bool *ret_continue)
{
    struct span name, value;
    const char *end = memchr(head->data, '\r', head->size);
    const char *space = memchr(head->data, ' ', head->size);

    *request = (struct request){.keep_alive = true};
    *ret_continue = false;
    if (end == NULL || space == NULL || space > end)
        return false;
    request->method = (struct span){head->data, (size_t)(space - head->data)};
    const char *target = space + 1;
    space = memchr(target, ' ', (size_t)(end - target));
    if (space == NULL || end - space != 9 || memcmp(space, " HTTP/1.", 8) != 0)
        return false;
    request->target = (struct span){target, (size_t)(space - target)};
    request->is_http10 = space[8] == '0';
    request->keep_alive = !request->is_http10;
    request->is_head = span_is(request->method, "HEAD");
    for (size_t at = head_first_header(head); next_header(head, &at, &name, &value);) {
        if (span_is(name, "content-length")) {
            request->left = number_of(value);
            request->body = request->left > 0 ? BODY_LENGTH : BODY_NONE;
        } else if (span_is(name, "transfer-encoding")) {
            request->body = BODY_CHUNK_SIZE;
        } else if (span_is(name, "connection")) {
            if (span_is(value, "close"))
                request->keep_alive = false;
            else if (span_is(value, "keep-alive"))
                request->keep_alive = true;
        } else if (span_is(name, "expect")) {
            *ret_continue = span_is(value, "100-continue");
        }
    }
    read_knobs(request, knobs);
    return true;
}

static void take_body(struct request *request, struct text *kept, const char *data,
                      size_t size)
{
    request->body_size += size;
    if (request->echo && kept->size + size <= ECHO_LIMIT)
        text_add(kept, data, size);
}

size_t read_body(struct request *request, struct text *kept, const char *data, size_t size)
{
    size_t used = 0;
    while (used < size && request->body != BODY_NONE) {
        const char *at = data + used;
        size_t left = size - used;
        const char *end;
        switch (request->body) {
        case BODY_LENGTH:
        case BODY_CHUNK:
            if (left > request->left)
                left = (size_t)request->left;
            take_body(request, kept, at, left);
            used += left;
            request->left -= left;
            if (request->left == 0)
                request->body = request->body == BODY_LENGTH ? BODY_NONE : BODY_CHUNK_END;
            break;
        case BODY_CHUNK_SIZE:
        case BODY_CHUNK_END:
        case BODY_TRAILER:
            end = memchr(at, '\n', left);
            if (end == NULL)
                return left > 256 ? SIZE_MAX : used;
            used += (size_t)(end - at) + 1;
            if (request->body == BODY_CHUNK_END) {
                request->body = BODY_CHUNK_SIZE;
            } else if (request->body == BODY_TRAILER) {
                if (end - at <= 1)
                    request->body = BODY_NONE;
            } else {
                char *stop;
                request->left = strtoull(at, &stop, 16);
                if (stop == at)
                    return SIZE_MAX;
                request->body = request->left == 0 ? BODY_TRAILER : BODY_CHUNK;
            }
            break;
        case BODY_NONE:
            break;
        }
    }
    return used;
}

/* A request as bytes between nodes, and its answer: msgpack. */
#include "node/control/request_inner.h"

#include "model/wire.h"

#define HEAD_FIELD_MAX 4096

void request_encode(const struct request *request, struct buffer *out)
{
    buffer_append_byte(out, 'H');
    pack_array(out, 9);
    pack_text(out, request->method);
    pack_text(out, request->path);
    pack_text(out, request->query);
    pack_text(out, request->if_match);
    pack_text(out, request->if_none_match);
    pack_text(out, request->idempotency_key);
    pack_text(out, request->content_type);
    pack_text(out, request->actor);
    pack_bytes(out, request->body);
}

bool request_decode(struct request *request, struct slice payload)
{
    struct slice *const fields[] = {
        &request->method,       &request->path,          &request->query,
        &request->if_match,     &request->if_none_match, &request->idempotency_key,
        &request->content_type, &request->actor,         &request->body};
    struct wire wire;
    size_t count;

    wire_init(&wire, slice_from(payload, 1));
    if (!wire_read_array(&wire, &count) || count < 9)
        return false;
    for (size_t i = 0; i < 9; i++) {
        if (!wire_read_string(&wire, fields[i]) ||
            (i < 8 && fields[i]->size > HEAD_FIELD_MAX))
            return false;
    }
    return request->body.size <= CONTROL_BODY_MAX;
}

void request_answer_encode(struct buffer *out, unsigned status, const char *etag,
                           uint64_t revision, struct slice laggards, struct slice body)
{
    pack_array(out, 5);
    pack_u64(out, status);
    pack_text(out, slice_from_string(etag));
    pack_u64(out, revision);
    pack_bytes(out, body);
    pack_text(out, laggards);
}

bool request_answer_decode(struct slice payload, struct request_answer *ret_answer)
{
    struct request_answer answer = {0};
    struct wire wire;
    size_t count;

    wire_init(&wire, payload);
    if (!wire_read_array(&wire, &count) || count < 4 ||
        !wire_read_u64(&wire, &answer.status) || !wire_read_string(&wire, &answer.etag) ||
        !wire_read_u64(&wire, &answer.revision) || !wire_read_string(&wire, &answer.body) ||
        (count > 4 && !wire_read_string(&wire, &answer.laggards)) ||
        (answer.status != 0 && (answer.status < 200 || answer.status > 599)))
        return false;
    *ret_answer = answer;
    return true;
}

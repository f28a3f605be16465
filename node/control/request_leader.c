/* The way of a request to the leader, or to what the leader knows.
 *
 * It goes on by continuation: each wait keeps the function to run next. What another node
 * forwarded is answered here or not at all ("not the leader", status 0 on the wire), so no
 * request ever goes round. */
#include "node/control/request_inner.h"

#include "base/plant.h"
#include "model/wire.h"
#include "node/control/quarantine.h"

#include <stdio.h>
#include <stdlib.h>

#define PAUSE_MS 60

static void not_leader(struct request *request)
{
    struct buffer answer;

    buffer_init(&answer, 64);
    request_answer_encode(&answer, 0, "", 0, (struct slice){0}, (struct slice){0});
    control_answer(request->control, request->forwarded, buffer_slice(&answer));
    buffer_deinit(&answer);
    request_free(request);
}

static void pause_over(uv_timer_t *timer)
{
    struct request *request = timer->data;
    request_at_leader(request, request->next);
}

void request_try_again(struct request *request, request_fn next)
{
    if (request->forwarded != NULL) {
        not_leader(request);
        return;
    }
    request->next = next;
    if (control_now_ms(request->control) + PAUSE_MS >= request->deadline_ms ||
        ++request->tries > REQUEST_TRIES * 8) {
        request_fail_no_quorum(request);
        return;
    }
    if (request->timer == NULL) {
        request->timer = calloc(1, sizeof *request->timer);
        if (request->timer == NULL ||
            uv_timer_init(request->control->loop, request->timer)) {
            free(request->timer);
            request->timer = NULL;
            request_fail(request, GW_NO_MEMORY, "wait for the leader");
            return;
        }
        request->timer->data = request;
    }
    uv_timer_start(request->timer, pause_over, PAUSE_MS, 0);
}

/* What the leader answered becomes our answer. */
static void take_answer(struct request *request, struct slice payload)
{
    struct request_answer answer;

    if (!request_answer_decode(payload, &answer)) {
        request_fail(request, GW_UNKNOWN_OUTCOME,
                     "the leader's answer does not decode; the change may have been made");
        return;
    }
    if (answer.status == 0) {
        request_try_again(request, request->next);
        return;
    }
    snprintf(request->etag, sizeof request->etag, "%.*s", SLICE_ARG(answer.etag));
    request->revision = answer.revision;
    request->laggards = answer.laggards;
    request_reply_typed(request, (unsigned)answer.status,
                        answer.status >= 400 ? "application/problem+json"
                                             : "application/json",
                        answer.body);
}

static void forward_came(struct control_call *call)
{
    struct request *request = call->owner;

    switch (call->member.result) {
    case GW_OK:
        take_answer(request, buffer_slice(&call->member.reply));
        break;
    case GW_AGAIN:
        request->next(request); /* this node leads by now */
        break;
    case GW_UNKNOWN_OUTCOME:
    case GW_TIMEOUT:
        request_fail(request, GW_UNKNOWN_OUTCOME,
                     "the leader took the request and has not answered; it may have been "
                     "done: repeat it with the same Idempotency-Key");
        break;
    case GW_TOO_LARGE:
    case GW_LIMIT:
        request_fail(request, call->member.result, "forward the request to the leader: %s",
                     result_text(call->member.result));
        break;
    default:
        request_fail_no_quorum(request);
    }
    control_call_free(call);
}

void request_at_leader(struct request *request, request_fn next)
{
    struct control *control = request->control;

    request->next = next;
    if (control_is_leader(control)) {
        next(request);
        return;
    }
    if (request->forwarded != NULL) {
        not_leader(request);
        return;
    }
    if (control->is_halted) { /* its links are closed: there is no way to the leader */
        request_fail_no_quorum(request);
        return;
    }
    struct buffer payload;
    uint64_t left_ms = request_left_ms(request) + request->wait_ms;
    if (request->body.size > CONTROL_LARGE_BODY && control_leader(control) != 0)
        left_ms = CONTROL_LONG_WAIT_MS + request->wait_ms;
    buffer_init(&payload, 0);
    request_encode(request, &payload);
    control->forwards_total++;
    if (payload.failed || !control_call(control, MEMBER_FORWARD, buffer_slice(&payload), 0,
                                        left_ms, forward_came, request))
        request_fail(request, GW_NO_MEMORY, "forward the request to the leader");
    buffer_deinit(&payload);
}

static bool has_index(const struct control *control, uint64_t index)
{
    return control->visible != NULL && control->visible_index >= index &&
           control->visible->catalog.revision >= control->visible_revision;
}

static void wait_for(struct request *request, uint64_t index)
{
    if (has_index(request->control, index)) {
        request->next(request);
        return;
    }
    request->wait_index = index;
    list_append(&request->control->waiting, &request->lag_link);
}

void request_visible(struct control *control)
{
    struct list_link ready;

    list_init(&ready);
    list_each (&control->waiting, link) {
        struct request *request = container_of(link, struct request, lag_link);
        if (has_index(control, request->wait_index)) {
            list_remove(link);
            list_append(&ready, link);
        }
    }
    struct list_link *link;
    while ((link = list_take_first(&ready)) != NULL) {
        struct request *request = container_of(link, struct request, lag_link);
        request->next(request);
    }
}

static void ask_index(struct request *request, bool here);

static void index_came(struct control_call *call)
{
    struct request *request = call->owner;
    uint64_t index = call->member.index;
    enum result result = call->member.result;

    if (result == GW_OK && call->member.type == MEMBER_FORWARD) {
        struct wire wire;
        size_t count;
        uint64_t word;
        wire_init(&wire, buffer_slice(&call->member.reply));
        if (!wire_read_array(&wire, &count) || count < 2 || !wire_read_u64(&wire, &word) ||
            !wire_read_u64(&wire, &index))
            result = GW_MALFORMED;
        else
            result = word < GW_RESULT_COUNT ? (enum result)word : GW_FAILED;
    }
    control_call_free(call);
    if (result == GW_OK) {
        wait_for(request, index);
    } else if ((result == GW_NOT_LEADER || result == GW_AGAIN) &&
               request->tries++ < REQUEST_TRIES) {
        /* The view is older than what the member knows: go by its word. */
        ask_index(request, result == GW_AGAIN);
    } else {
        request_fail_no_quorum(request);
    }
}

static void ask_index(struct request *request, bool here)
{
    if (!control_call(request->control, here ? MEMBER_BARRIER : MEMBER_FORWARD, SLICE("B"),
                      0, request_left_ms(request), index_came, request))
        request_fail(request, GW_NO_MEMORY, "ask the leader");
}

void request_linearize(struct request *request, request_fn next)
{
    request->next = next;
    if (request->is_stale || GW_PLANTED("local-read"))
        next(request);
    else if (request->control->is_halted)
        request_fail_no_quorum(request);
    else if (quarantine_admits(request))
        ask_index(request, control_is_leader(request->control));
}

/* The cast of the proposer's tests: a line of writes, with a member and a store that are
 * this file. */
#ifndef GW_TESTS_PROPOSER_CAST_H
#define GW_TESTS_PROPOSER_CAST_H

#include "node/control/proposer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define CALLS 64

static uv_loop_t loop;
static struct proposer proposer;
static struct edition *visible;
static struct member_call *calls[CALLS]; /* posted, not answered */
static unsigned call_count;
static unsigned done_count;
static bool session_known;

static inline void take_call(void *owner, struct member_call *call)
{
    (void)owner;
    assert_true(call_count < CALLS);
    calls[call_count++] = call;
}

static inline struct edition *get_visible(void *owner)
{
    (void)owner;
    return visible;
}

static inline void no_regions(void *owner, struct write *write)
{
    (void)owner;
    write->region_count = 0;
}

static inline uint64_t wall_ms(void *owner)
{
    (void)owner;
    return 1000;
}

static inline bool answered_before(void *owner, struct write *write)
{
    (void)owner;
    if (!session_known)
        return false;
    write->result = GW_OK;
    write->revision = 6;
    return true;
}

static inline void count_done(struct write *write)
{
    done_count++;
    *(bool *)write->owner = true;
}

/* Until the pool has nothing left and the loop is idle. */
static inline void turn(void)
{
    uv_run(&loop, UV_RUN_DEFAULT);
}

static inline void answer(unsigned which, enum result result, uint64_t index,
                          uint64_t revision)
{
    struct member_call *call = calls[which];

    for (unsigned i = which + 1; i < call_count; i++)
        calls[i - 1] = calls[i];
    call_count--;
    call->result = result;
    call->index = index;
    call->revision = revision;
    assert_true(proposer_called(&proposer, call));
    turn();
}

struct wish {
    struct write write;
    bool done;
    char body[512];
};

static inline struct wish *wish_apply(const char *body)
{
    struct wish *wish = calloc(1, sizeof *wish);

    assert_non_null(wish);
    write_init(&wish->write);
    snprintf(wish->body, sizeof wish->body, "%s", body);
    wish->write.type = WRITE_APPLY;
    wish->write.body = slice_from_string(wish->body);
    wish->write.actor = SLICE("test");
    wish->write.owner = &wish->done;
    wish->write.done = count_done;
    return wish;
}

static inline void submit(struct wish *wish)
{
    proposer_submit(&proposer, &wish->write);
    turn();
}

static inline void forget(struct wish *wish)
{
    write_deinit(&wish->write);
    free(wish);
}

#define REGION(name)                      \
    "{\"objects\":[{\"apiVersion\":\"gw/" \
    "v1\",\"kind\":\"Region\",\"metadata\":{\"name\":\"" name "\"},\"spec\":{}}]}"
#define REGION_AFTER(name, other)                             \
    "{\"objects\":[{\"apiVersion\":\"gw/"                     \
    "v1\",\"kind\":\"Region\",\"metadata\":{\"name\":\"" name \
    "\"},\"spec\":{\"failover\":[\"" other "\"]}}]}"

static inline void begin(void)
{
    const struct proposer_hooks hooks = {.loop = &loop,
                                         .post = take_call,
                                         .visible = get_visible,
                                         .regions = no_regions,
                                         .wall_ms = wall_ms,
                                         .session_answer = answered_before};
    uv_loop_init(&loop);
    call_count = done_count = 0;
    session_known = false;
    visible = edition_new();
    visible->applied = 5;
    visible->conf_sequence = 7;
    visible->catalog.revision = 5;
    proposer_init(&proposer, &hooks);
}

static inline void end(void)
{
    proposer_deinit(&proposer);
    edition_unref(visible);
    turn();
    uv_loop_close(&loop);
}

/* The barrier of a new term, answered. */
static inline void pass_barrier(void)
{
    assert_int_equal(call_count, 1);
    assert_int_equal(calls[0]->type, MEMBER_BARRIER);
    answer(0, GW_OK, 5, 0);
}

/* The visible edition becomes what the write left behind. */
static inline void become_visible(struct wish *wish, uint64_t index)
{
    edition_unref(visible);
    (void)wish;
    visible = edition_tentative(proposer.tentative);
    visible->applied = index;
    visible->catalog.revision = index;
    proposer_visible(&proposer);
    turn();
}

static inline uint64_t sequence_of(const struct member_call *call)
{
    struct command_header header;
    struct slice body;
    struct transaction transaction;
    struct transaction_item *items;

    assert_true(command_decode(buffer_slice(&call->payload), &header, &body));
    assert_true(transaction_decode(body, &transaction, &items));
    free(items);
    return transaction.conf_sequence;
}

#endif

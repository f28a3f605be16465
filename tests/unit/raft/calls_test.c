/* Calls under way when the member ends: each comes back once, and says whether what it
 * asked for may be done. The replica is one of three that can reach nobody, so what it
 * has stays with it. */
#include "raft/calls.h"

#include "tests/unit/raft/cluster.h"

static struct {
    struct cluster c;
    uv_loop_t uv;
    struct loop loop;
    struct mailbox box;
    struct calls calls;
    struct cluster_node *leader;
    unsigned came_back;
} t;

/* In place of the links': whether there is one to forward over. */
static enum result way_to_others;

enum result peers_forward(struct peers *peers, uint64_t to, uint64_t id,
                          struct slice payload)
{
    (void)peers;
    (void)to;
    (void)id;
    (void)payload;
    return way_to_others;
}

static void on_answer(void *tag, const struct replica_reply *reply)
{
    calls_replica_reply(&t.calls, tag, reply);
}

static void on_mail(struct mail *mail, void *owner)
{
    struct member_call *call = container_of(container_of(mail, struct member_mail, mail),
                                            struct member_call, head);

    (void)owner;
    t.came_back++;
    ++*(unsigned *)call->owner;
}

static void begin(void)
{
    struct error err;

    memset(&t, 0, sizeof t);
    assert_int_equal(uv_loop_init(&t.uv), 0);
    assert_int_equal(loop_open(&t.loop, &t.uv, &err), GW_OK);
    assert_int_equal(mailbox_open(&t.box, &t.uv, on_mail, NULL, &err), GW_OK);
    cluster_init(&t.c, 3);
    t.c.now_ms = loop_now_ms(&t.loop); /* it may run ahead of the loop, but not behind */
    t.c.answered = on_answer;
    cluster_open(&t.c);
    assert_int_equal(cluster_put(&t.c, "route/a", "1"), GW_OK);
    t.leader = &t.c.nodes[cluster_leader(&t.c)];
    t.leader->is_cut = true;
    calls_init(&t.calls, &t.loop, t.leader->replica, NULL, t.leader->id);
}

static void end(void)
{
    loop_close(&t.loop, NULL, NULL);
    mailbox_close(&t.box, NULL);
    uv_run(&t.uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&t.uv), 0);
    cluster_deinit(&t.c);
}

struct asked {
    struct member_call call;
    unsigned times; /* it came back */
};

static void ask(struct asked *asked, enum member_call_type type, uint64_t timeout_ms)
{
    struct transaction_item item = {.key = SLICE("route/a"), .value = SLICE("2")};
    struct transaction transaction = {
        .conf_sequence = conf_sequence_of(t.leader), .items = &item, .item_count = 1};
    struct command_header header = {.actor = SLICE("test")};

    asked->times = 0;
    member_call_init(&asked->call, type, &t.box);
    asked->call.owner = &asked->times;
    asked->call.timeout_ms = timeout_ms;
    if (type == MEMBER_FORWARD)
        asked->call.to = t.leader->id % 3 + 1;
    else
        assert_true(transaction_encode(&asked->call.payload, &header, &transaction));
    calls_take(&t.calls, &asked->call);
}

static void deliver(void)
{
    while (uv_run(&t.uv, UV_RUN_NOWAIT) != 0 && t.came_back == 0)
        continue;
}

static void expect_once(struct asked *asked, enum result result)
{
    assert_int_equal(asked->times, 1);
    assert_int_equal(asked->call.result, result);
    member_call_deinit(&asked->call);
}

static void what_may_be_done_ends_as_unknown_and_the_rest_as_closed(void **state)
{
    struct asked proposed, read, sent, unsent;

    (void)state;
    begin();
    ask(&proposed, MEMBER_PROPOSE, 0);
    ask(&read, MEMBER_BARRIER, 0);
    way_to_others = GW_OK;
    ask(&sent, MEMBER_FORWARD, 0);
    way_to_others = GW_UNREACHABLE;
    ask(&unsent, MEMBER_FORWARD, 0);
    uv_run(&t.uv, UV_RUN_NOWAIT);
    assert_int_equal(t.came_back, 0);

    calls_close(&t.calls);
    deliver();
    assert_int_equal(t.came_back, 4);
    expect_once(&proposed, GW_UNKNOWN_OUTCOME);
    expect_once(&read, GW_CLOSED);
    expect_once(&sent, GW_UNKNOWN_OUTCOME);
    expect_once(&unsent, GW_CLOSED);

    /* What the replica still says of them reaches nobody. */
    node_close(&t.c, t.leader->id);
    uv_run(&t.uv, UV_RUN_NOWAIT);
    assert_int_equal(t.came_back, 4);
    assert_true(list_is_empty(&t.calls.pending));
    end();
}

static void what_ran_out_of_time_does_not_come_back_again(void **state)
{
    struct asked proposed;

    (void)state;
    begin();
    ask(&proposed, MEMBER_PROPOSE, 1);
    while (t.came_back == 0)
        uv_run(&t.uv, UV_RUN_ONCE);
    expect_once(&proposed, GW_UNKNOWN_OUTCOME);
    assert_false(list_is_empty(&t.calls.pending)); /* the replica has it */

    calls_close(&t.calls);
    node_close(&t.c, t.leader->id);
    uv_run(&t.uv, UV_RUN_NOWAIT);
    assert_int_equal(t.came_back, 1);
    assert_true(list_is_empty(&t.calls.pending));
    end();
}

/* It comes back while its clients still wait: what it had proposed may be done. */
static void a_halted_member_does_not_say_that_nothing_was_done(void **state)
{
    struct asked proposed, sent;

    (void)state;
    begin();
    ask(&proposed, MEMBER_PROPOSE, 0);
    way_to_others = GW_OK;
    ask(&sent, MEMBER_FORWARD, 0);
    replica_halt(t.leader->replica);
    calls_close(&t.calls);
    deliver();
    assert_int_equal(t.came_back, 2);
    expect_once(&proposed, GW_UNKNOWN_OUTCOME);
    expect_once(&sent, GW_UNKNOWN_OUTCOME);
    node_close(&t.c, t.leader->id);
    assert_true(list_is_empty(&t.calls.pending));
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_be_done_ends_as_unknown_and_the_rest_as_closed),
        cmocka_unit_test(what_ran_out_of_time_does_not_come_back_again),
        cmocka_unit_test(a_halted_member_does_not_say_that_nothing_was_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

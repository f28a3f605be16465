/* Votes where roles change (guards O and P), and log time where leaders do. */
#include "tests/unit/raft/cluster.h"

/* Node 2 knows itself as a stand-by of node 1, and has heard it. */
static void open_standby(struct cluster *c, unsigned guards_off)
{
    struct raft_configuration conf;
    struct error err;
    struct env *env;
    const struct wire_message heartbeat = {
        .raft = {
            .type = RAFT_APPEND_ENTRIES,
            .append_entries = {
                .term = 1, .prev_log_index = 1, .prev_log_term = 1, .leader_commit = 1}}};

    cluster_init(c, 2);
    raft_configuration_init(&conf);
    assert_int_equal(raft_configuration_add(&conf, 1, "1", RAFT_VOTER), 0);
    assert_int_equal(raft_configuration_add(&conf, 2, "2", RAFT_STANDBY), 0);
    struct slice bytes = conf_encode(&conf);
    raft_configuration_close(&conf);
    assert_int_equal(
        env_open(&(struct env_options){.dir = c->nodes[2].dir, .create = true}, &env, &err),
        GW_OK);
    assert_int_equal(store_bootstrap(env, bytes, NULL, 0, &err), GW_OK);
    env_close(env);
    free((void *)(uintptr_t)bytes.data);
    c->nodes[2].guards_off = guards_off;
    node_open(c, 2);
    inject(c, 1, 2, &heartbeat);
}

static bool votes_for_1(struct cluster *c)
{
    const struct wire_message request = {.raft = {.type = RAFT_REQUEST_VOTE,
                                                  .request_vote = {.term = 5,
                                                                   .candidate_id = 1,
                                                                   .last_log_index = 2,
                                                                   .last_log_term = 1}}};
    bool is_granted = false;

    inject(c, 1, 2, &request);
    for (unsigned i = 0; i < 4; i++)
        cluster_step_stores(c);
    list_each (&c->mail, link) {
        struct envelope *envelope = container_of(link, struct envelope, link);
        struct wire_message message;
        assert_true(wire_decode(slice_of(envelope->bytes, envelope->size), &message));
        if (message.raft.type == RAFT_REQUEST_VOTE_RESULT)
            is_granted = message.raft.request_vote_result.vote_granted;
        wire_free(&message);
    }
    return is_granted;
}

static void a_standby_votes_once_its_leader_is_gone(void **state)
{
    struct cluster c;

    (void)state;
    open_standby(&c, 0);
    assert_false(votes_for_1(&c)); /* it has just heard of a leader */
    cluster_run(&c, 400);
    assert_true(votes_for_1(&c));
    assert_int_equal(view_of(&c.nodes[2]).servers[1].role, REPLICA_STANDBY);
    assert_int_equal(view_of(&c.nodes[2]).term, 5);
    cluster_deinit(&c);
}

static void without_the_guard_it_never_votes(void **state)
{
    struct cluster c;

    (void)state;
    open_standby(&c, GUARD_ANY_ROLE);
    cluster_run(&c, 5000);
    assert_false(votes_for_1(&c));
    cluster_deinit(&c);
}

/* Of two voters, the one that does not lead is to lose its vote; the leader's disk does
 * not take the change in. How far the other's log is then, against the leader's. */
static uint64_t behind_when_demoted(struct cluster *c, unsigned guards_off)
{
    cluster_init(c, 2);
    c->nodes[1].guards_off = c->nodes[2].guards_off = guards_off;
    cluster_open(c);
    assert_int_equal(cluster_put(c, "route/a", "1"), GW_OK);
    cluster_run(c, 100);
    uint64_t leader = cluster_leader(c);
    struct cluster_node *node = &c->nodes[leader];
    node->is_stalled = true;
    assert_int_equal(replica_assign(node->replica, 3 - leader, REPLICA_STANDBY), GW_OK);
    cluster_run(c, 200);
    return view_of(node).last - view_of(&c->nodes[3 - leader]).last;
}

static void who_loses_its_vote_is_told_when_that_is_committed(void **state)
{
    struct cluster c;

    (void)state;
    assert_int_equal(behind_when_demoted(&c, 0), 1);
    uint64_t leader = cluster_leader(&c);
    c.nodes[leader].is_stalled = false;
    cluster_run(&c, 500);
    assert_int_equal(view_of(&c.nodes[leader]).last, view_of(&c.nodes[3 - leader]).last);
    assert_int_equal(view_of(&c.nodes[3 - leader]).commit,
                     view_of(&c.nodes[leader]).commit);
    assert_int_equal(cluster_put(&c, "route/a", "2"), GW_OK);
    cluster_deinit(&c);

    assert_int_equal(behind_when_demoted(&c, GUARD_DEMOTION), 0);
    cluster_deinit(&c);
}

static void propose_tick(struct cluster *c, uint64_t id)
{
    struct buffer command;

    buffer_init(&command, 0);
    assert_true(tick_encode(&command, &(struct command_header){.actor = SLICE("test")}));
    assert_int_equal(replica_propose(c->nodes[id].replica, buffer_slice(&command),
                                     REPLICA_WHEN_VISIBLE, c->now_ms, 1700000000000ull,
                                     NULL),
                     GW_OK);
    buffer_deinit(&command);
}

static void lead(struct cluster *c, uint64_t id)
{
    uint64_t leader = cluster_leader(c);

    if (leader != id)
        assert_int_equal(replica_transfer(c->nodes[leader].replica, id), GW_OK);
    for (unsigned ms = 0; ms < 5000 && view_of(&c->nodes[id]).state != REPLICA_LEADER; ms++)
        cluster_step(c);
}

/* Node 2 has lost log time over a restart, so its first entry leaves it where it was.
 * Node 3 saw it raised long before, and must not count from there. */
static void log_time_never_runs_ahead_of_an_entry_that_left_it_alone(void **state)
{
    struct cluster c;

    (void)state;
    cluster_init(&c, 3);
    cluster_open(&c);
    lead(&c, 1);
    cluster_run(&c, 300);
    propose_tick(&c, 1);
    cluster_run(&c, 100);
    node_close(&c, 2);
    node_open(&c, 2);
    cluster_run(&c, 3000);

    lead(&c, 2);
    propose_tick(&c, 2);
    cluster_run(&c, 50);
    uint64_t first_ms = state_of(&c.nodes[2]).now_ms, at_ms = c.now_ms - 50;
    lead(&c, 3);
    propose_tick(&c, 3);
    cluster_run(&c, 50);
    assert_true(state_of(&c.nodes[3]).now_ms >= first_ms);
    assert_in_range(state_of(&c.nodes[3]).now_ms - first_ms, 0, c.now_ms - at_ms);
    cluster_deinit(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_standby_votes_once_its_leader_is_gone),
        cmocka_unit_test(without_the_guard_it_never_votes),
        cmocka_unit_test(who_loses_its_vote_is_told_when_that_is_committed),
        cmocka_unit_test(log_time_never_runs_ahead_of_an_entry_that_left_it_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

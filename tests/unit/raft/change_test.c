/* Membership and leadership on real replicas: a dead voter is replaced, a leader that
 * is cut off stops, a stop of the process is not the leader's fault. */
#include "tests/unit/raft/cluster.h"

#include "raft/roster.h"

/* Asks again until it is no longer GW_AGAIN; then waits until it is committed. */
static enum result insist(struct cluster *c, uint64_t id, enum replica_role role)
{
    for (unsigned ms = 0; ms < 20000; ms++) {
        uint64_t leader = cluster_leader(c);
        enum result result = replica_assign(c->nodes[leader].replica, id, role);
        if (result != GW_AGAIN && result != GW_NOT_LEADER) {
            cluster_run(c, 100);
            return result;
        }
        cluster_step(c);
    }
    return GW_AGAIN;
}

static void join(struct cluster *c, uint64_t id)
{
    enum result result = GW_AGAIN;

    for (unsigned ms = 0; ms < 5000 && result == GW_AGAIN; ms++) {
        result = replica_add(c->nodes[cluster_leader(c)].replica, id);
        cluster_step(c);
    }
    assert_int_equal(result, GW_OK);
    cluster_run(c, 100);
    assert_int_equal(insist(c, id, REPLICA_STANDBY), GW_OK);
}

/* Three voters, and stand-bys up to `count`. */
static void open_with_standbys(struct cluster *c, unsigned count)
{
    cluster_init(c, count);
    for (unsigned i = 1; i <= count; i++) {
        if (i <= 3)
            node_bootstrap(c, i, 3);
        node_open(c, i);
    }
    for (uint64_t id = 4; id <= count; id++)
        join(c, id);
}

/* Three voters that hold the same. */
static void open_settled(struct cluster *c)
{
    cluster_init(c, 3);
    cluster_open(c);
    assert_int_equal(cluster_put(c, "route/a", "1"), GW_OK);
    cluster_settle(c);
}

static unsigned voters_of(struct cluster *c)
{
    struct replica_view view = view_of(&c->nodes[cluster_leader(c)]);
    unsigned voters = 0;

    for (unsigned i = 0; i < view.server_count; i++)
        voters += view.servers[i].role == REPLICA_VOTER;
    return voters;
}

static void a_dead_voter_is_replaced_though_it_lacks_the_last_change(void **state)
{
    struct cluster c;

    (void)state;
    open_with_standbys(&c, 4);
    uint64_t dead = cluster_leader(&c) % 3 + 1;
    node_close(&c, dead);
    assert_int_equal(insist(&c, 4, REPLICA_VOTER), GW_OK);
    assert_int_equal(voters_of(&c), 4);
    assert_int_equal(insist(&c, dead, REPLICA_STANDBY), GW_OK);
    assert_int_equal(voters_of(&c), 3);
    assert_int_equal(cluster_put(&c, "route/a", "1"), GW_OK);
    /* Now one more may die. */
    uint64_t leader = cluster_leader(&c);
    node_close(&c, leader);
    assert_int_equal(cluster_put(&c, "route/b", "2"), GW_OK);
    node_open(&c, dead);
    node_open(&c, leader);
    cluster_settle(&c);
    assert_true(node_has(&c.nodes[dead], "route/b", "2"));
    cluster_deinit(&c);
}

static void a_new_node_can_join_while_a_voter_is_dead(void **state)
{
    struct cluster c;

    (void)state;
    open_with_standbys(&c, 4);
    node_close(&c, cluster_leader(&c) % 3 + 1);
    c.count = 5;
    snprintf(c.nodes[5].dir, sizeof c.nodes[5].dir, "/tmp/gw-unit-raft-XXXXXX");
    assert_non_null(mkdtemp(c.nodes[5].dir));
    node_open(&c, 5);
    join(&c, 5);
    assert_int_equal(cluster_put(&c, "route/a", "1"), GW_OK);
    cluster_run(&c, 100);
    assert_true(node_has(&c.nodes[5], "route/a", "1"));
    cluster_deinit(&c);
}

static void a_living_voter_that_lacks_the_last_change_is_waited_for(void **state)
{
    struct cluster c;

    (void)state;
    open_with_standbys(&c, 5);
    uint64_t leader = cluster_leader(&c), slow = leader % 3 + 1;
    assert_int_equal(insist(&c, 4, REPLICA_VOTER), GW_OK);
    c.nodes[slow].is_cut = true;
    assert_int_equal(insist(&c, 5, REPLICA_SPARE), GW_OK);
    /* It was heard a moment ago. */
    assert_int_equal(replica_remove(c.nodes[cluster_leader(&c)].replica, 5), GW_AGAIN);
    c.nodes[slow].is_cut = false;
    cluster_run(&c, 500);
    assert_int_equal(replica_remove(c.nodes[cluster_leader(&c)].replica, 5), GW_OK);
    cluster_deinit(&c);
}

/* The last moment at which a read or a write, asked of a leader that is cut off, began
 * and was not refused at once: its silence may be unnoticed for two elections. */
static void a_leader_that_is_cut_off_stops_within_two_elections(void **state)
{
    struct cluster c;

    (void)state;
    open_settled(&c);
    uint64_t old = cluster_leader(&c);
    struct cluster_node *node = &c.nodes[old];
    uint64_t cut_ms = c.now_ms;
    node->is_cut = true;
    while (c.now_ms - cut_ms < 2 * 300) {
        unsigned replies = node->replies;
        enum result write = propose_put(&c, old, "route/a", "2");
        enum result read = replica_barrier(node->replica, c.now_ms, NULL);
        cluster_step(&c);
        /* Nothing asked of it now is answered well, whatever it believes. */
        (void)write;
        (void)read;
        if (node->replies != replies)
            assert_int_not_equal(node->last_result, GW_OK);
    }
    assert_int_not_equal(propose_put(&c, old, "route/a", "3"), GW_OK);
    assert_int_not_equal(replica_barrier(node->replica, c.now_ms, NULL), GW_OK);
    assert_int_not_equal(view_of(node).state, REPLICA_LEADER);
    assert_int_equal(cluster_put(&c, "route/a", "4"), GW_OK);
    node->is_cut = false;
    cluster_settle(&c);
    assert_true(node_has(node, "route/a", "4"));
    cluster_deinit(&c);
}

static void a_node_that_comes_back_does_not_raise_the_term(void **state)
{
    struct cluster c;

    (void)state;
    cluster_init(&c, 3);
    cluster_open(&c);
    assert_int_equal(cluster_put(&c, "route/a", "1"), GW_OK);
    uint64_t leader = cluster_leader(&c), cut = leader % 3 + 1;
    uint64_t term = view_of(&c.nodes[leader]).term;
    c.nodes[cut].is_cut = true;
    cluster_run(&c, 10000);
    c.nodes[cut].is_cut = false;
    cluster_run(&c, 2000);
    assert_int_equal(cluster_leader(&c), leader);
    assert_int_equal(view_of(&c.nodes[leader]).term, term);
    assert_int_equal(view_of(&c.nodes[cut]).leader, leader);
    cluster_deinit(&c);
}

/* Turns of one node are missing for a while; what was sent to it meanwhile waits. */
static void a_follower_that_was_stopped_still_knows_its_leader(void **state)
{
    struct cluster c;

    (void)state;
    open_settled(&c);
    uint64_t leader = cluster_leader(&c), stopped = leader % 3 + 1;
    struct cluster_node *node = &c.nodes[stopped];
    node->is_up = false;
    cluster_run(&c, 5000);
    node->is_up = true;
    replica_tick(node->replica, c.now_ms); /* timers come before sockets */
    assert_int_equal(view_of(node).state, REPLICA_FOLLOWER);
    assert_int_equal(view_of(node).leader, leader);
    /* But a leader that says nothing after that is gone. */
    node_close(&c, leader);
    assert_int_equal(cluster_put(&c, "route/a", "2"), GW_OK);
    cluster_deinit(&c);
}

static void a_leader_whose_disk_stalls_is_seen_waiting_and_can_hand_over(void **state)
{
    struct cluster c;

    (void)state;
    open_settled(&c);
    uint64_t old = cluster_leader(&c);
    struct cluster_node *node = &c.nodes[old];
    node->is_stalled = true;
    assert_int_equal(propose_put(&c, old, "route/a", "2"), GW_OK);
    cluster_run(&c, 3000);
    /* The others hear it, so nobody else would ever end this. */
    assert_int_equal(view_of(node).state, REPLICA_LEADER);
    assert_true(view_of(node).disk_wait_ms >= 3000);
    assert_int_equal(replica_transfer(node->replica, 0), GW_OK);
    cluster_run(&c, 1000);
    assert_int_not_equal(view_of(node).state, REPLICA_LEADER);
    uint64_t leader = cluster_leader(&c);
    assert_int_not_equal(leader, old);
    assert_int_equal(cluster_put(&c, "route/b", "3"), GW_OK);
    node->is_stalled = false;
    cluster_settle(&c);
    assert_true(node_has(node, "route/b", "3"));
    cluster_deinit(&c);
}

static void other_times_are_obeyed_at_once(void **state)
{
    struct cluster c;

    (void)state;
    cluster_init(&c, 3);
    cluster_open(&c);
    assert_int_equal(cluster_put(&c, "route/a", "1"), GW_OK);
    for (unsigned i = 1; i <= 3; i++)
        replica_times(c.nodes[i].replica, 200, 3000);
    cluster_run(&c, 100);
    uint64_t leader = cluster_leader(&c), killed_ms = c.now_ms;
    node_close(&c, leader);
    cluster_leader(&c);
    assert_true(c.now_ms - killed_ms > 2000);
    cluster_deinit(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dead_voter_is_replaced_though_it_lacks_the_last_change),
        cmocka_unit_test(a_new_node_can_join_while_a_voter_is_dead),
        cmocka_unit_test(a_living_voter_that_lacks_the_last_change_is_waited_for),
        cmocka_unit_test(a_leader_that_is_cut_off_stops_within_two_elections),
        cmocka_unit_test(a_node_that_comes_back_does_not_raise_the_term),
        cmocka_unit_test(a_follower_that_was_stopped_still_knows_its_leader),
        cmocka_unit_test(a_leader_whose_disk_stalls_is_seen_waiting_and_can_hand_over),
        cmocka_unit_test(other_times_are_obeyed_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

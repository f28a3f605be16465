/* The only voter's terms (guard M). */
#include "tests/unit/raft/cluster.h"

/* A configuration of nodes 1 and 2 in which only 2 votes. */
static struct slice conf_of_two(void)
{
    struct raft_configuration conf;

    raft_configuration_init(&conf);
    assert_int_equal(raft_configuration_add(&conf, 1, "1", RAFT_STANDBY), 0);
    assert_int_equal(raft_configuration_add(&conf, 2, "2", RAFT_VOTER), 0);
    struct slice bytes = conf_encode(&conf);
    raft_configuration_close(&conf);
    return bytes;
}

/* Node 1, leading two voters in term 5, makes node 2 the only one. */
static void be_left_alone(struct cluster *c, unsigned guards_off)
{
    struct slice change = conf_of_two();
    struct raft_entry entry = {
        .term = 5,
        .type = RAFT_CHANGE,
        .buf = {.base = (void *)(uintptr_t)change.data, .len = change.size}};
    const struct wire_message append = {.raft = {.type = RAFT_APPEND_ENTRIES,
                                                 .append_entries = {.term = 5,
                                                                    .prev_log_index = 1,
                                                                    .prev_log_term = 1,
                                                                    .leader_commit = 1,
                                                                    .entries = &entry,
                                                                    .n_entries = 1}}};

    cluster_init(c, 2);
    node_bootstrap(c, 2, 2);
    c->nodes[2].guards_off = guards_off;
    node_open(c, 2);
    inject(c, 1, 2, &append);
    for (unsigned i = 0; i < 4; i++)
        cluster_step_stores(c);
    assert_int_equal(view_of(&c->nodes[2]).last, 2);
    free((void *)(uintptr_t)change.data);
}

static uint64_t term_led_at_run_time(unsigned guards_off)
{
    struct cluster c;

    be_left_alone(&c, guards_off);
    assert_int_equal(view_of(&c.nodes[2]).term, 5); /* its answers are the leader's still */
    assert_int_equal(cluster_leader(&c), 2);
    uint64_t term = view_of(&c.nodes[2]).term;
    assert_int_equal(cluster_put(&c, "route/a", "1"), GW_OK);
    cluster_deinit(&c);
    return term;
}

static void a_follower_left_alone_leads_no_term_of_another(void **state)
{
    (void)state;
    assert_true(term_led_at_run_time(0) > 5);
    assert_int_equal(term_led_at_run_time(GUARD_ALONE), 5); /* which is node 1's */
}

static uint64_t term_led_when_told_to(unsigned guards_off)
{
    struct cluster c;
    const struct wire_message now = {
        .raft = {.type = RAFT_TIMEOUT_NOW,
                 .timeout_now = {.term = 5, .last_log_index = 2, .last_log_term = 5}}};

    be_left_alone(&c, guards_off);
    inject(&c, 1, 2, &now);
    for (unsigned i = 0; i < 4; i++)
        cluster_step_stores(&c);
    struct replica_view view = view_of(&c.nodes[2]);
    uint64_t term = view.state == REPLICA_LEADER ? view.term : 0;
    if (term == 0) {
        assert_int_equal(cluster_leader(&c), 2);
        term = view_of(&c.nodes[2]).term;
    }
    cluster_deinit(&c);
    return term;
}

static void nor_when_that_one_hands_over(void **state)
{
    (void)state;
    assert_true(term_led_when_told_to(0) > 5);
    assert_int_equal(term_led_when_told_to(GUARD_ALONE), 5);
}

/* How much the term rises by a restart of a cluster of one. */
static uint64_t rise_by_restart(unsigned guards_off)
{
    struct cluster c;

    cluster_init(&c, 1);
    c.nodes[1].guards_off = guards_off;
    cluster_open(&c);
    assert_int_equal(cluster_put(&c, "route/a", "1"), GW_OK);
    uint64_t first = view_of(&c.nodes[1]).term;
    node_close(&c, 1);
    node_open(&c, 1);
    assert_int_equal(cluster_put(&c, "route/a", "2"), GW_OK);
    uint64_t second = view_of(&c.nodes[1]).term;
    /* And it is on the disk with the first entry that it wrote. */
    node_close(&c, 1);
    c.nodes[1].guards_off = GUARD_ALONE;
    node_open(&c, 1);
    assert_int_equal(view_of(&c.nodes[1]).term, second);
    cluster_deinit(&c);
    return second - first;
}

static void a_lone_voter_leads_no_term_twice(void **state)
{
    (void)state;
    assert_int_equal(rise_by_restart(0), 1);
    assert_int_equal(rise_by_restart(GUARD_ALONE), 0);
}

/* The configuration that counts is the last of the log, not that of the label. */
static void the_last_change_says_who_is_alone(void **state)
{
    struct cluster c;

    (void)state;
    be_left_alone(&c, 0);
    node_close(&c, 2);
    node_open(&c, 2);
    assert_int_equal(view_of(&c.nodes[2]).state, REPLICA_LEADER);
    assert_int_equal(view_of(&c.nodes[2]).term, 6);
    cluster_deinit(&c);
}

static void one_of_several_keeps_its_term_at_a_start(void **state)
{
    struct cluster c;

    (void)state;
    cluster_init(&c, 2);
    cluster_open(&c);
    assert_int_equal(cluster_put(&c, "route/a", "1"), GW_OK);
    cluster_settle(&c);
    uint64_t term = view_of(&c.nodes[1]).term;
    node_close(&c, 1);
    node_open(&c, 1);
    assert_int_equal(view_of(&c.nodes[1]).term, term);
    cluster_deinit(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_follower_left_alone_leads_no_term_of_another),
        cmocka_unit_test(nor_when_that_one_hands_over),
        cmocka_unit_test(a_lone_voter_leads_no_term_twice),
        cmocka_unit_test(the_last_change_says_who_is_alone),
        cmocka_unit_test(one_of_several_keeps_its_term_at_a_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

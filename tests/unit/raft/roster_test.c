/* The roster in simulated time: nodes, a view, the next change. */
#include "raft/roster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct roster_options options = {
    .voters = 7, .stable_ms = 1000, .grow_ms = 1000, .lag = 10};

static struct replica_view view_of(uint64_t last)
{
    return (struct replica_view){.state = REPLICA_LEADER, .leader = 1, .last = last};
}

static void add_server(struct replica_view *view, uint64_t id, enum replica_role role,
                       uint64_t match)
{
    view->servers[view->server_count++] = (struct replica_server){id, role, match};
}

static void assert_change(struct roster_change change, enum roster_step step, uint64_t id,
                          enum replica_role role)
{
    assert_int_equal(change.step, step);
    assert_int_equal(change.id, id);
    if (step == ROSTER_ASSIGN)
        assert_int_equal(change.role, role);
}

static void a_new_node_is_added_and_then_made_a_standby(void **state)
{
    struct roster roster = {0};
    struct replica_view view = view_of(100);
    struct roster_node nodes[] = {{.id = 1, .reachable = true},
                                  {.id = 7, .reachable = true}};

    (void)state;
    add_server(&view, 1, REPLICA_VOTER, 100);
    assert_change(roster_next(&roster, &options, &view, nodes, 2, 0), ROSTER_ADD, 7, 0);
    add_server(&view, 7, REPLICA_SPARE, 0);
    assert_change(roster_next(&roster, &options, &view, nodes, 2, 0), ROSTER_ASSIGN, 7,
                  REPLICA_STANDBY);
}

static void two_members_keep_one_voter(void **state)
{
    struct roster roster = {0};
    struct replica_view view = view_of(100);
    struct roster_node nodes[] = {{.id = 1, .reachable = true},
                                  {.id = 7, .reachable = true}};

    (void)state;
    add_server(&view, 1, REPLICA_VOTER, 100);
    add_server(&view, 7, REPLICA_STANDBY, 100);
    for (uint64_t now = 0; now < 20000; now += 500)
        assert_change(roster_next(&roster, &options, &view, nodes, 2, now), ROSTER_NOTHING,
                      0, 0);
}

static void the_third_member_lets_both_grow_into_voters(void **state)
{
    struct roster roster = {0};
    struct replica_view view = view_of(100);
    struct roster_node nodes[] = {{.id = 1, .reachable = true},
                                  {.id = 7, .reachable = true},
                                  {.id = 9, .reachable = true}};

    (void)state;
    add_server(&view, 1, REPLICA_VOTER, 100);
    add_server(&view, 7, REPLICA_STANDBY, 100);
    add_server(&view, 9, REPLICA_STANDBY, 50);
    assert_change(roster_next(&roster, &options, &view, nodes, 3, 0), ROSTER_NOTHING, 0, 0);
    /* 9 lags: leaving one voter for two would have no way on to three. */
    assert_change(roster_next(&roster, &options, &view, nodes, 3, 5000), ROSTER_NOTHING, 0,
                  0);
    view.servers[2].match = 95;
    assert_change(roster_next(&roster, &options, &view, nodes, 3, 6000), ROSTER_NOTHING, 0,
                  0);
    assert_change(roster_next(&roster, &options, &view, nodes, 3, 7000), ROSTER_ASSIGN, 7,
                  REPLICA_VOTER);
    view.servers[1].role = REPLICA_VOTER;
    assert_change(roster_next(&roster, &options, &view, nodes, 3, 7100), ROSTER_ASSIGN, 9,
                  REPLICA_VOTER);
    view.servers[2].role = REPLICA_VOTER;
    assert_change(roster_next(&roster, &options, &view, nodes, 3, 7200), ROSTER_NOTHING, 0,
                  0);
}

static void an_unreachable_standby_starts_its_time_anew(void **state)
{
    struct roster roster = {0};
    struct replica_view view = view_of(100);
    struct roster_node nodes[] = {{.id = 1, .reachable = true},
                                  {.id = 7, .reachable = true},
                                  {.id = 9, .reachable = true}};

    (void)state;
    add_server(&view, 1, REPLICA_VOTER, 100);
    add_server(&view, 7, REPLICA_VOTER, 100);
    add_server(&view, 9, REPLICA_STANDBY, 100);
    roster_next(&roster, &options, &view, nodes, 3, 0);
    nodes[2].reachable = false;
    assert_change(roster_next(&roster, &options, &view, nodes, 3, 900), ROSTER_NOTHING, 0,
                  0);
    nodes[2].reachable = true;
    assert_change(roster_next(&roster, &options, &view, nodes, 3, 1100), ROSTER_NOTHING, 0,
                  0);
    assert_change(roster_next(&roster, &options, &view, nodes, 3, 2099), ROSTER_NOTHING, 0,
                  0);
    assert_change(roster_next(&roster, &options, &view, nodes, 3, 2100), ROSTER_ASSIGN, 9,
                  REPLICA_VOTER);
}

static void voters_spread_over_regions(void **state)
{
    struct roster roster = {0};
    struct replica_view view = view_of(100);
    struct roster_node nodes[] = {{.id = 1, .reachable = true, .region = 1},
                                  {.id = 5, .reachable = true, .region = 1},
                                  {.id = 7, .reachable = true, .region = 1},
                                  {.id = 9, .reachable = true, .region = 2}};

    (void)state;
    add_server(&view, 1, REPLICA_VOTER, 100);
    add_server(&view, 5, REPLICA_VOTER, 100);
    add_server(&view, 7, REPLICA_STANDBY, 100);
    add_server(&view, 9, REPLICA_STANDBY, 100);
    roster_next(&roster, &options, &view, nodes, 4, 1);
    assert_change(roster_next(&roster, &options, &view, nodes, 4, 1001), ROSTER_ASSIGN, 9,
                  REPLICA_VOTER);
}

static void a_node_without_a_record_is_removed_but_never_the_last_voter(void **state)
{
    struct roster roster = {0};
    struct replica_view view = view_of(100);
    struct roster_node nodes[] = {{.id = 1, .reachable = true}};

    (void)state;
    add_server(&view, 1, REPLICA_VOTER, 100);
    add_server(&view, 7, REPLICA_STANDBY, 100);
    assert_change(roster_next(&roster, &options, &view, nodes, 1, 0), ROSTER_REMOVE, 7, 0);
    struct roster_node others[] = {{.id = 7, .reachable = true}};
    assert_change(roster_next(&roster, &options, &view, others, 1, 0), ROSTER_NOTHING, 0,
                  0);
}

static void who_wishes_to_stand_by_loses_the_vote(void **state)
{
    struct roster roster = {0};
    struct replica_view view = view_of(100);
    struct roster_node nodes[] = {{.id = 1, .reachable = true},
                                  {.id = 7, .reachable = true, .wish = ROSTER_STANDBY}};

    (void)state;
    add_server(&view, 1, REPLICA_VOTER, 100);
    add_server(&view, 7, REPLICA_VOTER, 100);
    assert_change(roster_next(&roster, &options, &view, nodes, 2, 0), ROSTER_ASSIGN, 7,
                  REPLICA_STANDBY);
}

static void a_young_cluster_grows_sooner_than_a_grown_one(void **state)
{
    struct roster roster = {0};
    struct roster_options young = {
        .voters = 7, .stable_ms = 1000, .grow_ms = 100, .lag = 10};
    struct replica_view view = view_of(100);
    struct roster_node nodes[] = {{.id = 1, .reachable = true},
                                  {.id = 7, .reachable = true},
                                  {.id = 9, .reachable = true},
                                  {.id = 11, .reachable = true},
                                  {.id = 13, .reachable = true}};

    (void)state;
    add_server(&view, 1, REPLICA_VOTER, 100);
    for (int i = 1; i < 5; i++)
        add_server(&view, nodes[i].id, REPLICA_STANDBY, 100);
    roster_next(&roster, &young, &view, nodes, 5, 1);
    assert_change(roster_next(&roster, &young, &view, nodes, 5, 101), ROSTER_ASSIGN, 7,
                  REPLICA_VOTER);
    view.servers[1].role = view.servers[2].role = REPLICA_VOTER;
    assert_change(roster_next(&roster, &young, &view, nodes, 5, 900), ROSTER_NOTHING, 0, 0);
    assert_change(roster_next(&roster, &young, &view, nodes, 5, 1001), ROSTER_ASSIGN, 11,
                  REPLICA_VOTER);
}

static void only_the_leader_changes_anything(void **state)
{
    struct roster roster = {0};
    struct replica_view view = view_of(100);
    struct roster_node nodes[] = {{.id = 1, .reachable = true},
                                  {.id = 7, .reachable = true}};

    (void)state;
    view.state = REPLICA_FOLLOWER;
    add_server(&view, 1, REPLICA_VOTER, 100);
    assert_change(roster_next(&roster, &options, &view, nodes, 2, 0), ROSTER_NOTHING, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_node_is_added_and_then_made_a_standby),
        cmocka_unit_test(two_members_keep_one_voter),
        cmocka_unit_test(the_third_member_lets_both_grow_into_voters),
        cmocka_unit_test(an_unreachable_standby_starts_its_time_anew),
        cmocka_unit_test(voters_spread_over_regions),
        cmocka_unit_test(a_node_without_a_record_is_removed_but_never_the_last_voter),
        cmocka_unit_test(who_wishes_to_stand_by_loses_the_vote),
        cmocka_unit_test(a_young_cluster_grows_sooner_than_a_grown_one),
        cmocka_unit_test(only_the_leader_changes_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

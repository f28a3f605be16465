/* The roster in simulated time: nodes, a view, the next change. */
#include "raft/roster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct roster_options options = {
    .voters = 7, .stable_ms = 1000, .grow_ms = 1000, .lag = 10, .replace_ms = 10000};

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
        .voters = 7, .stable_ms = 1000, .grow_ms = 100, .lag = 10, .replace_ms = 10000};
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

/* ---- a whole cluster, changed as the roster says ---- */

struct shape {
    struct roster roster;
    struct roster_options options;
    struct replica_view view;
    struct roster_node nodes[ROSTER_NODES];
    size_t count;
    uint64_t now_ms;
};

static unsigned voters_of(const struct shape *shape)
{
    unsigned n = 0;

    for (unsigned i = 0; i < shape->view.server_count; i++)
        n += shape->view.servers[i].role == REPLICA_VOTER;
    return n;
}

static struct roster_node *node_in(struct shape *shape, uint64_t id)
{
    for (size_t i = 0; i < shape->count; i++) {
        if (shape->nodes[i].id == id)
            return &shape->nodes[i];
    }
    return NULL;
}

static enum replica_role role_in(const struct shape *shape, uint64_t id)
{
    for (unsigned i = 0; i < shape->view.server_count; i++) {
        if (shape->view.servers[i].id == id)
            return shape->view.servers[i].role;
    }
    return REPLICA_SPARE;
}

static bool has_quorum(struct shape *shape)
{
    unsigned here = 0;

    for (unsigned i = 0; i < shape->view.server_count; i++) {
        const struct replica_server *server = &shape->view.servers[i];
        const struct roster_node *node = node_in(shape, server->id);
        here += server->role == REPLICA_VOTER &&
                (server->id == shape->view.leader || (node != NULL && node->reachable));
    }
    return here >= voters_of(shape) / 2 + 1;
}

/* Nodes 1 to `count`, the first `voters` of them voters, each in the region given. */
static struct shape shape_of(unsigned count, unsigned voters, const uint64_t *regions)
{
    struct shape shape = {.options = options, .view = view_of(100), .now_ms = 1};

    for (unsigned i = 0; i < count; i++) {
        shape.nodes[shape.count++] = (struct roster_node){
            .id = i + 1, .reachable = true, .region = regions == NULL ? 0 : regions[i]};
        add_server(&shape.view, i + 1, i < voters ? REPLICA_VOTER : REPLICA_STANDBY, 100);
    }
    return shape;
}

static void make(struct shape *shape, struct roster_change change)
{
    struct replica_view *view = &shape->view;

    if (change.step == ROSTER_TRANSFER) {
        view->leader = change.id;
        roster_reset(&shape->roster);
        return;
    }
    if (change.step == ROSTER_ADD)
        add_server(view, change.id, REPLICA_SPARE, 100);
    for (unsigned i = 0; i < view->server_count; i++) {
        if (view->servers[i].id != change.id)
            continue;
        if (change.step == ROSTER_REMOVE)
            view->servers[i] = view->servers[--view->server_count];
        else
            view->servers[i].role = change.role;
    }
}

/* One change every 100 ms at most; the quorum is there after each. Returns how many. */
static unsigned let_pass(struct shape *shape, uint64_t ms)
{
    unsigned changes = 0;

    for (uint64_t end = shape->now_ms + ms; shape->now_ms < end; shape->now_ms += 100) {
        struct roster_change change =
            roster_next(&shape->roster, &shape->options, &shape->view, shape->nodes,
                        shape->count, shape->now_ms);
        if (change.step == ROSTER_NOTHING)
            continue;
        make(shape, change);
        assert_true(has_quorum(shape));
        assert_true(++changes < 50);
    }
    return changes;
}

static void an_unseen_voter_gives_way_to_a_standby(void **state)
{
    struct shape shape = shape_of(4, 3, NULL);

    (void)state;
    let_pass(&shape, 5000);
    node_in(&shape, 2)->reachable = false;
    let_pass(&shape, 9900);
    assert_int_equal(role_in(&shape, 2), REPLICA_VOTER);
    /* Promotion first: for one step there are four. */
    assert_change(roster_next(&shape.roster, &options, &shape.view, shape.nodes,
                              shape.count, shape.now_ms + 200),
                  ROSTER_ASSIGN, 4, REPLICA_VOTER);
    assert_int_equal(let_pass(&shape, 1000), 2);
    assert_int_equal(voters_of(&shape), 3);
    assert_int_equal(role_in(&shape, 2), REPLICA_STANDBY);
    assert_int_equal(role_in(&shape, 4), REPLICA_VOTER);
    /* It comes back: a stand-by now, and everybody stays what they are. */
    node_in(&shape, 2)->reachable = true;
    assert_int_equal(let_pass(&shape, 60000), 0);
}

static void an_unseen_voter_stays_without_a_standby(void **state)
{
    struct shape shape = shape_of(5, 5, NULL);

    (void)state;
    let_pass(&shape, 1000);
    node_in(&shape, 2)->reachable = node_in(&shape, 3)->reachable = false;
    assert_int_equal(let_pass(&shape, 60000), 0);
    assert_int_equal(voters_of(&shape), 5);
}

static void two_unseen_voters_are_replaced_one_by_one(void **state)
{
    struct shape shape = shape_of(7, 5, NULL);

    (void)state;
    shape.options.voters = 5;
    let_pass(&shape, 5000);
    node_in(&shape, 2)->reachable = node_in(&shape, 3)->reachable = false;
    assert_int_equal(let_pass(&shape, 20000), 4);
    assert_int_equal(voters_of(&shape), 5);
    assert_int_equal(role_in(&shape, 2), REPLICA_STANDBY);
    assert_int_equal(role_in(&shape, 3), REPLICA_STANDBY);
}

static void a_standby_that_lags_replaces_nobody(void **state)
{
    struct shape shape = shape_of(4, 3, NULL);

    (void)state;
    shape.view.servers[3].match = 50;
    node_in(&shape, 2)->reachable = false;
    assert_int_equal(let_pass(&shape, 60000), 0);
    shape.view.servers[3].match = 100;
    assert_int_equal(let_pass(&shape, 60000), 2);
}

static void a_new_leader_gives_the_old_one_its_time(void **state)
{
    struct shape shape = shape_of(4, 3, NULL);

    (void)state;
    let_pass(&shape, 30000);
    node_in(&shape, 1)->reachable = false;
    shape.view.leader = 2;
    roster_reset(&shape.roster);
    assert_int_equal(let_pass(&shape, 9900), 0);
    assert_int_equal(let_pass(&shape, 1000), 2);
    assert_int_equal(role_in(&shape, 1), REPLICA_STANDBY);
}

static void a_voter_that_is_removed_is_replaced_first(void **state)
{
    struct shape shape = shape_of(4, 3, NULL);

    (void)state;
    let_pass(&shape, 5000);
    shape.nodes[1] = shape.nodes[3]; /* the record of 2 is gone */
    shape.count = 3;
    assert_change(roster_next(&shape.roster, &options, &shape.view, shape.nodes,
                              shape.count, shape.now_ms),
                  ROSTER_ASSIGN, 4, REPLICA_VOTER);
    let_pass(&shape, 1000);
    assert_int_equal(voters_of(&shape), 3);
    assert_int_equal(role_in(&shape, 2), REPLICA_SPARE); /* gone */
}

static void a_leader_that_is_to_stand_by_hands_over_first(void **state)
{
    struct shape shape = shape_of(3, 3, NULL);

    (void)state;
    shape.view.servers[2].match = 99;
    node_in(&shape, 1)->wish = ROSTER_STANDBY;
    assert_change(roster_next(&shape.roster, &options, &shape.view, shape.nodes,
                              shape.count, shape.now_ms),
                  ROSTER_TRANSFER, 2, REPLICA_VOTER);
    let_pass(&shape, 1000);
    assert_int_equal(shape.view.leader, 2);
    assert_int_equal(role_in(&shape, 1), REPLICA_STANDBY);
}

static void nobody_is_demoted_below_a_quorum(void **state)
{
    struct shape shape = shape_of(3, 3, NULL);

    (void)state;
    let_pass(&shape, 1000);
    node_in(&shape, 3)->reachable = false;
    node_in(&shape, 2)->wish = ROSTER_STANDBY;
    /* Left alone with one that is not there, 1 could commit nothing any more. */
    assert_int_equal(let_pass(&shape, 60000), 0);
    node_in(&shape, 3)->reachable = true;
    let_pass(&shape, 1000);
    assert_int_equal(role_in(&shape, 2), REPLICA_STANDBY);
}

static void an_even_number_shrinks_to_the_odd_one_below(void **state)
{
    struct shape shape = shape_of(5, 5, NULL);

    (void)state;
    shape.count = 4; /* 5 is removed */
    let_pass(&shape, 1000);
    assert_int_equal(voters_of(&shape), 3);
    assert_int_equal(role_in(&shape, 1), REPLICA_VOTER); /* the leader */
}

static void two_voters_stay_two_until_one_is_asked_for(void **state)
{
    struct shape shape = shape_of(3, 3, NULL);

    (void)state;
    shape.count = 2;
    let_pass(&shape, 20000);
    assert_int_equal(voters_of(&shape), 2);
    shape.options.voters = 1;
    let_pass(&shape, 20000);
    assert_int_equal(voters_of(&shape), 1);
}

static void fewer_voters_are_made_when_fewer_are_asked_for(void **state)
{
    static const uint64_t regions[] = {1, 1, 1, 2, 2, 3, 3};
    struct shape shape = shape_of(7, 7, regions);

    (void)state;
    shape.options.voters = 3;
    let_pass(&shape, 5000);
    assert_int_equal(voters_of(&shape), 3);
    /* One in each region, the leader among them. */
    assert_int_equal(role_in(&shape, 1), REPLICA_VOTER);
    assert_int_equal(role_in(&shape, 4), REPLICA_VOTER);
    assert_int_equal(role_in(&shape, 6), REPLICA_VOTER);
    shape.options.voters = 7;
    let_pass(&shape, 30000);
    assert_int_equal(voters_of(&shape), 7);
}

static void crowded_regions_give_to_empty_ones(void **state)
{
    static const uint64_t regions[] = {1, 1, 1, 2};
    struct shape shape = shape_of(4, 3, regions);

    (void)state;
    assert_int_equal(let_pass(&shape, 30000), 2);
    assert_int_equal(role_in(&shape, 4), REPLICA_VOTER);
    assert_int_equal(voters_of(&shape), 3);
    assert_int_equal(role_in(&shape, 3), REPLICA_STANDBY);
    assert_int_equal(let_pass(&shape, 60000), 0);
}

static void who_is_named_votes_before_who_is_automatic(void **state)
{
    struct shape shape = shape_of(4, 3, NULL);

    (void)state;
    let_pass(&shape, 5000);
    node_in(&shape, 4)->wish = ROSTER_WITNESS;
    assert_int_equal(let_pass(&shape, 5000), 2);
    assert_int_equal(role_in(&shape, 4), REPLICA_VOTER);
    assert_int_equal(role_in(&shape, 3), REPLICA_STANDBY);
    /* Four names for three seats: who sits stays. */
    for (uint64_t id = 1; id <= 4; id++)
        node_in(&shape, id)->wish = ROSTER_VOTER;
    assert_int_equal(let_pass(&shape, 60000), 0);
}

/* The leader takes nobody's vote but others', and all the others are asked for. */
static void the_leader_steps_aside_for_who_is_named(void **state)
{
    struct shape shape = shape_of(4, 3, NULL);

    (void)state;
    for (uint64_t id = 2; id <= 4; id++)
        node_in(&shape, id)->wish = ROSTER_VOTER;
    assert_int_equal(let_pass(&shape, 900), 0); /* 4 is not ready yet */
    assert_change(roster_next(&shape.roster, &options, &shape.view, shape.nodes,
                              shape.count, shape.now_ms + 200),
                  ROSTER_TRANSFER, 2, REPLICA_VOTER);
    assert_int_equal(let_pass(&shape, 5000), 3);
    assert_int_equal(role_in(&shape, 4), REPLICA_VOTER);
    assert_int_equal(role_in(&shape, 1), REPLICA_STANDBY);
    assert_int_equal(voters_of(&shape), 3);
    assert_int_equal(let_pass(&shape, 60000), 0);
}

/* Ids are never given twice: many come and go in the life of a cluster. */
static void a_long_history_of_nodes_does_not_stand_in_the_way(void **state)
{
    struct shape shape = shape_of(3, 3, NULL);

    (void)state;
    for (uint64_t id = 4; id < 50; id++) {
        shape.nodes[shape.count++] = (struct roster_node){.id = id, .reachable = true};
        let_pass(&shape, 3000);
        shape.count--;
        let_pass(&shape, 1000);
    }
    assert_int_equal(shape.view.server_count, 3);
    shape.nodes[shape.count++] = (struct roster_node){.id = 50, .reachable = true};
    let_pass(&shape, 5000);
    node_in(&shape, 2)->reachable = false;
    let_pass(&shape, 20000);
    assert_int_equal(role_in(&shape, 50), REPLICA_VOTER);
    assert_int_equal(role_in(&shape, 2), REPLICA_STANDBY);
}

static void seven_voters_and_more_than_ten_others_fit(void **state)
{
    struct shape shape = shape_of(1, 1, NULL);

    (void)state;
    for (uint64_t id = 2; id <= 20; id++)
        shape.nodes[shape.count++] = (struct roster_node){.id = id, .reachable = true};
    let_pass(&shape, 60000);
    assert_int_equal(voters_of(&shape), 7);
    assert_int_equal(shape.view.server_count, 20);
}

/* Nodes die and come back, wishes change, leaders too: whatever happens, no change takes
 * the quorum away, and once all is quiet the shape is right and stays. */
static void any_history_ends_in_shape_and_never_below_a_quorum(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        static const uint64_t regions[] = {1, 1, 2, 2, 3, 3, 4, 1, 2, 3};
        struct rng rng;
        rng_init(&rng, seed);
        unsigned count = 3 + (unsigned)rng_below(&rng, 8);
        struct shape shape = shape_of(count, 1, regions);
        for (int event = 0; event < 60; event++) {
            struct roster_node *node = &shape.nodes[rng_below(&rng, count)];
            bool was = node->reachable;
            switch (rng_below(&rng, 4)) {
            case 0:
                node->wish = (enum roster_wish)rng_below(&rng, 4);
                break;
            case 1:
                node->reachable = true;
                break;
            default:
                node->reachable = node->id == shape.view.leader;
            }
            if (!has_quorum(&shape))
                node->reachable = was; /* that would be no fault of the roster's */
            let_pass(&shape, 200 + rng_below(&rng, 15000));
        }
        unsigned willing = 0;
        for (unsigned i = 0; i < count; i++) {
            shape.nodes[i].reachable = true;
            shape.nodes[i].wish = i % 4 == 3 ? ROSTER_STANDBY : ROSTER_AUTO;
            willing += i % 4 != 3;
        }
        let_pass(&shape, 120000);
        unsigned target = willing < 7 ? willing - (willing % 2 == 0) : 7;
        if (target > 1 || voters_of(&shape) > 2)
            assert_int_equal(voters_of(&shape), target);
        assert_int_equal(let_pass(&shape, 60000), 0);
    }
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
        cmocka_unit_test(an_unseen_voter_gives_way_to_a_standby),
        cmocka_unit_test(an_unseen_voter_stays_without_a_standby),
        cmocka_unit_test(two_unseen_voters_are_replaced_one_by_one),
        cmocka_unit_test(a_standby_that_lags_replaces_nobody),
        cmocka_unit_test(a_new_leader_gives_the_old_one_its_time),
        cmocka_unit_test(a_voter_that_is_removed_is_replaced_first),
        cmocka_unit_test(a_leader_that_is_to_stand_by_hands_over_first),
        cmocka_unit_test(nobody_is_demoted_below_a_quorum),
        cmocka_unit_test(an_even_number_shrinks_to_the_odd_one_below),
        cmocka_unit_test(two_voters_stay_two_until_one_is_asked_for),
        cmocka_unit_test(fewer_voters_are_made_when_fewer_are_asked_for),
        cmocka_unit_test(crowded_regions_give_to_empty_ones),
        cmocka_unit_test(who_is_named_votes_before_who_is_automatic),
        cmocka_unit_test(the_leader_steps_aside_for_who_is_named),
        cmocka_unit_test(a_long_history_of_nodes_does_not_stand_in_the_way),
        cmocka_unit_test(seven_voters_and_more_than_ten_others_fit),
        cmocka_unit_test(any_history_ends_in_shape_and_never_below_a_quorum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
